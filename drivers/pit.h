/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DRIVERS_PIT_H
#define DRIVERS_PIT_H

/*
 * The 8254 programmable interval timer: channel 0 interrupts on line 0, channel 2 (whose gate and
 * output are bits of port 0x61) measures time without an interrupt.
 */

#include "lib/types.h"

#define PIT_HZ 1193182u
#define PIT_IRQ_LINE 0u
#define PIT_MIN_HZ 19u /* a divisor has 16 bits */

/*
 * Lets channel 0 interrupt `hz` times in a second (rate generator, mode 2), as nearly as a divisor
 * can; hz is brought into PIT_MIN_HZ..PIT_HZ / 2. The handler is requested separately.
 */
void pit_start(unsigned hz);

/* No further interrupt from channel 0 (mode 0 without a count). */
void pit_stop(void);

/*
 * Counts channel 2 down from `ticks` (1..65535) of PIT_HZ once, and reads the TSC at its start and
 * at its end. Context: any; interrupts should be off.
 *   start, end: get the TSC values
 * Returns 0, or -ETIMEDOUT if the output was up at once, or did not rise in a time in which any
 * PIT's would have.
 */
int pit_time_tsc(unsigned ticks, uint64_t *start, uint64_t *end);

#endif
