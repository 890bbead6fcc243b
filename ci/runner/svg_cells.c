// SPDX-License-Identifier: BSD-2-Clause
#include "ci/runner/svg_cells.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ci/runner/markup.h"
#include "ci/runner/svg.h"

#define WIDTH 480
#define ROW_NAME_WIDTH 64
#define CELLS_WIDTH 410.0 /* of a whole row */
#define CELL_HEIGHT 14

#define BAR_LEFT_LEAST 96.0
#define BAR_GAP 8.0
#define BAR_NAME_MAX 28u /* characters; longer names are cut */
#define BAR_ROOM_LEAST 60.0
#define LETTER_WIDTH 7.5 /* of the widest fonts that the style may get, on the average */
#define BAR_PITCH 24
#define BAR_HEIGHT 14.0

#define SPREAD_LEFT 66
#define SPREAD_ROOM 390
#define SPREAD_PITCH 22
#define SPREAD_BOTTOM 40

/* Cells are strokes, as thick as a row: half as much to write as boxes. */
static void cell_path(FILE *out, const char *cells, size_t count, size_t per_row,
                      const struct svg_cell_kind *kind)
{
    bool any = false;

    for (size_t i = 0; i < count;) {
        size_t row = i / per_row, run = 0;

        while (i + run < count && (i + run) / per_row == row && cells[i + run] == kind->character)
            run++;
        if (!run) {
            i++;
            continue;
        }
        if (!any)
            fprintf(out, "<path class=\"cell %s\" d=\"", kind->class);
        any = true;
        fprintf(out, "M%zu %zuh%zu", i % per_row, row, run);
        i += run;
    }
    if (!any)
        return;
    fputs("\">", out);
    if (kind->title)
        put_element(out, "title", NULL, kind->title);
    fputs("</path>\n", out);
}

void svg_cells(FILE *out, const char *label, const char *cells, size_t count, size_t per_row,
               const struct svg_cell_kind *kinds, size_t nr_kinds,
               char *(*row_name)(size_t row, void *ctx), void *ctx)
{
    size_t rows = (count + per_row - 1) / per_row;

    svg_begin(out, WIDTH, (unsigned)(rows * CELL_HEIGHT + 4), label);
    for (size_t row = 0; row < rows; row++) {
        char *name = row_name(row, ctx);

        fprintf(out, "<g class=\"small\">");
        svg_text(out, ROW_NAME_WIDTH - 5, (double)(row * CELL_HEIGHT + 11), "end", name);
        fputs("</g>", out);
        free(name);
    }
    fprintf(out, "<g transform=\"translate(%d %g) scale(%g %d)\" shape-rendering=\"crispEdges\">\n",
            ROW_NAME_WIDTH, CELL_HEIGHT / 2.0, CELLS_WIDTH / (double)per_row, CELL_HEIGHT);
    for (size_t i = 0; i < nr_kinds; i++)
        cell_path(out, cells, count, per_row, &kinds[i]);
    fputs("</g>\n", out);
    svg_end(out);
}

/* For free(). */
static char *bar_name(const struct svg_bar *bar)
{
    return strlen(bar->name) <= BAR_NAME_MAX ? text_copy(bar->name)
                                             : text("%.*s..", (int)BAR_NAME_MAX - 2, bar->name);
}

/* Where bars begin: right of the longest name. */
static double bars_left(const struct svg_bar *bars, size_t count)
{
    double left = BAR_LEFT_LEAST;

    for (size_t i = 0; i < count; i++) {
        size_t letters = strnlen(bars[i].name, BAR_NAME_MAX);

        left = fmax(left, (double)letters * LETTER_WIDTH + BAR_GAP);
    }
    return left;
}

/* How long the longest bar may be, so that the text behind each is seen whole. */
static double bars_room(const struct svg_bar *bars, size_t count, double left, double longest)
{
    double room = WIDTH - left;

    for (size_t i = 0; i < count; i++) {
        double behind = (double)strlen(bars[i].text) * LETTER_WIDTH + BAR_HEIGHT / 2 + BAR_GAP;

        if (bars[i].value > 0)
            room = fmin(room, (WIDTH - left - behind) / (bars[i].value / longest));
    }
    return fmax(room, BAR_ROOM_LEAST);
}

void svg_bars(FILE *out, const char *label, const struct svg_bar *bars, size_t count)
{
    double longest = 0, left = bars_left(bars, count);

    for (size_t i = 0; i < count; i++)
        longest = fmax(longest, bars[i].value);
    double room = bars_room(bars, count, left, longest);
    svg_begin(out, WIDTH, (unsigned)(count * BAR_PITCH + 4), label);
    for (size_t i = 0; i < count; i++) {
        const struct svg_bar *bar = &bars[i];
        double width = longest > 0 ? fmax(bar->value / longest * room, 1) : 1;
        double top = (double)(i * BAR_PITCH) + (BAR_PITCH - BAR_HEIGHT) / 2;
        double point = bar->open ? BAR_HEIGHT / 2 : 0;
        char *name = bar_name(bar);

        svg_text(out, left - BAR_GAP, top + 12, "end", name);
        free(name);
        fprintf(out, "<path class=\"%s\" d=\"M%g %gh%.1fl%g %gl-%g %gH%gz\"><title>", bar->class,
                left, top, width, point, BAR_HEIGHT / 2, point, BAR_HEIGHT / 2, left);
        put_textf(out, "%s: %s", bar->name, bar->text);
        fputs("</title></path>", out);
        svg_text(out, left + width + point + BAR_GAP, top + 12, "start", bar->text);
        fputc('\n', out);
    }
    svg_end(out);
}

