/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_RUNNER_TALLY_H
#define CI_RUNNER_TALLY_H

/*
 * What `make test` adds up: a file to which each stage (unit tests, matrix, ...) appends a line for
 * each thing it tried, and two for itself. A stage that crashed has begun and not ended, one that
 * was left out has not begun; both count as failed.
 *
 *     begin STAGE
 *     passed STAGE NAME
 *     failed STAGE NAME
 *     end STAGE
 */

#include <stdbool.h>

/* Each does nothing when `path` is NULL: nobody is counting. */
void tally_begin(const char *path, const char *stage);
void tally_add(const char *path, const char *stage, const char *name, bool passed);
void tally_end(const char *path, const char *stage);

/*
 * Reads the file, prints what failed and, as the last line, "N passed, N failed". `stages`, ended
 * by NULL, are those that must be there. Returns true when something passed and nothing failed.
 */
bool tally_close(const char *path, char *const *stages);

#endif
