/* SPDX-License-Identifier: BSD-2-Clause */
#include "payload/tests/lowmem_cache.h"
#include "lib/inject.h"
#include "paging/kmap_local.h"
#include "paging/page_alloc.h"

#define DIRTY BIT(31)
#define HEADS_PER_SLAB_PAGE (PAGE_SIZE / CACHE_HEAD_BYTES)
#define SCAN_GOES 8u
#define SLOTS_MAX (PAGE_INDEX_MAX + 1)
/* Counts of pages begin so near their end that every run goes past it: so would a long one. */
#define FIRST_PLACE (0u - 4096u)
_Static_assert((SLOTS_MAX & (SLOTS_MAX - 1)) == 0, "a power of two");
_Static_assert(PFN_BITS < 31, "a frame's number and a bit in a word");
_Static_assert(sizeof(struct cache_head) == CACHE_HEAD_BYTES, "");

static struct cache_slot *slot_at(const struct lowmem_cache *cache, uint32_t place)
{
    return &cache->slot[place & (cache->nr_slots - 1)];
}

static struct page *slot_page(const struct cache_slot *slot)
{
    return pfn_to_page(slot->pfn_and_dirty & ~DIRTY);
}

/* Stamps follow what was read, not where it is: the page may move. */
static uint32_t stamp_of(const struct lowmem_cache *cache, uint32_t place)
{
    return hash32(place + 1) ^ cache->owner.id;
}

static bool is_stamped(uint32_t place)
{
    return place % CACHE_STAMP_EVERY == 0;
}

static uint32_t slab_pages(const struct lowmem_cache *cache)
{
    struct slab_info info;

    kmem_cache_info(cache->heads, &info);
    return info.slabs << info.slab_order;
}

static void check_head(struct lowmem_cache *cache, const struct cache_head *head, uint32_t place)
{
    /* Blocks' numbers go round, four times as often as those of pages. */
    if (head->block - place * cache->heads_per_page >= cache->heads_per_page ||
        head->last != ~head->block)
        test_fail(cache->lab->t,
                  "head at physical 0x%llx, of page %u: block %u and 0x%08x at its end, %u to %u "
                  "and 0x%08x wanted",
                  addr_number(virt_to_phys(head)), place, head->block, head->last,
                  place * cache->heads_per_page,
                  place * cache->heads_per_page + cache->heads_per_page - 1, ~head->block);
}

static void check_stamp(struct lowmem_cache *cache, uint32_t place)
{
    struct page *page = slot_page(slot_at(cache, place));
    const char *window;
    uint32_t found;

    if (!is_stamped(place))
        return;
    window = kmap_local_page(page);
    found = *(const volatile uint32_t *)window;
    kunmap_local(window);
    TEST_CHECK(cache->lab->t, found == stamp_of(cache, place),
               "cached page %u at physical 0x%llx holds 0x%08x, 0x%08x wanted", place,
               addr_number(page_to_phys(page)), found, stamp_of(cache, place));
}

static void free_heads(struct lowmem_cache *cache, uint32_t place)
{
    struct cache_slot *slot = slot_at(cache, place);

    for (struct cache_head *next; slot->heads; slot->heads = next) {
        check_head(cache, slot->heads, place);
        next = slot->heads->next;
        kmem_cache_free(cache->heads, slot->heads);
        cache->nr_heads--;
    }
}

/* False if there is no memory for all of them. */
static bool add_heads(struct lowmem_cache *cache, uint32_t place)
{
    for (unsigned i = cache->heads_per_page; i > 0; i--) {
        struct cache_head *head = lab_kmem_alloc(cache->lab, cache->heads, GFP_KERNEL);

        if (!head) {
            lab_note_failure(cache->lab, GFP_KERNEL, 0);
            free_heads(cache, place);
            return false;
        }
        head->block = place * cache->heads_per_page + i - 1;
        head->size = PAGE_SIZE / cache->heads_per_page;
        head->last = ~head->block;
        head->next = slot_at(cache, place)->heads;
        slot_at(cache, place)->heads = head;
        cache->nr_heads++;
    }
    return true;
}

/* Its blocks go to the disk, which only the heads know. */
static void write_back(struct lowmem_cache *cache, uint32_t place)
{
    struct cache_slot *slot = slot_at(cache, place);
    unsigned heads = 0;

    if (!(slot->pfn_and_dirty & DIRTY))
        return;
    for (const struct cache_head *head = slot->heads; head; head = head->next, heads++)
        check_head(cache, head, place);
    TEST_CHECK(cache->lab->t, heads == cache->heads_per_page,
               "page %u is dirty, and has %u heads of %u to write it by", place, heads,
               cache->heads_per_page);
    slot->pfn_and_dirty &= ~DIRTY;
    cache->written++;
    /* The shrinker has been here, and had to let it be. */
    if ((int32_t)(cache->hand - place) > 0)
        free_heads(cache, place);
}

