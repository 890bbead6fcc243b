/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DRIVERS_DMA_LOCK_H
#define DRIVERS_DMA_LOCK_H

/*
 * The lock of the DMA layer's tables. Interrupts are off while it is held, because mappings are
 * made and ended in interrupt handlers too. That is for a few dozen instructions, for a few hundred
 * where a run of bounce slots is looked for, and a few more for each live entry where an overlap is
 * looked for, or a mapping by an address in its middle. All tables are searched only for findings,
 * leaks, and changes of a device's limits. Does not nest.
 */

#include "lib/types.h"

#include "lib/x86/cpu.h"

#define DMA_LOCK_SPINS 10000000u /* far beyond any holder */

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
