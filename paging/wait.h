/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAGING_WAIT_H
#define PAGING_WAIT_H

/*
 * Sleeping until something is to be had, for code that stands below the threads: whoever has
 * threads sets the hooks. Without them, or when nobody else could run and so nobody could ever
 * wake the caller, nothing sleeps.
 *
 * A sleeper is woken once, by one wait_wake(), in the order of arrival; it is the caller's to look
 * again whether what it waited for is there. One that is left with nobody to wake it is told
 * so. Context: thread, preemption off (sleeping lets others run all the same, and comes back with
 * preemption off).
 */

#include "lib/list.h"

struct wait_queue {
    struct list_head sleepers;
};

#define WAIT_QUEUE_INIT(name)                       \
    {                                               \
        .sleepers = LIST_HEAD_INIT((name).sleepers) \
    }

struct wait_ops {
    bool (*sleep)(struct wait_queue *queue);
    void (*wake)(struct wait_queue *queue);
    void (*yield)(void);
    void (*waits)(bool begins); /* may be NULL */
};

/* Set once there are threads; NULL takes it back. */
void wait_set_ops(const struct wait_ops *ops);

/* Sleeps at the end of the queue. False, at once or when it has come to that, if nobody could wake
 * the caller. */
bool wait_sleep(struct wait_queue *queue);

/* Wakes the first sleeper, if there is one. Context: any. */
void wait_wake(struct wait_queue *queue);

/*
 * Lets another thread run, if one is ready: for loops that ask a device. Context: thread; does
 * nothing with preemption off.
 */
void wait_yield(void);

/*
 * Around a loop that only waits for a device, or for its turn: what the thread executes in between
 * is no work, and who asks what a transfer costs the processor leaves it out. They nest. Context:
 * any thread, or before there are threads.
 */
void wait_begins(void);
void wait_ends(void);

static inline bool wait_is_empty(const struct wait_queue *queue)
{
    return list_empty(&queue->sleepers);
}

#endif
