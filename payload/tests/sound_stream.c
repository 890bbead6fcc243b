/* SPDX-License-Identifier: BSD-2-Clause */
#include "payload/tests/sound_stream.h"

#define SEED_FACTOR 2654435761u
#define SEED_START 0x534f554eu

void sound_stream_make(uint8_t *to, uint32_t block, uint32_t bytes)
{
    uint32_t x = block * SEED_FACTOR + SEED_START;
    uint32_t word = 0;

    if (x == 0)
        x = 1;
    for (uint32_t i = 0; i < bytes; i++) {
        if (i % sizeof(word) == 0) {
            x ^= x << 13;
            x ^= x >> 17;
            x ^= x << 5;
            word = x;
        }
        to[i] = (uint8_t)word;
        if (to[i] == 0)
            to[i] = 1;
        word >>= 8;
    }
}
