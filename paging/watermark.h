/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAGING_WATERMARK_H
#define PAGING_WATERMARK_H

/*
 * What a zone keeps back: WMARK_MIN pages from all who can wait, and on top of it lowmem_reserve[i]
 * pages from those who could have had zone i. Only what is in the buddy lists counts. The
 * arithmetic is that of Linux 6.1, calculate_min_free_kbytes(), __setup_per_zone_wmarks() and
 * setup_per_zone_lowmem_reserve() in mm/page_alloc.c, with present_pages for managed pages: what
 * the kernel itself takes is not given to the allocator here.
 */

#include "paging/page_alloc.h"

/* Sets the marks and reserves of all zones; all 0 without the remedy `watermarks`. */
void watermarks_set(struct zone *all, const struct page_alloc_tuning *tuning);

/*
 * How many pages an allocation with these flags may take from the zone: 0 if it may not have a
 * block of this order, or there is none.
 */
uint32_t watermark_room(const struct zone *zone, gfp_t gfp, unsigned order);

/* Counts the marks between `before` free pages and as many as are free now. */
void watermark_note_fall(const struct zone *zone, uint32_t before);

#endif
