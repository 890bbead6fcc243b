/* SPDX-License-Identifier: BSD-2-Clause */
/* A variable that is read before anything is written to it. */
#include "lib/types.h"

uint32_t sum(const uint32_t *words, unsigned count);

uint32_t sum(const uint32_t *words, unsigned count)
{
    uint32_t total;

    for (unsigned i = 0; i < count; i++)
        total += words[i];
    return total;
}
