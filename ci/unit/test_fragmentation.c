/* SPDX-License-Identifier: BSD-2-Clause */
/* Both indexes, worked out by hand from their definitions. */
#include "ci/unit/unit.h"
#include "paging/fragmentation.h"

static void nothing_free(void **state)
{
    const struct buddy_counts none = {{0}};

    assert_int_equal(buddy_free_pages(&none), 0);
    assert_int_equal(buddy_largest_order(&none), -1);
    for (unsigned order = 0; order < NR_ORDERS; order++) {
        assert_int_equal(unusable_index(&none, order), 1000);
        assert_int_equal(fragmentation_index(&none, order), 0);
    }
}

/* Of 16 free pages 8 lie by themselves, and 8 together. */
static void both_sizes(void **state)
{
    const struct buddy_counts counts = {{[0] = 8, [3] = 1}};

    assert_int_equal(buddy_free_pages(&counts), 16);
    assert_int_equal(buddy_largest_order(&counts), 3);
    assert_int_equal(unusable_index(&counts, 0), 0);
    assert_int_equal(unusable_index(&counts, 1), 500);
    assert_int_equal(unusable_index(&counts, 3), 500);
    assert_int_equal(unusable_index(&counts, 4), 1000);
    assert_int_equal(fragmentation_index(&counts, 3), FRAGMENTATION_FITS);
    /* 1 - (1 + 16 / 16) / 9, and what is less than a thousandth is cut off. */
    assert_int_equal(fragmentation_index(&counts, 4), 1000 - 2000 / 9);
    assert_int_equal(fragmentation_index(&counts, 10), 1000 - (1000 + 15) / 9);
}

static void single_pages(void **state)
{
    const struct buddy_counts counts = {{[0] = 8}};

    assert_int_equal(fragmentation_index(&counts, 0), FRAGMENTATION_FITS);
    assert_int_equal(fragmentation_index(&counts, 1), 375); /* 1 - (1 + 8 / 2) / 8 */
    assert_int_equal(fragmentation_index(&counts, 3), 750); /* 1 - (1 + 8 / 8) / 8 */
}

/* The only case below 0. */
static void single_block(void **state)
{
    for (unsigned order = 1; order < NR_ORDERS; order++) {
        struct buddy_counts counts = {{0}};

        counts.nr_free[order - 1] = 1;
        assert_int_equal(fragmentation_index(&counts, order), -500);
        counts.nr_free[order - 1] = 2;
        assert_int_equal(fragmentation_index(&counts, order), 0);
        counts.nr_free[order - 1] = 1;
        counts.nr_free[0] = 3;
        assert_true(order == 1 || fragmentation_index(&counts, order) > 0);
        assert_true(order == 1 || fragmentation_index(&counts, order) <= 1000);
    }
}

/* Numbers as large as they get, 64 GiB in blocks of half the size wanted. */
static void large_machine(void **state)
{
    const struct buddy_counts counts = {{[9] = 32768}};

    assert_int_equal(buddy_free_pages(&counts), 1u << 24);
    assert_int_equal(unusable_index(&counts, 9), 0);
    assert_int_equal(unusable_index(&counts, 10), 1000);
    assert_int_equal(fragmentation_index(&counts, 10), 1000 - (16384000 + 1000) / 32768);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_free),  cmocka_unit_test(both_sizes),
        cmocka_unit_test(single_pages),  cmocka_unit_test(single_block),
        cmocka_unit_test(large_machine),
    };

    return cmocka_run_group_tests_name("fragmentation", tests, NULL, NULL);
}
