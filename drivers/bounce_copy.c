/* SPDX-License-Identifier: BSD-2-Clause */
#include "drivers/bounce_copy.h"
#include "drivers/bounce.h"
#include "lib/inject.h"
#include "lib/prng.h"
#include "lib/string.h"
#include "lib/x86/cpu.h"
#include "paging/kmap_local.h"

#define GUARD_PATTERN 0x9eu

uint32_t bounce_marks[BOUNCE_MARK_BYTES / sizeof(uint32_t)];

void bounce_copy_init(void)
{
    uint64_t marks = hash64(rdtsc());

    bounce_marks[0] = (uint32_t)marks;
    bounce_marks[1] = (uint32_t)(marks >> 32);
}

bool bounce_for_each_part(phys_addr_t phys, uint32_t size,
                          void (*step)(void *ctx, void *window, uint32_t bytes), void *ctx)
{
    while (size > 0) {
        uint32_t offset = offset_in_page(phys);
        uint32_t bytes = MIN(size, PAGE_SIZE - offset);
        uint8_t *page = kmap_local_page(phys_to_page(phys));

        if (!page)
            return false;
        step(ctx, page + offset, bytes);
        kunmap_local(page);
        phys += inject(bounce_repeat_page, dma_bounce) ? 0 : bytes;
        size -= bytes;
    }
    return true;
}

static void copy_in_step(void *ctx, void *window, uint32_t bytes)
{
    uint8_t **slot = ctx;

    memcpy(*slot, window, bytes);
    *slot += bytes;
}

static void copy_out_step(void *ctx, void *window, uint32_t bytes)
{
    uint8_t **slot = ctx;

    memcpy(window, *slot, bytes);
    *slot += bytes;
}

bool bounce_copy_in(const struct bounced *b, uint32_t from, uint32_t size)
{
    uint8_t *slot = b->slot + from;

    if (inject(bounce_skip_copy_to, dma_bounce))
        return true;
    atomic64_add(&b->dev->counters.bounced_bytes, size);
    return bounce_for_each_part(b->phys + from, size, copy_in_step, &slot);
}

bool bounce_copy_out(const struct bounced *b, uint32_t from, uint32_t size)
{
    uint8_t *slot = b->slot + from;

    if (inject(bounce_skip_copy_from, dma_bounce))
        return true;
    atomic64_add(&b->dev->counters.bounced_bytes, size);
    return bounce_for_each_part(b->phys + from, size, copy_out_step, &slot);
}

/* Where the piece with the last mark begins. */
static uint32_t last_piece(uint32_t size)
{
    return size - BOUNCE_MARK_BYTES;
}

/* The first mark's place from `from` on; b->size behind the last one. */
static uint32_t next_place(const struct bounced *b, uint32_t from)
{
    uint32_t place = ALIGN_UP(from, BOUNCE_MARK_STEP);
    uint32_t last;

    if (b->size < BOUNCE_MARK_BYTES)
        return b->size;
    last = last_piece(b->size);
    if (place + BOUNCE_MARK_BYTES <= last)
        return place;
    return from <= last && !inject_on_host(bounce_forget_last_mark) ? last : b->size;
}

void bounce_mark(const struct bounced *b, uint32_t from, uint32_t size)
{
    uint32_t place = next_place(b, from);

    while (place < b->size && place + BOUNCE_MARK_BYTES <= from + size) {
        if (!inject(bounce_skip_marks, dma_bounce))
            memcpy(b->slot + place, bounce_marks, BOUNCE_MARK_BYTES);
        place = next_place(b, place + 1);
    }
}

uint32_t bounce_find_mark(const struct bounced *b, uint32_t from, uint32_t size)
{
    uint32_t place = next_place(b, from);

    while (place < b->size && place + BOUNCE_MARK_BYTES <= from + size) {
        if (memcmp(b->slot + place, bounce_marks, BOUNCE_MARK_BYTES) == 0)
            return place;
        place = next_place(b, place + 1);
    }
    return b->size;
}

bool bounce_copy_written(const struct bounced *b, uint32_t from, uint32_t size)
{
    uint32_t end = from + size;

    while (from < end) {
        uint32_t mark = MIN(bounce_find_mark(b, from, end - from), end);

        if (mark > from && !bounce_copy_out(b, from, mark - from))
            return false;
        from = MIN(next_place(b, mark + 1), end);
    }
    return true;
}

/* The bytes of the first and last slot next to the buffer, at most BOUNCE_GUARD_BYTES each. */
struct guards {
    uint8_t *before, *after;
    uint32_t nr_before, nr_after;
};

/* Slots begin at multiples of their size in the direct map as well. */
static struct guards guards_of(const struct bounced *b)
{
    uint32_t start = (uint32_t)((uintptr_t)b->slot % BOUNCE_SLOT_BYTES);
    uint32_t end = start + b->size;
    struct guards g;

    g.nr_before = MIN(start, BOUNCE_GUARD_BYTES);
    g.nr_after = MIN(ALIGN_UP(end, BOUNCE_SLOT_BYTES) - end, BOUNCE_GUARD_BYTES);
    g.before = b->slot - g.nr_before;
    g.after = b->slot + b->size;
    return g;
}

static bool is_pattern(const uint8_t *bytes, uint32_t count)
{
    while (count > 0) {
        if (bytes[--count] != GUARD_PATTERN)
            return false;
    }
    return true;
}

void bounce_guard(const struct bounced *b)
{
    struct guards g = guards_of(b);

    memset(g.before, GUARD_PATTERN, g.nr_before);
    memset(g.after, GUARD_PATTERN, g.nr_after);
}

bool bounce_guards_intact(const struct bounced *b)
{
    struct guards g = guards_of(b);

    return is_pattern(g.before, g.nr_before) && is_pattern(g.after, g.nr_after);
}
