/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef LIB_PRNG_H
#define LIB_PRNG_H

/*
 * Random numbers that a seed repeats: xoshiro128** (Blackman and Vigna, "Scrambled linear
 * pseudorandom number generators", 2018), and mixers that turn a number (an address, say) into one
 * that looks random, for patterns that need no state. Not for secrets.
 *
 * Context: any, before paging too; a generator belongs to one user at a time.
 */

#include "lib/types.h"

struct prng {
    uint32_t s[4]; /* never all zero */
};

/* Starts a generator; every seed is good. */
void prng_seed(struct prng *prng, uint64_t seed);

uint32_t prng_u32(struct prng *prng);
uint64_t prng_u64(struct prng *prng);

/* One of 0..n-1, each as likely as the others; n is at least 1. */
uint32_t prng_below(struct prng *prng, uint32_t n);

/* Bijective mixers: each bit of the result depends on each bit of the argument; 0 stays 0. */
static inline uint32_t hash32(uint32_t x)
{
    x ^= x >> 16;
    x *= UINT32_C(0x7feb352d);
    x ^= x >> 15;
    x *= UINT32_C(0x846ca68b);
    x ^= x >> 16;
    return x;
}

static inline uint64_t hash64(uint64_t x)
{
    x ^= x >> 30;
    x *= UINT64_C(0xbf58476d1ce4e5b9);
    x ^= x >> 27;
    x *= UINT64_C(0x94d049bb133111eb);
    x ^= x >> 31;
    return x;
}

#endif
