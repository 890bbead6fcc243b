/* SPDX-License-Identifier: BSD-2-Clause */
#include "paging/page_lists.h"
#include "lib/inject.h"
#include "lib/string.h"
#include "paging/buddy.h"

/* Entries of the boot processor's lists. */
static struct page *boot_entries[NR_PAGE_LIST_ENTRIES];

/* What can't hold anything: nothing behind a NULL. */
static struct page *no_entries[1];

static void list_init(unsigned order, unsigned kind, struct page **first, unsigned nr_entries)
{
    struct page_list __percpu *list = page_list_of(order, kind);

    this_cpu_array(page_list_first)[kind * LIST_ORDERS + order] = first;
    list->top = first;
    list->end = first + nr_entries;
    list->use = PAGE_STATE(order);
    list->listed_use = order << PAGE_STATE_SHIFT;
}

void page_lists_init_boot(void)
{
    this_cpu()->page_list_entries = boot_entries;
}

void page_lists_init(bool pcp)
{
    struct page **entry = this_cpu()->page_list_entries;

    for (unsigned kind = 0; kind < NR_KINDS; kind++) {
        bool is_used =
            pcp && (kind & __GFP_ZONE_MASK) < MAX_NR_ZONES && kind_type(kind) < MIGRATE_TYPES;

        for (unsigned order = 0; order < LIST_ORDERS; order++) {
            if (!is_used) {
                list_init(order, kind, no_entries + 1, 0);
                continue;
            }
            *entry++ = NULL;
            list_init(order, kind, entry, LIST_ENTRIES(order));
            entry += LIST_ENTRIES(order);
        }
    }
}

static inline void mark(struct page *page, uint32_t use)
{
    page->use = use;
    page->kmap = PAGE_STATE(PAGE_LISTED);
}

void page_list_cut(unsigned piece, unsigned kind, struct page *block, unsigned order)
{
    struct page_list __percpu *list = page_list_of(piece, kind);
    struct page *page = block + (1u << order), **top = list->top;
    uint32_t use = list->listed_use;

    list->top = top + (1u << (order - piece));
    if (order == piece) {
        mark(block, use);
        *top = block;
        return;
    }
    /* From the end, so that the start is given out first; two at a time, to save instructions. */
    do {
        page -= 2u << piece;
        top[0] = page + (1u << piece);
        top[1] = page;
        mark(top[0], use);
        mark(top[1], use);
        top += 2;
    } while (page != block);
}

/* Gives [start, end) back as the largest aligned blocks. */
static void put_run(struct zone *zone, pfn_t start, pfn_t end)
{
    zone->free_pages += end - start;
    while (start < end) {
        unsigned aligned = (unsigned)__builtin_ctz(start);
        unsigned fits = 31u - (unsigned)__builtin_clz(end - start);
        unsigned o = MIN(MIN(aligned, fits), MAX_ORDER);

        buddy_put(zone, start, o > 1 && inject(page_run_short, page_alloc) ? o - 1 : o);
        start += 1u << o;
    }
}

/* A block whose neighbours are somewhere else. buddy_put() sets the descriptor. */
static inline void put_one(struct zone *zone, struct page *page, unsigned order)
{
    zone->free_pages += 1u << order;
    buddy_put(zone, page_to_pfn(page), order);
}

/* Whether the second entry lies right behind the first one in memory, or right before it. */
static inline bool follows(const struct page *first, const struct page *second, int32_t step)
{
    return second == first + step || second == first - step;
}

/*
 * The entries from `entry` on that follow each other in memory, each `step` behind the last: not
 * marked any more. Returns the first entry that does not follow; there is one.
 */
static struct page **unmark_run(struct page **entry, int32_t step)
{
    struct page *page = *entry;

    do {
        page->use = 0;
        page->kmap = 0;
        page += step;
        entry++;
    } while (*entry == page);
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
    struct page_list __percpu *list = page_list_of(order, kind);
    struct page **first = page_list_first(order, kind), **end = first + count, **entry = first;
    struct zone *zone = &zones[kind & __GFP_ZONE_MASK];
    int32_t step = 1 << order;
    struct page *behind;

    if (end < list->top)
        end = cut_point(first, end, PAGES_REFILLED(order));
    behind = *end;
    *end = NULL; /* what follows no page */
    if (inject(page_list_forget, page_alloc))
        entry++;
    while (entry < end) {
        if (!follows(entry[0], entry[1], step)) {
            put_one(zone, *entry++, order);
            continue;
        }
        bool down = entry + 1 < end && entry[1] < entry[0];
        struct page **next = unmark_run(entry, down ? -step : step);
        pfn_t start = page_to_pfn(down ? next[-1] : entry[0]);

        put_run(zone, start, start + ((pfn_t)(next - entry) << order));
        entry = next;
    }
    *end = behind;
    memmove(first, end, (uintptr_t)list->top - (uintptr_t)end);
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
