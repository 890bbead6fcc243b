/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAGING_TLB_H
#define PAGING_TLB_H

/*
 * The one place that throws translations away. A present entry may be cached until it is flushed;
 * an entry that was not present never is (SDM vol. 3A, 4.10.2), so mapping into an empty slot needs
 * no flush, and only taking away or changing does.
 */

#include "lib/types.h"

struct tlb_counters {
    uint32_t full; /* CR3 reloads */
    uint32_t page; /* INVLPGs */
};

extern struct tlb_counters tlb_counters;

#if __STDC_HOSTED__
void tlb_flush_all(void);
void tlb_flush_page(virt_t addr);
#else
#include "lib/x86/cpu.h"

/* Throws away every translation. No page is global, so that writing CR3 does it (4.10.4.1). */
static inline void tlb_flush_all(void)
{
    tlb_counters.full++;
    cr3_write(cr3_read());
}

/* Throws away the translation of the page that holds `addr`, of whatever size. */
static inline void tlb_flush_page(virt_t addr)
{
    tlb_counters.page++;
    invlpg(addr);
}
#endif

#endif
