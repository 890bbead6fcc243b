/* SPDX-License-Identifier: BSD-2-Clause */
#include "paging/page_alloc_slow.h"
#include "lib/inject.h"
#include "paging/buddy.h"
#include "paging/page_lists.h"
#include "paging/preempt.h"
#include "paging/wait.h"
#include "paging/watermark.h"

/* From pageblocks that stay what they are: few, but not one by one, since finding them takes time.
 */
#define PAGES_BORROWED 32u

struct page_alloc_events page_alloc_counts;

/*
 * Fills an empty list from the buddy lists of type `from`: with the smallest blocks that will do,
 * and from a larger one only what is wanted, so that large blocks stay whole as long as without
 * lists.
 */
static void refill(struct zone *zone, unsigned order, unsigned kind, unsigned from, uint32_t pages)
{
    uint32_t wanted = MIN(pages, PAGES_REFILLED(order)), left = wanted;

    while (left >= 1u << order) {
        unsigned found = buddy_smallest(zone, from, order), part = found;

        if (found > MAX_ORDER || (left < wanted && 1u << found > left))
            return;
        while (1u << part > left)
            part--;
        page_list_cut(order, kind, buddy_take_first(zone, from, found, part), part);
        left -= 1u << part;
    }
}

/* What a mutation does where nobody may come in between. */
static void let_others_in(void)
{
    preempt_enable();
    wait_yield();
    preempt_disable();
}

/*
 * A block for `type`: from the per-CPU list if there is one at hand, or from the buddy lists of
 * type `from`, off which up to `pages` pages in all may be taken.
 */
static struct page *take(struct zone *zone, unsigned type, unsigned from, unsigned order,
                         uint32_t pages)
{
    unsigned kind = make_kind((unsigned)(zone - zones), type), found;
    struct page *page;

    if (order < LIST_ORDERS && page_list_is_used(order, kind)) {
        if (!page_list_count(order, kind))
            refill(zone, order, kind, from, pages);
        return page_list_pop(page_list_of(order, kind));
    }
    found = buddy_smallest(zone, from, order);
    if (found > MAX_ORDER)
        return NULL;
    if (inject(buddy_lists_preemptible, compaction_threads))
        let_others_in();
    page = buddy_take_first(zone, from, found, order);
    page->use = PAGE_STATE(order);
    page->kmap = 0;
    return page;
}

/* Before a block is taken where it should not be, what lies on the lists may merge. */
static bool drain(const struct zone *zone)
{
    if (inject(page_lists_keep, page_alloc) ||
        !page_lists_drain_zone((enum zone_type)(zone - zones)))
        return false;
    page_alloc_counts.drained++;
    return true;
}

static struct page *zone_alloc(struct zone *zone, gfp_t gfp, unsigned order)
{
    unsigned type = kind_type(gfp & page_alloc_kind_mask & __GFP_MOBILITY_MASK), from;
    struct page *page;
    uint32_t room;

    do {
        room = watermark_room(zone, gfp, order);
        page = room ? take(zone, type, type, order, room) : NULL;
        if (page)
            return page;
    } while (drain(zone));
    if (!room)
        return NULL;
    from = pageblock_fallback(zone, type, order);
    if (from == MIGRATE_TYPES)
        return NULL;
    return take(zone, type, from, order, from == type ? room : MIN(room, PAGES_BORROWED));
}

struct page *zones_alloc(gfp_t gfp, unsigned order)
{
    unsigned top = gfp & __GFP_ZONE_MASK;

    for (unsigned z = top + 1; z-- > 0;) {
        struct page *page = zone_alloc(&zones[z], gfp, order);

        if (page) {
            page_alloc_counts.fell_back[z] += z < top;
            return page;
        }
        if ((gfp & __GFP_THISZONE) && !inject(thiszone_ignored, lowmem_torture))
            break;
    }
    return NULL;
}

/* Whether the caller may wait until somebody has made room. */
static bool may_reclaim(gfp_t gfp)
{
    const struct page_alloc_tuning *tuning = page_alloc_tuning();

    return (tuning->reclaim || tuning->compaction) && (gfp & __GFP_DIRECT_RECLAIM) &&
           !(gfp & __GFP_NORETRY) && this_cpu_get(preempt_count) <= 1;
}

struct page *alloc_pages_slowly(gfp_t gfp, unsigned order)
{
    struct page *page;

    if (order > MAX_ORDER || (gfp & __GFP_ZONE_MASK) >= MAX_NR_ZONES ||
        kind_type(gfp & __GFP_MOBILITY_MASK) >= MIGRATE_TYPES)
        return NULL;
    preempt_disable();
    page = zones_alloc(gfp, order);
    if (!page && may_reclaim(gfp))
        page = alloc_with_reclaim(gfp, order);
    page_alloc_counts.failed[order] += !page;
    preempt_enable();
    return page;
}
