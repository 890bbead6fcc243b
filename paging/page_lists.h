/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAGING_PAGE_LISTS_H
#define PAGING_PAGE_LISTS_H

/*
 * The per-CPU lists in front of the buddy lists: stacks of free blocks of the small orders, by
 * order and kind (zone and migratetype). What was freed last is given out first, while it is still
 * in the cache. An empty list is refilled with a block of up to PAGES_REFILLED() pages cut to
 * pieces, so that neighbours go out one after the other; of a full one the older half goes back,
 * and those that are neighbours again go back together.
 *
 * The descriptor of a block on a list says that it is free (so that freeing it again, or mapping
 * it, is found out), with PAGE_LISTED in place of the order.
 *
 * Each processor has lists of its own, and the functions work on those of this one. Another's are
 * out of reach: with a second processor, whoever asks for all pages of a zone would have to ask it.
 *
 * Context: preemption off, which guards the lists, and with one processor the zones as well.
 */

#include "lib/inject.h"
#include "lib/x86/percpu.h"
#include "paging/pageblock.h"
#include "paging/preempt.h"

#define LIST_ORDERS 4u /* blocks up to 32 KiB are kept on lists */
#ifndef LIST_PAGES     /* the model-based test has smaller zones */
#define LIST_PAGES 128u
#endif
#define PAGES_REFILLED(order) ((order) ? LIST_PAGES / 2 : LIST_PAGES)

/* Nearly twice of what a refill takes. */
#define LIST_ENTRIES(order) ((order) ? (LIST_PAGES - 4) >> (order) : 2 * (LIST_PAGES - 4))
#define LISTS_ENTRIES (LIST_ENTRIES(0) + LIST_ENTRIES(1) + LIST_ENTRIES(2) + LIST_ENTRIES(3))
#define NR_LIST_KINDS (MAX_NR_ZONES * MIGRATE_TYPES)

/* Of all lists of a processor, each between NULLs. */
#define NR_PAGE_LIST_ENTRIES (NR_LIST_KINDS * (LIST_ORDERS + LISTS_ENTRIES) + 1)

_Static_assert(NR_PAGE_LISTS == NR_KINDS * LIST_ORDERS, "a list by kind and order");

/* This processor's. */
static inline struct page_list __percpu *page_list_of(unsigned order, unsigned kind)
{
    struct page_list __percpu *list = this_cpu_array(page_list) + (kind * LIST_ORDERS + order);

    /* Once it is found it stays in its register: gcc would make several addresses of it. */
    __asm__("" : "+r"(list));
    return list;
}

static inline struct page **page_list_first(unsigned order, unsigned kind)
{
    return this_cpu_array(page_list_first)[kind * LIST_ORDERS + order];
}

static inline uint32_t page_list_count(unsigned order, unsigned kind)
{
    return (uint32_t)(page_list_of(order, kind)->top - page_list_first(order, kind));
}

/* False for a list that nothing may lie on. */
static inline bool page_list_is_used(unsigned order, unsigned kind)
{
    return page_list_of(order, kind)->end != page_list_first(order, kind);
}

/* The list is not full. */
static inline void page_list_push(struct page_list __percpu *list, struct page *page)
{
    page->use = list->listed_use;
    page->kmap = PAGE_STATE(PAGE_LISTED);
    if (inject_on_host(page_list_push_preemptible))
        preempt_enable();
    *list->top++ = page;
    if (inject_on_host(page_list_push_preemptible))
        preempt_disable();
}

/* A block, now allocated, or NULL. */
static inline struct page *page_list_pop(struct page_list __percpu *list)
{
    struct page *page = list->top[-1];

    if (unlikely(!page))
        return NULL;
    if (inject_on_host(page_list_pop_preemptible))
        preempt_enable();
    list->top--;
    if (inject_on_host(page_list_pop_preemptible))
        preempt_disable();
    page->use = list->use;
    page->kmap = 0;
    return page;
}

/*
 * Once on the boot processor, before page_lists_init(). Another sets page_list_entries of its
 * struct cpu to NR_PAGE_LIST_ENTRIES of its own.
 */
void page_lists_init_boot(void);

/* Gives this processor its lists, empty. pcp: whether they may be used. */
void page_lists_init(bool pcp);

/* Cuts a block of `order`, taken from the buddy lists, to entries of `piece`. */
void page_list_cut(unsigned piece, unsigned kind, struct page *block, unsigned order);

/*
 * Gives the oldest entries of a list back to the buddy lists: `count`, or fewer if what stays then
 * begins at a multiple of what a refill takes.
 */
void page_list_drain(unsigned order, unsigned kind, uint32_t count);

/* All lists of a zone on this processor. Returns how many pages lay there. */
uint32_t page_lists_drain_zone(enum zone_type zone);

/* Pages on the lists of a zone on this processor. */
uint32_t page_lists_pages(enum zone_type zone);

#endif
