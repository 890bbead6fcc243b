/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef LIB_BITMAP_H
#define LIB_BITMAP_H

/*
 * Bits in 32-bit words, bit 0 the lowest of the first word. A set bit means "taken".
 *
 * All are plain memory operations: the caller locks. Context: any, before paging too.
 */

#include "lib/types.h"

#define BITMAP_WORD_BITS 32u
#define BITMAP_WORDS(nbits) (((nbits) + BITMAP_WORD_BITS - 1) / BITMAP_WORD_BITS)

/* Words for a map of `nbits` bits, all free: static BITMAP(slots, 512); */
#define BITMAP(name, nbits) uint32_t name[BITMAP_WORDS(nbits)]

static inline void bitmap_set(uint32_t *map, uint32_t bit)
{
    map[bit / BITMAP_WORD_BITS] |= BIT(bit % BITMAP_WORD_BITS);
}

static inline void bitmap_clear(uint32_t *map, uint32_t bit)
{
    map[bit / BITMAP_WORD_BITS] &= ~BIT(bit % BITMAP_WORD_BITS);
}

static inline bool bitmap_test(const uint32_t *map, uint32_t bit)
{
    return map[bit / BITMAP_WORD_BITS] >> bit % BITMAP_WORD_BITS & 1;
}

/* Sets or clears `count` bits from `start` up. */
void bitmap_set_range(uint32_t *map, uint32_t start, uint32_t count);
void bitmap_clear_range(uint32_t *map, uint32_t start, uint32_t count);

/* The lowest set, or clear, bit in [start, end); `end` if there is none. */
uint32_t bitmap_next_set(const uint32_t *map, uint32_t start, uint32_t end);
uint32_t bitmap_next_clear(const uint32_t *map, uint32_t start, uint32_t end);

/* How many bits of the first `nbits` are set. */
uint32_t bitmap_weight(const uint32_t *map, uint32_t nbits);

/*
 * Looks for `count` (at least 1) clear bits side by side, the first one not below `start`, in a map
 * of `nbits` bits. Returns the lowest such place, or `nbits` if there is none.
 */
uint32_t bitmap_find_free_run(const uint32_t *map, uint32_t nbits, uint32_t start, uint32_t count);

#endif
