/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAGING_PAGE_ALLOC_SLOW_H
#define PAGING_PAGE_ALLOC_SLOW_H

/* The parts of the page allocator that are off its fast path. */

#include "paging/page_alloc.h"

/* Which bits of a gfp_t choose the list: zone and, with mobility, migratetype. */
extern gfp_t page_alloc_kind_mask;

/* alloc_pages() without __GFP_ZERO, for when nothing is at hand. Context: the same. */
struct page *alloc_pages_slowly(gfp_t gfp, unsigned order);

/* The zones have their borders, and no memory: tuning, lists and events as after boot. */
void page_alloc_start(void);

#endif
