/* SPDX-License-Identifier: BSD-2-Clause */
/* Time that nobody was there to see counts up to a limit. */
#include "ci/unit/unit.h"
#include "lib/attended.h"

#define LONGEST 20u

static void short_gaps_count(void **state)
{
    struct attended a = {.last = 100};

    for (uint64_t now = 100; now <= 200; now += 10)
        attended_look(&a, now, LONGEST);
    assert_int_equal(attended_look(&a, 200, LONGEST), 100);
    assert_int_equal(attended_look(&a, 219, LONGEST), 119);
    assert_int_equal(attended_look(&a, 239, LONGEST), 139);
}

/* The first look of all, too, at a counter that has run for days. */
static void long_gaps_count_as_the_longest(void **state)
{
    struct attended a = {0};

    assert_int_equal(attended_look(&a, UINT64_MAX / 2, LONGEST), LONGEST);
    assert_int_equal(attended_look(&a, UINT64_MAX / 2 + 1, LONGEST), LONGEST + 1);
    assert_int_equal(attended_look(&a, UINT64_MAX - 1, LONGEST), 2 * LONGEST + 1);
    assert_int_equal(a.last, UINT64_MAX - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(short_gaps_count),
        cmocka_unit_test(long_gaps_count_as_the_longest),
    };

    return cmocka_run_group_tests_name("attended", tests, NULL, NULL);
}
