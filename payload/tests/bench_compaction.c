/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rows of the bench: a page of high memory moved by compaction, from the question to its owner to
 * the word that it was moved, of which copying its 1024 words is the floor; and a whole zone looked
 * through, in which no page goes, for each descriptor that is looked at.
 *
 * In each run the pages of a block, all but one, move to another block above it. Then the owner
 * takes as many new ones, which come from where they were, and gives the old ones back: all is as
 * before. The last page of each block is somebody else's: one that is wholly free is left alone.
 */
#include "lib/string.h"
#include "paging/compaction.h"
#include "paging/page_owner.h"
#include "payload/tests/bench.h"

#define MOVED (BENCH_BLOCK_PAGES - 1) /* pages in a run */
#define TRIALS 4u
#define GFP ((gfp_t)ZONE_HIGHMEM | __GFP_THISZONE | __GFP_MOVABLE)

static struct page *pages[MOVED], *others[MOVED];
static uint32_t nr_moved, nr_replaced;
static uint32_t nr_astray; /* runs that looked at something else */
static bool refuses;

/* cppcheck-suppress constParameter ; a hook's type is the owner's */
static bool isolate(struct page_owner *owner, uint32_t index, struct page *page)
{
    (void)owner;
    return pages[index] == page && !refuses;
}

static void moved(struct page_owner *owner, uint32_t index, struct page *from, struct page *to)
{
    (void)owner, (void)from;
    pages[index] = to;
    nr_moved++;
}

static struct page_owner mover = {
    .name = "bench", .letter = 'n', .isolate = isolate, .moved = moved};

static struct page *last_page[2];

/* What is in smaller blocks of movable pageblocks would be taken first. */
static struct page_owner filler = {.name = "filler", .letter = 'f'};

static void fill_small_blocks(void)
{
    for (unsigned order = 0; order < MAX_ORDER; order++) {
        const struct free_area *area = &zone_get(ZONE_HIGHMEM)->free_area[order];

        for (uint32_t left = area->nr_free; left > 0 && area->first[MIGRATE_MOVABLE]; left--) {
            struct page *page = alloc_pages(GFP, order);

            if (!page)
                return;
            page_set_owner(page, filler.id, 0);
            drain_all_pages();
        }
    }
}

static bool take_pages(struct page **table)
{
    for (unsigned i = 0; i < MOVED; i++) {
        table[i] = alloc_page(GFP);
        if (!table[i])
            return false;
    }
    return true;
}

static void give_pages(struct page **table)
{
    for (unsigned i = 0; i < MOVED; i++) {
        if (table[i])
            __free_page(table[i]);
        table[i] = NULL;
    }
    drain_all_pages();
}

static void own_pages(void)
{
    for (unsigned i = 0; i < MOVED; i++)
        page_set_owner(pages[i], mover.id, i);
}

/* New pages for the owner's. */
static bool replace_pages(void)
{
    if (!take_pages(others))
        return false;
    give_pages(pages);
    memcpy(pages, others, sizeof(pages));
    memset(others, 0, sizeof(others));
    own_pages();
    return true;
}

/* The pages fill one block, and another one above it has room for them. */
static bool take_two_blocks(void)
{
    if (!take_pages(pages))
        return false;
    own_pages();
    last_page[0] = alloc_page(GFP);
    last_page[1] = alloc_page(GFP);
    if (!last_page[0] || !last_page[1])
        return false;
    drain_all_pages();
    return last_page[1] > last_page[0] || replace_pages();
}

static void free_fillers(void)
{
    const struct zone *zone = zone_get(ZONE_HIGHMEM);

    for (pfn_t pfn = zone->start_pfn; pfn < zone->end_pfn;) {
        struct page *page = pfn_to_page(pfn);
        bool is_block = page->free || page->allocated;

        pfn += is_block ? BIT(page->order) : 1;
        if (!page->free && page->allocated && page->owner == filler.id)
            __free_pages(page, page->order);
    }
}

static void finish_compaction(struct bench *b)
{
    (void)b;
    give_pages(others);
    give_pages(pages);
    for (unsigned i = 0; i < ARRAY_SIZE(last_page); i++) {
        if (last_page[i])
            __free_page(last_page[i]);
        last_page[i] = NULL;
    }
    if (filler.id)
        free_fillers();
    page_owner_unregister(&filler);
    page_owner_unregister(&mover);
    drain_all_pages();
}

