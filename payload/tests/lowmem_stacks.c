/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lowmem_stacks: no thread can be started, with a quarter of lowmem free.
 *
 * The night's walk over all files has filled lowmem with pages of small objects (inodes, dentries,
 * buffer heads) and, between them, with the page cache of the block devices, which is always
 * lowmem. In the morning most of the cache has been given back, in no order that has to do with
 * where it lay. Now threads come, one a step, each with a stack of two pages side by side, and end
 * after a random time; there are more of them by and by, up to a number that there would be memory
 * for. In between pages of both other kinds come and go. The page allocator gives single pages to
 * those who want single pages, so that the pairs are left to the threads; and still there comes a
 * thread for which there is no pair.
 *
 * Stacks are taken as a kernel takes them, and stamped. On every eighth, up to REAL_MAX of them at
 * a time, a thread of payload/thread.h is born, sleeps with marks on its stack, is woken and ends;
 * for all to be real, the vmalloc area has too few windows.
 *
 * Why it can break: a page given out twice, moved without its contents or with its owner not told,
 * or merged with a neighbour that is in use. It shows as a stamp that changed, as a thread whose
 * marks did, or as memory that is not back in the end.
 */
#include "lib/inject.h"
#include "lib/string.h"
#include "paging/preempt.h"
#include "payload/tests/lowmem_held.h"
#include "payload/thread.h"

/*
 * What a night takes, two pages at a time, in percent of the pages that the laboratory leaves: a
 * page of the inode table and the inodes made from it, two pages of a file read ahead, two pages of
 * other objects, and stacks of the first threads.
 */
#define INODES_PERCENT 80u
#define FILE_PERCENT 12u
#define OBJECTS_PERCENT 4u
#define STACKS_PERCENT 4u

#define MORNING_PERCENT 18u /* cache that is left of it */
#define ALIVE_PERCENT 15u   /* stacks when as many end as come */
#define FREE_PERCENT 25u    /* free, at least, when it wedges */
#define CHURN 16u           /* steps to a page that comes and goes, of either kind */

/* Of ZONE_NORMAL: with 4 MiB and less one seed of a hundred finds a pair for ever. */
#define LOWMEM_LEAST (MIB(8) / PAGE_SIZE)

#define REAL_EVERY 8u /* stacks to one that a thread runs on */
#define REAL_MAX 512u /* at a time */
#define NR_MARKS 8u

_Static_assert(THREAD_STACK_USABLE - PAGE_SIZE >= 3856 + 32,
               "the stack `sleeper` of ci/stack.cfg is not that of the code");

/* A thread that runs on a stack of ours. */
struct sleeper {
    struct thread *thread;
    struct wait_queue until;
    uint32_t mark;
    unsigned order;
    bool wanted, slept, marks_hold;
};

static struct {
    struct held small, cache, stacks; /* those that nobody runs on */
    struct held real;                 /* stack i is that of sleeper[i] */
    struct sleeper *sleeper[REAL_MAX], slot[REAL_MAX];
    uint32_t pages; /* lowmem to play with */
    uint32_t alive; /* threads, when as many end as come */
    unsigned order;
    uint32_t started, switched;
} state;

static uint32_t percent_of_pages(uint32_t percent)
{
    return state.pages / 100 * percent;
}

/* The lowest words of a stack, far from where the thread is. */
static volatile uint32_t *lowest_word(const volatile void *on_stack, unsigned order)
{
    virt_t page = ALIGN_DOWN((virt_t)on_stack, PAGE_SIZE);

    return (volatile uint32_t *)(page - ((1u << order) - 1) * PAGE_SIZE);
}

/* What a thread does: nothing, but on a stack, with marks in its frame and at the stack's end. */
static void thread_sleeps(void *arg)
{
    struct sleeper *self = arg;
    volatile uint32_t marks[NR_MARKS];
    volatile uint32_t *lowest = lowest_word(marks, self->order);
    bool hold = true;

    for (unsigned i = 0; i < NR_MARKS; i++)
        marks[i] = lowest[i] = hash32(self->mark + i);
    preempt_disable();
    self->slept = true;
    while (!self->wanted && wait_sleep(&self->until))
        ;
    preempt_enable();
    for (unsigned i = 0; i < NR_MARKS; i++)
        hold = hold && marks[i] == hash32(self->mark + i) && lowest[i] == marks[i];
    self->marks_hold = hold;
}

