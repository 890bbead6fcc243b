/* SPDX-License-Identifier: BSD-2-Clause */
#include "paging/compaction.h"
#include "lib/inject.h"
#include "paging/buddy.h"
#include "paging/highmem.h"
#include "paging/kmap.h"
#include "paging/kmap_local.h"
#include "paging/page_owner.h"
#include "paging/pageblock.h"
#include "paging/preempt.h"
#include "paging/wait.h"

/*
 * Where the two scanners are. Between two pages anybody may take and free memory, so these are
 * places to go on from, and what is there is looked at again when a page is moved.
 */
struct compaction {
    const struct zone *zone;
    unsigned order;   /* wanted; NR_ORDERS: all there is to move */
    bool all_targets; /* pageblocks of any migratetype take pages in */
    bool passed_over; /* free pages in such blocks were left out */
    pfn_t free_end;   /* the free scanner is done with all from here on */
    pfn_t migrated;   /* the block that the migrate scanner made free */
    pfn_t admitted;   /* start of the pageblock that it takes pages from */
    struct compact_result *result;
};

/*
 * Where the scanners were when a block was found, to go on from there: what they have passed is
 * mostly as they left it. Only a hint. Guarded by nothing: who reads half of it starts at a place
 * that is not the best.
 */
static struct {
    pfn_t migrate, free_end; /* both 0: at the ends of the zone */
} resume[MAX_NR_ZONES];

/* What became of a page that was to be moved. */
enum outcome { MOVED, GONE, PINNED, NO_TARGET };

static bool has_free_block(const struct compaction *c)
{
    for (unsigned order = c->order; order <= MAX_ORDER; order++)
        if (c->zone->free_area[order].nr_free)
            return true;
    return false;
}

/* The owner that can say where the page is after it was moved; NULL if it can't be. */
static struct page_owner *movable_owner(const struct page *page)
{
    struct page_owner *owner;

    if (page->free || !page->allocated || page->order)
        return NULL;
    owner = page_owner(page);
    return owner && owner->isolate && owner->moved ? owner : NULL;
}

/*
 * Pages of the block that begins at this frame; 1 also where none begins: in a hole, or in a block.
 * What others change meanwhile makes it wrong by a block at the most.
 */
static pfn_t block_pages_at(pfn_t pfn)
{
    const struct page *page = pfn_to_page(pfn);

    return page->free || page->allocated ? 1u << page->order : 1;
}

/* In a hole, or inside of a block. */
static bool is_nothing(const struct page *page)
{
    return (page->use | page->kmap) == 0;
}

/* The next frame, of those that are `step` apart, where there is something; `end` at the most. */
static pfn_t skip_nothing(struct compaction *c, pfn_t pfn, pfn_t end, pfn_t step)
{
    const struct page *page = pfn_to_page(pfn), *last = pfn_to_page(end);

    while (page < last && is_nothing(page))
        page += step;
    c->result->scanned += (page_to_pfn(page) - pfn) / step;
    return page_to_pfn(page);
}

/* Whether the lists have a block that begins in [start, end). */
static bool has_free_pages(struct compaction *c, pfn_t start, pfn_t end)
{
    pfn_t pfn = start;

    while (pfn < end) {
        if (page_is_buddy(pfn_to_page(pfn)))
            return true;
        c->result->scanned++;
        pfn = skip_nothing(c, pfn + block_pages_at(pfn), end, 1);
    }
    return false;
}

/*
 * Pages of the block that ends before this frame, and whether it is a free one. Only a block that
 * is aligned to its size can; so every second frame has but one candidate.
 */
static pfn_t block_pages_before(pfn_t end, bool *is_free)
{
    for (unsigned order = 0; order <= MAX_ORDER && IS_ALIGNED(end, 1u << order); order++) {
        const struct page *page = pfn_to_page(end - (1u << order));

        *is_free = page_is_buddy(page);
        if ((page->free || page->allocated) && page->order == order)
            return 1u << order;
    }
    *is_free = false;
    return 1;
}

