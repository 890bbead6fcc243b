/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAYLOAD_TESTS_DMA_MISUSE_H
#define PAYLOAD_TESTS_DMA_MISUSE_H

/*
 * The rules of the mapping API, for a device that exists only as its limits: no transfer is made,
 * what a device would do is done by the processor at the DMA address.
 */

#include "drivers/dma.h"
#include "payload/suite.h"
#include "payload/tests/dma_arena.h"

/* A device that can do what `like` can, with no mappings and zeroed counters, and checks on. */
struct device dma_device_like(const char *name, const struct device *like);

/* What a device would do: writes bytes at a bus address, unnoticed. */
void dma_bus_fill(dma_addr_t addr, uint8_t value, uint32_t bytes);

/* Breaks each rule on purpose: each must be noticed once, as what it is. */
void dma_check_misuse(struct test *t, const struct device *like, const struct dma_arena *arenas);

/*
 * Many mappings at once, made, synced and ended in random order: all under the mask, within the
 * boundary, apart from each other, and with the right contents on both sides.
 */
void dma_check_many(struct test *t, const struct device *like, const struct dma_arena *arenas);

/*
 * Maps until the pools are full, and until the table is: failures are told and counted as such, a
 * list that fails in its middle is taken back, and after the last unmap all is free.
 */
void dma_check_full(struct test *t, const struct device *like, const struct dma_arena *arenas);

/*
 * The limits of the device, to the byte: what is in reach, and what is beyond it; limits that
 * change and those that may not; the largest mapping that there can be.
 */
void dma_check_limits(struct test *t, const struct device *like, const struct dma_arena *arenas);

/* Syncs a part in the middle of a mapping: that part changes hands, and nothing else. */
void dma_check_partial_sync(struct test *t, const struct device *like,
                            const struct dma_arena *arenas);

/*
 * The CPU in what the device owns, in every kind of memory and window: each access that is wrong is
 * noticed once, with its function, and none that is right; contents and page tables are as they
 * should be afterwards.
 */
void dma_check_owner(struct test *t, const struct device *like, const struct dma_arena *arenas);

#endif
