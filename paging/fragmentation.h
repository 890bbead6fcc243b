/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAGING_FRAGMENTATION_H
#define PAGING_FRAGMENTATION_H

/*
 * How much in pieces free memory is: two numbers a zone and order, from nothing but how many free
 * blocks of each order there are. They are computed as Linux does for /sys/kernel/debug/extfrag/,
 * to the last digit (unusable_free_index() and __fragmentation_index() in mm/vmstat.c).
 *
 * The host side computes them too, from the samples of a report.
 */

#include "lib/types.h"

#ifndef MAX_ORDER     /* the model-based test has smaller blocks */
#define MAX_ORDER 10u /* the largest block: 4 MiB */
#endif
#define NR_ORDERS (MAX_ORDER + 1)

/* Free blocks of 2^order pages, by order. */
struct buddy_counts {
    uint32_t nr_free[NR_ORDERS];
};

/* Pages in all free blocks. */
uint32_t buddy_free_pages(const struct buddy_counts *counts);

/* Order of the largest free block; -1 if there is none. */
int buddy_largest_order(const struct buddy_counts *counts);

/*
 * The unusable free-space index (M. Gorman and A. Whitcroft, "The What, The Why and the Where To of
 * Anti-Fragmentation", 2006): the share of free memory that a request of this order can't use, in
 * permille: free pages in smaller blocks / free pages.
 * 0: all of it is usable; 1000: none is, or nothing is free.
 */
uint32_t unusable_index(const struct buddy_counts *counts, unsigned order);

/*
 * The fragmentation index (M. Gorman and P. Healy, "Supporting Superpage Allocation without
 * Additional Hardware Support", 2008): why a request of this order fails, in permille. Towards 0:
 * for lack of memory; towards 1000: because it is in pieces. There it is
 * 1 - (free pages / 2^order) / free blocks; Linux adds 1 to what stands in brackets, and so it is
 * done here. By that a single free block comes to less than 0, to -500 at most. It only has a
 * meaning when the request would fail: FRAGMENTATION_FITS when it would not. 0 if nothing is free.
 */
#define FRAGMENTATION_FITS (-1000)
int fragmentation_index(const struct buddy_counts *counts, unsigned order);

#endif
