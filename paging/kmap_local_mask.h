/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAGING_KMAP_LOCAL_MASK_H
#define PAGING_KMAP_LOCAL_MASK_H

/*
 * Sends kmap_local_page() the slow way, at no cost to the quick one, while highmem pages are
 * guarded (paging/page_guard.h).
 *
 * The slots of a CPU are then masked: kmap_local_next says that all are in use, which the inline
 * functions test anyway, and the true next slot is in kmap_local_hidden. What an inline
 * function still closes by itself, the last slot, writes the truth to kmap_local_next, which takes
 * the mask off until it is put on again; so kmap_local_next is true unless it is the end.
 */

#include "lib/x86/percpu.h"
#include "paging/page.h"

/* The next slot, masked or not. */
static inline virt_t kmap_local_top(const struct cpu *cpu)
{
    return cpu->kmap_local_hidden && cpu->kmap_local_next == cpu->kmap_local_end
               ? cpu->kmap_local_hidden
               : cpu->kmap_local_next;
}

/* Put it on, also again, and take it off for good. Context: interrupts off. */
static inline void kmap_local_mask(struct cpu *cpu)
{
    cpu->kmap_local_hidden = kmap_local_top(cpu);
    cpu->kmap_local_next = cpu->kmap_local_end;
}

static inline void kmap_local_unmask(struct cpu *cpu)
{
    cpu->kmap_local_next = kmap_local_top(cpu);
    cpu->kmap_local_hidden = 0;
}

#if __STDC_HOSTED__ /* never masked */
static inline void *kmap_local_open_masked(pfn_t pfn, bool guarded)
{
    (void)pfn, (void)guarded;
    return NULL;
}

static inline bool kmap_local_close_masked(virt_t window)
{
    (void)window;
    return false;
}
#else

/*
 * Opens a window while the slots are masked, with the rights that the CPU has in a guarded page or
 * with all. NULL if all slots are in use. Context: any.
 */
void *kmap_local_open_masked(pfn_t pfn, bool guarded);

/* False if it is not the one opened last. Context: any. */
bool kmap_local_close_masked(virt_t window);
#endif

#endif
