/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Planted faults for sparse: arithmetic that no address has. Apart from sparse-addresses.c since
 * these are errors for sparse, after the first of which it keeps warnings to itself.
 */
#include "drivers/dma.h"
#include "paging/page.h"

static __used uint64_t arithmetic(phys_addr_t phys, dma_addr_t addr, virt_t virt)
{
    bool below = phys < addr;            /* PLANTED: two kinds compared */
    uint64_t bytes = addr - phys;        /* PLANTED: the bytes between two kinds */
    uint64_t bits = phys & PAGE_MASK;    /* PLANTED: offset_in_page() */
    uint64_t frame = phys >> PAGE_SHIFT; /* PLANTED: phys_to_pfn() */
    uint64_t twice = phys + phys;        /* PLANTED: the sum of two addresses */
    bool low = phys < MIB64(16);         /* PLANTED: compared with a plain number */
    bool high = virt > 0xc0000000u;      /* PLANTED */

    return below + bytes + bits + frame + twice + low + high + offset_in_page(virt);
}
