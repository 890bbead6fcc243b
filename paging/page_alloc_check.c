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

static const char *check_entry(const struct page *page, unsigned order, unsigned kind)
{
    pfn_t pfn = page_to_pfn(page);

    if (pfn == 0 || pfn >= max_pfn)
        return "a per-CPU list has what is no page";
    if (!IS_ALIGNED(pfn, 1u << order))
        return "a block of a per-CPU list is not aligned to its size";
    if (page_zonenum(page) != (kind & __GFP_ZONE_MASK))
        return "a page is on a per-CPU list of another zone";
    if (page->kmap != PAGE_STATE(PAGE_LISTED))
        return "a page of a per-CPU list is not marked so";
    if (page->use != order << PAGE_STATE_SHIFT)
        return "a page is on two per-CPU lists, or on that of another order";
    return NULL;
}

static const char *check_page_list(unsigned order, unsigned kind, pfn_t *where)
{
    const struct page_list __percpu *list = page_list_of(order, kind);

    *where = 0;
    if (list->top > list->end || page_list_first(order, kind)[-1])
        return "a per-CPU list reaches beyond its ends";
    for (struct page **entry = page_list_first(order, kind); entry < list->top; entry++) {
        const char *wrong = check_entry(*entry, order, kind);

        *where = page_to_pfn(*entry);
        if (wrong)
            return wrong;
        (*entry)->next = 1; /* seen */
    }
    return NULL;
}

static void forget_seen(unsigned order, unsigned kind)
{
    struct page **first = page_list_first(order, kind);

    for (uint32_t i = 0; i < page_list_count(order, kind); i++)
        if (page_to_pfn(first[i]) < max_pfn)
            first[i]->next = 0;
}

const char *page_lists_check(pfn_t *where)
{
    const char *wrong = NULL;

    preempt_disable();
    for (unsigned i = 0; i < NR_KINDS * LIST_ORDERS && !wrong; i++)
        wrong = check_page_list(i % LIST_ORDERS, i / LIST_ORDERS, where);
    for (unsigned i = 0; i < NR_KINDS * LIST_ORDERS; i++)
        forget_seen(i % LIST_ORDERS, i / LIST_ORDERS);
    preempt_enable();
    return wrong;
}