/* The marks as the direct map shows them, which is not where the thread wrote them. */
static bool shows_marks(const struct page *stack, uint32_t mark)
{
    const volatile uint32_t *words = lowmem_page_address(stack);

    for (unsigned i = 0; i < NR_MARKS; i++)
        if (words[i] != hash32(mark + i))
            return false;
    return true;
}

static void run_thread(struct test *t, struct page *stack)
{
    uint32_t index = state.real.count - 1;
    struct sleeper *self = state.sleeper[index];

    *self = (struct sleeper){.mark = prng_u32(test_prng(t)), .order = state.order};
    list_init(&self->until.sleepers);
    self->thread = thread_create_on(stack, state.order, "sleeper", thread_sleeps, self);
    if (!self->thread) {
        test_error(t, "no window for the stack of thread %u", state.started);
        held_give(&state.real, index);
        return;
    }
    thread_yield();
    TEST_CHECK(t, self->slept && shows_marks(stack, self->mark),
               "a thread on the stack at physical 0x%llx %s", addr_number(page_to_phys(stack)),
               self->slept ? "left other marks than its own" : "never ran");
}

static void end_thread(struct test *t, uint32_t index)
{
    struct sleeper *self = state.sleeper[index];
    struct page *stack = state.real.block[index].page;

    TEST_CHECK(t, shows_marks(stack, self->mark),
               "the end of a stack at physical 0x%llx was written over while its thread slept",
               addr_number(page_to_phys(stack)));
    self->wanted = true;
    preempt_disable();
    wait_wake(&self->until);
    preempt_enable();
    TEST_CHECK(t, thread_join(self->thread) && self->marks_hold,
               "the marks of a thread on the stack at physical 0x%llx have changed",
               addr_number(page_to_phys(stack)));
    state.switched++;
    held_stamp(&state.real, index);
    held_give(&state.real, index);
    /* As the table of stacks does it; what is free stands behind. */
    state.sleeper[index] = state.sleeper[state.real.count];
    state.sleeper[state.real.count] = self;
}

static bool start_one(struct test *t)
{
    bool real = state.started % REAL_EVERY == 0 && state.real.count < state.real.max;
    struct page *stack = held_take(real ? &state.real : &state.stacks);

    if (!stack)
        return false;
    state.started++;
    if (real)
        run_thread(t, stack);
    return true;
}

static void end_one(struct lab *lab)
{
    uint32_t index = prng_below(lab->prng, state.stacks.count + state.real.count);

    if (index < state.real.count)
        end_thread(lab->t, index);
    else
        held_give(&state.stacks, index - state.real.count);
}

static const char *stacks_begin(struct lab *lab)
{
    uint32_t lowmem = nr_free_pages(ZONE_DMA) + nr_free_pages(ZONE_NORMAL);
    const char *lack;

    memset(&state, 0, sizeof(state));
    state.order = lab_has(lab, LAB_SMALLER) ? 0 : THREAD_STACK_ORDER;
    for (unsigned i = 0; i < REAL_MAX; i++)
        state.sleeper[i] = &state.slot[i];
    lack = held_open(&state.small, lab, "small", 'o', GFP_KERNEL, 0, lowmem / 2);
    if (!lack)
        lack = held_open(&state.cache, lab, "cache", 'c', GFP_KERNEL | __GFP_MOVABLE, 0, lowmem);
    if (!lack)
        lack = held_open(&state.stacks, lab, "stacks", 't', GFP_KERNEL, state.order,
                         lowmem >> state.order);
    if (!lack)
        lack = held_open(&state.real, lab, "running", 'r', GFP_KERNEL, state.order, REAL_MAX);
    if (!lack && threads_start(0))
        lack = "no threads";
    return lack;
}

/* The night: all kinds in turns, each as often as there is more of it to come. */
static bool fill(struct lab *lab)
{
    struct {
        struct held *one, *other; /* NULL: the one is two pages */
        uint32_t left;
    } kind[] = {
        {&state.cache, &state.small, percent_of_pages(INODES_PERCENT) / 2},
        {&state.cache, &state.cache, percent_of_pages(FILE_PERCENT) / 2},
        {&state.small, &state.small, percent_of_pages(OBJECTS_PERCENT) / 2},
        {&state.stacks, NULL, percent_of_pages(STACKS_PERCENT) / 2},
    };
    uint32_t left = 0;

    for (unsigned i = 0; i < ARRAY_SIZE(kind); i++)
        left += kind[i].left;
    for (; left > 0; left--) {
        uint32_t draw = prng_below(lab->prng, left);
        unsigned i = 0;

        while (draw >= kind[i].left)
            draw -= kind[i++].left;
        /* In the end there may be no pair for a stack: nobody misses a thread of the night. */
        if (!held_take(kind[i].one) && kind[i].other)
            return false;
        if (kind[i].other && !held_take(kind[i].other))
            return false;
        kind[i].left--;
    }
    return true;
}

