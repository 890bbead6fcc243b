/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * compaction: free memory that is in pieces becomes one piece, and nobody's page is lost.
 *
 * A zone, made small by ballast, is filled with the pages of an owner that can find them again
 * after they were moved, and some of them are freed here and there. Then large blocks can't be had
 * although the memory is there; after compaction they can, and every page, wherever it is now,
 * holds what its owner wrote into it. Pages that are in use must be where they were.
 *
 * Why it can break: a page is moved by a copy through windows, a change of the free lists, and a
 * word to the owner, and each of the three must be about the same two pages. A break shows as the
 * page whose contents are another's, as an owner's page that is free, or as free lists that are
 * not what they were before.
 */
#include "paging/compaction.h"
#include "paging/kmap.h"
#include "paging/kmap_local.h"
#include "payload/tests/small_zone.h"
#include "payload/tests/zone_state.h"

#define SMALL_ORDER MOVABLE_SPREAD_ORDER
#define WINDOWS_MAX 64u
#define PAGEBLOCK_PAGES (1u << PAGEBLOCK_ORDER)
#define UNMOVABLE_ORDER (PAGEBLOCK_ORDER - 1)

static bool can_be_had(enum zone_type zone, unsigned order)
{
    struct page *page = alloc_pages((gfp_t)zone | __GFP_THISZONE | __GFP_MOVABLE, order);

    if (page)
        __free_pages(page, order);
    drain_all_pages();
    return page != NULL;
}

/*
 * The largest block that compaction can make after movable_spread(), which leaves nine pages of 16
 * in use: these must have room in what is free elsewhere.
 */
static unsigned largest_order(void)
{
    return small_zone_blocks() > 2 ? MAX_ORDER : MAX_ORDER - 1;
}

/* Compacts, and checks that the result is the owner's as well. */
static bool compact(struct test *t, unsigned order, struct compact_result *r)
{
    uint32_t moved = movable.moved, pinned = movable.refused + movable.kept;
    bool is_free = compact_zone(movable.zone, order, r);

    moved = movable.moved - moved;
    pinned = movable.refused + movable.kept - pinned;
    TEST_CHECK(t, r->moved == moved && r->pinned == pinned,
               "%u pages moved, %u pinned; the owner knows of %u and %u", r->moved, r->pinned,
               moved, pinned);
    zone_state_check_lists(t);
    movable_check(t);
    return is_free;
}

/* No block of the order is free; then there is one, without all being moved. */
static void compact_for(struct test *t, unsigned order)
{
    const struct zone *zone = zone_get(movable.zone);
    struct compact_result r;
    uint32_t were_free = zone->free_pages;
    bool is_free;

    TEST_CHECK(t, !can_be_had(movable.zone, order), "a block of order %u is free before compaction",
               order);
    is_free = compact(t, order, &r);
    test_log(t, "order %u: %u pages free; %u looked at, %u moved", order, were_free, r.scanned,
             r.moved);
    TEST_CHECK(t, is_free, "compaction found no way to a block of order %u, of %u free pages",
               order, were_free);
    TEST_CHECK(t, is_free == can_be_had(movable.zone, order),
               "compaction said %d, but the block of order %u can%s be had", is_free, order,
               is_free ? "'t" : "");
    TEST_CHECK(t, r.moved > 0 && r.moved <= 2 * BIT(order),
               "%u pages moved for a block of order %u", r.moved, order);
    TEST_CHECK(t, zone->free_pages == were_free, "%u pages free, %u before", zone->free_pages,
               were_free);
}

/* Lowest frame of the owner's pages. */
static pfn_t lowest_movable(void)
{
    pfn_t lowest = max_pfn;

    for (uint32_t i = 0; i < movable.count; i++)
        if (movable.entry[i].page)
            lowest = MIN(lowest, page_to_pfn(movable.entry[i].page));
    return lowest;
}

/* Free pages above a frame, where the free scanner should have used them all: where pages are that
 * can be moved, and only some are free. */
static uint32_t free_above(pfn_t pfn)
{
    uint32_t pages = 0;
    bool all = !page_alloc_tuning()->mobility;

    for (; pfn < zone_get(movable.zone)->end_pfn; pfn++)
        if (pfn_to_page(pfn)->free && pfn_to_page(pfn)->order < PAGEBLOCK_ORDER &&
            (all || get_pageblock_migratetype(pfn_to_page(pfn)) == MIGRATE_MOVABLE))
            pages += BIT(pfn_to_page(pfn)->order);
    return pages;
}

