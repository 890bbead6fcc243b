/* SPDX-License-Identifier: BSD-2-Clause */
/* Caches of numbers: what each is asked for, and when. */
#define PREEMPT_UNDER_TEST

#include "ci/unit/unit.h"
#include "lib/inject.h"
#include "paging/preempt.h"

#include "paging/shrinker.c"

#define CACHES_MAX 40u

static struct cache {
    struct shrinker shrinker;
    uint32_t count[MAX_NR_ZONES];
    uint32_t given, calls;
    uint32_t gives_at_most; /* at a time; 0: all it is asked for */
    bool is_greedy;         /* counts, but gives nothing */
    bool asks_on;           /* asks for more from within itself */
    struct shrinker *ends;  /* when it is asked: this one unregisters afterwards */
} caches[CACHES_MAX];

static unsigned nr_caches;
static struct cpu cpu;
static struct shrinker *to_end;

/* With preemption on, another thread may have come in. */
struct cpu *this_cpu(void)
{
    struct shrinker *shrinker = to_end;

    if (cpu.preempt_count == 0 && shrinker) {
        to_end = NULL;
        unregister_shrinker(shrinker);
    }
    return &cpu;
}

static uint32_t count_objects(struct shrinker *shrinker, enum zone_type zone)
{
    const struct cache *c = container_of(shrinker, struct cache, shrinker);
    uint32_t count = 0;

    assert_int_equal(cpu.preempt_count, 1);
    for (unsigned z = 0; z <= zone; z++)
        count += c->count[z];
    return count;
}

static uint32_t scan_objects(struct shrinker *shrinker, enum zone_type zone, uint32_t nr_to_scan)
{
    struct cache *c = container_of(shrinker, struct cache, shrinker);
    uint32_t left = c->gives_at_most ? MIN(nr_to_scan, c->gives_at_most) : nr_to_scan, gave = 0;

    assert_int_equal(cpu.preempt_count, 1);
    assert_in_range(nr_to_scan, 1, SHRINK_BATCH);
    c->calls++;
    if (c->asks_on)
        assert_int_equal(shrink_pages(zone, nr_to_scan), 0);
    if (c->ends)
        to_end = c->ends;
    for (unsigned z = 0; z <= zone && !c->is_greedy; z++) {
        uint32_t part = MIN(left, c->count[z]);

        c->count[z] -= part;
        left -= part;
        gave += part;
    }
    c->given += gave;
    return gave;
}

static void add_cache(enum zone_type zone, uint32_t count)
{
    struct cache *c = &caches[nr_caches++];

    *c = (struct cache){.shrinker = {.count_objects = count_objects, .scan_objects = scan_objects}};
    c->count[zone] = count;
    register_shrinker(&c->shrinker);
}

static int stop(void **state)
{
    for (unsigned i = 0; i < nr_caches; i++)
        unregister_shrinker(&caches[i].shrinker);
    nr_caches = 0;
    to_end = NULL;
    assert_int_equal(shrink_pages(ZONE_HIGHMEM, 1), 0);
    assert_int_equal(cpu.preempt_count, 0);
    return 0;
}

static void nobody(void **state)
{
    assert_int_equal(shrink_pages(ZONE_HIGHMEM, 0), 0);
    assert_int_equal(shrink_pages(ZONE_HIGHMEM, UINT32_MAX), 0);
    add_cache(ZONE_NORMAL, 0);
    assert_int_equal(shrink_pages(ZONE_HIGHMEM, 10), 0);
    assert_int_equal(caches[0].calls, 0);
}

static void only_the_zone(void **state)
{
    add_cache(ZONE_DMA, 5);
    add_cache(ZONE_NORMAL, 50);
    add_cache(ZONE_HIGHMEM, 500);
    assert_int_equal(shrink_pages(ZONE_DMA, 100), 5);
    assert_int_equal(shrink_pages(ZONE_NORMAL, 20), 20);
    assert_int_equal(caches[1].given, 20);
    assert_int_equal(caches[2].calls, 0);
    assert_int_equal(shrink_pages(ZONE_HIGHMEM, 1000), 530);
}

/* Just what is asked for, if it is there; shares are off by no more than there are caches.
 */
