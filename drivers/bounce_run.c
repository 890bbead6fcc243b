/* SPDX-License-Identifier: BSD-2-Clause */
#include "drivers/bounce_run.h"
#include "drivers/bounce.h"
#include "lib/errno.h"
#include "lib/inject.h"
#include "lib/x86/atomic.h"

#define WORD_SLOTS (1u << BOUNCE_WORD_ORDER)
#define NO_RUN UINT32_MAX

_Static_assert(BOUNCE_END == 1u << BOUNCE_ADDRESS_BITS, "");
_Static_assert(MAX_ORDER <= BOUNCE_MAX_ORDER, "");
_Static_assert(BOUNCE_WIDE_LIMIT / BOUNCE_SLOT_BYTES <= BOUNCE_POOL_WORDS * WORD_SLOTS, "");
_Static_assert(BOUNCE_MAX_AREAS <= BOUNCE_POOL_WORDS, "");
_Static_assert(1u << BOUNCE_WIDE_ORDER <= BOUNCE_QUICK_WORDS * WORD_SLOTS, "");
_Static_assert(1u << BOUNCE_LOW_ORDER <= BOUNCE_QUICK_WORDS * WORD_SLOTS, "");

/* The slots of a word where blocks of each order may begin. */
static const uint32_t multiples[BOUNCE_RUN_ORDERS] = {0xffffffff, 0x55555555, 0x11111111,
                                                      0x01010101, 0x00010001, 0x00000001};

unsigned bounce_order(uint32_t slots)
{
    return slots > 1 ? 32u - (unsigned)__builtin_clz(slots - 1) : 0;
}

/* The number of address bits that the last byte of an area, or a mask, has for certain. */
static unsigned bits_of_mask(dma_addr_t mask)
{
    uint64_t end = addr_number(mask) + 1;

    if (end == 0 || end >= BOUNCE_END)
        return BOUNCE_ADDRESS_BITS;
    return 31u - (unsigned)__builtin_clz((uint32_t)end);
}

const struct bounce_reach *bounce_reach(const struct bounce_pool *pool, dma_addr_t mask)
{
    return &pool->runs.reach[bits_of_mask(mask)];
}

static uint32_t *word_at(const struct bounce_runs *runs, uint32_t number)
{
    struct bounce_area *area = runs->area[number];

    return &area->taken[number - area->first_word];
}

/* Where in a word the free blocks of an order begin that fit in it. */
static uint32_t free_blocks(uint32_t taken, unsigned order)
{
    uint32_t free = ~taken;

    /* By hand, because a loop would take three times as long. */
    if (order > 0)
        free &= free >> 1;
    if (order > 1)
        free &= free >> 2;
    if (order > 2)
        free &= free >> 4;
    if (order > 3)
        free &= free >> 8;
    if (order > 4)
        free &= free >> 16;
    return inject(bounce_run_anywhere, dma_bounce) ? free : free & multiples[order];
}

/* Enters a word's free blocks of all orders. */
static void note_room(struct bounce_runs *runs, uint32_t number, uint32_t taken)
{
    uint32_t *room = runs->room[number / 32], bit = BIT(number % 32);
    uint32_t free = ~taken;

    for (unsigned order = 0;; order++) {
        room[order] = free & multiples[order] ? room[order] | bit : room[order] & ~bit;
        if (order == BOUNCE_WORD_ORDER)
            break;
        free &= free >> (1u << order);
    }
}

void bounce_run_add(struct bounce_area *area)
{
    struct bounce_runs *runs = &area->pool->runs;
    uint32_t words = (area->nr_slots + WORD_SLOTS - 1) / WORD_SLOTS, end = runs->nr_words + words;
    dma_addr_t last = phys_to_dma(pfn_to_phys(area->first + area->nr_slots)) - 1;

    area->first_word = runs->nr_words;
    for (uint32_t number = area->first_word; number < end; number++) {
        runs->area[number] = area;
        for (unsigned order = 0; 1u << order <= area->nr_slots; order++) {
            if ((number - area->first_word) * WORD_SLOTS % (1u << order) == 0)
                runs->first[order] |= 1ull << number;
        }
        for (unsigned bits = 0; bits <= BOUNCE_ADDRESS_BITS; bits++) {
            if (addr_number(last) >> bits != 0)
                continue;
            runs->reach[bits].words |= 1ull << number;
            runs->reach[bits].slots = MAX(runs->reach[bits].slots, area->nr_slots);
        }
        if (area->quick_slots == 0)
            note_room(runs, number, *word_at(runs, number));
    }
    runs->nr_words = end;
}

/* The words of the other areas in which there is room for a block. */
static uint64_t other_room(const struct bounce_runs *runs, unsigned order)
{
    return (uint64_t)runs->room[1][order] << 32 | runs->room[0][order];
}

/* The words of the quick area in which there is room for a block. */
static uint64_t quick_room(const struct bounce_area *area, unsigned order)
{
    uint32_t words = 0;

    for (uint32_t i = 0; i * WORD_SLOTS < area->quick_slots; i++) {
        if (free_blocks(area->taken[i], order))
            words |= 1u << i;
    }
    return (uint64_t)words << area->first_word;
}

/* Of the words that have room for the block, or for their part of it, those where it can begin. */
static uint64_t where_whole(const struct bounce_runs *runs, uint64_t words, unsigned order)
{
    for (unsigned i = BOUNCE_WORD_ORDER; i < order; i++)
        words &= words >> (1u << (i - BOUNCE_WORD_ORDER));
    return words & runs->first[order];
}

