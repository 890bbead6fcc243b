/* SPDX-License-Identifier: BSD-2-Clause */
#include "ci/model/broke.h"

#include <stdarg.h>
#include <stdio.h>

struct model_result *model_now;

void broke(const char *fmt, ...)
{
    va_list args;

    if (!is_right())
        return;
    va_start(args, fmt);
    vsnprintf(model_now->text, sizeof(model_now->text), fmt, args);
    va_end(args);
}
