/* SPDX-License-Identifier: BSD-2-Clause */
#include "payload/tests/small_zone.h"
#include "payload/tests/zone_state.h"

#define KEEP_BLOCKS 3u /* with depth=sparse */
#define KEEP_BLOCKS_MAX (KEEP_BLOCKS << DEPTH_FULL)
#define BLOCK_PAGES (1u << MAX_ORDER)

/* Registered while there is some. */
static struct page_owner ballast = {.name = "ballast", .letter = 'b'};

static struct zone_state before;
static struct page_alloc_tuning tuning_before;
static bool is_tuned;
static unsigned blocks_left;

/* Movable, for the sake of the pageblock that it comes from, although nobody moves it. */
static struct page *take_block(enum zone_type zone)
{
    struct page *page =
        alloc_pages((gfp_t)zone | __GFP_THISZONE | __GFP_MOVABLE | __GFP_NORETRY, MAX_ORDER);

    if (page)
        page_set_owner(page, ballast.id, 0);
    return page;
}

/* Takes all blocks of MAX_ORDER but `keep`. */
static bool take_ballast(struct test *t, enum zone_type zone, unsigned keep)
{
    uint32_t total = before.zone[zone].nr_free[MAX_ORDER];
    struct page *page, *kept[KEEP_BLOCKS_MAX];
    unsigned nr_kept = 0;

    if (page_owner_register(&ballast)) {
        test_error(t, "no owner's number is free");
        return false;
    }
    /* Each of those that are left is kept with the chance that makes it `keep` in the end. */
    for (uint32_t n = 0; n < total && (page = take_block(zone)) != NULL; n++)
        if (prng_below(test_prng(t), total - n) < keep - nr_kept)
            kept[nr_kept++] = page;
    for (unsigned i = 0; i < nr_kept; i++)
        __free_pages(kept[i], MAX_ORDER);
    drain_all_pages();
    blocks_left = nr_kept;
    return true;
}

static void give_ballast_back(void)
{
    if (ballast.id == PAGE_OWNER_NONE)
        return;
    for (pfn_t pfn = 0; pfn < max_pfn; pfn += BLOCK_PAGES) {
        struct page *page = pfn_to_page(pfn);

        if (!page->free && page->allocated && page->owner == ballast.id)
            __free_pages(page, MAX_ORDER);
    }
    page_owner_unregister(&ballast);
}

bool small_zone_open(struct test *t, enum zone_type zone, const struct page_alloc_tuning *tuning)
{
    unsigned keep = KEEP_BLOCKS << test_depth(t);

    tuning_before = *page_alloc_tuning();
    is_tuned = true;
    page_alloc_tune(tuning);
    zone_state_remember(&before);
    if (before.zone[zone].nr_free[MAX_ORDER] < 2) {
        test_skip(t, "zone %s has less than two free blocks of order %u", zone_get(zone)->name,
                  MAX_ORDER);
        return false;
    }
    /* What is free in smaller blocks comes on top. */
    if (!movable_open(t, zone, (keep + NR_ORDERS) * BLOCK_PAGES) || !take_ballast(t, zone, keep))
        return false;
    movable_fill(t);
    return true;
}

void small_zone_give_back(void)
{
    movable_close();
    give_ballast_back();
    if (is_tuned)
        page_alloc_tune(&tuning_before);
    is_tuned = false;
}

void small_zone_close(struct test *t)
{
    small_zone_give_back();
    zone_state_compare(t, &before);
}

unsigned small_zone_blocks(void)
{
    return blocks_left;
}

enum zone_type small_zone_best(void)
{
    return zone_get(ZONE_HIGHMEM)->present_pages ? ZONE_HIGHMEM : ZONE_NORMAL;
}
