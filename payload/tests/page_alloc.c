/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * page_alloc: what paging/page_alloc.h promises beyond free lists that merge (lowmem_frag has
 * these): per-CPU lists that hide nothing, watermarks and reserves that hold to the page, pages
 * grouped by mobility, misuse found out.
 *
 * Most of it is tried on ZONE_DMA, whose 16 MiB are used up in no time. Pages that a case holds are
 * chained through their own first words, so that nothing else is allocated on the way.
 *
 * Why it can break: nothing here depends on the machine, so a break is a mistake of the allocator.
 */
#include "lib/string.h"
#include "paging/kmap.h"
#include "paging/page_alloc.h"
#include "paging/slab.h"
#include "payload/suite.h"

#define GFP_DMA_ONLY (GFP_DMA | __GFP_THISZONE)
#define GFP_NORMAL_ONLY (GFP_NOWAIT | __GFP_THISZONE)
#define MIN_FREE_KBYTES 65536u /* or a quarter of lowmem, if that is less */
#define RUN_PAGES 512u         /* more than the lists have room for */
#define BIG_BLOCKS 8u          /* of BIG_ORDER: what nobody's pageblocks have room for besides */
#define BIG_ORDER 9u
#define MIXED_PAGES 2048u
#define OBJECT_BYTES 64u

static struct page *held;

static struct page *take(gfp_t gfp, unsigned order)
{
    struct page *page = alloc_pages(gfp, order);

    if (!page)
        return NULL;
    *(struct page **)lowmem_page_address(page) = held;
    held = page;
    return page;
}

static uint32_t take_all(gfp_t gfp, unsigned order)
{
    uint32_t blocks = 0;

    while (take(gfp, order))
        blocks++;
    return blocks;
}

static void give_one(void)
{
    struct page *page = held;

    held = *(struct page **)lowmem_page_address(page);
    __free_pages(page, page->order);
}

static void give_all(void)
{
    while (held)
        give_one();
}

static struct buddy_counts before[MAX_NR_ZONES];

static void begin(const struct page_alloc_tuning *tuning)
{
    page_alloc_tune(tuning);
    for (unsigned z = 0; z < MAX_NR_ZONES; z++)
        zone_buddy_counts(zone_get((enum zone_type)z), &before[z]);
    page_alloc_clear_events();
}

static void check_all_lists(struct test *t)
{
    pfn_t where = 0;
    const char *wrong = page_lists_check(&where);

    TEST_CHECK(t, !wrong, "%s, frame 0x%x", wrong, where);
    for (unsigned z = 0; z < MAX_NR_ZONES; z++) {
        wrong = zone_check(zone_get((enum zone_type)z), &where);
        TEST_CHECK(t, !wrong, "zone %s: %s, frame 0x%x", zone_get((enum zone_type)z)->name, wrong,
                   where);
    }
}

/* All is given back, and lies in blocks as large as before. */
static void end(struct test *t)
{
    give_all();
    check_all_lists(t);
    drain_all_pages();
    check_all_lists(t);
    for (unsigned z = 0; z < MAX_NR_ZONES; z++) {
        struct buddy_counts now;

        zone_buddy_counts(zone_get((enum zone_type)z), &now);
        for (unsigned order = 0; order < NR_ORDERS; order++)
            TEST_CHECK(t, now.nr_free[order] == before[z].nr_free[order],
                       "zone %s: %u blocks of order %u, %u before",
                       zone_get((enum zone_type)z)->name, now.nr_free[order], order,
                       before[z].nr_free[order]);
    }
    page_alloc_tune(&page_alloc_default);
}

static void abandon(void)
{
    give_all();
    page_alloc_tune(&page_alloc_default);
}

