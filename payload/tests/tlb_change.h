/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAYLOAD_TESTS_TLB_CHANGE_H
#define PAYLOAD_TESTS_TLB_CHANGE_H

/*
 * Cases of the suite `tlb`: one mapping turned into another, and what is seen after each flush.
 */

#include "payload/suite.h"

#define TLB_SPARSE_ONE_IN 12u

/* Every shape of a mapping into every other, with each kind of flush that is enough. */
void tlb_case_changes(struct test *t);

/* Accessed and dirty bits that were cleared, after each kind of flush. */
void tlb_case_accessed_dirty(struct test *t);

/* True if depth=sparse leaves the next of many trials out; it keeps one in TLB_SPARSE_ONE_IN. */
static inline bool tlb_is_left_out(struct test *t)
{
    return test_depth(t) == DEPTH_SPARSE && prng_below(test_prng(t), TLB_SPARSE_ONE_IN) != 0;
}

#endif