static void random_shares(void **state)
{
    struct prng prng;

    prng_seed(&prng, 1);
    for (unsigned round = 0; round < 2000; round++) {
        uint32_t had[CACHES_MAX], wanted, freed;
        uint64_t total = 0, given = 0;
        unsigned count = between(&prng, 1, CACHES_MAX);

        for (unsigned i = 0; i < count; i++) {
            had[i] = prng_u32(&prng) >> between(&prng, 12, 31);
            add_cache(ZONE_NORMAL, had[i]);
            total += had[i];
        }
        wanted = one_in(&prng, 8) ? prng_u32(&prng) : prng_u32(&prng) >> between(&prng, 10, 31);
        freed = shrink_pages(ZONE_NORMAL, wanted);
        assert_true(freed == MIN(wanted, total));
        for (unsigned i = 0; i < count; i++) {
            uint64_t share = total ? MIN((uint64_t)wanted * had[i] / total, had[i]) : 0;

            given += caches[i].given;
            assert_true(caches[i].given >= share && caches[i].given <= share + count);
        }
        assert_true(given == freed);
        stop(NULL);
    }
}

/* The one who has most gives the single page. */
static void one_page(void **state)
{
    add_cache(ZONE_NORMAL, 1);
    add_cache(ZONE_NORMAL, 1000);
    add_cache(ZONE_NORMAL, 1);
    for (unsigned i = 1; i <= 900; i++) {
        assert_int_equal(shrink_pages(ZONE_NORMAL, 1), 1);
        assert_int_equal(caches[1].given, i);
    }
}

static void greedy_ones(void **state)
{
    add_cache(ZONE_NORMAL, 100000);
    add_cache(ZONE_NORMAL, 300);
    caches[0].is_greedy = true;
    assert_true(shrink_pages(ZONE_NORMAL, 200) > 0);
    caches[1].is_greedy = true;
    caches[0].calls = caches[1].calls = 0;
    assert_int_equal(shrink_pages(ZONE_NORMAL, UINT32_MAX), 0);
    /* Nobody is asked for ever. */
    assert_in_range(caches[0].calls, 1, 8);
    assert_in_range(caches[1].calls, 1, 8);
}

static void small_portions(void **state)
{
    add_cache(ZONE_NORMAL, 10000);
    caches[0].gives_at_most = 1;
    assert_true(shrink_pages(ZONE_NORMAL, 5000) > 0);
    caches[0].gives_at_most = 0;
    assert_int_equal(shrink_pages(ZONE_NORMAL, 5000), 5000);
    assert_true(caches[0].calls >= 5000 / SHRINK_BATCH);
}

static void within_itself(void **state)
{
    for (unsigned i = 0; i < 3; i++) {
        add_cache(ZONE_NORMAL, 1000);
        caches[i].asks_on = true;
    }
    assert_int_equal(shrink_pages(ZONE_NORMAL, 300), 300);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(caches[i].given, 100);
}

/* Others unregister between two portions: this one, one before, one after. */
static void ends_meanwhile(void **state)
{
    for (unsigned asked = 0; asked < 3; asked++) {
        for (unsigned ends = 0; ends < 3; ends++) {
            for (unsigned i = 0; i < 3; i++)
                add_cache(ZONE_NORMAL, 1000);
            caches[asked].ends = &caches[ends].shrinker;
            assert_in_range(shrink_pages(ZONE_NORMAL, 2000), 1, 2000);
            stop(NULL);
        }
    }
}

/* A shrinker that never came back (it faulted) does not keep others from being asked. */
static void ended_by_fault(void **state)
{
    add_cache(ZONE_NORMAL, 10);
    caches[0].ends = &caches[0].shrinker;
    assert_true(shrink_pages(ZONE_NORMAL, 10) > 0);
    add_cache(ZONE_NORMAL, 10);
    assert_int_equal(shrink_pages(ZONE_NORMAL, 10), 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(nobody, stop),
        cmocka_unit_test_teardown(only_the_zone, stop),
        cmocka_unit_test_teardown(random_shares, stop),
        cmocka_unit_test_teardown(one_page, stop),
        cmocka_unit_test_teardown(greedy_ones, stop),
        cmocka_unit_test_teardown(small_portions, stop),
        cmocka_unit_test_teardown(within_itself, stop),
        cmocka_unit_test_teardown(ends_meanwhile, stop),
        cmocka_unit_test_teardown(ended_by_fault, stop),
    };

    return cmocka_run_group_tests_name("shrinker", tests, NULL, NULL);
}
