/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "ci/model/model_test.h"

#define SEEDS 4u
#ifndef MODEL_SANITIZED
#define MODEL_SANITIZED 0
#endif

void random_sequences(void **state)
{
    const struct model_test *test = *state;

    assert_true(search_seeds(test->ops, SEEDS, test->has_come_to_all));
}

void mutations_are_found_and_shrunk(void **state)
{
    const struct model_test *test = *state;

    assert_int_equal(model_missed(test->mutations, test->nr_mutations), 0);
    if (!MODEL_SANITIZED)
        assert_int_equal(model_missed(test->wild_mutations, test->nr_wild_mutations), 0);
}