/* Whether the pageblock that the free scanner comes to has pages to take, and may be asked. */
static bool admit_pageblock(struct compaction *c, pfn_t start)
{
    const struct page *first = pfn_to_page(start);

    /* To fill one that is wholly free gains nothing. */
    if (page_is_buddy(first) && first->order == PAGEBLOCK_ORDER)
        return false;
    if (!has_free_pages(c, start, c->free_end))
        return false;
    if (c->all_targets || get_pageblock_migratetype(first) == MIGRATE_MOVABLE)
        return true;
    c->passed_over = true;
    return false;
}

/* The free scanner: comes down to the next free page not below `floor`. False: there is none. */
static bool find_target(struct compaction *c, pfn_t floor)
{
    while (c->free_end > floor) {
        bool is_free;
        pfn_t pages;

        if (c->free_end <= c->admitted) {
            pfn_t start = MAX(ALIGN_DOWN(c->free_end - 1, PAGEBLOCK_PAGES), c->zone->start_pfn);

            if (!admit_pageblock(c, start)) {
                c->free_end = start;
                continue;
            }
            c->admitted = start;
        }
        pages = block_pages_before(c->free_end, &is_free);
        c->result->scanned++;
        if (is_free)
            return true;
        c->free_end -= MIN(pages, c->free_end - floor);
    }
    return false;
}

/* Lets nobody find the page through the window that it had. False if somebody is looking. */
static bool part_from_window(struct page *page)
{
    if (!PageHighMem(page) || !page->kmap)
        return true;
    if (inject(compaction_keep_window, compaction))
        return true;
    return kmap_forget(page) || inject(compaction_move_mapped, compaction);
}

/* Whether this thread has windows left for both pages, should they need some. */
static bool can_copy(const struct page *page)
{
    return !PageHighMem(page) || kmap_local_depth() + 2 <= KMAP_LOCAL_DEPTH ||
           inject(compaction_without_windows, compaction);
}

/* Whom the copy of a mutation comes from: a page that is there, but another. */
static struct page *source_of(struct page *from)
{
    pfn_t other = page_to_pfn(from) ^ 1;

    if (!inject(compaction_copy_neighbour, compaction) || !pfn_to_page(other)->order_and_state)
        return from;
    return pfn_to_page(other);
}

/* An isolated page goes to the frame below free_end. */
static enum outcome carry_over(struct compaction *c, struct page_owner *owner, struct page *from)
{
    uint32_t index = from->index;
    struct page *to;

    if (!can_copy(from))
        return PINNED;
    if (!part_from_window(from))
        return PINNED;
    to = buddy_take_page(c->free_end - 1);
    c->free_end--;
    if (!to)
        return NO_TARGET;
    if (!inject(compaction_skip_copy, compaction))
        copy_highpage(to, source_of(from));
    page_set_owner(to, owner->id, inject(compaction_lose_index, compaction) ? 0 : index);
    if (!inject(compaction_tell_nobody, compaction))
        owner->moved(owner, index, from, to);
    if (!inject(compaction_keep_old, compaction))
        buddy_free(from, 0);
    if (inject(compaction_keep_listed, compaction))
        buddy_free(to, 0);
    return MOVED;
}

/* Nobody comes in between, from the question to the owner to its being told. */
static enum outcome move_page(struct compaction *c, pfn_t pfn)
{
    struct page *page = pfn_to_page(pfn);
    struct page_owner *owner;
    enum outcome outcome = GONE;

    preempt_disable();
    owner = movable_owner(page);
    if (owner) {
        outcome = PINNED;
        if (owner->isolate(owner, page->index, page) ||
            inject(compaction_move_refused, compaction)) {
            if (inject(compaction_preemptible, compaction_threads)) {
                preempt_enable();
                wait_yield();
                preempt_disable();
            }
            outcome = carry_over(c, owner, page);
            if (outcome != MOVED && owner->kept)
                owner->kept(owner, page->index, page);
        }
    }
    preempt_enable();
    return outcome;
}

