/* SPDX-License-Identifier: BSD-2-Clause */
#include "drivers/avoid.h"
#include "drivers/transfer.h"
#include "lib/errno.h"
#include "lib/option.h"
#include "lib/string.h"

struct glob {
    const char *text;
    uint32_t length;
    bool known;
};

/* Written by avoid_init() and, while devices are probed, by who asks. */
static struct glob globs[AVOID_MAX];
static unsigned nr_globs;

void avoid_init(const char *list)
{
    nr_globs = 0;
    while (*list && nr_globs < ARRAY_SIZE(globs)) {
        uint32_t length = 0;

        while (list[length] && list[length] != ',')
            length++;
        if (length > 0)
            globs[nr_globs++] = (struct glob){.text = list, .length = length};
        list += length;
        if (*list)
            list++;
    }
}

bool avoid_matches(const char *name)
{
    bool found = false;

    for (unsigned i = 0; i < nr_globs; i++) {
        if (!glob_match(globs[i].text, globs[i].length, name))
            continue;
        globs[i].known = true;
        found = true;
    }
    return found;
}

bool avoid_unknown(unsigned index, char *text, uint32_t size)
{
    for (unsigned i = 0; i < nr_globs; i++) {
        uint32_t length = MIN(globs[i].length, size - 1);

        if (globs[i].known || index-- > 0)
            continue;
        memcpy(text, globs[i].text, length);
        text[length] = '\0';
        return true;
    }
    return false;
}

void avoid_report(const char *driver, const char *where)
{
    probe_report(driver, -EPERM, "%s%sleft alone, avoid= says so", where ? where : "",
                 where ? ": " : "");
}
