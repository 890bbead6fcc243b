/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_BENCH_TABLE_H
#define CI_BENCH_TABLE_H

/* The figures for people, the field's others beside them. */

#include <jansson.h>
#include <stdio.h>

#include "ci/bench/figures.h"

/* Prints a Markdown table of all rows; those that nobody described here come last. */
void table_print(FILE *file, const json_t *figures);

/*
 * Adds a sentence to `wrong` for each row of the table in the Markdown file at `path` whose figure
 * is more than `tolerance` away from the true one, and for each row that the table leaves out.
 */
void table_check(const char *path, const json_t *figures, double tolerance, struct words *wrong);

/* The metrics in permille of the report at `path`, a line each. Returns how many there were. */
unsigned table_print_ratios(FILE *file, const char *path);

#endif
