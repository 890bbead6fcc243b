/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reclaim: caches give up pages when they are asked to, each its share, and no more.
 *
 * Caches of pages that nobody needs register shrinkers. They are asked for so many pages, and what
 * each is asked for, and gives, is compared with what it has: in proportion, in small portions;
 * one that has nothing to spare holds up nobody.
 *
 * Why it can break: nothing here depends on the machine. A break shows as a cache that gave more
 * than its share, as memory asked for that was there and not freed, or as a call that never ends.
 */
#include "paging/preempt.h"
#include "paging/shrinker.h"
#include "paging/wait.h"
#include "payload/suite.h"
#include "payload/tests/small_zone.h"
#include "payload/tests/zone_state.h"
#include "payload/thread.h"

#define NR_CACHES 3u
#define CACHE_PAGES 640u
#define MIN_FREE_KBYTES 1024u
#define FREE_PAGES 24u
#define BLOCK_ORDER 3u
#define BLOCK_PAGES BIT(BLOCK_ORDER)
#define WANTING BLOCK_PAGES /* threads, each of which gets a page of the cache */

/* Pages in the order in which they are given up: the last first. */
static struct cache {
    struct shrinker shrinker;
    struct page *page[CACHE_PAGES];
    uint32_t count;
    uint32_t asked;      /* pages, since the case began */
    uint32_t most_asked; /* at a time */
    bool has_none_spare; /* counts, but gives none */
    bool sleeps;         /* while it is asked; nobody wakes it */
} caches[NR_CACHES];

static const uint32_t no_pages[NR_CACHES];
static struct zone_state before;

static bool is_in(const struct page *page, enum zone_type zone)
{
    return page_zonenum(page) <= zone;
}

static struct cache *cache_of(struct shrinker *shrinker)
{
    return container_of(shrinker, struct cache, shrinker);
}

static uint32_t count_objects(struct shrinker *shrinker, enum zone_type zone)
{
    const struct cache *c = cache_of(shrinker);
    uint32_t count = 0;

    for (uint32_t i = 0; i < c->count; i++)
        count += is_in(c->page[i], zone);
    return count;
}

static uint32_t give_up(struct cache *c, enum zone_type zone, uint32_t nr_pages)
{
    uint32_t freed = 0, left = 0;

    for (uint32_t i = 0; i < c->count; i++) {
        if (freed < nr_pages && is_in(c->page[i], zone)) {
            __free_page(c->page[i]);
            freed++;
        } else {
            c->page[left++] = c->page[i];
        }
    }
    c->count = left;
    return freed;
}

static struct wait_queue sleepers = WAIT_QUEUE_INIT(sleepers);

static uint32_t scan_objects(struct shrinker *shrinker, enum zone_type zone, uint32_t nr_to_scan)
{
    struct cache *c = cache_of(shrinker);

    if (c->sleeps)
        wait_sleep(&sleepers);
    c->asked += nr_to_scan;
    c->most_asked = MAX(c->most_asked, nr_to_scan);
    return c->has_none_spare ? 0 : give_up(c, zone, nr_to_scan);
}

static void give_back(void)
{
    for (unsigned i = 0; i < NR_CACHES; i++) {
        if (!caches[i].shrinker.name)
            continue;
        unregister_shrinker(&caches[i].shrinker);
        give_up(&caches[i], ZONE_HIGHMEM, caches[i].count);
        caches[i] = (struct cache){.count = 0};
    }
}

/* Caches with so many pages each. */
static bool begin(struct test *t, gfp_t gfp, const uint32_t *counts)
{
    zone_state_remember(&before);
    for (unsigned i = 0; i < NR_CACHES; i++) {
        struct cache *c = &caches[i];

        *c = (struct cache){.shrinker = {.name = "cache"}};
        c->shrinker.count_objects = count_objects;
        c->shrinker.scan_objects = scan_objects;
        register_shrinker(&c->shrinker);
        while (c->count < counts[i]) {
            struct page *page = alloc_page(gfp | __GFP_RECLAIMABLE);

            if (!page) {
                test_error(t, "no memory for %u pages", counts[i]);
                return false;
            }
            c->page[c->count++] = page;
        }
    }
    return true;
}

static void end(struct test *t)
{
    give_back();
    zone_state_compare(t, &before);
}

