/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAGING_SHRINKER_H
#define PAGING_SHRINKER_H

/*
 * Reclaim: whoever keeps pages only because they may be handy registers a shrinker, and gives some
 * up when the page allocator runs out. The names are those of Linux.
 */

#include "lib/list.h"
#include "paging/page_alloc.h"

struct shrinker {
    const char *name;
    /* How many pages it could free in zones up to `zone`. */
    uint32_t (*count_objects)(struct shrinker *shrinker, enum zone_type zone);
    /*
     * Frees about nr_to_scan pages in zones up to `zone`; returns how many it did. It must not
     * allocate. Context: thread; what the caller of alloc_pages() holds is held.
     */
    uint32_t (*scan_objects)(struct shrinker *shrinker, enum zone_type zone, uint32_t nr_to_scan);
    struct list_head list;
};

void register_shrinker(struct shrinker *shrinker);
void unregister_shrinker(struct shrinker *shrinker);

/*
 * Asks all shrinkers, each in proportion to what it has, for nr_pages pages of zones up to `zone`.
 * Returns how many were freed. A shrinker is not asked again from within itself.
 */
uint32_t shrink_pages(enum zone_type zone, uint32_t nr_pages);

#endif
