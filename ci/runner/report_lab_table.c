// SPDX-License-Identifier: BSD-2-Clause
#include "ci/runner/report_lab.h"

#include <stdlib.h>
#include <string.h>

#include "ci/runner/markup.h"

#define COSTS 4      /* columns: p50, p90, p99, max */
#define TENFOLD 1000 /* percent: so many, and a remedy is one */
#define WITHOUT "none"

static bool belongs(const struct lab_case *run, const char *workload)
{
    return !strcmp(run->workload, workload);
}

static void put_done(FILE *out, enum lab_verdict verdict, uint64_t done)
{
    static const char *const formats[LAB_VERDICTS] = {
        [LAB_NEVER] = "never",
        [LAB_OVER] = "over",
        [LAB_STOPPED] = "stopped",
    };
    char *grouped = grouped_text(done);

    fputs("<td class=\"n\">", out);
    if (formats[verdict])
        put_textf(out, "%s (%s)", formats[verdict], grouped);
    else
        put_text(out, grouped);
    fputs("</td>", out);
    free(grouped);
}

/* Did the run without remedies wedge? Else steps are a multiple of nothing. */
static bool can_compare(const struct lab_log *log, const char *workload)
{
    for (size_t i = 0; i < log->nr_results; i++) {
        const struct lab_result *result = &log->results[i];

        if (!strcmp(result->workload, workload) &&
            !strncmp(result->remedy, WITHOUT, strlen(WITHOUT)))
            return result->verdict == LAB_WEDGED;
    }
    return true;
}

/* "12.0 x", or that it is at least so many where there was no wedge. */
static void put_times(FILE *out, const struct lab_log *log, const struct lab_result *result)
{
    int digits = result->times < 1000 ? 2 : result->times < 10000 ? 1 : 0;

    if (!can_compare(log, result->workload)) {
        fputs("-", out);
        return;
    }
    if (result->verdict != LAB_WEDGED)
        fputs("&#8805; ", out);
    put_textf(out, "%.*f", digits, (double)result->times / 100);
    fputs(" &#215;", out);
}

static void put_times_cell(FILE *out, const struct lab_log *log, const struct lab_result *result)
{
    fputs("<td class=\"n\">", out);
    if (result)
        put_times(out, log, result);
    fputs("</td>", out);
}

static void put_pages_cell(FILE *out, uint64_t pages)
{
    char *size = pages_text(pages);

    put_element(out, "td", "n", size);
    free(size);
}

char *lab_cost_text(uint64_t cost, uint64_t noise)
{
    uint64_t told = noise ? noise : 1;
    char *grouped = grouped_text(cost < told ? told : cost), *whole;

    if (cost >= told)
        return grouped;
    whole = text("< %s", grouped);
    free(grouped);
    return whole;
}

void put_lab_cost_cell(FILE *out, uint64_t cost, uint64_t noise)
{
    char *told = lab_cost_text(cost, noise);

    put_element(out, "td", "n", told);
    free(told);
}

/* What the workload's table compares costs by: as its first case that has any tells. */
static const struct lab_spent *compared_spent(const struct lab_log *log, const char *workload)
{
    for (size_t i = 0; i < log->nr_cases; i++) {
        const struct lab_spent *spent = lab_main_spent(log, &log->cases[i]);

        if (belongs(&log->cases[i], workload) && spent)
            return spent;
    }
    return NULL;
}

static void put_costs(FILE *out, const struct lab_spent *spent, uint64_t noise)
{
    if (!spent) {
        for (unsigned i = 0; i < COSTS; i++)
            fputs("<td class=\"n\">-</td>", out);
        return;
    }
    put_lab_cost_cell(out, spent->p50, noise);
    put_lab_cost_cell(out, spent->p90, noise);
    put_lab_cost_cell(out, spent->p99, noise);
    put_lab_cost_cell(out, spent->max, noise);
}

