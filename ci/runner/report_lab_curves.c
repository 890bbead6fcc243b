// SPDX-License-Identifier: BSD-2-Clause
#include "ci/runner/report_lab.h"

#include <stdlib.h>
#include <string.h>

#include "ci/runner/markup.h"
#include "ci/runner/svg.h"

/*
 * Time or steps on the x axis, free memory or an index on the y axis, a curve for each order.
 */

/*
 * Time as it is told best: in seconds, or ms; below that it is too coarse, and steps are better, as
 * they are where samples follow them.
 */
#define SECONDS_FROM_MS 2000
#define TIME_FROM_MS 20

#define X_TICKS 8
#define Y_TICKS 5
#define PCP NR_ORDERS /* the curve above those of the orders: what is on per-CPU lists */
#define STACKED (NR_ORDERS + 1)
#define HALF_PIXEL 0.5
#define PAGES_IN_MIB 256.0

static const char *const order_classes[NR_ORDERS] = {"o0", "o1", "o2", "o3", "o4", "o5",
                                                     "o6", "o7", "o8", "o9", "o10"};
static const char *const area_classes[STACKED] = {"area o0", "area o1", "area o2",  "area o3",
                                                  "area o4", "area o5", "area o6",  "area o7",
                                                  "area o8", "area o9", "area o10", "free"};
static const char *const name_classes[NR_ORDERS] = {"name o0", "name o1", "name o2", "name o3",
                                                    "name o4", "name o5", "name o6", "name o7",
                                                    "name o8", "name o9", "name o10"};
static const char *const order_names[NR_ORDERS] = {"0", "1", "2", "3", "4", "5",
                                                   "6", "7", "8", "9", "10"};
const char *const lab_block_sizes[NR_ORDERS] = {"4K",   "8K",   "16K", "32K", "64K", "128K",
                                                "256K", "512K", "1M",  "2M",  "4M"};

/* The samples of a zone as curves. */
struct curves {
    const struct lab_case *run;
    const struct lab_zone *zone;
    size_t count, per_sample;
    double *x, *y;      /* y[i * per_sample + curve] */
    const char *x_unit; /* "s", "ms", or what a step adds */
    double x_divisor;   /* of ms; 0: the x axis has steps */
};

static void *must_calloc(size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size);

    if (!memory)
        abort();
    return memory;
}

static double x_of(const struct curves *curves, const struct lab_sample *sample)
{
    return curves->x_divisor > 0 ? (double)sample->ms / curves->x_divisor : (double)sample->done;
}

/* Were samples taken after so many steps each, whatever time those took? */
static bool is_by_steps(const struct lab_sample *samples, size_t count)
{
    size_t same = 0;

    for (size_t i = 1; i < count; i++)
        same += samples[i].done - samples[i - 1].done == samples[1].done - samples[0].done;
    return count > 2 && samples[1].done > samples[0].done && 2 * same > count;
}

static void curves_make(struct curves *curves, const struct lab_case *run,
                        const struct lab_zone *zone, size_t per_sample)
{
    const struct lab_sample *samples = zone->samples;
    size_t count = zone->nr_samples;
    uint64_t span = samples[count - 1].ms - samples[0].ms;

    *curves = (struct curves){.run = run, .zone = zone, .count = count, .per_sample = per_sample};
    if (is_by_steps(samples, count) || span < TIME_FROM_MS) {
        curves->x_unit = run->unit;
    } else if (span >= SECONDS_FROM_MS) {
        curves->x_divisor = 1000;
        curves->x_unit = "s";
    } else {
        curves->x_divisor = 1;
        curves->x_unit = "ms";
    }
    curves->x = must_calloc(count, sizeof(*curves->x));
    curves->y = must_calloc(count * per_sample, sizeof(*curves->y));
    for (size_t i = 0; i < count; i++)
        curves->x[i] = x_of(curves, &samples[i]);
}

static void curves_free(struct curves *curves)
{
    free(curves->x);
    free(curves->y);
}

/* Leaves only points that can be told apart. */
static void curves_thin(struct curves *curves, double height, size_t max_points)
{
    bool *keep = must_calloc(curves->count, 1); /* sparse knows no size of a bool */
    double tolerance = height / SVG_PLOT_HEIGHT * HALF_PIXEL;
    size_t kept = 0;

    svg_thin(curves->x, curves->y, curves->count, curves->per_sample, tolerance, max_points, keep);
    for (size_t i = 0; i < curves->count; i++) {
        if (!keep[i])
            continue;
        curves->x[kept] = curves->x[i];
        memmove(curves->y + kept * curves->per_sample, curves->y + i * curves->per_sample,
                curves->per_sample * sizeof(*curves->y));
        kept++;
    }
    curves->count = kept;
    free(keep);
}

