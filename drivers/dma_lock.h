/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DRIVERS_DMA_LOCK_H
#define DRIVERS_DMA_LOCK_H

/*
 * The lock of the DMA layer's tables: held for a few dozen instructions with interrupts off,
 * because mappings are made and ended in interrupt handlers too. Does not nest.
 */

#include "lib/types.h"

#if !__STDC_HOSTED__
#include "lib/x86/cpu.h"
#endif

struct dma_lock {
    bool held;
};

/* Returns what dma_lock_release() wants. */
static inline uint32_t dma_lock_take(struct dma_lock *lock)
{
    uint32_t flags = 0;

#if !__STDC_HOSTED__
    flags = irq_save();
#endif
    while (__atomic_exchange_n(&lock->held, true, __ATOMIC_ACQUIRE))
        __builtin_ia32_pause();
    return flags;
}

static inline void dma_lock_release(struct dma_lock *lock, uint32_t flags)
{
    __atomic_store_n(&lock->held, false, __ATOMIC_RELEASE);
#if !__STDC_HOSTED__
    irq_restore(flags);
#else
    (void)flags;
#endif
}

#endif
