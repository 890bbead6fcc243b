/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DRIVERS_BOUNCE_H
#define DRIVERS_BOUNCE_H

/*
 * The bounce pools, for drivers/dma_map.c alone: lowmem under a mask, in slots of
 * BOUNCE_SLOT_BYTES.
 *
 * A bounced buffer lies at the same offset into its first slot as the original into its 2 KiB, so
 * that a device sees the alignment that its driver chose. What remains of the first and the last
 * slot next to the buffer carries a guard pattern, which shows a device that writes too far.
 */

#include "drivers/dma.h"

#define BOUNCE_SLOT_BYTES 2048u

/* A piece of a pool. */
struct bounce_room {
    dma_addr_t dma;
    void *virt;
};

/* True if `size` bytes at `addr` do not lie in one block of the device's boundary. */
bool dma_crosses_boundary(const struct device *dev, dma_addr_t addr, uint32_t size);

/*
 * Gets room for `size` bytes under the device's mask, within its boundary, aligned like `phys`.
 * Returns 0, -ERANGE when no pool is under the mask, -ENOSPC when there are no slots.
 */
int bounce_alloc(const struct device *dev, phys_addr_t phys, uint32_t size,
                 struct bounce_room *bounce);

/* The lowmem address of what bounce_alloc() gave out at `dma`. */
void *bounce_virt(dma_addr_t dma);

/* True if the guards next to the buffer are as bounce_alloc() left them. */
bool bounce_guards_intact(dma_addr_t dma, uint32_t size);

/* Gives the slots back. */
void bounce_free(dma_addr_t dma, uint32_t size);

#endif