static void compact_wholly(struct test *t)
{
    struct compact_result r;
    uint32_t above;

    compact(t, NR_ORDERS, &r);
    TEST_CHECK(t, r.moved > 0, "no page moved, of %u", movable.count);
    test_log(t, "wholly: %u pages looked at, %u moved; unusable for order %u: %u permille",
             r.scanned, r.moved, MAX_ORDER, zone_unusable_index(zone_get(movable.zone), MAX_ORDER));
    above = free_above(lowest_movable());
    TEST_CHECK(t, above == 0, "%u pages above the lowest movable one are free", above);
    compact(t, NR_ORDERS, &r);
    TEST_CHECK(t, r.moved == 0, "%u pages moved where all had been already", r.moved);
}

static void compact_in_steps(struct test *t, enum zone_type zone,
                             const struct page_alloc_tuning *tuning)
{
    if (small_zone_open(t, zone, tuning)) {
        movable_spread(test_prng(t));
        compact_for(t, SMALL_ORDER);
        compact_for(t, largest_order());
        compact_wholly(t);
        test_metric(t, "pages_moved", movable.moved, "pages");
    }
    small_zone_close(t);
}

static void case_normal(struct test *t)
{
    compact_in_steps(t, ZONE_NORMAL, &page_alloc_default);
}

static void case_highmem(struct test *t)
{
    compact_in_steps(t, ZONE_HIGHMEM, &page_alloc_default);
}

/* Without pageblocks of a kind, and without per-CPU lists. */
static void case_plain(struct test *t)
{
    compact_in_steps(t, small_zone_best(), &page_alloc_plain);
}

static struct window {
    uint32_t index;
    struct page *page;
    const void *addr;
} windows[WINDOWS_MAX];

static void check_window(struct test *t, const struct window *w)
{
    unsigned word;

    TEST_CHECK(t, movable.entry[w->index].page == w->page,
               "page %u moved from physical 0x%llx, though it is mapped or refuses", w->index,
               addr_number(page_to_phys(w->page)));
    TEST_CHECK(t, !w->addr || movable_holds(w->addr, w->index, &word),
               "the window of page %u, physical 0x%llx, shows other words from %u on", w->index,
               addr_number(page_to_phys(w->page)), word);
}

/*
 * Some pages are looked at through windows, some are not to be had from their owner. They lie all
 * over the zone: the upper ones are where pages go to, and nobody asks for them.
 */
static void case_pinned(struct test *t)
{
    struct compact_result r;
    unsigned count = 0;
    uint32_t stride;

    if (small_zone_open(t, small_zone_best(), &page_alloc_default)) {
        movable_spread(test_prng(t));
        stride = MAX(movable.count / (2 * WINDOWS_MAX), 1u);
        for (uint32_t i = prng_below(test_prng(t), stride); i < movable.count; i += stride) {
            struct movable *m = &movable.entry[i];

            if (!m->page || count == WINDOWS_MAX)
                continue;
            m->refuses = movable.zone != ZONE_HIGHMEM || prng_u32(test_prng(t)) & 1;
            windows[count++] = (struct window){i, m->page, m->refuses ? NULL : kmap(m->page)};
        }
        compact(t, NR_ORDERS, &r);
        test_log(t, "%u pages pinned, %u of them met, %u others moved", count, r.pinned, r.moved);
        TEST_CHECK(t, r.moved > 0 && r.pinned > 0 && r.pinned <= count,
                   "%u pages moved, %u pinned of %u", r.moved, r.pinned, count);
        for (unsigned i = 0; i < count; i++)
            check_window(t, &windows[i]);
        while (count) {
            const struct window *w = &windows[--count];

            if (w->addr)
                kunmap(w->page);
            movable.entry[w->index].refuses = false;
        }
        compact_wholly(t);
    }
    small_zone_close(t);
}

static bool is_own(const struct page *page)
{
    return !page->free && page->allocated && page->owner == movable.owner.id;
}

/* Windows that nobody uses any more: the last ones to the lowest pages, which will move. */
static void leave_windows(void)
{
    for (pfn_t pfn = zone_get(movable.zone)->end_pfn; pfn-- > zone_get(movable.zone)->start_pfn;) {
        struct page *page = pfn_to_page(pfn);

        if (is_own(page)) {
            kmap(page);
            kunmap(page);
        }
    }
}

/*
 * Entries that have no page get those that were left behind, down to the last one, and look at the
 * lowest, which had windows before. Returns at how many.
 */
