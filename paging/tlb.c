/* SPDX-License-Identifier: BSD-2-Clause */
#include "paging/tlb.h"

struct tlb_counters tlb_counters;

#if !__STDC_HOSTED__ || defined(TLB_UNDER_TEST)
/*
 * An interrupt between the two writes harms nothing: without PGE there is only more to refill. It
 * may even do the same and leave PGE on; then its flush came after our start, and counts for ours.
 */
void tlb_flush_global(void)
{
    uint32_t without = cr4_read() & ~CR4_PGE;

    if (!layout.global) {
        tlb_flush_all();
        return;
    }
    tlb_counters.global++;
    if (inject(tlb_skip_global, tlb))
        return;
    if (inject(tlb_global_by_cr3, tlb)) {
        cr3_write(cr3_read());
        return;
    }
    cr4_write(without);
    if (!inject(tlb_leave_pge_off, tlb))
        cr4_write(without | CR4_PGE);
}

void tlb_init(void)
{
    if (layout.global && !inject(tlb_pge_never_on, tlb))
        cr4_write(cr4_read() | CR4_PGE);
}
#endif

void tlb_flush_range(virt_t start, unsigned pages)
{
    bool may_be_global = start < layout.high_memory;

    if (pages <= TLB_RANGE_PAGES_MAX) {
        if (inject(tlb_range_ends_early, tlb))
            pages -= pages > 1;
        for (unsigned i = 0; i < pages; i++)
            tlb_flush_page(start + i * PAGE_SIZE);
        return;
    }
    if (inject(tlb_range_skip_big, tlb))
        return;
    if (may_be_global && !inject(tlb_range_forgets_global, tlb))
        tlb_flush_global();
    else
        tlb_flush_all();
}
