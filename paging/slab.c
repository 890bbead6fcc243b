/* SPDX-License-Identifier: BSD-2-Clause */
#include "paging/slab.h"
#include "lib/finding.h"
#include "lib/string.h"
#include "paging/preempt.h"
#include "paging/slab_internal.h"

#define SLAB_ORDER_MAX 3u
#define SLAB_WASTE_SHARE 8u /* at most one part of so many of a slab is no object's */
#define STACK_BYTES (4 * PAGE_SIZE)
#define STACK_LEAST 4u
#define WORD_MASK (BIT(SLAB_NUMBER_SHIFT) - 1)

struct kmem_cache slab_caches[NR_SLAB_CACHES];
uint32_t slab_wrong_bits[2 * NR_SLAB_CACHES];

/* This processor's stack of the cache; its last slot but capacity holds the NULL. */
static struct slab_stack *stack_of(unsigned number)
{
    virt_t last = (virt_t)(slab_top_get(number));

    return (struct slab_stack *)ALIGN_DOWN(last, sizeof(struct slab_stack));
}

static uint32_t stack_count(const struct kmem_cache *cache)
{
    return cache->capacity -
           (uint32_t)(slab_top_get(cache->number) - stack_of(cache->number)->slot);
}

static void stack_init(unsigned number, uint32_t capacity)
{
    struct slab_stack *stack = stack_of(number);
    void **top = slab_top_get(number);

    stack->slot[capacity] = NULL;
    while (top != &stack->slot[capacity]) {
        int step = top < &stack->slot[capacity] ? 1 : -1;

        slab_top_move(number, step);
        top += step;
    }
}

/* Objects in a slab of this order. */
static uint32_t objects_in(const struct kmem_cache *cache, unsigned order)
{
    return ((PAGE_SIZE << order) - cache->lead) / cache->stride;
}

static unsigned best_order(const struct kmem_cache *cache)
{
    unsigned order = 0;

    while (order < SLAB_ORDER_MAX) {
        uint32_t bytes = PAGE_SIZE << order, objects = objects_in(cache, order);

        if (objects && bytes - objects * cache->size <= bytes / SLAB_WASTE_SHARE)
            return order;
        order++;
    }
    return order;
}

void slab_cache_init(unsigned number, const char *name, size_t size, size_t align, unsigned flags,
                     enum zone_type zone)
{
    struct kmem_cache *cache = &slab_caches[number];

    align = MAX(align, sizeof(void *));
    *cache = (struct kmem_cache){
        .number = number,
        .size = (uint32_t)ALIGN_UP(size, sizeof(uint32_t)),
        .stride = (uint32_t)ALIGN_UP(size, align),
        .flags = flags,
        .zone = zone,
        .name = name,
    };
    cache->order = best_order(cache);
    cache->objects = objects_in(cache, cache->order);
    cache->capacity = MIN(MAX(STACK_BYTES / cache->stride, STACK_LEAST), SLAB_STACK_SLOTS - 1);
    cache->batch = (cache->capacity + 1) / 2;
    list_init(&cache->partial);
    list_init(&cache->full);
    slab_wrong_bits[number] = (cache->stride & -cache->stride) - 1;
    stack_init(number, cache->capacity);
}

bool slab_init(void)
{
    unsigned order = 0;
    struct slab_stack *stacks;

    while (PAGE_SIZE << order < NR_SLAB_CACHES * sizeof(struct slab_stack))
        order++;
    stacks = __get_free_pages(GFP_NOWAIT | __GFP_ZERO, order);
    if (!stacks)
        return false;
    for (unsigned number = 0; number < NR_SLAB_CACHES; number++)
        this_cpu()->slab_top[number] = stacks[number].slot;
    memset(slab_wrong_bits, 0xff, sizeof(slab_wrong_bits));
    kmalloc_init();
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
        slab_cache_init(number, name, size, align, flags, ZONE_NORMAL);
        cache = &slab_caches[number];
    }
    preempt_enable();
    return cache;
}

/* Writes what kfree() looks for into the descriptors of the slab's pages. */
static void mark_pages(struct slab *slab, uint32_t word)
{
    struct page *page = pfn_to_page(slab->pfn);

    for (uint32_t i = 0; i < 1u << slab_cache(slab)->order; i++)
        page[i].kmap = word;
}

static uint32_t slab_word(const struct slab *slab)
{
    uintptr_t place = ((uintptr_t)slab - layout.direct_offset) >> SLAB_DESCRIPTOR_SHIFT;

    return (uint32_t)place | (uint32_t)slab->number << SLAB_NUMBER_SHIFT;
}

struct slab *slab_of(const void *address)
{
    unsigned number = slab_number(address);
    pfn_t pfn = phys_to_pfn(virt_to_phys(address));
    uintptr_t place;

    if (number == 0 || number >= NR_SLAB_CACHES)
        return NULL;
    place = (uintptr_t)(pfn_to_page(pfn)->kmap & WORD_MASK) << SLAB_DESCRIPTOR_SHIFT;
    return (struct slab *)(place + layout.direct_offset);
}

