/* SPDX-License-Identifier: BSD-2-Clause */
/* Percentiles from buckets, against those of the sorted values. */
#include "ci/unit/unit.h"
#include "drivers/clock.h"
#include "payload/tests/lowmem_spent.h"

#define VALUES_MAX 5000u
#define EMPTY 20u

static bool counts_instructions;

bool clock_tsc_counts_instructions(void)
{
    return counts_instructions;
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

/* No less than the true one, and no more than a bucket's width above it. */
static void assert_percentile(const uint32_t *sorted, uint32_t count, unsigned percent,
                              uint32_t found)
{
    uint32_t wanted = sorted[((uint64_t)count * percent + 99) / 100 - 1];

    assert_true(found >= wanted);
    assert_true(found - wanted <= wanted / SPENT_PARTS);
}

static void nothing_spent(void **state)
{
    struct spent spent;

    spent_begin(EMPTY);
    for (unsigned order = 0; order < 20; order++)
        assert_false(spent_get(SPENT_FREE, order, &spent));
    spent_add(SPENT_FREE, 20, 100); /* there is no such order */
    assert_false(spent_get(SPENT_FREE, 20, &spent));
}

static void one_value(void **state)
{
    static const uint64_t values[] = {0, 1, 15, 16, 17, 31, 32, 1000, UINT32_MAX - 1, UINT32_MAX};

    for (unsigned i = 0; i < ARRAY_SIZE(values); i++) {
        struct spent spent;

        spent_begin(EMPTY);
        spent_add(SPENT_FREE, 3, values[i] + EMPTY);
        assert_true(spent_get(SPENT_FREE, 3, &spent));
        assert_false(spent_get(SPENT_FREE, 2, &spent));
        assert_false(spent_get(SPENT_ALLOC, 3, &spent));
        assert_int_equal(spent.count, 1);
        assert_int_equal(spent.p50, values[i]);
        assert_int_equal(spent.p99, values[i]);
        assert_int_equal(spent.max, values[i]);
    }
}

/* Less than nothing is nothing, and more than 32 bits is as much as they hold. */
static void ends_of_the_scale(void **state)
{
    struct spent spent;

    spent_begin(EMPTY);
    spent_add(SPENT_FREE, 0, EMPTY - 1);
    assert_true(spent_get(SPENT_FREE, 0, &spent));
    assert_int_equal(spent.max, 0);
    spent_add(SPENT_FREE, 0, UINT64_MAX);
    assert_true(spent_get(SPENT_FREE, 0, &spent));
    assert_int_equal(spent.max, UINT32_MAX);
    assert_int_equal(spent.p50, 0);
    assert_int_equal(spent.p90, UINT32_MAX);
}

static void any_values(void **state)
{
    static uint32_t values[VALUES_MAX];
    struct prng prng;

    prng_seed(&prng, 1);
    for (int round = 0; round < 300; round++) {
        uint32_t count = between(&prng, 1, VALUES_MAX), shift = prng_below(&prng, 28);
        struct spent spent;

        spent_begin(EMPTY);
        for (uint32_t i = 0; i < count; i++) {
            values[i] = prng_u32(&prng) >> (one_in(&prng, 50) ? 0 : shift);
            spent_add(SPENT_FREE, 10, (uint64_t)values[i] + EMPTY);
        }
        qsort(values, count, sizeof(values[0]), by_value);
        assert_true(spent_get(SPENT_FREE, 10, &spent));
        assert_int_equal(spent.count, count);
        assert_int_equal(spent.max, values[count - 1]);
        assert_percentile(values, count, 50, spent.p50);
        assert_percentile(values, count, 90, spent.p90);
        assert_percentile(values, count, 99, spent.p99);
        assert_true(spent.p50 <= spent.p90 && spent.p90 <= spent.p99 && spent.p99 <= spent.max);
    }
}

static void units(void **state)
{
    counts_instructions = false;
    assert_string_equal(spent_unit(), "cycles");
    counts_instructions = true;
    assert_string_equal(spent_unit(), "instructions");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_spent),
        cmocka_unit_test(one_value),
        cmocka_unit_test(ends_of_the_scale),
        cmocka_unit_test(any_values),
        cmocka_unit_test(units),
    };

    return cmocka_run_group_tests_name("lowmem_spent", tests, NULL, NULL);
}
