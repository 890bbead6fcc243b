/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAYLOAD_RUN_H
#define PAYLOAD_RUN_H

/* The run: which suites, in which order, how often, and how it ends. */

#include "lib/types.h"

/* Runs what tests=, passes= and time= ask for, writing the report. Context: thread, interrupts on.
 */
void run_suites(void);

/* Writes the report's last line and leaves the machine as exit= says. Context: any. */
__noreturn void run_leave(void);

#endif
