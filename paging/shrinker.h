/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAGING_SHRINKER_H
#define PAGING_SHRINKER_H

/*
 * Reclaim: whoever keeps pages only because they may be handy registers a shrinker, and gives some
 * up when the page allocator runs out. The names are those of Linux.
 */

#include "lib/list.h"
#include "paging/page_alloc.h"

#define SHRINK_BATCH 128u /* pages that are asked for at a time */

struct shrinker {
    const char *name;
    /* How many pages it could free in zones up to `zone`. Context: as scan_objects(). */
    uint32_t (*count_objects)(struct shrinker *shrinker, enum zone_type zone);
    /*
     * Frees about nr_to_scan pages (1..SHRINK_BATCH) in zones up to `zone`; returns how many it
     * did, 0 if it has none to spare. It must not allocate. Context: thread, preemption off; what
     * the caller of alloc_pages() holds is held.
     */
    uint32_t (*scan_objects)(struct shrinker *shrinker, enum zone_type zone, uint32_t nr_to_scan);
    struct list_head list;
};

void register_shrinker(struct shrinker *shrinker);
void unregister_shrinker(struct shrinker *shrinker);

/*
 * Asks all shrinkers, each in proportion to what it has, for nr_pages pages of zones up to `zone`.
 * Returns how many were freed, which may be a few more. A shrinker that is being asked is not asked
 * again from within itself: that returns 0. Context: thread, preemption on; it is off for
 * SHRINK_BATCH pages at a time.
 */
uint32_t shrink_pages(enum zone_type zone, uint32_t nr_pages);

/* A fault has ended whoever was being asked. Context: preemption off. */
void shrink_reset(void);

#endif