/* One page taken is one page less, wherever the others of its block went. */
static void check_one_page(struct test *t)
{
    const struct zone *zone = zone_get(ZONE_DMA);
    uint32_t all = nr_free_pages(ZONE_DMA), listed;

    if (!TEST_CHECK(t, take(GFP_DMA_ONLY, 0) != NULL, "no page of %u", all))
        return;
    listed = nr_free_pages(ZONE_DMA) - zone->free_pages;
    TEST_CHECK(t, nr_free_pages(ZONE_DMA) == all - 1, "%u pages free, %u less one wanted",
               nr_free_pages(ZONE_DMA), all);
    TEST_CHECK(t, (listed > 0) == page_alloc_tuning()->pcp, "%u pages on per-CPU lists", listed);
    give_one();
    TEST_CHECK(t, nr_free_pages(ZONE_DMA) == all, "%u pages free, %u wanted",
               nr_free_pages(ZONE_DMA), all);
}

/* What lies on lists of other orders and kinds is had as well before an allocation fails. */
static void check_nothing_hidden(struct test *t)
{
    uint32_t all, got;

    for (unsigned order = 0; order < 4; order++)
        if (take(GFP_DMA_ONLY | __GFP_RECLAIMABLE, order))
            give_one();
    all = nr_free_pages(ZONE_DMA);
    got = take_all(GFP_DMA_ONLY, 0);
    TEST_CHECK(t, got == all, "%u pages to be had of %u", got, all);
    TEST_CHECK(t, nr_free_pages(ZONE_DMA) == 0, "%u pages free, none to be had",
               nr_free_pages(ZONE_DMA));
    TEST_CHECK(t, page_alloc_events()->failed[0] == 1, "%u failures counted, 1 wanted",
               page_alloc_events()->failed[0]);
    check_all_lists(t);
    give_all();
}

static void case_lists(struct test *t)
{
    begin(&page_alloc_default);
    check_one_page(t);
    check_nothing_hidden(t);
    for (unsigned order = 0; order < 4; order++) {
        for (unsigned i = 0; i < RUN_PAGES; i++)
            take(GFP_DMA_ONLY, order);
        check_all_lists(t);
        give_all();
        check_all_lists(t);
    }
    end(t);
    begin(&page_alloc_plain);
    check_one_page(t);
    check_nothing_hidden(t);
    end(t);
}

static const struct page_alloc_tuning *with_watermarks(uint32_t min_free_kbytes)
{
    static struct page_alloc_tuning tuning;

    tuning = page_alloc_default;
    tuning.watermarks = true;
    tuning.min_free_kbytes = min_free_kbytes;
    return &tuning;
}

static void check_left(struct test *t, uint32_t wanted, const char *who)
{
    TEST_CHECK(t, nr_free_pages(ZONE_DMA) == wanted, "%s left %u pages, %u wanted", who,
               nr_free_pages(ZONE_DMA), wanted);
}

static uint32_t min_free_kbytes(void)
{
    uint32_t pages = zone_get(ZONE_DMA)->present_pages + zone_get(ZONE_NORMAL)->present_pages;

    return MIN(MIN_FREE_KBYTES, pages * (PAGE_SIZE / 1024) / 4);
}

static void case_watermarks(struct test *t)
{
    const struct zone *zone = zone_get(ZONE_DMA);
    uint32_t min;

    begin(with_watermarks(min_free_kbytes()));
    min = zone->watermark[WMARK_MIN];
    if (min < 2 || nr_free_pages(ZONE_DMA) < zone->watermark[WMARK_HIGH]) {
        test_skip(t, "%u pages free in ZONE_DMA, WMARK_MIN is %u", nr_free_pages(ZONE_DMA), min);
        end(t);
        return;
    }
    take_all(GFP_DMA_ONLY, 0);
    check_left(t, min, "one that can wait");
    for (unsigned mark = 0; mark < NR_WMARK; mark++)
        TEST_CHECK(t, page_alloc_events()->below[ZONE_DMA][mark] > 0 || mark == WMARK_MIN,
                   "falling below watermark %u was not counted", mark);
    take_all(GFP_DMA_ONLY | __GFP_HIGH, 0);
    check_left(t, min - min / 2, "one that can't");
    TEST_CHECK(t, page_alloc_events()->below[ZONE_DMA][WMARK_MIN] == 1,
               "%u falls below WMARK_MIN were counted",
               page_alloc_events()->below[ZONE_DMA][WMARK_MIN]);
    TEST_CHECK(t, page_alloc_events()->failed[0] == 2, "%u failures counted, 2 wanted",
               page_alloc_events()->failed[0]);
    end(t);
}

