/* SPDX-License-Identifier: BSD-2-Clause */
#include "ci/unit/unit.h"

/* Worked out by hand from the paper's description. */
static void known_sequence(void **state)
{
    struct prng prng = {{1, 2, 3, 4}};

    assert_int_equal(prng_u32(&prng), 11520);
    assert_int_equal(prng_u32(&prng), 0);
    assert_int_equal(prng_u32(&prng), 5927040);
    assert_int_equal(prng_u32(&prng), 70819200);
}

static void the_seed_repeats_the_sequence(void **state)
{
    struct prng a, b;

    prng_seed(&a, 0x123456789abcdef0);
    prng_seed(&b, 0x123456789abcdef0);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(prng_u64(&a), prng_u64(&b));
}

static int compare_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static void assert_all_different(uint64_t *values, size_t count)
{
    qsort(values, count, sizeof(*values), compare_u64);
    for (size_t i = 1; i < count; i++)
        assert_int_not_equal(values[i - 1], values[i]);
}

static void near_seeds_are_far_apart(void **state)
{
    static uint64_t first[3 * 4096];
    size_t count = 0;
    struct prng prng;

    for (uint64_t seed = 0; seed < 4096; seed++) {
        const uint64_t seeds[] = {seed, (seed + 1) << 32, -seed - 1};

        for (unsigned i = 0; i < ARRAY_SIZE(seeds); i++) {
            prng_seed(&prng, seeds[i]);
            assert_true(prng.s[0] | prng.s[1] | prng.s[2] | prng.s[3]);
            first[count++] = prng_u64(&prng);
        }
    }
    assert_all_different(first, count);
}

/* Each bit is set about half of the time: 65536 draws, six standard deviations are 768. */
static void bits_are_balanced(void **state)
{
    unsigned set[64] = {0};
    struct prng prng;

    prng_seed(&prng, 1);
    for (int i = 0; i < 65536; i++) {
        uint64_t value = prng_u64(&prng);

        for (int bit = 0; bit < 64; bit++)
            set[bit] += value >> bit & 1;
    }
    for (int bit = 0; bit < 64; bit++)
        assert_in_range(set[bit], 32768 - 768, 32768 + 768);
}

static void below_reaches_all_alike(void **state)
{
    struct prng prng;

    prng_seed(&prng, 2);
    for (uint32_t n = 1; n <= 20; n++) {
        unsigned hits[20] = {0};

        for (uint32_t i = 0; i < 4000 * n; i++) {
            uint32_t value = prng_below(&prng, n);

            assert_true(value < n);
            hits[value]++;
        }
        for (uint32_t i = 0; i < n; i++) /* six standard deviations are below 400 */
            assert_in_range(hits[i], 4000 - 400, 4000 + 400);
    }
}

/*
 * With n three quarters of 2^32, a generator that does not throw numbers away hits each third
 * number twice as often as the others.
 */
static void below_is_even_for_large_n(void **state)
{
    const uint32_t n = 0xc0000000;
    unsigned hits[3] = {0};
    struct prng prng;

    prng_seed(&prng, 3);
    for (int i = 0; i < 30000; i++) {
        uint32_t value = prng_below(&prng, n);

        assert_true(value < n);
        hits[value % 3]++;
    }
    for (int i = 0; i < 3; i++)
        assert_in_range(hits[i], 9500, 10500);
    for (int i = 0; i < 1000; i++)
        assert_true(prng_below(&prng, UINT32_MAX) < UINT32_MAX);
}

static void hashes_are_bijective(void **state)
{
    enum { COUNT = 1 << 16 };
    uint64_t *values = malloc(COUNT * sizeof(*values));

    for (uint32_t i = 0; i < COUNT; i++)
        values[i] = hash32(i * 0x10001);
    assert_all_different(values, COUNT);
    for (uint64_t i = 0; i < COUNT; i++)
        values[i] = hash64(i << 12);
    assert_all_different(values, COUNT);
    free(values);
    assert_int_equal(hash32(0), 0);
    assert_int_equal(hash64(0), 0);
}

/* One changed bit of the argument changes about half of the bits of the result. */
static void hashes_avalanche(void **state)
{
    struct prng prng;

    prng_seed(&prng, 4);
    for (int bit = 0; bit < 64; bit++) {
        unsigned changed32 = 0, changed64 = 0;

        for (int i = 0; i < 1000; i++) {
            uint64_t x = prng_u64(&prng);

            changed64 += (unsigned)__builtin_popcountll(hash64(x) ^ hash64(x ^ BIT64(bit)));
            changed32 += (unsigned)__builtin_popcount(hash32((uint32_t)x) ^
                                                      hash32((uint32_t)x ^ BIT(bit % 32)));
        }
        assert_in_range(changed32, 15 * 1000, 17 * 1000);
        assert_in_range(changed64, 30 * 1000, 34 * 1000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_sequence),           cmocka_unit_test(the_seed_repeats_the_sequence),
        cmocka_unit_test(near_seeds_are_far_apart), cmocka_unit_test(bits_are_balanced),
        cmocka_unit_test(below_reaches_all_alike),  cmocka_unit_test(below_is_even_for_large_n),
        cmocka_unit_test(hashes_are_bijective),     cmocka_unit_test(hashes_avalanche),
    };

    return cmocka_run_group_tests_name("prng", tests, NULL, NULL);
}
