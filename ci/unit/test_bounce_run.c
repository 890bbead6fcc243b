/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs of bounce slots against a map of bools, searched in the plainest way. */
#include "ci/unit/unit.h"
#include "drivers/bounce.h"
#include "lib/errno.h"

#define MAX_AREAS 8u
#define MAX_SLOTS 256u
#define MAX_RUNS 2048u

/* A pool of some areas, and which of their slots are taken. */
static struct {
    struct bounce_pool pool;
    struct bounce_area area[MAX_AREAS];
    bool taken[MAX_AREAS][MAX_SLOTS];
    unsigned nr_areas;
    struct run {
        unsigned area;
        uint32_t slot, count;
    } run[MAX_RUNS];
    unsigned nr_runs;
} m;

/* One more area: the first, if it is small, is for the quick paths. */
static void add_area(unsigned order, pfn_t first, bool quick)
{
    struct bounce_area *area = &m.area[m.nr_areas++];

    area->first = first;
    area->nr_slots = 1u << order;
    area->quick_slots = quick ? area->nr_slots : 0;
    area->pool = &m.pool;
    memset(area->taken, UINT8_MAX, sizeof(area->taken));
    memset(area->taken, 0, area->nr_slots / 8);
    if (quick)
        m.pool.current = area;
    bounce_run_add(area);
}

/* Areas of 8 to 256 slots, each behind what another power of two of memory ends with. */
static void build(struct prng *prng)
{
    unsigned areas = between(prng, 1, MAX_AREAS);

    memset(&m, 0, sizeof(m));
    for (unsigned i = 0; i < areas; i++) {
        unsigned order = between(prng, 3, 8);
        pfn_t first = (1u << between(prng, 11, 15)) + i * MAX_SLOTS;

        add_area(order, first, i == 0 && !one_in(prng, 4));
    }
}

static bool is_free(unsigned area, uint32_t slot, uint32_t count)
{
    for (uint32_t i = slot; i < slot + count; i++) {
        if (m.taken[area][i])
            return false;
    }
    return true;
}

static bool is_reached(unsigned area, dma_addr_t mask)
{
    return ((uint64_t)(m.area[area].first + m.area[area].nr_slots) << PAGE_SHIFT) - 1 <= mask;
}

/* What a search must say: 0 if some area has a block, else why not. */
static int want(dma_addr_t mask, uint32_t block)
{
    int err = -ERANGE;

    for (unsigned i = 0; i < m.nr_areas; i++) {
        if (!is_reached(i, mask))
            continue;
        err = err ? -ENOSPC : 0;
        for (uint32_t slot = 0; slot + block <= m.area[i].nr_slots; slot += block) {
            if (is_free(i, slot, block))
                return 0;
        }
    }
    return err;
}

static void set(const struct run *run, bool taken)
{
    for (uint32_t i = 0; i < run->count; i++) {
        assert_int_equal(m.taken[run->area][run->slot + i], !taken);
        m.taken[run->area][run->slot + i] = taken;
    }
}

static uint32_t block_of(uint32_t count)
{
    uint32_t block = 1;

    while (block < count)
        block *= 2;
    return block;
}

/* Takes a run, and compares: found if there is one, reached, aligned, and free until now. */
static int take(dma_addr_t mask, uint32_t count)
{
    struct run *run = &m.run[m.nr_runs];
    pfn_t first = 0;
    int err = bounce_run_take(&m.pool, mask, count, &first);

    assert_int_equal(err, want(mask, block_of(count)));
    if (err)
        return err;
    for (run->area = 0; first - m.area[run->area].first >= m.area[run->area].nr_slots;)
        assert_true(++run->area < m.nr_areas);
    run->slot = first - m.area[run->area].first;
    run->count = count;
    assert_true(run->slot + count <= m.area[run->area].nr_slots);
    assert_true(is_reached(run->area, mask));
    assert_int_equal(run->slot % block_of(count), 0);
    set(run, true);
    m.nr_runs++;
    return 0;
}