static const char *prepare_compaction(struct bench *b)
{
    (void)b;
    nr_moved = nr_replaced = 0;
    if (page_owner_register(&mover) || page_owner_register(&filler))
        return "no owner's number is free";
    drain_all_pages();
    fill_small_blocks();
    return take_two_blocks() ? NULL : "no high memory left for pages to move";
}

static void run_compaction(struct bench *b)
{
    (void)b;
    compact_zone(ZONE_HIGHMEM, NR_ORDERS, NULL);
    nr_replaced += replace_pages();
}

/* The same way through the zone, but no page goes. */
static void run_without(struct bench *b)
{
    (void)b;
    refuses = true;
    compact_zone(ZONE_HIGHMEM, NR_ORDERS, NULL);
    refuses = false;
    if (take_pages(others))
        give_pages(others);
    memcpy(others, pages, sizeof(others));
    memset(others, 0, sizeof(others));
    own_pages();
}

/* Where other suites left highmem in pieces, pages go elsewhere, and it is no measure. */
static const char *prepare_moves(struct bench *b)
{
    const char *missing = prepare_compaction(b);

    for (unsigned i = 0; !missing && i < TRIALS; i++) {
        nr_moved = 0;
        run_compaction(b);
        run_without(b);
        if (nr_moved != MOVED)
            missing = "highmem in whole blocks";
    }
    nr_moved = nr_replaced = 0;
    return missing;
}

static void check_compaction(struct bench *b, struct test *t)
{
    TEST_CHECK(t, nr_replaced == b->runs, "no memory for the owner in %u of %u runs",
               b->runs - nr_replaced, b->runs);
    TEST_CHECK(t, nr_moved == b->runs * MOVED, "%u pages were moved in %u runs, %u in each wanted",
               nr_moved, b->runs, MOVED);
}

TABLE_ENTRY(bench_row, struct bench_row) = {
    .name = "compact_page",
    .operations = MOVED,
    .bytes_each = PAGE_SIZE,
    .prepare = prepare_moves,
    .run = run_compaction,
    .without = run_without,
    .check = check_compaction,
    .finish = finish_compaction,
};

/* Every second page is free, and none of the others goes: all of both blocks is looked at. */
static void thin_out(void)
{
    for (unsigned i = 0; i < MOVED; i += 2) {
        __free_page(pages[i]);
        pages[i] = NULL;
    }
    drain_all_pages();
}

static void run_scan(struct bench *b)
{
    struct compact_result result;

    compact_zone(ZONE_HIGHMEM, NR_ORDERS, &result);
    nr_moved += result.moved;
    nr_astray += result.scanned != b->operations || result.pinned < MOVED / 2;
}

static const char *prepare_scan(struct bench *b)
{
    const char *missing = prepare_compaction(b);
    struct compact_result result;
    bool is_steady = false;

    if (missing)
        return missing;
    thin_out();
    refuses = true;
    /* The first times it may begin where another compaction ended. */
    for (unsigned i = 0; i < TRIALS; i++) {
        uint32_t before = b->operations;

        compact_zone(ZONE_HIGHMEM, NR_ORDERS, &result);
        b->operations = MAX(result.scanned, 1u);
        is_steady = b->operations == before && result.pinned >= MOVED / 2;
    }
    nr_astray = result.scanned < MOVED;
    return is_steady ? NULL : "highmem in whole blocks";
}

static void check_scan(struct bench *b, struct test *t)
{
    TEST_CHECK(t, nr_moved == 0, "%u pages were moved that refuse", nr_moved);
    TEST_CHECK(t, nr_astray == 0, "in %u of %u runs not %u descriptors were looked at", nr_astray,
               b->runs, b->operations);
}

static void finish_scan(struct bench *b)
{
    refuses = false;
    finish_compaction(b);
}

TABLE_ENTRY(bench_row, struct bench_row) = {
    .name = "compact_scan",
    .operations = MOVED,
    .prepare = prepare_scan,
    .run = run_scan,
    .check = check_scan,
    .finish = finish_scan,
};
