/* SPDX-License-Identifier: BSD-2-Clause */
#include "drivers/destructive.h"
#include "lib/inject.h"
#include "lib/name_list.h"

/* Written by destructive_init() and, while devices are probed, by drivers. No globs: each medium is
 * named by itself. */
static struct name_list media = {.max = DESTRUCTIVE_MAX};

void destructive_init(const char *list)
{
    name_list_read(&media, list);
}

bool destructive_allows(const char *name)
{
    bool found = name_list_has(&media, name);

    return found || inject(destructive_unasked, media_write);
}

bool destructive_unknown(unsigned index, char *text, uint32_t size)
{
    return name_list_unknown(&media, index, text, size);
}
