// SPDX-License-Identifier: BSD-2-Clause
#include "ci/runner/report_lab.h"

#include <stdlib.h>
#include <string.h>

#include "ci/runner/markup.h"
#include "ci/runner/report_style.h"
#include "ci/runner/svg_cells.h"

/* What all cases share: a page of this much is below 3 MB at the worst, and quick to open. */
static const struct lab_detail in_all = {.points = 2000, .hints = 800, .cells = 40000};
static const struct lab_detail least = {.points = 24, .hints = 8, .cells = 256};
static const struct lab_detail most = {.points = 160, .hints = 40, .cells = 1280};

#define BALLAST "ballast"

char *lab_outcome_text(const struct lab_case *run)
{
    static const struct {
        const char *before, *after;
    } unwedged[LAB_VERDICTS] = {
        [LAB_NEVER] = {"did not wedge in the", " that it was given"},
        [LAB_OVER] = {"never wedged: after", " there was no more to do"},
        [LAB_STOPPED] = {"was stopped without a wedge after", ""},
    };
    char *done = grouped_text(run->done), *outcome;

    if (!run->ended) {
        outcome = text_copy("cut off: the log does not say how it ended");
    } else if (run->verdict != LAB_WEDGED) {
        outcome = text("%s %s %s%s", unwedged[run->verdict].before, done, run->unit,
                       unwedged[run->verdict].after);
    } else {
        char *free_there = run->zone < 0 ? NULL : pages_text(run->free[run->zone]);
        char *largest = run->largest < 0 ? text_copy("no block at all")
                                         : text("largest block: order %d", run->largest);

        outcome = text("wedged after %s %s: an allocation of order %u failed%s%s%s%s%s, %s", done,
                       run->unit, run->order, run->zone < 0 ? "" : " in ",
                       run->zone < 0 ? "" : lab_zone_name((unsigned)run->zone),
                       free_there ? " with " : "", free_there ? free_there : "",
                       free_there ? " free there" : "", largest);
        free(free_there);
        free(largest);
    }
    free(done);
    return outcome;
}

static void assign_colours(const struct lab_log *log, struct lab_colours *colours)
{
    int used = 0;

    for (unsigned letter = 0; letter < LAB_OWNERS; letter++)
        colours->owner[letter] = -1;
    for (size_t i = 0; i < log->nr_cases; i++) {
        for (unsigned letter = 0; letter < LAB_OWNERS; letter++) {
            const char *name = log->cases[i].owners[letter];

            if (name && colours->owner[letter] < 0 && strcmp(name, BALLAST))
                colours->owner[letter] = used++ % STYLE_OWNERS;
        }
    }
}

/* The name of the workload at place i: first those that have cases, then those with results only.
 */
static const char *name_at(const struct lab_log *log, size_t i)
{
    return i < log->nr_cases ? log->cases[i].workload : log->results[i - log->nr_cases].workload;
}

static bool is_first(const struct lab_log *log, size_t i)
{
    for (size_t before = 0; before < i; before++) {
        if (!strcmp(name_at(log, before), name_at(log, i)))
            return false;
    }
    return true;
}

static bool belongs(const struct lab_case *run, const char *workload)
{
    return !strcmp(run->workload, workload);
}

