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

#endif
