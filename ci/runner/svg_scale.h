/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_RUNNER_SVG_SCALE_H
#define CI_RUNNER_SVG_SCALE_H

/*
 * From values to places on a chart: scales with round ticks, and which points of a curve matter.
 */

#include <stdbool.h>
#include <stddef.h>

/* Values low..high lie at the coordinates from..to, of which either may be the greater. */
struct svg_scale {
    double low, high;
    double from, to;
    double step; /* between ticks, 1, 2 or 5 times a power of ten */
};

/*
 * A scale for values low..high with at most `ticks` (2 or more) steps. `whole` widens it to whole
 * steps. A range that is empty, or no range at all, becomes one that can be drawn.
 */
struct svg_scale svg_scale_fit(double low, double high, unsigned ticks, bool whole);

/* Where the value lies; values beyond the scale lie at its ends. */
double svg_scale_at(const struct svg_scale *scale, double value);

/* The first tick that is not below `low`; others follow every `step` up to `high`. */
double svg_scale_first(const struct svg_scale *scale);

/* Digits after the point that a tick's label needs. */
int svg_scale_digits(const struct svg_scale *scale);

/*
 * Marks in keep[0..points-1] those points that curves need, for straight lines between them to
 * miss the others by no more than `tolerance`; a larger one where more than `limit` points (3 or
 * more) would remain. x rises; the curves' values of point i are y[i * curves ...]. First and last
 * point are always kept. Returns how many are.
 */
size_t svg_thin(const double *x, const double *y, size_t points, size_t curves, double tolerance,
                size_t limit, bool *keep);

#endif