static void case_reserve(struct test *t)
{
    const struct zone *zone = zone_get(ZONE_DMA);
    uint32_t kept, all, got;

    begin(with_watermarks(0));
    kept = zone->watermark[WMARK_MIN] + zone->lowmem_reserve[ZONE_NORMAL];
    if (zone->lowmem_reserve[ZONE_NORMAL] == 0 || nr_free_pages(ZONE_DMA) <= kept) {
        test_skip(t, "%u pages free in ZONE_DMA, %u are kept from ZONE_NORMAL",
                  nr_free_pages(ZONE_DMA), kept);
        end(t);
        return;
    }
    for (unsigned order = NR_ORDERS; order-- > 0;)
        take_all(GFP_NORMAL_ONLY, order);
    all = nr_free_pages(ZONE_DMA);
    got = take_all(GFP_NOWAIT, 0);
    check_left(t, kept, "ZONE_NORMAL");
    TEST_CHECK(t, got == all - kept && page_alloc_events()->fell_back[ZONE_DMA] == got,
               "%u pages of %u had, %u counted", got, all,
               page_alloc_events()->fell_back[ZONE_DMA]);
    /* Pages of a per-CPU list are kept no less. */
    if (take(GFP_DMA_ONLY, 0))
        give_one();
    got = take_all(GFP_NOWAIT, 0);
    TEST_CHECK(t, got == 0, "%u pages had from the lists of ZONE_DMA", got);
    take_all(GFP_DMA_ONLY, 0);
    check_left(t, zone->watermark[WMARK_MIN], "ZONE_DMA");
    end(t);
}

static unsigned type_of(const struct page *page)
{
    return get_pageblock_migratetype(page);
}

/* Pages of all types in turn: each in pageblocks of its own. */
static void check_grouped(struct test *t, bool mobility)
{
    static const gfp_t flags[MIGRATE_TYPES] = {
        [MIGRATE_MOVABLE] = __GFP_MOVABLE,
        [MIGRATE_RECLAIMABLE] = __GFP_RECLAIMABLE,
    };
    uint32_t astray = 0, taken = 0;

    for (unsigned i = 0; i < MIXED_PAGES; i++) {
        unsigned type = i % MIGRATE_TYPES;
        struct page *page = take(GFP_NORMAL_ONLY | flags[type], 0);

        if (!page)
            break;
        taken++;
        astray += type_of(page) != (mobility ? type : MIGRATE_UNMOVABLE);
    }
    TEST_CHECK(t, taken == MIXED_PAGES, "only %u pages of %u", taken, MIXED_PAGES);
    TEST_CHECK(t, astray == 0, "%u pages of %u are in pageblocks of another type", astray, taken);
}

static void case_mobility(struct test *t)
{
    if (zone_get(ZONE_NORMAL)->free_area[MAX_ORDER].nr_free < BIG_BLOCKS) {
        test_skip(t, "fewer than %u free pageblocks in ZONE_NORMAL", BIG_BLOCKS);
        return;
    }
    begin(&page_alloc_default);
    for (unsigned i = 0; i < BIG_BLOCKS; i++) {
        struct page *page = take(GFP_NORMAL_ONLY, BIG_ORDER);

        TEST_CHECK(t, page && type_of(page) == MIGRATE_UNMOVABLE,
                   "an unmovable block of order %u is in a pageblock of type %u", BIG_ORDER,
                   page ? type_of(page) : MIGRATE_TYPES);
        check_all_lists(t);
    }
    TEST_CHECK(t,
               page_alloc_events()->pageblocks_stolen >= 1 &&
                   page_alloc_events()->stolen[MIGRATE_MOVABLE] >= 1,
               "%u pageblocks taken over, %u blocks of the movable ones",
               page_alloc_events()->pageblocks_stolen,
               page_alloc_events()->stolen[MIGRATE_MOVABLE]);
    check_grouped(t, true);
    end(t);
    begin(&page_alloc_plain);
    check_grouped(t, false);
    end(t);
}

