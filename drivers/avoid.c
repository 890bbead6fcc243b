/* SPDX-License-Identifier: BSD-2-Clause */
#include "drivers/avoid.h"
#include "drivers/transfer.h"
#include "lib/errno.h"
#include "lib/name_list.h"

/* Written by avoid_init() and, while devices are probed, by who asks. */
static struct name_list avoided = {.max = AVOID_MAX, .globs = true};

void avoid_init(const char *list)
{
    name_list_read(&avoided, list);
}

bool avoid_matches(const char *name)
{
    return name_list_has(&avoided, name);
}

bool avoid_unknown(unsigned index, char *text, uint32_t size)
{
    return name_list_unknown(&avoided, index, text, size);
}

void avoid_report(const char *driver, const char *where)
{
    probe_report(driver, -EPERM, "%s%sleft alone, avoid= says so", where ? where : "",
                 where ? ": " : "");
}
