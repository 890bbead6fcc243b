/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAGING_KMAP_LOCAL_H
#define PAGING_KMAP_LOCAL_H

/*
 * kmap_local_page(): a short window to a highmem page, for this processor only.
 *
 * Each CPU has a stack of KMAP_LOCAL_DEPTH slots in the fixmap, an unmapped guard page after each.
 * Windows are given back in the opposite order; an interrupt handler takes the slots above those of
 * the code that it interrupted, and gives all of them back. A slot is flushed by INVLPG when it is
 * given back, so a fresh window needs none.
 *
 * Context: any. A lowmem page needs no slot and gives its direct-map address.
 */

#include "paging/page.h"

/* A window to the page, or NULL (and a finding) if all slots of this CPU are in use. */
void *kmap_local_page(struct page *page);

/* The same by number, for frames without a descriptor as well. */
void *kmap_local_pfn(pfn_t pfn);

/*
 * Gives back the window that was opened last; `addr` may point anywhere into it. Another window, or
 * an address that is none, is a finding and changes nothing; a direct-map address is fine.
 */
void kunmap_local(const void *addr);

/* Windows that this CPU holds. */
unsigned kmap_local_depth(void);

/* Gives back all windows above `depth`, for the framework, after a case that faulted. */
void kmap_local_unwind(unsigned depth);

/* Address of this CPU's slot `index`, 0..KMAP_LOCAL_DEPTH-1; for suites that look at guards. */
virt_t kmap_local_addr(unsigned index);

#endif
