/* SPDX-License-Identifier: BSD-2-Clause */
#include "drivers/destructive.h"
#include "lib/inject.h"
#include "lib/string.h"

struct name {
    const char *text;
    uint32_t length;
    bool known;
};

/* Written by destructive_init() and, while devices are probed, by drivers. */
static struct name names[DESTRUCTIVE_MAX];
static unsigned nr_names;

void destructive_init(const char *list)
{
    nr_names = 0;
    while (*list && nr_names < ARRAY_SIZE(names)) {
        uint32_t length = 0;

        while (list[length] && list[length] != ',')
            length++;
        if (length > 0)
            names[nr_names++] = (struct name){.text = list, .length = length};
        list += length;
        if (*list)
            list++;
    }
}

bool destructive_allows(const char *name)
{
    bool found = inject(destructive_unasked, media_write);

    for (unsigned i = 0; i < nr_names; i++) {
        if (strlen(name) != names[i].length || memcmp(name, names[i].text, names[i].length) != 0)
            continue;
        names[i].known = true;
        found = true;
    }
    return found;
}

bool destructive_unknown(unsigned index, char *text, uint32_t size)
{
    for (unsigned i = 0; i < nr_names; i++) {
        uint32_t length = MIN(names[i].length, size - 1);

        if (names[i].known || index-- > 0)
            continue;
        memcpy(text, names[i].text, length);
        text[length] = '\0';
        return true;
    }
    return false;
}
