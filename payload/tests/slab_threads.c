/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slab_threads: threads that are preempted at any instruction take and free objects of the same
 * caches.
 *
 * Why it can break: a stack of free objects that two threads change at once gives one object to
 * both, or loses it. It shows as another's stamp, or as pages that are missing in the end.
 */
#include "payload/tests/slab_held.h"
#include "payload/tests/workers.h"

#define TICK_HZ 4000u
#define WORKERS 8u
#define SLOTS 24u
#define ROUNDS 6000u
#define ROUNDS_SPARSE 1500u
#define PATIENCE 100u /* rounds until a timer is given up, as a multiple of those wanted */

static struct slab_held_entry slots[WORKERS][SLOTS];

static uint32_t rounds(struct test *t)
{
    return test_depth(t) == DEPTH_SPARSE ? ROUNDS_SPARSE : ROUNDS;
}

static void release(struct worker *w, struct slab_held_entry *e)
{
    w->wrong += slab_stamp_end(e->object, e->size, e->stamp) != e->size;
    kfree(e->object);
    e->object = NULL;
}

/* A few sizes, so that all use the same stacks. */
static void thread_take_and_free(void *arg)
{
    struct worker *w = arg;
    uint32_t wanted = rounds(w->t);

    for (; w->rounds < wanted || (thread_preemptions() <= WORKERS && w->rounds < PATIENCE * wanted);
         w->rounds++) {
        struct slab_held_entry *e = &slots[w->number][prng_below(&w->prng, SLOTS)];

        if (e->object)
            release(w, e);
        e->size = 64u << prng_below(&w->prng, 3);
        e->stamp = prng_u32(&w->prng);
        e->object = kmalloc(e->size, GFP_KERNEL);
        if (e->object)
            slab_stamp(e->object, e->size, e->stamp);
        else
            w->wrong++;
    }
    for (unsigned i = 0; i < SLOTS; i++)
        if (slots[w->number][i].object)
            release(w, &slots[w->number][i]);
}

static void abandon(void)
{
    for (unsigned w = 0; w < WORKERS; w++) {
        for (unsigned i = 0; i < SLOTS; i++) {
            kfree(slots[w][i].object);
            slots[w][i].object = NULL;
        }
    }
}

static void case_at_once(struct test *t)
{
    slab_held_remember();
    if (threads_start(TICK_HZ)) {
        test_error(t, "the timer's interrupt line has no room");
        return;
    }
    if (workers_start(t, WORKERS, thread_take_and_free)) {
        workers_join(t, "other objects");
        TEST_CHECK(t, thread_preemptions() > WORKERS, "the timer switched threads %u times",
                   thread_preemptions());
    }
    threads_stop();
    abandon();
    for (unsigned number = 1; number < NR_SLAB_CACHES; number++) {
        struct kmem_cache *cache = kmem_cache_of_number(number);
        virt_t where;
        const char *wrong = cache ? kmem_cache_check(cache, &where) : NULL;

        TEST_CHECK(t, wrong == NULL, "cache %u: %s, at 0x%lx", number, wrong, (unsigned long)where);
    }
    slab_held_check_pages(t);
}

static const struct test_case cases[] = {{"at_once", case_at_once}};

SUITE(slab_threads) = {
    .name = "slab_threads",
    .about = "threads that take and free objects at once each get their own",
    .rank = SUITE_RANK_STRESS,
    .cases = cases,
    .nr_cases = ARRAY_SIZE(cases),
    .abandon = abandon,
};
