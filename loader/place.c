/* SPDX-License-Identifier: BSD-2-Clause */
#include "loader/place.h"

static uint64_t align_down(uint64_t address, uint64_t align)
{
    return address & ~(align - 1);
}

/* The best place in one free range; false if it is too small or out of bounds. */
static bool place_in(const struct efi_map_descriptor *range, const struct place_wish *wish,
                     uint64_t *address)
{
    uint64_t align = wish->align < EFI_PAGE_BYTES ? EFI_PAGE_BYTES : wish->align;
    uint64_t size = align_down(wish->size + EFI_PAGE_BYTES - 1, EFI_PAGE_BYTES);
    uint64_t low = range->physical > wish->min ? range->physical : wish->min;
    uint64_t end = efi_map_end(range);
    uint64_t lowest, highest;

    if (low == 0)
        low = 1;
    if (size == 0 || end < size || wish->last < wish->size - 1)
        return false;
    highest = end - size;
    if (highest > wish->last - (wish->size - 1))
        highest = wish->last - (wish->size - 1);
    highest = align_down(highest, align);
    lowest = align_down(low + align - 1, align);
    if (lowest < low || lowest > highest)
        return false;
    *address = wish->from_top ? highest : lowest;
    return true;
}

bool place_next(const struct efi_map *map, const struct place_wish *wish, uint64_t *address)
{
    const uint64_t previous = *address;
    const bool first = previous == PLACE_FIRST;
    bool found = false;

    for (size_t i = 0; i < efi_map_count(map); i++) {
        const struct efi_map_descriptor *range = efi_map_at(map, i);
        uint64_t here;

        if (range->type != EFI_MAP_CONVENTIONAL || !place_in(range, wish, &here))
            continue;
        if (!first && (wish->from_top ? here >= previous : here <= previous))
            continue;
        if (!found || (wish->from_top ? here > *address : here < *address))
            *address = here;
        found = true;
    }
    return found;
}
