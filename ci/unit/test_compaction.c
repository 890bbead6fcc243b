/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Compaction over the real page allocator and a machine of descriptors. What a page holds is a
 * number in an array. Whenever preemption is about to go off, somebody else may take memory or give
 * some back: the worst time for it, and one that a machine rarely finds.
 */
#define PREEMPT_UNDER_TEST

#include "ci/unit/unit.h"
#include "lib/finding.h"
#include "lib/inject.h"
#include "paging/preempt.h"
#include "paging/shrinker.h"

static void somebody_comes(void);
#define preempt_disable() (somebody_comes(), preempt_disable())

#include "paging/compaction.c"

#define LOW_PFN 9001u
#define NR_PFN 20000u
#define ITEMS_MAX NR_PFN
#define NOTHING 0u

struct item {
    pfn_t pfn;
    unsigned order;
    uint32_t contents; /* of its page, if it is movable */
    bool is_movable, refuses, is_mapped, is_isolated;
};

static struct {
    struct page *map;
    uint32_t contents[NR_PFN];
    struct item items[ITEMS_MAX];
    uint32_t free_items[ITEMS_MAX]; /* numbers that nobody has */
    uint32_t nr_free_items;
    struct prng prng;
    struct cpu cpu;
    bool others_work;
    uint32_t moved, kept, refused;
    unsigned nr_findings, windows_forgotten, windows_held;
} m;

static bool isolate(struct page_owner *owner, uint32_t index, struct page *page);
static void moved(struct page_owner *owner, uint32_t index, struct page *from, struct page *to);
static void kept(struct page_owner *owner, uint32_t index, struct page *page);

static struct page_owner mover = {
    .name = "mover", .letter = 'm', .isolate = isolate, .moved = moved, .kept = kept};
static struct page_owner sitter = {.name = "sitter", .letter = 't'};

/* What the code under test calls */

void finding(const char *fmt, ...)
{
    m.nr_findings++;
}

void clear_highpages(struct page *first, unsigned nr_pages)
{
    fail();
}

void copy_highpage(struct page *to, struct page *from)
{
    assert_true(m.cpu.preempt_count > 0);
    assert_true(to->allocated && from->allocated && to != from);
    assert_int_equal(page_zonenum(to), page_zonenum(from));
    m.contents[page_to_pfn(to)] = m.contents[page_to_pfn(from)];
    m.contents[page_to_pfn(from)] = ~m.contents[page_to_pfn(from)];
}

unsigned kmap_local_depth(void)
{
    return m.windows_held;
}

bool kmap_forget(struct page *page)
{
    assert_true(PageHighMem(page) && page->kmap);
    if (m.items[page->index].is_mapped)
        return false;
    page->kmap = 0;
    m.windows_forgotten++;
    return true;
}

/* Without caches. */
uint32_t shrink_pages(enum zone_type zone, uint32_t nr_pages)
{
    return 0;
}

void shrink_reset(void)
{
}

static bool isolate(struct page_owner *owner, uint32_t index, struct page *page)
{
    struct item *item = &m.items[index];

    assert_ptr_equal(owner, &mover);
    assert_true(m.cpu.preempt_count > 0);
    assert_int_equal(item->pfn, page_to_pfn(page));
    assert_true(item->is_movable && !item->is_isolated);
    m.refused += item->refuses;
    item->is_isolated = !item->refuses;
    return !item->refuses;
}

static void moved(struct page_owner *owner, uint32_t index, struct page *from, struct page *to)
{
    struct item *item = &m.items[index];

    assert_ptr_equal(owner, &mover);
    assert_true(m.cpu.preempt_count > 0);
    assert_true(item->is_isolated && item->pfn == page_to_pfn(from));
    assert_true(to > from && !item->is_mapped);
    assert_int_equal(to->owner, mover.id);
    assert_int_equal(to->index, index);
    assert_int_equal(from->kmap, 0);
    item->pfn = page_to_pfn(to);
    item->is_isolated = false;
    m.moved++;
}

