/* SPDX-License-Identifier: BSD-2-Clause */
/* The threads that the code under test runs in, and what comes in its middle. */
#include "ci/model/kmap_state.h"

#define STACK_BYTES (64u << 10)
#define IRQ_WINDOWS_MAX 2u

static char stacks[MODEL_THREADS][STACK_BYTES];

unsigned number_of(const struct thread *t)
{
    return (unsigned)(t - m.thread);
}

unsigned threads_in(enum state state)
{
    unsigned count = 0;

    for (unsigned i = 0; i < MODEL_THREADS; i++)
        count += m.thread[i].state == state;
    return count;
}

static void back_to_scheduler(struct thread *t)
{
    m.in_coroutine = false;
    swapcontext(&t->context, &m.scheduler);
}

/* The threads that the code under test sleeps in. */

static bool fake_sleep(struct wait_queue *queue)
{
    struct thread *t = m.current;

    CHECK(t->must_sleep, "thread %u sleeps, though there is a window for it", number_of(t));
    if (!m.in_coroutine || threads_in(STATE_ASLEEP) == MODEL_THREADS - 1)
        return false;
    model_now->count[COUNT_SLEPT]++;
    t->state = STATE_ASLEEP;
    t->was_woken = false;
    list_add_tail(&t->link, &queue->sleepers);
    t->preempt_count = processor.cpu.preempt_count;
    processor.cpu.preempt_count = 0;
    back_to_scheduler(t);
    t->state = STATE_IDLE;
    processor.cpu.preempt_count = t->preempt_count;
    return t->was_woken;
}

static void fake_wake(struct wait_queue *queue)
{
    struct thread *t = list_first_entry(&queue->sleepers, struct thread, link);

    list_del(&t->link);
    t->state = STATE_WOKEN;
    t->was_woken = true;
}

const struct wait_ops model_wait_ops = {.sleep = fake_sleep, .wake = fake_wake};

static void interrupt(void)
{
    void *window[IRQ_WINDOWS_MAX];
    unsigned depth = kmap_local_depth(), count = MIN(KMAP_LOCAL_DEPTH - depth, IRQ_WINDOWS_MAX);

    m.in_irq = true;
    model_now->count[COUNT_INTERRUPTED]++;
    for (unsigned i = 0; i < count; i++)
        window[i] = kmap_local_pfn(SOME_PFN + i);
    for (unsigned i = count; i > 0; i--) {
        CHECK(processor_frame_at((virt_t)window[i - 1]) == SOME_PFN + i - 1,
              "an interrupt's window %u shows frame 0x%x", i - 1,
              processor_frame_at((virt_t)window[i - 1]));
        kunmap_local(window[i - 1]);
        CHECK(processor_frame_at((virt_t)window[i - 1]) == NO_PAGE,
              "an interrupt's window %u does not fault after it was given back", i - 1);
    }
    CHECK(kmap_local_depth() == depth, "%u windows after an interrupt, %u before",
          kmap_local_depth(), depth);
    m.in_irq = false;
}

static void on_access(void)
{
    struct thread *t = m.current;

    if (m.in_irq || ++m.accesses != t->op.at + 1u)
        return;
    if (t->op.event == EVENT_IRQ) {
        interrupt();
    } else if (t->op.event == EVENT_PREEMPT && m.in_coroutine && !processor.cpu.preempt_count) {
        model_now->count[COUNT_PREEMPTED]++;
        t->state = STATE_STOPPED;
        back_to_scheduler(t);
        t->state = STATE_IDLE;
    }
}

void act(struct thread *t)
{
    m.accesses = 0;
    processor_on_access =
        t->op.event == EVENT_IRQ || t->op.event == EVENT_PREEMPT ? on_access : NULL;
    processor.greedy = t->op.event == EVENT_WALK;
    actions[t->op.kind](t);
}

static void thread_main(void)
{
    for (;;) {
        struct thread *t = m.current;

        act(t);
        back_to_scheduler(t);
    }
}

void enter(struct thread *t)
{
    if (!t->has_context) {
        getcontext(&t->context);
        t->context.uc_stack.ss_sp = stacks[number_of(t)];
        t->context.uc_stack.ss_size = STACK_BYTES;
        makecontext(&t->context, thread_main, 0);
        t->has_context = true;
    }
    m.in_coroutine = true;
    swapcontext(&m.scheduler, &t->context);
    /* Nothing goes on by itself now; what it stopped in may go on later. */
    processor_on_access = NULL;
    processor.greedy = false;
}

void drop_thread(struct thread *t)
{
    /* A coroutine that is in the middle of something is never entered again. */
    t->has_context = false;
    t->state = STATE_IDLE;
    t->depth = 0;
    kmap_local_saved_init(&t->saved);
    list_init(&t->link);
}

void switch_to(struct thread *t)
{
    struct thread *last = m.current;

    if (t == last)
        return;
    m.current = t;
    kmap_local_switch(&last->saved, &t->saved);
}