static void drop(struct lowmem_cache *cache, uint32_t place)
{
    write_back(cache, place);
    check_stamp(cache, place);
    if (inject(bufferheads_forget_heads, lowmem_bufferheads))
        slot_at(cache, place)->heads = NULL;
    free_heads(cache, place);
    lab_free(cache->lab, slot_page(slot_at(cache, place)), 0);
    cache->dropped++;
}

static void drop_oldest(struct lowmem_cache *cache)
{
    drop(cache, cache->oldest);
    cache->oldest++;
    if ((int32_t)(cache->hand - cache->oldest) < 0)
        cache->hand = cache->oldest;
}

/* The page is there, and has its heads: what was read is in it. */
static void fill(struct lowmem_cache *cache, uint32_t place)
{
    uint32_t *window;

    if (!is_stamped(place))
        return;
    window = kmap_local_page(slot_page(slot_at(cache, place)));
    *(volatile uint32_t *)window = stamp_of(cache, place);
    kunmap_local(window);
}

static bool is_cached(const struct lowmem_cache *cache, uint32_t place)
{
    return place - cache->oldest < lowmem_cache_pages(cache);
}

/* Somebody writes to a page: it needs its heads again, and is written back when its turn comes. */
static bool make_dirty(struct lowmem_cache *cache, uint32_t place)
{
    struct cache_slot *slot = slot_at(cache, place);
    uint32_t *queued = &cache->dirty[cache->nr_dirtied % CACHE_DIRTY_PAGES];

    if (slot->pfn_and_dirty & DIRTY)
        return true;
    if (!slot->heads && !add_heads(cache, place))
        return false;
    if (cache->nr_dirtied >= CACHE_DIRTY_PAGES && is_cached(cache, *queued))
        write_back(cache, *queued);
    slot->pfn_and_dirty |= DIRTY;
    *queued = place;
    cache->nr_dirtied++;
    return true;
}

enum lab_step lowmem_cache_read(struct lowmem_cache *cache)
{
    struct prng *prng = cache->lab->prng;
    uint32_t place = cache->next;
    struct cache_slot *slot = slot_at(cache, place);
    struct page *page;

    while (lowmem_cache_pages(cache) >= cache->most)
        drop_oldest(cache);
    page = lab_alloc(cache->lab, GFP_HIGHUSER_MOVABLE, 0, cache->owner.id,
                     place & (cache->nr_slots - 1));
    if (!page)
        return LAB_WEDGED;
    *slot = (struct cache_slot){.pfn_and_dirty = page_to_pfn(page)};
    if (!add_heads(cache, place)) {
        lab_free(cache->lab, slot_page(slot), 0);
        return LAB_WEDGED;
    }
    fill(cache, place);
    cache->next++;
    if (prng_below(prng, CACHE_DIRTY_ONE_IN))
        return LAB_GOES_ON;
    place = cache->oldest + prng_below(prng, lowmem_cache_pages(cache));
    return make_dirty(cache, place) ? LAB_GOES_ON : LAB_WEDGED;
}

static uint32_t count_objects(struct shrinker *shrinker, enum zone_type zone)
{
    struct lowmem_cache *cache = container_of(shrinker, struct lowmem_cache, shrinker);
    uint32_t pages = (cache->next - cache->hand) * cache->heads_per_page / HEADS_PER_SLAB_PAGE;

    return zone == ZONE_HIGHMEM ? pages + lowmem_cache_pages(cache) : pages;
}

/* The oldest heads first: they came together, so that their slabs become free together. */
static void strip(struct lowmem_cache *cache, uint32_t nr_heads)
{
    uint32_t target = cache->nr_heads > nr_heads ? cache->nr_heads - nr_heads : 0;

    for (; cache->nr_heads > target && cache->hand != cache->next; cache->hand++) {
        bool dirty = slot_at(cache, cache->hand)->pfn_and_dirty & DIRTY;

        if (!dirty || inject(bufferheads_strip_dirty, lowmem_bufferheads))
            free_heads(cache, cache->hand);
    }
}

static uint32_t shrink(struct lowmem_cache *cache, enum zone_type zone, uint32_t nr_to_scan)
{
    uint32_t before = slab_pages(cache), freed = 0, whole = 0;

    while (zone == ZONE_HIGHMEM && whole < nr_to_scan && lowmem_cache_pages(cache)) {
        drop_oldest(cache);
        whole++;
    }
    /* One head that stays keeps a page of 32: it takes more than one go. */
    for (unsigned go = 0; go < SCAN_GOES && freed + whole < nr_to_scan; go++) {
        strip(cache, (nr_to_scan - whole - freed) * HEADS_PER_SLAB_PAGE);
        kmem_cache_shrink(cache->heads);
        freed = before - slab_pages(cache);
    }
    if (inject(bufferheads_shrinker_lies, lowmem_bufferheads))
        freed += nr_to_scan;
    return freed + whole;
}