static const char *stacks_start(struct lab *lab)
{
    state.pages = lab->left[ZONE_DMA] + lab->left[ZONE_NORMAL];
    /* With as many threads as pages none ends. */
    state.alive = lab->size ? (uint32_t)MIN(lab->size, state.pages)
                            : percent_of_pages(ALIVE_PERCENT) >> THREAD_STACK_ORDER;
    held_prove_stamps(&state.cache);
    if (!fill(lab))
        return "there is not enough lowmem for its first threads";
    while (state.cache.count > percent_of_pages(MORNING_PERCENT))
        held_give_any(&state.cache);
    return NULL;
}

static void churn(struct held *held)
{
    held_give_any(held);
    held_take(held);
}

static void tell_wedge(struct lab *lab)
{
    uint32_t free = nr_free_pages(ZONE_DMA) + nr_free_pages(ZONE_NORMAL);
    uint32_t percent = free * 100 / state.pages;

    test_log(lab->t, "thread %u had no stack: %u live, %u %% of lowmem free", state.started + 1,
             state.stacks.count + state.real.count, percent);
    if (lab->remedies == 0 && !lab->as_told)
        TEST_CHECK(lab->t, percent >= FREE_PERCENT,
                   "only %u %% of lowmem was free, %u %% at least wanted", percent, FREE_PERCENT);
}

static enum lab_step stacks_step(struct lab *lab)
{
    uint32_t live = state.stacks.count + state.real.count;

    if (state.started % CHURN == 0)
        churn(&state.small);
    if (state.started % CHURN == CHURN / 2)
        churn(&state.cache);
    if (prng_below(lab->prng, state.alive) < live)
        end_one(lab);
    if (start_one(lab->t))
        return LAB_GOES_ON;
    tell_wedge(lab);
    return LAB_WEDGED;
}

static void stacks_end(struct lab *lab)
{
    while (threads_are_started() && state.real.count)
        end_thread(lab->t, state.real.count - 1);
    threads_stop();
    if (state.switched)
        test_log(lab->t, "%u of the threads ran, and ended as they should", state.switched);
    for (uint32_t i = 0; i < state.real.count; i++)
        held_stamp(&state.real, i);
    held_close(&state.real);
    held_close(&state.stacks);
    held_close(&state.cache);
    held_close(&state.small);
}

/* Whoever faulted, from here on the boot thread runs alone. */
static void abandon(void)
{
    threads_stop();
    lab_abandon();
}

static const struct lab_remedy_use uses[] = {
    {LAB_SMALLER, 10, "stacks are single pages"},
    {LAB_MOBILITY, 10, NULL},
    {LAB_COMPACTION, 10, "the page cache lets its pages be moved"},
    {LAB_RECLAIM, 10, "the page cache gives pages up"},
    {LAB_PCP, 0, NULL},
};

static const struct lab_workload workload = {
    .name = "stacks",
    .unit = "threads",
    .uses = uses,
    .nr_uses = ARRAY_SIZE(uses),
    .begin = stacks_begin,
    .start = stacks_start,
    .step = stacks_step,
    .end = stacks_end,
    .lowmem_least = LOWMEM_LEAST,
    .must_wedge = true,
};

LAB_CASE(none, &workload, -1)
LAB_CASE(smaller, &workload, 0)
LAB_CASE(mobility, &workload, 1)
LAB_CASE(compaction, &workload, 2)
LAB_CASE(reclaim, &workload, 3)
LAB_CASE(pcp, &workload, 4)

static const struct test_case cases[] = {
    {"none", case_none},         {"smaller", case_smaller},
    {"mobility", case_mobility}, {"compaction", case_compaction},
    {"reclaim", case_reclaim},   {"pcp", case_pcp},
};

SUITE(lowmem_stacks) = {
    .name = "lowmem_stacks",
    .about = "stacks of two pages, when lowmem is free in single ones",
    .rank = SUITE_RANK_STRESS,
    .cases = cases,
    .nr_cases = ARRAY_SIZE(cases),
    .sizes = "stacks",
    .abandon = abandon,
};