static void kept(struct page_owner *owner, uint32_t index, struct page *page)
{
    assert_int_equal(m.items[index].pfn, page_to_pfn(page));
    assert_true(m.items[index].is_isolated);
    m.items[index].is_isolated = false;
    m.kept++;
}

/* Memory in use */

static void take(gfp_t zone, unsigned order, bool is_movable)
{
    struct page *page =
        alloc_pages(zone | __GFP_THISZONE | (is_movable ? __GFP_MOVABLE : 0), order);
    struct item *item;
    uint32_t index;

    if (!page)
        return;
    index = m.free_items[--m.nr_free_items];
    item = &m.items[index];
    *item = (struct item){.pfn = page_to_pfn(page), .order = order};
    page_set_owner(page, is_movable ? mover.id : one_in(&m.prng, 2) ? sitter.id : 0, index);
    if (!is_movable)
        return;
    item->is_movable = true;
    item->contents = prng_u32(&m.prng);
    m.contents[item->pfn] = item->contents;
    if (PageHighMem(page) && one_in(&m.prng, 4)) {
        page->kmap = between(&m.prng, 1, LAST_PKMAP);
        item->is_mapped = one_in(&m.prng, 4);
    }
    item->refuses = one_in(&m.prng, 16);
}

static void give(uint32_t index)
{
    struct item *item = &m.items[index];

    if (item->is_movable)
        assert_int_equal(m.contents[item->pfn], item->contents);
    item->is_mapped = false;
    __free_pages(pfn_to_page(item->pfn), item->order);
    *item = (struct item){.pfn = NOTHING};
    m.free_items[m.nr_free_items++] = index;
}

static void somebody_works(void)
{
    uint32_t index = prng_below(&m.prng, ITEMS_MAX);

    if (m.items[index].pfn && !m.items[index].is_isolated && one_in(&m.prng, 2))
        give(index);
    else if (m.nr_free_items)
        take((gfp_t)prng_below(&m.prng, MAX_NR_ZONES),
             one_in(&m.prng, 8) ? prng_below(&m.prng, 6) : 0, !one_in(&m.prng, 4));
}

struct cpu *this_cpu(void)
{
    return &m.cpu;
}

static void somebody_comes(void)
{
    if (m.cpu.preempt_count || !m.others_work || !one_in(&m.prng, 3))
        return;
    m.others_work = false;
    for (uint32_t n = between(&m.prng, 1, 6); n > 0; n--)
        somebody_works();
    m.others_work = true;
}

/* Everything that must be so at any time. */
static void check(void)
{
    uint32_t used[MAX_NR_ZONES] = {0};
    pfn_t where;

    drain_all_pages();
    for (uint32_t i = 0; i < ITEMS_MAX; i++) {
        const struct item *item = &m.items[i];
        const struct page *page = m.map + item->pfn;

        if (item->pfn == NOTHING)
            continue;
        assert_true(page->allocated && !page->free && page->order == item->order);
        assert_false(item->is_isolated);
        used[page_zonenum(page)] += 1u << item->order;
        if (!item->is_movable)
            continue;
        assert_int_equal(page->owner, mover.id);
        assert_int_equal(page->index, i);
        assert_int_equal(m.contents[item->pfn], item->contents);
    }
    for (unsigned z = 0; z < MAX_NR_ZONES; z++) {
        const struct zone *zone = zone_get((enum zone_type)z);
        const char *wrong = zone_check(zone, &where);

        if (wrong)
            fail_msg("zone_check: %s at 0x%x", wrong, where);
        assert_int_equal(zone->free_pages + used[z], zone->present_pages);
    }
    assert_int_equal(m.cpu.preempt_count, 0);
    assert_int_equal(m.nr_findings, 0);
}

static bool has_block(enum zone_type zone, unsigned order)
{
    for (; order <= MAX_ORDER; order++)
        if (zone_get(zone)->free_area[order].nr_free)
            return true;
    return false;
}

