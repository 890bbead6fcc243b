/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_MODEL_MUTATION_H
#define CI_MODEL_MUTATION_H

/* Code that was broken on purpose, which a search has to notice, and to show in few operations. */

#include "ci/model/model.h"

struct model_mutation {
    const char *name;
    size_t at_most; /* operations that its reproduction may have */
};

/*
 * Searches for each, prints its reproduction, and returns how many were not found, or needed more
 * operations, or whose reproduction fails without the mutation as well, or can't be repeated.
 */
unsigned model_missed(const struct model_mutation *mutations, size_t count);

#endif
