/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/permute.h"
#include "lib/prng.h"

void permute_init(struct permutation *p, uint32_t n, uint64_t seed)
{
    unsigned bits = n > 1 ? 32 - (unsigned)__builtin_clz(n - 1) : 1;
    struct prng prng;

    p->n = n;
    p->mask = UINT32_MAX >> (32 - bits);
    p->shift = (bits + 1) / 2;
    prng_seed(&prng, seed);
    for (unsigned i = 0; i < PERMUTE_ROUNDS; i++) {
        p->round[i].factor = prng_u32(&prng) | 1;
        p->round[i].addend = prng_u32(&prng);
    }
}

uint32_t permute_at(const struct permutation *p, uint32_t i)
{
    uint32_t x = i;

    do {
        for (unsigned r = 0; r < PERMUTE_ROUNDS; r++) {
            x = (x * p->round[r].factor + p->round[r].addend) & p->mask;
            x ^= x >> p->shift;
        }
    } while (x >= p->n);
    return x;
}