/* A new slab, all free, that its cache does not know yet. Preemption on. */
static struct slab *slab_new(struct kmem_cache *cache, gfp_t gfp)
{
    gfp_t pages_gfp = gfp & ~(__GFP_ZERO | __GFP_MOVABLE);
    struct page *page = alloc_pages(pages_gfp, cache->order);
    struct slab *slab;

    if (!page)
        return NULL;
    /* Descriptors lie in any lowmem. */
    slab =
        slab_descriptor_alloc(cache->objects, (pages_gfp & ~__GFP_ZONE_MASK) | (gfp_t)ZONE_NORMAL);
    if (!slab) {
        __free_pages(page, cache->order);
        return NULL;
    }
    slab->pfn = page_to_pfn(page);
    slab->number = (uint16_t)cache->number;
    slab->free = (uint16_t)cache->objects;
    memset(slab->map, 0, BITMAP_WORDS(cache->objects) * sizeof(uint32_t));
    bitmap_set_range(slab->map, 0, cache->objects);
    page_set_owner(page, PAGE_OWNER_SLAB, cache->number);
    mark_pages(slab, slab_word(slab));
    return slab;
}

static void slab_release(struct kmem_cache *cache, struct slab *slab)
{
    struct page *page = pfn_to_page(slab->pfn);

    list_del(&slab->link);
    cache->slabs--;
    cache->free -= cache->objects;
    mark_pages(slab, 0);
    slab_descriptor_free(slab);
    __free_pages(page, cache->order);
}

/* Takes up to cache->batch free objects of one slab onto the stack, which is empty. */
static void refill(struct kmem_cache *cache, struct slab *slab)
{
    uint32_t count = MIN(cache->batch, slab->free), taken = 0;
    void **top;

    slab_top_move(cache->number, -(int)count);
    top = slab_top_get(cache->number);
    for (uint32_t word = 0; taken < count; word++) {
        while (slab->map[word] && taken < count) {
            uint32_t bit = (uint32_t)__builtin_ctz(slab->map[word]);

            slab->map[word] &= slab->map[word] - 1;
            top[taken++] = slab_object(slab, word * BITMAP_WORD_BITS + bit);
        }
    }
    slab->free = (uint16_t)(slab->free - count);
    cache->free -= count;
    if (slab->free == 0) {
        list_del(&slab->link);
        list_add(&slab->link, &cache->full);
    }
}

static void *take(struct kmem_cache *cache)
{
    void *object = *slab_top_get(cache->number);

    if (!object && !list_empty(&cache->partial)) {
        refill(cache, list_first_entry(&cache->partial, struct slab, link));
        object = *slab_top_get(cache->number);
    }
    if (object)
        slab_top_move(cache->number, 1);
    return object;
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
    slab = slab_new(cache, gfp);
    if (!slab)
        return NULL;
    preempt_disable();
    list_add(&slab->link, &cache->partial);
    cache->slabs++;
    cache->free += cache->objects;
    object = take(cache);
    preempt_enable();
    return object;
}

void *slab_alloc_any(unsigned number, gfp_t gfp)
{
    const struct kmem_cache *cache = &slab_caches[number];
    void *object;

    if ((gfp & __GFP_ZONE_MASK) != (gfp_t)cache->zone) {
        finding("%s: an object of zone %u is wanted", cache->name, gfp & __GFP_ZONE_MASK);
        return NULL;
    }
    object = slab_alloc_quick(number, gfp);
    if (object && (gfp & __GFP_ZERO))
        memset(object, 0, cache->size);
    return object;
}

/* The number of the object within its slab; cache->objects if there is none at this address. */
static uint32_t object_index(const struct kmem_cache *cache, const struct slab *slab,
                             const void *object)
{
    uint32_t offset = (uint32_t)((const char *)object - slab_object(slab, 0));
    uint32_t index = offset / cache->stride;

    return index * cache->stride == offset && index < cache->objects ? index : cache->objects;
}

/* What is wrong with giving `object` back to a cache; NULL if nothing is. */
static const char *free_fault(const struct kmem_cache *cache, const void *object)
{
    const struct slab *slab = slab_of(object);
    uint32_t index;

    if (!slab)
        return "in no slab";
    if (slab->number != cache->number)
        return slab_cache(slab)->name;
    index = object_index(cache, slab, object);
    if (index == cache->objects)
        return "inside an object";
    return bitmap_test(slab->map, index) ? "free already" : NULL;
}

/* Gives an object to its slab. */
static void give_to_slab(struct kmem_cache *cache, const void *object)
{
    const char *fault = free_fault(cache, object);
    struct slab *slab;

    if (fault) {
        finding("%s: object %p freed, which is %s", cache->name, object, fault);
        return;
    }
    slab = slab_of(object);
    bitmap_set(slab->map, object_index(cache, slab, object));
    cache->free++;
    if (slab->free++ == 0) {
        list_del(&slab->link);
        list_add_tail(&slab->link, &cache->partial);
    }
    if (slab->free == cache->objects)
        slab_release(cache, slab);
}

