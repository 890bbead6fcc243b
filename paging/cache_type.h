/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAGING_CACHE_TYPE_H
#define PAGING_CACHE_TYPE_H

/*
 * How the processor caches what it sees through an entry.
 *
 * The bits PAT, PCD and PWT of an entry pick one of the eight types that the register IA32_PAT
 * holds (SDM vol. 3A, 12.12). Only the lower four are used, by PCD and PWT: on many Pentium II to
 * Pentium 4 the PAT bit of an entry is ignored, so that the upper four have to say the same. Of the
 * types after reset PA1, write-through, becomes write-combining, which no entry had until then.
 *
 *     PCD PWT          after reset   here    without a PAT
 *      0   0    PA0    WB            WB      WB
 *      0   1    PA1    WT            WC      (not used)
 *      1   0    PA2    UC-           UC-     UC-: WC if an MTRR says so, UC if none does
 *      1   1    PA3    UC            UC      UC, whatever an MTRR says
 *
 * So on a processor without a PAT, write-combining is what firmware has set up by an MTRR, which it
 * does for frame buffers at the most, and uncached elsewhere: right, and slower (table 12-6).
 *
 * Two windows of different types to one page are a trap (12.12.4): the processor may fill its cache
 * by the one, even without being told to, and does not look there for the other. Whoever makes a
 * window to RAM that is not WB first takes what is cached out of the way, by cache_flush_all(), and
 * does so again before the page is used as ordinary memory.
 */

#include "paging/layout.h"

enum cache_type { CACHE_WB, CACHE_WC, CACHE_UC_MINUS, CACHE_UC };

/* Types as IA32_PAT has them, a byte each (SDM vol. 3A, table 12-10). */
#define PAT_UC 0x00u
#define PAT_WC 0x01u
#define PAT_WB 0x06u
#define PAT_UC_MINUS 0x07u
#define PAT_ENTRIES UINT64_C(0x0007010600070106)

/* For layout.write_combining. */
#define WRITE_COMBINING_BY_PAT PTE_PWT
#define WRITE_COMBINING_BY_MTRR PTE_PCD

/* Bits of an entry of 4 KiB or 2 MiB. */
static inline uint64_t cache_type_flags(enum cache_type type)
{
    if (type == CACHE_WC)
        return layout.write_combining;
    return (type == CACHE_UC_MINUS || type == CACHE_UC ? PTE_PCD : 0) |
           (type == CACHE_UC ? PTE_PWT : 0);
}

#define CACHE_TYPE_MASK (PTE_PCD | PTE_PWT)

/* Caches and write-combining buffers of this processor are written back and emptied. Slow. */
#if __STDC_HOSTED__
void cache_flush_all(void);
#else
#include "lib/x86/cpu.h"

static inline void cache_flush_all(void)
{
    wbinvd();
}
#endif

#endif
