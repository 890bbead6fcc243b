/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_TRACE_DIFF_H
#define CI_TRACE_DIFF_H

/*
 * Where two traces part, and whether they meet again.
 *
 * Lines are compared by symbol and instruction, which name no absolute address of the image, so
 * that it does not matter where it was loaded; by the offset from the symbol too if both traces are
 * of the same build. What instructions did to memory can be compared as well: by linear address, or
 * by the physical one too, which shows a translation that one of the two should not have had.
 *
 * Where the traces differ, the nearest place is looked for from which a number of lines are equal
 * again, and the comparison goes on there. Depths are not compared: they follow from the rest.
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum diff_by {
    DIFF_CODE,
    DIFF_LINEAR,
    DIFF_PHYSICAL,
};

struct diff_options {
    enum diff_by by;
    unsigned window; /* lines of each trace that are searched for the place where they meet */
    unsigned shown;  /* places of difference that are shown, the first of them in full */
};

struct diff_result {
    uint64_t equal; /* lines */
    uint64_t only_a, only_b;
    uint64_t regions; /* stretches of lines that differ */
    bool parted;      /* they did not meet again within the window */
};

/*
 * Compares two text files, plain or compressed, and writes what it finds to `out`. Returns 0, or a
 * negative errno with *message, for free().
 */
int diff_traces(FILE *out, const char *path_a, const char *path_b,
                const struct diff_options *options, struct diff_result *result, char **message);

#endif
