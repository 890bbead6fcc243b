/* SPDX-License-Identifier: BSD-2-Clause */
#include "ci/unit/unit.h"
#include "lib/bitmap.h"
#include "lib/permute.h"

static void assert_bijection(uint32_t n, uint64_t seed)
{
    uint32_t *seen = calloc(BITMAP_WORDS(n), sizeof(*seen));
    struct permutation p;

    permute_init(&p, n, seed);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t thing = permute_at(&p, i);

        assert_true(thing < n);
        assert_false(bitmap_test(seen, thing));
        bitmap_set(seen, thing);
    }
    free(seen);
}

static void every_small_n(void **state)
{
    for (uint32_t n = 1; n <= 600; n++)
        for (uint64_t seed = 0; seed < 5; seed++)
            assert_bijection(n, seed);
}

static void around_powers_of_two(void **state)
{
    for (unsigned bits = 9; bits <= 18; bits++)
        for (uint32_t n = BIT(bits) - 1; n <= BIT(bits) + 1; n++)
            assert_bijection(n, n);
}

static void any_n(void **state)
{
    struct prng prng;

    prng_seed(&prng, 1);
    for (int i = 0; i < 40; i++)
        assert_bijection(between(&prng, 1, 200000), prng_u64(&prng));
}

static int compare_u32(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

/* A table of all things would be too large: some of them at least are in range and differ. */
static void huge_n(void **state)
{
    enum { SAMPLES = 1 << 16 };
    static const uint32_t sizes[] = {UINT32_MAX, BIT(31) + 1, BIT(31), BIT(31) - 1, 3000000000u};
    uint32_t *things = malloc(SAMPLES * sizeof(*things));

    for (unsigned s = 0; s < ARRAY_SIZE(sizes); s++) {
        struct permutation p;
        uint64_t sum = 0;

        permute_init(&p, sizes[s], s);
        for (uint32_t i = 0; i < SAMPLES; i++) {
            things[i] = permute_at(&p, i < SAMPLES / 2 ? i : sizes[s] - SAMPLES + i);
            assert_true(things[i] < sizes[s]);
            sum += things[i];
        }
        /* Ten standard deviations of the mean of a flat distribution are 1.1 percent. */
        assert_in_range(sum / SAMPLES, sizes[s] / 1000 * 489, sizes[s] / 1000 * 511);
        qsort(things, SAMPLES, sizeof(*things), compare_u32);
        for (uint32_t i = 1; i < SAMPLES; i++)
            assert_int_not_equal(things[i - 1], things[i]);
    }
    free(things);
}

/* Over many seeds each thing comes at each place about as often. */
static void places_are_even(void **state)
{
    enum { SEEDS = 20000 };

    for (uint32_t n = 2; n <= 12; n++) {
        unsigned hits[12][12] = {{0}};

        for (uint64_t seed = 0; seed < SEEDS; seed++) {
            struct permutation p;

            permute_init(&p, n, seed);
            for (uint32_t i = 0; i < n; i++)
                hits[i][permute_at(&p, i)]++;
        }
        for (uint32_t i = 0; i < n; i++)
            for (uint32_t thing = 0; thing < n; thing++)
                assert_in_range(hits[i][thing], SEEDS / n * 85 / 100, SEEDS / n * 115 / 100);
    }
}

/* Neighbours in the order are not neighbours among the things, and few things keep their place. */
static void order_is_mixed(void **state)
{
    static const uint32_t sizes[] = {512, 4096, 100000, 1 << 20};

    for (unsigned s = 0; s < ARRAY_SIZE(sizes); s++) {
        unsigned kept = 0, neighbours = 0;
        struct permutation p;

        permute_init(&p, sizes[s], 99);
        for (uint32_t i = 0; i + 1 < sizes[s]; i++) {
            uint32_t here = permute_at(&p, i);

            kept += here == i;
            neighbours += permute_at(&p, i + 1) - here + 1 <= 2;
        }
        assert_true(kept < 10);       /* on average one does */
        assert_true(neighbours < 12); /* on average two are */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_small_n),   cmocka_unit_test(around_powers_of_two),
        cmocka_unit_test(any_n),           cmocka_unit_test(huge_n),
        cmocka_unit_test(places_are_even), cmocka_unit_test(order_is_mixed),
    };

    return cmocka_run_group_tests_name("permute", tests, NULL, NULL);
}
