/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DRIVERS_YIELD_LOCK_H
#define DRIVERS_YIELD_LOCK_H

/*
 * What two threads can't use at once, for as long as a transfer takes: a controller that two drives
 * hang on, registers that a transfer fills. Who waits for it lets others run. It does not nest.
 *
 * A holder that a fault ended never lets go, so waits have an end, and quiet() breaks the lock.
 */

#include "drivers/clock.h"
#include "lib/types.h"
#include "lib/x86/cpu.h"
#include "paging/wait.h"

struct yield_lock {
    bool held;
};

/* False if it was not to be had in time. Context: thread, preemption on. */
static inline bool yield_lock_take(struct yield_lock *lock, uint32_t limit_ms)
{
    deadline_t deadline = deadline_in_ms(limit_ms);
    bool taken;

    wait_begins();
    while (!(taken = !__atomic_exchange_n(&lock->held, true, __ATOMIC_ACQUIRE)) &&
           !deadline_passed(deadline)) {
        wait_yield();
        cpu_relax();
    }
    wait_ends();
    return taken;
}

/* By the holder, or when it is gone. */
static inline void yield_lock_release(struct yield_lock *lock)
{
    __atomic_store_n(&lock->held, false, __ATOMIC_RELEASE);
    wait_yield(); /* or who waits for it would never come to have it */
}

#endif
