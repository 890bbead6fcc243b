/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/prng.h"

/* The golden ratio's fraction: steps of this size visit all numbers, evenly spread. */
#define WEYL_STEP UINT64_C(0x9e3779b97f4a7c15)

static uint32_t rotate_left(uint32_t x, unsigned bits)
{
    return x << bits | x >> (32 - bits);
}

/* Two hashes of different numbers can't both be 0, so that the state never is. */
void prng_seed(struct prng *prng, uint64_t seed)
{
    uint64_t low = hash64(seed + WEYL_STEP), high = hash64(seed + 2 * WEYL_STEP);

    prng->s[0] = (uint32_t)low;
    prng->s[1] = (uint32_t)(low >> 32);
    prng->s[2] = (uint32_t)high;
    prng->s[3] = (uint32_t)(high >> 32);
}

uint32_t prng_u32(struct prng *prng)
{
    uint32_t *s = prng->s;
    uint32_t result = rotate_left(s[1] * 5, 7) * 9;
    uint32_t shifted = s[1] << 9;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rotate_left(s[3], 11);
    return result;
}

uint64_t prng_u64(struct prng *prng)
{
    uint64_t high = prng_u32(prng);

    return high << 32 | prng_u32(prng);
}

/*
 * The upper half of a product with n is even enough once the 2^32 mod n lowest products are thrown
 * away (Lemire, "Fast random integer generation in an interval", 2018).
 */
uint32_t prng_below(struct prng *prng, uint32_t n)
{
    uint64_t product = (uint64_t)prng_u32(prng) * n;

    if ((uint32_t)product < n) {
        /* cppcheck-suppress oppositeExpression ; -n is 2^32 - n */
        uint32_t uneven = -n % n;

        while ((uint32_t)product < uneven)
            product = (uint64_t)prng_u32(prng) * n;
    }
    return (uint32_t)(product >> 32);
}