static void give(unsigned which)
{
    struct run *run = &m.run[which];

    set(run, false);
    bounce_run_give(&m.area[run->area], run->slot, run->count);
    *run = m.run[--m.nr_runs];
}

/* The maps say the same, in what is behind an area's end, too. */
static void compare(void)
{
    for (unsigned i = 0; i < m.nr_areas; i++) {
        for (uint32_t slot = 0; slot < MAX_SLOTS; slot++) {
            bool behind = slot >= m.area[i].nr_slots;

            assert_int_equal(m.area[i].taken[slot / 32] >> slot % 32 & 1,
                             behind || m.taken[i][slot]);
        }
    }
}

/* Most runs are short, and now and then one is as long as an area. */
static uint32_t draw_count(struct prng *prng)
{
    return between(prng, 1, 1u << between(prng, 0, one_in(prng, 8) ? 9 : 4));
}

static void random_runs(void **state)
{
    unsigned taken = 0, refused = 0, unreached = 0;
    struct prng prng;

    (void)state;
    prng_seed(&prng, 1);
    for (unsigned round = 0; round < 200; round++) {
        unsigned one_given_in = between(&prng, 2, 5);

        build(&prng);
        for (unsigned step = 0; step < 400; step++) {
            dma_addr_t mask = DMA_BIT_MASK(one_in(&prng, 3) ? between(&prng, 22, 29) : 32);
            int err = 0;

            if (m.nr_runs > 0 && one_in(&prng, one_given_in))
                give(prng_below(&prng, m.nr_runs));
            else
                err = take(mask, draw_count(&prng));
            taken += !err;
            refused += err == -ENOSPC;
            unreached += err == -ERANGE;
        }
        compare();
        while (m.nr_runs > 0)
            give(m.nr_runs - 1);
        compare();
    }
    assert_true(taken > 10000 && refused > 5000 && unreached > 1000);
}

/* What was given back comes again only after all others. */
static void goes_around(void **state)
{
    (void)state;
    for (unsigned quick = 0; quick < 2; quick++) {
        for (uint32_t count = 1; count <= 64; count *= 2) {
            memset(&m, 0, sizeof(m));
            add_area(8, 4096, quick);
            assert_int_equal(take(DMA_BIT_MASK(32), count), 0);
            for (uint32_t i = 1; i < 3 * 256 / count; i++) {
                uint32_t last = m.run[0].slot;

                give(0);
                assert_int_equal(take(DMA_BIT_MASK(32), count), 0);
                assert_int_equal(m.run[0].slot, (last + count) % 256);
            }
        }
    }
}

/* Other areas come first for runs, so that what the quick paths have stays theirs. */
static void quick_area_is_last(void **state)
{
    (void)state;
    memset(&m, 0, sizeof(m));
    add_area(5, 4096, true);
    add_area(5, 8192, false);
    assert_int_equal(take(DMA_BIT_MASK(32), 1), 0);
    assert_int_equal(m.run[0].area, 0);
    give(0);
    assert_int_equal(take(DMA_BIT_MASK(32), 20), 0);
    assert_int_equal(m.run[0].area, 1);
    assert_int_equal(take(DMA_BIT_MASK(32), 20), 0);
    assert_int_equal(m.run[1].area, 0);
    assert_int_equal(take(DMA_BIT_MASK(32), 20), -ENOSPC);
    assert_int_equal(take(DMA_BIT_MASK(25), 8), 0);
    assert_int_equal(m.run[2].area, 0);
}

static void mutations(void **state)
{
    (void)state;
    memset(&m, 0, sizeof(m));
    add_area(5, 4096, false);
    assert_int_equal(take(DMA_BIT_MASK(32), 32), 0);
    injected = "bounce_run_forget";
    give(0);
    injected = NULL;
    assert_int_equal(bounce_run_take(&m.pool, DMA_BIT_MASK(32), 32, &(pfn_t){0}), -ENOSPC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_runs),
        cmocka_unit_test(goes_around),
        cmocka_unit_test(quick_area_is_last),
        cmocka_unit_test(mutations),
    };

    return cmocka_run_group_tests_name("bounce_run", tests, NULL, NULL);
}
