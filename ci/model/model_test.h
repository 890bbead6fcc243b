/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_MODEL_MODEL_TEST_H
#define CI_MODEL_MODEL_TEST_H

/* The tests that every model has: that the code is right, and that a search would see if not. */

#include "ci/model/mutation.h"
#include "ci/model/search.h"

struct model_test {
    uint64_t ops; /* of random sequences, from several seeds together */
    bool (*has_come_to_all)(const struct search *search); /* that the model is about */
    const struct model_mutation *mutations;
    size_t nr_mutations;
    /* What these break may be the model's own memory, which sanitizers don't let pass. */
    const struct model_mutation *wild_mutations;
    size_t nr_wild_mutations;
};

/* Tests of cmocka; *state is the struct model_test. */
void random_sequences(void **state);
void mutations_are_found_and_shrunk(void **state);

#endif