static bool is_used(pfn_t start)
{
    for (pfn_t pfn = start; pfn < MIN(start + BIT(PAGEBLOCK_ORDER), max_pfn);) {
        const struct page *page = pfn_to_page(pfn);

        if (page->allocated)
            return true;
        pfn += page->free ? BIT(page->order) : 1;
    }
    return false;
}

/* Also those with holes, as the first one of a PC is: no block ever spans them. */
static void case_settle(struct test *t)
{
    uint32_t stuck = 0;

    begin(&page_alloc_plain);
    drain_all_pages();
    TEST_CHECK(t, get_pageblock_migratetype(pfn_to_page(0)) == MIGRATE_UNMOVABLE,
               "without mobility the first pageblock has type %u", type_of(pfn_to_page(0)));
    page_alloc_tune(&page_alloc_default);
    for (pfn_t pfn = 0; pfn < max_pfn; pfn += BIT(PAGEBLOCK_ORDER)) {
        if (!is_used(pfn))
            stuck += get_pageblock_migratetype(pfn_to_page(pfn)) != MIGRATE_MOVABLE;
    }
    TEST_CHECK(t, stuck == 0, "%u pageblocks that nobody uses are not movable", stuck);
    end(t);
}

static void expect_finding(struct test *t, struct page *page, unsigned order, const char *what)
{
    test_findings_begin(t);
    __free_pages(page, order);
    test_findings_end(t, 1, what);
}

static void case_misuse(struct test *t)
{
    struct page *page, *high = alloc_pages(GFP_HIGHUSER | __GFP_THISZONE, 0);
    void *object = kmalloc(OBJECT_BYTES, GFP_KERNEL);

    begin(&page_alloc_default);
    page = take(GFP_DMA_ONLY, 1);
    if (page) {
        expect_finding(t, page, 0, "a block freed with another order");
        expect_finding(t, page + 1, 0, "the second page of a block freed");
        test_findings_begin(t);
        free_pages((const char *)lowmem_page_address(page) + OBJECT_BYTES, 1);
        test_findings_end(t, 1, "an address inside of a page freed");
        give_one();
        expect_finding(t, page, 1, "a block freed twice");
        expect_finding(t, page, 0, "a free block freed with another order");
    }
    if (object)
        expect_finding(t, virt_to_page(object), virt_to_page(object)->order, "a slab's page freed");
    expect_finding(t, pfn_to_page(max_pfn), 0, "a page without a descriptor freed");
    TEST_CHECK(t, !alloc_pages(GFP_KERNEL | __GFP_MOBILITY_MASK, 0), "a page of both types");
    TEST_CHECK(t, !alloc_pages(MAX_NR_ZONES, 0), "a page of zone %u", MAX_NR_ZONES);
    if (high) {
        __free_page(high);
        test_findings_begin(t);
        TEST_CHECK(t, !kmap(high), "a page of a per-CPU list can be mapped");
        test_findings_end(t, 1, "kmap() of a page of a per-CPU list");
        drain_all_pages();
        zone_buddy_counts(zone_get(ZONE_HIGHMEM), &before[ZONE_HIGHMEM]);
    }
    end(t);
    kfree(object);
}

static const struct test_case cases[] = {
    {"lists", case_lists},       {"watermarks", case_watermarks}, {"reserve", case_reserve},
    {"mobility", case_mobility}, {"settle", case_settle},         {"misuse", case_misuse},
};

SUITE(page_alloc) = {
    .name = "page_alloc",
    .about = "per-CPU lists, watermarks, pages grouped by mobility",
    .rank = SUITE_RANK_STRESS,
    .cases = cases,
    .nr_cases = ARRAY_SIZE(cases),
    .abandon = abandon,
};
