/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * compaction_threads: pages are moved while others use them, free them, and take the place that
 * they were to be moved to.
 *
 * Threads look at pages of a table, through windows of kmap(), write nothing, give pages back and
 * take new ones, and blocks of several orders, all from the zone that is being compacted. They are
 * preempted anywhere, and so is the compaction.
 *
 * Why it can break: what the scanners saw is not so any more when a page is moved. A break shows as
 * a page that changed under its user, as one that two have, or as free lists that are not what they
 * were before.
 */
#include "lib/x86/cpu.h"
#include "paging/compaction.h"
#include "paging/kmap.h"
#include "payload/tests/small_zone.h"
#include "payload/tests/workers.h"

#define TICK_HZ 4000u
#define WORKERS 6u
#define SHARES (WORKERS + 1) /* one is for who compacts */
#define HOT 24u              /* entries of a share */
#define COMPACTIONS 24u      /* with depth=sparse */
#define LINGER_MAX 500u
#define BLOCK_ORDER_MAX 3u
#define CHURNED 48u /* entries at a time */
#define CHURNS 4u   /* between two compactions */
#define WANTED_ORDER 5u
#define BLOCKS_EACH 4u
#define PATIENCE 100u /* compactions until a timer is given up, as a multiple of those wanted */

static volatile bool is_over;

/* An entry of this worker's own: some are wanted more often than others. */
static uint32_t own_entry(struct worker *w)
{
    uint32_t own = movable.count / SHARES;

    return prng_below(&w->prng, prng_u32(&w->prng) & 1 ? MIN(own, HOT) : own) * SHARES + w->number;
}

/* Others run: for as long as they want to, or if a tick comes just then. */
static void linger(struct worker *w)
{
    if (prng_u32(&w->prng) & 1)
        thread_yield();
    for (uint32_t i = prng_below(&w->prng, LINGER_MAX); i > 0; i--)
        cpu_relax();
}

/* In use by its window alone, which lowmem has none: who compacts finds that out by itself. */
static void look_through_window(struct worker *w, uint32_t index)
{
    const struct movable *m = &movable.entry[index];
    struct page *page;
    const void *window;
    unsigned word;

    preempt_disable();
    page = m->page;
    window = kmap(page);
    preempt_enable();
    w->wrong += !movable_holds(window, index, &word);
    linger(w);
    w->wrong += m->page != page || !movable_holds(window, index, &word);
    kunmap(page);
}

/* In use as its owner says, with no window in between. */
static void look_as_user(struct worker *w, uint32_t index)
{
    struct movable *m = &movable.entry[index];
    struct page *page;
    unsigned word;

    preempt_disable();
    m->users++;
    page = m->page;
    preempt_enable();
    linger(w);
    w->wrong += m->page != page || !movable_holds(kmap(page), index, &word);
    kunmap(page);
    linger(w);
    w->wrong += m->page != page;
    preempt_disable();
    m->users--;
    preempt_enable();
}

/* A block that nobody can move, for a moment. */
static void use_block(struct worker *w)
{
    unsigned order = prng_below(&w->prng, BLOCK_ORDER_MAX + 1);
    struct page *block = alloc_pages((gfp_t)movable.zone | __GFP_THISZONE, order);
    volatile uint32_t *window;
    uint32_t mark = prng_u32(&w->prng);

    if (!block)
        return;
    window = kmap(block + BIT(order) - 1);
    *window = mark;
    linger(w);
    w->wrong += *window != mark;
    kunmap(block + BIT(order) - 1);
    __free_pages(block, order);
}

/* Pages go, and others come: what was moved together is in pieces again. */
static void churn(struct worker *w)
{
    for (unsigned i = 0; i < CHURNED; i++) {
        uint32_t index = own_entry(w);

        if (movable.entry[index].page)
            movable_drop(index);
        else
            movable_take(index);
    }
}

static void look(struct worker *w)
{
    uint32_t index = own_entry(w);

    if (!movable.entry[index].page)
        return;
    if (movable.zone == ZONE_HIGHMEM && prng_u32(&w->prng) & 1)
        look_through_window(w, index);
    else
        look_as_user(w, index);
}

