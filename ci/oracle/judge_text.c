// SPDX-License-Identifier: BSD-2-Clause
#include "ci/oracle/judge_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

bool next_line(const char **text, char *line, size_t room)
{
    size_t length = strcspn(*text, "\n"), kept = length;

    if (!**text)
        return false;
    while (kept && (*text)[kept - 1] == '\r')
        kept--;
    snprintf(line, room, "%.*s", (int)kept, *text);
    *text += length + ((*text)[length] == '\n');
    return true;
}

void take_pdpte_words(struct view *view, const char *words)
{
    uint32_t low, high;
    int used = 0;

    while (view->top.pdptes < VIEW_PDPTES &&
           sscanf(words, " 0x%8" SCNx32 " 0x%8" SCNx32 "%n", &low, &high, &used) == 2) {
        view->top.pdpte[view->top.pdptes++] = (uint64_t)high << 32 | low;
        words += used;
    }
}
