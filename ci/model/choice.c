/* SPDX-License-Identifier: BSD-2-Clause */
#include "ci/model/choice.h"

uint8_t choice_by_weight(uint32_t (*draw)(void *ctx, uint32_t n), void *ctx, const uint8_t *weights,
                         int count)
{
    uint32_t sum = 0, at;
    uint8_t kind = 0;

    for (int i = 0; i < count; i++)
        sum += weights[i];
    at = draw(ctx, sum);
    while (at >= weights[kind])
        at -= weights[kind++];
    return kind;
}
