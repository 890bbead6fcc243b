/* SPDX-License-Identifier: BSD-2-Clause */
#include "ci/model/shrink.h"

#include <stdlib.h>
#include <string.h>

/* Leaves out runs of `chunk` operations wherever that is possible. */
static size_t leave_out(struct op *ops, size_t count, size_t chunk, fails_fn fails, void *ctx)
{
    struct op *trial = malloc((count + 1) * sizeof(*trial));
    size_t from = 0, done;

    if (!trial)
        abort();
    while (from < count && count > 1) {
        size_t out = chunk < count - from ? chunk : count - from;

        memcpy(trial, ops, from * sizeof(*ops));
        memcpy(trial + from, ops + from + out, (count - from - out) * sizeof(*ops));
        if (out < count && fails(trial, count - out, ctx, &done)) {
            count = done;
            memcpy(ops, trial, count * sizeof(*ops));
        } else {
            from += out;
        }
    }
    free(trial);
    return count;
}

/* Makes each operation as simple as it can be. Returns whether any became simpler. */
static bool make_simpler(struct op *ops, size_t *count, fails_fn fails, void *ctx)
{
    bool any = false;
    size_t done;

    for (size_t i = 0; i < *count; i++) {
        for (unsigned way = 0; way < MODEL_NR_WAYS; way++) {
            struct op was = ops[i];

            while (model_simplify(&ops[i], way)) {
                if (!fails(ops, *count, ctx, &done)) {
                    ops[i] = was;
                    break;
                }
                was = ops[i];
                *count = done;
                any = true;
            }
            if (i >= *count)
                break;
        }
    }
    return any;
}

size_t shrink(struct op *ops, size_t count, fails_fn fails, void *ctx)
{
    size_t before;

    do {
        before = count;
        for (size_t chunk = count; chunk > 0; chunk /= 2)
            count = leave_out(ops, count, chunk, fails, ctx);
    } while (make_simpler(ops, &count, fails, ctx) || count < before);
    return count;
}
