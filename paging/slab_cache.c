/* SPDX-License-Identifier: BSD-2-Clause */
/* Caches: their geometry, and their beginning and end. */
#include "lib/finding.h"
#include "lib/inject.h"
#include "lib/string.h"
#include "paging/slab_internal.h"

#define ORDER_MAX 3u
#define WASTE_SHARE                                                               \
    8u /* at most one part of so many of a slab is no object's, if there is a way \
        */
#define STACK_BYTES (4 * PAGE_SIZE) /* a stack does not keep more */
#define STACK_LEAST 4u              /* but this many objects, however large */

struct kmem_cache slab_caches[NR_SLAB_CACHES];
uint32_t slab_wrong_bits[2 * NR_SLAB_CACHES];

static uint32_t objects_in(const struct kmem_cache *cache, unsigned order)
{
    uint32_t bytes = PAGE_SIZE << order;
    uint32_t red = (cache->flags & SLAB_RED_ZONE) ? sizeof(uint32_t) : 0;
    uint32_t first = cache->lead + cache->size + red;

    return bytes < first ? 0 : 1 + (bytes - first) / cache->stride;
}

/* The smallest that wastes little, or the one that wastes least. */
static unsigned best_order(const struct kmem_cache *cache)
{
    unsigned best = 0;
    uint32_t best_used = 0; /* of a block of ORDER_MAX */

    for (unsigned order = 0; order <= ORDER_MAX; order++) {
        uint32_t bytes = PAGE_SIZE << order, used = objects_in(cache, order) * cache->size;

        if (bytes - used <= bytes / WASTE_SHARE)
            return order;
        if (used << (ORDER_MAX - order) > best_used) {
            best = order;
            best_used = used << (ORDER_MAX - order);
        }
    }
    return best;
}

/* Moves the stack's end to where it has this much room. It is empty. */
static void set_room(unsigned number, uint32_t capacity)
{
    void **end = &slab_stack_of(number)->slot[capacity];

    *end = NULL;
    slab_top_move(number, (int)(end - slab_top_get(number)));
}

void slab_cache_init(unsigned number, const char *name, size_t size, size_t align, unsigned flags)
{
    struct kmem_cache *cache = &slab_caches[number];
    size_t red = (flags & SLAB_RED_ZONE) ? 2 * sizeof(uint32_t) : 0;

    align = MAX(align, sizeof(void *));
    *cache = (struct kmem_cache){
        .number = number,
        .size = (uint32_t)size,
        .stride = (uint32_t)ALIGN_UP(size + red, align),
        .lead = red ? (uint32_t)align : 0,
        .flags = flags,
        .zone = (flags & SLAB_CACHE_DMA) ? ZONE_DMA : ZONE_NORMAL,
        .name = name,
    };
    if (inject(slab_misaligned, slab))
        cache->lead = sizeof(uint32_t);
    cache->inverse = UINT32_MAX / cache->stride + 1;
    cache->order = best_order(cache);
    cache->objects = objects_in(cache, cache->order);
    if (!cache_is_debugged(cache))
        cache->capacity = MIN(MAX(STACK_BYTES / cache->stride, STACK_LEAST), SLAB_STACK_SLOTS - 1);
    cache->batch = (cache->capacity + 1) / 2;
    list_init(&cache->partial);
    list_init(&cache->full);
    slab_wrong_bits[number] = ((cache->lead | cache->stride) & -(cache->lead | cache->stride)) - 1;
    set_room(number, cache->capacity);
}

bool slab_cpu_init(void)
{
    unsigned order = 0;
    struct slab_stack *stacks;

    while (PAGE_SIZE << order < NR_SLAB_CACHES * sizeof(struct slab_stack))
        order++;
    stacks = __get_free_pages(GFP_NOWAIT | __GFP_ZERO, order);
    if (!stacks)
        return false;
    for (unsigned number = 0; number < NR_SLAB_CACHES; number++) {
        this_cpu()->slab_top[number] = stacks[number].slot;
        if (slab_caches[number].number)
            set_room(number, slab_caches[number].capacity);
    }
    return true;
}

bool slab_init(void)
{
    if (!slab_cpu_init())
        return false;
    memset(slab_wrong_bits, 0xff, sizeof(slab_wrong_bits));
    kmalloc_init(0);
    slab_shrinker_init();
    return true;
}

struct kmem_cache *kmem_cache_create(const char *name, size_t size, size_t align, unsigned flags)
{
    struct kmem_cache *cache = NULL;

    if (size == 0 || size > 2 * PAGE_SIZE || align > PAGE_SIZE || (align & (align - 1)))
        return NULL;
    preempt_disable();
    for (unsigned number = KMALLOC_CACHES + 1; number < NR_SLAB_CACHES && !cache; number++) {
        if (slab_caches[number].number)
            continue;
        slab_cache_init(number, name, size, align, flags);
        cache = &slab_caches[number];
    }
    preempt_enable();
    return cache;
}

/* Gives back the slabs of the list, or only those without an object in use. */
static void release_slabs(struct kmem_cache *cache, struct list_head *slabs, bool only_empty)
{
    struct slab *slab, *ahead;

    list_for_each_entry_safe (slab, ahead, slabs, link)
        if (!only_empty || slab->free == cache->objects)
            slab_release(cache, slab);
}

uint32_t kmem_cache_shrink(struct kmem_cache *cache)
{
    uint32_t slabs;

    preempt_disable();
    slabs = cache->slabs;
    slab_flush(cache, slab_stack_count(cache));
    if (cache_is_debugged(cache))
        release_slabs(cache, &cache->partial, true);
    slabs -= cache->slabs;
    preempt_enable();
    return slabs << cache->order;
}

uint32_t slab_shrink_all(void)
{
    uint32_t pages = 0;

    for (unsigned number = 1; number < NR_SLAB_CACHES; number++)
        if (slab_caches[number].number)
            pages += kmem_cache_shrink(&slab_caches[number]);
    return pages;
}

void kmem_cache_destroy(struct kmem_cache *cache)
{
    uint32_t out;

    if (!cache)
        return;
    preempt_disable();
    kmem_cache_shrink(cache);
    out = cache->slabs * cache->objects - cache->free;
    if (out)
        finding("%s: destroyed, objects in use: %u", cache->name, out);
    release_slabs(cache, &cache->partial, false);
    release_slabs(cache, &cache->full, false);
    set_room(cache->number, 0);
    slab_wrong_bits[cache->number] = UINT32_MAX;
    cache->number = 0;
    preempt_enable();
}

struct kmem_cache *kmem_cache_of_number(unsigned number)
{
    if (number == 0 || number >= NR_SLAB_CACHES || !slab_caches[number].number)
        return NULL;
    return &slab_caches[number];
}

void kmem_cache_info(const struct kmem_cache *cache, struct slab_info *info)
{
    preempt_disable();
    *info = (struct slab_info){
        .name = cache->name,
        .object_bytes = cache->size,
        .objects_per_slab = cache->objects,
        .slab_order = cache->order,
        .slabs = cache->slabs,
        .flags = cache->flags,
        .in_use = cache->slabs * cache->objects - cache->free - slab_stack_count(cache),
    };
    preempt_enable();
}
