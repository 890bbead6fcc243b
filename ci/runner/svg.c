// SPDX-License-Identifier: BSD-2-Clause
#include "ci/runner/svg.h"

#include <math.h>
#include <stdlib.h>

#include "ci/runner/markup.h"

#define NAME_HEIGHT 11.0          /* of a name at the right end */
#define SAME_PLACE (2 * SVG_FINE) /* for which one name is enough */
#define MAX_NAMES 32

void svg_begin(FILE *out, unsigned width, unsigned height, const char *label)
{
    fprintf(out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %u %u\" role=\"img\" "
            "aria-label=\"",
            width, height);
    put_text(out, label);
    fputs("\">\n", out);
}

void svg_end(FILE *out)
{
    fputs("</svg>\n", out);
}

void svg_text(FILE *out, double x, double y, const char *anchor, const char *s)
{
    fprintf(out, "<text x=\"%g\" y=\"%g\" text-anchor=\"%s\">", x, y, anchor);
    put_text(out, s);
    fputs("</text>\n", out);
}

static void title(FILE *out, const char *s)
{
    if (s)
        put_element(out, "title", NULL, s);
}

/* Ticks are counted, so that no rounding loses the last or adds one. */
static unsigned tick_count(const struct svg_scale *scale)
{
    double first = svg_scale_first(scale);

    return first > scale->high ? 0 : (unsigned)((scale->high - first) / scale->step + 1e-6) + 1;
}

static double tick(const struct svg_scale *scale, unsigned i)
{
    return svg_scale_first(scale) + i * scale->step;
}

static void axes(const struct svg_chart *chart, const char *x_unit, const char *y_unit)
{
    const double right = SVG_LEFT + SVG_PLOT_WIDTH, bottom = SVG_TOP + SVG_PLOT_HEIGHT;
    const struct svg_scale *x = &chart->x, *y = &chart->y;
    FILE *out = chart->out;

    for (unsigned i = 0; i < tick_count(y); i++) {
        double value = tick(y, i), at = SVG_TOP + svg_scale_at(y, value) / SVG_FINE;
        char *label = text("%.*f", svg_scale_digits(y), value);

        fprintf(out, "<path class=\"grid\" d=\"M%d %.1fH%g\"/>", SVG_LEFT, at, right);
        svg_text(out, SVG_LEFT - 6, round(at + 4), "end", label);
        free(label);
    }
    for (unsigned i = 0; i < tick_count(x); i++) {
        double value = tick(x, i), at = SVG_LEFT + svg_scale_at(x, value) / SVG_FINE;
        char *label = text("%.*f", svg_scale_digits(x), value);

        fprintf(out, "<path class=\"axis\" d=\"M%.1f %gv5\"/>", at, bottom);
        svg_text(out, round(at), bottom + 17, "middle", label);
        free(label);
    }
    fprintf(out, "<path class=\"axis\" d=\"M%d %dV%gH%g\"/>\n", SVG_LEFT, SVG_TOP, bottom, right);
    svg_text(out, SVG_LEFT - 6, SVG_TOP - 11, "start", y_unit);
    svg_text(out, right, bottom + 33, "end", x_unit);
}

void svg_chart_begin(struct svg_chart *chart, FILE *out, const char *label,
                     const struct svg_scale *x, const char *x_unit, const struct svg_scale *y,
                     const char *y_unit)
{
    *chart = (struct svg_chart){.out = out, .x = *x, .y = *y};
    chart->x.from = 0;
    chart->x.to = SVG_PLOT_WIDTH * SVG_FINE;
    chart->y.from = SVG_PLOT_HEIGHT * SVG_FINE;
    chart->y.to = 0;
    svg_begin(out, SVG_WIDTH, SVG_HEIGHT, label);
    axes(chart, x_unit, y_unit);
    fprintf(out, "<g transform=\"translate(%d %d) scale(%g)\">\n", SVG_LEFT, SVG_TOP,
            1.0 / SVG_FINE);
}

/* Where the pen is, on the fine grid. */
struct pen {
    FILE *out;
    int x, y;
    bool down;
};

static void move(struct pen *pen, int x, int y)
{
    fprintf(pen->out, "M%d %d", x, y);
    *pen = (struct pen){.out = pen->out, .x = x, .y = y, .down = true};
}

/* Steps are short, so relative ones take less to write; they are whole, so nothing adds up. */
static void draw(struct pen *pen, int x, int y)
{
    int right = x - pen->x, down = y - pen->y;

    if (right && down)
        fprintf(pen->out, down < 0 ? "l%d%d" : "l%d %d", right, down);
    else if (right)
        fprintf(pen->out, "h%d", right);
    else if (down)
        fprintf(pen->out, "v%d", down);
    pen->x = x;
    pen->y = y;
}

static int fine(const struct svg_scale *scale, double value)
{
    return (int)lround(svg_scale_at(scale, value));
}

void svg_chart_area(struct svg_chart *chart, const struct svg_curve *curve)
{
    struct pen pen = {.out = chart->out};
    int bottom = (int)chart->y.from;

    if (!curve->points)
        return;
    fprintf(chart->out, "<path class=\"%s\" d=\"", curve->class);
    move(&pen, fine(&chart->x, curve->x[0]), bottom);
    for (size_t i = 0; i < curve->points; i++)
        draw(&pen, fine(&chart->x, curve->x[i]), fine(&chart->y, curve->y[i * curve->stride]));
    draw(&pen, pen.x, bottom);
    fputs("z\">", chart->out);
    title(chart->out, curve->title);
    fputs("</path>\n", chart->out);
}

