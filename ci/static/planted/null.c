/* SPDX-License-Identifier: BSD-2-Clause */
/* What is looked for and not found is used all the same. */
#include "lib/types.h"

struct pool {
    uint32_t base, size;
};

uint32_t offset_of(const struct pool *pools, unsigned count, uint32_t address);

static const struct pool *pool_of(const struct pool *pools, unsigned count, uint32_t address)
{
    for (unsigned i = 0; i < count; i++) {
        if (address - pools[i].base < pools[i].size)
            return &pools[i];
    }
    return NULL;
}

uint32_t offset_of(const struct pool *pools, unsigned count, uint32_t address)
{
    return address - pool_of(pools, count, address)->base;
}