static unsigned use_pages_left(void)
{
    pfn_t pfn = zone_get(movable.zone)->start_pfn;
    unsigned count = 0;

    for (uint32_t i = 0; i < movable.count; i++)
        if (!movable.entry[i].page)
            movable_take(i);
    for (; pfn < zone_get(movable.zone)->end_pfn && count < WINDOWS_MAX; pfn++) {
        struct page *page = pfn_to_page(pfn);

        if (is_own(page))
            windows[count++] = (struct window){page->index, page, kmap(page)};
    }
    return count;
}

/* A page goes, and its window stays behind until the next flush: then that must hit nobody. */
static void case_stale_windows(struct test *t)
{
    struct compact_result r;
    unsigned count, word;

    if (small_zone_open(t, ZONE_HIGHMEM, &page_alloc_default)) {
        movable_spread(test_prng(t));
        leave_windows();
        TEST_CHECK(t, pfn_to_page(lowest_movable())->kmap, "the lowest page has no window to lose");
        compact(t, NR_ORDERS, &r);
        count = use_pages_left();
        /* All windows that are not in use go. */
        for (uint32_t i = 0; i < movable.count; i++) {
            struct page *page = movable.entry[i].page;

            if (!page)
                continue;
            TEST_CHECK(t, movable_holds(kmap(page), i, &word),
                       "the window of page %u, physical 0x%llx, shows other words from %u on", i,
                       addr_number(page_to_phys(page)), word);
            kunmap(page);
        }
        zone_state_check_lists(t);
        while (count) {
            check_window(t, &windows[--count]);
            kunmap(windows[count].page);
        }
    }
    small_zone_close(t);
}

/* What there is nothing to be done about ends soon, and changes nothing. */
static void case_nothing_to_do(struct test *t)
{
    struct compact_result r;

    if (small_zone_open(t, small_zone_best(), &page_alloc_default)) {
        TEST_CHECK(t, !compact(t, SMALL_ORDER, &r) && r.moved == 0,
                   "%u pages moved in a zone without free pages", r.moved);
        compact(t, NR_ORDERS, &r);
        TEST_CHECK(t, r.moved == 0, "%u pages moved in a zone without free pages", r.moved);
        movable_spread(test_prng(t));
        for (uint32_t i = 0; i < movable.count; i++)
            movable.entry[i].refuses = true;
        TEST_CHECK(t, !compact(t, SMALL_ORDER, &r) && r.moved == 0 && r.pinned > 0,
                   "%u pages moved, %u pinned, of which none may move", r.moved, r.pinned);
        TEST_CHECK(t, compact(t, 0, &r) && r.moved == 0, "%u pages moved for a single one",
                   r.moved);
    }
    small_zone_close(t);
}

/* Who has all windows but one in use can copy no page of highmem, and does not try. */
static void case_no_windows(struct test *t)
{
    void *window[KMAP_LOCAL_DEPTH - 1] = {NULL};
    struct compact_result r;

    if (small_zone_open(t, ZONE_HIGHMEM, &page_alloc_default)) {
        movable_spread(test_prng(t));
        for (unsigned i = 0; i < ARRAY_SIZE(window); i++)
            window[i] = kmap_local_page(pfn_to_page(zone_get(ZONE_HIGHMEM)->end_pfn - 1));
        compact_zone(ZONE_HIGHMEM, NR_ORDERS, &r);
        for (unsigned i = ARRAY_SIZE(window); i > 0; i--)
            kunmap_local(window[i - 1]);
        TEST_CHECK(t, r.moved == 0 && r.pinned > 0,
                   "%u pages moved, %u pinned, with one window left", r.moved, r.pinned);
        movable_check(t);
        compact_wholly(t);
    }
    small_zone_close(t);
}

/* The highest pageblock that is all the owner's; 0 if there is none. */
static pfn_t highest_own_pageblock(void)
{
    pfn_t highest = 0;

    for (uint32_t i = 0; i < movable.count; i++) {
        pfn_t start = page_to_pfn(movable.entry[i].page), pages = 0;

        if (start < highest || !IS_ALIGNED(start, PAGEBLOCK_PAGES))
            continue;
        for (uint32_t other = 0; other < movable.count; other++)
            pages += page_to_pfn(movable.entry[other].page) - start < PAGEBLOCK_PAGES;
        if (pages == PAGEBLOCK_PAGES)
            highest = start;
    }
    return highest;
}

