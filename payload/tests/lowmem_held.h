/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAYLOAD_TESTS_LOWMEM_HELD_H
#define PAYLOAD_TESTS_LOWMEM_HELD_H

/*
 * Blocks of lowmem that one user of a workload holds: stacks, pages of small objects, a page cache,
 * buffers of a network card. All of a user's blocks are of one order.
 *
 * Each page carries its user's stamp at both ends: who it is, the block's serial number, which page
 * of the block it is, and a check word. The stamp, and what the page's descriptor says of its
 * owner, are looked at whenever the block is given back or handed over, and after compaction has
 * moved it; a stamp that was changed fails the case with the physical address.
 *
 * A movable user (order 0) lets compaction move its pages, all but one in HELD_BUSY, which are
 * under I/O, and gives pages up to reclaim, in random order as a list of least recently used pages
 * is one.
 */

#include "paging/shrinker.h"
#include "payload/tests/lowmem_lab.h"

#define HELD_BUSY 64u

struct held_block {
    struct page *page;
    uint32_t serial;
};

struct held {
    struct lab *lab;
    struct page_owner owner;
    struct shrinker shrinker;
    unsigned order;
    gfp_t gfp;
    bool movable, registered;
    struct held_block *block; /* in no order */
    uint32_t count, max;
    uint32_t serial; /* of the next block */
};

/*
 * Gets ready for up to `max` blocks of 2^order pages. letter: for maps. gfp: with __GFP_MOVABLE for
 * a movable user, which then is a shrinker too. Returns NULL, or what is lacking. Context: begin()
 * of a workload.
 */
const char *held_open(struct held *held, struct lab *lab, const char *name, char letter, gfp_t gfp,
                      unsigned order, uint32_t max);

/* One block more, stamped, the last of the table; NULL if there is no memory, or no room for it. */
struct page *held_take(struct held *held);

/* Gives block `index` back; the last one takes its number. Context: test running. */
void held_give(struct held *held, uint32_t index);

/* The same for a block chosen at random. Nothing if there is none: reclaim may take the last. */
void held_give_any(struct held *held);

/*
 * Hands block `index` over to another user of blocks of this order, who has room for it in his
 * table; it is the last one there.
 */
void held_pass(struct held *from, uint32_t index, struct held *to);

/* Looks at the stamps of block `index`, and writes them again after something else stood there. */
bool held_check(const struct held *held, uint32_t index);
void held_stamp(const struct held *held, uint32_t index);

/*
 * Gives all back, with a look at the stamps, and takes the owner and the shrinker away. Fine if it
 * was never opened, or a fault left its count larger than its table.
 */
void held_close(struct held *held);

/* Shows that a changed stamp would be seen. Context: start(), or later. */
void held_prove_stamps(struct held *held);

#endif
