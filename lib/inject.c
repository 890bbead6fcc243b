/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/inject.h"
#include "lib/string.h"

#define JMP_REL32 0xe9
#define JMP_REL32_BYTES 5

unsigned inject_enable(const char *name)
{
    unsigned patched = 0;

    table_for_each (inject, struct inject_site, site) {
        if (strcmp(site->name, name) != 0)
            continue;
        int32_t distance = site->target - (site->nop + JMP_REL32_BYTES);
        site->nop[0] = JMP_REL32;
        memcpy(site->nop + 1, &distance, sizeof(distance));
        patched++;
    }
    return patched;
}
