/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lowmem_jumbo: a network card that gets no buffers, in memory that the page cache gives back.
 *
 * Jumbo frames come in, one a step. Each is 9000 bytes and lies in one buffer of 16 KiB (order 2),
 * or, with headroom and the kernel's own part behind it, of 32 KiB (order 3), as drivers of the
 * time had it. It waits for whoever reads it, together with as many others as have come while he
 * was busy, and is then written to a file: into pages of the cache. The card's ring is refilled
 * before each frame, without waiting, as an interrupt must.
 *
 * The cache takes memory until hardly any is free. Then a part of it is given back, a page at a
 * time, in no order that has to do with where it lay, and it goes on. Buffers that were free while
 * few frames waited are in pieces by then, and when frames wait again the ring runs dry.
 *
 * Every page has its user's stamp, round what a frame leaves there, every frame is known by words
 * all over it, and both are looked at when the buffer is given back.
 *
 * Why it can break: a buffer given out twice, or a page of the cache that was moved into one; a
 * scattered frame whose pages are in another order. It shows as a word of a frame, or a stamp.
 */
#include "lib/inject.h"
#include "lib/string.h"
#include "paging/compaction.h"
#include "payload/tests/lowmem_held.h"

#define FRAME_BYTES 9000u
#define FRAME_PAGES 3u
#define FRAME_FIRST 64u  /* offset of the first word that is looked at */
#define FRAME_NEXT 1500u /* from there to the next */

/* In percent of the pages that the laboratory leaves. */
#define SMALL_PERCENT 10u    /* small objects */
#define RING_PERCENT 6u      /* the card's ring */
#define LOW_PERCENT 2u       /* free: with less the cache gives back */
#define GIVEN_PERCENT 25u    /* how much of it, then */
#define MIN_FREE_PERCENT 12u /* with watermarks */

#define RING_MAX 4096u    /* descriptors, as many as any card of the time has */
#define WAITING_FIRST 50u /* frames that wait, in percent of the ring */
#define WAITING_LEAST 25u
#define WAITING_MOST 275u
#define BUSY_RINGS 3u /* times the ring, in frames: then the reader is more busy, or less */
#define LOWMEM_DIVISOR 4u
#define LEAST_NORMAL (MIB(4) / PAGE_SIZE)

static struct {
    struct held cache, small, ring, waiting;
    unsigned order;
    unsigned parts;     /* blocks of a buffer: 1, or pages of a scattered one */
    uint32_t pages;     /* lowmem to play with */
    uint32_t ring_size; /* buffers */
    uint32_t will_wait; /* frames, on average, as busy as the reader is now */
    uint32_t refused;   /* refills without success since the ring was full */
    uint32_t frames;
} state;

static const struct lab_workload jumbo32k;

static uint32_t percent_of_pages(uint32_t percent)
{
    return state.pages / 100 * percent;
}

static uint32_t lowmem_free(void)
{
    return nr_free_pages(ZONE_DMA) + nr_free_pages(ZONE_NORMAL);
}

static uint32_t buffers_in(const struct held *held)
{
    return held->count / state.parts;
}

/* A word of the frame whose first block is number `first`. */
static volatile uint32_t *frame_word(uint32_t first, uint32_t offset)
{
    const struct held_block *block = &state.waiting.block[first];

    if (state.parts > 1) {
        block += offset / PAGE_SIZE;
        offset %= PAGE_SIZE;
    }
    return (volatile uint32_t *)((char *)lowmem_page_address(block->page) + offset);
}

static uint32_t frame_mark(uint32_t first, uint32_t offset)
{
    return hash32(state.waiting.block[first].serial * PAGE_SIZE + offset);
}

static void write_frame(uint32_t first)
{
    uint32_t at = inject(jumbo_no_headroom, lowmem_jumbo) ? 0 : FRAME_FIRST;

    for (; at < FRAME_BYTES; at += FRAME_NEXT)
        *frame_word(first, at) = frame_mark(first, at);
}

static void check_frame(struct test *t, uint32_t first)
{
    for (uint32_t at = FRAME_FIRST; at < FRAME_BYTES; at += FRAME_NEXT)
        if (!TEST_CHECK(t, *frame_word(first, at) == frame_mark(first, at),
                        "byte %u of a frame, at physical 0x%llx, is 0x%08x, 0x%08x wanted", at,
                        addr_number(virt_to_phys((const void *)frame_word(first, at))),
                        *frame_word(first, at), frame_mark(first, at)))
            return;
}

static bool refill_one(void)
{
    for (unsigned part = 0; part < state.parts; part++) {
        if (held_take(&state.ring))
            continue;
        while (part-- > 0)
            held_give(&state.ring, state.ring.count - 1);
        state.refused++;
        return false;
    }
    return true;
}

