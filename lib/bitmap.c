/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/bitmap.h"

#define ALL_ONES UINT32_MAX

/* Bits of a word from `bit` up, 0..31. */
static uint32_t from_bit(uint32_t bit)
{
    return ALL_ONES << bit;
}

/* Bits of a word below `bit`, 1..32. */
static uint32_t below_bit(uint32_t bit)
{
    return ALL_ONES >> (BITMAP_WORD_BITS - bit);
}

static void change_range(uint32_t *map, uint32_t start, uint32_t count, uint32_t to)
{
    while (count) {
        uint32_t bit = start % BITMAP_WORD_BITS;
        uint32_t part = MIN(count, BITMAP_WORD_BITS - bit);
        uint32_t mask = below_bit(part) << bit;
        uint32_t *word = &map[start / BITMAP_WORD_BITS];

        *word = (*word & ~mask) | (to & mask);
        start += part;
        count -= part;
    }
}

void bitmap_set_range(uint32_t *map, uint32_t start, uint32_t count)
{
    change_range(map, start, count, ALL_ONES);
}

void bitmap_clear_range(uint32_t *map, uint32_t start, uint32_t count)
{
    change_range(map, start, count, 0);
}

/* The lowest bit in [start, end) that is set after an XOR with `flip`, or `end`. */
static uint32_t next_bit(const uint32_t *map, uint32_t start, uint32_t end, uint32_t flip)
{
    uint32_t index, last, word;

    if (start >= end)
        return end;
    index = start / BITMAP_WORD_BITS;
    last = (end - 1) / BITMAP_WORD_BITS;
    word = (map[index] ^ flip) & from_bit(start % BITMAP_WORD_BITS);
    while (!word && index < last)
        word = map[++index] ^ flip;
    if (!word)
        return end;
    return MIN(index * BITMAP_WORD_BITS + (uint32_t)__builtin_ctz(word), end);
}

uint32_t bitmap_next_set(const uint32_t *map, uint32_t start, uint32_t end)
{
    return next_bit(map, start, end, 0);
}

uint32_t bitmap_next_clear(const uint32_t *map, uint32_t start, uint32_t end)
{
    return next_bit(map, start, end, ALL_ONES);
}

/* The bit after the highest set one in [start, end), which is not empty; `start` if all are clear.
 */
static uint32_t after_last_set(const uint32_t *map, uint32_t start, uint32_t end)
{
    uint32_t index = (end - 1) / BITMAP_WORD_BITS;
    uint32_t first = start / BITMAP_WORD_BITS;
    uint32_t word = map[index] & below_bit((end - 1) % BITMAP_WORD_BITS + 1);

    while (!word && index > first)
        word = map[--index];
    if (index == first)
        word &= from_bit(start % BITMAP_WORD_BITS);
    if (!word)
        return start;
    return (index + 1) * BITMAP_WORD_BITS - (uint32_t)__builtin_clz(word);
}

uint32_t bitmap_weight(const uint32_t *map, uint32_t nbits)
{
    uint32_t weight = 0;

    for (uint32_t bit = bitmap_next_set(map, 0, nbits); bit < nbits;) {
        uint32_t end = bitmap_next_clear(map, bit, nbits);

        weight += end - bit;
        bit = bitmap_next_set(map, end, nbits);
    }
    return weight;
}

uint32_t bitmap_find_free_run(const uint32_t *map, uint32_t nbits, uint32_t start, uint32_t count)
{
    for (;;) {
        uint32_t at = bitmap_next_clear(map, start, nbits);

        if (at >= nbits || nbits - at < count)
            return nbits;
        start = after_last_set(map, at, at + count);
        if (start == at)
            return at;
    }
}
