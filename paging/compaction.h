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
 * a block of the wanted order is free. Pages with a kmap window in use, and pages whose owner
 * doesn't let go of them, are pinned: they stay, and are counted.
 *
 * Context: thread, preemption on; it is off for a page at a time.
 */

#include "paging/page_alloc.h"

struct compact_result {
    uint32_t scanned; /* descriptors looked at */
    uint32_t moved;   /* pages */
    uint32_t pinned;  /* movable pages that could not be */
};

/*
 * Compacts a zone until a block of this order is free; with order NR_ORDERS, wholly. result: may be
 * NULL. Returns true if such a block is free now.
 */
bool compact_zone(enum zone_type zone, unsigned order, struct compact_result *result);

#endif
