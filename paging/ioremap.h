/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAGING_IOREMAP_H
#define PAGING_IOREMAP_H

/*
 * Windows to device memory, for readl() and its like, and to tables that firmware left in memory,
 * by physical address, in areas of their own (paging/vm_area.h). To RAM with another type than
 * normal caching there is vmap(), which knows what has to be flushed. Context: thread, paged phase.
 */

#include "lib/types.h"

/*
 * Maps [phys, phys + size) uncached, whatever an MTRR says; neither needs to be aligned. Returns
 * the address of the first byte, or NULL: size 0 or over the region, past what the processor can
 * address, or no room.
 */
void __iomem *ioremap(phys_addr_t phys, size_t size);

/*
 * The same, with writes gathered into bursts: for frame buffers. Reads are as slow as with
 * ioremap(), and order is lost. Uncached where neither a PAT nor an MTRR can do it, see
 * paging/cache_type.h.
 */
void __iomem *ioremap_wc(phys_addr_t phys, size_t size);

/* The same with normal caching, for tables that firmware left in RAM: a plain pointer. */
void *ioremap_cache(phys_addr_t phys, size_t size);

/* Ends a mapping of the one kind, or the other. NULL is fine; what is no mapping is a finding. */
void iounmap(const volatile void __iomem *addr);
void iounmap_cache(const void *addr);

/* What the books say of the areas: number `index`, 0..IOREMAP_AREAS-1; false if there is none. */
#define IOREMAP_AREAS 256u
struct ioremap_area {
    virt_t start; /* 0: none */
    phys_addr_t phys;
    unsigned pages;
    uint64_t cache_flags; /* PTE_PCD, PTE_PWT */
};

bool ioremap_area(unsigned index, struct ioremap_area *area);

#endif
