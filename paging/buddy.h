/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAGING_BUDDY_H
#define PAGING_BUDDY_H

/*
 * The free lists behind paging/page_alloc.h, for the files of paging/ that work on them: blocks of
 * 2^order pages by zone, order and migratetype. What lies on the per-CPU lists is not in them, and
 * looks to them like memory in use; drain_all_pages() brings it back.
 *
 * Context of all functions: preemption off, not in an interrupt.
 */

#include "paging/page_alloc.h"

extern struct zone zones[MAX_NR_ZONES];

/* The zone of a frame. */
struct zone *buddy_zone(pfn_t pfn);

/* True for the first page of a block in the free lists. Its order is page->order. */
static inline bool page_is_buddy(const struct page *page)
{
    return page->free && page->free_order != PAGE_LISTED;
}

/*
 * The free block of the lists that this frame is in: its first frame, and its order in *order; 0 if
 * the frame is in none.
 */
pfn_t buddy_block_of(pfn_t pfn, unsigned *order);

/*
 * Takes this very frame out of the free block that it is in, the rest of which is split as it must
 * be: an allocated page of order 0 with owner 0 afterwards. NULL if the frame is in no free block.
 */
struct page *buddy_take_page(pfn_t pfn);

/*
 * Gives an allocated block straight to the free lists, where it merges, past the per-CPU lists. It
 * must be allocated with this order and have no kmap slot.
 */
void buddy_free(struct page *page, unsigned order);

/* The rest is the page allocator's own. */

/* The smallest order, from `order` up, of which these lists have a block; NR_ORDERS if none. */
unsigned buddy_smallest(const struct zone *zone, unsigned type, unsigned order);

/*
 * Takes the first block of `order` off the lists of `type`, gives back all but 2^wanted pages at
 * its start, and returns those, with a descriptor that says nothing yet.
 */
struct page *buddy_take_first(struct zone *zone, unsigned type, unsigned order, unsigned wanted);

/* The same of the very block at `block`, keeping the 2^wanted pages at `at` in it. Allocated. */
struct page *buddy_take_at(pfn_t block, unsigned order, pfn_t at, unsigned wanted);

/*
 * Gives a block back whose descriptors are all zero but its first, which may be anything. The
 * zone's free pages are counted by the caller.
 */
void buddy_put(struct zone *zone, pfn_t pfn, unsigned order);

/* Puts a block into the lists of `type` as it is, or takes it off those of `type`. */
void buddy_list_add(struct zone *zone, pfn_t pfn, unsigned order, unsigned type);
void buddy_list_remove(struct zone *zone, pfn_t pfn, unsigned order, unsigned type);

/* What page_alloc_events() shows. Compaction and reclaim on behalf of alloc_pages() are counted
 * there by the caller, not by those who do it. */
extern struct page_alloc_events page_alloc_counts;

#endif
