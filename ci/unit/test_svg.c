// SPDX-License-Identifier: BSD-2-Clause
/* Charts: where values lie, which points are left out, and what is written for them. */
#include "ci/unit/unit.h"

#include <math.h>

#include "ci/runner/markup.h"
#include "ci/runner/svg.h"
#include "ci/runner/svg_cells.h"

static void assert_near(double a, double b)
{
    if (!(fabs(a - b) < 1e-6))
        fail_msg("%g is not %g", a, b);
}

static void steps_are_round(void **state)
{
    static const struct {
        double low, high;
        unsigned ticks;
        double step;
    } cases[] = {
        {0, 10, 5, 2},         {0, 11, 5, 5},     {0, 0.9, 5, 0.2},  {0, 1, 5, 0.2},
        {0, 872, 5, 200},      {0, 1000, 5, 200}, {0, 1001, 5, 500}, {0, 3, 5, 1},
        {0, 82e6, 8, 2e7},     {5, 5, 5, 0.2},    {7, 3, 5, 0.2},    {0, NAN, 5, 0.2},
        {0, INFINITY, 5, 0.2},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct svg_scale scale = svg_scale_fit(cases[i].low, cases[i].high, cases[i].ticks, false);

        assert_near(scale.step, cases[i].step);
        assert_true(scale.high > scale.low);
        assert_true((scale.high - scale.low) / scale.step <= cases[i].ticks + 1e-6);
    }
}

static void whole_steps(void **state)
{
    struct svg_scale scale = svg_scale_fit(0, 872, 5, true);

    assert_near(scale.low, 0);
    assert_near(scale.high, 1000);
    scale = svg_scale_fit(130, 872, 5, true);
    assert_near(scale.low, 0);
    assert_near(scale.high, 1000);
    assert_near(svg_scale_first(&scale), 0);
    scale = svg_scale_fit(130, 872, 5, false);
    assert_near(svg_scale_first(&scale), 200);
    assert_int_equal(svg_scale_digits(&scale), 0);
    scale = svg_scale_fit(0, 0.05, 5, true);
    assert_int_equal(svg_scale_digits(&scale), 2);
}

static void places(void **state)
{
    struct svg_scale scale = {.low = 10, .high = 20, .from = 100, .to = 0, .step = 1};

    assert_near(svg_scale_at(&scale, 10), 100);
    assert_near(svg_scale_at(&scale, 20), 0);
    assert_near(svg_scale_at(&scale, 12.5), 75);
    assert_near(svg_scale_at(&scale, -5), 100);
    assert_near(svg_scale_at(&scale, 1e30), 0);
    assert_near(svg_scale_at(&scale, NAN), 100);
}

static void straight_lines_need_two_points(void **state)
{
    enum { POINTS = 100 };
    double x[POINTS], y[POINTS];
    bool keep[POINTS];

    for (int i = 0; i < POINTS; i++) {
        x[i] = i;
        y[i] = 3 * i;
    }
    assert_int_equal(svg_thin(x, y, POINTS, 1, 0.1, POINTS, keep), 2);
    assert_true(keep[0] && keep[POINTS - 1]);
    y[50] += 1;
    assert_int_equal(svg_thin(x, y, POINTS, 1, 0.1, POINTS, keep), 5);
    assert_true(keep[49] && keep[50] && keep[51]);
    assert_int_equal(svg_thin(x, y, 1, 1, 0.1, POINTS, keep), 1);
    assert_int_equal(svg_thin(x, y, 0, 1, 0.1, POINTS, keep), 0);
}

