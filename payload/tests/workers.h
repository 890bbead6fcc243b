/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAYLOAD_TESTS_WORKERS_H
#define PAYLOAD_TESTS_WORKERS_H

/*
 * Threads of a case that all do the same, each with random numbers of its own, and count what they
 * find wrong. The functions are thread_*, see ci/stack.cfg.
 */

#include "payload/suite.h"
#include "payload/thread.h"

#define WORKERS_MAX 16u

struct worker {
    struct test *t;
    struct thread *thread;
    struct prng prng;
    unsigned number; /* from 0 */
    uint32_t rounds; /* done */
    uint32_t wrong;  /* times that something was not as it should be */
    char name[16];
};

/*
 * Starts `count` (up to WORKERS_MAX) threads of fn, whose argument is a struct worker. False, after
 * an error, if there is no memory for them. Context: between threads_start() and workers_join().
 */
bool workers_start(struct test *t, unsigned count, thread_fn_t fn);

/*
 * Waits for those that were started, and ends threads_start(). Fails the case for each that does
 * not end, and for what each found wrong, which `what` says in the plural: "other pages".
 */
void workers_join(struct test *t, const char *what);

/* Who of the workers was served when, of those that slept for the same. All zero at first. */
struct serving {
    unsigned served[WORKERS_MAX]; /* worker numbers */
    volatile unsigned nr_served, nr_asleep;
};

/* Around what a worker may sleep in. */
void worker_sleeps(struct serving *s);
void worker_is_served(struct serving *s, const struct worker *w);

/* Checks that `count` workers were served `what`, in the order of their numbers. */
void serving_check(struct test *t, const struct serving *s, unsigned count, const char *what);

#endif
