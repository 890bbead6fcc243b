/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAYLOAD_TESTS_LOWMEM_BLOCKS_H
#define PAYLOAD_TESTS_LOWMEM_BLOCKS_H

/*
 * Blocks of lowmem that somebody holds, in the mix that a kernel under load keeps there: 8 KiB
 * stacks (order 1), pages of small heads, page tables, slabs of several orders. Each page of a
 * block carries its owner's stamp at both ends, which is looked at when the block is given back.
 */

#include "lib/prng.h"
#include "paging/page.h"

struct lowmem_blocks {
    uint32_t *entry; /* frame and order in a word; the table itself is lowmem too */
    unsigned table_order;
    uint32_t count, max;
};

/* What the stamp of a page that was changed should have been. */
struct lowmem_damage {
    phys_addr_t phys;
    uint32_t found[2], wanted;
};

uint32_t lowmem_free_pages(void);

/*
 * A table for up to `max` blocks, or as many as the largest block of memory has room for. False if
 * there is no memory for it; `blocks` has the order that was wanted then. Context: thread.
 */
bool lowmem_blocks_open(struct lowmem_blocks *blocks, uint32_t max);

/* Gives all back without a look at the stamps, and the table. */
void lowmem_blocks_close(struct lowmem_blocks *blocks);

/* Takes a block and stamps it; false if there is none, or no place in the table. */
bool lowmem_blocks_take(struct lowmem_blocks *blocks, unsigned order);

/*
 * Gives block `index` back; the last one takes its number. False if a stamp was changed: the first
 * is in *damage.
 */
bool lowmem_blocks_give(struct lowmem_blocks *blocks, uint32_t index, struct lowmem_damage *damage);

struct page *lowmem_block_page(const struct lowmem_blocks *blocks, uint32_t index);
unsigned lowmem_block_order(const struct lowmem_blocks *blocks, uint32_t index);

/* Writes the stamps of block `index` again, when something else was kept there. */
void lowmem_block_stamp(const struct lowmem_blocks *blocks, uint32_t index);

/* An order, drawn as often as the mix has it. */
unsigned lowmem_mix_order(struct prng *prng);

#endif
