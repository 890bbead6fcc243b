/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DRIVERS_DMA_POOL_H
#define DRIVERS_DMA_POOL_H

/*
 * Pools of small blocks of coherent memory: descriptors, rings, status words.
 *
 *     chunk (coherent, a page or more)      its records (lowmem, no device's business)
 *     |block|block|block| ... |rest|        who has each block, which are free
 *
 * A pool is one device's and one size's. Nothing that a device could overwrite is needed to give
 * blocks out and take them back, and both take the same few steps however many blocks there are;
 * only growing by a chunk takes longer. Chunks are given back when the pool is destroyed.
 *
 * What breaks a rule is a finding of the device, as in drivers/dma.h, with the callers: a block
 * freed twice (DMA_FINDING_DOUBLE_UNMAP), freed that is none of this pool (_UNKNOWN) or with a
 * handle that is not its own (_BAD_ARGUMENT), or still in use when its pool is destroyed (_LEAK).
 * With the device's check_ownership, free blocks hold a pattern, and a write into one, by processor
 * or device, is found when the block is given out again or the pool is destroyed
 * (_FREED_WRITTEN).
 *
 * Names and meanings are those of Linux, but that dma_pool_alloc() has no flags.
 *
 * Context: dma_pool_create() and dma_pool_destroy() in threads only. dma_pool_alloc() may be called
 * in interrupts by who knows that a block is free, so that the pool does not have to grow; and
 * dma_pool_free() always.
 */

#include "drivers/dma.h"

struct dma_pool;

/*
 * Makes a pool, with a first chunk, of blocks of `size` bytes, rounded up to a multiple of `align`,
 * a power of two (0 is 1), and of DMA_POOL_MIN_BYTES. No block crosses a multiple of `boundary`, a
 * power of two and not below the size; 0: there is none. `name` and `dev` must outlive it. Returns
 * NULL if there is no memory, and after a finding if a number is none of the above.
 */
#define DMA_POOL_MIN_BYTES 16u
struct dma_pool *dma_pool_create(const char *name, struct device *dev, uint32_t size,
                                 uint32_t align, uint32_t boundary);

/*
 * A block, with contents unknown or zero: its lowmem address, and in *handle the device's. NULL if
 * there is no memory to grow by.
 */
void *dma_pool_alloc(struct dma_pool *pool, dma_addr_t *handle);
void *dma_pool_zalloc(struct dma_pool *pool, dma_addr_t *handle);

/* Takes a block back, with the handle that came with it. */
void dma_pool_free(struct dma_pool *pool, void *block, dma_addr_t handle);

/* Gives the memory back, blocks in use too, each of which is a finding. NULL: nothing happens. */
void dma_pool_destroy(struct dma_pool *pool);

/* Blocks in use, and blocks that there are; for reports and tests. */
uint32_t dma_pool_used(const struct dma_pool *pool);
uint32_t dma_pool_blocks(const struct dma_pool *pool);

#endif
