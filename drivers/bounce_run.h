/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DRIVERS_BOUNCE_RUN_H
#define DRIVERS_BOUNCE_RUN_H

/*
 * Runs of slots of a bounce pool, found and given back in a number of steps that does not depend on
 * how many slots are taken, which ones, or in how many areas they are.
 *
 * A run gets the first slots of a free block: 2^order slots, just enough for it, at a multiple of
 * as many in its area. So a device's boundary that could hold the run can't cross it: both are
 * blocks of 2^n pages. What is left of the block stays free.
 *
 * The words of the areas' maps, each of 32 slots, are numbered through the pool, and for each order
 * it is known which words have a free block:
 *
 *     word           0        1        2  ...  63  (8 of its 32 slots are drawn)
 *     its slots     ####.#..|####.###|........
 *     room[0]        1        1        1           a slot
 *     room[1]        1        0        1           two, at an even one
 *     room[3]        0        0        1
 *
 * Blocks of more than 32 slots are words side by side that are all free, of one area.
 *
 * The quick paths take and give single slots with no lock, and with nothing but the bit
 * (drivers/dma_piece.c). That is in one area of the pool only, the first, which is small and not in
 * `room`: if no other area has a block, its BOUNCE_QUICK_WORDS words are looked at, one by one. A
 * run of one slot gets the one that they would take next.
 */

#include "lib/address.h"

#define BOUNCE_WORD_ORDER 5u /* of the slots in a word of a map */
#define BOUNCE_RUN_ORDERS (BOUNCE_WORD_ORDER + 1)
#define BOUNCE_POOL_WORDS 64u   /* at most, in all areas of a pool */
#define BOUNCE_QUICK_WORDS 8u   /* at most, in the quick area */
#define BOUNCE_ADDRESS_BITS 28u /* of addresses below BOUNCE_END */
#define BOUNCE_MAX_ORDER 10u    /* of an area, and so of a run */

struct bounce_area;
struct bounce_pool;

struct bounce_runs {
    struct bounce_area *area[BOUNCE_POOL_WORDS]; /* that a word belongs to */
    uint32_t nr_words;
    uint32_t hand; /* the slot behind the last run, counted through the words */
    uint32_t room[BOUNCE_POOL_WORDS / 32][BOUNCE_RUN_ORDERS]; /* bits: in which words */
    uint64_t first[BOUNCE_MAX_ORDER + 1]; /* words where a block of this order may begin */
    struct bounce_reach {
        uint64_t words; /* of areas that a device with so many address bits reaches */
        uint32_t slots; /* of the largest of them */
    } reach[BOUNCE_ADDRESS_BITS + 1];
};

/* Order of the smallest block that holds `slots` slots, 1 to 2^31. */
unsigned bounce_order(uint32_t slots);

/* What of the pool a device with this mask reaches. */
const struct bounce_reach *bounce_reach(const struct bounce_pool *pool, dma_addr_t mask);

/* Enters an area of the pool, all of it free. Context: locked. */
void bounce_run_add(struct bounce_area *area);

/*
 * Takes a run of `count` slots in an area that the mask reaches, behind the last one if possible.
 * Its first page goes to *first. Returns 0, -ENOSPC, or -ERANGE if the mask reaches no area.
 * Context: locked.
 */
int bounce_run_take(struct bounce_pool *pool, dma_addr_t mask, uint32_t count, pfn_t *first);

/* Gives `count` slots of an area back, which were taken as one run. Context: locked. */
void bounce_run_give(struct bounce_area *area, uint32_t slot, uint32_t count);

#endif
