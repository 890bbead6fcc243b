/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lowmem_frag: lowmem in pieces, the way 32-bit systems died of it, and whole again afterwards.
 *
 * Lowmem is filled with what a kernel under load keeps there: 8 KiB stacks (order 1), pages of
 * 128-byte heads, page tables, slabs of several orders. Some of it is freed here and there, and
 * then stacks, or order-3 slabs, are wanted until they can't be had, although a good deal of memory
 * is free. Every page carries its owner's stamp, which is looked at when it is freed. In the end
 * all is given back, and every block must have merged: the free lists are then just what they were
 * before. Of ZONE_NORMAL a case has 64 MiB at depth=sparse, 256 MiB at smoke, all of it at full, or
 * what lowmem= says.
 *
 * Why it can break: nothing here depends on the machine but memory itself, so a break is either a
 * mistake of the allocator (a merge left out, a block given out twice) or a cell that changed. It
 * shows as the order whose count differs, or the physical address of the changed stamp.
 */
#include "lib/permute.h"
#include "paging/page_alloc.h"
#include "payload/setup.h"
#include "payload/suite.h"
#include "payload/tests/lowmem_ballast.h"
#include "payload/tests/lowmem_blocks.h"

#define HEAD_BYTES 128u
#define HEADS_PER_PAGE (PAGE_SIZE / HEAD_BYTES)
#define HEADS_FREED_PERCENT 90u
#define PAGES_KEPT_PERCENT 90u
#define FREED_PERMILLE_STEP 60u

static struct lowmem_blocks held;

/* Pages of ZONE_NORMAL that a case fills: what lowmem= says, else by depth=. */
static uint32_t normal_wanted(void)
{
    static const uint32_t by_depth[] = {[DEPTH_SPARSE] = MIB(64) / PAGE_SIZE,
                                        [DEPTH_SMOKE] = MIB(256) / PAGE_SIZE,
                                        [DEPTH_FULL] = UINT32_MAX};

    if (setup.options.lowmem == OPTION_LOWMEM_ALL)
        return UINT32_MAX;
    if (setup.options.lowmem)
        return (uint32_t)(setup.options.lowmem >> PAGE_SHIFT);
    return by_depth[setup.options.depth];
}

/* So that a case takes as long on any machine. False: no memory to remember it in. */
static bool take_ballast(void)
{
    struct page_alloc_tuning before = *page_alloc_tuning();
    uint32_t wanted = normal_wanted();
    bool opened;

    if (wanted == UINT32_MAX)
        return true;
    page_alloc_tune(&page_alloc_plain);
    opened = ballast_open();
    if (opened)
        ballast_take(ZONE_NORMAL, wanted);
    page_alloc_tune(&before);
    return opened;
}

static void give_ballast(void)
{
    struct page_alloc_tuning before = *page_alloc_tuning();

    page_alloc_tune(&page_alloc_plain);
    ballast_close();
    page_alloc_tune(&before);
}

static bool table_begin(struct test *t)
{
    lists_remember();
    if (!take_ballast()) {
        test_error(t, "no memory for the ballast's table");
        return false;
    }
    if (lowmem_blocks_open(&held, lowmem_free_pages()))
        return true;
    test_error(t, "no lowmem block of order %u for the table", held.table_order);
    give_ballast();
    return false;
}

static bool take(unsigned order)
{
    return lowmem_blocks_take(&held, order);
}

static void give_back(struct test *t, uint32_t index)
{
    struct lowmem_damage d;

    TEST_CHECK(t, lowmem_blocks_give(&held, index, &d),
               "stamp of physical 0x%llx: 0x%08x and 0x%08x, 0x%08x and 0x%08x wanted",
               addr_number(d.phys), d.found[0], d.found[1], d.wanted, ~d.wanted);
}

/* After a fault there is no case to tell about stamps. */
static void abandon(void)
{
    lowmem_blocks_close(&held);
    give_ballast();
}

/* All is given back, and every block must have merged. */
static void table_end(struct test *t)
{
    while (held.count)
        give_back(t, prng_below(test_prng(t), held.count));
    lowmem_blocks_close(&held);
    give_ballast();
    lists_check(t);
}

/* Fills lowmem with the mix until not even a page is left. */
static void fill(struct test *t)
{
    uint32_t start = lowmem_free_pages();

    for (;;) {
        unsigned order = lowmem_mix_order(test_prng(t));

        while (!take(order)) {
            if (order == 0)
                return;
            order--;
        }
        if (held.count % 1024 == 0)
            test_progress(t, start - lowmem_free_pages(), start);
    }
}

