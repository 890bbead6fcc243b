/* SPDX-License-Identifier: BSD-2-Clause */
#include "payload/thread.h"
#include "drivers/irq.h"
#include "drivers/pit.h"
#include "lib/errno.h"
#include "lib/finding.h"
#include "lib/inject.h"
#include "lib/string.h"
#include "lib/x86/cpu.h"
#include "paging/kmap_local.h"
#include "paging/page_alloc.h"
#include "paging/preempt.h"
#include "paging/vmalloc.h"

#define STACK_BYTES (PAGE_SIZE << THREAD_STACK_ORDER)
#define STACK_ALIGN 16u

enum thread_state { THREAD_READY, THREAD_ASLEEP, THREAD_DONE };

struct thread {
    uint32_t esp; /* while it does not run: where its registers are */
    enum thread_state state;
    bool woken;            /* out of its last sleep, by wake_first() */
    uint8_t waits;         /* loops in loops that wait for a device */
    struct list_head link; /* in the run queue, or in that of what it waits for */
    struct list_head all;  /* in the list of all but the boot thread */
    struct kmap_local_saved windows;
    struct wait_queue joiners;
    uint64_t tsc;    /* counts that it ran for, up to its last switch */
    uint64_t waited; /* of these, in loops that wait for a device */
    const char *name;
    thread_fn_t fn;
    void *arg;
    struct page *stack;
    bool stack_is_callers; /* who gets it back as it is */
    void *window;          /* to the stack */
};

#ifndef __CHECKER__ /* whose pointers have 64 bits */
_Static_assert(STACK_BYTES - ALIGN_UP(sizeof(struct thread), STACK_ALIGN) == THREAD_STACK_USABLE,
               "the stack `worker` of ci/stack.cfg is not that of the code");
#endif

/* What thread_switch() leaves on a stack, as a new thread finds it. */
struct first_frame {
    uint32_t edi, esi, ebx, ebp, eip;
};

void thread_switch(uint32_t *save_esp, uint32_t esp);
__noreturn void thread_main(void);
extern const char thread_begin[];

/* Guarded by interrupts being off. */
static struct {
    struct thread boot;
    struct thread *running;
    struct list_head ready;
    struct list_head all;
    bool started, ticking;
    uint32_t switches, preemptions;
    uint64_t since; /* the TSC when `running` began to run */
} threads;

struct thread *thread_current(void)
{
    return threads.running;
}

const char *thread_name(const struct thread *thread)
{
    return thread->name;
}

uint32_t thread_switches(void)
{
    return threads.switches;
}

uint32_t thread_preemptions(void)
{
    return threads.preemptions;
}

/* Gives the time since the last switch to who ran. Context: interrupts off. */
static void account(void)
{
    uint64_t now = rdtsc();

    threads.running->tsc += now - threads.since;
    if (threads.running->waits)
        threads.running->waited += now - threads.since;
    threads.since = now;
}

/* Of the running thread: what it has had, or what of it it spent waiting. */
static uint64_t accounted(bool waited)
{
    uint32_t flags = irq_save();
    uint64_t tsc;

    account();
    tsc = waited ? threads.running->waited : threads.running->tsc;
    irq_restore(flags);
    return tsc;
}

uint64_t thread_tsc(void)
{
    return accounted(false);
}

uint64_t thread_waited_tsc(void)
{
    return accounted(true);
}

static void note_wait(bool begins)
{
    uint32_t flags = irq_save();

    account();
    if (!inject(thread_wait_untold, dma_stress))
        threads.running->waits += begins ? 1 : -1;
    irq_restore(flags);
}

static void make_ready(struct thread *thread)
{
    thread->state = THREAD_READY;
    list_add_tail(&thread->link, &threads.ready);
}

/* Runs the first thread that is ready; there is one. Context: interrupts off. */
static void run_next(void)
{
    struct thread *next = list_first_entry(&threads.ready, struct thread, link);
    struct thread *last = threads.running;

    list_del(&next->link);
    if (next == last)
        return;
    threads.switches++;
    account();
    threads.running = next;
    if (!inject(thread_skip_windows, kmap_threads))
        kmap_local_switch(&last->windows, &next->windows);
    thread_switch(&last->esp, next->esp);
}

