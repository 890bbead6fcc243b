/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_RUNNER_INJECT_LIST_H
#define CI_RUNNER_INJECT_LIST_H

/*
 * Which mutations a payload has: its section .inject_names holds, for each place that one stands
 * at, the mutation's name and its suite's, each ended by a NUL (lib/inject.h).
 */

#include <stddef.h>

struct mutation {
    char *name, *suite;
};

struct mutation_list {
    struct mutation *mutations;
    size_t count;
};

/*
 * Reads the 32-bit ELF file `path`; places of one mutation give one entry, in the order of the
 * first. Returns 0, with no entries when the payload has no mutations; a negative errno and
 * *message, for free(), when the file is none of ours or one mutation names two suites.
 */
int mutation_list_read(struct mutation_list *list, const char *path, char **message);

void mutation_list_free(struct mutation_list *list);

#endif
