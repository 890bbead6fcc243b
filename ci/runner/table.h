/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_RUNNER_TABLE_H
#define CI_RUNNER_TABLE_H

/*
 * A table of runs, one stanza a run:
 *
 *     # a comment, and blank lines, stand anywhere
 *     [bios-64m]
 *     firmware = bios
 *     mem = 64M
 *     expect_line = # metric memory\.highmem 0 MiB
 *
 * A line is `key = value`; the value is the rest of the line without blanks at its ends. What the
 * keys mean is not known here. A key may stand several times in a stanza.
 */

#include <stddef.h>

struct table_entry {
    char *key, *value;
    unsigned line; /* where it stands, for messages */
};

struct table_stanza {
    char *name;
    unsigned line;
    struct table_entry *entries;
    size_t nr_entries;
};

struct table {
    struct table_stanza *stanzas;
    size_t nr_stanzas;
};

/*
 * Reads the file `path`. Returns 0; -EINVAL when a line is neither of these forms or two stanzas
 * have one name; another negative errno when the file can't be read. In each case of an error,
 * *message says what and where, for free().
 */
int table_read(struct table *table, const char *path, char **message);

void table_free(struct table *table);

#endif
