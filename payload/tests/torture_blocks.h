/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAYLOAD_TESTS_TORTURE_BLOCKS_H
#define PAYLOAD_TESTS_TORTURE_BLOCKS_H

/*
 * Blocks of any zone that somebody holds, each page stamped at both ends by its owner. A stamp says
 * where and for whom it was written, so that it tells a page that somebody else wrote to from one
 * that compaction moved wrongly. It is looked at when a block is given back, and when it was moved.
 *
 * A block has one of four owners: nobody, one that keeps its pages where they are, one whose pages
 * may be moved (unless the block is pinned), and a cache, whose pages may be moved, and are freed
 * when the allocator asks. The owner's index of a block is its place in the table. Context: thread.
 */

#include "lib/types.h"
#include "paging/page_alloc.h"

#define TORTURE_WINDOWS 4u

enum torture_who { TORTURE_NOBODY, TORTURE_FIXED, TORTURE_MOVER, TORTURE_CACHE, NR_TORTURE_WHO };

struct torture_block {
    pfn_t pfn;
    pfn_t born; /* where it was when it was stamped */
    uint32_t serial;
    uint8_t order, who;
    bool movable; /* allocated with __GFP_MOVABLE */
    bool pinned;
    bool isolated;
    bool mapped; /* its first page has a kmap() window in use */
};

struct torture_blocks {
    struct torture_block *block; /* NULL: not open */
    unsigned table_order;
    uint32_t count, max, serial;
    uint32_t pages[MAX_NR_ZONES]; /* that are held */
    uint32_t moved, kept, reclaimed;
    char wrong[100]; /* what broke first; empty: nothing */
};

/* There is one at a time, since owners' hooks must find it. */
extern struct torture_blocks torture_blocks;

/* A table for so many blocks, from lowmem, and the owners. False if there is no memory. */
bool torture_blocks_open(uint32_t max);

/* Gives back what is held, unlooked at, the table, and the owners. Fine if it is not open. */
void torture_blocks_close(void);

/* Notes a block that was allocated, and stamps it. There is room in the table. */
void torture_block_enter(struct page *page, unsigned order, gfp_t gfp, enum torture_who who);

/* Looks at its stamps, and frees it; the last block takes its place. Not while it is mapped. */
void torture_block_give(uint32_t index);

/* Gives the block to somebody else: movers have movable pages only. */
void torture_block_own(uint32_t index, enum torture_who who);

/* Opens a window to its first page, or closes it. */
void torture_block_map(uint32_t index, bool map);

/* Looks at the stamps of all that is held. */
void torture_blocks_check(void);

/* Says what broke. */
void torture_broke(const char *fmt, ...) __printf(1, 2);

#endif
