/* SPDX-License-Identifier: BSD-2-Clause */
/* What caches keep only because it may be handy: stacks of free objects. */
#include "lib/inject.h"
#include "paging/shrinker.h"
#include "paging/slab_internal.h"

static bool lies_in(const struct kmem_cache *cache, enum zone_type zone)
{
    return cache->number && cache->zone <= zone;
}

/* At most: a slab for each object on the stack, and those that debugging keeps. */
static uint32_t pages_kept(const struct kmem_cache *cache)
{
    uint32_t slabs = MIN(slab_stack_count(cache), cache->slabs);
    const struct slab *slab;

    if (inject(slab_counts_whole_stacks, slab))
        slabs = slab_stack_count(cache) / cache->objects;
    if (cache_is_debugged(cache))
        list_for_each_entry (slab, &cache->partial, link)
            slabs += slab->free == cache->objects;
    return slabs << cache->order;
}

static uint32_t count_objects(struct shrinker *shrinker, enum zone_type zone)
{
    uint32_t pages = 0;

    (void)shrinker;
    for (unsigned number = 1; number < NR_SLAB_CACHES; number++)
        if (lies_in(&slab_caches[number], zone))
            pages += pages_kept(&slab_caches[number]);
    return pages;
}

static uint32_t scan_objects(struct shrinker *shrinker, enum zone_type zone, uint32_t nr_to_scan)
{
    uint32_t pages = 0;

    (void)shrinker;
    if (inject(slab_never_shrinks, slab))
        return 0;
    for (unsigned number = 1; number < NR_SLAB_CACHES && pages < nr_to_scan; number++)
        if (lies_in(&slab_caches[number], zone))
            pages += kmem_cache_shrink(&slab_caches[number]);
    return pages;
}

static struct shrinker slab_shrinker = {
    .name = "slab",
    .count_objects = count_objects,
    .scan_objects = scan_objects,
};

void slab_shrinker_init(void)
{
    register_shrinker(&slab_shrinker);
}
