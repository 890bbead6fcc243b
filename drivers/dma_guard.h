/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DRIVERS_DMA_GUARD_H
#define DRIVERS_DMA_GUARD_H

/*
 * Notices the CPU at what a device owns, for devices with check_ownership: the whole pages of a
 * mapping, without the parts that are synced for the CPU, are guarded (paging/page_guard.h), what
 * the device reads against writes, all else against any access. The first access is noted, and
 * makes the whole mapping the CPU's; it becomes DMA_FINDING_CPU_ACCESS when the mapping is synced
 * or ended next, by a thread that may print and not in the middle of just any.
 *
 * The layer's own copies need the buffer: they are made before dma_guard() or after dma_unguard().
 * Context: any.
 */

#include "drivers/dma_track.h"

/* `m` as it is in the tables, with its place. */
void dma_guard(const struct dma_mapping *m);

/* And tells what was noticed since. */
void dma_unguard(const struct dma_mapping *m);

#endif
