/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_BENCH_FIGURES_H
#define CI_BENCH_FIGURES_H

/*
 * What `make bench` measured: a JSON object with an object for each row,
 *
 *     {"kmap_cold": {"instructions": 124.03, "flushes": 0.002, "flushes_full": 0.002,
 *                    "flushes_page": 0.0, "bytes": 0.0, "operations": 4096}, ...
 *      "image_bytes_elf": {"bytes": 197264}}
 *
 * All figures but `operations` are those of one operation: of all in a run, divided by their
 * number.
 */

#include <jansson.h>

#include "ci/runner/words.h"

/*
 * Adds the rows that the payload's report at `path` holds, lines of the form
 *     # bench NAME operations=N instructions=N flushes_full=N flushes_page=N bytes=N
 * Returns 0, or -1 with *message for free(): no such file, a line that is cut or counts something
 * else than instructions, a row that is there twice, none at all.
 */
int figures_read_report(json_t *figures, const char *path, char **message);

/* Adds a row with the size of a file. Returns as above. */
int figures_add_size(json_t *figures, const char *row, const char *path, char **message);

/* Reads a file of such an object. NULL, with *message, if it is none. */
json_t *figures_load(const char *path, char **message);

/* Writes it, always the same way. Returns as above. */
int figures_save(const json_t *figures, const char *path, char **message);

/*
 * Adds a sentence to `changes` for each row that is missing in one of the two, and for each figure
 * that differs by more than `tolerance` (0.01: one hundredth of the old one).
 */
void figures_compare(const json_t *old, const json_t *new, double tolerance, struct words *changes);

/* The row's figure, or a negative number if it has none of this name. */
double figures_get(const json_t *figures, const char *row, const char *figure);

#endif
