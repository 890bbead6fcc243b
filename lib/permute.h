/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef LIB_PERMUTE_H
#define LIB_PERMUTE_H

/*
 * A random order of n things without a table: permute_at(p, 0), ... permute_at(p, n - 1) are the
 * numbers 0 to n - 1, each once.
 *
 * The numbers of as many bits as n - 1 has are mixed by steps that can all be undone: times an odd
 * number, plus a number, upper half into lower half. What then falls outside of 0..n-1 is mixed
 * again until it falls inside, which takes less than two goes on average.
 *
 * Context: any, before paging too; using it changes nothing in it.
 */

#include "lib/types.h"

#define PERMUTE_ROUNDS 4

struct permutation {
    uint32_t n;
    uint32_t mask; /* all bits of n - 1 */
    uint32_t shift;
    struct {
        uint32_t factor; /* odd */
        uint32_t addend;
    } round[PERMUTE_ROUNDS];
};

/* An order of `n` things, 1 to 2^32 - 1, chosen by `seed`. */
void permute_init(struct permutation *p, uint32_t n, uint64_t seed);

/* The thing at place `i`, which is below n. */
uint32_t permute_at(const struct permutation *p, uint32_t i);

#endif
