/* SPDX-License-Identifier: BSD-2-Clause */
/* A header of ours with a macro that takes DOUBLE(1 + 1) for 3. */
#include "ci/static/planted/parentheses.h"

int four(void);

int four(void)
{
    return DOUBLE(1 + 1);
}
