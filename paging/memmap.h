/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAGING_MEMMAP_H
#define PAGING_MEMMAP_H

/*
 * The physical memory map, from what the firmware says to what can be trusted.
 *
 * Firmware lies: ranges overlap, come unsorted, are empty, wrap at 2^64, lie past what the
 * processor can address. memmap_add() takes them as they come; memmap_sanitise() leaves sorted,
 * disjoint, merged ranges, in which of two types that claim the same byte the more careful one
 * wins (a byte is usable only if nobody says otherwise). Each lie is told to a note function, with
 * its addresses, and costs nothing else.
 *
 * All arithmetic is 64 bits wide. Nothing here allocates; the same code runs before paging.
 */

#include "lib/types.h"

/* In order of care: the greater wins where two overlap. Numbers up to BAD as ACPI 6.4, 15. */
enum mem_type {
    MEM_NONE = 0,
    MEM_USABLE = 1,
    MEM_RESERVED = 2,
    MEM_ACPI_RECLAIM = 3,
    MEM_ACPI_NVS = 4,
    MEM_BAD = 5,
    MEM_TAKEN = 6, /* RAM that we use ourselves; no firmware says this */
    MEM_TYPES
};

#define MEMMAP_MAX 512

struct mem_range {
    phys_addr_t start;
    phys_addr_t end; /* first byte after it */
    enum mem_type type;
};

struct memmap {
    unsigned count;
    unsigned dropped; /* ranges that found no room */
    struct mem_range range[MEMMAP_MAX];
};

/* Is told, in one line, each thing that was wrong with the map. */
typedef void (*memmap_note_t)(const char *text);

/*
 * Takes one range as the firmware gave it. An empty one is ignored with a note, one that wraps is
 * cut at 2^64 - 1, an unknown type counts as reserved. A full map is merged first, and if that
 * does not make room the range is dropped, counted and noted.
 * type: the firmware's number, ACPI's meaning.
 */
void memmap_add(struct memmap *map, phys_addr_t start, uint64_t size, unsigned type,
                memmap_note_t note);

/* Sorts, resolves overlaps, merges neighbours of one type. Not reentrant (static work space). */
void memmap_sanitise(struct memmap *map, memmap_note_t note);

/* Cuts off all usable RAM from `limit` up; the note names what was lost and `why`. */
void memmap_clip(struct memmap *map, phys_addr_t limit, const char *why, memmap_note_t note);

/*
 * Leaves room for `entries` more ranges in a sanitised map, by giving up its smallest usable ones,
 * each with a note.
 */
void memmap_make_room(struct memmap *map, unsigned entries, memmap_note_t note);

/*
 * Marks [start, end) with `type` in a sanitised map, whatever it was, and keeps it sorted; used to
 * take memory out for ourselves. Returns 0, or -ENOSPC if the map is full.
 */
int memmap_mark(struct memmap *map, phys_addr_t start, phys_addr_t end, enum mem_type type);

/*
 * Whole usable pages, in order: fills `out` with the n-th usable range trimmed to page borders.
 * `cursor` starts at 0 and is advanced. Returns false at the end.
 */
bool memmap_next_usable(const struct memmap *map, unsigned *cursor, struct mem_range *out);

/* The same for all RAM that is usable or that we took. */
bool memmap_next_ram(const struct memmap *map, unsigned *cursor, struct mem_range *out);

/* End of the highest usable page below `limit`; 0 if there is none. */
phys_addr_t memmap_usable_end(const struct memmap *map, phys_addr_t limit);

/* Bytes in whole usable pages within [start, end). */
uint64_t memmap_usable_bytes(const struct memmap *map, phys_addr_t start, phys_addr_t end);

/*
 * Takes `size` bytes (a multiple of the page size) of usable memory below `limit` out of the map,
 * from the top, aligned to `align` (a power of two, at least the page size), and marks them
 * MEM_TAKEN. Returns the physical address, or 0 if there is no such place.
 */
phys_addr_t memmap_take(struct memmap *map, uint64_t size, uint64_t align, phys_addr_t limit);

#endif