void thread_yield(void)
{
    uint32_t flags = irq_save();

    if (threads.started && !list_empty(&threads.ready)) {
        make_ready(threads.running);
        run_next();
    }
    irq_restore(flags);
}

void thread_interrupt_exit(void)
{
    struct cpu *cpu = this_cpu();

    if (!cpu->resched_wanted || cpu->irq_depth || list_empty(&threads.ready))
        return;
    if (cpu->preempt_count && !inject(thread_preempt_anyway, kmap_wait))
        return;
    cpu->resched_wanted = false;
    threads.preemptions++;
    make_ready(threads.running);
    run_next();
}

static bool on_tick(void *ctx)
{
    (void)ctx;
    this_cpu()->resched_wanted = true;
    return true;
}

static bool sleep_in(struct wait_queue *queue)
{
    struct thread *self = threads.running;
    uint32_t flags = irq_save(), preempt_count = this_cpu()->preempt_count;

    if (list_empty(&threads.ready)) {
        irq_restore(flags);
        return false;
    }
    self->state = THREAD_ASLEEP;
    self->woken = false;
    list_add_tail(&self->link, &queue->sleepers);
    this_cpu_set(preempt_count, 0);
    run_next();
    /* Of the processor that it runs on now. */
    if (!inject(thread_lose_preempt_count, kmap_threads))
        this_cpu_set(preempt_count, preempt_count);
    irq_restore(flags);
    return self->woken || inject(thread_wake_forsaken, kmap_wait);
}

static void wake_first(struct wait_queue *queue)
{
    uint32_t flags = irq_save();

    if (!wait_is_empty(queue)) {
        struct thread *thread = list_first_entry(&queue->sleepers, struct thread, link);

        if (inject(thread_wake_last, kmap_threads))
            thread = container_of(queue->sleepers.prev, struct thread, link);

        list_del(&thread->link);
        thread->woken = true;
        make_ready(thread);
    }
    irq_restore(flags);
}

/* Of whoever asks a device in a loop; where preemption is off, the processor is to be kept. */
static void yield_if_allowed(void)
{
    if (this_cpu()->preempt_count == 0)
        thread_yield();
}

int threads_start(unsigned hz)
{
    static const struct wait_ops ops = {
        .sleep = sleep_in, .wake = wake_first, .yield = yield_if_allowed, .waits = note_wait};
    int error;

    memset(&threads, 0, sizeof(threads));
    list_init(&threads.ready);
    list_init(&threads.all);
    list_init(&threads.boot.link);
    threads.boot.name = "boot";
    threads.running = &threads.boot;
    threads.since = rdtsc();
    threads.started = true;
    this_cpu()->resched_wanted = false;
    wait_set_ops(&ops);
    if (hz) {
        error = irq_request(PIT_IRQ_LINE, on_tick, NULL, "threads");
        if (error) {
            threads_stop();
            return error;
        }
        pit_start(MIN(hz, THREAD_HZ_MAX));
        threads.ticking = true;
    }
    return 0;
}

static void free_thread(struct thread *thread)
{
    struct page *stack = thread->stack;
    void *window = thread->window;
    bool is_ours = !thread->stack_is_callers;
    uint32_t flags = irq_save();

    list_del(&thread->all);
    irq_restore(flags);
    /* The descriptor goes with the stack. */
    vunmap(window);
    if (is_ours || inject(thread_free_lent_stack, lowmem_stacks))
        __free_pages(stack, THREAD_STACK_ORDER);
}

bool threads_are_started(void)
{
    return threads.started;
}

