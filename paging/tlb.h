/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAGING_TLB_H
#define PAGING_TLB_H

/*
 * The one place that throws translations away, and that decides how: by INVLPG, by writing CR3, or
 * by switching CR4.PGE off and on.
 *
 * A present entry may be cached until it is flushed; an entry that was not present never is (SDM
 * vol. 3A, 4.10.2.3), so mapping into an empty slot needs no flush, and only taking away or
 * changing does. What each way reaches (SDM vol. 3A, 4.10.4.1, 4.4.1):
 *
 *                  one page    the others   global ones   upper levels   top entries (PDPTE)
 *     INVLPG         yes           -        of that page      yes              -
 *     CR3 write      yes          yes           -             yes             yes
 *     CR4.PGE        yes          yes          yes            yes             yes
 *
 * "Upper levels" are directory entries that the processor keeps beside the TLB; one INVLPG is
 * enough for a 2 MiB page. A change of a directory entry that points to a table needs an INVLPG for
 * each page under it that may be cached, or one of the others.
 *
 * Where the processor has CR4.PGE, the direct map with the image in it is global: it never changes,
 * and so outlives the CR3 writes that kmap() throws old windows away with. Nothing else is: a
 * global window would outlive them too, and show its old page. So what stands below
 * layout.high_memory may be global, and what stands above is not; tlb_flush_range() builds on that.
 *
 * PGE is switched on by tlb_init(), after paging is on (SDM vol. 3A, 2.5) and with the final CR3,
 * so that nothing of the one-to-one map of entry can have become global; and switching it on
 * flushes. A task switch, as a double fault does, loads CR3 and leaves global pages alone, which is
 * right.
 */

#include "lib/inject.h"
#include "lib/types.h"
#include "paging/layout.h"

struct tlb_counters {
    uint32_t full;   /* CR3 writes */
    uint32_t page;   /* INVLPGs */
    uint32_t global; /* CR4.PGE off and on */
};

extern struct tlb_counters tlb_counters;

/*
 * Up to so many pages are flushed one by one. Either way is paid twice, at once and by refilling,
 * and the suites say what: `bench_ratio` (case flushes) times both with 256 other windows in use,
 * and `tlb` (case costs) computes where they meet, as tlb.range_break_even. Under QEMU's TCG 64
 * INVLPGs take half the time of one CR3 write with its refill, and the two meet at 150 to 210
 * pages. Processors walk in hardware and may meet earlier. 64 is on the cheap side of the first; of
 * a processor the metric tells.
 */
#define TLB_RANGE_PAGES_MAX 64u

/*
 * All the pages of [start, start + pages * PAGE_SIZE), global or not. A range of 2 MiB pages is
 * right too. Context: any.
 */
void tlb_flush_range(virt_t start, unsigned pages);

#if __STDC_HOSTED__ && !defined(TLB_UNDER_TEST)
void tlb_flush_all(void);
void tlb_flush_page(virt_t addr);
void tlb_flush_global(void);

static inline void tlb_invlpg(virt_t addr)
{
    tlb_flush_page(addr);
}
#else
#ifndef TLB_UNDER_TEST
#include "lib/x86/cpu.h"
#endif

/* Everything, global pages included. Context: any. */
void tlb_flush_global(void);

/* Switches global pages on, if layout.global says so. Context: once, paging on, the final CR3. */
void tlb_init(void);

/* tlb_flush_page() for a place that has a mutation of its own and wants no second no-op. */
static inline void tlb_invlpg(virt_t addr)
{
    tlb_counters.page++;
    invlpg(addr);
}

/* Every translation that is not global. Loads the top entries anew. Context: any. */
static inline void tlb_flush_all(void)
{
    tlb_counters.full++;
    if (!inject(tlb_skip_all, tlb))
        cr3_write(cr3_read());
}

/* The translation of the page that holds `addr`, of whatever size, global or not. Context: any. */
static inline void tlb_flush_page(virt_t addr)
{
    if (!inject(tlb_skip_page, tlb))
        tlb_invlpg(addr);
}
#endif

#endif
