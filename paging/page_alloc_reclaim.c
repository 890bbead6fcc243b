/* SPDX-License-Identifier: BSD-2-Clause */
/* Room for an allocation that found none: compaction and reclaim, by one thread at a time. */
#include "lib/inject.h"
#include "paging/buddy.h"
#include "paging/compaction.h"
#include "paging/page_alloc_slow.h"
#include "paging/preempt.h"
#include "paging/shrinker.h"
#include "paging/wait.h"

#define RECLAIM_PAGES 32u /* asked for in a round, at least */

/*
 * As in Linux, so many rounds must do that bring nothing; for orders up to this one, those that do
 * are not counted, and of larger blocks nobody knows whether they will ever come together.
 */
#define COSTLY_ORDER 3u
#define ROUNDS_MAX 16u

/* Times that a thread waits until another one is done: each of them may have been quicker. */
#define WAITS_MAX 64u

/* Some thread reclaims or compacts, and these wait for it. Guarded by preemption being off. */
static bool reclaiming;
static struct wait_queue waiters = WAIT_QUEUE_INIT(waiters);

/* What an allocation wants, and has tried. */
struct attempt {
    gfp_t gfp;
    unsigned order;
    uint32_t least;               /* free pages more make it worth while to compact again */
    uint32_t tried[MAX_NR_ZONES]; /* free pages + 1 when it was compacted last; 0: never */
    const struct zone *found;     /* where compaction says that the block is free; NULL: nowhere */
    bool moved;                   /* pages had to be moved for it */
};

static bool is_worth_compacting(const struct attempt *a, enum zone_type zone)
{
    return !a->tried[zone] || nr_free_pages(zone) + 1 >= a->tried[zone] + a->least;
}

/* Compacts one zone after the other, until one has a block. */
static void compact(struct attempt *a)
{
    struct compact_result result = {0};

    a->found = NULL;
    for (unsigned z = (a->gfp & __GFP_ZONE_MASK) + 1; z-- > 0 && !a->found;) {
        enum zone_type zone = (enum zone_type)z;

        if (is_worth_compacting(a, zone)) {
            a->found = compact_zone(zone, a->order, &result) ? zone_get(zone) : NULL;
            a->moved = result.moved > 0;
            a->tried[zone] = nr_free_pages(zone) + 1;
            page_alloc_counts.compactions++;
            page_alloc_counts.pages_moved += result.moved;
            page_alloc_counts.pages_pinned += result.pinned;
        }
        if (a->gfp & __GFP_THISZONE)
            break;
    }
}

/*
 * The block that compaction found is anybody's, also if it did nothing for it because somebody had
 * just freed one. True if it is worth while to compact again. Context: preemption off, after
 * zones_alloc().
 */
static bool somebody_was_quicker(struct attempt *a)
{
    if (!a->found)
        return false;
    for (unsigned order = a->order; order <= MAX_ORDER && !a->moved; order++)
        if (a->found->free_area[order].nr_free)
            return false; /* it is still there, and kept by the watermarks */
    a->tried[a->found - zones] = 0;
    return true;
}

/* Returns how many pages came free. */
static uint32_t reclaim(const struct attempt *a)
{
    uint32_t got = shrink_pages((enum zone_type)(a->gfp & __GFP_ZONE_MASK),
                                MAX(1u << a->order, RECLAIM_PAGES));

    page_alloc_counts.reclaims++;
    page_alloc_counts.pages_reclaimed += got;
    return got;
}

/* No more can be reclaimed than this, unless others fill the caches meanwhile. */
static uint32_t pages_up_to(unsigned zone)
{
    uint32_t pages = 0;

    for (unsigned z = 0; z <= zone; z++)
        pages += zones[z].present_pages;
    return pages;
}

/* Nothing came free any more. What did before may still be enough, for any zone that has got some.
 */
static bool has_last_chance(struct attempt *a)
{
    if (a->least == 1)
        return false;
    a->least = 1;
    for (unsigned z = 0; z <= (a->gfp & __GFP_ZONE_MASK); z++)
        if (is_worth_compacting(a, (enum zone_type)z))
            return true;
    return false;
}

/* Rounds of both, until the block can be had or nothing helps any more. */
static struct page *make_room(gfp_t gfp, unsigned order)
{
    const struct page_alloc_tuning *tuning = page_alloc_tuning();
    bool compacts = tuning->compaction && order > 0;
    bool is_costly = order > COSTLY_ORDER || inject(reclaim_few_rounds, reclaim);
    struct attempt a = {.gfp = gfp, .order = order, .least = 1u << order};
    uint32_t left = pages_up_to(gfp & __GFP_ZONE_MASK);
    struct page *page = NULL;

    for (unsigned round = 0; !page && round < ROUNDS_MAX;) {
        uint32_t got = 0;
        bool found = false;

        if (compacts) {
            preempt_enable();
            compact(&a);
            preempt_disable();
            /* Also if that found nothing: others have freed pages meanwhile. */
            page = zones_alloc(gfp, order);
            found = !page && somebody_was_quicker(&a);
        }
        /* A block may be free, and kept by the watermarks: then there must be more memory. */
        if (!page && tuning->reclaim && !(compacts && inject(reclaim_unless_compacted, reclaim))) {
            preempt_enable();
            got = reclaim(&a);
            preempt_disable();
            page = zones_alloc(gfp, order);
        }
        if ((!got && !found && !(compacts && has_last_chance(&a))) || got > left)
            break;
        left -= got;
        round += is_costly || !got;
    }
    return page;
}

static void wake_waiters(void)
{
    while (!wait_is_empty(&waiters) && !inject(reclaim_lose_wakeup, reclaim))
        wait_wake(&waiters);
}

struct page *alloc_with_reclaim(gfp_t gfp, unsigned order)
{
    struct page *page = NULL;

    for (unsigned i = 0; i < WAITS_MAX && reclaiming && !page; i++) {
        if (!wait_sleep(&waiters))
            return NULL;
        page = zones_alloc(gfp, order);
    }
    if (page || reclaiming)
        return page;
    reclaiming = true;
    page = make_room(gfp, order);
    reclaiming = false;
    wake_waiters();
    return page;
}

void page_alloc_reset(void)
{
    preempt_disable();
    reclaiming = reclaiming && inject(reclaim_keep_fault, reclaim);
    list_init(&waiters.sleepers);
    shrink_reset();
    preempt_enable();
}
