/* SPDX-License-Identifier: BSD-2-Clause */
#include "paging/page_lists.h"
#include "lib/inject.h"
#include "lib/string.h"
#include "paging/buddy.h"

/* There is one processor. */
static struct page_lists boot_lists;

static void list_init(unsigned order, unsigned kind, struct page **first, unsigned entries)
{
    boot_lists.first[kind * LIST_ORDERS + order] = first;
    boot_lists.list[kind * LIST_ORDERS + order] = (struct page_list){
        .top = first,
        .end = first + entries,
        .use = PAGE_STATE(order),
        .listed_use = order << PAGE_STATE_SHIFT,
    };
}

void page_lists_init(bool pcp)
{
    struct page **entry = boot_lists.entries[0];

    this_cpu()->page_lists = &boot_lists;
    for (unsigned kind = 0; kind < NR_KINDS; kind++) {
        bool is_used =
            pcp && (kind & __GFP_ZONE_MASK) < MAX_NR_ZONES && kind_type(kind) < MIGRATE_TYPES;

        for (unsigned order = 0; order < LIST_ORDERS; order++) {
            if (!is_used) {
                list_init(order, kind, &boot_lists.none + 1, 0);
                continue;
            }
            *entry++ = NULL;
            list_init(order, kind, entry, LIST_ENTRIES(order));
            entry += LIST_ENTRIES(order);
        }
    }
}

void page_list_cut(unsigned piece, unsigned kind, struct page *block, unsigned order)
{
    struct page_list *list = page_list_of(piece, kind);
    struct page **top = list->top;
    uint32_t use = list->listed_use;

    /* From the end, so that the start is given out first. */
    for (struct page *page = block + (1u << order); page > block;) {
        page -= 1u << piece;
        page->use = use;
        page->kmap = PAGE_STATE(PAGE_LISTED);
        *top++ = page;
    }
    list->top = top;
}

/* Gives [start, end) back as the largest aligned blocks. */
static void put_run(pfn_t start, pfn_t end)
{
    struct zone *zone = buddy_zone(start);

    zone->free_pages += end - start;
    while (start < end) {
        unsigned aligned = (unsigned)__builtin_ctz(start);
        unsigned fits = 31u - (unsigned)__builtin_clz(end - start);
        unsigned o = MIN(MIN(aligned, fits), MAX_ORDER);

        buddy_put(zone, start, o > 1 && inject(page_run_short, page_alloc) ? o - 1 : o);
        start += 1u << o;
    }
}

/*
 * The entries from `entry` on, `end` at most, that follow each other in memory, each `step` behind
 * the last: not marked any more. Returns the first one that does not.
 */
static struct page **unmark_run(struct page **entry, struct page *const *end, int32_t step)
{
    struct page *page = *entry;

    do {
        page->use = 0;
        page->kmap = 0;
        page += step;
        entry++;
    } while (entry < end && *entry == page);
    return entry;
}

/* Where to stop so that the entry there begins what a refill may have taken, or ends it. */
static struct page **cut_point(struct page **first, struct page **end, uint32_t unit)
{
    for (struct page **at = end; at > first; at--)
        if (IS_ALIGNED(page_to_pfn(at[0]), unit) ||
            (at[0] < at[-1] && IS_ALIGNED(page_to_pfn(at[-1]), unit)))
            return at;
    return end;
}

void page_list_drain(unsigned order, unsigned kind, uint32_t count)
{
    struct page_list *list = page_list_of(order, kind);
    struct page **first = page_list_first(order, kind), **end = first + count, **entry = first;
    int32_t step = 1 << order;

    if (end < list->top)
        end = cut_point(first, end, PAGES_REFILLED(order));
    if (inject(page_list_forget, page_alloc))
        entry++;
    while (entry < end) {
        bool down = entry + 1 < end && entry[1] < entry[0];
        struct page **next = unmark_run(entry, end, down ? -step : step);
        pfn_t start = page_to_pfn(down ? next[-1] : entry[0]);

        put_run(start, start + ((pfn_t)(next - entry) << order));
        entry = next;
    }
    memmove(first, end, (size_t)(list->top - end) * sizeof(*end));
    list->top -= end - first;
}

uint32_t page_lists_drain_zone(enum zone_type zone)
{
    uint32_t pages = 0;

    for (unsigned type = 0; type < MIGRATE_TYPES; type++) {
        unsigned kind = make_kind(zone, type);

        for (unsigned order = 0; order < LIST_ORDERS; order++) {
            uint32_t count = page_list_count(order, kind);

            if (count)
                page_list_drain(order, kind, count);
            pages += count << order;
        }
    }
    return pages;
}

uint32_t page_lists_pages(enum zone_type zone)
{
    uint32_t pages = 0;

    for (unsigned type = 0; type < MIGRATE_TYPES; type++)
        for (unsigned order = 0; order < LIST_ORDERS; order++)
            pages += page_list_count(order, make_kind(zone, type)) << order;
    return pages;
}
