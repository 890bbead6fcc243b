/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lowmem_torture: the page allocator, compaction and reclaim, with anything at any time.
 *
 * Most memory is taken away, so that what is left of each zone is soon empty, and soon full again.
 * Then come allocations of all kinds and orders, frees, frees that are wrong (each must be noticed,
 * and change nothing), windows, pins, changes of owner, compaction, reclaim, and remedies switched
 * on and off in between. Every page carries its owner's stamp at both ends, which is looked at when
 * it is given back and when it was moved. On the way every page must be either held or free, and
 * the lists must keep all their rules; in the end all is free again, in the blocks of before.
 *
 * On the host the same is done against a model, which knows what each operation must come to
 * (ci/model/page_model.h). Here it is the true memory, through true windows.
 */
#include "lib/string.h"
#include "paging/compaction.h"
#include "paging/shrinker.h"
#include "payload/suite.h"
#include "payload/tests/torture_arena.h"
#include "payload/tests/torture_blocks.h"

#define OPS_SPARSE 12000u
#define OPS_SMOKE 80000u
#define OPS_FULL 800000u
#define ACCOUNT_EVERY 64u /* operations */
#define CHECK_EVERY 1024u
#define CACHE_AT_ONCE 32u
#define NEAR_PAGES 600u
#define RECLAIM_MOST 64u
#define REFUSALS 8u /* of single pages from any zone, before what is held is given back again */
#define FLOOR_MOST 300u

/* Pages that are left of each zone. */
static const uint32_t left[MAX_NR_ZONES] = {384, 1024, 1024};
#define LEFT_ALL (384u + 1024u + 1024u)

static struct torture {
    struct test *t;
    struct prng *prng;
    struct torture_arena arena;
    bool filling;     /* rather than emptying, */
    uint32_t floor;   /* down to so many blocks */
    uint32_t in_turn; /* the mapped block that loses its windows next */
    uint32_t given, refused, fell_back, wrong_frees;
} torture;

static uint32_t below(uint32_t n)
{
    return prng_below(torture.prng, n);
}

/* The number of a block that is held and not mapped; false if a few tries find none. */
static bool pick(uint32_t *index)
{
    for (unsigned tries = 0; tries < 4 && torture_blocks.count; tries++) {
        *index = below(torture_blocks.count);
        if (!torture_blocks.block[*index].mapped)
            return true;
    }
    return false;
}

static gfp_t random_gfp(void)
{
    static const gfp_t mobility[] = {0, __GFP_MOVABLE, __GFP_MOVABLE, __GFP_RECLAIMABLE};
    gfp_t gfp = below(MAX_NR_ZONES) | mobility[below(ARRAY_SIZE(mobility))];

    return gfp | (below(16) ? 0 : __GFP_ZERO) | (below(6) ? 0 : __GFP_THISZONE) |
           (below(6) ? 0 : __GFP_HIGH) | (below(2) ? 0 : __GFP_DIRECT_RECLAIM) |
           (below(6) ? 0 : __GFP_NORETRY);
}

/* Each order is half as likely as the one below. */
static unsigned random_order(void)
{
    unsigned order = 0;

    while (order < MAX_ORDER && below(2))
        order++;
    return order;
}

/* Without watermarks, an allocation fails only if there is no such block. */
static void check_refused(gfp_t gfp, unsigned order)
{
    unsigned highest = gfp & __GFP_ZONE_MASK;

    torture.refused++;
    if (torture.filling && !order && highest == ZONE_HIGHMEM && below(REFUSALS) == 0) {
        torture.filling = false;
        torture.floor = below(FLOOR_MOST);
    }
    for (unsigned i = gfp & __GFP_THISZONE ? highest : 0; i <= highest; i++) {
        const struct zone *zone = zone_get((enum zone_type)i);
        struct buddy_counts counts;

        zone_buddy_counts(zone, &counts);
        TEST_CHECK(torture.t,
                   page_alloc_tuning()->watermarks || buddy_largest_order(&counts) < (int)order,
                   "gfp 0x%x: order %u failed, while zone %s has a block of order %d", gfp, order,
                   zone->name, buddy_largest_order(&counts));
        TEST_CHECK(torture.t,
                   page_alloc_tuning()->watermarks || order ||
                       nr_free_pages((enum zone_type)i) == 0,
                   "gfp 0x%x: no page, with %u free in zone %s", gfp,
                   nr_free_pages((enum zone_type)i), zone->name);
    }
}

