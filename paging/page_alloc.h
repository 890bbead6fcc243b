/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAGING_PAGE_ALLOC_H
#define PAGING_PAGE_ALLOC_H

/*
 * Zones and the page allocator.
 *
 * ZONE_DMA is the first 16 MiB, which ISA DMA can reach; ZONE_NORMAL the rest of the direct map;
 * ZONE_HIGHMEM all that has no address of its own. Each keeps free blocks of 2^order pages, aligned
 * to their size, in one list per order; a freed block is merged with its buddy (the block whose
 * number differs in bit `order`) as long as that is free and of the same order.
 *
 * In front of the buddy lists stand per-CPU lists of single pages and small blocks, filled and
 * emptied many at a time. They are kept by zone, mobility and order; what lies on them counts as
 * free.
 *
 * An allocation that its zone can't serve falls back to the next lower one (HIGHMEM, NORMAL, DMA),
 * never upwards. What else an allocator may do against running out, or breaking into pieces, is
 * switched by page_alloc_tune():
 *
 *   watermarks  a zone keeps its last pages for those who can't wait, and more of them from those
 *               who could have had a higher zone (lowmem_reserve)
 *   mobility    pageblocks (4 MiB) are set apart for pages that can be moved, that can be
 *               reclaimed, and that can do neither; only in need does one kind take from
 *               another's
 *   pcp         the per-CPU lists
 *   compaction  when a block can't be had, movable pages are moved together
 *               (paging/compaction.h)
 *   reclaim     when memory can't be had, caches are asked to shrink (paging/shrinker.h)
 *
 * Context of all functions: thread, not interrupt; only with __GFP_DIRECT_RECLAIM, and with
 * preemption on, may an allocation sleep. The zones are guarded by preemption being off, which
 * takes one processor; a second one would need a lock where that is said, and its per-CPU lists
 * asked where "all" is said: nr_free_pages(), drain_all_pages(), page_lists_check() know those of
 * the processor that they run on.
 */

#include "paging/fragmentation.h"
#include "paging/page.h"

#ifndef ZONE_DMA_END /* the model-based test has smaller zones */
#define ZONE_DMA_END phys_make(MIB64(16))
#endif

enum zone_type { ZONE_DMA, ZONE_NORMAL, ZONE_HIGHMEM, MAX_NR_ZONES };

/* What can be done with the pages of a block, should it be in the way. */
enum migratetype { MIGRATE_UNMOVABLE, MIGRATE_MOVABLE, MIGRATE_RECLAIMABLE, MIGRATE_TYPES };

#define PAGEBLOCK_ORDER MAX_ORDER /* the unit that has one migratetype */

struct free_area {
    pfn_t first[MIGRATE_TYPES]; /* 0: empty; frame 0 is never given out */
    uint32_t nr_free;           /* in all lists */
};

enum zone_watermarks { WMARK_MIN, WMARK_LOW, WMARK_HIGH, NR_WMARK };

struct zone {
    const char *name;
    pfn_t start_pfn;
    pfn_t end_pfn;
    uint32_t present_pages; /* pages that the allocator was given */
    uint32_t free_pages;    /* in the buddy lists; without those on per-CPU lists */
    /* All 0 without the remedy `watermarks`. Pages; see page_alloc_tune(). */
    uint32_t watermark[NR_WMARK];
    uint32_t lowmem_reserve[MAX_NR_ZONES]; /* kept from requests that may use zone [i] */
    struct free_area free_area[NR_ORDERS];
};

/*
 * Where an allocation may come from: the highest zone, and flags. The zone is a number, not a flag,
 * and ZONE_DMA is 0: Linux' GFP_KERNEL | GFP_DMA is nothing but GFP_KERNEL here. Who wants DMA
 * memory and can wait says GFP_DMA | __GFP_DIRECT_RECLAIM.
 */
typedef unsigned gfp_t;
#define __GFP_ZONE_MASK 0x3u
#define __GFP_MOVABLE 0x4u     /* it has an owner that can move it (paging/page_owner.h) */
#define __GFP_RECLAIMABLE 0x8u /* a shrinker can free it */
#define __GFP_MOBILITY_SHIFT 2u
#define __GFP_MOBILITY_MASK 0xcu   /* shifted: the migratetype; not both flags at once */
#define __GFP_ZERO 0x10u           /* clear it; through a window if it is highmem */
#define __GFP_THISZONE 0x20u       /* from this zone or not at all */
#define __GFP_HIGH 0x40u           /* can't wait: may take what is kept below WMARK_MIN */
#define __GFP_DIRECT_RECLAIM 0x80u /* may wait for compaction and reclaim */
#define __GFP_NORETRY 0x100u       /* neither: fails rather than take long */
#define GFP_DMA ((gfp_t)ZONE_DMA)
#define GFP_KERNEL ((gfp_t)ZONE_NORMAL | __GFP_DIRECT_RECLAIM)
#define GFP_NOWAIT ((gfp_t)ZONE_NORMAL)
#define GFP_ATOMIC ((gfp_t)ZONE_NORMAL | __GFP_HIGH)
#define GFP_HIGHUSER ((gfp_t)ZONE_HIGHMEM | __GFP_DIRECT_RECLAIM)
#define GFP_HIGHUSER_MOVABLE (GFP_HIGHUSER | __GFP_MOVABLE)