static bool compact(enum zone_type zone, unsigned order, struct compact_result *r)
{
    uint32_t before_moved = m.moved, before_pinned = m.kept + m.refused;
    bool is_free = compact_zone(zone, order, r);

    assert_int_equal(r->moved, m.moved - before_moved);
    if (m.others_work)
        assert_true(r->pinned <= m.kept + m.refused - before_pinned);
    else
        assert_int_equal(r->pinned, m.kept + m.refused - before_pinned);
    assert_int_equal(is_free, has_block(zone, order));
    check();
    return is_free;
}

static int start_machine(void **state)
{
    memset(&m, 0, sizeof(m));
    m.map = calloc(1, page_map_bytes(NR_PFN));
    prng_seed(&m.prng, 1);
    page_alloc_init(m.map, NR_PFN, LOW_PFN);
    page_alloc_add_range(12345, NR_PFN);
    page_alloc_add_range(6000, 12340);
    page_alloc_add_range(256, 5000);
    for (uint32_t i = 0; i < ITEMS_MAX; i++)
        m.free_items[m.nr_free_items++] = i;
    assert_int_equal(page_owner_register(&mover), 0);
    assert_int_equal(page_owner_register(&sitter), 0);
    return 0;
}

static int stop_machine(void **state)
{
    m.others_work = false;
    for (uint32_t i = 0; i < ITEMS_MAX; i++)
        if (m.items[i].pfn)
            give(i);
    check();
    page_owner_unregister(&mover);
    page_owner_unregister(&sitter);
    free(m.map);
    return 0;
}

/* Takes a zone until nothing is left, then gives back one in `n` of the single pages. */
static void fill_and_give(enum zone_type zone, uint32_t unmovable_in, uint32_t n)
{
    while (nr_free_pages(zone))
        take((gfp_t)zone, 0, unmovable_in == 0 || !one_in(&m.prng, unmovable_in));
    for (uint32_t i = 0; n && i < ITEMS_MAX; i++)
        if (m.items[i].pfn && page_zonenum(m.map + m.items[i].pfn) == zone && one_in(&m.prng, n))
            give(i);
    drain_all_pages();
}

static void let_all_go(void)
{
    for (uint32_t i = 0; i < ITEMS_MAX; i++)
        m.items[i].is_mapped = m.items[i].refuses = false;
}

/* With nothing in the way, half of the memory is enough for any block. */
static void each_order(void **state)
{
    struct compact_result r;

    for (unsigned z = 0; z < MAX_NR_ZONES; z++) {
        enum zone_type zone = (enum zone_type)z;

        fill_and_give(zone, 0, 2);
        let_all_go();
        for (unsigned order = 1; order <= MAX_ORDER; order++) {
            bool had_block = has_block(zone, order);

            assert_true(compact(zone, order, &r));
            assert_true(r.moved <= 2u << order);
            if (had_block)
                assert_int_equal(r.moved, 0);
        }
    }
    assert_true(m.windows_forgotten > 0);
}

/* A pageblock that is free as a whole takes none in, though it lies above all that move. */
static void whole_pageblock(void **state)
{
    const pfn_t start = 18 * BIT(PAGEBLOCK_ORDER);
    struct compact_result r;

    fill_and_give(ZONE_HIGHMEM, 0, 3);
    let_all_go();
    for (uint32_t i = 0; i < ITEMS_MAX; i++)
        if (m.items[i].pfn && m.items[i].pfn - start < BIT(PAGEBLOCK_ORDER))
            give(i);
    drain_all_pages();
    compact(ZONE_HIGHMEM, NR_ORDERS, &r);
    assert_true(r.moved > 0);
    assert_true(m.map[start].free && m.map[start].order == PAGEBLOCK_ORDER);
}

