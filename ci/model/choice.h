/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_MODEL_CHOICE_H
#define CI_MODEL_CHOICE_H

/* One of several kinds, by its name or by chance. */

#include <stdint.h>

/* The number of the name, below count, or -1. */
int choice_by_name(const char *name, const char *const *names, int count);

/* A number below count, as likely as its weight says; draw(ctx, n) gives a number below n. */
uint8_t choice_by_weight(uint32_t (*draw)(void *ctx, uint32_t n), void *ctx, const uint8_t *weights,
                         int count);

#endif