/*
 * Moves what is in [pfn, end) to free pages above it. Stops at the first page that doesn't let go,
 * since it keeps the rest from becoming one block. False: there are no free pages any more.
 */
static bool evacuate(struct compaction *c, pfn_t pfn, pfn_t end)
{
    while (pfn < end) {
        enum outcome outcome;

        c->result->scanned++;
        if (!movable_owner(pfn_to_page(pfn))) {
            pfn += block_pages_at(pfn);
            continue;
        }
        if (!find_target(c, inject(compaction_run_over, compaction) ? c->zone->start_pfn : end))
            return false;
        outcome = move_page(c, pfn);
        if (outcome == NO_TARGET)
            continue; /* somebody was quicker; the scanner is below that one now */
        if (outcome == PINNED) {
            c->result->pinned++;
            return true;
        }
        c->result->moved += outcome == MOVED;
        pfn++;
    }
    return true;
}

/* Whether all of [start, end) would be free if all went that can be asked to. */
static bool worth_it(struct compaction *c, pfn_t start, pfn_t end)
{
    for (pfn_t pfn = start; pfn < end; pfn += block_pages_at(pfn)) {
        const struct page *page = pfn_to_page(pfn);

        c->result->scanned++;
        if (!page_is_buddy(page) && !movable_owner(page))
            return false;
    }
    return true;
}

/* The migrate scanner: from block to block of the wanted size, or page to page if all shall go. */
static bool run(struct compaction *c, pfn_t start, pfn_t end)
{
    pfn_t step = c->order < NR_ORDERS ? 1u << c->order : 1;

    c->free_end = c->admitted = end;
    for (pfn_t pfn = ALIGN_UP(start, step);;) {
        /* No block of this size is free one day where none begins. */
        pfn = skip_nothing(c, pfn, c->free_end, step);
        if (pfn + step > c->free_end)
            return false;
        if (worth_it(c, pfn, pfn + step)) {
            bool has_targets = evacuate(c, pfn, pfn + step);

            if (has_free_block(c)) {
                c->migrated = pfn;
                return true;
            }
            if (!has_targets)
                return false;
        }
        pfn += MAX(step, block_pages_at(pfn));
    }
}

/* From where the last block was found; with nothing there, from the ends of the zone. */
static bool run_from_hint(struct compaction *c, enum zone_type zone)
{
    const struct zone *z = c->zone;
    pfn_t start = resume[zone].migrate, end = resume[zone].free_end;
    bool found = false;

    if (c->order < NR_ORDERS && start > z->start_pfn && start < end && end <= z->end_pfn)
        found = run(c, start, end);
    if (!found)
        found = run(c, z->start_pfn, z->end_pfn);
    resume[zone].migrate = found ? c->migrated : 0;
    resume[zone].free_end = found ? c->free_end : 0;
    return found;
}

bool compact_zone(enum zone_type zone, unsigned order, struct compact_result *result)
{
    struct compact_result unasked = {0};
    struct compaction c = {
        .zone = zone_get(zone),
        .order = MIN(order, NR_ORDERS),
        /* Without mobility there is nobody to spare. */
        .all_targets =
            (!page_alloc_tuning()->mobility && !inject(compaction_spare_all, compaction)) ||
            inject(compaction_fill_all, compaction),
        .result = result ? result : &unasked,
    };

    *c.result = (struct compact_result){0};
    drain_all_pages();
    if (has_free_block(&c))
        return true;
    if (c.order < NR_ORDERS && nr_free_pages(zone) < 1u << c.order)
        return false;
    if (run_from_hint(&c, zone))
        return true;
    /* The pages that can't be moved lose room to those that can only if it helps somebody. */
    if (!c.passed_over || c.order == NR_ORDERS)
        return false;
    c.all_targets = true;
    return run(&c, c.zone->start_pfn, c.zone->end_pfn);
}