static void put_row(FILE *out, const struct lab_log *log, const struct lab_case *run,
                    const struct lab_spent *compared)
{
    fputs("<tr>", out);
    put_element(out, "td", NULL, run->name);
    if (run->ended)
        put_done(out, run->verdict, run->done);
    else
        fputs("<td class=\"n\">cut off</td>", out);
    put_times_cell(out, log, lab_result_of(log, run));
    for (unsigned zone = 0; zone < LAB_ZONES; zone++) {
        if (run->ended)
            put_pages_cell(out, run->free[zone]);
        else
            fputs("<td></td>", out);
    }
    fputs("<td>", out);
    if (run->ended && run->verdict == LAB_WEDGED && run->zone >= 0)
        put_textf(out, "order %u in %s", run->order, lab_zone_name((unsigned)run->zone));
    fputs("</td>", out);
    put_costs(out, compared ? lab_spent_of(run, LAB_ALLOC, compared->order) : NULL, run->noise);
    fputs("</tr>\n", out);
}

/* A result whose case is lost. */
static void put_bare_row(FILE *out, const struct lab_log *log, const struct lab_result *result)
{
    fputs("<tr>", out);
    put_element(out, "td", NULL, result->remedy);
    put_done(out, result->verdict, result->done);
    put_times_cell(out, log, result);
    fputs("<td colspan=\"4\" class=\"soft\">the case itself is not in the log</td>", out);
    if (result->has_p50)
        put_lab_cost_cell(out, result->p50, 0);
    else
        fputs("<td class=\"n\">-</td>", out);
    fprintf(out, "<td colspan=\"%d\"></td></tr>\n", COSTS - 1);
}

static const char *step_unit(const struct lab_log *log, const char *workload)
{
    for (size_t i = 0; i < log->nr_cases; i++) {
        if (belongs(&log->cases[i], workload))
            return log->cases[i].unit;
    }
    return "steps";
}

static void put_head(FILE *out, const char *unit, const struct lab_spent *compared)
{
    fputs("<thead><tr><th rowspan=\"2\">remedy</th><th rowspan=\"2\" class=\"n\">", out);
    put_text(out, unit);
    fputs(" until it wedges</th><th rowspan=\"2\" class=\"n\">times none</th>"
          "<th colspan=\"3\" class=\"over\">free memory then</th>"
          "<th rowspan=\"2\">what failed</th>",
          out);
    fprintf(out, "<th colspan=\"%d\" class=\"over\">", COSTS);
    if (compared)
        put_textf(out, "cost of order %u, %s", compared->order, compared->unit);
    else
        fputs("cost of allocations", out);
    fputs("</th></tr><tr>", out);
    for (unsigned zone = 0; zone < LAB_ZONES; zone++)
        put_element(out, "th", "n", lab_zone_name(zone));
    fputs("<th class=\"n\">p50</th><th class=\"n\">p90</th><th class=\"n\">p99</th>"
          "<th class=\"n\">max</th></tr></thead>",
          out);
}

void put_lab_table(FILE *out, const struct lab_log *log, const char *workload)
{
    const struct lab_spent *compared = compared_spent(log, workload);

    fputs("<div class=\"wide\"><table class=\"results\">", out);
    put_head(out, step_unit(log, workload), compared);
    fputs("<tbody>\n", out);
    for (size_t i = 0; i < log->nr_cases; i++) {
        if (belongs(&log->cases[i], workload))
            put_row(out, log, &log->cases[i], compared);
    }
    for (size_t i = 0; i < log->nr_results; i++) {
        if (!strcmp(log->results[i].workload, workload) && !log->results[i].has_case)
            put_bare_row(out, log, &log->results[i]);
    }
    fputs("</tbody></table></div>\n", out);
}

/* The run without remedies, which comes first; NULL if it is not in the log. */
static const struct lab_case *without(const struct lab_log *log, const char *workload)
{
    for (size_t i = 0; i < log->nr_cases; i++) {
        if (belongs(&log->cases[i], workload) &&
            !strncmp(log->cases[i].name, WITHOUT, strlen(WITHOUT)))
            return &log->cases[i];
    }
    return NULL;
}