static void put_bars(FILE *out, const struct lab_log *log, const char *workload)
{
    static const char *const bar_words[LAB_VERDICTS] = {
        [LAB_NEVER] = ", never",
        [LAB_WEDGED] = "",
        [LAB_OVER] = ", over",
        [LAB_STOPPED] = ", stopped",
    };
    struct svg_bar *bars = calloc(log->nr_cases + 1, sizeof(*bars));
    size_t count = 0;
    const char *unit = "";

    if (!bars)
        abort();
    for (size_t i = 0; i < log->nr_cases; i++) {
        const struct lab_case *run = &log->cases[i];

        if (!belongs(run, workload) || !run->ended)
            continue;
        char *done = grouped_text(run->done);
        unit = run->unit;
        bars[count++] = (struct svg_bar){
            .name = run->name,
            .text = text("%s%s", done, bar_words[run->verdict]),
            .value = (double)run->done,
            .open = run->verdict != LAB_WEDGED,
            .class = run->verdict == LAB_NEVER || run->verdict == LAB_OVER ? "never" : "bar",
        };
        free(done);
    }
    if (count > 1) {
        char *label = text("%s: %s until it wedges, by remedy", workload, unit);

        fputs("<figure class=\"bars\">", out);
        svg_bars(out, label, bars, count);
        fputs("<figcaption>", out);
        put_textf(out, "%s until it wedges; an arrow: it did not; over: there was no more to do",
                  unit);
        fputs("</figcaption></figure>\n", out);
        free(label);
    }
    for (size_t i = 0; i < count; i++)
        free(bars[i].text);
    free(bars);
}

/* The zone that the workload runs out of, by the first case that did; NORMAL if none did. */
static unsigned wanted_zone(const struct lab_log *log, const char *workload)
{
    for (size_t i = 0; i < log->nr_cases; i++) {
        if (belongs(&log->cases[i], workload) && log->cases[i].zone >= 0)
            return (unsigned)log->cases[i].zone;
    }
    return 1;
}

static void put_workload(FILE *out, const struct lab_log *log, const char *workload,
                         const struct lab_colours *colours, const struct lab_detail *detail)
{
    unsigned zone = wanted_zone(log, workload);

    fputs("<section><h3 id=\"lab-", out);
    put_text(out, workload);
    fputs("\">", out);
    put_text(out, workload);
    fputs("</h3>\n", out);
    put_lab_table(out, log, workload);
    put_bars(out, log, workload);
    for (size_t i = 0; i < log->nr_cases; i++) {
        if (belongs(&log->cases[i], workload))
            put_lab_case(out, &log->cases[i], colours, zone, detail);
    }
    fputs("</section>\n", out);
}

static void put_notes(FILE *out, const struct lab_log *log)
{
    if (!log->notes.count)
        return;
    fputs("<details><summary>", out);
    put_textf(out, "%zu lines of the laboratory could not be used",
              log->notes.count + log->more_notes);
    fputs("</summary><pre>", out);
    for (size_t i = 0; i < log->notes.count; i++)
        put_textf(out, "%s\n", log->notes.at[i]);
    if (log->more_notes)
        put_textf(out, "and %zu more\n", log->more_notes);
    fputs("</pre></details>\n", out);
}

static size_t share(size_t all, size_t among, size_t at_least, size_t at_most)
{
    size_t each = among ? all / among : at_most;

    if (each < at_least)
        return at_least;
    return each > at_most ? at_most : each;
}

static void put_all(FILE *out, const struct lab_log *log)
{
    size_t places = log->nr_cases + log->nr_results, count = 0;
    const char **workloads = calloc(places + 1, sizeof(*workloads));
    struct lab_colours colours;

    if (!workloads)
        abort();

    for (size_t i = 0; i < places; i++) {
        if (is_first(log, i))
            workloads[count++] = name_at(log, i);
    }
    const struct lab_detail detail = {
        .points = share(in_all.points, log->nr_cases, least.points, most.points),
        .hints = share(in_all.hints, log->nr_cases, least.hints, most.hints),
        .cells = share(in_all.cells, log->nr_cases, least.cells, most.cells),
    };
    assign_colours(log, &colours);
    fputs("<h2 id=\"laboratory\">The lowmem laboratory</h2>\n", out);
    put_notes(out, log);
    if (count)
        put_lab_summary(out, log, workloads, count);
    for (size_t i = 0; i < count; i++)
        put_workload(out, log, workloads[i], &colours, &detail);
    free(workloads);
}

void put_lab(FILE *out, const struct lab_log *log)
{
    if (log->nr_cases || log->nr_results || log->notes.count)
        put_all(out, log);
}
