/* SPDX-License-Identifier: BSD-2-Clause */
/* The bytes of a mapping: what is in the buffer, what in the slots, and which marks stand there. */
#include <string.h>

#include "ci/model/dma_state.h"
#include "drivers/bounce_copy.h"

void buffer_now(const struct mapping *map, uint8_t *bytes)
{
    memcpy(bytes, want_ram(map->phys), map->size);
}

bool has_marks(uint32_t size, enum dma_data_direction dir)
{
    return dir == DMA_FROM_DEVICE && size >= MARK_BYTES;
}

/* Marks stand at every step and at the end, as far as they do not touch. */
static bool is_mark_place(const struct mapping *map, uint32_t at)
{
    uint32_t last = map->size - MARK_BYTES;

    return at == last || (at % MARK_STEP == 0 && at + MARK_BYTES <= last);
}

/* The next mark's place behind `at`; the mapping's end behind the last one. */
static uint32_t place_behind(const struct mapping *map, uint32_t at)
{
    uint32_t last = map->size - MARK_BYTES, place = (at / MARK_STEP + 1) * MARK_STEP;

    if (place + MARK_BYTES <= last)
        return place;
    return at < last ? last : map->size;
}

static bool mark_stands(const struct mapping *map, uint32_t at)
{
    return is_mark_place(map, at) && !memcmp(map->slot + at, bounce_marks, MARK_BYTES);
}

void set_marks(struct mapping *map, uint32_t from, uint32_t to)
{
    for (uint32_t at = from; at + MARK_BYTES <= to; at = place_behind(map, at)) {
        if (is_mark_place(map, at))
            memcpy(map->slot + at, bounce_marks, MARK_BYTES);
    }
}

/* What is in the slots and is of no concern. */
void slots_now(struct mapping *map)
{
    const uint8_t *slots = machine_ram(dma_to_phys(map->dma), map->size);

    if (slots)
        memcpy(map->slot, slots, map->size);
}

void to_device(struct mapping *map, uint32_t from, uint32_t bytes)
{
    if (has_marks(map->size, map->dir)) {
        set_marks(map, from, from + bytes);
        return;
    }
    memcpy(map->slot + from, want_ram(map->phys + from), bytes);
    m.want[map->dev].bounced_bytes += bytes;
}

/*
 * Bytes change hands: those behind a mark that still stands, up to where the next one has its
 * place, stay.
 */
void from_device(struct mapping *map, uint32_t from, uint32_t bytes)
{
    bool marks = has_marks(map->size, map->dir), any = false;

    if (map->dir == DMA_TO_DEVICE)
        return;
    for (uint32_t at = from, next; at < from + bytes; at = next) {
        next = marks ? MIN(place_behind(map, at), from + bytes) : from + bytes;
        if (marks && at + MARK_BYTES <= from + bytes && mark_stands(map, at)) {
            any = true;
            continue;
        }
        memcpy(want_ram(map->phys + at), map->slot + at, next - at);
        m.want[map->dev].bounced_bytes += next - at;
    }
    if (any)
        want_finding(map->dev, DMA_FINDING_UNWRITTEN);
}

bool cpu_has_any(const struct mapping *map)
{
    return memchr(map->is_cpu, 1, map->size) != NULL;
}
