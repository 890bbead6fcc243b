/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/name_list.h"
#include "lib/option.h"
#include "lib/string.h"

void name_list_read(struct name_list *list, const char *text)
{
    list->count = 0;
    while (*text && list->count < list->max) {
        uint32_t length = 0;

        while (text[length] && text[length] != ',')
            length++;
        if (length > 0) {
            list->name[list->count].text = text;
            list->name[list->count].length = length;
            list->name[list->count++].known = false;
        }
        text += length;
        if (*text)
            text++;
    }
}

static bool fits(const struct name_list *list, unsigned i, const char *name)
{
    const char *text = list->name[i].text;
    uint32_t length = list->name[i].length;

    if (list->globs)
        return glob_match(text, length, name);
    return strlen(name) == length && memcmp(name, text, length) == 0;
}

bool name_list_has(struct name_list *list, const char *name)
{
    bool found = false;

    for (unsigned i = 0; i < list->count; i++) {
        if (!fits(list, i, name))
            continue;
        list->name[i].known = true;
        found = true;
    }
    return found;
}

bool name_list_unknown(const struct name_list *list, unsigned index, char *text, uint32_t size)
{
    for (unsigned i = 0; i < list->count; i++) {
        uint32_t length = MIN(list->name[i].length, size - 1);

        if (list->name[i].known || index-- > 0)
            continue;
        memcpy(text, list->name[i].text, length);
        text[length] = '\0';
        return true;
    }
    return false;
}
