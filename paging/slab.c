/* SPDX-License-Identifier: BSD-2-Clause */
/* Slabs: made, taken from, given to, and given back; the slow paths. */
#include "paging/slab.h"
#include "lib/finding.h"
#include "lib/inject.h"
#include "lib/string.h"
#include "paging/slab_internal.h"
#include "paging/wait.h"

/* Lets the pages lead to their slab, or to none. */
static void mark_pages(struct page *page, unsigned order, uint32_t word)
{
    uint32_t count = inject(slab_marks_first_page, slab) ? 1 : 1u << order;

    for (uint32_t i = 0; i < count; i++)
        page[i].kmap = word;
}

/* A new slab, all free, that its cache does not know yet. Preemption on. */
static struct slab *slab_new(const struct kmem_cache *cache, gfp_t gfp)
{
    gfp_t zone = inject(slab_dma_anywhere, slab) ? (gfp_t)ZONE_NORMAL : (gfp_t)cache->zone;
    gfp_t page_gfp = gfp & ~(__GFP_ZERO | __GFP_MOVABLE | __GFP_ZONE_MASK);
    struct page *page = alloc_pages(page_gfp | zone, cache->order);
    struct slab *slab;

    if (!page)
        return NULL;
    /* Descriptors may lie in all of lowmem. */
    slab = slab_descriptor_alloc(cache->objects, page_gfp | (gfp_t)ZONE_NORMAL);
    if (!slab) {
        __free_pages(page, cache->order);
        return NULL;
    }
    slab->first = (char *)lowmem_page_address(page) + cache->lead;
    slab->number = (uint16_t)cache->number;
    slab->free = (uint16_t)cache->objects;
    memset(slab->map, 0, BITMAP_WORDS(cache->objects) * sizeof(slab->map[0]));
    bitmap_set_range(slab->map, 0, cache->objects);
    page_set_owner(page, PAGE_OWNER_SLAB, cache->number);
    mark_pages(page, cache->order,
               slab_word(slab) ^ (inject(slab_wrong_number, slab) ? BIT(SLAB_NUMBER_SHIFT) : 0));
    if (cache_is_debugged(cache))
        for (uint32_t i = 0; i < cache->objects; i++)
            slab_debug_clear(cache, slab_object(cache, slab, i));
    return slab;
}

static void slab_add(struct kmem_cache *cache, struct slab *slab)
{
    list_add(&slab->link, &cache->partial);
    cache->slabs++;
    cache->free += slab->free;
}

void slab_release(struct kmem_cache *cache, struct slab *slab)
{
    struct page *page = slab_page(slab);

    if (cache_is_debugged(cache))
        slab_debug_look(cache, slab);
    list_del(&slab->link);
    cache->slabs--;
    cache->free -= slab->free;
    mark_pages(page, cache->order, 0);
    page_set_owner(page, PAGE_OWNER_NONE, 0);
    slab_descriptor_free(slab, cache->objects);
    __free_pages(page, cache->order);
}

/* `count` objects of a slab, which has as many, are no longer free. */
static void take_from_slab(struct kmem_cache *cache, struct slab *slab, uint32_t count,
                           void **object)
{
    char *base = slab->first;

    cache->free -= count;
    slab->free = (uint16_t)(slab->free - count);
    if (slab->free == 0) {
        list_del(&slab->link);
        list_add(&slab->link, &cache->full);
    }
    for (uint32_t *word = slab->map; count > 0; word++, base += BITMAP_WORD_BITS * cache->stride) {
        uint32_t bits = *word;

        for (; bits && count > 0; bits &= bits - 1, count--)
            *object++ = base + (uint32_t)__builtin_ctz(bits) * cache->stride;
        if (!inject(slab_given_twice, slab))
            *word = bits;
    }
}

/* An object from the slabs there are, or NULL; the stack gets some more of them. */
static void *take(struct kmem_cache *cache)
{
    void **top = slab_top_get(cache->number), *object = *top;
    struct slab *slab;
    uint32_t count;

    /* Another thread may have filled it after it was found empty. */
    if (object) {
        slab_top_move(cache->number, 1);
        return object;
    }
    if (list_empty(&cache->partial))
        return NULL;
    slab = list_first_entry(&cache->partial, struct slab, link);
    if (cache_is_debugged(cache)) {
        take_from_slab(cache, slab, 1, &object);
        slab_debug_take(cache, object);
        return object;
    }
    /* As if a tick had come: others find, and change, what was just looked at. */
    if (inject(slab_preemptible, slab_threads)) {
        preempt_enable();
        wait_yield();
        preempt_disable();
    }
    count = MIN(cache->batch, slab->free);
    top -= count;
    take_from_slab(cache, slab, count, top);
    slab_top_move(cache->number, 1 - (int)count);
    return *top;
}

