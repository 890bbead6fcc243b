/* SPDX-License-Identifier: BSD-2-Clause */
/* What can be said about the free lists, and whether it is true. */
#include "paging/buddy.h"
#include "paging/page_alloc_slow.h"
#include "paging/page_lists.h"
#include "paging/preempt.h"

void zone_buddy_counts(const struct zone *zone, struct buddy_counts *counts)
{
    for (unsigned order = 0; order < NR_ORDERS; order++)
        counts->nr_free[order] = zone->free_area[order].nr_free;
}

uint32_t zone_unusable_index(const struct zone *zone, unsigned order)
{
    struct buddy_counts counts;

    zone_buddy_counts(zone, &counts);
    return unusable_index(&counts, order);
}

static bool is_free_with_order(pfn_t pfn, unsigned order)
{
    return page_is_buddy(&mem_map[pfn]) && mem_map[pfn].free_order == order;
}

static const char *check_block(const struct zone *zone, pfn_t pfn, unsigned order, unsigned type,
                               pfn_t before)
{
    const struct page *page = &mem_map[pfn];
    pfn_t buddy = pfn ^ (1u << order);

    if (pfn < zone->start_pfn || pfn + (1u << order) > zone->end_pfn)
        return "a free block reaches out of its zone";
    if (!IS_ALIGNED(pfn, 1u << order))
        return "a free block is not aligned to its size";
    if (page->allocated || page->order != order || !is_free_with_order(pfn, order))
        return "a listed block is not marked free with its order";
    if (page->prev != before)
        return "a free block's backward link is wrong";
    if (pfn_type(pfn) != type)
        return "a free block is on a list of another type than its pageblock";
    if (order == MAX_ORDER && page_alloc_tuning()->mobility && type != MIGRATE_MOVABLE)
        return "a pageblock that is free as a whole is not movable";
    if (order < MAX_ORDER && buddy >= zone->start_pfn && buddy + (1u << order) <= zone->end_pfn &&
        is_free_with_order(buddy, order))
        return "two buddies are free side by side";
    return NULL;
}

/* One list; adds its blocks to *blocks. */
static const char *check_list(const struct zone *zone, unsigned order, unsigned type,
                              uint32_t *blocks, pfn_t *where)
{
    const struct free_area *area = &zone->free_area[order];
    pfn_t before = 0;

    for (pfn_t pfn = area->first[type]; pfn; before = pfn, pfn = pfn_to_page(pfn)->next) {
        const char *wrong = check_block(zone, pfn, order, type, before);

        *where = pfn;
        if (wrong)
            return wrong;
        if (++*blocks > area->nr_free)
            return "a free list is longer than its count, or a ring";
    }
    return NULL;
}

const char *zone_check(const struct zone *zone, pfn_t *where)
{
    uint32_t pages = 0;

    for (unsigned order = 0; order <= MAX_ORDER; order++) {
        uint32_t blocks = 0;

        for (unsigned type = 0; type < MIGRATE_TYPES; type++) {
            const char *wrong = check_list(zone, order, type, &blocks, where);

            if (wrong)
                return wrong;
        }
        if (blocks != zone->free_area[order].nr_free)
            return "a free list is shorter than its count";
        pages += blocks << order;
    }
    *where = zone->start_pfn;
    return pages == zone->free_pages ? NULL : "the zone's free count is not the sum of its lists";
}

static const char *check_entry(const struct page_list *list, struct page *page, unsigned order,
                               unsigned kind)
{
    pfn_t pfn = page_to_pfn(page);

    if (list->count > list->max)
        return "a per-CPU list is longer than it may be";
    if (pfn == 0 || pfn >= max_pfn)
        return "a per-CPU list has what is no page";
    if (!IS_ALIGNED(pfn, 1u << order))
        return "a block of a per-CPU list is not aligned to its size";
    if (page_zonenum(page) != (kind & __GFP_ZONE_MASK))
        return "a page is on a per-CPU list of another zone";
    if (page->kmap != (BIT(4) + PAGE_LISTED) << PAGE_STATE_SHIFT)
        return "a page of a per-CPU list is not marked so";
    if (page->use != order << PAGE_STATE_SHIFT)
        return "a page is on two per-CPU lists, or on that of another order";
    return NULL;
}

static const char *check_lists(pfn_t *where)
{
    for (unsigned order = 0; order < LIST_ORDERS; order++) {
        for (unsigned kind = 0; kind < NR_KINDS; kind++) {
            const struct page_list *list = page_list_of(order, kind);

            for (uint32_t i = 0; i < list->count; i++) {
                const char *wrong = check_entry(list, list->entry[i], order, kind);

                *where = page_to_pfn(list->entry[i]);
                if (wrong)
                    return wrong;
                list->entry[i]->next = 1; /* seen */
            }
        }
    }
    return NULL;
}

const char *page_lists_check(pfn_t *where)
{
    const char *wrong;

    preempt_disable();
    wrong = check_lists(where);
    for (unsigned order = 0; order < LIST_ORDERS; order++) {
        for (unsigned kind = 0; kind < NR_KINDS; kind++) {
            const struct page_list *list = page_list_of(order, kind);

            for (uint32_t i = 0; i < list->count; i++)
                if (page_to_pfn(list->entry[i]) < max_pfn)
                    list->entry[i]->next = 0;
        }
    }
    preempt_enable();
    return wrong;
}