static void put_marker(struct svg_chart *chart, const struct curves *curves)
{
    const struct lab_case *run = curves->run;
    const struct lab_zone *zone = curves->zone;

    if (!run->ended || run->verdict != LAB_WEDGED)
        return;
    for (size_t i = 0; i < zone->nr_samples; i++) {
        if (zone->samples[i].done < run->done)
            continue;
        svg_chart_marker(chart, x_of(curves, &zone->samples[i]), "wedged");
        return;
    }
}

static void put_hints(struct svg_chart *chart, const struct curves *curves, size_t hints)
{
    const struct lab_zone *zone = curves->zone;
    size_t each = (zone->nr_samples + hints - 1) / hints;

    for (size_t i = 0; i < zone->nr_samples; i += each) {
        const struct lab_sample *sample = &zone->samples[i];
        size_t next = i + each < zone->nr_samples ? i + each : zone->nr_samples - 1;
        char *size = pages_text(sample->free), *done = grouped_text(sample->done);
        char *hint = text("%.3f s, %s %s: %s free, in blocks by order:", (double)sample->ms / 1000,
                          done, curves->run->unit, size);

        for (unsigned order = 0; order < NR_ORDERS; order++)
            text_add(&hint, " %u", sample->counts.nr_free[order]);
        if (next > i)
            svg_chart_hint(chart, x_of(curves, sample), x_of(curves, &zone->samples[next]), hint);
        free(hint);
        free(size);
        free(done);
    }
}

/* Areas lie upon each other: the one of order n reaches over all blocks of n and more pages. */
static void fill_stack(struct curves *curves, double unit_pages)
{
    for (size_t i = 0; i < curves->count; i++) {
        const struct lab_sample *sample = &curves->zone->samples[i];
        double *y = curves->y + i * STACKED, pages = 0;

        for (unsigned order = NR_ORDERS; order-- > 0;) {
            pages += (double)((uint64_t)sample->counts.nr_free[order] << order);
            y[order] = pages / unit_pages;
        }
        y[PCP] = (double)sample->free / unit_pages;
    }
}

static char *area_title(const struct curves *curves, unsigned curve)
{
    const struct lab_zone *zone = curves->zone;
    const struct lab_sample *first = &zone->samples[0],
                            *last = &zone->samples[zone->nr_samples - 1];

    if (curve == PCP)
        return text_copy("free pages on per-CPU lists");
    return text("order %u (%s): %u free blocks at first, %u at last", curve, lab_block_sizes[curve],
                first->counts.nr_free[curve], last->counts.nr_free[curve]);
}

void put_lab_stack(FILE *out, const struct lab_case *run, unsigned zone_index,
                   const struct lab_detail *detail)
{
    const struct lab_zone *zone = &run->zones[zone_index];
    struct curves curves;
    uint32_t most = 0;

    for (size_t i = 0; i < zone->nr_samples; i++)
        most = zone->samples[i].free > most ? zone->samples[i].free : most;
    bool large = most >= 2 * PAGES_IN_MIB;
    curves_make(&curves, run, zone, STACKED);
    fill_stack(&curves, large ? PAGES_IN_MIB : 0.25);
    struct svg_scale x = svg_scale_fit(curves.x[0], curves.x[curves.count - 1], X_TICKS, false);
    struct svg_scale y = svg_scale_fit(0, large ? most / PAGES_IN_MIB : most * 4.0, Y_TICKS, true);
    curves_thin(&curves, y.high, detail->points);

    struct svg_chart chart;
    const char *name = lab_zone_name(zone_index);
    char *label = text("%s, %s: free memory of zone %s by order over %s", run->workload, run->name,
                       name, curves.x_divisor > 0 ? "time" : curves.x_unit);
    fputs("<figure><h4>", out);
    put_textf(out, "Free memory, zone %s", name);
    fputs("</h4>", out);
    svg_chart_begin(&chart, out, label, &x, curves.x_unit, &y, large ? "MiB" : "KiB");
    for (unsigned drawn = 0; drawn < STACKED; drawn++) {
        unsigned curve = drawn ? drawn - 1 : PCP;
        char *title = area_title(&curves, curve);

        svg_chart_area(&chart, &(struct svg_curve){.x = curves.x,
                                                   .y = curves.y + curve,
                                                   .points = curves.count,
                                                   .stride = STACKED,
                                                   .class = area_classes[curve],
                                                   .title = title});
        free(title);
    }
    put_marker(&chart, &curves);
    put_hints(&chart, &curves, detail->hints);
    svg_chart_end(&chart);
    fputs("</figure>\n", out);
    free(label);
    curves_free(&curves);
}