static uint32_t all_free(void)
{
    return nr_free_pages(ZONE_DMA) + nr_free_pages(ZONE_NORMAL) + nr_free_pages(ZONE_HIGHMEM);
}

static uint32_t scan_objects(struct shrinker *shrinker, enum zone_type zone, uint32_t nr_to_scan)
{
    struct lowmem_cache *cache = container_of(shrinker, struct lowmem_cache, shrinker);
    uint32_t before = all_free(), said = shrink(cache, zone, nr_to_scan);

    cache->freed += all_free() - before;
    cache->said += said;
    return said;
}

/* cppcheck-suppress constParameter ; a hook's type is the owner's */
static bool isolate(struct page_owner *owner, uint32_t index, struct page *page)
{
    const struct lowmem_cache *cache = container_of(owner, struct lowmem_cache, owner);

    return index < cache->nr_slots && slot_page(&cache->slot[index]) == page;
}

static void moved(struct page_owner *owner, uint32_t index, struct page *from, struct page *to)
{
    struct lowmem_cache *cache = container_of(owner, struct lowmem_cache, owner);
    struct cache_slot *slot = &cache->slot[index];

    (void)from;
    if (!inject(cache_keep_moved, lowmem_mixed))
        slot->pfn_and_dirty = page_to_pfn(to) | (slot->pfn_and_dirty & DIRTY);
}

/* The least that is not below `n`, which is not 0. */
static uint32_t power_of_two(uint32_t n)
{
    uint32_t power = 1;

    while (power < n)
        power *= 2;
    return power;
}

const char *lowmem_cache_open(struct lowmem_cache *cache, struct lab *lab, unsigned heads_per_page)
{
    uint64_t low = nr_free_pages(ZONE_DMA) + nr_free_pages(ZONE_NORMAL);
    uint32_t slots = MIN(nr_free_pages(ZONE_HIGHMEM), SLOTS_MAX);

    *cache = (struct lowmem_cache){
        .lab = lab,
        .owner = {.name = "page_cache", .letter = 'c', .isolate = isolate, .moved = moved},
        .shrinker = {.name = "page cache",
                     .count_objects = count_objects,
                     .scan_objects = scan_objects},
        .heads_per_page = heads_per_page,
        .oldest = FIRST_PLACE,
        .next = FIRST_PLACE,
        .hand = FIRST_PLACE,
    };
    slots = (uint32_t)MIN(slots, (LAB_HIGHMEM_OF_16_GIB + 1) * low);
    if (!slots)
        return "this machine has no highmem, where cached pages lie";
    /* Numbers of pages go round: only a power of two has each at one place then. */
    slots = power_of_two(slots);
    cache->slot = lab_table(lab, (uint64_t)slots * sizeof(*cache->slot));
    cache->heads = kmem_cache_create("heads", CACHE_HEAD_BYTES, CACHE_HEAD_BYTES, 0);
    if (!cache->slot || !cache->heads || page_owner_register(&cache->owner))
        return "there is no memory, or no number, for what keeps the page cache";
    cache->nr_slots = slots;
    if (lab_has(lab, LAB_RECLAIM)) {
        register_shrinker(&cache->shrinker);
        cache->shrinks = true;
    }
    return NULL;
}

void lowmem_cache_limit(struct lowmem_cache *cache, uint32_t most)
{
    cache->most = MIN(most, cache->nr_slots - 1);
}

void lowmem_cache_check(struct lowmem_cache *cache)
{
    struct slab_info info;
    uint32_t heads = 0, at = cache->oldest;

    for (; at != cache->next && !test_should_stop(cache->lab->t); at++) {
        for (const struct cache_head *head = slot_at(cache, at)->heads; head; head = head->next) {
            check_head(cache, head, at);
            heads++;
        }
        check_stamp(cache, at);
    }
    if (at != cache->next)
        return;
    kmem_cache_info(cache->heads, &info);
    TEST_CHECK(cache->lab->t, heads == cache->nr_heads && heads == info.in_use,
               "the cached pages have %u heads, %u are counted, and %u are out of their slabs",
               heads, cache->nr_heads, info.in_use);
    /* A page of slab descriptors may go with the slabs. */
    TEST_CHECK(cache->lab->t, cache->said <= cache->freed,
               "the shrinker said it freed %u pages, and it was %u", cache->said, cache->freed);
}

void lowmem_cache_close(struct lowmem_cache *cache)
{
    if (cache->shrinks)
        unregister_shrinker(&cache->shrinker);
    while (lowmem_cache_pages(cache))
        drop_oldest(cache);
    if (cache->heads)
        kmem_cache_destroy(cache->heads);
    page_owner_unregister(&cache->owner);
    *cache = (struct lowmem_cache){.lab = NULL};
}
