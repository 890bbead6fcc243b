/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAGING_IOREMAP_H
#define PAGING_IOREMAP_H

/*
 * Windows in the vmalloc area, an unmapped guard page after each: to device memory, for readl() and
 * its like, and to tables that firmware left in memory. Context: thread, paged phase.
 */

#include "lib/types.h"

/*
 * Maps [phys, phys + size) uncached (PCD and PWT set, SDM vol. 3A, table 12-7); neither needs to be
 * aligned. Returns the address of the first byte, or NULL: size 0 or over the area, past what the
 * processor can address, or no room.
 */
void __iomem *ioremap(phys_addr_t phys, size_t size);

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
