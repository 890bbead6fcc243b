/* SPDX-License-Identifier: BSD-2-Clause */
/* Every rule that a cache obeys between two calls. */
#include "paging/slab_internal.h"

static const char *check_objects(const struct kmem_cache *cache, const struct slab *slab,
                                 virt_t *where)
{
    for (uint32_t i = 0; i < cache->objects; i++) {
        const char *object = slab_object(cache, slab, i);
        const char *wrong = slab_debug_check(cache, object, bitmap_test(slab->map, i));

        *where = (virt_t)object;
        if (wrong)
            return wrong;
    }
    return NULL;
}

static const char *check_slab(const struct kmem_cache *cache, const struct slab *slab, bool is_full,
                              virt_t *where)
{
    const struct page *page = slab_page(slab);

    *where = (virt_t)slab;
    if (slab->number != cache->number)
        return "a slab in the list of another cache";
    if (page->owner != PAGE_OWNER_SLAB || page->index != cache->number)
        return "a slab whose page has another owner";
    for (uint32_t i = 0; i < 1u << cache->order; i++)
        if (page[i].kmap != slab_word(slab))
            return "a page that does not lead to its slab";
    if (bitmap_weight(slab->map, cache->objects) != slab->free)
        return "a slab has another count than its map";
    if ((slab->free == 0) != is_full)
        return "a slab in the wrong list";
    if (slab->free == cache->objects && !cache_is_debugged(cache))
        return "a slab that is wholly free";
    return cache_is_debugged(cache) ? check_objects(cache, slab, where) : NULL;
}

static const char *check_slabs(const struct kmem_cache *cache, const struct list_head *slabs,
                               uint32_t *count, uint32_t *free, virt_t *where)
{
    const struct slab *slab;

    list_for_each_entry (slab, slabs, link) {
        const char *wrong = check_slab(cache, slab, slabs == &cache->full, where);

        if (wrong)
            return wrong;
        if (++*count > cache->slabs)
            return "a list of slabs is longer than their count, or a ring";
        *free += slab->free;
    }
    return NULL;
}

static const char *check_stack(const struct kmem_cache *cache, virt_t *where)
{
    uint32_t count = 0;

    for (void **top = slab_top_get(cache->number); *top; top++, count++) {
        const char *fault = slab_free_fault(cache, *top);

        *where = (virt_t)*top;
        if (fault)
            return fault;
        for (void **other = top + 1; *other; other++)
            if (*other == *top)
                return "an object is on the stack twice";
    }
    return count == slab_stack_count(cache) ? NULL : "the stack does not end where it should";
}

const char *kmem_cache_check(struct kmem_cache *cache, virt_t *where)
{
    uint32_t count = 0, free = 0;
    const char *wrong;

    *where = (virt_t)cache;
    preempt_disable();
    wrong = slab_descriptor_check(where);
    if (!wrong)
        wrong = check_slabs(cache, &cache->partial, &count, &free, where);
    if (!wrong)
        wrong = check_slabs(cache, &cache->full, &count, &free, where);
    if (!wrong && count != cache->slabs)
        wrong = "slabs are missing in the lists";
    if (!wrong && free != cache->free)
        wrong = "the count of free objects is not the sum of the slabs'";
    if (!wrong)
        wrong = check_stack(cache, where);
    preempt_enable();
    return wrong;
}
