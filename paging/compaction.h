/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAGING_COMPACTION_H
#define PAGING_COMPACTION_H

/*
 * Compaction: movable pages are moved together, so that what is free comes together as well.
 *
 *     start_pfn                                                  end_pfn
 *     │ migrate scanner ──────►                ◄────── free scanner │
 *     │ takes movable pages                    takes free pages     │
 *
 * Two scanners go over the zone towards each other. What the lower one finds is copied, through
 * windows where it is highmem, to what the upper one finds; the owner is told (page_owner.h), and
 * the old page is freed and merges with its neighbours. It is over when the scanners meet, or when
 * a block of the wanted order is free.
 *
 * The lower one goes from block to block of the wanted order, and leaves a block alone as soon as
 * it sees a page in it that stays. Pages with a kmap window in use, and pages whose owner doesn't
 * let go of them, are pinned: they stay, and are counted. A page that a thread sees through
 * kmap_local_page(), or a device by DMA, looks like any other: its owner must say no. So
 * does one that a thread sleeps for in kmap(), until there is a slot: the user must be counted
 * before kmap(), or the sleeper wakes up with a window to a page that has become another's. Who
 * compacts with less than two windows of kmap_local_page() left moves no highmem page, and counts
 * it as pinned.
 *
 * The upper one takes pages in movable pageblocks, and in others only if no block was found
 * without; never in one that is wholly free, since to fill it gains nothing.
 *
 * Context: thread, preemption on; it is off for a page at a time. What others do to the zone
 * meanwhile can only make it find less.
 */

#include "paging/page_alloc.h"

struct compact_result {
    uint32_t scanned; /* descriptors looked at */
    uint32_t moved;   /* pages */
    uint32_t pinned;  /* movable pages that could not be */
};

/*
 * Compacts a zone until a block of this order is free; with order NR_ORDERS or more, wholly, among
 * movable pageblocks. result: may be NULL. Returns true if such a block is free now; never for
 * NR_ORDERS.
 */
bool compact_zone(enum zone_type zone, unsigned order, struct compact_result *result);

#endif
