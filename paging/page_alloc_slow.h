/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAGING_PAGE_ALLOC_SLOW_H
#define PAGING_PAGE_ALLOC_SLOW_H

/* The parts of the page allocator that are off its fast path. */

#include "paging/page_alloc.h"

/* Which bits of a gfp_t choose the list: zone and, with mobility, migratetype. */
extern gfp_t page_alloc_kind_mask;

/* alloc_pages() without __GFP_ZERO, for when nothing is at hand. Context: the same. */
struct page *alloc_pages_slowly(gfp_t gfp, unsigned order);

/*
 * The block from the highest zone that may give one, or NULL: without waiting. Context: preemption
 * off.
 */
struct page *zones_alloc(gfp_t gfp, unsigned order);

/*
 * Makes room until the block can be had, or nothing helps any more; while another thread does that,
 * waits for it. Context: thread, preemption off by this call of alloc_pages() alone, and not while
 * others work.
 */
struct page *alloc_with_reclaim(gfp_t gfp, unsigned order);

/* The zones have their borders, and no memory: tuning, lists and events as after boot. */
void page_alloc_start(void);

#endif
