/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAGING_PAGE_LISTS_H
#define PAGING_PAGE_LISTS_H

/*
 * The per-CPU lists in front of the buddy lists: stacks of free blocks of the small orders, by
 * order and kind (zone and migratetype). What was freed last is given out first, while it is still
 * in the cache. An empty list is refilled with a block of up to PAGES_REFILLED pages cut to pieces,
 * so that neighbours go out one after the other; of a full one the older half goes back, and those
 * that are neighbours again go back together.
 *
 * The descriptor of a block on a list says that it is free (so that freeing it again, or mapping
 * it, is found out), with PAGE_LISTED in place of the order.
 *
 * Context: preemption off.
 */

#include "lib/x86/percpu.h"
#include "paging/pageblock.h"

#define LIST_ORDERS 4u /* blocks up to 32 KiB are kept on lists */
#define LIST_ENTRIES 62u
#define PAGES_REFILLED 32u

struct page_list {
    uint32_t count;
    uint32_t max; /* 0: nothing may lie here */
    struct page *entry[LIST_ENTRIES];
};

struct page_lists {
    struct page_list list[LIST_ORDERS][NR_KINDS];
};

/* This processor's. */
static inline struct page_list *page_list_of(unsigned order, unsigned kind)
{
    struct page_lists *lists = this_cpu_get(page_lists);

    return &lists->list[order][kind];
}

static inline void page_list_push(struct page_list *list, struct page *page, unsigned order)
{
    page->use = order << PAGE_STATE_SHIFT;
    page->kmap = (BIT(4) + PAGE_LISTED) << PAGE_STATE_SHIFT;
    list->entry[list->count++] = page;
}

/* The list is not empty. The page is allocated then. */
static inline struct page *page_list_pop(struct page_list *list, unsigned order)
{
    struct page *page = list->entry[--list->count];

    page->use = PAGE_STATE(order);
    page->kmap = 0;
    return page;
}

/* Gives this processor its lists, empty. pcp: whether they may be used. */
void page_lists_init(bool pcp);

/* Cuts a block of `order`, taken from the buddy lists, to entries of `piece`. */
void page_list_cut(struct page_list *list, struct page *block, unsigned order, unsigned piece);

/* Gives the oldest `count` entries back to the buddy lists. */
void page_list_drain(struct page_list *list, unsigned order, uint32_t count);

/* All lists of a zone. Returns how many pages lay there. */
uint32_t page_lists_drain_zone(enum zone_type zone);

/* Pages on the lists of a zone. */
uint32_t page_lists_pages(enum zone_type zone);

#endif