/* What the request has to leave in the buddy lists of a zone. */
static uint32_t kept_from(gfp_t gfp, const struct zone *zone)
{
    uint32_t mark = zone->watermark[WMARK_MIN];

    return mark - (gfp & __GFP_HIGH ? mark / 2 : 0) + zone->lowmem_reserve[gfp & __GFP_ZONE_MASK];
}

/* What comes from the per-CPU lists has left the zone before. */
static void check_left(gfp_t gfp, unsigned order, const struct zone *zone, uint32_t before)
{
    TEST_CHECK(torture.t, zone->free_pages >= before || zone->free_pages >= kept_from(gfp, zone),
               "gfp 0x%x, order %u left %u pages in zone %s, which keeps %u", gfp, order,
               zone->free_pages, zone->name, kept_from(gfp, zone));
}

/* A zone that has just been passed over has no such block, also if none but it will do. */
static void check_passed_over(gfp_t gfp, unsigned order)
{
    struct page *page = alloc_pages((gfp | __GFP_THISZONE) & ~__GFP_DIRECT_RECLAIM, order);

    TEST_CHECK(torture.t, !page,
               "gfp 0x%x: order %u only from a zone that had none gave frame 0x%x", gfp, order,
               page_to_pfn(page));
    if (page)
        __free_pages(page, order);
}

static bool take(gfp_t gfp, unsigned order, enum torture_who who)
{
    uint32_t before[MAX_NR_ZONES], reclaimed = torture_blocks.reclaimed;
    unsigned highest = gfp & __GFP_ZONE_MASK, zone;
    struct page *page;

    if (torture_blocks.count == torture_blocks.max)
        return false;
    for (unsigned i = 0; i < MAX_NR_ZONES; i++)
        before[i] = zone_get((enum zone_type)i)->free_pages;
    page = alloc_pages(gfp, order);
    if (!page) {
        check_refused(gfp, order);
        return false;
    }
    zone = page_zonenum(page);
    TEST_CHECK(torture.t, zone <= highest && (zone == highest || !(gfp & __GFP_THISZONE)),
               "gfp 0x%x gave frame 0x%x, of zone %u", gfp, page_to_pfn(page), zone);
    TEST_CHECK(torture.t, IS_ALIGNED(page_to_pfn(page), 1u << order),
               "a block of order %u is frame 0x%x", order, page_to_pfn(page));
    if (reclaimed == torture_blocks.reclaimed)
        check_left(gfp, order, zone_get((enum zone_type)zone), before[zone]);
    torture.given++;
    if (zone < highest) {
        torture.fell_back++;
        check_passed_over(gfp, order);
    }
    torture_block_enter(page, order, gfp, who);
    return true;
}

static void op_alloc(void)
{
    take(random_gfp(), random_order(), (enum torture_who)below(TORTURE_CACHE));
}

static void op_free(void)
{
    uint32_t index;

    if (pick(&index))
        torture_block_give(index);
}

static void op_cache(void)
{
    gfp_t gfp = random_gfp() | __GFP_MOVABLE;

    gfp &= ~__GFP_RECLAIMABLE;
    for (uint32_t pages = below(CACHE_AT_ONCE); pages > 0; pages--) {
        if (!take(gfp, 0, TORTURE_CACHE))
            return;
    }
}

/* In a range around a block that is held, since most else is ballast. */
static void op_alloc_in(void)
{
    unsigned order = random_order();
    uint32_t index;
    pfn_t middle, min, end;
    struct page *page;

    if (!pick(&index) || torture_blocks.count == torture_blocks.max)
        return;
    middle = torture_blocks.block[index].pfn;
    min = middle - MIN(middle, below(NEAR_PAGES));
    end = MIN(middle + below(NEAR_PAGES), max_pfn);
    page = alloc_pages_in(order, pfn_to_phys(min), pfn_to_phys(end));
    if (!page)
        return;
    TEST_CHECK(torture.t, page_to_pfn(page) >= min && page_to_pfn(page) + (1u << order) <= end,
               "a block of order %u in frames 0x%x to 0x%x is frame 0x%x", order, min, end,
               page_to_pfn(page));
    torture_block_enter(page, order, 0, (enum torture_who)below(TORTURE_CACHE));
}

