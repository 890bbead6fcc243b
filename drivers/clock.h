/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DRIVERS_CLOCK_H
#define DRIVERS_CLOCK_H

/*
 * Time, from the processor's time-stamp counter (every processor with PAE has one). How fast it
 * counts is measured once against channel 2 of the PIT, which runs at 1.193182 MHz on every PC and
 * needs no interrupt. The counter is taken to run evenly; on old processors whose speed changes
 * with power states it does so as long as nobody changes them, and nobody here does.
 */

#include "lib/types.h"

/*
 * Measures the counter's frequency; about 30 ms, bounded when the PIT does not answer. clock_ns()
 * starts at 0 here.
 * Returns true if it was measured. False: the PIT is dead or gave implausible values, and the
 * frequency is the one that CPUID tells (leaves 15H, 16H), or else CLOCK_ASSUMED_HZ, so high that
 * no wait is shorter than asked.
 * Context: either phase; interrupts are off while it measures.
 */
bool clock_init(void);

#define CLOCK_ASSUMED_HZ UINT64_C(4000000000)

/* Counts of the TSC in a second. */
uint64_t clock_tsc_hz(void);

/* Nanoseconds since clock_init(), never going back. Context: any, after clock_init(). */
uint64_t clock_ns(void);

/* Spins for at least this long. Context: any, after clock_init(). */
void delay_us(uint32_t us);

/*
 * True if the TSC counts executed instructions, one each, as under QEMU's -icount shift=0 and in
 * Bochs: then differences of rdtsc() are instruction counts, exact and repeatable. Measured by
 * clock_init(), with runs of quick and of slow instructions, not guessed from CPUID.
 */
bool clock_tsc_counts_instructions(void);

/*
 * A point in time to give up at, for loops that look every few ms at least. Only attended time
 * counts (lib/attended.h): if 20 ms or more pass between two looks, they count as 20. Context: any.
 */
typedef uint64_t deadline_t;

deadline_t deadline_in_ms(uint32_t ms);
bool deadline_passed(deadline_t deadline);

#endif