static bool has_point(const struct svg_curve *curve, size_t i)
{
    return i < curve->points && curve->y[i * curve->stride] >= 0;
}

/* A point beside which there is none: no line leads to it. */
static bool is_alone(const struct svg_curve *curve, size_t i)
{
    return has_point(curve, i) && !has_point(curve, i + 1) && (!i || !has_point(curve, i - 1));
}

/* Either the dots of a curve, or its lines. */
static void draw_points(const struct svg_chart *chart, const struct svg_curve *curve,
                        const char *kind, bool dots)
{
    struct pen pen = {.out = chart->out};
    bool any = false;

    for (size_t i = 0; i < curve->points; i++) {
        if (!has_point(curve, i) || is_alone(curve, i) != dots) {
            pen.down = false;
            continue;
        }
        int x = fine(&chart->x, curve->x[i]), y = fine(&chart->y, curve->y[i * curve->stride]);

        if (!any)
            fprintf(chart->out, "<path class=\"%s %s\" d=\"", kind, curve->class);
        any = true;
        if (pen.down) {
            draw(&pen, x, y);
        } else {
            move(&pen, x, y);
            fputs("h0", chart->out); /* or lines that all lie upon the same place are not seen */
        }
    }
    if (!any)
        return;
    fputs("\">", chart->out);
    title(chart->out, curve->title);
    fputs("</path>\n", chart->out);
}

void svg_chart_line(struct svg_chart *chart, const struct svg_curve *curve)
{
    draw_points(chart, curve, "line", false);
    draw_points(chart, curve, "dot", true);
}

void svg_chart_marker(struct svg_chart *chart, double x, const char *name)
{
    int at = fine(&chart->x, x);
    bool at_right = at > chart->x.to / 2;

    fprintf(chart->out, "<path class=\"wedge\" d=\"M%d 0v%d\"><title>", at, (int)chart->y.from);
    put_text(chart->out, name);
    fprintf(chart->out,
            "</title></path><text class=\"wedge\" x=\"%d\" y=\"%d\" text-anchor=\"%s\">", at,
            -5 * SVG_FINE, at_right ? "end" : "start");
    put_text(chart->out, name);
    fputs("</text>\n", chart->out);
}

void svg_chart_hint(struct svg_chart *chart, double from, double to, const char *hint)
{
    int left = fine(&chart->x, from), right = fine(&chart->x, to);

    fprintf(chart->out, "<path class=\"hint\" d=\"M%d 0h%dv%dh%dz\">", left, right - left,
            (int)chart->y.from, left - right);
    title(chart->out, hint);
    fputs("</path>\n", chart->out);
}

/*
 * order[0..used-1] are curves from the top down. Leaves the first of those that follow each other
 * in number, and end at nearly the same place; last[] is the last of them. Returns how many
 * remain.
 */
static size_t share_names(const struct svg_chart *chart, const double *y, size_t *order,
                          size_t used, size_t *last)
{
    size_t kept = 0;
    double place = 0;

    for (size_t i = 0; i < used; i++) {
        bool up = kept && order[i] == last[kept - 1] + 1;
        bool down = kept && order[i] + 1 == order[kept - 1];
        bool near = kept && svg_scale_at(&chart->y, y[order[i]]) - place < SAME_PLACE;

        if (near && down) {
            order[kept - 1] = order[i];
            continue;
        }
        if (!near || !up) {
            order[kept++] = order[i];
            place = svg_scale_at(&chart->y, y[order[i]]);
        }
        last[kept - 1] = order[i];
    }
    return kept;
}

void svg_chart_names(struct svg_chart *chart, const double *y, const char *const *names,
                     const char *const *classes, size_t count)
{
    const double height = NAME_HEIGHT * SVG_FINE;
    double at[MAX_NAMES], lowest = chart->y.from;
    size_t order[MAX_NAMES], last[MAX_NAMES], used = 0;

    for (size_t i = 0; i < count && used < MAX_NAMES; i++) {
        size_t place = used;

        if (y[i] < 0)
            continue;
        for (; place && y[order[place - 1]] < y[i]; place--)
            order[place] = order[place - 1];
        order[place] = i;
        used++;
    }
    used = share_names(chart, y, order, used, last);
    /* From the top down each name keeps clear of the one above; then, from the bottom, of the axis.
     */
    for (size_t i = 0; i < used; i++) {
        at[i] = svg_scale_at(&chart->y, y[order[i]]);
        if (i && at[i] < at[i - 1] + height)
            at[i] = at[i - 1] + height;
    }
    for (size_t i = used; i-- > 0;) {
        if (at[i] > lowest)
            at[i] = lowest;
        lowest = at[i] - height;
    }
    for (size_t i = 0; i < used; i++) {
        fprintf(chart->out, "<text class=\"%s\" x=\"%d\" y=\"%d\">", classes[order[i]],
                (int)chart->x.to + 6 * SVG_FINE, (int)(at[i] + 4 * SVG_FINE));
        put_text(chart->out, names[order[i]]);
        if (last[i] != order[i])
            put_textf(chart->out, "-%s", names[last[i]]);
        fputs("</text>\n", chart->out);
    }
}

void svg_chart_end(struct svg_chart *chart)
{
    fputs("</g>\n", chart->out);
    svg_end(chart->out);
}
