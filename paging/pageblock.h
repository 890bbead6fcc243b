/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAGING_PAGEBLOCK_H
#define PAGING_PAGEBLOCK_H

/*
 * Pageblocks: for each 4 MiB a byte with zone and migratetype, laid out like the low bits of a
 * gfp_t. All free blocks of a pageblock lie in the free lists of its type. What an allocation gets
 * from a pageblock of another type (there was no other) goes back to that type's lists.
 *
 * A pageblock that two zones share has no zone here, and nobody takes it over: only a map made
 * up for a test has one, since zones begin at multiples of 4 MiB wherever there is memory on both
 * sides.
 */

#include "paging/page_alloc.h"

#define PAGEBLOCK_PAGES (1u << PAGEBLOCK_ORDER)
#define PAGEBLOCK_MIXED MAX_NR_ZONES /* in place of a zone */

#define KIND_BITS 4u
#define NR_KINDS (1u << KIND_BITS)

extern uint8_t *pageblock_kind;

static inline unsigned pfn_kind(pfn_t pfn)
{
    return pageblock_kind[pfn >> PAGEBLOCK_ORDER];
}

static inline unsigned make_kind(unsigned zone, unsigned type)
{
    return zone | type << __GFP_MOBILITY_SHIFT;
}

static inline unsigned kind_type(unsigned kind)
{
    return kind >> __GFP_MOBILITY_SHIFT;
}

static inline unsigned pfn_type(pfn_t pfn)
{
    return kind_type(pfn_kind(pfn));
}

/* Once the zones have their borders: all pageblocks have the type of free ones. */
void pageblocks_init(bool mobility);

/*
 * For an allocation of `type` that found no block of this order in its own lists: the type of the
 * lists to take one from. That is its own, if a pageblock was taken over, free blocks and all; or
 * another, whose pageblock stays what it is; or MIGRATE_TYPES: there is none.
 */
unsigned pageblock_fallback(struct zone *zone, unsigned type, unsigned order);

/* A pageblock is free as a whole: gives it the type that it has then, and returns it. */
unsigned pageblock_is_free(pfn_t pfn);

/*
 * Gives each pageblock its type once more: with mobility, what nobody has a page of is movable, be
 * it with holes; without, all are unmovable. The per-CPU lists are empty.
 */
void pageblocks_settle(bool mobility);

#endif
