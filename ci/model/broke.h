/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_MODEL_BROKE_H
#define CI_MODEL_BROKE_H

/* What a model says of the run that it is in: the first thing that broke, and its counts. */

#include "ci/model/model.h"

/* Set by model_run(). */
extern struct model_result *model_now;

/* Says what broke, as printf() would, unless something else did before. */
void broke(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#define CHECK(cond, ...)        \
    do {                        \
        if (!(cond))            \
            broke(__VA_ARGS__); \
    } while (0)

static inline bool is_right(void)
{
    return !model_now->text[0];
}

#endif
