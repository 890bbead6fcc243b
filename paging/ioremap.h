/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAGING_IOREMAP_H
#define PAGING_IOREMAP_H

/*
 * Windows to device memory and firmware tables in the vmalloc area, an unmapped guard page after
 * each. Context: thread, paged phase.
 */

#include "lib/types.h"

/*
 * Maps [phys, phys + size) uncached (PCD and PWT set, SDM vol. 3A, table 12-7); neither needs to be
 * aligned. Returns the address of the first byte, or NULL: size 0 or over the area, past what the
 * processor can address, or no room.
 */
void *ioremap(phys_addr_t phys, size_t size);

/* The same with normal caching, for tables that firmware left in RAM. */
void *ioremap_cache(phys_addr_t phys, size_t size);

/* Ends a mapping. NULL is fine; an address that is no mapping's is a finding. */
void iounmap(const void *addr);

#endif