/*
 * Room for the descriptors of this many frames, and a byte for each of their pageblocks behind
 * them.
 */
static inline uint64_t page_map_bytes(pfn_t nr_pfn)
{
    return (uint64_t)nr_pfn * sizeof(struct page) + (nr_pfn >> PAGEBLOCK_ORDER) + 1;
}

/*
 * Starts with all frames taken: `map` is page_map_bytes(nr_pfn), zeroed by the caller, for frames
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
 * smallest size that has one, from any zone; NULL if there is none. It heeds no watermark and no
 * reserve, and neither compacts nor reclaims. Takes time in proportion to the number of free
 * blocks.
 */
struct page *alloc_pages_in(unsigned order, phys_addr_t min, phys_addr_t max);

/*
 * Gives a block back. `page` and `order` must be those of an allocation: a block that is not
 * allocated, or of another order, or a slab's, is a finding and stays as it is.
 */
void __free_pages(struct page *page, unsigned order);

/*
 * The same by direct-map address. With a gfp that allows HIGHMEM, NULL is returned. An address that
 * is not that of a page in the direct map is a finding; NULL is fine.
 */
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

/* Free pages of the zone, those on this processor's lists among them. */
uint32_t nr_free_pages(enum zone_type type);

/* Gives all pages of this processor's lists back to the buddy lists, where they merge. */
void drain_all_pages(void);

/* The migratetype that the page's block is set apart for. */
enum migratetype get_pageblock_migratetype(const struct page *page);

/* Which remedies the allocator uses, and how far they go. */
struct page_alloc_tuning {
    bool watermarks, mobility, pcp, compaction, reclaim;
    /*
     * As in Linux (Documentation/admin-guide/sysctl/vm.rst). min_free_kbytes is shared among the
     * zones by size, and is WMARK_MIN (but a thousandth of HIGHMEM, 32 to 128 pages); LOW and HIGH
     * are a quarter and a half of the share above it, or a thousandth and two of the zone if that
     * is more. 0: the square root of 16 * lowmem in KiB, 128 to 262144. Zone i keeps the pages of
     * all zones from i + 1 to j, divided by lowmem_reserve_ratio[i], from requests that may use
     * zone j; 0: none.
     */
    uint32_t min_free_kbytes;
    uint32_t lowmem_reserve_ratio[MAX_NR_ZONES];
};

/* As it is after boot: mobility and pcp, which take no memory from anybody. */
extern const struct page_alloc_tuning page_alloc_default;

/* No remedy at all: zones, buddies, and fallback. */
extern const struct page_alloc_tuning page_alloc_plain;

/*
 * Changes the tuning from now on. The per-CPU lists are drained, and every pageblock that
 * nobody has a page of becomes movable again; those with pages in use keep their migratetype until
 * they are free. Without mobility, all are unmovable.
 */
void page_alloc_tune(const struct page_alloc_tuning *tuning);
const struct page_alloc_tuning *page_alloc_tuning(void);

/*
 * After a fault or threads_stop(), when who compacted or reclaimed may be gone: nobody does, and
 * nobody waits for it. Context: the only thread there is.
 */
void page_alloc_reset(void);

/* What happened since page_alloc_init() or page_alloc_clear_events(). */
struct page_alloc_events {
    uint32_t failed[NR_ORDERS];             /* allocations that got nothing */
    uint32_t fell_back[MAX_NR_ZONES];       /* blocks from zone i for requests of a higher zone */
    uint32_t stolen[MIGRATE_TYPES];         /* blocks of type i that another type took */
    uint32_t pageblocks_stolen;             /* pageblocks that changed their type with it */
    uint32_t below[MAX_NR_ZONES][NR_WMARK]; /* times the zone's free pages fell below the mark */
    uint32_t drained;                       /* times that per-CPU lists were emptied in need */
    uint32_t compactions, pages_moved, pages_pinned;
    uint32_t reclaims, pages_reclaimed;
};

const struct page_alloc_events *page_alloc_events(void);
void page_alloc_clear_events(void);

/* The zone's free blocks by order, for what paging/fragmentation.h says about them. */
void zone_buddy_counts(const struct zone *zone, struct buddy_counts *counts);
uint32_t zone_unusable_index(const struct zone *zone, unsigned order);

/*
 * Checks every rule of the zone's lists: counts, links, alignment, order, state, no two buddies
 * free side by side, each block in a list of its pageblock's migratetype (pages in use may be of
 * any), what is free as a whole movable. The per-CPU lists are not looked into. Returns NULL, or
 * what is wrong; *where is then the page. Takes time in proportion to the number of free blocks.
 */
const char *zone_check(const struct zone *zone, pfn_t *where);

/*
 * The same for this processor's lists: each block once, marked so, in its zone, of its order,
 * aligned; no list too long.
 */
const char *page_lists_check(pfn_t *where);

#endif