/* What is left misses nothing by more than was allowed, unless there are too many points. */
static void thinned_curves_stay_near(void **state)
{
    enum { POINTS = 500, CURVES = 3 };
    static double x[POINTS], y[POINTS * CURVES];
    static bool keep[POINTS];
    struct prng prng;

    prng_seed(&prng, 7);
    for (int round = 0; round < 50; round++) {
        size_t kept, last = 0;
        double at = 0;

        for (size_t i = 0; i < POINTS; i++) {
            x[i] = at += prng_below(&prng, 3);
            for (size_t c = 0; c < CURVES; c++)
                y[i * CURVES + c] = prng_below(&prng, 1 + (uint32_t)c * 4);
        }
        kept = svg_thin(x, y, POINTS, CURVES, 3, POINTS, keep);
        assert_true(keep[0] && keep[POINTS - 1]);
        for (size_t i = 1; i < POINTS; i++) {
            if (!keep[i])
                continue;
            for (size_t j = last + 1; j < i; j++) {
                double part = x[i] > x[last] ? (x[j] - x[last]) / (x[i] - x[last]) : 0;

                for (size_t c = 0; c < CURVES; c++) {
                    double a = y[last * CURVES + c], b = y[i * CURVES + c];

                    assert_true(fabs(a + part * (b - a) - y[j * CURVES + c]) <= 3 + 1e-9);
                }
            }
            last = i;
        }
        for (size_t limit = 3; limit < 40; limit += 9) {
            kept = svg_thin(x, y, POINTS, CURVES, 0.001, limit, keep);
            assert_true(kept <= limit);
            assert_true(keep[0] && keep[POINTS - 1]);
        }
    }
}

/* What `draw` writes, for free(). */
static char *written(void (*draw)(FILE *out))
{
    char *bytes = NULL;
    size_t size;
    FILE *out = open_memstream(&bytes, &size);

    assert_non_null(out);
    draw(out);
    fclose(out);
    return bytes;
}

static void draw_curves(FILE *out)
{
    const struct svg_scale x = {.low = 0, .high = SVG_PLOT_WIDTH, .step = 100};
    const struct svg_scale y = {.low = 0, .high = SVG_PLOT_HEIGHT, .step = 50};
    const double xs[] = {0, 10, 20, 30, 40}, ys[] = {0, 5, 5, -1, 5};
    struct svg_curve curve = {
        .x = xs, .y = ys, .points = 5, .stride = 1, .class = "c", .title = "a < b"};
    struct svg_chart chart;

    svg_chart_begin(&chart, out, "label & more", &x, "s", &y, "MiB");
    svg_chart_area(&chart, &curve);
    svg_chart_line(&chart, &curve);
    svg_chart_marker(&chart, 10, "wedged");
    svg_chart_end(&chart);
}

static void curves(void **state)
{
    char *bytes = written(draw_curves);
    char *area = text("M0 %dl40-20h40l40 20l40-20v20z", SVG_PLOT_HEIGHT * SVG_FINE);
    char *line = text("class=\"line c\" d=\"M0 %dh0l40-20h40\"><title>a &lt; b</title></path>\n"
                      "<path class=\"dot c\" d=\"M160 %dh0\">",
                      SVG_PLOT_HEIGHT * SVG_FINE, (SVG_PLOT_HEIGHT - 5) * SVG_FINE);

    assert_non_null(strstr(bytes, area));
    assert_non_null(strstr(bytes, line));
    assert_non_null(strstr(bytes, "aria-label=\"label &amp; more\""));
    assert_non_null(strstr(bytes, "<title>a &lt; b</title>"));
    assert_non_null(strstr(bytes, "class=\"wedge\" d=\"M40 0v"));
    free(area);
    free(line);
    free(bytes);
}

/* Curves 1 and 2 end nearly together, 0 hardly below them, 3 at the top, 4 nowhere. */
static void draw_names(FILE *out)
{
    static const char *const names[] = {"0", "1", "2", "3", "4"};
    static const char *const classes[] = {"c", "c", "c", "c", "c"};
    const struct svg_scale scale = {.low = 0, .high = 1, .step = 0.5};
    const double y[] = {0, 0.01, 0.02, 1, -1};
    struct svg_chart chart;

    svg_chart_begin(&chart, out, "", &scale, "", &scale, "");
    svg_chart_names(&chart, y, names, classes, 5);
    svg_chart_end(&chart);
}

