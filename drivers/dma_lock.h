/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DRIVERS_DMA_LOCK_H
#define DRIVERS_DMA_LOCK_H

/*
 * The lock of the DMA layer's tables: held for a few dozen instructions with interrupts off,
 * because mappings are made and ended in interrupt handlers too. Does not nest.
 */

#include "lib/types.h"

#include "lib/x86/cpu.h"

#define DMA_LOCK_SPINS 10000000u /* far beyond the few dozen instructions of any holder */

struct dma_lock {
    bool held;
};

/* Returns what dma_lock_release() wants. */
static inline uint32_t dma_lock_take(struct dma_lock *lock)
{
    uint32_t flags = irq_save();

    /* A holder that a fault ended never lets go; after so long the lock is taken from it. */
    for (uint32_t spins = 0; __atomic_exchange_n(&lock->held, true, __ATOMIC_ACQUIRE); spins++) {
        if (spins == DMA_LOCK_SPINS)
            break;
        __builtin_ia32_pause();
    }
    return flags;
}

static inline void dma_lock_release(struct dma_lock *lock, uint32_t flags)
{
    __atomic_store_n(&lock->held, false, __ATOMIC_RELEASE);
    irq_restore(flags);
}

#endif
