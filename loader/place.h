/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where to put a relocatable kernel. The firmware's map says which memory is free, but some
 * firmware still refuses an address in it, so this gives one candidate after the other: the best
 * address of each free range, in order of preference.
 *
 * Pure: no firmware, tested on the host.
 */
#ifndef LOADER_PLACE_H
#define LOADER_PLACE_H

#include <stdbool.h>
#include <stdint.h>

#include "loader/efi_map.h"

struct place_wish {
    uint64_t size;  /* bytes, not 0 */
    uint64_t align; /* bytes, a power of two; less than a page means a page */
    uint64_t min;   /* lowest address allowed */
    uint64_t last;  /* highest address that the last byte may have */
    bool from_top;  /* prefer high addresses */
};

/* What *address holds before the first call of place_next(). */
#define PLACE_FIRST UINT64_MAX

/*
 * Moves *address on to the next candidate: higher ones follow lower ones, or the other way round if
 * the wish says from_top. Address 0 is never one, since to a kernel written in C it is no address.
 *
 * Returns false when there are no more.
 */
bool place_next(const struct efi_map *map, const struct place_wish *wish, uint64_t *address);

#endif
