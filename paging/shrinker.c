/* SPDX-License-Identifier: BSD-2-Clause */
#include "paging/shrinker.h"
#include "lib/inject.h"
#include "paging/preempt.h"

#define ROUNDS 4u

/* Guarded by preemption being off. */
static struct list_head shrinkers = LIST_HEAD_INIT(shrinkers);
static const struct shrinker *asked; /* the one that is being asked now */

/* What is wanted in a round. */
struct round {
    enum zone_type zone;
    uint32_t nr_pages;
    uint32_t left;     /* of them, not freed yet */
    uint64_t total;    /* pages that all shrinkers have */
    uint64_t rounding; /* 0..total-1, added before a share is rounded down */
};

void register_shrinker(struct shrinker *shrinker)
{
    preempt_disable();
    list_add_tail(&shrinker->list, &shrinkers);
    preempt_enable();
}

void unregister_shrinker(struct shrinker *shrinker)
{
    preempt_disable();
    list_del(&shrinker->list);
    /* A fault may have ended it. */
    if (asked == shrinker)
        asked = NULL;
    preempt_enable();
}

/* Number `n` of those there are now; NULL past the last. */
static struct shrinker *shrinker_number(unsigned n)
{
    struct shrinker *shrinker;

    list_for_each_entry (shrinker, &shrinkers, list)
        if (n-- == 0)
            return shrinker;
    return NULL;
}

static uint32_t count_of(struct shrinker *shrinker, enum zone_type zone)
{
    uint32_t count;

    asked = shrinker;
    count = shrinker->count_objects(shrinker, zone);
    asked = NULL;
    return count;
}

/* 0 as well for who is being asked already. */
static uint64_t count_all(enum zone_type zone)
{
    struct shrinker *shrinker;
    uint64_t total = 0;

    preempt_disable();
    if (!asked) {
        list_for_each_entry (shrinker, &shrinkers, list)
            total += count_of(shrinker, zone);
    }
    preempt_enable();
    return total;
}

static uint32_t share_of(const struct round *round, uint32_t count)
{
    uint64_t share = ((uint64_t)round->nr_pages * count + round->rounding) / round->total;

    if (inject(shrink_without_measure, reclaim))
        return round->left;
    return (uint32_t)MIN(share, round->left);
}

/*
 * Asks shrinker number `n` for its share, so much at a time that others can run in between. Returns
 * how many pages it freed; *was_last: there is no such number.
 */
static uint32_t ask(const struct round *round, unsigned n, bool *was_last)
{
    uint32_t freed = 0, left = 0;
    bool is_first = true;

    do {
        struct shrinker *shrinker;
        uint32_t part, got = 0;

        preempt_disable();
        shrinker = shrinker_number(n);
        *was_last = !shrinker;
        if (shrinker && is_first)
            left = share_of(round, count_of(shrinker, round->zone));
        is_first = false;
        part = shrinker ? MIN(left, SHRINK_BATCH) : 0;
        if (part) {
            asked = shrinker;
            got = shrinker->scan_objects(shrinker, round->zone, part);
            asked = NULL;
        }
        preempt_enable();
        freed += got;
        left -= got ? part : left;
    } while (left);
    return freed;
}

uint32_t shrink_pages(enum zone_type zone, uint32_t nr_pages)
{
    uint32_t freed = 0;

    /*
     * In the first round shares are rounded down, so that nobody gives more than is fair. What is
     * left is asked from those that were nearest to one page more, and then from anybody.
     */
    for (unsigned number = 0; number < ROUNDS && freed < nr_pages; number++) {
        struct round round = {
            .zone = zone,
            .nr_pages = nr_pages - freed,
            .total = count_all(zone),
        };
        bool was_last = round.total == 0;
        uint32_t before = freed;

        if (number > 0 && round.total)
            round.rounding = number == 1 ? round.total / 2 : round.total - 1;
        for (unsigned n = 0; !was_last && freed < nr_pages; n++) {
            round.left = nr_pages - freed;
            freed += ask(&round, n, &was_last);
        }
        if (round.total == 0 || (freed == before && number >= 2))
            break;
    }
    return freed;
}

void shrink_reset(void)
{
    asked = NULL;
}
