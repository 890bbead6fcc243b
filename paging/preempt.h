/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAGING_PREEMPT_H
#define PAGING_PREEMPT_H

/*
 * Keeping the processor. Between preempt_disable() and preempt_enable(), which nest, no other
 * thread runs on this processor: what one thread works on in between needs no other lock while
 * there is one processor. Interrupts go on. A switch that fell due meanwhile is made at the next
 * tick of the timer, so that each of the two costs a single instruction.
 *
 * Sleeping in between is an error. Context: thread.
 */

#include "lib/x86/percpu.h"

#if __STDC_HOSTED__ && defined(PREEMPT_UNDER_TEST)
static inline void preempt_disable(void)
{
    this_cpu()->preempt_count++;
}

static inline void preempt_enable(void)
{
    this_cpu()->preempt_count--;
}
#elif __STDC_HOSTED__
static inline void preempt_disable(void)
{
}

static inline void preempt_enable(void)
{
}
#else
static inline void preempt_disable(void)
{
    __asm__ volatile("incl %%fs:%c0" : : "i"(offsetof(struct cpu, preempt_count)) : "memory", "cc");
}

static inline void preempt_enable(void)
{
    __asm__ volatile("decl %%fs:%c0" : : "i"(offsetof(struct cpu, preempt_count)) : "memory", "cc");
}
#endif

#endif
