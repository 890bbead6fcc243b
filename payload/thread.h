/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAYLOAD_THREAD_H
#define PAYLOAD_THREAD_H

/*
 * Kernel threads: preemptive, round robin, on the timer.
 *
 *      thread_create()        tick, or preemption             fn returns
 *     ──────────────► ready ◄────────────────────► running ──────────────► done
 *                       ▲                             │
 *                       └──────── wait_wake() ◄─ asleep (a wait queue)
 *
 * A stack is an order-1 block (8 KiB) from the page allocator, seen through a window of its own in
 * the vmalloc area with an unmapped page on either side, so that running over it faults at once.
 * The thread's descriptor stands at its upper end.
 *
 * Windows of kmap_local_page() belong to a thread: they are closed when it is switched away, and
 * opened again, at the same addresses, before it goes on.
 *
 * Threads exist between threads_start() and threads_stop() of one case; outside of it there is the
 * boot thread, and no timer runs. A fault ends the case on the boot thread, and all others with it.
 */

#include "lib/types.h"
#include "paging/wait.h"

#define THREAD_STACK_ORDER 1u
#define THREAD_STACK_USABLE 7984u /* bytes below the descriptor; ci/stack.cfg has it too */
#define THREAD_HZ_MAX 10000u

struct page;
struct thread;

typedef void (*thread_fn_t)(void *arg);

/*
 * Lets the timer tick `hz` times a second (19..THREAD_HZ_MAX); at each tick another thread runs, if
 * one is ready. 0: no timer; threads change only when they sleep, yield or end.
 * Returns 0, or a negative errno if the timer's line has no room for a handler.
 * Context: boot thread.
 */
int threads_start(unsigned hz);

/*
 * Stops the timer. Threads that are not done, which the case has then forgotten, are ended where
 * they are; returns how many. After a fault, from whatever thread it came, the caller is the boot
 * thread again, and this puts the rest in order.
 * Context: boot thread.
 */
unsigned threads_stop(void);

/* Between threads_start() and threads_stop()? */
bool threads_are_started(void);

/*
 * A new thread that runs fn(arg) and then ends; it is ready at once. NULL if there is no memory for
 * its stack or no room for its window. name: not copied. Context: thread.
 */
struct thread *thread_create(const char *name, thread_fn_t fn, void *arg);

/*
 * The same on a stack that the caller has, a block of pages of order 0 to THREAD_STACK_ORDER, and
 * gets back as it is: from thread_join(), or from threads_stop() for all that were forgotten. What
 * fn may use of it is less by the descriptor, as THREAD_STACK_USABLE is. NULL if there is no room
 * for its window; then nothing has changed. Context: thread.
 */
struct thread *thread_create_on(struct page *stack, unsigned order, const char *name,
                                thread_fn_t fn, void *arg);

/*
 * Waits until it is done, and frees it. False if it can't end: all other threads are asleep for
 * ever. Context: another thread.
 */
bool thread_join(struct thread *thread);

/* Lets another thread run, if one is ready. Context: thread, preemption on. */
void thread_yield(void);

/* The running one. */
struct thread *thread_current(void);
const char *thread_name(const struct thread *thread);

/* Tells fn of each thread's stack: where it is seen, and its block of pages. */
void thread_tell_stacks(void (*fn)(void *ctx, virt_t window, struct page *stack), void *ctx);

/* Counts of the TSC that the running thread has had the processor for; interrupts included. */
uint64_t thread_tsc(void);

/* Of these, what it spent between wait_begins() and wait_ends(). */
uint64_t thread_waited_tsc(void);

/* Switches from one thread to another since threads_start(), and those that a tick made. */
uint32_t thread_switches(void);
uint32_t thread_preemptions(void);

/* For the trap code: an interrupt is about to return to the thread. Context: interrupts off. */
void thread_interrupt_exit(void);

#endif
