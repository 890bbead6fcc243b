/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_MODEL_CHOICE_H
#define CI_MODEL_CHOICE_H

/* One of several kinds, by chance. */

#include <stdint.h>

/* A number below count, as likely as its weight says; draw(ctx, n) gives a number below n. */
uint8_t choice_by_weight(uint32_t (*draw)(void *ctx, uint32_t n), void *ctx, const uint8_t *weights,
                         int count);

#endif