/* The lowest of some words, by their bits. */
static uint32_t first_word(uint64_t words)
{
    uint32_t low = (uint32_t)words;

    return low ? (uint32_t)__builtin_ctz(low)
               : 32u + (uint32_t)__builtin_ctz((uint32_t)(words >> 32));
}

/* The first block that begins in one of the words, from slot `hand` on and around. */
static uint32_t next_block(const struct bounce_runs *runs, uint64_t words, unsigned order,
                           uint32_t hand)
{
    uint32_t number = hand / WORD_SLOTS % BOUNCE_POOL_WORDS, blocks = 0;
    uint64_t later = words & ~1ull << number;

    if (words >> number & 1)
        blocks = free_blocks(*word_at(runs, number), order) & UINT32_MAX << hand % WORD_SLOTS;
    if (!blocks) {
        number = first_word(later ? later : words);
        blocks = free_blocks(*word_at(runs, number), order);
    }
    return blocks ? number * WORD_SLOTS + (uint32_t)__builtin_ctz(blocks) : NO_RUN;
}

/* The slots [from, from + count) of a word. */
static uint32_t part_of_word(uint32_t from, uint32_t count)
{
    return (count < WORD_SLOTS ? BIT(count) - 1 : UINT32_MAX) << from;
}

void bounce_run_give(struct bounce_area *area, uint32_t slot, uint32_t count)
{
    while (count > 0) {
        uint32_t part = MIN(count, WORD_SLOTS - slot % WORD_SLOTS);
        uint32_t now = __atomic_and_fetch(&area->taken[slot / WORD_SLOTS],
                                          ~part_of_word(slot % WORD_SLOTS, part), __ATOMIC_SEQ_CST);

        if (area->quick_slots == 0 && !inject(bounce_run_forget, dma_bounce))
            note_room(&area->pool->runs, area->first_word + slot / WORD_SLOTS, now);
        slot += part;
        count -= part;
    }
}

/* Takes slots that were free when looked at. False, and none taken, if one is not any more. */
static bool take_words(struct bounce_area *area, uint32_t slot, uint32_t count)
{
    for (uint32_t done = 0, part; done < count; done += part) {
        uint32_t at = slot + done, mask;
        uint32_t *word = &area->taken[at / WORD_SLOTS];
        uint32_t was = __atomic_load_n(word, __ATOMIC_RELAXED);

        part = MIN(count - done, WORD_SLOTS - at % WORD_SLOTS);
        mask = part_of_word(at % WORD_SLOTS, part);
        do {
            if (was & mask) {
                bounce_run_give(area, slot, done);
                return false;
            }
        } while (!__atomic_compare_exchange_n(word, &was, was | mask, false, __ATOMIC_SEQ_CST,
                                              __ATOMIC_RELAXED));
        if (area->quick_slots == 0)
            note_room(&area->pool->runs, area->first_word + at / WORD_SLOTS, was | mask);
    }
    return true;
}

/* Takes a block's slots in one of the words. Returns the one behind them, or NO_RUN. */
static uint32_t take_in(const struct bounce_runs *runs, uint64_t words, unsigned order,
                        uint32_t hand, uint32_t count, pfn_t *first)
{
    uint32_t found = next_block(runs, words, order, hand), slot;
    struct bounce_area *area;

    if (found == NO_RUN)
        return NO_RUN;
    area = runs->area[found / WORD_SLOTS];
    slot = found - area->first_word * WORD_SLOTS;
    if (!take_words(area, slot, count))
        return NO_RUN;
    *first = area->first + slot;
    return found + count;
}

/*
 * The same in the quick area, as often as a slot was taken from under it. Its hand is that of the
 * quick paths, so that these do not use at once what a run gave back.
 */
static int take_quick(struct bounce_pool *pool, uint64_t reached, unsigned order, uint32_t count,
                      pfn_t *first)
{
    struct bounce_runs *runs = &pool->runs;
    struct bounce_area *area = pool->current;
    unsigned in_word = MIN(order, BOUNCE_WORD_ORDER);
    uint64_t words;

    while (area && (words = where_whole(runs, quick_room(area, in_word), order) & reached) != 0) {
        uint32_t base = area->first_word * WORD_SLOTS;
        uint32_t hand = take_in(runs, words, in_word, base + pool->hand, count, first);

        if (hand == NO_RUN)
            continue;
        pool->hand = hand - base;
        return 0;
    }
    return -ENOSPC;
}

/* Takes the one slot that the quick paths would take next, if it is free. */
static bool take_next(struct bounce_pool *pool, uint64_t reached, pfn_t *first)
{
    struct bounce_area *area = pool->current;
    uint32_t slot = pool->hand;

    if (!area || !(reached >> area->first_word & 1) || atomic_bit_set(area->taken, slot))
        return false;
    pool->hand = slot + 1;
    *first = area->first + slot;
    return true;
}

int bounce_run_take(struct bounce_pool *pool, dma_addr_t mask, uint32_t count, pfn_t *first)
{
    struct bounce_runs *runs = &pool->runs;
    unsigned order = bounce_order(count), in_word = MIN(order, BOUNCE_WORD_ORDER);
    uint64_t reached = bounce_reach(pool, mask)->words, words;
    uint32_t hand;

    if (!reached)
        return -ERANGE;
    if (count == 1 && take_next(pool, reached, first))
        return 0;
    if (order > BOUNCE_MAX_ORDER)
        return -ENOSPC;
    words = where_whole(runs, other_room(runs, in_word), order) & reached;
    if (!words)
        return take_quick(pool, reached, order, count, first);
    hand = take_in(runs, words, in_word, runs->hand, count, first);
    if (hand == NO_RUN)
        return -ENOSPC;
    runs->hand = hand;
    return 0;
}
