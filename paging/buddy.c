/* SPDX-License-Identifier: BSD-2-Clause */
#include "paging/buddy.h"
#include "lib/inject.h"
#include "paging/pageblock.h"
#include "paging/watermark.h"

struct zone zones[MAX_NR_ZONES] = {
    [ZONE_DMA] = {.name = "DMA"},
    [ZONE_NORMAL] = {.name = "Normal"},
    [ZONE_HIGHMEM] = {.name = "HighMem"},
};

static inline void list_add(struct zone *zone, pfn_t pfn, unsigned order, unsigned type)
{
    struct free_area *area = &zone->free_area[order];
    struct page *page = pfn_to_page(pfn);
    pfn_t first = area->first[type];

    page->use = first | order << PAGE_STATE_SHIFT;
    page->kmap = PAGE_STATE(order);
    if (first)
        pfn_to_page(first)->kmap |= pfn;
    area->first[type] = pfn;
    area->nr_free++;
}

void buddy_list_add(struct zone *zone, pfn_t pfn, unsigned order, unsigned type)
{
    list_add(zone, pfn, order, type);
}

/*
 * Takes a block out from between its neighbours. Their links are its own number: what they are to
 * be goes there by one exclusive or, and leaves the bits above as they are.
 */
static inline void list_unlink(struct free_area *area, struct page *page, pfn_t pfn, unsigned type)
{
    pfn_t prev = page->kmap & PFN_LINK_MASK, next = page->use & PFN_LINK_MASK;

    if (prev)
        pfn_to_page(prev)->use ^= pfn ^ next;
    else
        area->first[type] = next;
    if (next)
        pfn_to_page(next)->kmap ^= pfn ^ prev;
    page->use = 0;
    page->kmap = 0;
    area->nr_free--;
}

static inline void list_remove(struct zone *zone, pfn_t pfn, unsigned order, unsigned type)
{
    list_unlink(&zone->free_area[order], pfn_to_page(pfn), pfn, type);
}

void buddy_list_remove(struct zone *zone, pfn_t pfn, unsigned order, unsigned type)
{
    list_remove(zone, pfn, order, type);
}

unsigned buddy_smallest(const struct zone *zone, unsigned type, unsigned order)
{
    while (order <= MAX_ORDER && !zone->free_area[order].first[type])
        order++;
    return order;
}

static void count_taken(struct zone *zone, unsigned order)
{
    uint32_t before = zone->free_pages;

    zone->free_pages = before - (1u << order);
    if (unlikely(zone->free_pages < zone->watermark[WMARK_HIGH]))
        watermark_note_fall(zone, before);
}

struct page *buddy_take_first(struct zone *zone, unsigned type, unsigned order, unsigned wanted)
{
    pfn_t pfn = zone->free_area[order].first[type];

    list_remove(zone, pfn, order, type);
    while (order > wanted) {
        order--;
        list_add(zone, pfn + (1u << order), order, type);
    }
    count_taken(zone, wanted);
    return pfn_to_page(pfn);
}

struct page *buddy_take_at(pfn_t block, unsigned order, pfn_t at, unsigned wanted)
{
    struct zone *zone = buddy_zone(block);
    struct page *page = pfn_to_page(at);
    unsigned type = pfn_type(block);

    list_remove(zone, block, order, type);
    /* Halve the block, keeping the half with the wanted pages, until it is all that is left. */
    while (order > wanted) {
        pfn_t upper = block + (1u << --order);

        if (at >= upper) {
            list_add(zone, inject(buddy_list_own_half, lowmem_torture) ? upper : block, order,
                     type);
            block = upper;
        } else {
            list_add(zone, upper, order, type);
        }
    }
    count_taken(zone, wanted);
    page->use = PAGE_STATE(wanted);
    page->kmap = 0;
    return page;
}

pfn_t buddy_block_of(pfn_t pfn, unsigned *order)
{
    for (unsigned o = 0; o <= MAX_ORDER && pfn < max_pfn; o++) {
        pfn_t first = ALIGN_DOWN(pfn, 1u << o);
        const struct page *page = pfn_to_page(first);

        if (!page_is_buddy(page))
            continue;
        *order = page->order;
        return page->order >= o ? first : 0;
    }
    return 0;
}

struct page *buddy_take_page(pfn_t pfn)
{
    unsigned order;
    pfn_t block = buddy_block_of(pfn, &order);

    return block ? buddy_take_at(block, order, pfn, 0) : NULL;
}

void buddy_put(struct zone *zone, pfn_t pfn, unsigned order)
{
    pfn_t zone_pages = zone->end_pfn - zone->start_pfn;
    struct page *page = pfn_to_page(pfn);
    unsigned type = pfn_type(pfn);

    page->use = 0;
    page->kmap = 0;
    for (; order < MAX_ORDER; order++) {
        pfn_t buddy = pfn ^ (1u << order);
        struct page *other = pfn_to_page(buddy);

        if (buddy - zone->start_pfn >= zone_pages ||
            (other->kmap ^ PAGE_STATE(order)) > PFN_LINK_MASK)
            break;
        if (inject(buddy_skip_merge, lowmem_frag))
            break;
        list_unlink(&zone->free_area[order], other, buddy, type);
        pfn &= buddy;
    }
    if (order == MAX_ORDER)
        type = pageblock_is_free(pfn);
    list_add(zone, pfn, order, type);
}

void buddy_free(struct page *page, unsigned order)
{
    pfn_t pfn = page_to_pfn(page);
    struct zone *zone = buddy_zone(pfn);

    if (inject(page_free_wrong_zone, lowmem_torture))
        zone = zones + (zone == zones);

    zone->free_pages += 1u << order;
    buddy_put(zone, pfn, order);
}