/* Asks for nr_pages; fails unless so many come from each, a page more or less for the rounding. */
static void expect_shares(struct test *t, enum zone_type zone, uint32_t nr_pages,
                          const uint32_t *shares)
{
    uint32_t had[NR_CACHES], freed, given = 0;

    for (unsigned i = 0; i < NR_CACHES; i++)
        had[i] = caches[i].count;
    freed = shrink_pages(zone, nr_pages);
    for (unsigned i = 0; i < NR_CACHES; i++) {
        uint32_t gave = had[i] - caches[i].count;

        given += gave;
        TEST_CHECK(t, gave + 1 >= shares[i] && gave <= shares[i] + 1,
                   "cache %u, with %u pages, gave %u of %u, %u wanted", i, had[i], gave, nr_pages,
                   shares[i]);
        TEST_CHECK(t, caches[i].most_asked <= SHRINK_BATCH, "%u pages asked for at a time",
                   caches[i].most_asked);
    }
    TEST_CHECK(t, freed == given, "%u pages freed, it was said; %u were", freed, given);
}

static void case_shares(struct test *t)
{
    static const uint32_t counts[NR_CACHES] = {600, 300, 100};

    if (begin(t, GFP_NOWAIT, counts)) {
        expect_shares(t, ZONE_NORMAL, 100, (const uint32_t[]){60, 30, 10});
        expect_shares(t, ZONE_NORMAL, 1, (const uint32_t[]){1, 0, 0});
        TEST_CHECK(t, caches[2].count == 90, "the smallest cache gave %u pages for a single one",
                   90 - caches[2].count);
        expect_shares(t, ZONE_NORMAL, 600, (const uint32_t[]){360, 180, 60});
        expect_shares(t, ZONE_NORMAL, 0, (const uint32_t[]){0, 0, 0});
        /* All there is, and no more. */
        expect_shares(t, ZONE_NORMAL, UINT32_MAX,
                      (const uint32_t[]){caches[0].count, caches[1].count, caches[2].count});
        TEST_CHECK(t, shrink_pages(ZONE_NORMAL, 1) == 0, "a page was freed by empty caches");
    }
    end(t);
}

/* Pages that are of no use to who asks stay. */
static void case_zones(struct test *t)
{
    static const uint32_t counts[NR_CACHES] = {50, 50, 50};

    if (!zone_get(ZONE_HIGHMEM)->present_pages) {
        test_skip(t, "no high memory");
        return;
    }
    if (begin(t, (gfp_t)ZONE_HIGHMEM, counts)) {
        expect_shares(t, ZONE_NORMAL, 150, (const uint32_t[]){0, 0, 0});
        expect_shares(t, ZONE_HIGHMEM, 30, (const uint32_t[]){10, 10, 10});
    }
    end(t);
}

/* One that has pages, and gives none. */
static void case_none_to_spare(struct test *t)
{
    static const uint32_t counts[NR_CACHES] = {100, 100, 100};
    uint32_t freed;

    if (begin(t, GFP_NOWAIT, counts)) {
        caches[0].has_none_spare = true;
        freed = shrink_pages(ZONE_NORMAL, 90);
        TEST_CHECK(t, freed == 90, "%u pages of 90 freed: the others have 200", freed);
        caches[1].has_none_spare = true;
        caches[2].has_none_spare = true;
        freed = shrink_pages(ZONE_NORMAL, 90);
        TEST_CHECK(t, freed == 0, "%u pages freed where nobody gave one", freed);
    }
    end(t);
}

/* Puts a page of the full zone, which the table gives up, into a cache. */
static void hand_over(struct cache *c, uint32_t index)
{
    struct page *page;

    movable_drop(index);
    page = alloc_page((gfp_t)movable.zone | __GFP_THISZONE | __GFP_RECLAIMABLE);
    if (page)
        c->page[c->count++] = page;
}

/* Fails unless a page can be had, if `wanted`, or can't be; what was had goes into the table. */
static bool expect_page(struct test *t, gfp_t gfp, uint32_t index, bool wanted)
{
    uint32_t cached = caches[0].count;
    struct page *page = alloc_page((gfp_t)movable.zone | __GFP_THISZONE | __GFP_MOVABLE | gfp);

    if (page)
        __free_page(page);
    TEST_CHECK(t, (page != NULL) == wanted, "with %u pages in the cache %s be had", cached,
               page ? "one could" : "none could");
    return page && movable_take(index);
}