/* All pages that can be are above all that are free. */
static void wholly(void **state)
{
    struct compact_result r;
    pfn_t lowest = NR_PFN, pfn;

    fill_and_give(ZONE_HIGHMEM, 0, 2);
    let_all_go();
    compact(ZONE_HIGHMEM, NR_ORDERS, &r);
    assert_true(r.moved > 0 && r.pinned == 0);
    for (uint32_t i = 0; i < ITEMS_MAX; i++)
        if (m.items[i].pfn)
            lowest = MIN(lowest, m.items[i].pfn);
    for (pfn = lowest; pfn < NR_PFN; pfn++)
        assert_int_equal(m.map[pfn].free, 0);
    /* There is no more to do, also for who asks for more than there is. */
    compact(ZONE_HIGHMEM, NR_ORDERS, &r);
    assert_int_equal(r.moved, 0);
    compact(ZONE_HIGHMEM, UINT32_MAX, &r);
    assert_int_equal(r.moved, 0);
}

static void nothing_free(void **state)
{
    struct compact_result r;

    fill_and_give(ZONE_NORMAL, 4, 0);
    for (unsigned order = 0; order <= NR_ORDERS; order++) {
        assert_false(compact(ZONE_NORMAL, order, &r));
        assert_int_equal(r.moved, 0);
    }
}

static void all_pinned(void **state)
{
    struct compact_result r;

    fill_and_give(ZONE_HIGHMEM, 0, 4);
    for (uint32_t i = 0; i < ITEMS_MAX; i++) {
        struct item *item = &m.items[i];

        if (item->pfn && page_zonenum(m.map + item->pfn) == ZONE_HIGHMEM)
            item->refuses = !(item->is_mapped = m.map[item->pfn].kmap != 0);
    }
    assert_false(compact(ZONE_HIGHMEM, 6, &r));
    assert_true(r.moved == 0 && r.pinned > 0);
    compact(ZONE_HIGHMEM, NR_ORDERS, &r);
    assert_true(r.moved == 0 && r.pinned > 0);
    assert_true(m.kept > 0 && m.refused > 0);
}

/* Who has but one window left can copy no highmem page. */
static void no_windows(void **state)
{
    struct compact_result r;

    for (unsigned z = ZONE_NORMAL; z < MAX_NR_ZONES; z++) {
        fill_and_give((enum zone_type)z, 0, 2);
        let_all_go();
        m.windows_held = KMAP_LOCAL_DEPTH - 1;
        compact((enum zone_type)z, NR_ORDERS, &r);
        assert_int_equal(r.moved > 0, z != ZONE_HIGHMEM);
        assert_int_equal(r.pinned > 0, z == ZONE_HIGHMEM);
    }
    m.windows_held--;
    compact(ZONE_HIGHMEM, NR_ORDERS, &r);
    assert_true(r.moved > 0 && r.pinned == 0);
}

/* Without pageblocks of a kind, all is moved all the same. */
static void without_mobility(void **state)
{
    page_alloc_tune(&page_alloc_plain);
    wholly(state);
}

/* A block with a page in it that can't be moved is left alone. */
static void no_pains_for_nothing(void **state)
{
    const struct zone *zone = zone_get(ZONE_HIGHMEM);
    struct compact_result r;

    fill_and_give(ZONE_HIGHMEM, 0, 0);
    for (uint32_t i = 0; i < ITEMS_MAX; i++) {
        struct item *item = &m.items[i];

        if (item->pfn < zone->start_pfn)
            continue;
        /* The sixth page of every eight is somebody else's. */
        if (item->pfn % 8 == 5) {
            page_set_owner(m.map + item->pfn, sitter.id, i);
            item->is_movable = false;
        } else if (item->pfn % 2) {
            give(i);
        }
    }
    let_all_go();
    drain_all_pages();
    assert_true(zone->free_pages > 64);
    assert_false(compact(ZONE_HIGHMEM, 3, &r));
    assert_int_equal(r.moved, 0);
}

/* Gives back each page whose frame is in the pageblock, and is or is not a multiple of 4. */
static void give_in(pfn_t pageblock, bool fourths, bool others)
{
    for (uint32_t i = 0; i < ITEMS_MAX; i++)
        if (m.items[i].pfn - pageblock < PAGEBLOCK_PAGES && (m.items[i].pfn % 4 ? others : fourths))
            give(i);
    drain_all_pages();
}

