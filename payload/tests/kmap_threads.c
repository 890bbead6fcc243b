/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kmap_threads: windows among threads.
 *
 * Threads that are preempted at any instruction map, touch and unmap pages; more of them than
 * kmap() has windows, so that they sleep and are woken; with nested windows of kmap_local_page()
 * open while others use the same slots. Every page holds its own mark, and whoever looks through a
 * window finds the mark of the page that it asked for.
 *
 * Why it can break: a switch that does not bring a thread's own windows back, or leaves a
 * translation of another's behind; a wakeup that is lost, or given to a newcomer; an interrupt that
 * clobbers a register or the flags. A break shows as a page's mark that is another's, or as a
 * thread that never ends.
 */
#include "lib/string.h"
#include "lib/x86/cpu.h"
#include "paging/kmap.h"
#include "paging/kmap_local.h"
#include "payload/oracle.h"
#include "payload/tests/highmem_set.h"
#include "payload/tests/workers.h"

#define TICK_HZ 2000u
#define WORKERS 8u
#define ROUNDS 400u
#define ROUNDS_SPARSE 100u
#define NESTED 6u
#define PATIENCE 100u /* rounds until a timer, or others, are given up: times those wanted */
#define SLEEPERS 12u

static struct page_set set;

static struct page *set_page(uint32_t index)
{
    return pfn_to_page(page_set_pfn(&set, index));
}

static uint32_t mark_of(const struct page *page)
{
    return hash32(page_to_pfn(page) ^ highmem_salt());
}

static void mark(struct page *page)
{
    volatile uint32_t *window = kmap_local_page(page);

    *window = mark_of(page);
    kunmap_local((const void *)window);
}

static bool shows(const volatile uint32_t *window, const struct page *page)
{
    return *window == mark_of(page);
}

static uint32_t rounds(struct test *t)
{
    return test_depth(t) == DEPTH_SPARSE ? ROUNDS_SPARSE : ROUNDS;
}

/* All of high memory, its pages marked, and threads that a timer switches. */
static bool begin(struct test *t, unsigned hz)
{
    uint32_t count;

    if (!highmem_set_take(t, &set))
        return false;
    count = MIN(set.nr_visited, 4 * LAST_PKMAP);
    for (uint32_t i = 0; i < count; i++)
        mark(set_page(i));
    if (count < 4 * LAST_PKMAP)
        test_skip(t, "less than %u pages of high memory", 4 * LAST_PKMAP);
    else if (threads_start(hz))
        test_error(t, "the timer's interrupt line has no room");
    else
        return true;
    page_set_give_back(&set);
    return false;
}

static struct page *any_page(struct worker *w, unsigned nr_pages)
{
    return set_page(prng_below(&w->prng, nr_pages));
}

/* Spins for a while, so that a tick is likely to fall here. */
static void linger(struct worker *w)
{
    for (uint32_t i = prng_below(&w->prng, 2000); i > 0; i--)
        cpu_relax();
}

/* Nested short windows, looked at again after others have run. */
static void thread_nest(void *arg)
{
    struct worker *w = arg;
    uint32_t wanted = rounds(w->t);

    for (; w->rounds < wanted || (thread_preemptions() <= WORKERS && w->rounds < PATIENCE * wanted);
         w->rounds++) {
        struct page *page[NESTED];
        void *window[NESTED];
        unsigned depth = 1 + prng_below(&w->prng, NESTED);

        for (unsigned i = 0; i < depth; i++) {
            page[i] = any_page(w, 4 * LAST_PKMAP);
            window[i] = kmap_local_page(page[i]);
        }
        linger(w);
        if (w->number == 1 && w->rounds == 1) {
            for (unsigned i = 0; i < depth; i++)
                oracle_window(window[i], page_to_phys(page[i]));
            oracle_point("thread_switched");
        }
        for (unsigned i = 0; i < depth; i++)
            w->wrong += !shows(window[i], page[i]);
        for (unsigned i = depth; i > 0; i--)
            kunmap_local(window[i - 1]);
    }
}

static void case_local_preempted(struct test *t)
{
    if (!begin(t, TICK_HZ))
        return;
    if (workers_start(t, WORKERS, thread_nest)) {
        uint32_t preemptions;

        workers_join(t, "other pages");
        preemptions = thread_preemptions();
        TEST_CHECK(t, preemptions > WORKERS, "the timer switched threads %u times", preemptions);
        test_metric(t, "preemptions", preemptions, "count");
    }
    threads_stop();
    page_set_give_back(&set);
}

/* Lasting windows: few pages that all threads share, and many that wrap the pool. */
static void thread_share(void *arg)
{
    struct worker *w = arg;
    uint32_t wanted = rounds(w->t);

    for (; w->rounds < wanted; w->rounds++) {
        unsigned nr_pages = prng_below(&w->prng, 2) ? WORKERS : 4 * LAST_PKMAP;

        for (unsigned i = 0; i < 16; i++) {
            struct page *page = any_page(w, nr_pages);
            const volatile uint32_t *window = kmap(page);

            w->wrong += !shows(window, page);
            if (i == 0)
                linger(w);
            w->wrong += !shows(window, page) || page_address(page) != (const void *)window;
            kunmap(page);
        }
    }
}