static void thread_use_pages(void *arg)
{
    struct worker *w = arg;

    for (; !is_over; w->rounds++) {
        uint32_t draw = prng_below(&w->prng, 8);

        if (draw == 0)
            use_block(w);
        else if (draw == 1)
            churn(w);
        else
            look(w);
    }
}

static void compact_often(struct test *t)
{
    uint32_t wanted = COMPACTIONS << test_depth(t);
    uint32_t moved = 0, pinned = 0, pinned_before = movable.refused + movable.kept;
    struct worker own = {.t = t, .number = WORKERS};

    prng_seed(&own.prng, prng_u64(test_prng(t)));
    for (uint32_t i = 0;
         !test_should_stop(t) && (i < wanted || (!thread_preemptions() && i < PATIENCE * wanted));
         i++) {
        struct compact_result r;

        compact_zone(movable.zone, i % 2 ? NR_ORDERS : prng_below(test_prng(t), NR_ORDERS), &r);
        moved += r.moved;
        pinned += r.pinned;
        for (unsigned n = 0; n < CHURNS; n++)
            churn(&own);
        test_progress(t, MIN(i, wanted), wanted);
        thread_yield();
    }
    TEST_CHECK(t,
               moved == movable.moved && pinned <= movable.refused + movable.kept - pinned_before,
               "%u pages moved, %u pinned; the owner knows of %u and %u", moved, pinned,
               movable.moved, movable.refused + movable.kept);
    TEST_CHECK(t, moved > 0, "no page was moved");
    test_log(t, "%u pages moved, %u pinned, of those %u found in use after their owner let go",
             moved, pinned, movable.kept);
}

static void case_in_use(struct test *t)
{
    if (small_zone_open(t, small_zone_best(), &page_alloc_default)) {
        movable_spread(test_prng(t));
        is_over = false;
        if (threads_start(TICK_HZ)) {
            test_error(t, "the timer's interrupt line has no room");
        } else {
            if (workers_start(t, WORKERS, thread_use_pages)) {
                compact_often(t);
                is_over = true;
                test_metric(t, "preemptions", thread_preemptions(), "count");
                TEST_CHECK(t, thread_preemptions() > 0, "nobody was ever preempted");
            }
            is_over = true;
            workers_join(t, "a page that changed, or moved, under its user");
        }
        movable_check(t);
    }
    small_zone_close(t);
}

/* Each wants large blocks: one compacts, the others wait for it, and have their turn. */
static void thread_want_blocks(void *arg)
{
    struct worker *w = arg;
    struct page *block[BLOCKS_EACH];

    for (; w->rounds < BLOCKS_EACH; w->rounds++) {
        block[w->rounds] =
            alloc_pages((gfp_t)movable.zone | __GFP_THISZONE | __GFP_DIRECT_RECLAIM | __GFP_MOVABLE,
                        WANTED_ORDER);
        w->wrong += !block[w->rounds];
        thread_yield();
    }
    while (w->rounds > 0)
        if (block[--w->rounds])
            __free_pages(block[w->rounds], WANTED_ORDER);
}

static void case_on_demand(struct test *t)
{
    struct page_alloc_tuning tuning = page_alloc_default;

    tuning.compaction = true;
    if (small_zone_open(t, small_zone_best(), &tuning)) {
        movable_spread(test_prng(t));
        page_alloc_clear_events();
        if (threads_start(TICK_HZ)) {
            test_error(t, "the timer's interrupt line has no room");
        } else {
            workers_start(t, WORKERS, thread_want_blocks);
            workers_join(t, "no block of many that could be had");
        }
        TEST_CHECK(t, page_alloc_events()->pages_moved == movable.moved && movable.moved > 0,
                   "%u pages were moved, it was counted; the owner knows of %u",
                   page_alloc_events()->pages_moved, movable.moved);
        test_metric(t, "compactions", page_alloc_events()->compactions, "count");
        movable_check(t);
    }
    small_zone_close(t);
}

static const struct test_case cases[] = {{"in_use", case_in_use}, {"on_demand", case_on_demand}};

SUITE(compaction_threads) = {
    .name = "compaction_threads",
    .about = "pages in use stay, and the others are found again, while threads are at work",
    .rank = SUITE_RANK_STRESS,
    .cases = cases,
    .nr_cases = ARRAY_SIZE(cases),
    .abandon = small_zone_give_back,
};
