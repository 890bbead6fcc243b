/* SPDX-License-Identifier: BSD-2-Clause */
#include "ci/unit/unit.h"
#include "lib/bitmap.h"

/* The model: one bool a bit. */
#define MAX_BITS 200

struct model {
    uint32_t nbits;
    uint32_t *map; /* exactly as many words as needed */
    bool taken[MAX_BITS];
};

static void model_open(struct model *m, uint32_t nbits)
{
    memset(m, 0, sizeof(*m));
    m->nbits = nbits;
    m->map = calloc(BITMAP_WORDS(nbits), sizeof(uint32_t));
    assert_non_null(m->map);
}

static void model_close(struct model *m)
{
    free(m->map);
}

static void model_compare(const struct model *m)
{
    uint32_t weight = 0;

    for (uint32_t i = 0; i < m->nbits; i++) {
        assert_int_equal(bitmap_test(m->map, i), m->taken[i]);
        weight += m->taken[i];
    }
    assert_int_equal(bitmap_weight(m->map, m->nbits), weight);
    /* Bits past the end belong to nobody and stay as they were. */
    for (uint32_t i = m->nbits; i < BITMAP_WORDS(m->nbits) * BITMAP_WORD_BITS; i++)
        assert_false(bitmap_test(m->map, i));
}

static void model_fill(struct model *m, struct prng *prng, uint32_t one_taken_in)
{
    for (uint32_t i = 0; i < m->nbits; i++) {
        m->taken[i] = one_in(prng, one_taken_in);
        if (m->taken[i])
            bitmap_set(m->map, i);
        else
            bitmap_clear(m->map, i);
    }
}

static uint32_t model_next(const struct model *m, uint32_t start, uint32_t end, bool taken)
{
    for (; start < end; start++)
        if (m->taken[start] == taken)
            return start;
    return end;
}

static uint32_t model_run(const struct model *m, uint32_t start, uint32_t count)
{
    for (uint32_t at = start; at + count <= m->nbits; at++)
        if (model_next(m, at, at + count, true) == at + count)
            return at;
    return m->nbits;
}

static void single_bits(void **state)
{
    struct prng prng;

    prng_seed(&prng, 1);
    for (uint32_t nbits = 1; nbits <= MAX_BITS; nbits++) {
        struct model m;

        model_open(&m, nbits);
        for (int i = 0; i < 50; i++) {
            uint32_t bit = prng_below(&prng, nbits);

            m.taken[bit] = one_in(&prng, 2);
            if (m.taken[bit])
                bitmap_set(m.map, bit);
            else
                bitmap_clear(m.map, bit);
        }
        model_compare(&m);
        model_close(&m);
    }
}

static void ranges(void **state)
{
    struct prng prng;

    prng_seed(&prng, 2);
    for (int round = 0; round < 500; round++) {
        struct model m;

        model_open(&m, between(&prng, 1, MAX_BITS));
        for (int i = 0; i < 20; i++) {
            uint32_t start = prng_below(&prng, m.nbits + 1);
            uint32_t count = prng_below(&prng, m.nbits - start + 1);
            bool taken = one_in(&prng, 2);

            if (taken)
                bitmap_set_range(m.map, start, count);
            else
                bitmap_clear_range(m.map, start, count);
            for (uint32_t bit = start; bit < start + count; bit++)
                m.taken[bit] = taken;
            model_compare(&m);
        }
        model_close(&m);
    }
}

static void next_bits(void **state)
{
    struct prng prng;

    prng_seed(&prng, 3);
    for (int round = 0; round < 2000; round++) {
        struct model m;

        model_open(&m, between(&prng, 1, MAX_BITS));
        model_fill(&m, &prng, between(&prng, 1, 40));
        for (int i = 0; i < 20; i++) {
            uint32_t end = prng_below(&prng, m.nbits + 1);
            uint32_t start = prng_below(&prng, end + 1);

            assert_int_equal(bitmap_next_set(m.map, start, end), model_next(&m, start, end, true));
            assert_int_equal(bitmap_next_clear(m.map, start, end),
                             model_next(&m, start, end, false));
        }
        model_close(&m);
    }
}

static void free_runs(void **state)
{
    struct prng prng;
    uint32_t found = 0;

    prng_seed(&prng, 4);
    for (int round = 0; round < 5000; round++) {
        struct model m;

        model_open(&m, between(&prng, 1, MAX_BITS));
        model_fill(&m, &prng, between(&prng, 1, 60));
        for (int i = 0; i < 20; i++) {
            uint32_t start = prng_below(&prng, m.nbits + 2);
            uint32_t count = between(&prng, 1, one_in(&prng, 4) ? MAX_BITS + 10 : 40);
            uint32_t want = model_run(&m, start, count);

            assert_int_equal(bitmap_find_free_run(m.map, m.nbits, start, count), want);
            found += want < m.nbits;
        }
        model_close(&m);
    }
    /* Both outcomes must have been common for this to mean anything. */
    assert_in_range(found, 20000, 80000);
}

/* Adding the count must not wrap. */
static void free_run_at_the_end_of_numbers(void **state)
{
    uint32_t map[2] = {0, 0};

    assert_int_equal(bitmap_find_free_run(map, 64, UINT32_MAX, 1), 64);
    assert_int_equal(bitmap_find_free_run(map, 64, 1, UINT32_MAX), 64);
    assert_int_equal(bitmap_find_free_run(map, 64, 0, 64), 0);
    assert_int_equal(bitmap_find_free_run(map, 64, 0, 65), 64);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(single_bits),
        cmocka_unit_test(ranges),
        cmocka_unit_test(next_bits),
        cmocka_unit_test(free_runs),
        cmocka_unit_test(free_run_at_the_end_of_numbers),
    };

    return cmocka_run_group_tests_name("bitmap", tests, NULL, NULL);
}
