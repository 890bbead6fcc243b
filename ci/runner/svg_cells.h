/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_RUNNER_SVG_CELLS_H
#define CI_RUNNER_SVG_CELLS_H

/*
 * Pictures out of boxes: cells in rows, and bars.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define SVG_CELLS 64 /* in a row, at most */

/* Kinds of cell, by the character that stands for them; 0: nothing is drawn. */
struct svg_cell_kind {
    char character;
    char *class, *title; /* NULL: none */
};

/*
 * Draws `count` cells, `per_row` (1 to SVG_CELLS) a row, one path a kind. Each row is named:
 * row_name(i, ctx) returns the name of row i, for free().
 */
void svg_cells(FILE *out, const char *label, const char *cells, size_t count, size_t per_row,
               const struct svg_cell_kind *kinds, size_t nr_kinds,
               char *(*row_name)(size_t row, void *ctx), void *ctx);

struct svg_bar {
    char *name, *text; /* at the left, and behind the bar */
    double value;
    bool open;         /* there would be more: the bar has no end */
    const char *class; /* gives the colour */
};

/*
 * Bars below each other, the longest as wide as names and texts leave room. A name that would take
 * half of the picture is cut; its title has it whole.
 */
void svg_bars(FILE *out, const char *label, const struct svg_bar *bars, size_t count);

/* What a distribution is known by, on a scale of powers of ten. */
struct svg_spread {
    char *name;
    double p50, p90, p99, max;
    double below; /* values less than this are not known any better, and marked so */
};

void svg_spreads(FILE *out, const char *label, const char *unit, const struct svg_spread *spreads,
                 size_t count);

#endif
