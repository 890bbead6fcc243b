/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAYLOAD_FAULT_REPORT_H
#define PAYLOAD_FAULT_REPORT_H

/* What is said about a fault that nobody expected. */

#include "payload/traps.h"

/* "page fault", "general protection", ...: SDM vol. 3A, table 6-1. */
const char *fault_vector_name(unsigned vector);

/*
 * Reports registers, CR2 and its page walk, and a symbolised back trace, as message lines of the
 * running case. The second form is for a frame that lies on another stack. Context: any.
 */
void fault_report(const struct trap_frame *frame);
void fault_report_on_stack(const struct trap_frame *frame, uint32_t esp);

/* A fault during a report shortens the next; this ends that, once the case is left. */
void fault_report_reset(void);

/* Ends the run: nothing can go on. Reports `why` as an error and leaves as exit= says. */
__noreturn void fault_stop(const char *why);

#endif