static void refill(void)
{
    while (buffers_in(&state.ring) < state.ring_size && refill_one())
        ;
    if (buffers_in(&state.ring) == state.ring_size)
        state.refused = 0;
}

/* A frame comes: the card writes it to a buffer, and it waits. */
static void receive(void)
{
    uint32_t last = (buffers_in(&state.ring) - 1) * state.parts;
    uint32_t first = state.waiting.count;

    /* The part that is handed over leaves its place to the last one: so from the end. */
    for (unsigned part = state.parts; part-- > 0;)
        held_pass(&state.ring, last + part, &state.waiting);
    write_frame(first);
    state.frames++;
}

/* The cache gives a part of itself back, a page at a time. */
static void shrink_cache(void)
{
    uint32_t wanted = MIN(percent_of_pages(GIVEN_PERCENT), state.cache.count);

    while (wanted-- > 0)
        held_give_any(&state.cache);
}

/* A page for those who can wait until there is one. */
static void take_page(struct held *held)
{
    if (lowmem_free() > percent_of_pages(LOW_PERCENT) && held_take(held))
        return;
    shrink_cache();
    held_take(held);
}

/* Some frame is read: what was in it stands in the cache then. */
static void deliver(struct lab *lab)
{
    uint32_t first = prng_below(lab->prng, buffers_in(&state.waiting)) * state.parts;

    check_frame(lab->t, first);
    for (unsigned page = 0; page < FRAME_PAGES; page++)
        take_page(&state.cache);
    for (unsigned part = state.parts; part-- > 0;)
        held_give(&state.waiting, first + part);
}

/*
 * What a refill has no memory for is made ready before the next one: between frames, since whoever
 * refills can't wait for it. Two buffers at once if it can be done, so that the ring gets full
 * again.
 */
static void compact_behind(struct lab *lab)
{
    if (!lab_has(lab, LAB_COMPACTION) || !state.refused)
        return;
    for (int order = (int)state.order + 1; order >= (int)state.order; order--)
        for (int zone = ZONE_NORMAL; zone >= ZONE_DMA; zone--)
            if (compact_zone((enum zone_type)zone, (unsigned)order, NULL))
                return;
}

/* What a frame's buffer is when it is not scattered; the ring has as many either way. */
static unsigned buffer_order(const struct lab *lab)
{
    return lab->workload == &jumbo32k ? 3 : 2;
}

static const char *jumbo_begin(struct lab *lab)
{
    uint32_t lowmem = lowmem_free();
    const char *lack;

    memset(&state, 0, sizeof(state));
    state.parts = lab_has(lab, LAB_SMALLER) ? FRAME_PAGES : 1;
    state.order = state.parts > 1 ? 0 : buffer_order(lab);
    lack = held_open(&state.small, lab, "small", 'o', GFP_KERNEL, 0, lowmem / 4);
    if (!lack)
        lack = held_open(&state.cache, lab, "cache", 'c', GFP_KERNEL | __GFP_MOVABLE, 0, lowmem);
    if (!lack)
        lack = held_open(&state.ring, lab, "ring", 'r', GFP_ATOMIC, state.order,
                         RING_MAX * state.parts);
    if (!lack)
        lack = held_open(&state.waiting, lab, "frames", 'f', GFP_ATOMIC, state.order,
                         lowmem >> state.order);
    return lack;
}

/*
 * The card is there from the start, and some frames wait. Then come the others, until nothing is
 * free, and the cache has to give back for the first time.
 */
static const char *jumbo_start(struct lab *lab)
{
    uint32_t free, small;

    state.pages = lab->left[ZONE_DMA] + lab->left[ZONE_NORMAL];
    state.ring_size = (uint32_t)MIN(
        lab->size ? lab->size : percent_of_pages(RING_PERCENT) >> buffer_order(lab), RING_MAX);
    state.will_wait = state.ring_size * WAITING_FIRST / 100;
    held_prove_stamps(&state.ring);
    refill();
    for (uint32_t i = 0; state.ring.count && i < state.will_wait; i++)
        receive();
    refill();
    if (buffers_in(&state.ring) < state.ring_size)
        return "there is less lowmem than its ring needs";
    small = percent_of_pages(SMALL_PERCENT);
    for (free = lowmem_free(); free > small; free--) {
        bool is_small = prng_below(lab->prng, free) < small;

        if (!held_take(is_small ? &state.small : &state.cache))
            break;
        small -= is_small;
    }
    shrink_cache();
    while (small-- > 0)
        take_page(&state.small);
    state.frames = 0;
    return NULL;
}

