/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAYLOAD_TESTS_STRESS_PRESSURE_H
#define PAYLOAD_TESTS_STRESS_PRESSURE_H

/*
 * What makes it hard for the clients of dma_stress: threads that fragment lowmem, recycle windows,
 * and wait for bounce slots, of which nearly all are taken. Each checks its own memory.
 *
 * Context of all: boot thread, in the order that they stand here.
 */

#include "payload/suite.h"
#include "payload/thread.h"

/* Takes pages, windows' marks, slots; what there is no memory for is left out. */
void stress_pressure_open(struct test *t);

/* From now on, for `ms`. */
void stress_begin(struct test *t, uint32_t ms);

/* Asked by every thread between two steps. Context: thread. */
bool stress_is_over(void);

/* A thread, or NULL after an error; and waiting for it, which NULL is nothing to. */
struct thread *stress_start(const char *name, thread_fn_t fn, void *arg);
void stress_join(struct thread **thread, const char *name);

void stress_pressure_start(void);
void stress_pressure_join(void);

/* Gives the slots back. */
void stress_pressure_relax(void);

/* What the threads found, and what they did. */
void stress_pressure_judge(struct test *t);

void stress_pressure_close(void);

/* After a fault, when all mappings were ended as leaks: there are none to give back. */
void stress_pressure_forget(void);

#endif
