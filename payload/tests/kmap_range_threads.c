/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kmap_range_threads: the few large windows among threads.
 *
 * More threads than there are windows map runs of pages, look at them again after others have run,
 * and give them back; whoever finds no window sleeps. Without a timer the order of the sleepers is
 * exact, and is looked at; with one, threads are preempted anywhere, also between taking a window
 * and filling it.
 *
 * Why it can break: a wakeup that is lost, or given to a newcomer; a window that two threads have.
 * A break shows as another page's mark, or as a thread that never ends.
 */
#include "lib/string.h"
#include "lib/x86/cpu.h"
#include "paging/kmap_local.h"
#include "paging/kmap_range.h"
#include "payload/tests/highmem_set.h"
#include "payload/tests/workers.h"

#define TICK_HZ 2000u
#define WORKERS 14u
#define SLEEPERS (WORKERS - 2)
#define ROUNDS 120u
#define BLOCK_PAGES (1u << MAX_ORDER)
#define LINGER_MAX 3000u
#define PATIENCE 100u /* rounds until sleepers are given up, as a multiple of those wanted */

static struct page *block;

static void give_back(void)
{
    if (block)
        __free_pages(block, MAX_ORDER);
    block = NULL;
}

static uint32_t mark_of(const struct page *page)
{
    return hash32(page_to_pfn(page) ^ highmem_salt()) | 1;
}

static bool begin(struct test *t, unsigned hz)
{
    static struct page_set set;

    if (!highmem_set_take(t, &set))
        return false;
    page_set_give_back(&set);
    block = alloc_pages(GFP_HIGHUSER | __GFP_THISZONE, MAX_ORDER);
    for (unsigned i = 0; block && i < BLOCK_PAGES; i++) {
        volatile uint32_t *window = kmap_local_page(block + i);

        *window = mark_of(block + i);
        kunmap_local((const void *)window);
    }
    if (!block)
        test_skip(t, "no block of %u pages in high memory", BLOCK_PAGES);
    else if (threads_start(hz))
        test_error(t, "the timer's interrupt line has no room");
    else
        return true;
    give_back();
    return false;
}

/* How many of a few pages of the window are others'. */
static uint32_t count_wrong(struct worker *w, const char *window, const struct page *first,
                            unsigned count)
{
    uint32_t wrong = 0;

    for (unsigned n = 0; n < 16; n++) {
        unsigned i = prng_below(&w->prng, count);

        wrong += *(const volatile uint32_t *)(window + i * PAGE_SIZE) != mark_of(first + i);
    }
    return wrong;
}

static uint32_t slept_before; /* the case began */

static bool anybody_slept(void)
{
    return kmap_range_counters.slept != slept_before;
}

static void thread_use_windows(void *arg)
{
    struct worker *w = arg;
    uint32_t wanted = test_depth(w->t) == DEPTH_SPARSE ? ROUNDS / 3 : ROUNDS;

    /* On a quick machine they may be done before a tick has come between. */
    for (; w->rounds < wanted || (!anybody_slept() && w->rounds < PATIENCE * wanted); w->rounds++) {
        unsigned count =
            prng_below(&w->prng, 3) ? 1 + prng_below(&w->prng, KMAP_RANGE_PAGES) : KMAP_RANGE_PAGES;
        struct page *first = block + prng_below(&w->prng, BLOCK_PAGES - count + 1);
        void *window;

        if (prng_below(&w->prng, 4) == 0) {
            first = block + KMAP_RANGE_PAGES;
            count = KMAP_RANGE_PAGES;
        }
        window = kmap_range(first, count);
        if (!window) {
            w->wrong++;
            continue;
        }
        w->wrong += count_wrong(w, window, first, count);
        for (uint32_t i = prng_below(&w->prng, LINGER_MAX); i > 0; i--)
            cpu_relax();
        w->wrong += count_wrong(w, window, first, count);
        kunmap_range(window);
    }
}

static void case_contended(struct test *t)
{
    unsigned fresh, used;

    slept_before = kmap_range_counters.slept;
    if (!begin(t, TICK_HZ))
        return;
    if (workers_start(t, WORKERS, thread_use_windows)) {
        workers_join(t, "other pages");
        TEST_CHECK(t, anybody_slept(), "no thread ever slept for a window");
        test_metric(t, "sleeps", kmap_range_counters.slept - slept_before, "count");
        test_metric(t, "preemptions", thread_preemptions(), "count");
    }
    threads_stop();
    kmap_range_usage(&fresh, &used);
    TEST_CHECK(t, used == 0, "%u windows in use that nobody has", used);
    give_back();
}

static struct serving order;

static void thread_want_window(void *arg)
{
    struct worker *w = arg;
    struct page *first = block + w->number;
    const char *window;

    worker_sleeps(&order);
    window = kmap_range(first, KMAP_RANGE_PAGES);
    worker_is_served(&order, w);
    if (!window) {
        w->wrong++;
        return;
    }
    w->wrong += count_wrong(w, window, first, KMAP_RANGE_PAGES);
    thread_yield();
    w->wrong += count_wrong(w, window, first, KMAP_RANGE_PAGES);
    kunmap_range(window);
}

/* All windows held, and SLEEPERS threads asleep for one. */
static void case_sleep_in_order(struct test *t)
{
    void *window[KMAP_RANGE_WINDOWS];

    if (!begin(t, 0))
        return;
    memset(&order, 0, sizeof(order));
    for (unsigned i = 0; i < KMAP_RANGE_WINDOWS; i++)
        window[i] = kmap_range(block + i, KMAP_RANGE_PAGES - 1);
    if (workers_start(t, SLEEPERS, thread_want_window)) {
        thread_yield();
        TEST_CHECK(t, order.nr_asleep == SLEEPERS, "%u threads of %u sleep with no window free",
                   order.nr_asleep, SLEEPERS);
        kunmap_range(window[0]);
        kunmap_range(window[1]);
        /* What is free now is kept for the first sleepers. */
        TEST_CHECK(t, !kmap_range_try(block, 1), "a newcomer gets a window before who sleeps");
        workers_join(t, "other pages");
        serving_check(t, &order, SLEEPERS, "a window");
    }
    threads_stop();
    for (unsigned i = 2; i < KMAP_RANGE_WINDOWS; i++)
        kunmap_range(window[i]);
    give_back();
}

static const struct test_case cases[] = {
    {"sleep_in_order", case_sleep_in_order},
    {"contended", case_contended},
};

SUITE(kmap_range_threads) = {
    .name = "kmap_range_threads",
    .about = "large windows of sleeping and of preempted threads show their own pages",
    .rank = SUITE_RANK_WINDOWS,
    .cases = cases,
    .nr_cases = ARRAY_SIZE(cases),
    .abandon = give_back,
};