static void names_keep_clear(void **state)
{
    char *bytes = written(draw_names), *at = strstr(bytes, "<text class=\"c\"");
    const char *const wanted[] = {"3", "1-2", "0"};
    int x, before = -1000, place = 0, used;

    for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
        char name[8];

        assert_non_null(at);
        used = sscanf(at, "<text class=\"c\" x=\"%d\" y=\"%d\">%7[^<]", &x, &place, name);
        assert_int_equal(used, 3);
        assert_string_equal(name, wanted[i]);
        assert_true(place >= before + 10 * SVG_FINE);
        before = place;
        at = strstr(at + 1, "<text class=\"c\"");
    }
    assert_null(at);
    assert_true(place <= (SVG_PLOT_HEIGHT + 5) * SVG_FINE);
    free(bytes);
}

static char *name_row(size_t row, void *ctx)
{
    return text("row <%zu>", row);
}

static void draw_cells(FILE *out)
{
    const struct svg_cell_kind kinds[] = {{'a', "ca", "owner & co"}, {'b', "cb", NULL}};
    char cells[SVG_CELLS + 3];

    memset(cells, 'a', sizeof(cells));
    cells[1] = '-';
    cells[SVG_CELLS + 2] = 'b';
    svg_cells(out, "map", cells, sizeof(cells), SVG_CELLS, kinds, 2, name_row, NULL);
}

static void cells(void **state)
{
    char *bytes = written(draw_cells);

    assert_non_null(strstr(bytes, "class=\"cell ca\" d=\"M0 0h1M2 0h62M0 1h2\">"
                                  "<title>owner &amp; co</title>"));
    assert_non_null(strstr(bytes, "class=\"cell cb\" d=\"M2 1h1\"></path>"));
    assert_non_null(strstr(bytes, "row &lt;1&gt;"));
    assert_null(strstr(bytes, "row &lt;2&gt;"));
    free(bytes);
}

static void draw_bars(FILE *out)
{
    const struct svg_bar bars[] = {{"none", "10", 10, false, "bar"},
                                   {"all", "0", 0, true, "never"}};

    svg_bars(out, "bars", bars, 2);
    svg_bars(out, "nothing", &bars[1], 1);
    svg_spreads(out, "spreads", "cycles", &(struct svg_spread){"order 0", 0, 0, 0, 0, 0}, 1);
    svg_spreads(out, "spreads", "cycles", &(struct svg_spread){"order 0", 1, 2, 3, 1e15, 0}, 1);
}

static void bars(void **state)
{
    char *bytes = written(draw_bars);

    assert_non_null(strstr(bytes, "<title>none: 10</title>"));
    assert_null(strstr(bytes, "nan"));
    assert_null(strstr(bytes, "inf"));
    assert_non_null(strstr(bytes, ">100k<"));
    free(bytes);
}

static void draw_spreads(FILE *out)
{
    const struct svg_spread spreads[] = {
        {"object", 0, 10, 300, 5000, 25},
        {"order 0", 351, 607, 1471, 80059, 25},
    };

    svg_spreads(out, "spreads", "cycles", spreads, 2);
}

/* Nothing costs nothing: what the clock can't tell is marked, and the axis begins where it can. */
static void spreads_know_what_the_clock_hides(void **state)
{
    char *bytes = written(draw_spreads);

    assert_non_null(strstr(bytes, "<title>object: half of them up to below 25 cycles, 90% up to "
                                  "below 25, 99% up to 300, max 5000</title>"));
    assert_non_null(strstr(bytes, "<title>order 0: half of them up to 351 cycles, 90% up to 607"));
    assert_non_null(strstr(bytes, "class=\"less\""));
    assert_non_null(strstr(strstr(bytes, "class=\"less\"") + 1, "class=\"median\""));
    assert_null(strstr(strstr(bytes, "class=\"less\"") + 1, "class=\"less\""));
    assert_non_null(strstr(bytes, ">10<"));
    assert_null(strstr(bytes, ">1<"));
    free(bytes);
}

