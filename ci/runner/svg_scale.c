// SPDX-License-Identifier: BSD-2-Clause
#include "ci/runner/svg_scale.h"

#include <math.h>

/* A line that leaves out more points than this is not looked for: the time is limited by it. */
#define LONGEST_LINE 200

struct svg_scale svg_scale_fit(double low, double high, unsigned ticks, bool whole)
{
    static const double round_steps[] = {1, 2, 5, 10};

    if (!isfinite(low) || !isfinite(high) || high < low)
        low = high = 0;
    if (high == low)
        high = low + 1;
    double raw = (high - low) / ticks, power = pow(10, floor(log10(raw))), step = 10 * power;
    for (unsigned i = 0; i < sizeof(round_steps) / sizeof(round_steps[0]); i++) {
        if (round_steps[i] * power >= raw * (1 - 1e-9)) {
            step = round_steps[i] * power;
            break;
        }
    }
    if (whole) {
        low = floor(low / step + 1e-9) * step;
        high = ceil(high / step - 1e-9) * step;
    }
    return (struct svg_scale){.low = low, .high = high, .step = step};
}

double svg_scale_at(const struct svg_scale *scale, double value)
{
    if (!(value > scale->low))
        return scale->from;
    if (value > scale->high)
        return scale->to;
    return scale->from +
           (value - scale->low) / (scale->high - scale->low) * (scale->to - scale->from);
}

double svg_scale_first(const struct svg_scale *scale)
{
    return ceil(scale->low / scale->step - 1e-9) * scale->step;
}

int svg_scale_digits(const struct svg_scale *scale)
{
    int digits = (int)-floor(log10(scale->step) + 1e-9);

    return digits > 0 ? digits : 0;
}

struct curves {
    const double *x, *y;
    size_t points, curves;
};

/* Do all points between a and b lie near the line from a to b, in every curve? */
static bool is_straight(const struct curves *c, size_t a, size_t b, double tolerance)
{
    double width = c->x[b] - c->x[a];

    for (size_t i = a + 1; i < b; i++) {
        double part = width > 0 ? (c->x[i] - c->x[a]) / width : 0;

        for (size_t curve = 0; curve < c->curves; curve++) {
            double from = c->y[a * c->curves + curve], to = c->y[b * c->curves + curve];

            if (fabs(from + part * (to - from) - c->y[i * c->curves + curve]) > tolerance)
                return false;
        }
    }
    return true;
}

static size_t thin_once(const struct curves *c, double tolerance, bool *keep)
{
    size_t kept = 1, anchor = 0;

    keep[0] = true;
    for (size_t i = 1; i < c->points; i++) {
        bool last = i + 1 == c->points;

        keep[i] = last || i - anchor >= LONGEST_LINE || !is_straight(c, anchor, i + 1, tolerance);
        if (!keep[i])
            continue;
        anchor = i;
        kept++;
    }
    return kept;
}

size_t svg_thin(const double *x, const double *y, size_t points, size_t curves, double tolerance,
                size_t limit, bool *keep)
{
    const struct curves c = {.x = x, .y = y, .points = points, .curves = curves};
    size_t kept;

    if (!points)
        return 0;
    /* Beyond this tolerance only LONGEST_LINE keeps points. */
    for (int tries = 0; tries < 16; tries++) {
        kept = thin_once(&c, tolerance, keep);
        if (kept <= limit)
            return kept;
        tolerance *= 2;
    }
    kept = 0;
    for (size_t i = 0; i < points; i++) {
        keep[i] =
            i == 0 || i + 1 == points || i * (limit - 1) / points != (i - 1) * (limit - 1) / points;
        kept += keep[i];
    }
    return kept;
}