static void case_kmap_preempted(struct test *t)
{
    if (!begin(t, TICK_HZ))
        return;
    if (workers_start(t, WORKERS, thread_share))
        workers_join(t, "other pages");
    threads_stop();
    page_set_give_back(&set);
}

static struct serving order;

static void thread_want_window(void *arg)
{
    struct worker *w = arg;
    struct page *page = set_page(LAST_PKMAP + w->number);
    const volatile uint32_t *window;

    worker_sleeps(&order);
    window = kmap(page);
    worker_is_served(&order, w);
    w->wrong += !window || !shows(window, page);
    thread_yield();
    w->wrong += !window || !shows(window, page);
    kunmap(page);
}

/*
 * All windows in use, SLEEPERS threads asleep for one, and windows given back one by one: each goes
 * to who has slept longest, and nobody sleeps for ever. Without a timer, so that the order is
 * exact.
 */
static void case_sleep_in_order(struct test *t)
{
    unsigned nr_held = 0;

    if (!begin(t, 0))
        return;
    memset(&order, 0, sizeof(order));
    while (nr_held < LAST_PKMAP && kmap(set_page(nr_held)))
        nr_held++;
    TEST_CHECK(t, nr_held == LAST_PKMAP, "%u windows of %u could be had", nr_held, LAST_PKMAP);
    if (workers_start(t, SLEEPERS, thread_want_window)) {
        thread_yield();
        TEST_CHECK(t, order.nr_asleep == SLEEPERS, "%u threads of %u sleep with the pool full",
                   order.nr_asleep, SLEEPERS);
        for (unsigned i = 0; i < SLEEPERS / 2; i++)
            kunmap(set_page(--nr_held));
        workers_join(t, "other pages");
        serving_check(t, &order, SLEEPERS, "a window");
    }
    threads_stop();
    while (nr_held > 0)
        kunmap(set_page(--nr_held));
    page_set_give_back(&set);
}

/*
 * Threads hold windows and want more; the timer mixes them. What is left of the pool is one window
 * more than they have when each waits for its last one: so somebody can always go on, and when all
 * hold what they want at once, somebody has to wait.
 */
#define HELD_MOST (LAST_PKMAP * 7 / 8 / WORKERS)
#define CONTENDED (WORKERS * (HELD_MOST - 1) + 1)
#define OTHERS_PAGES (3 * LAST_PKMAP)      /* from here on in the set, the case's own */
#define OWN_PAGES (OTHERS_PAGES / WORKERS) /* of each thread */

static volatile bool has_waited;

static void thread_hold_many(void *arg)
{
    struct worker *w = arg;
    uint32_t wanted = rounds(w->t) / 20;

    for (; w->rounds < wanted || (!has_waited && w->rounds < PATIENCE * wanted); w->rounds++) {
        unsigned count = HELD_MOST - !prng_below(&w->prng, WORKERS);
        unsigned first = w->number * OWN_PAGES + prng_below(&w->prng, OWN_PAGES - count);

        for (unsigned i = 0; i < count; i++) {
            const volatile uint32_t *window = kmap(set_page(first + i));

            w->wrong += !window || !shows(window, set_page(first + i));
        }
        thread_yield();
        linger(w);
        has_waited = has_waited || kmap_pool.waiting;
        for (unsigned i = 0; i < count; i++) {
            const volatile uint32_t *window = page_address(set_page(first + i));

            w->wrong += !window || !shows(window, set_page(first + i));
            kunmap(set_page(first + i));
        }
    }
}

static void case_pool_contended(struct test *t)
{
    unsigned nr_held = 0;

    if (!begin(t, TICK_HZ))
        return;
    has_waited = false;
    while (nr_held < LAST_PKMAP - CONTENDED)
        if (kmap(set_page(OTHERS_PAGES + nr_held)))
            nr_held++;
    if (workers_start(t, WORKERS, thread_hold_many)) {
        workers_join(t, "other pages");
        TEST_CHECK(t, has_waited, "nobody ever waited for one of %u windows", CONTENDED);
    }
    threads_stop();
    while (nr_held > 0)
        kunmap(set_page(OTHERS_PAGES + --nr_held));
    page_set_give_back(&set);
}

static void abandon(void)
{
    page_set_give_back(&set);
}

static const struct test_case cases[] = {
    {"local_preempted", case_local_preempted},
    {"kmap_preempted", case_kmap_preempted},
    {"sleep_in_order", case_sleep_in_order},
    {"pool_contended", case_pool_contended},
};

SUITE(kmap_threads) = {
    .name = "kmap_threads",
    .about = "windows of preempted and of sleeping threads show their own pages",
    .rank = SUITE_RANK_WINDOWS,
    .cases = cases,
    .nr_cases = ARRAY_SIZE(cases),
    .abandon = abandon,
};