/* A full zone, in which a cache has some pages: all of them can be had, and then no more. */
static void case_on_demand(struct test *t)
{
    struct page_alloc_tuning tuning = page_alloc_default;
    struct cache *c = &caches[0];
    uint32_t taken = 0;

    tuning.reclaim = true;
    if (small_zone_open(t, small_zone_best(), &tuning) && begin(t, 0, no_pages)) {
        for (uint32_t i = 0; i < MIN(CACHE_PAGES, movable.count); i++)
            hand_over(c, i);
        page_alloc_clear_events();
        expect_page(t, 0, 0, false);
        expect_page(t, __GFP_DIRECT_RECLAIM | __GFP_NORETRY, 0, false);
        while (taken < CACHE_PAGES && expect_page(t, __GFP_DIRECT_RECLAIM, taken, true))
            taken++;
        expect_page(t, __GFP_DIRECT_RECLAIM, taken, false);
        TEST_CHECK(t, taken == CACHE_PAGES && c->count == 0,
                   "%u pages of a cache of %u could be had, %u are still in it", taken, CACHE_PAGES,
                   c->count);
        TEST_CHECK(t, page_alloc_events()->pages_reclaimed == CACHE_PAGES,
                   "%u pages were reclaimed, it was counted, of %u",
                   page_alloc_events()->pages_reclaimed, CACHE_PAGES);
        test_log(t, "%u pages of a cache of %u could be had, in %u reclaims", taken, CACHE_PAGES,
                 page_alloc_events()->reclaims);
    }
    give_back();
    small_zone_close(t);
}

/* Blocks are free, but kept for those who can't wait: moving pages is no help, more of them are. */
static void case_watermarks(struct test *t)
{
    struct page_alloc_tuning tuning = page_alloc_default;
    struct cache *c = &caches[0];
    struct page *page;

    tuning.watermarks = tuning.reclaim = tuning.compaction = true;
    tuning.min_free_kbytes = MIN_FREE_KBYTES;
    if (small_zone_open(t, small_zone_best(), &page_alloc_default) && begin(t, 0, no_pages)) {
        gfp_t gfp = (gfp_t)movable.zone | __GFP_THISZONE | __GFP_MOVABLE;

        for (uint32_t i = 0; i < MIN(CACHE_PAGES, movable.count); i++)
            hand_over(c, i);
        for (uint32_t i = 0; i < FREE_PAGES; i++)
            movable_drop(movable.count - 1 - i);
        page_alloc_tune(&tuning);
        page_alloc_clear_events();
        page = alloc_pages(gfp, 1);
        TEST_CHECK(t, !page && zone_unusable_index(zone_get(movable.zone), 1) < 1000,
                   "with %u pages free, of which %u are kept, a block %s", FREE_PAGES,
                   zone_get(movable.zone)->watermark[WMARK_MIN],
                   page ? "could be had" : "is not even free");
        if (page)
            __free_pages(page, 1);
        page = alloc_pages(gfp | __GFP_DIRECT_RECLAIM, 1);
        TEST_CHECK(t, page && page_alloc_events()->pages_reclaimed > 0,
                   "no block for who can wait, with %u pages in a cache; %u were reclaimed, in %u "
                   "compactions and %u reclaims",
                   c->count, page_alloc_events()->pages_reclaimed, page_alloc_events()->compactions,
                   page_alloc_events()->reclaims);
        if (page)
            __free_pages(page, 1);
    }
    give_back();
    small_zone_close(t);
}

/* A block of pages that are all the table's; NULL if there is none. */
static struct page *whole_block(void)
{
    for (uint32_t i = 0; i < movable.count; i++) {
        struct page *page = movable.entry[i].page;
        unsigned own = 0;

        while (IS_ALIGNED(page_to_pfn(page), BLOCK_PAGES) && own < BLOCK_PAGES &&
               page[own].allocated && page[own].owner == movable.owner.id)
            own++;
        if (own == BLOCK_PAGES)
            return page;
    }
    return NULL;
}

/* Of each block all pages but the first go into the cache, and last of all those of a whole one. */
static bool hand_over_scattered(struct cache *c)
{
    struct page *last = whole_block();

    for (uint32_t i = 0; last && i < movable.count && c->count < CACHE_PAGES - BLOCK_PAGES; i++) {
        pfn_t pfn = page_to_pfn(movable.entry[i].page);

        if (pfn % BLOCK_PAGES && pfn - page_to_pfn(last) >= BLOCK_PAGES)
            hand_over(c, i);
    }
    for (unsigned i = 0; last && i < BLOCK_PAGES; i++)
        hand_over(c, last[i].index);
    return c->count == CACHE_PAGES;
}

