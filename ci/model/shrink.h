/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_MODEL_SHRINK_H
#define CI_MODEL_SHRINK_H

/*
 * Makes a failing sequence short: leaves out parts of it, from halves down to single operations
 * (delta debugging, Zeller and Hildebrandt 2002), and makes those that remain simpler, as long as
 * it fails still.
 */

#include <stdbool.h>
#include <stddef.h>

#include "ci/model/model.h"

/* Whether the sequence fails; *done is then set to the operations up to the failure. */
typedef bool (*fails_fn)(const struct op *ops, size_t count, void *ctx, size_t *done);

/* Shrinks ops, which fail, in place. Returns how many are left, at least 1. */
size_t shrink(struct op *ops, size_t count, fails_fn fails, void *ctx);

#endif
