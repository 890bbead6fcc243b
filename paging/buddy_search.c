/* SPDX-License-Identifier: BSD-2-Clause */
#include "paging/buddy.h"
#include "paging/preempt.h"

/* The lowest block of 2^wanted pages in [min, max) inside the free block at `pfn`; 0 if none. */
static pfn_t fit_in_block(pfn_t pfn, unsigned order, unsigned wanted, pfn_t min, pfn_t max)
{
    pfn_t at = MAX(pfn, ALIGN_UP(min, 1u << wanted));

    if (at + (1u << wanted) > MIN(max, pfn + (1u << order)))
        return 0;
    return at;
}

struct place {
    pfn_t at;    /* 0: none */
    pfn_t block; /* the free block that it is in */
};

/* The lowest place in a list; `best` if that is lower. */
static struct place search_list(pfn_t first, unsigned order, unsigned wanted, pfn_t min, pfn_t max,
                                struct place best)
{
    for (pfn_t pfn = first; pfn; pfn = pfn_to_page(pfn)->next) {
        pfn_t at = fit_in_block(pfn, order, wanted, min, max);

        if (at && (!best.at || at < best.at))
            best = (struct place){at, pfn};
    }
    return best;
}

static struct page *take_lowest_in(unsigned wanted, phys_addr_t min, phys_addr_t max)
{
    pfn_t min_pfn = phys_to_pfn(MIN(min + PAGE_MASK, pfn_to_phys(max_pfn)));
    pfn_t end_pfn = phys_to_pfn(MIN(max, pfn_to_phys(max_pfn)));

    for (unsigned order = wanted; order <= MAX_ORDER; order++) {
        struct place best = {0, 0};

        for (struct zone *zone = zones; zone < zones + MAX_NR_ZONES; zone++)
            for (unsigned type = 0; type < MIGRATE_TYPES; type++)
                best = search_list(zone->free_area[order].first[type], order, wanted, min_pfn,
                                   end_pfn, best);
        if (best.at)
            return buddy_take_at(best.block, order, best.at, wanted);
    }
    return NULL;
}

struct page *alloc_pages_in(unsigned order, phys_addr_t min, phys_addr_t max)
{
    struct page *page;

    preempt_disable();
    drain_all_pages();
    page = take_lowest_in(order, min, max);
    preempt_enable();
    return page;
}
