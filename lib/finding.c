/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/finding.h"
#include "lib/format.h"

static finding_hook_t current_hook;
static uint32_t count;

finding_hook_t finding_set_hook(finding_hook_t hook)
{
    finding_hook_t before = current_hook;

    current_hook = hook;
    return before;
}

void finding(const char *fmt, ...)
{
    char text[112];
    va_list args;

    count++;
    if (!current_hook)
        return;
    va_start(args, fmt);
    vformat(text, sizeof(text), fmt, args);
    va_end(args);
    current_hook(text);
}

uint32_t finding_count(void)
{
    return count;
}