/* Gives the oldest `count` objects of the stack to their slabs. */
static void flush(struct kmem_cache *cache, uint32_t count)
{
    void **top = slab_top_get(cache->number), **end = top + stack_count(cache);

    for (uint32_t i = 1; i <= count; i++)
        give_to_slab(cache, end[-(int)i]);
    memmove(top + count, top, (size_t)(end - top - (int)count) * sizeof(*top));
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
    const char *fault = free_fault(cache, object);

    if (!fault && on_stack(cache, object))
        fault = "free already";
    if (fault) {
        finding("%s: object %p freed, which is %s", cache->name, object, fault);
        return;
    }
    if (stack_count(cache) == cache->capacity)
        flush(cache, cache->batch);
    slab_top_move(cache->number, -1);
    *slab_top_get(cache->number) = (void *)(virt_t)object;
}

/* What kmalloc() took from the page allocator. False if it did not. */
static bool free_kmalloc_pages(const void *object)
{
    pfn_t pfn = phys_to_pfn(virt_to_phys(object));
    struct page *page;

    if (pfn >= max_low_pfn || !IS_ALIGNED((virt_t)object, PAGE_SIZE))
        return false;
    page = pfn_to_page(pfn);
    if (page->free || !page->allocated || page->owner != PAGE_OWNER_SLAB ||
        page->index != SLAB_INDEX_KMALLOC)
        return false;
    __free_pages(page, page->order);
    return true;
}

void slab_free_slow(unsigned number, const void *object)
{
    const struct slab *slab = slab_of(object);

    if (!object)
        return;
    if (number == 0 && slab)
        number = slab->number;
    if (number == 0) {
        if (!free_kmalloc_pages(object))
            finding("kfree(%p): not from kmalloc()", object);
        return;
    }
    preempt_disable();
    give(&slab_caches[number], object);
    preempt_enable();
}

uint32_t kmem_cache_shrink(struct kmem_cache *cache)
{
    uint32_t slabs;

    preempt_disable();
    slabs = cache->slabs;
    flush(cache, stack_count(cache));
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
    struct slab *slab, *ahead;
    uint32_t out;

    if (!cache)
        return;
    kmem_cache_shrink(cache);
    preempt_disable();
    out = cache->slabs * cache->objects - cache->free;
    if (out)
        finding("%s: destroyed with %u objects in use", cache->name, out);
    list_for_each_entry_safe (slab, ahead, &cache->partial, link)
        slab_release(cache, slab);
    list_for_each_entry_safe (slab, ahead, &cache->full, link)
        slab_release(cache, slab);
    stack_init(cache->number, 0);
    slab_wrong_bits[cache->number] = UINT32_MAX;
    cache->number = 0;
    preempt_enable();
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
        .in_use = cache->slabs * cache->objects - cache->free - stack_count(cache),
    };
    preempt_enable();
}

static const char *check_slabs(const struct kmem_cache *cache, const struct list_head *list,
                               uint32_t *slabs, uint32_t *free, virt_t *where)
{
    const struct slab *slab;

    list_for_each_entry (slab, list, link) {
        const struct page *page = pfn_to_page(slab->pfn);

        *where = (virt_t)slab_object(slab, 0);
        if (++*slabs > cache->slabs)
            return "a list of slabs is longer than their count, or a ring";
        if (slab->number != cache->number)
            return "a slab in the list of another cache";
        for (uint32_t i = 0; i < 1u << cache->order; i++)
            if (page[i].kmap != slab_word(slab))
                return "a page that does not lead to its slab";
        if (bitmap_weight(slab->map, cache->objects) != slab->free)
            return "a slab has another count than its map";
        if ((slab->free == 0) != (list == &cache->full))
            return "a slab in the wrong list";
        if (slab->free == cache->objects)
            return "a slab that is wholly free";
        *free += slab->free;
    }
    return NULL;
}

const char *kmem_cache_check(struct kmem_cache *cache, virt_t *where)
{
    uint32_t slabs = 0, free = 0;
    const char *wrong;

    *where = (virt_t)cache;
    preempt_disable();
    wrong = slab_descriptor_check(where);
    if (!wrong)
        wrong = check_slabs(cache, &cache->partial, &slabs, &free, where);
    if (!wrong)
        wrong = check_slabs(cache, &cache->full, &slabs, &free, where);
    if (!wrong && slabs != cache->slabs)
        wrong = "slabs are missing in the lists";
    if (!wrong && free != cache->free)
        wrong = "the count of free objects is not the sum of the slabs'";
    for (void **top = slab_top_get(cache->number); !wrong && *top; top++) {
        *where = (virt_t)*top;
        wrong = free_fault(cache, *top);
    }
    preempt_enable();
    return wrong;
}
