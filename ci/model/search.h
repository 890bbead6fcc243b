/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_MODEL_SEARCH_H
#define CI_MODEL_SEARCH_H

/* Random sequences until one fails, and that one made short. */

#include "ci/model/model.h"

#define SEARCH_SEQUENCE 400u /* operations, each from a fresh start */

struct search {
    const char *broken; /* the mutation that is switched on, or NULL */
    uint64_t seed;
    uint64_t wanted;                  /* operations, at most */
    uint64_t done;                    /* operations done */
    uint64_t total[MODEL_NR_COUNTS];  /* of what happened in them */
    struct op found[SEARCH_SEQUENCE]; /* the sequence that failed, made short */
    size_t count;                     /* its length, or 0 */
    struct model_result result;       /* of it */
};

/* True if nothing failed. */
bool search_run(struct search *search);

/*
 * The same from each seed of 1..seeds, with `ops` operations together; `enough` looks whether each
 * has come to all that the model is about. False, after saying so, if one failed or has not.
 */
bool search_seeds(uint64_t ops, unsigned seeds, bool (*enough)(const struct search *search));

/* Says what was found, with the lines that reproduce it. */
void search_print(const struct search *search);

#endif
