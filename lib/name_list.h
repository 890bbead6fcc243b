/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef LIB_NAME_LIST_H
#define LIB_NAME_LIST_H

/*
 * Comma-separated names of a boot option that whoever goes by such a name asks about: names that
 * nobody asked about are known afterwards, so that they can be warned of. Nothing is locked.
 */

#include "lib/types.h"

#define NAME_LIST_MAX 16u

struct name_list {
    const uint32_t max; /* names that count, up to NAME_LIST_MAX */
    const bool globs;   /* rather than plain names */
    uint32_t count;
    struct {
        const char *text; /* not ended */
        uint32_t length;
        bool known;
    } name[NAME_LIST_MAX];
};

/* Takes the names; the text is not copied. */
void name_list_read(struct name_list *list, const char *text);

/* True if one of the names fits. Those that do are not unknown any more. */
bool name_list_has(struct name_list *list, const char *name);

/* The `index`-th name, from 0, that never did, copied to text; false after the last. */
bool name_list_unknown(const struct name_list *list, unsigned index, char *text, uint32_t size);

#endif