static void log_zones(struct test *t, const char *when)
{
    drain_all_pages();
    for (unsigned z = ZONE_DMA; z <= ZONE_NORMAL; z++) {
        const struct zone *zone = zone_get((enum zone_type)z);
        const struct free_area *a = zone->free_area;

        test_log(
            t, "%s, %s: %u %u %u %u %u %u %u %u %u %u %u, unusable for order 1: %u, 3: %u permille",
            when, zone->name, a[0].nr_free, a[1].nr_free, a[2].nr_free, a[3].nr_free, a[4].nr_free,
            a[5].nr_free, a[6].nr_free, a[7].nr_free, a[8].nr_free, a[9].nr_free, a[10].nr_free,
            zone_unusable_index(zone, 1), zone_unusable_index(zone, 3));
    }
}

/* Frees some blocks of order 0, chosen at random: what a cache gives back under pressure. */
static void free_singles(struct test *t, uint32_t count)
{
    for (uint32_t tries = 0; count && held.count && tries < 64 * held.max; tries++) {
        uint32_t index = prng_below(test_prng(t), held.count);

        if (lowmem_block_order(&held, index))
            continue;
        give_back(t, index);
        count--;
    }
}

/*
 * Fills lowmem, frees single pages here and there, and asks for blocks of `order` until there is
 * none: with memory free, in pieces too small.
 */
static void fragment(struct test *t, unsigned order, const char *metric)
{
    uint32_t freed, got = 0, left;

    if (!table_begin(t))
        return;
    fill(t);
    log_zones(t, "full");
    freed = held.count * FREED_PERMILLE_STEP / 1000;
    free_singles(t, freed);
    log_zones(t, "freed");
    while (take(order))
        got++;
    left = lowmem_free_pages();
    log_zones(t, "wedged");
    test_log(t,
             "%u pages freed one by one gave %u blocks of order %u; then none, with %u pages free",
             freed, got, order, left);
    TEST_CHECK(t, left > 0, "an allocation of order %u failed only when nothing was free", order);
    for (unsigned z = ZONE_DMA; z <= ZONE_NORMAL; z++) {
        const struct zone *zone = zone_get((enum zone_type)z);

        if (zone->free_pages)
            TEST_CHECK(t, zone_unusable_index(zone, order) == 1000,
                       "zone %s: order %u failed, but its unusable index is %u", zone->name, order,
                       zone_unusable_index(zone, order));
    }
    test_metric(t, metric, left, "pages");
    table_end(t);
}

static void case_order1_fails(struct test *t)
{
    fragment(t, 1, "free_when_order1_failed");
}

static void case_order3_fails(struct test *t)
{
    fragment(t, 3, "free_when_order3_failed");
}

/*
 * A page of heads: 32 records of 128 bytes. Each carries its own address while it is in use; the
 * page goes back when its last head does.
 */
static uint32_t *head_word(uint32_t page_index, unsigned head)
{
    struct page *page = lowmem_block_page(&held, page_index);

    return (uint32_t *)((char *)lowmem_page_address(page) + head * HEAD_BYTES);
}

static uint32_t take_heads(uint32_t pages)
{
    while (held.count < pages && take(0))
        for (unsigned head = 0; head < HEADS_PER_PAGE; head++)
            *head_word(held.count - 1, head) = (uint32_t)head_word(held.count - 1, head);
    return held.count;
}

/* Frees one head of every so many in random order; false if the head's mark was changed. */
static bool free_heads(struct test *t, uint32_t pages)
{
    uint32_t heads = pages * HEADS_PER_PAGE, wanted = heads / 100 * HEADS_FREED_PERCENT;
    struct permutation order;

    permute_init(&order, heads, prng_u64(test_prng(t)));
    for (uint32_t i = 0; i < wanted; i++) {
        uint32_t at = permute_at(&order, i);
        uint32_t *word = head_word(at / HEADS_PER_PAGE, at % HEADS_PER_PAGE);

        if (!TEST_CHECK(t, *word == (uint32_t)word, "head at physical 0x%llx holds 0x%08x",
                        addr_number(virt_to_phys(word)), *word))
            return false;
        *word = 0;
        if (i % 65536 == 0)
            test_progress(t, i, wanted);
    }
    return true;
}