unsigned threads_stop(void)
{
    struct thread *thread, *ahead;
    unsigned forgotten = 0;

    if (threads.ticking) {
        pit_stop();
        irq_free(PIT_IRQ_LINE, on_tick, NULL);
    }
    threads.started = threads.ticking = false;
    threads.running = &threads.boot;
    this_cpu()->preempt_count = 0;
    this_cpu()->resched_wanted = false;
    wait_set_ops(NULL);
    list_for_each_entry_safe (thread, ahead, &threads.all, all) {
        forgotten += thread->state != THREAD_DONE;
        list_del(&thread->link); /* it may stand in the queue of what it waited for */
        free_thread(thread);
    }
    list_init(&threads.ready);
    return forgotten;
}

static void *map_stack(struct page *stack, unsigned order)
{
    struct page *pages[1u << THREAD_STACK_ORDER];

    for (unsigned i = 0; i < 1u << order; i++)
        pages[i] = stack + i;
    return vmap(pages, 1u << order, PAGE_KERNEL);
}

/* All but its stack's owner as in thread_create_on(). */
static struct thread *create(struct page *stack, unsigned order, bool stack_is_callers,
                             const char *name, thread_fn_t fn, void *arg)
{
    char *window = map_stack(stack, order);
    struct first_frame *frame;
    struct thread *thread;
    uint32_t flags;

    if (!window)
        return NULL;
    thread =
        (struct thread *)(window + (PAGE_SIZE << order) - ALIGN_UP(sizeof(*thread), STACK_ALIGN));
    frame = (struct first_frame *)thread - 1;
    *frame = (struct first_frame){.eip = (uint32_t)thread_begin};
    *thread = (struct thread){.esp = (uint32_t)frame,
                              .name = name,
                              .fn = fn,
                              .arg = arg,
                              .stack = stack,
                              .stack_is_callers = stack_is_callers,
                              .window = window};
    list_init(&thread->link);
    list_init(&thread->joiners.sleepers);
    kmap_local_saved_init(&thread->windows);
    flags = irq_save();
    list_add_tail(&thread->all, &threads.all);
    make_ready(thread);
    irq_restore(flags);
    return thread;
}

struct thread *thread_create_on(struct page *stack, unsigned order, const char *name,
                                thread_fn_t fn, void *arg)
{
    return create(stack, order, true, name, fn, arg);
}

struct thread *thread_create(const char *name, thread_fn_t fn, void *arg)
{
    struct page *stack = alloc_pages(GFP_KERNEL, THREAD_STACK_ORDER);
    struct thread *thread;

    if (!stack)
        return NULL;
    thread = create(stack, THREAD_STACK_ORDER, false, name, fn, arg);
    if (!thread)
        __free_pages(stack, THREAD_STACK_ORDER);
    return thread;
}

/* Where a new thread begins, switched to with interrupts off. */
void thread_main(void)
{
    struct thread *self = threads.running;

    irq_enable();
    self->fn(self->arg);
    irq_disable();
    if (this_cpu()->preempt_count) {
        finding("thread %s ended with preemption off (%u)", self->name, this_cpu()->preempt_count);
        this_cpu()->preempt_count = 0;
    }
    if (kmap_local_depth()) {
        finding("thread %s ended with %u kmap_local windows open", self->name, kmap_local_depth());
        kmap_local_unwind(0);
    }
    self->state = THREAD_DONE;
    while (!wait_is_empty(&self->joiners))
        wake_first(&self->joiners);
    if (list_empty(&threads.ready)) {
        /* All others sleep, and nobody is left to wake them: let the boot thread find out. */
        list_del(&threads.boot.link);
        make_ready(&threads.boot);
    }
    run_next();
    for (;;)
        ; /* a thread that is done is never run */
}

bool thread_join(struct thread *thread)
{
    bool done;

    preempt_disable();
    while (thread->state != THREAD_DONE && wait_sleep(&thread->joiners))
        ;
    done = thread->state == THREAD_DONE;
    preempt_enable();
    if (done)
        free_thread(thread);
    return done;
}

void thread_tell_stacks(void (*fn)(void *ctx, virt_t window, struct page *stack), void *ctx)
{
    const struct thread *thread;

    if (!threads.started)
        return;
    list_for_each_entry (thread, &threads.all, all)
        fn(ctx, (virt_t)thread->window, thread->stack);
}