static double log_at(double value, double from, double to)
{
    double part = (log10(fmax(value, 1)) - from) / (to - from);

    return SPREAD_LEFT + fmin(fmax(part, 0), 1) * SPREAD_ROOM;
}

/* "100", "10k", "1M", for free() */
static char *power_text(int power)
{
    static const char *const suffixes[] = {"", "k", "M", "G", "T"};
    static const char *const digits[] = {"1", "10", "100"};
    int suffix = power / 3;

    return suffix > 4 ? text("1e%d", power) : text("%s%s", digits[power % 3], suffixes[suffix]);
}

static void spread_axis(FILE *out, int from, int to, size_t count, const char *unit)
{
    double bottom = (double)(count * SPREAD_PITCH + 6);

    for (int power = from; power <= to; power++) {
        double at = log_at(pow(10, power), from, to);
        char *label = power_text(power);

        fprintf(out, "<path class=\"grid\" d=\"M%.1f 2V%g\"/>", at, bottom);
        svg_text(out, round(at), bottom + 14, "middle", label);
        free(label);
    }
    fprintf(out, "<path class=\"axis\" d=\"M%d %gh%d\"/>", SPREAD_LEFT, bottom, SPREAD_ROOM);
    svg_text(out, SPREAD_LEFT + SPREAD_ROOM, bottom + 30, "end", unit);
}

/* "12" or "below 25", for free() */
static char *spread_text(double value, double below)
{
    return value < below ? text("below %.0f", below) : text("%.0f", value);
}

static void spread_title(FILE *out, const struct svg_spread *s, const char *unit)
{
    char *p50 = spread_text(s->p50, s->below), *p90 = spread_text(s->p90, s->below);
    char *p99 = spread_text(s->p99, s->below), *max = spread_text(s->max, s->below);

    put_textf(out, "%s: half of them up to %s %s, 90%% up to %s, 99%% up to %s, max %s", s->name,
              p50, unit, p90, p99, max);
    free(p50);
    free(p90);
    free(p99);
    free(max);
}

/* Where half of them lie: a stroke, or a hollow arrow towards less. */
static void spread_median(FILE *out, const struct svg_spread *s, double at, double middle)
{
    if (s->p50 < s->below)
        fprintf(out, "<path class=\"less\" d=\"M%.1f %gv12l-7-6z\"/>", at, middle - 6);
    else
        fprintf(out, "<path class=\"median\" d=\"M%.1f %gv12\"/>", at, middle - 6);
}

void svg_spreads(FILE *out, const char *label, const char *unit, const struct svg_spread *spreads,
                 size_t count)
{
    double least = INFINITY, most = 1;

    for (size_t i = 0; i < count; i++) {
        least = fmin(least, fmax(fmax(spreads[i].p50, spreads[i].below), 1));
        most = fmax(most, spreads[i].max);
    }
    double from = isfinite(least) ? floor(log10(least)) : 0, to = ceil(log10(most));
    if (to <= from)
        to = from + 1;
    svg_begin(out, WIDTH, (unsigned)(count * SPREAD_PITCH + SPREAD_BOTTOM), label);
    spread_axis(out, (int)from, (int)to, count, unit);
    for (size_t i = 0; i < count; i++) {
        const struct svg_spread *s = &spreads[i];
        double middle = (double)(i * SPREAD_PITCH) + 15;
        double p50 = log_at(fmax(s->p50, s->below), from, to);
        double p90 = log_at(fmax(s->p90, s->below), from, to);
        double p99 = log_at(fmax(s->p99, s->below), from, to);
        double max = log_at(fmax(s->max, s->below), from, to);

        svg_text(out, SPREAD_LEFT - 8, middle + 4, "end", s->name);
        fprintf(out,
                "<g><path class=\"spread\" d=\"M%.1f %gH%.1fM%.1f %gv8M%.1f %gv8\"/>"
                "<path class=\"half\" d=\"M%.1f %gH%.1fv12H%.1fz\"/>",
                p50, middle, max, p99, middle - 4, max, middle - 4, p50, middle - 6,
                fmax(p90, p50 + 1), p50);
        spread_median(out, s, p50, middle);
        fputs("<title>", out);
        spread_title(out, s, unit);
        fputs("</title></g>\n", out);
    }
    svg_end(out);
}