/* Each of these must be a finding, and nothing else. */
static void op_free_wrong(void)
{
    const struct torture_block *block;
    struct page *page;
    unsigned order, kind = below(3);
    uint32_t index;

    if (!pick(&index))
        return;
    block = &torture_blocks.block[index];
    page = pfn_to_page(block->pfn);
    order = block->order;
    if (kind == 1 && order == 0)
        return;
    if (kind == 2)
        torture_block_give(index);
    test_findings_begin(torture.t);
    if (kind == 0)
        __free_pages(page, (order + 1 + below(MAX_ORDER)) % NR_ORDERS);
    else if (kind == 1)
        __free_pages(page + 1 + below((1u << order) - 1), below(order));
    else
        __free_pages(page, order);
    test_findings_end(torture.t, 1, "a block freed wrongly");
    torture.wrong_frees++;
}

/* A page with a window in use can't be freed. */
static void op_map(void)
{
    unsigned mapped = 0;
    uint32_t index;

    for (uint32_t i = 0; i < torture_blocks.count; i++) {
        if (!torture_blocks.block[i].mapped)
            continue;
        test_findings_begin(torture.t);
        __free_pages(pfn_to_page(torture_blocks.block[i].pfn), torture_blocks.block[i].order);
        test_findings_end(torture.t, 1, "a page freed with its window in use");
        if (mapped++ == torture.in_turn % TORTURE_WINDOWS)
            torture_block_map(i, false);
    }
    torture.in_turn++;
    if (mapped < TORTURE_WINDOWS && pick(&index) &&
        PageHighMem(pfn_to_page(torture_blocks.block[index].pfn)))
        torture_block_map(index, true);
}

static void op_own(void)
{
    uint32_t index;

    if (pick(&index) && torture_blocks.block[index].who != TORTURE_CACHE)
        torture_block_own(index, (enum torture_who)below(TORTURE_CACHE));
}

static void op_pin(void)
{
    uint32_t index;

    if (pick(&index))
        torture_blocks.block[index].pinned = below(3) == 0;
}

static void op_drain(void)
{
    drain_all_pages();
    for (unsigned i = 0; i < MAX_NR_ZONES; i++) {
        const struct zone *zone = zone_get((enum zone_type)i);

        TEST_CHECK(torture.t, zone->free_pages == nr_free_pages((enum zone_type)i),
                   "zone %s: %u pages in the lists after a drain, %u free", zone->name,
                   zone->free_pages, nr_free_pages((enum zone_type)i));
    }
}

static void op_shrink(void)
{
    uint32_t before = torture_blocks.reclaimed, wanted = below(RECLAIM_MOST);
    uint32_t freed = shrink_pages((enum zone_type)below(MAX_NR_ZONES), wanted);

    TEST_CHECK(torture.t, freed == torture_blocks.reclaimed - before,
               "reclaim says that it freed %u pages; it freed %u", freed,
               torture_blocks.reclaimed - before);
}

static void op_compact(void)
{
    enum zone_type type = (enum zone_type)below(MAX_NR_ZONES);
    unsigned order = below(4) ? 1 + random_order() : NR_ORDERS;
    struct compact_result result = {0};
    struct buddy_counts counts;
    uint32_t before = torture_blocks.moved;
    bool is_there = compact_zone(type, order, &result);

    zone_buddy_counts(zone_get(type), &counts);
    TEST_CHECK(torture.t, result.moved == torture_blocks.moved - before,
               "compaction says that it moved %u pages; it moved %u", result.moved,
               torture_blocks.moved - before);
    TEST_CHECK(torture.t, is_there == (buddy_largest_order(&counts) >= (int)order),
               "compaction for order %u: %s, and the largest block has order %d", order,
               is_there ? "done" : "not done", buddy_largest_order(&counts));
}

static void op_tune(void)
{
    static const uint32_t ratios[] = {0, 256, 4096};
    uint32_t bits = below(32);
    struct page_alloc_tuning tuning = {
        .watermarks = bits & 1,
        .mobility = bits & 2,
        .pcp = bits & 4,
        .compaction = bits & 8,
        .reclaim = bits & 16,
        .min_free_kbytes = 1 + below(2048),
        .lowmem_reserve_ratio = {ratios[below(3)], ratios[below(3)], ratios[below(3)]},
    };

    page_alloc_tune(&tuning);
}

static const struct op {
    void (*run)(void);
    unsigned weight;
    bool for_remedies; /* not where the allocator has none */
} ops[] = {
    {op_alloc_in, 4, false}, {op_free_wrong, 6, false}, {op_map, 3, false},  {op_own, 6, false},
    {op_pin, 6, false},      {op_drain, 1, true},       {op_cache, 3, true}, {op_shrink, 1, true},
    {op_compact, 2, true},   {op_tune, 1, true},
};
#define WEIGHT_REST 100u /* allocations and frees */

