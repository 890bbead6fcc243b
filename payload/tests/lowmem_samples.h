/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAYLOAD_TESTS_LOWMEM_SAMPLES_H
#define PAYLOAD_TESTS_LOWMEM_SAMPLES_H

/*
 * Samples of the zones over a run: first about every ms, half as often after every 8 samples, in
 * the end one a second; so a short run has a curve too. They are taken from the counts
 * that the allocator keeps anyway, and written once there are many, after ten seconds, or at the
 * end, with the clock stopped: what they cost is measured.
 *
 * Context: boot thread, one run at a time.
 */

#include "payload/tests/lowmem_lab.h"

/* Starts the clock, and takes the first sample. */
void samples_begin(const struct lab *lab);

/* When the TSC is here, the next sample is due. */
extern uint64_t samples_due_tsc;

/* Takes a sample now. */
void samples_take(const struct lab *lab);

/* Takes the last one and writes all. Nothing is written if nobody listens. */
void samples_end(const struct lab *lab);

/* From samples_begin() to samples_end(), without the writing. */
uint32_t samples_run_ms(void);

/* The part of it that taking them took. */
uint32_t samples_cost_permille(void);

#endif