static uint32_t free_in_pageblock(pfn_t start)
{
    uint32_t pages = 0;

    for (pfn_t pfn = start; pfn < start + PAGEBLOCK_PAGES; pfn++)
        if (pfn_to_page(pfn)->free)
            pages += BIT(pfn_to_page(pfn)->order);
    return pages;
}

static struct page *unmovable; /* a block of UNMOVABLE_ORDER */

/* Half of the highest pageblock is somebody's who can't move it; the other half is free. */
static bool make_unmovable(struct test *t, pfn_t *start)
{
    *start = highest_own_pageblock();
    for (uint32_t i = 0; i < movable.count && *start; i++)
        if (page_to_pfn(movable.entry[i].page) - *start < PAGEBLOCK_PAGES)
            movable_drop(i);
    drain_all_pages();
    unmovable = alloc_pages((gfp_t)movable.zone | __GFP_THISZONE, UNMOVABLE_ORDER);
    if (!unmovable)
        test_error(t, "no pageblock is all of movable pages");
    return unmovable != NULL;
}

static void abandon(void)
{
    if (unmovable)
        __free_pages(unmovable, UNMOVABLE_ORDER);
    unmovable = NULL;
    small_zone_give_back();
}

/* Pages don't go where others can't move, as long as there is another place for them. */
static void case_mobility(struct test *t)
{
    struct compact_result r;
    pfn_t start;

    if (small_zone_open(t, small_zone_best(), &page_alloc_default) && make_unmovable(t, &start)) {
        uint32_t were_free = free_in_pageblock(start), left;

        TEST_CHECK(t, get_pageblock_migratetype(unmovable) == MIGRATE_UNMOVABLE && were_free > 0,
                   "the pageblock at frame 0x%x has type %d and %u free pages", start,
                   get_pageblock_migratetype(unmovable), were_free);
        movable_spread(test_prng(t));
        compact(t, NR_ORDERS, &r);
        left = free_in_pageblock(start);
        TEST_CHECK(t, r.moved > 0 && left == were_free,
                   "%u pages moved, %u of them among pages that can't be", r.moved,
                   were_free - left);
    }
    abandon();
    small_zone_close(t);
}

/* By way of alloc_pages(), which compacts when it must. */
static void case_on_demand(struct test *t)
{
    struct page_alloc_tuning tuning = page_alloc_default;
    uint32_t moved, pinned;
    struct page *page;
    unsigned order;
    gfp_t gfp;

    tuning.compaction = true;
    if (small_zone_open(t, small_zone_best(), &tuning)) {
        gfp = (gfp_t)movable.zone | __GFP_THISZONE | __GFP_MOVABLE;
        order = largest_order();
        movable_spread(test_prng(t));
        page_alloc_clear_events();
        page = alloc_pages(gfp | __GFP_DIRECT_RECLAIM | __GFP_NORETRY, SMALL_ORDER);
        TEST_CHECK(t, !page && movable.moved == 0, "%u pages moved for who asked not to",
                   movable.moved);
        page = alloc_pages(gfp | __GFP_DIRECT_RECLAIM, order);
        moved = page_alloc_events()->pages_moved;
        pinned = page_alloc_events()->pages_pinned;
        TEST_CHECK(t, page != NULL, "no block of order %u, of %u free pages", order,
                   nr_free_pages(movable.zone));
        TEST_CHECK(t, moved == movable.moved && moved > 0 && pinned == movable.refused,
                   "%u pages moved, %u pinned, it was counted; the owner knows of %u and %u", moved,
                   pinned, movable.moved, movable.refused);
        TEST_CHECK(t, page_alloc_events()->compactions == 1, "%u compactions for one block",
                   page_alloc_events()->compactions);
        movable_check(t);
        if (page)
            __free_pages(page, order);
    }
    small_zone_close(t);
}

static const struct test_case cases[] = {
    {"normal", case_normal},
    {"highmem", case_highmem},
    {"plain", case_plain},
    {"pinned", case_pinned},
    {"stale_windows", case_stale_windows},
    {"mobility", case_mobility},
    {"on_demand", case_on_demand},
    {"nothing_to_do", case_nothing_to_do},
    {"no_windows", case_no_windows},
};

SUITE(compaction) = {
    .name = "compaction",
    .about = "movable pages are moved together, and found again by their owner",
    .rank = SUITE_RANK_STRESS,
    .cases = cases,
    .nr_cases = ARRAY_SIZE(cases),
    .abandon = abandon,
};
