/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_RUNNER_SVG_H
#define CI_RUNNER_SVG_H

/*
 * Charts as inline SVG, for a page that brings the style (report_style.c): classes name what a
 * thing is, the style gives the colours, for light, dark and paper.
 *
 * A chart has a frame with axes; within it curves are drawn on a finer grid of whole numbers,
 * which keeps the file small. Everything of a chart is named for those who can't see it, and has a
 * <title> that a pointer shows.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "ci/runner/svg_scale.h"

#define SVG_WIDTH 480
#define SVG_HEIGHT 250
#define SVG_LEFT 46
#define SVG_RIGHT 36
#define SVG_TOP 24
#define SVG_BOTTOM 38
#define SVG_FINE 4 /* steps of the fine grid in a unit */
#define SVG_PLOT_WIDTH (SVG_WIDTH - SVG_LEFT - SVG_RIGHT)
#define SVG_PLOT_HEIGHT (SVG_HEIGHT - SVG_TOP - SVG_BOTTOM)

struct svg_chart {
    FILE *out;
    struct svg_scale x, y; /* on the fine grid */
};

/* One of the curves of a chart: y[i * stride] over x[i], as values of the scales. */
struct svg_curve {
    const double *x, *y;
    size_t points, stride;
    const char *class; /* gives the colour */
    const char *title; /* not escaped yet */
};

/*
 * Begins a chart: frame, axes with ticks, and what they measure. `label` says what is shown.
 * The scales come from svg_scale_fit(); their coordinates are set here.
 */
void svg_chart_begin(struct svg_chart *chart, FILE *out, const char *label,
                     const struct svg_scale *x, const char *x_unit, const struct svg_scale *y,
                     const char *y_unit);

/* Fills between the curve and the bottom. Stacks are drawn from the highest curve down. */
void svg_chart_area(struct svg_chart *chart, const struct svg_curve *curve);

/* Draws the curve; where its value is negative there is none. A point by itself is a dot. */
void svg_chart_line(struct svg_chart *chart, const struct svg_curve *curve);

/* A vertical line at x, with a name. */
void svg_chart_marker(struct svg_chart *chart, double x, const char *name);

/* A column from..to that shows nothing but `title` to a pointer. */
void svg_chart_hint(struct svg_chart *chart, double from, double to, const char *hint);

/*
 * Names at the right end for curves that end at y[i]; a negative y has none. Curves that end at
 * nearly the same place share one, from the first to the last.
 */
void svg_chart_names(struct svg_chart *chart, const double *y, const char *const *names,
                     const char *const *classes, size_t count);

void svg_chart_end(struct svg_chart *chart);

/* <svg> of any size with a label, and its end. */
void svg_begin(FILE *out, unsigned width, unsigned height, const char *label);
void svg_end(FILE *out);

/* Text at a place: anchor is "start", "middle" or "end". */
void svg_text(FILE *out, double x, double y, const char *anchor, const char *s);

#endif