/* Movable pages go among those that can't be moved only if nothing else makes a block. */
static void last_resort(void **state)
{
    const pfn_t low = 14336, middle = 16384, high = 18432;

    for (unsigned has_other_place = 0; has_other_place <= 1; has_other_place++) {
        struct compact_result r;

        fill_and_give(ZONE_HIGHMEM, 0, 0);
        let_all_go();
        give_in(high, true, true);
        take(ZONE_HIGHMEM, PAGEBLOCK_ORDER - 1, false);
        assert_int_equal(get_pageblock_migratetype(m.map + high), MIGRATE_UNMOVABLE);
        give_in(low, false, true);
        if (has_other_place)
            give_in(middle, true, false);
        assert_true(compact(ZONE_HIGHMEM, MAX_ORDER, &r));
        assert_int_equal(r.moved, PAGEBLOCK_PAGES);
        assert_int_equal(m.map[high + PAGEBLOCK_PAGES / 2].free &&
                             m.map[high + PAGEBLOCK_PAGES / 2].order == MAX_ORDER - 1,
                         has_other_place);
        for (uint32_t i = 0; i < ITEMS_MAX; i++)
            if (m.items[i].pfn)
                give(i);
        drain_all_pages();
    }
}

/* A zone without a page, one of a single page, and one that begins in the middle of a block. */
static void odd_zones(void **state)
{
    struct page *map = calloc(1, page_map_bytes(5000));
    struct compact_result r;

    page_alloc_init(map, 5000, 4999);
    page_alloc_add_range(4097, 5000);
    assert_true(compact_zone(ZONE_HIGHMEM, 0, &r));
    assert_false(compact_zone(ZONE_HIGHMEM, 1, &r));
    assert_false(compact_zone(ZONE_DMA, 0, &r));
    assert_false(compact_zone(ZONE_DMA, NR_ORDERS, NULL));
    assert_true(compact_zone(ZONE_NORMAL, 3, NULL));
    page_alloc_init(map, 100, 100);
    assert_false(compact_zone(ZONE_NORMAL, 0, &r));
    assert_false(compact_zone(ZONE_HIGHMEM, NR_ORDERS, &r));
    assert_int_equal(r.scanned, 0);
    free(map);
}

static void random_work(bool others_work)
{
    struct compact_result r;
    uint32_t succeeded = 0;

    for (unsigned round = 0; round < 150; round++) {
        enum zone_type zone = (enum zone_type)prng_below(&m.prng, MAX_NR_ZONES);

        for (uint32_t n = prng_below(&m.prng, 6000); n > 0; n--)
            somebody_works();
        if (one_in(&m.prng, 8))
            fill_and_give(zone, between(&m.prng, 50, 3000), between(&m.prng, 2, 9));
        if (one_in(&m.prng, 4))
            let_all_go();
        m.others_work = others_work;
        succeeded += compact(zone, prng_below(&m.prng, NR_ORDERS + 1), &r);
        m.others_work = false;
    }
    assert_true(m.moved > 1000 && m.kept > 0 && m.refused > 0 && succeeded > 0);
}

static void alone(void **state)
{
    random_work(false);
}

static void among_others(void **state)
{
    random_work(true);
}

int main(void)
{
#define ON_MACHINE(test) cmocka_unit_test_setup_teardown(test, start_machine, stop_machine)
    const struct CMUnitTest tests[] = {
        ON_MACHINE(each_order),
        ON_MACHINE(wholly),
        ON_MACHINE(whole_pageblock),
        ON_MACHINE(nothing_free),
        ON_MACHINE(all_pinned),
        ON_MACHINE(no_windows),
        ON_MACHINE(without_mobility),
        ON_MACHINE(no_pains_for_nothing),
        ON_MACHINE(last_resort),
        cmocka_unit_test(odd_zones),
        ON_MACHINE(alone),
        ON_MACHINE(among_others),
    };

    return cmocka_run_group_tests_name("compaction", tests, NULL, NULL);
}