static void put_free(FILE *out, const struct lab_case *run)
{
    fputs("<td class=\"items\"><ul>", out);
    for (unsigned zone = 0; zone < LAB_ZONES; zone++) {
        char *size = pages_text(run->free[zone]), *item;

        item = text("%s %s", lab_zone_name(zone), size);
        put_element(out, "li", NULL, item);
        free(item);
        free(size);
    }
    fputs("</ul></td>", out);
}

static void put_without(FILE *out, const struct lab_case *run, const struct lab_spent *compared)
{
    const struct lab_spent *spent = NULL;

    if (run && run->ended) {
        put_done(out, run->verdict, run->done);
        put_free(out, run);
    } else {
        fputs("<td colspan=\"2\" class=\"soft\">not in the log</td>", out);
    }
    if (run && compared)
        spent = lab_spent_of(run, LAB_ALLOC, compared->order);
    fputs("<td class=\"items\">", out);
    if (spent) {
        char *cost = lab_cost_text(spent->p50, run->noise);

        fputs("<ul><li>", out);
        put_textf(out, "%s %s", cost, spent->unit);
        fputs("</li><li>", out);
        put_textf(out, "order %u", spent->order);
        fputs("</li></ul>", out);
        free(cost);
    }
    fputs("</td>", out);
}

/* The noise that a result's cost was measured with. */
static uint64_t noise_of(const struct lab_log *log, const struct lab_result *result)
{
    for (size_t i = 0; i < log->nr_cases; i++) {
        if (lab_result_of(log, &log->cases[i]) == result)
            return log->cases[i].noise;
    }
    return 0;
}

static void put_remedy(FILE *out, const struct lab_log *log, const struct lab_result *result)
{
    bool helps = result->verdict == LAB_NEVER || result->times >= TENFOLD;

    fputs("<li>", out);
    put_text(out, result->remedy);
    fputs(helps ? " <b class=\"pass\">" : " <b>", out);
    put_times(out, log, result);
    fputs("</b>", out);
    if (result->has_p50) {
        char *cost = lab_cost_text(result->p50, noise_of(log, result));

        fputs(" <span class=\"soft\">", out);
        put_text(out, cost);
        fputs("</span>", out);
        free(cost);
    }
    fputs("</li>", out);
}

static void put_summary_row(FILE *out, const struct lab_log *log, const char *workload)
{
    const struct lab_case *none = without(log, workload);

    fputs("<tr><td><a href=\"#lab-", out);
    put_text(out, workload);
    fputs("\">", out);
    put_text(out, workload);
    fputs("</a></td>", out);
    put_element(out, "td", NULL, step_unit(log, workload));
    put_without(out, none, compared_spent(log, workload));
    fputs("<td class=\"items\"><ul>", out);
    for (size_t i = 0; i < log->nr_results; i++) {
        const struct lab_result *result = &log->results[i];

        if (!strcmp(result->workload, workload) &&
            strncmp(result->remedy, WITHOUT, strlen(WITHOUT)))
            put_remedy(out, log, result);
    }
    fputs("</ul></td></tr>\n", out);
}

void put_lab_summary(FILE *out, const struct lab_log *log, const char *const *workloads,
                     size_t count)
{
    fputs("<div class=\"wide\"><table class=\"results\" id=\"lab-summary\"><thead><tr>"
          "<th rowspan=\"2\">workload</th><th rowspan=\"2\">steps are</th>"
          "<th colspan=\"3\" class=\"over\">without remedies</th>"
          "<th rowspan=\"2\">with each remedy: times as many steps until it wedges, and "
          "the p50 of an allocation</th></tr>"
          "<tr><th class=\"n\">wedged after</th><th>free memory then</th>"
          "<th>p50 of an allocation</th></tr></thead><tbody>\n",
          out);
    for (size_t i = 0; i < count; i++)
        put_summary_row(out, log, workloads[i]);
    fputs("</tbody></table></div>\n", out);
}
