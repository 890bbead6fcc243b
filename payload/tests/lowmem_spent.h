/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAYLOAD_TESTS_LOWMEM_SPENT_H
#define PAYLOAD_TESTS_LOWMEM_SPENT_H

/*
 * What allocations and frees took, by order, and objects of slabs: not only the mean, but how it is
 * distributed. Counts of the TSC go into buckets whose width grows with the value: a power of two
 * is divided into SPENT_PARTS, so that a bucket is never wider than a sixteenth of what it stands
 * for, and values below SPENT_PARTS have one of their own.
 *
 * Context: thread, one run at a time.
 */

#include "lib/types.h"

#define SPENT_PARTS 16u

enum spent_what {
    SPENT_ALLOC,
    SPENT_FREE,
    SPENT_SLAB, /* objects: their order is 0 */
    NR_SPENT,
};

/* Forgets all. empty: what reading the counter twice counts by itself, to be subtracted. */
void spent_begin(uint64_t empty);

/* One of these, of this order (up to MAX_ORDER), took so many counts. */
void spent_add(enum spent_what what, unsigned order, uint64_t counts);

struct spent {
    uint32_t count;
    uint32_t p50, p90, p99; /* no more than this in so many of 100; the upper end of the bucket */
    uint32_t max;           /* exact; so is a percentile that falls into its bucket */
};

/* The distribution of one order; false if there was none of it. */
bool spent_get(enum spent_what what, unsigned order, struct spent *spent);

/* "instructions" where the TSC counts them, else "cycles". */
const char *spent_unit(void);

#endif