/* Gives back the pages without a head in use; from the end, since the last entry fills the gap. */
static void give_back_empty(struct test *t)
{
    for (uint32_t i = held.count; i > 0; i--) {
        unsigned used = 0;

        for (unsigned head = 0; head < HEADS_PER_PAGE; head++)
            used += *head_word(i - 1, head) != 0;
        if (used)
            continue;
        lowmem_block_stamp(&held, i - 1);
        give_back(t, i - 1);
    }
}

/*
 * Nine heads of ten are freed, and hardly a page with them: one head in use keeps 4 KiB. That is
 * how buffer heads filled the lowmem of machines with gigabytes free.
 */
static void case_heads_pin_pages(struct test *t)
{
    uint32_t pages, wanted_least;

    if (!table_begin(t))
        return;
    pages = take_heads(lowmem_free_pages() / 4);
    if (free_heads(t, pages))
        give_back_empty(t);
    log_zones(t, "heads");
    test_log(t, "%u pages of heads, %u %% of the heads freed: %u pages are kept", pages,
             HEADS_FREED_PERCENT, held.count);
    /* By chance a page keeps one of its 32 with probability 1 - 0.9^32, 96.6 %; of the few hundred
     * that a small machine has, that is never as few as nine of ten. */
    wanted_least = pages / 100 * PAGES_KEPT_PERCENT;
    TEST_CHECK(t, held.count >= wanted_least, "only %u of %u pages are kept, %u at least wanted",
               held.count, pages, wanted_least);
    test_metric(t, "pages_kept_by_heads", held.count, "pages");
    for (uint32_t i = 0; i < held.count; i++)
        lowmem_block_stamp(&held, i);
    table_end(t);
}

/* NORMAL falls back to DMA when it is empty, and never with __GFP_THISZONE; DMA never upwards. */
static void case_fallback(struct test *t)
{
    struct page *page;

    if (zone_get(ZONE_NORMAL)->present_pages == 0) {
        test_skip(t, "lowmem is all ZONE_DMA");
        return;
    }
    if (!table_begin(t))
        return;
    while (nr_free_pages(ZONE_NORMAL) && take(0))
        ;
    page = alloc_pages(GFP_KERNEL | __GFP_THISZONE, 0);
    TEST_CHECK(t, page == NULL, "the empty zone Normal still gave frame 0x%x",
               page ? page_to_pfn(page) : 0);
    if (page)
        __free_page(page);
    page = alloc_pages(GFP_KERNEL, 0);
    if (TEST_CHECK(t, page != NULL, "no fallback from the empty zone Normal")) {
        TEST_CHECK(t, page_zonenum(page) == ZONE_DMA, "the fallback gave frame 0x%x",
                   page_to_pfn(page));
        __free_page(page);
    }
    while (take(0))
        ;
    page = alloc_pages(GFP_DMA, 0);
    TEST_CHECK(t, page == NULL, "the empty zone DMA fell back upwards to frame 0x%x",
               page ? page_to_pfn(page) : 0);
    if (page)
        __free_page(page);
    table_end(t);
}

static void case_misuse(struct test *t)
{
    struct page *page;

    lists_remember();
    page = alloc_pages(GFP_KERNEL, 1);
    if (!page) {
        test_error(t, "no block to try");
        return;
    }
    test_findings_begin(t);
    __free_pages(page, 0);
    test_findings_end(t, 1, "a block freed with another order");
    test_findings_begin(t);
    __free_pages(page + 1, 0);
    test_findings_end(t, 1, "the second page of a block freed");
    __free_pages(page, 1);
    test_findings_begin(t);
    __free_pages(page, 1);
    test_findings_end(t, 1, "a block freed twice");
    TEST_CHECK(t, alloc_pages(GFP_KERNEL, NR_ORDERS) == NULL, "a block of order %u", NR_ORDERS);
    lists_check(t);
}

static const struct test_case cases[] = {
    {"order1_fails", case_order1_fails},
    {"order3_fails", case_order3_fails},
    {"heads_pin_pages", case_heads_pin_pages},
    {"fallback", case_fallback},
    {"misuse", case_misuse},
};

SUITE(lowmem_frag) = {
    .name = "lowmem_frag",
    .about = "lowmem in pieces, and whole again afterwards",
    .rank = SUITE_RANK_STRESS,
    .cases = cases,
    .nr_cases = ARRAY_SIZE(cases),
    .abandon = abandon,
};
