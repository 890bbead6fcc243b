/* SPDX-License-Identifier: BSD-2-Clause */
/* The host's inject() (lib/inject.h): a test switches a mutation on by its name. */
#include "ci/unit/unit.h"
#include "lib/inject.h"

const char *injected;

bool inject_host(const char *name)
{
    return injected && strcmp(injected, name) == 0;
}