void *slab_alloc_slow(unsigned number, gfp_t gfp)
{
    struct kmem_cache *cache = &slab_caches[number];
    struct slab *slab;
    void *object;

    preempt_disable();
    object = take(cache);
    preempt_enable();
    if (object)
        return object;
    /* To have it, this may sleep. Whatever happens meanwhile, the new slab's object is ours. */
    slab = slab_new(cache, gfp);
    if (!slab && inject(slab_gives_up, slab))
        return NULL;
    preempt_disable();
    if (slab) {
        slab_add(cache, slab);
        slab_flush(cache, slab_stack_count(cache));
    }
    /* Without one: what others freed meanwhile, or a shrinker, though no whole page came free. */
    object = take(cache);
    preempt_enable();
    return object;
}

void *slab_alloc_any(unsigned number, gfp_t gfp)
{
    const struct kmem_cache *cache = &slab_caches[number];
    unsigned zone = gfp & __GFP_ZONE_MASK;
    void *object;

    if (zone > ZONE_NORMAL || zone < (unsigned)cache->zone) {
        finding("%s: an object of zone %u is wanted, its own are of %u", cache->name, zone,
                (unsigned)cache->zone);
        return NULL;
    }
    object = slab_alloc_quick(number, gfp);
    if (object && (gfp & __GFP_ZERO) && !inject(slab_forget_zero, slab))
        memset(object, 0, cache->size);
    return object;
}

/*
 * Where an object of the cache is that may become free. False if it is none: slab_free_fault() says
 * why.
 */
static inline bool find_object(const struct kmem_cache *cache, const void *object,
                               struct slab **slab, uint32_t *index)
{
    pfn_t pfn = phys_to_pfn(virt_to_phys(object));
    uint32_t word = likely(pfn < max_low_pfn) ? pfn_to_page(pfn)->kmap : 0;

    *slab = slab_of_word(word);
    if (unlikely(word >> SLAB_NUMBER_SHIFT != cache->number))
        return false;
    *index = slab_index(cache, *slab, object);
    return likely(*index < cache->objects) && likely(!bitmap_test((*slab)->map, *index));
}

const char *slab_free_fault(const struct kmem_cache *cache, const void *object)
{
    const struct slab *slab = slab_of(object);
    uint32_t index;

    if (!slab)
        return "is in no slab";
    if (slab->number != cache->number)
        return "is another cache's";
    index = slab_index(cache, slab, object);
    if (index >= cache->objects)
        return "is not where an object begins";
    return bitmap_test(slab->map, index) ? "is free already" : NULL;
}

/* The object is free from now on. The cache is the slab's, and the object is out. */
static inline void give_to_slab(struct kmem_cache *cache, struct slab *slab, uint32_t index)
{
    bitmap_set(slab->map, index);
    cache->free++;
    if (slab->free++ == 0) {
        list_del(&slab->link);
        list_add_tail(&slab->link, &cache->partial);
    }
    if (likely(slab->free < cache->objects) && !inject(slab_release_in_use, slab))
        return;
    /* Debugged ones stay until somebody wants memory: what is freed, and written to, shows then. */
    if (!cache_is_debugged(cache) && !inject(slab_keep_empty, slab))
        slab_release(cache, slab);
}

static void tell_fault(const struct kmem_cache *cache, const void *object)
{
    const struct slab *slab = slab_of(object);
    const char *fault = slab_free_fault(cache, object);

    finding("%s: %p was freed, which %s (%s)", cache->name, object,
            fault ? fault : "is free already", slab ? slab_cache(slab)->name : "no cache");
}

void slab_flush(struct kmem_cache *cache, uint32_t count)
{
    void **top = slab_top_get(cache->number);
    void **oldest = top + slab_stack_count(cache) - count, **last = oldest + count;

    for (void **at = oldest + (inject(slab_flush_loses, slab) ? 1 : 0); at < last; at++) {
        struct slab *slab;
        uint32_t index = 0;

        if (likely(find_object(cache, *at, &slab, &index)))
            give_to_slab(cache, slab, index);
        else
            tell_fault(cache, *at);
    }
    while (oldest > top)
        *--last = *--oldest;
    slab_top_move(cache->number, (int)count);
}

static bool on_stack(const struct kmem_cache *cache, const void *object)
{
    void **top = slab_top_get(cache->number);

    while (*top && *top != object)
        top++;
    return *top != NULL;
}

static void give(struct kmem_cache *cache, const void *object)
{
    struct slab *slab;
    uint32_t index = 0;
    bool right = find_object(cache, object, &slab, &index) &&
                 (!on_stack(cache, object) || inject(slab_double_free_unseen, slab_bugs));

    if (!right) {
        tell_fault(cache, object);
    } else if (cache_is_debugged(cache)) {
        slab_debug_give(cache, (char *)(uintptr_t)object);
        give_to_slab(cache, slab, index);
    } else {
        if (slab_stack_count(cache) == cache->capacity)
            slab_flush(cache, cache->batch);
        slab_top_move(cache->number, -1);
        *slab_top_get(cache->number) = (void *)(uintptr_t)object;
    }
}

void slab_free_slow(unsigned number, const void *object)
{
    const struct slab *slab = slab_of(object);

    if (!object)
        return;
    if (number == 0 && slab)
        number = slab->number;
    if (number) {
        preempt_disable();
        give(&slab_caches[number], object);
        preempt_enable();
    } else if (!kmalloc_free_pages(object)) {
        finding("kfree(%p): not from kmalloc()", object);
    }
}
