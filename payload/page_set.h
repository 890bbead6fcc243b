/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAYLOAD_PAGE_SET_H
#define PAYLOAD_PAGE_SET_H

/*
 * All free pages of a zone, taken at once and numbered, for suites that go over the whole of it.
 *
 * The set holds blocks in order of address; page number i is found by binary search. What depth=
 * leaves out is left out here: with `sparse` only some pages of every 2 MiB are visited.
 */

#include "paging/page_alloc.h"
#include "payload/options.h"

struct page_block {
    pfn_t pfn;
    uint32_t first; /* number of its first page in the set */
};

struct page_set {
    struct page_block *blocks;
    uint32_t nr_blocks, max_blocks;
    unsigned table_order;
    uint32_t nr_pages;   /* in all blocks */
    uint32_t nr_visited; /* of which numbers 0..nr_visited-1 stand for */
    uint32_t stride;     /* pages to each visited one */
};

/*
 * Takes every free page of the zone. Returns 0; -ENODEV if the zone has none; -ENOMEM if there is
 * no lowmem for the table of blocks. Context: thread.
 */
int page_set_take(struct page_set *set, enum zone_type zone, enum depth depth);

/* Gives all pages back. Fine on a set that was not taken. */
void page_set_give_back(struct page_set *set);

/* Frame of the visited page `index`, 0..nr_visited-1. */
pfn_t page_set_pfn(const struct page_set *set, uint32_t index);

/* True if the set holds this frame, visited or not. */
bool page_set_holds(const struct page_set *set, pfn_t pfn);

#endif
