/* SPDX-License-Identifier: BSD-2-Clause */
#include "paging/page_lists.h"
#include "lib/inject.h"
#include "lib/string.h"
#include "paging/buddy.h"

/* There is one processor. */
static struct page_lists boot_lists;

/* Fewer of the larger ones: the lists of an order hold up to 64 pages each. */
static uint32_t most_entries(unsigned order)
{
    return MIN(LIST_ENTRIES, 64u >> order);
}

void page_lists_init(bool pcp)
{
    this_cpu()->page_lists = &boot_lists;
    for (unsigned order = 0; order < LIST_ORDERS; order++) {
        for (unsigned kind = 0; kind < NR_KINDS; kind++) {
            bool is_used = pcp && (kind & __GFP_ZONE_MASK) < MAX_NR_ZONES;

            boot_lists.list[order][kind].count = 0;
            boot_lists.list[order][kind].max = is_used ? most_entries(order) : 0;
        }
    }
}

void page_list_cut(struct page_list *list, struct page *block, unsigned order, unsigned piece)
{
    uint32_t count = list->count;

    /* From the end, so that the start is given out first. */
    for (struct page *page = block + (1u << order); page > block;) {
        page -= 1u << piece;
        page->use = piece << PAGE_STATE_SHIFT;
        page->kmap = (BIT(4) + PAGE_LISTED) << PAGE_STATE_SHIFT;
        list->entry[count++] = page;
    }
    list->count = count;
}

/* Gives [start, end) back, as the largest aligned blocks. */
static void put_run(struct zone *zone, pfn_t start, pfn_t end)
{
    zone->free_pages += end - start;
    while (start < end) {
        unsigned order = 0;

        while (order < MAX_ORDER && IS_ALIGNED(start, 2u << order) && end - start >= (2u << order))
            order++;
        buddy_put(zone, start, order > 1 && inject(page_run_short, page_alloc) ? order - 1 : order);
        start += 1u << order;
    }
}

/* The first entries that follow each other in memory, up or down, as a run; returns how many. */
static uint32_t find_run(struct page *const *entry, uint32_t count, int32_t step)
{
    struct page *expected = entry[0];
    uint32_t n = 0;

    do {
        expected->use = 0;
        expected->kmap = 0;
        expected += step;
        n++;
    } while (n < count && entry[n] == expected);
    return n;
}

void page_list_drain(struct page_list *list, unsigned order, uint32_t count)
{
    int32_t step = 1 << order;
    uint32_t i = inject(page_list_forget, page_alloc) ? 1 : 0;

    for (uint32_t n; i < count; i += n) {
        struct page *const *entry = list->entry + i;
        bool down = i + 1 < count && entry[1] < entry[0];
        pfn_t start;

        n = find_run(entry, count - i, down ? -step : step);
        start = page_to_pfn(entry[down ? n - 1 : 0]);
        put_run(buddy_zone(start), start, start + (n << order));
    }
    list->count -= count;
    memmove(list->entry, list->entry + count, list->count * sizeof(list->entry[0]));
}

uint32_t page_lists_drain_zone(enum zone_type zone)
{
    uint32_t pages = 0;

    for (unsigned order = 0; order < LIST_ORDERS; order++) {
        for (unsigned type = 0; type < MIGRATE_TYPES; type++) {
            struct page_list *list = page_list_of(order, make_kind(zone, type));

            pages += list->count << order;
            if (list->count)
                page_list_drain(list, order, list->count);
        }
    }
    return pages;
}

uint32_t page_lists_pages(enum zone_type zone)
{
    uint32_t pages = 0;

    for (unsigned order = 0; order < LIST_ORDERS; order++)
        for (unsigned type = 0; type < MIGRATE_TYPES; type++)
            pages += page_list_of(order, make_kind(zone, type))->count << order;
    return pages;
}
