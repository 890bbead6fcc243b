/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAYLOAD_MEMORY_H
#define PAYLOAD_MEMORY_H

/* From the memory map to zones. */

#include "lib/types.h"

/*
 * Builds page descriptors and the zones' free lists. What has to be left out becomes a boot note.
 * Returns false if not even the descriptors of lowmem find room. Context: once, after traps_init().
 */
bool memory_init(void);

/* What building them took, by the TSC, and for how many pages. Context: after memory_init(). */
void memory_init_cost(uint64_t *tsc, uint32_t *pages);

/* Says what there is, as report lines and metrics. Context: after clock_init(). */
void memory_report(void);

#endif