/* No block comes free before the last pages do: reclaim goes on for as long as it gets any. */
static void case_scattered(struct test *t)
{
    struct page_alloc_tuning tuning = page_alloc_default;
    struct cache *c = &caches[0];

    tuning.reclaim = true;
    if (small_zone_open(t, small_zone_best(), &tuning) && begin(t, 0, no_pages)) {
        struct page *page;

        TEST_CHECK(t, hand_over_scattered(c), "only %u pages for a cache of %u", c->count,
                   CACHE_PAGES);
        page_alloc_clear_events();
        page =
            alloc_pages((gfp_t)movable.zone | __GFP_THISZONE | __GFP_DIRECT_RECLAIM, BLOCK_ORDER);
        TEST_CHECK(t, page && c->count < BLOCK_PAGES,
                   "no block of order %u, and %u of %u pages are still in the cache, after %u "
                   "reclaims",
                   BLOCK_ORDER, c->count, CACHE_PAGES, page_alloc_events()->reclaims);
        if (page)
            __free_pages(page, BLOCK_ORDER);
    }
    give_back();
    small_zone_close(t);
}

static void thread_want_page(void *arg)
{
    struct page *page = alloc_page(*(const gfp_t *)arg);

    if (page)
        __free_page(page);
}

/* A thread ends in the middle of a reclaim, and of a shrinker: afterwards there are both again. */
static void case_ended(struct test *t)
{
    struct page_alloc_tuning tuning = page_alloc_default;
    gfp_t gfp;

    tuning.reclaim = true;
    if (small_zone_open(t, small_zone_best(), &tuning) && begin(t, 0, no_pages)) {
        gfp = (gfp_t)movable.zone | __GFP_THISZONE | __GFP_DIRECT_RECLAIM;
        for (uint32_t i = 0; i < BLOCK_PAGES; i++)
            hand_over(&caches[0], i);
        caches[0].sleeps = true;
        threads_start(0);
        if (thread_create("ended", thread_want_page, &gfp))
            thread_yield();
        TEST_CHECK(t, threads_stop() == 1, "no thread sleeps while it is asked for pages");
        caches[0].sleeps = false;
        page_alloc_reset();
        expect_page(t, __GFP_DIRECT_RECLAIM, 0, true);
    }
    give_back();
    small_zone_close(t);
}

static struct wanting {
    struct thread *thread;
    struct page *page;
} wanting[WANTING];

static void thread_keep_page(void *arg)
{
    struct wanting *w = arg;

    w->page = alloc_page((gfp_t)movable.zone | __GFP_THISZONE | __GFP_DIRECT_RECLAIM);
}

/* While one thread reclaims, and takes its time, all others wait for it, and none for ever. */
static void case_waiting(struct test *t)
{
    struct page_alloc_tuning tuning = page_alloc_default;
    unsigned count = 0;

    tuning.reclaim = true;
    if (small_zone_open(t, small_zone_best(), &tuning) && begin(t, 0, no_pages)) {
        for (uint32_t i = 0; i < BLOCK_PAGES; i++)
            hand_over(&caches[0], i);
        caches[0].sleeps = true;
        threads_start(0);
        for (; count < WANTING; count++) {
            wanting[count] = (struct wanting){.page = NULL};
            wanting[count].thread = thread_create("wanting", thread_keep_page, &wanting[count]);
            if (!wanting[count].thread)
                break;
        }
        TEST_CHECK(t, count == WANTING, "no memory for thread %u of %u", count + 1, WANTING);
        page_alloc_clear_events();
        thread_yield();
        TEST_CHECK(t, page_alloc_events()->reclaims == 0, "somebody reclaimed while another did");
        caches[0].sleeps = false;
        preempt_disable();
        wait_wake(&sleepers);
        preempt_enable();
        for (unsigned i = 0; i < count; i++)
            if (!TEST_CHECK(t, thread_join(wanting[i].thread), "thread %u sleeps for ever", i))
                break;
        TEST_CHECK(t, threads_stop() == 0, "threads are left that did not end");
        for (unsigned i = 0; i < count; i++) {
            TEST_CHECK(t, wanting[i].page, "thread %u got no page", i);
            if (wanting[i].page)
                __free_page(wanting[i].page);
        }
    }
    give_back();
    small_zone_close(t);
}

static void abandon(void)
{
    give_back();
    small_zone_give_back();
}

static const struct test_case cases[] = {
    {"shares", case_shares},
    {"zones", case_zones},
    {"none_to_spare", case_none_to_spare},
    {"on_demand", case_on_demand},
    {"watermarks", case_watermarks},
    {"scattered", case_scattered},
    {"waiting", case_waiting},
    {"ended", case_ended},
};

SUITE(reclaim) = {
    .name = "reclaim",
    .about = "caches give up pages when memory is wanted, each its share",
    .rank = SUITE_RANK_STRESS,
    .cases = cases,
    .nr_cases = ARRAY_SIZE(cases),
    .abandon = abandon,
};
