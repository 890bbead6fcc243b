/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Making room, over a zone that is a few numbers: blocks of one order that are free, and such that
 * compaction can make of what is in pieces. Whenever preemption is about to go off, somebody else
 * may take a block; the worst time for it, and one that a machine rarely finds.
 */
#define PREEMPT_UNDER_TEST

#include "ci/unit/unit.h"
#include "lib/inject.h"
#include "paging/preempt.h"

static void somebody_comes(void);
#define preempt_disable() (somebody_comes(), preempt_disable())

#include "paging/page_alloc_reclaim.c"

#define ORDER 5u
#define BLOCK_PAGES (1u << ORDER)
#define PIECES_MAX 100u

static struct {
    struct cpu cpu;
    struct page page;
    struct page_alloc_tuning tuning;
    uint32_t in_pieces; /* blocks that compaction can make */
    uint32_t freed;     /* blocks that somebody frees before the next compaction, one each time */
    uint32_t thefts;    /* times that somebody takes the block */
    uint32_t cached;    /* blocks that a cache gives up, one each time */
    bool kept;          /* by the watermarks */
    uint32_t compactions, reclaims;
} m;

struct zone zones[MAX_NR_ZONES];
struct page_alloc_events page_alloc_counts;

struct cpu *this_cpu(void)
{
    return &m.cpu;
}

const struct zone *zone_get(enum zone_type type)
{
    return &zones[type];
}

uint32_t nr_free_pages(enum zone_type type)
{
    return zones[type].free_pages;
}

const struct page_alloc_tuning *page_alloc_tuning(void)
{
    return &m.tuning;
}

static uint32_t *blocks(void)
{
    return &zones[ZONE_NORMAL].free_area[ORDER].nr_free;
}

static void free_block(void)
{
    ++*blocks();
    zones[ZONE_NORMAL].free_pages += BLOCK_PAGES;
}

static void take_block(void)
{
    --*blocks();
    zones[ZONE_NORMAL].free_pages -= BLOCK_PAGES;
}

static void somebody_comes(void)
{
    if (m.thefts && *blocks()) {
        m.thefts--;
        take_block();
    }
}

bool compact_zone(enum zone_type zone, unsigned order, struct compact_result *result)
{
    assert_int_equal(m.cpu.preempt_count, 0);
    assert_int_equal(order, ORDER);
    m.compactions++;
    *result = (struct compact_result){0};
    if (zone != ZONE_NORMAL)
        return false;
    if (m.freed) {
        m.freed--;
        free_block();
    }
    if (*blocks())
        return true;
    if (!m.in_pieces)
        return false;
    m.in_pieces--;
    ++*blocks();
    result->moved = BLOCK_PAGES / 2;
    return true;
}

struct page *zones_alloc(gfp_t gfp, unsigned order)
{
    assert_true(m.cpu.preempt_count > 0);
    if (!*blocks() || m.kept)
        return NULL;
    take_block();
    return &m.page;
}

uint32_t shrink_pages(enum zone_type zone, uint32_t pages)
{
    assert_int_equal(m.cpu.preempt_count, 0);
    assert_int_equal(zone, ZONE_NORMAL); /* what is of no use to who asks is left alone */
    assert_true(pages >= MAX(32u, BLOCK_PAGES));
    m.reclaims++;
    if (!m.cached)
        return 0;
    m.cached--;
    free_block();
    return BLOCK_PAGES;
}

void shrink_reset(void)
{
}

bool wait_sleep(struct wait_queue *queue)
{
    fail();
    return false;
}

void wait_wake(struct wait_queue *queue)
{
    fail();
}

/* A full zone, with so many blocks in pieces. */
static void begin(uint32_t in_pieces)
{
    memset(&m, 0, sizeof(m));
    memset(zones, 0, sizeof(zones));
    m.tuning.compaction = true;
    m.in_pieces = in_pieces;
    zones[ZONE_NORMAL].present_pages = PIECES_MAX * BLOCK_PAGES;
    zones[ZONE_NORMAL].free_pages = in_pieces * BLOCK_PAGES;
}

static bool can_be_had(void)
{
    struct page *page;

    preempt_disable();
    page = alloc_with_reclaim(GFP_KERNEL | __GFP_THISZONE, ORDER);
    preempt_enable();
    return page != NULL;
}

static void test_moved(void **state)
{
    begin(1);
    assert_true(can_be_had());
    assert_int_equal(m.compactions, 1);
    assert_false(can_be_had());
}

/* Each block that was made is gone before it can be had, up to the last one. */
static void test_stolen(void **state)
{
    begin(4);
    m.thefts = 3;
    assert_true(can_be_had());
    assert_int_equal(m.compactions, 4);
}

/* The same with blocks that nothing had to be moved for: there are others, in pieces. */
static void test_found_and_stolen(void **state)
{
    for (uint32_t thefts = 1; thefts < 4; thefts++) {
        begin(1);
        m.freed = m.thefts = thefts;
        assert_true(can_be_had());
        assert_int_equal(m.compactions, thefts + 1);
    }
}

/* Somebody who is always quicker is no reason to go on for ever. */
static void test_always_stolen(void **state)
{
    begin(0);
    m.freed = m.thefts = PIECES_MAX;
    assert_false(can_be_had());
    assert_true(m.compactions < PIECES_MAX);
}

/* What the watermarks keep can't be had by more compaction, but by more memory. */
static void test_kept(void **state)
{
    begin(0);
    free_block();
    m.kept = true;
    assert_false(can_be_had());
    assert_int_equal(m.compactions, 1);
    begin(0);
    free_block();
    m.kept = m.tuning.reclaim = true;
    m.cached = 3;
    assert_false(can_be_had());
    assert_int_equal(m.cached, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_moved),
        cmocka_unit_test(test_stolen),
        cmocka_unit_test(test_found_and_stolen),
        cmocka_unit_test(test_always_stolen),
        cmocka_unit_test(test_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
