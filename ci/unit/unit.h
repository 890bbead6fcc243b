/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_UNIT_UNIT_H
#define CI_UNIT_UNIT_H

/* What every unit test needs: cmocka with what it wants included before, and repeatable numbers. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/prng.h"
#include "lib/types.h"

/* The mutation that is switched on (lib/inject.h); NULL: none. */
extern const char *injected;

/* True in one of n cases. */
static inline bool one_in(struct prng *prng, uint32_t n)
{
    return prng_below(prng, n) == 0;
}

/* low..high, both included. */
static inline uint32_t between(struct prng *prng, uint32_t low, uint32_t high)
{
    return low + prng_below(prng, high - low + 1);
}

/* A number of any size: small ones and ones near 2^64 are as likely as those in between. */
static inline uint64_t any_u64(struct prng *prng)
{
    uint64_t value = prng_u64(prng) >> prng_below(prng, 64);

    return one_in(prng, 4) ? -value : value;
}

/*
 * A copy of `size` bytes that ends where the heap block ends, so that the address sanitiser notices
 * any access past it. The caller frees it.
 */
static inline void *exact_copy(const void *bytes, size_t size)
{
    void *copy = malloc(size);

    assert_true(copy || size == 0);
    if (size)
        memcpy(copy, bytes, size);
    return copy;
}

#endif
