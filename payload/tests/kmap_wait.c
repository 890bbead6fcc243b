/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kmap_wait: who gets a window when there are not enough.
 *
 * No timer runs, so that the order is exact: all windows are in use, threads sleep for one, and
 * windows are given back in a chosen order. A window that comes free belongs to who has slept
 * longest, from that moment on: no newcomer takes it, neither as any free window nor by way of the
 * page that it showed last; and what the sleeper does not need any more goes to the next.
 *
 * Why it can break: between being woken and running, a thread has nothing but a count that says
 * that a window is kept for it. Each case is one way to lose it. A break shows as a thread that
 * gets no window, or sleeps for ever.
 */
#include "drivers/clock.h"
#include "lib/string.h"
#include "lib/x86/cpu.h"
#include "paging/kmap.h"
#include "paging/kmap_local.h"
#include "paging/preempt.h"
#include "payload/tests/highmem_set.h"
#include "payload/thread.h"

#define THREADS 4u
#define TICK_HZ 1000u
#define TICKS 20u

static struct page_set set;
static unsigned nr_held; /* pages 0..nr_held-1 of the set are mapped once by the case */

struct wanter {
    struct thread *thread;
    struct page *page;     /* what it wants */
    bool has_run, has_got; /* it asked; it was given an answer */
    void *window;          /* the answer */
    struct page *also;     /* what it asks for as soon as it has got that, or NULL */
    void *also_window;
    bool keeps; /* it ends without giving back */
};

static struct wanter wanters[THREADS];

static struct page *set_page(uint32_t index)
{
    return pfn_to_page(page_set_pfn(&set, index));
}

/* A page that nobody has mapped, another for each number. */
static struct page *other_page(unsigned number)
{
    return set_page(LAST_PKMAP + number);
}

static void thread_want(void *arg)
{
    struct wanter *w = arg;

    w->has_run = true;
    w->window = kmap(w->page);
    w->has_got = true;
    if (w->also)
        w->also_window = kmap(w->also);
    if (w->keeps)
        return;
    thread_yield();
    if (w->also_window)
        kunmap(w->also);
    if (w->window)
        kunmap(w->page);
}

static void hold_all(struct test *t)
{
    while (nr_held < LAST_PKMAP && kmap(set_page(nr_held)))
        nr_held++;
    TEST_CHECK(t, nr_held == LAST_PKMAP, "%u windows of %u could be had", nr_held, LAST_PKMAP);
}

static void give_back_one(void)
{
    kunmap(set_page(--nr_held));
}

static bool begin(struct test *t)
{
    memset(wanters, 0, sizeof(wanters));
    nr_held = 0;
    kmap_reset(); /* which window comes next is part of what the cases are about */
    if (!highmem_set_take(t, &set))
        return false;
    if (set.nr_visited < 2 * LAST_PKMAP)
        test_skip(t, "less than %u pages of high memory", 2 * LAST_PKMAP);
    else if (threads_start(0) == 0)
        return true;
    page_set_give_back(&set);
    return false;
}

/* Starts thread `number`, which wants the page, and lets it run until it sleeps or has got it. */
static void start(struct test *t, unsigned number, struct page *page)
{
    struct wanter *w = &wanters[number];

    w->page = page;
    w->thread = thread_create("wanter", thread_want, w);
    if (!w->thread)
        test_error(t, "no memory for a thread");
}

static void start_asleep(struct test *t, unsigned number, struct page *page)
{
    start(t, number, page);
    thread_yield();
    TEST_CHECK(t, wanters[number].has_run && !wanters[number].has_got,
               "thread %u does not sleep with all windows in use", number);
}

/* When nobody waits any more, a page keeps its window for the next who wants it. */
static void check_quick_again(struct test *t)
{
    struct page *page = other_page(16);
    uint32_t hits;

    kmap(page);
    kunmap(page);
    hits = kmap_counters.hits;
    kmap(page);
    TEST_CHECK(t, kmap_counters.hits == hits + 1, "a window is not had again, with nobody waiting");
    kunmap(page);
}

/* Waits for all threads; each must have got a window. */
static void end(struct test *t)
{
    for (unsigned i = 0; i < THREADS; i++) {
        struct wanter *w = &wanters[i];

        if (!w->thread)
            continue;
        if (!TEST_CHECK(t, thread_join(w->thread), "thread %u sleeps for ever", i))
            break;
        TEST_CHECK(t, w->window != NULL, "thread %u got no window", i);
        TEST_CHECK(t, !w->also || w->also_window, "thread %u got no second window", i);
    }
    threads_stop();
    while (nr_held)
        give_back_one();
    check_quick_again(t);
    kmap_reset();
    page_set_give_back(&set);
}

/* One window is kept for a sleeper, and the boot thread, which asks before it has run, waits. */
static void check_newcomer_waits(struct test *t, unsigned sleeper, struct page *wanted)
{
    void *window;

    start_asleep(t, sleeper, other_page(sleeper));
    give_back_one();
    window = kmap(wanted);
    TEST_CHECK(t, wanters[sleeper].has_got, "a newcomer has taken the window kept for another");
    TEST_CHECK(t, window != NULL, "the newcomer got no window");
    if (window)
        kunmap(wanted);
}

/* Woken, the sleeper has not run yet when the boot thread asks for a page of its own. */
static void case_newcomer_waits(struct test *t)
{
    if (!begin(t))
        return;
    hold_all(t);
    check_newcomer_waits(t, 0, other_page(8));
    end(t);
}

