/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAGING_PAGE_ALLOC_H
#define PAGING_PAGE_ALLOC_H

/*
 * Zones and the buddy allocator.
 *
 * ZONE_DMA is the first 16 MiB, which ISA DMA can reach; ZONE_NORMAL the rest of the direct map;
 * ZONE_HIGHMEM all that has no address of its own. Each keeps free blocks of 2^order pages, aligned
 * to their size, in one list per order; a freed block is merged with its buddy (the block whose
 * number differs in bit `order`) as long as that is free and of the same order.
 *
 * An allocation that its zone can't serve falls back to the next lower one (HIGHMEM, NORMAL, DMA),
 * never upwards. Context of all functions: thread, not interrupt. The zones are
 * guarded by preemption being off.
 */

#include "paging/page.h"

#define MAX_ORDER 10u /* the largest block: 4 MiB */
#define NR_ORDERS (MAX_ORDER + 1)
#define ZONE_DMA_END phys_make(MIB64(16))

enum zone_type { ZONE_DMA, ZONE_NORMAL, ZONE_HIGHMEM, MAX_NR_ZONES };

struct free_area {
    pfn_t first; /* 0: empty; frame 0 is never given out */
    uint32_t nr_free;
};

struct zone {
    const char *name;
    pfn_t start_pfn;
    pfn_t end_pfn;
    uint32_t present_pages; /* pages that the allocator was given */
    uint32_t free_pages;
    struct free_area free_area[NR_ORDERS];
};

/* Where an allocation may come from: the highest zone, and flags. */
typedef unsigned gfp_t;
#define __GFP_ZONE_MASK 0x3u
#define __GFP_ZERO 0x10u     /* clear it; through a window if it is highmem */
#define __GFP_THISZONE 0x20u /* from this zone or not at all */
#define GFP_DMA ((gfp_t)ZONE_DMA)
#define GFP_KERNEL ((gfp_t)ZONE_NORMAL)
#define GFP_HIGHUSER ((gfp_t)ZONE_HIGHMEM)

/*
 * Starts with all frames taken: `map` is the array of descriptors, zeroed by the caller, for frames
 * 0..nr_pfn-1, of which those below low_pfn are in the direct map.
 */
void page_alloc_init(struct page *map, pfn_t nr_pfn, pfn_t low_pfn);

/*
 * Gives the frames [start, end) to the allocator, as the largest aligned blocks; they must not have
 * been given before. For lists that start at low addresses, give the highest range first.
 */
void page_alloc_add_range(pfn_t start, pfn_t end);

/*
 * A block of 2^order pages, aligned to its size, or NULL.
 * order: 0..MAX_ORDER; a greater one gives NULL.
 */
struct page *alloc_pages(gfp_t gfp, unsigned order);

/*
 * A block of 2^order pages that lies wholly in [min, max), the lowest one among free blocks of the
 * smallest size that has one, from any zone; NULL if there is none. Takes time in proportion to the
 * number of free blocks.
 */
struct page *alloc_pages_in(unsigned order, phys_addr_t min, phys_addr_t max);

/*
 * Gives a block back. `page` and `order` must be those of an allocation: a block that is not
 * allocated, or of another order, is a finding and stays as it is.
 */
void __free_pages(struct page *page, unsigned order);

/* The same by direct-map address. gfp must not allow HIGHMEM; then NULL is returned. */
void *__get_free_pages(gfp_t gfp, unsigned order);
void free_pages(const void *addr, unsigned order);

static inline struct page *alloc_page(gfp_t gfp)
{
    return alloc_pages(gfp, 0);
}

static inline void __free_page(struct page *page)
{
    __free_pages(page, 0);
}

enum zone_type page_zonenum(const struct page *page);
const struct zone *zone_get(enum zone_type type);
uint32_t nr_free_pages(enum zone_type type);

/*
 * The unusable free-space index of Gorman and Whitcroft ("The What, The Why and the Where To of
 * Anti-Fragmentation", 2006): the share of free memory that a request of this order can't use, in
 * permille. 0: all of it is usable; 1000: none is, or nothing is free.
 */
uint32_t zone_unusable_index(const struct zone *zone, unsigned order);

/*
 * Checks every rule of the zone's lists: counts, links, alignment, order, state, no two buddies
 * free side by side. Returns NULL, or what is wrong; *where is then the page. Takes time in
 * proportion to the number of free blocks.
 */
const char *zone_check(const struct zone *zone, pfn_t *where);

#endif