/* The mean of lower-case letters at 12 px, in the fonts that are usual. */
#define LETTER_LEAST 6.6

static void draw_long_names(FILE *out)
{
    const struct svg_bar bars[] = {
        {"none", "2,148", 2148, false, "bar"},
        {"without_watermarks", "15,488", 15488, false, "bar"},
        {"a_name_that_is_longer_than_any_remedy_s", "2,025,777, never", 2025777, true, "never"},
        {"nothing", "0, over", 0, true, "never"},
    };

    svg_bars(out, "bars", bars, 4);
}

/* No text of a picture begins left of it, or ends right of it. */
static void bars_have_room_for_their_names(void **state)
{
    char *bytes = written(draw_long_names);
    unsigned texts = 0;

    for (const char *at = bytes; (at = strstr(at, "<text x=\"")); texts++) {
        double x = strtod(at + strlen("<text x=\""), NULL);
        const char *end = strstr(at, "text-anchor=\"");
        bool ends_there = !strncmp(end, "text-anchor=\"end\"", strlen("text-anchor=\"end\""));

        at = strchr(at, '>') + 1;
        double width = (double)strcspn(at, "<") * LETTER_LEAST;
        assert_true(ends_there ? x >= width : x + width <= SVG_WIDTH);
    }
    assert_int_equal(texts, 8);
    assert_non_null(strstr(bytes, ">without_watermarks</text>"));
    assert_non_null(strstr(bytes, ">a_name_that_is_longer_than..</text>"));
    assert_non_null(strstr(bytes, "<title>a_name_that_is_longer_than_any_remedy_s: 2,0"));
    free(bytes);
}

static void escaping(void **state)
{
    char *bytes = NULL;
    size_t size;
    FILE *out = open_memstream(&bytes, &size);

    put_text(out, "<&>\"'\n\t\x01\x1b\x7f\xc3\xa4z");
    put_text(out, NULL);
    fclose(out);
    assert_string_equal(bytes, "&lt;&amp;&gt;&quot;&#39;\n\t?????z");
    free(bytes);
}

static void sizes(void **state)
{
    static const struct {
        uint64_t pages;
        const char *size;
    } sizes[] = {
        {0, "0 KiB"},     {1, "4 KiB"},       {255, "1020 KiB"},      {256, "1.0 MiB"},
        {384, "1.5 MiB"}, {25600, "100 MiB"}, {16777216, "64.0 GiB"}, {4294967296, "16.0 TiB"}};
    static const struct {
        uint64_t value;
        const char *grouped;
    } groups[] = {
        {0, "0"}, {999, "999"}, {1000, "1,000"}, {UINT64_MAX, "18,446,744,073,709,551,615"}};

    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        char *size = pages_text(sizes[i].pages);

        assert_string_equal(size, sizes[i].size);
        free(size);
    }
    for (size_t i = 0; i < ARRAY_SIZE(groups); i++) {
        char *grouped = grouped_text(groups[i].value);

        assert_string_equal(grouped, groups[i].grouped);
        free(grouped);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_are_round),
        cmocka_unit_test(whole_steps),
        cmocka_unit_test(places),
        cmocka_unit_test(straight_lines_need_two_points),
        cmocka_unit_test(thinned_curves_stay_near),
        cmocka_unit_test(curves),
        cmocka_unit_test(names_keep_clear),
        cmocka_unit_test(cells),
        cmocka_unit_test(bars),
        cmocka_unit_test(spreads_know_what_the_clock_hides),
        cmocka_unit_test(bars_have_room_for_their_names),
        cmocka_unit_test(escaping),
        cmocka_unit_test(sizes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
