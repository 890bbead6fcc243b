/* SPDX-License-Identifier: BSD-2-Clause */
#include "paging/pageblock.h"
#include "lib/inject.h"
#include "lib/string.h"
#include "paging/buddy.h"

/* A block of at least this order brings its whole pageblock with it, unless movable pages would
 * come to lie among pages that stay. */
#define ORDER_TAKEN_OVER (PAGEBLOCK_ORDER / 2)

uint8_t *pageblock_kind;

/* Type of a pageblock that is free as a whole. */
static unsigned free_type;

/* Whose blocks to take when there are none left of a type, the better choice first. */
static const uint8_t fallbacks[MIGRATE_TYPES][MIGRATE_TYPES - 1] = {
    [MIGRATE_UNMOVABLE] = {MIGRATE_RECLAIMABLE, MIGRATE_MOVABLE},
    [MIGRATE_MOVABLE] = {MIGRATE_RECLAIMABLE, MIGRATE_UNMOVABLE},
    [MIGRATE_RECLAIMABLE] = {MIGRATE_UNMOVABLE, MIGRATE_MOVABLE},
};

static void set_type(pfn_t pfn, unsigned type)
{
    pageblock_kind[pfn >> PAGEBLOCK_ORDER] =
        (uint8_t)make_kind(pfn_kind(pfn) & __GFP_ZONE_MASK, type);
}

static bool is_mixed(pfn_t pfn)
{
    return (pfn_kind(pfn) & __GFP_ZONE_MASK) == PAGEBLOCK_MIXED;
}

void pageblocks_init(bool mobility)
{
    free_type = mobility ? MIGRATE_MOVABLE : MIGRATE_UNMOVABLE;
    pageblock_kind = (uint8_t *)(mem_map + max_pfn);
    for (pfn_t pfn = 0; pfn < max_pfn; pfn += PAGEBLOCK_PAGES) {
        pfn_t last = MIN(pfn + PAGEBLOCK_PAGES, max_pfn) - 1;
        unsigned zone = (unsigned)(buddy_zone(pfn) - zones);

        if (buddy_zone(last) != &zones[zone])
            zone = PAGEBLOCK_MIXED;
        pageblock_kind[pfn >> PAGEBLOCK_ORDER] = (uint8_t)make_kind(zone, free_type);
    }
}

unsigned pageblock_is_free(pfn_t pfn)
{
    if (!inject(pageblock_stays, page_alloc))
        set_type(pfn, free_type);
    return pfn_type(pfn);
}

/* Pages in free blocks of the pageblock; with `type`, these blocks change over to its lists. */
static uint32_t walk_free(struct zone *zone, pfn_t pfn, const unsigned *type)
{
    pfn_t start = MAX(ALIGN_DOWN(pfn, PAGEBLOCK_PAGES), zone->start_pfn);
    pfn_t end = MIN(ALIGN_DOWN(pfn, PAGEBLOCK_PAGES) + PAGEBLOCK_PAGES, zone->end_pfn);
    uint32_t pages = 0;

    for (pfn_t at = start; at < end;) {
        const struct page *page = pfn_to_page(at);
        unsigned order = page->order;

        if (page_is_buddy(page)) {
            pages += 1u << order;
            if (type) {
                buddy_list_remove(zone, at, order, pfn_type(pfn));
                buddy_list_add(zone, at, order, *type);
            }
        }
        at += page->free || page->allocated ? 1u << order : 1;
    }
    return pages;
}

static bool may_take_over(struct zone *zone, pfn_t block, unsigned order, unsigned type)
{
    if (is_mixed(block))
        return false;
    if (order >= ORDER_TAKEN_OVER && (type != MIGRATE_MOVABLE || order == PAGEBLOCK_ORDER))
        return true;
    return 2 * walk_free(zone, block, NULL) >= PAGEBLOCK_PAGES;
}

/* The largest block of another type; 0 if there is none of at least this order. */
static pfn_t largest_block(const struct zone *zone, unsigned type, unsigned least, unsigned *order)
{
    for (unsigned o = MAX_ORDER + 1; o-- > least;) {
        for (unsigned i = 0; i < ARRAY_SIZE(fallbacks[type]); i++) {
            pfn_t block = zone->free_area[o].first[fallbacks[type][i]];

            *order = o;
            if (block)
                return block;
        }
    }
    return 0;
}

/* Whose the smallest block is that will do. There is one. */
static unsigned smallest_type(const struct zone *zone, unsigned type, unsigned order)
{
    unsigned best = fallbacks[type][0];

    for (unsigned i = 1; i < ARRAY_SIZE(fallbacks[type]); i++) {
        unsigned other = fallbacks[type][i];

        if (buddy_smallest(zone, other, order) < buddy_smallest(zone, best, order))
            best = other;
    }
    return best;
}

unsigned pageblock_fallback(struct zone *zone, unsigned type, unsigned order)
{
    unsigned found, from;
    pfn_t block = largest_block(zone, type, order, &found);

    if (!block)
        return MIGRATE_TYPES;
    if (!may_take_over(zone, block, found, type) || inject(pageblock_keep_type, page_alloc)) {
        from = smallest_type(zone, type, order);
        page_alloc_counts.stolen[from]++;
        return from;
    }
    page_alloc_counts.stolen[pfn_type(block)]++;
    page_alloc_counts.pageblocks_stolen++;
    walk_free(zone, block, &type);
    set_type(block, type);
    return type;
}

/* Puts the blocks of a list where they belong now, in the order in which they were. */
static void relist(struct zone *zone, unsigned order)
{
    struct free_area *area = &zone->free_area[order];
    struct free_area old = *area;
    pfn_t last[MIGRATE_TYPES] = {0};

    memset(area->first, 0, sizeof(area->first));
    for (unsigned t = 0; t < MIGRATE_TYPES; t++) {
        for (pfn_t pfn = old.first[t], next; pfn; pfn = next) {
            unsigned type = order == MAX_ORDER ? pageblock_is_free(pfn) : pfn_type(pfn);
            struct page *page = pfn_to_page(pfn);

            next = page->next;
            page->next = 0;
            page->prev = last[type] & PFN_LINK_MASK;
            if (last[type])
                pfn_to_page(last[type])->next = pfn & PFN_LINK_MASK;
            else
                area->first[type] = pfn;
            last[type] = pfn;
        }
    }
}

/* Whether nothing is allocated there. One that lacks a page never forms the block of MAX_ORDER
 * whose type is set as it merges. */
static bool has_no_user(pfn_t start)
{
    pfn_t end = MIN(start + PAGEBLOCK_PAGES, max_pfn);

    for (pfn_t pfn = start; pfn < end;) {
        const struct page *page = pfn_to_page(pfn);

        if (page->allocated)
            return false;
        pfn += page->free ? 1u << page->order : 1;
    }
    return true;
}

void pageblocks_settle(bool mobility)
{
    free_type = mobility ? MIGRATE_MOVABLE : MIGRATE_UNMOVABLE;
    for (pfn_t pfn = 0; pfn < max_pfn; pfn += PAGEBLOCK_PAGES)
        if (!mobility || (has_no_user(pfn) && !inject(pageblock_odd_stays, page_alloc)))
            set_type(pfn, free_type);
    for (struct zone *zone = zones; zone < zones + MAX_NR_ZONES; zone++)
        for (unsigned order = 0; order <= MAX_ORDER; order++)
            relist(zone, order);
}