/* An index of a sample's blocks, 0 to 1; negative where it has no meaning. */
struct index_kind {
    double (*of)(const struct buddy_counts *counts, unsigned order);
    const char *name, *caption, *nothing;
};

static double unusable_of(const struct buddy_counts *counts, unsigned order)
{
    return unusable_index(counts, order) / 1000.0;
}

static double fragmentation_of(const struct buddy_counts *counts, unsigned order)
{
    int index = fragmentation_index(counts, order);

    return index == FRAGMENTATION_FITS ? -1 : index < 0 ? 0 : index / 1000.0;
}

static const struct index_kind unusable = {
    .of = unusable_of,
    .name = "Unusable free space",
    .caption = "share of free memory that a request of this order can't use",
    .nothing = "",
};

static const struct index_kind fragmentation = {
    .of = fragmentation_of,
    .name = "Fragmentation index",
    .caption = "why a request of this order fails: near 0 for lack of memory, near 1 because it "
               "is in pieces; no line while it would not fail",
    .nothing = "No order was ever short of a block: there is no index to draw.",
};

static void put_index_chart(FILE *out, const struct curves *curves, const struct index_kind *kind,
                            const char *zone_name)
{
    struct svg_scale x = svg_scale_fit(curves->x[0], curves->x[curves->count - 1], X_TICKS, false);
    struct svg_scale y = svg_scale_fit(0, 1, Y_TICKS, true);
    const double *last = curves->y + (curves->count - 1) * NR_ORDERS;
    struct svg_chart chart;
    char *label =
        text("%s, %s: %s of zone %s by order over %s", curves->run->workload, curves->run->name,
             kind->name, zone_name, curves->x_divisor > 0 ? "time" : curves->x_unit);

    svg_chart_begin(&chart, out, label, &x, curves->x_unit, &y, "index");
    for (unsigned order = 0; order < NR_ORDERS; order++) {
        char *title = last[order] < 0 ? text("order %u (%s)", order, lab_block_sizes[order])
                                      : text("order %u (%s): %.2f at last", order,
                                             lab_block_sizes[order], last[order]);

        svg_chart_line(&chart, &(struct svg_curve){.x = curves->x,
                                                   .y = curves->y + order,
                                                   .points = curves->count,
                                                   .stride = NR_ORDERS,
                                                   .class = order_classes[order],
                                                   .title = title});
        free(title);
    }
    put_marker(&chart, curves);
    svg_chart_names(&chart, last, order_names, name_classes, NR_ORDERS);
    svg_chart_end(&chart);
    free(label);
}

static void put_index(FILE *out, const struct lab_case *run, unsigned zone_index,
                      const struct index_kind *kind, size_t max_points)
{
    const struct lab_zone *zone = &run->zones[zone_index];
    struct curves curves;
    bool any = false;

    curves_make(&curves, run, zone, NR_ORDERS);
    for (size_t i = 0; i < curves.count; i++) {
        for (unsigned order = 0; order < NR_ORDERS; order++) {
            double index = kind->of(&zone->samples[i].counts, order);

            curves.y[i * NR_ORDERS + order] = index;
            any = any || index >= 0;
        }
    }
    fputs("<figure><h4>", out);
    put_textf(out, "%s, zone %s", kind->name, lab_zone_name(zone_index));
    fputs("</h4>", out);
    if (any) {
        curves_thin(&curves, 1, max_points);
        put_index_chart(out, &curves, kind, lab_zone_name(zone_index));
        put_element(out, "figcaption", NULL, kind->caption);
    } else {
        put_element(out, "p", "soft", kind->nothing);
    }
    fputs("</figure>\n", out);
    curves_free(&curves);
}

void put_lab_indexes(FILE *out, const struct lab_case *run, unsigned zone,
                     const struct lab_detail *detail)
{
    put_index(out, run, zone, &unusable, detail->points);
    put_index(out, run, zone, &fragmentation, detail->points);
}

void put_lab_orders_legend(FILE *out)
{
    fputs("<ul class=\"legend\" aria-label=\"colours of orders\"><li class=\"soft\">order:</li>",
          out);
    for (unsigned order = 0; order < NR_ORDERS; order++)
        fprintf(out, "<li><i class=\"o%u\"></i>%u (%s)</li>", order, order, lab_block_sizes[order]);
    fputs("<li><i class=\"free\"></i>on per-CPU lists</li></ul>\n", out);
}