static enum lab_step jumbo_step(struct lab *lab)
{
    uint32_t waiting = buffers_in(&state.waiting);

    refill();
    if (state.ring.count == 0) {
        test_log(lab->t,
                 "no buffer for frame %u: %u refills failed since the ring was full, %u frames "
                 "wait, %u %% of lowmem is free",
                 state.frames + 1, state.refused, waiting, lowmem_free() * 100 / state.pages);
        return LAB_WEDGED;
    }
    receive();
    if (state.frames % (BUSY_RINGS * state.ring_size) == 0)
        state.will_wait = state.ring_size *
                          (WAITING_LEAST + prng_below(lab->prng, WAITING_MOST - WAITING_LEAST)) /
                          100;
    for (unsigned i = 0; i < 2; i++)
        if (prng_below(lab->prng, 2 * MAX(state.will_wait, 1)) < buffers_in(&state.waiting))
            deliver(lab);
    if (state.small.count)
        held_give_any(&state.small);
    take_page(&state.small);
    compact_behind(lab);
    return LAB_GOES_ON;
}

static void jumbo_end(struct lab *lab)
{
    (void)lab;
    held_close(&state.waiting);
    held_close(&state.ring);
    held_close(&state.cache);
    held_close(&state.small);
}

/* As administrators of such machines were told to. */
static void jumbo_tune(const struct lab *lab, struct page_alloc_tuning *tuning)
{
    uint32_t pages = lab->left[ZONE_DMA] + lab->left[ZONE_NORMAL];

    tuning->min_free_kbytes = pages / 100 * MIN_FREE_PERCENT * (PAGE_SIZE / 1024);
}

/* Of what watermarks keep back, blocks of 32 KiB are now and then used up all the same. */
#define USES(promise)                                                                         \
    {                                                                                         \
        {LAB_SMALLER, 10, "a frame is scattered over single pages"},                          \
            {LAB_WATERMARKS, (promise),                                                       \
             "min_free_kbytes is raised, and what is below it left to those who can't wait"}, \
            {LAB_COMPACTION, 10, "the page cache lets its pages be moved, between frames"},   \
            {LAB_MOBILITY, 0, NULL},                                                          \
            {LAB_RECLAIM, 0, "the page cache gives pages up to those who can wait"},          \
    }

static const struct lab_remedy_use uses[] = USES(10), uses_32k[] = USES(0);

#define JUMBO(workload_name, its_uses)                                               \
    {                                                                                \
        .name = (workload_name), .unit = "frames", .uses = (its_uses),               \
        .nr_uses = ARRAY_SIZE(its_uses), .begin = jumbo_begin, .start = jumbo_start, \
        .step = jumbo_step, .end = jumbo_end, .lowmem_least = LEAST_NORMAL,          \
        .lowmem_divisor = LOWMEM_DIVISOR, .tune = jumbo_tune, .must_wedge = true,    \
    }

static const struct lab_workload jumbo = JUMBO("jumbo", uses);
static const struct lab_workload jumbo32k = JUMBO("jumbo32k", uses_32k);

LAB_CASE(none, &jumbo, -1)
LAB_CASE(smaller, &jumbo, 0)
LAB_CASE(watermarks, &jumbo, 1)
LAB_CASE(compaction, &jumbo, 2)
LAB_CASE(mobility, &jumbo, 3)
LAB_CASE(reclaim, &jumbo, 4)
LAB_CASE(none_32k, &jumbo32k, -1)
LAB_CASE(smaller_32k, &jumbo32k, 0)
LAB_CASE(watermarks_32k, &jumbo32k, 1)
LAB_CASE(compaction_32k, &jumbo32k, 2)
LAB_CASE(mobility_32k, &jumbo32k, 3)
LAB_CASE(reclaim_32k, &jumbo32k, 4)

static const struct test_case cases[] = {
    {"none", case_none},
    {"smaller", case_smaller},
    {"watermarks", case_watermarks},
    {"compaction", case_compaction},
    {"mobility", case_mobility},
    {"reclaim", case_reclaim},
    {"none_32k", case_none_32k},
    {"smaller_32k", case_smaller_32k},
    {"watermarks_32k", case_watermarks_32k},
    {"compaction_32k", case_compaction_32k},
    {"mobility_32k", case_mobility_32k},
    {"reclaim_32k", case_reclaim_32k},
};

SUITE(lowmem_jumbo) = {
    .name = "lowmem_jumbo",
    .about = "buffers for jumbo frames, when the page cache has been everywhere",
    .rank = SUITE_RANK_STRESS,
    .cases = cases,
    .nr_cases = ARRAY_SIZE(cases),
    .sizes = "jumbo,jumbo32k",
    .abandon = lab_abandon,
};