static void run_one(bool remedies)
{
    uint32_t draw = below(WEIGHT_REST);

    for (unsigned i = 0; i < ARRAY_SIZE(ops); i++) {
        if (draw < ops[i].weight) {
            if (remedies || !ops[i].for_remedies)
                ops[i].run();
            return;
        }
        draw -= ops[i].weight;
    }
    if (!torture.filling && torture_blocks.count <= torture.floor)
        torture.filling = true;
    if (below(100) < (torture.filling ? 65 : 35))
        op_alloc();
    else
        op_free();
}

/* Every page is held or free, and the lists keep their rules. */
static void account(bool lists)
{
    for (unsigned i = 0; i < MAX_NR_ZONES; i++) {
        const struct zone *zone = zone_get((enum zone_type)i);
        uint32_t free = nr_free_pages((enum zone_type)i);
        pfn_t where = 0;
        const char *wrong = lists ? zone_check(zone, &where) : NULL;

        TEST_CHECK(torture.t, free + torture_blocks.pages[i] == torture.arena.pages[i],
                   "zone %s: %u pages free and %u held, of %u", zone->name, free,
                   torture_blocks.pages[i], torture.arena.pages[i]);
        TEST_CHECK(torture.t, !wrong, "zone %s: %s, at physical 0x%llx", zone->name, wrong,
                   addr_number(pfn_to_phys(where)));
    }
}

static bool is_broken(void)
{
    return !TEST_CHECK(torture.t, !torture_blocks.wrong[0], "%s", torture_blocks.wrong);
}

static void run(struct test *t, uint32_t count, bool remedies)
{
    for (uint32_t op = 0; op < count && !test_should_stop(t); op++) {
        run_one(remedies);
        if (op % ACCOUNT_EVERY == 0)
            account(op % CHECK_EVERY == 0);
        if (op % CHECK_EVERY == 0) {
            torture_blocks_check();
            test_progress(t, op, count);
        }
        if (torture_blocks.wrong[0])
            break;
    }
}

/* All goes back in no order; without a look where something is broken already. */
static void give_all(void)
{
    for (uint32_t i = 0; i < torture_blocks.count; i++) {
        if (torture_blocks.block[i].mapped)
            torture_block_map(i, false);
    }
    while (torture_blocks.count && !torture_blocks.wrong[0])
        torture_block_give(below(torture_blocks.count));
}

static void run_case(struct test *t, bool remedies)
{
    static const uint32_t counts[] = {OPS_SPARSE, OPS_SMOKE, OPS_FULL};
    const char *wrong;
    uint64_t where;

    torture = (struct torture){.t = t, .prng = test_prng(t), .filling = true};
    if (!torture_blocks_open(LEFT_ALL)) {
        test_error(t, "no lowmem block of order %u for the table", torture_blocks.table_order);
        return;
    }
    if (!torture_arena_open(&torture.arena, left)) {
        test_error(t, "no owner's number is free");
        torture_blocks_close();
        return;
    }
    run(t, counts[test_depth(t)], remedies);
    give_all();
    account(true);
    is_broken();
    test_log(
        t,
        "%u blocks given, %u fell back, %u refused, %u freed wrongly, %u pages moved, %u kept, "
        "%u reclaimed",
        torture.given, torture.fell_back, torture.refused, torture.wrong_frees,
        torture_blocks.moved, torture_blocks.kept, torture_blocks.reclaimed);
    wrong = torture_arena_close(&torture.arena, &where);
    TEST_CHECK(t, !wrong, "%s (0x%llx)", wrong, where);
    torture_blocks_close();
}

static void case_plain(struct test *t)
{
    run_case(t, false);
}

static void case_remedies(struct test *t)
{
    run_case(t, true);
}

/* After a fault there is no case to tell about what is wrong. */
static void abandon(void)
{
    uint64_t where;

    torture_blocks_close();
    torture_arena_close(&torture.arena, &where);
}

static const struct test_case cases[] = {
    {"plain", case_plain},
    {"remedies", case_remedies},
};

SUITE(lowmem_torture) = {
    .name = "lowmem_torture",
    .about = "the page allocator with anything at any time, every page stamped",
    .rank = SUITE_RANK_STRESS,
    .cases = cases,
    .nr_cases = ARRAY_SIZE(cases),
    .abandon = abandon,
};