/*
 * The same, but the newcomer asks for the very page that the window showed last, and which still
 * seems to have it. Our own kmap() let it: found by the model-based test.
 */
static void case_hit_steals_nothing(struct test *t)
{
    if (!begin(t))
        return;
    hold_all(t);
    check_newcomer_waits(t, 0, set_page(nr_held - 1));
    end(t);
}

/*
 * Two windows are kept for two sleepers. The first of them, on its way to its window, has all
 * emptied and flushed, and at once asks for a second one: which is not the other's, though it is
 * free and the next in turn.
 */
static void case_second_helping(struct test *t)
{
    if (!begin(t))
        return;
    hold_all(t);
    wanters[0].also = other_page(8);
    start_asleep(t, 0, other_page(0));
    start_asleep(t, 1, other_page(1));
    give_back_one();
    give_back_one();
    thread_yield();
    TEST_CHECK(t, wanters[1].window != NULL, "thread 0 has taken the window kept for thread 1");
    end(t);
}

/* Who wakes to a page that another has mapped meanwhile leaves what was kept to the next. */
static void case_passed_on(struct test *t)
{
    if (!begin(t))
        return;
    hold_all(t);
    start_asleep(t, 0, other_page(0));
    start_asleep(t, 1, other_page(0));
    start_asleep(t, 2, other_page(2));
    wanters[0].keeps = true;
    give_back_one();
    give_back_one();
    thread_yield();
    thread_yield();
    TEST_CHECK(t, wanters[2].has_got, "thread 2 sleeps, though a window came free for it");
    end(t);
}

/*
 * With all windows in use: one sleeper, two windows that come free, and a newcomer that runs before
 * the sleeper. One of the two is for it.
 */
static void check_spare_is_had(struct test *t, unsigned first)
{
    struct wanter *sleeper = &wanters[first], *newcomer = &wanters[first + 1];

    sleeper->keeps = newcomer->keeps = true;
    start_asleep(t, first, other_page(first + 8));
    start(t, first + 1, other_page(first + 9));
    give_back_one();
    give_back_one();
    thread_yield();
    TEST_CHECK(t, newcomer->has_got, "a newcomer sleeps, with a window to spare");
    TEST_CHECK(t, sleeper->has_got, "the sleeper still sleeps, with two windows free");
}

/* Nothing stays kept when everybody has got theirs. */
static void case_nothing_stays_kept(struct test *t)
{
    if (!begin(t))
        return;
    hold_all(t);
    check_spare_is_had(t, 0);
    check_spare_is_had(t, 2);
    end(t);
}

/*
 * The only thread that could give a window back ends without doing so. The boot thread is let out
 * of its sleep with nothing in its hands, and nothing is taken for kept.
 */
static void case_nobody_left(struct test *t)
{
    void *window;

    if (!begin(t))
        return;
    hold_all(t);
    give_back_one();
    wanters[0].keeps = true;
    start(t, 0, other_page(0));
    thread_yield(); /* it has the last window */
    start(t, 1, other_page(0));
    wanters[1].keeps = true; /* a hit: runs, and ends, while the boot thread sleeps */
    window = kmap(other_page(9));
    TEST_CHECK(t, window == NULL, "a window though all were in use");
    if (window)
        kunmap(other_page(9));
    give_back_one();
    window = kmap(other_page(9));
    TEST_CHECK(t, window != NULL, "no window, though one came free");
    check_newcomer_waits(t, 2, other_page(8));
    end(t);
}

static void thread_count_up(void *arg)
{
    volatile uint32_t *counter = arg;

    for (uint32_t i = 0; i < TICKS; i++) {
        ++*counter;
        thread_yield();
    }
}

/* Ticks come and go, and whoever has preemption off keeps the processor. */
static void case_preemption_off(struct test *t)
{
    static uint32_t counter;
    deadline_t limit = deadline_in_ms(TICKS * 1000 / TICK_HZ);
    struct thread *thread;
    uint32_t before;

    if (threads_start(TICK_HZ)) {
        test_error(t, "the timer's interrupt line has no room");
        return;
    }
    counter = 0;
    preempt_disable();
    thread = thread_create("counter", thread_count_up, &counter);
    before = thread_switches();
    while (!deadline_passed(limit))
        cpu_relax();
    TEST_CHECK(t, thread_switches() == before && counter == 0,
               "another thread has run %u times while preemption was off",
               thread_switches() - before);
    preempt_enable();
    if (thread)
        TEST_CHECK(t, thread_join(thread), "the other thread sleeps for ever");
    threads_stop();
}

static void abandon(void)
{
    page_set_give_back(&set);
}

static const struct test_case cases[] = {
    {"newcomer_waits", case_newcomer_waits},
    {"hit_steals_nothing", case_hit_steals_nothing},
    {"second_helping", case_second_helping},
    {"passed_on", case_passed_on},
    {"nothing_stays_kept", case_nothing_stays_kept},
    {"nobody_left", case_nobody_left},
    {"preemption_off", case_preemption_off},
};

SUITE(kmap_wait) = {
    .name = "kmap_wait",
    .about = "a window that comes free goes to who has slept longest, and to nobody else",
    .rank = SUITE_RANK_WINDOWS,
    .cases = cases,
    .nr_cases = ARRAY_SIZE(cases),
    .abandon = abandon,
};
