// SPDX-License-Identifier: BSD-2-Clause
#include "ci/runner/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ci/runner/lab_log.h"
#include "ci/runner/markup.h"
#include "ci/runner/report_lab.h"
#include "ci/runner/report_style.h"

static const struct {
    const char *class, *meaning;
} results[] = {
    [RESULT_PASS] = {"good", "every case that could be tried passed, and nothing contradicts it"},
    [RESULT_FAIL] = {"bad", "the machine broke a rule"},
    [RESULT_ERROR] = {"worse", "a test could not do its work"},
    [RESULT_BROKEN] = {"bad", "there is no verdict to believe"},
    [RESULT_REFUSED] = {"worse", "the payload does not run on this CPU"},
    [RESULT_CANT] = {"worse", "the run could not be done"},
};

static void put_verdict(FILE *out, const struct report *report)
{
    enum result result = report->judgement->result;
    const struct words *problems = &report->judgement->problems;
    const unsigned *counts = report->ktap->counts;

    fprintf(out, "<div class=\"verdict %s\" role=\"status\"><b>", results[result].class);
    put_text(out, result_name(result));
    fputs("</b><span>", out);
    put_text(out, results[result].meaning);
    fputs("<br/>", out);
    put_textf(out, "%u passed, %u failed, %u skipped, %u errors in %.1f s", counts[OUTCOME_OK],
              counts[OUTCOME_NOT_OK], counts[OUTCOME_SKIP], counts[OUTCOME_ERROR], report->seconds);
    fputs("</span></div>\n", out);
    if (!problems->count)
        return;
    fputs("<pre>", out);
    for (size_t i = 0; i < problems->count; i++)
        put_textf(out, "%s\n", problems->at[i]);
    fputs("</pre>\n", out);
}

/* A line of the list of what was run; without a value it is left out. */
static void put_fact(FILE *out, const char *name, const char *value)
{
    if (!value || !*value)
        return;
    put_element(out, "dt", NULL, name);
    put_element(out, "dd", NULL, value);
    fputc('\n', out);
}

static void put_machine(FILE *out, const struct report *report)
{
    const struct machine *machine = report->machine;
    char *memory = size_text(machine->mem_bytes), *options = machine_options(machine);

    fputs("<h2 id=\"machine\">Machine</h2>\n<dl>\n", out);
    put_fact(out, "firmware", firmware_name(machine->firmware));
    put_fact(out, "machine type", machine_type(machine));
    put_fact(out, "cpu", machine_cpu(machine));
    put_fact(out, "memory", memory);
    put_fact(out, "options", options);
    put_fact(out, "seed", report->ktap->seed);
    put_fact(out, "payload", report->ktap->header);
    fputs("<dt>again</dt><dd><code>", out);
    put_text(out, report->command);
    fputs("</code></dd>\n</dl>\n", out);
    free(memory);
    free(options);
}

static bool is_bad(enum outcome outcome)
{
    return outcome == OUTCOME_NOT_OK || outcome == OUTCOME_ERROR;
}

static bool suite_is_bad(const struct ktap_suite *suite)
{
    bool bad = !suite->finished || is_bad(suite->outcome);

    for (size_t i = 0; i < suite->nr_cases; i++)
        bad = bad || is_bad(suite->cases[i].outcome);
    return bad;
}

static void put_tag(FILE *out, const char *name)
{
    fprintf(out, "<span class=\"tag %s\">%s</span> ", name, name);
}

static void put_case(FILE *out, const struct ktap_case *result)
{
    const char *name = outcome_name(result->outcome);

    if (!result->messages) {
        fputs("<div class=\"in\">", out);
        put_tag(out, name);
        put_text(out, result->name);
    } else {
        fputs(is_bad(result->outcome) ? "<details class=\"in\" open=\"open\"><summary>"
                                      : "<details class=\"in\"><summary>",
              out);
        put_tag(out, name);
        put_text(out, result->name);
    }
    if (result->reason)
        put_textf(out, ": %s", result->reason);
    fputs("<span class=\"soft\">", out);
    put_textf(out, " %.2f s", result->seconds > 0 ? result->seconds : 0);
    fputs("</span>", out);
    if (result->messages) {
        fputs("</summary>", out);
        put_element(out, "pre", NULL, result->messages);
        fputs("</details>\n", out);
    } else {
        fputs("</div>\n", out);
    }
}

static void put_suite(FILE *out, const struct ktap_suite *suite)
{
    bool bad = suite_is_bad(suite);
    double seconds = suite->finished ? suite->ended - suite->started : 0;

    fputs(bad ? "<details open=\"open\"><summary>" : "<details><summary>", out);
    put_tag(out, suite->finished ? outcome_name(suite->outcome) : "unfinished");
    put_element(out, "b", NULL, suite->name ? suite->name : "?");
    fputs("<span class=\"soft\">", out);
    put_textf(out, " %zu cases, %.1f s", suite->nr_cases, seconds > 0 ? seconds : 0);
    fputs("</span></summary>\n", out);
    if (suite->orphans)
        put_element(out, "pre", NULL, suite->orphans);
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < suite->nr_cases; i++) {
            if (is_bad(suite->cases[i].outcome) == (pass == 0))
                put_case(out, &suite->cases[i]);
        }
    }
    fputs("</details>\n", out);
}

/* Those with something wrong come first. */
static void put_suites(FILE *out, const struct ktap *ktap)
{
    fputs("<h2 id=\"suites\">Suites</h2>\n", out);
    if (!ktap->nr_suites)
        put_element(out, "p", "soft", "None was run.");
    for (size_t i = 0; i < ktap->nr_suites; i++) {
        if (suite_is_bad(&ktap->suites[i]))
            put_suite(out, &ktap->suites[i]);
    }
    fputs("<div class=\"cols suites\">\n", out);
    for (size_t i = 0; i < ktap->nr_suites; i++) {
        if (!suite_is_bad(&ktap->suites[i]))
            put_suite(out, &ktap->suites[i]);
    }
    fputs("</div>\n", out);
}

static void put_value(FILE *out, const struct ktap_metric *metric)
{
    bool whole = strlen(metric->value) < 20 && !metric->value[strspn(metric->value, "0123456789")];

    if (whole)
        put_number_cell(out, strtoull(metric->value, NULL, 10));
    else
        put_element(out, "td", "n", metric->value);
    put_element(out, "td", NULL, metric->unit);
}

/* What stands before the dot of a metric's name: its suite, or another group. */
static size_t group_length(const struct ktap_metric *metric)
{
    return strcspn(metric->name, ".");
}

static bool same_group(const struct ktap_metric *a, const struct ktap_metric *b)
{
    size_t length = group_length(a);

    return length == group_length(b) && !strncmp(a->name, b->name, length);
}

static bool group_is_new(const struct ktap *ktap, size_t i)
{
    for (size_t before = 0; before < i; before++) {
        if (same_group(&ktap->metrics[before], &ktap->metrics[i]))
            return false;
    }
    return true;
}

static void put_metric_group(FILE *out, const struct ktap *ktap, size_t first)
{
    const struct ktap_metric *metric = &ktap->metrics[first];
    size_t length = group_length(metric), count = 0;

    for (size_t i = first; i < ktap->nr_metrics; i++)
        count += same_group(metric, &ktap->metrics[i]);
    fputs("<details><summary><b>", out);
    put_textf(out, "%.*s", (int)length, metric->name);
    fputs("</b><span class=\"soft\">", out);
    put_textf(out, " %zu", count);
    fputs("</span></summary><div class=\"wide\"><table><thead><tr><th>metric</th>"
          "<th class=\"n\">value</th><th>unit</th></tr></thead><tbody>\n",
          out);
    for (size_t i = first; i < ktap->nr_metrics; i++) {
        const struct ktap_metric *row = &ktap->metrics[i];

        if (!same_group(metric, row))
            continue;
        fputs("<tr>", out);
        put_element(out, "td", NULL, row->name[length] ? row->name + length + 1 : row->name);
        put_value(out, row);
        fputs("</tr>\n", out);
    }
    fputs("</tbody></table></div></details>\n", out);
}

static void put_metrics(FILE *out, const struct ktap *ktap)
{
    if (!ktap->nr_metrics)
        return;
    fputs("<h2 id=\"metrics\">Metrics</h2>\n<div class=\"cols\">\n", out);
    for (size_t i = 0; i < ktap->nr_metrics; i++) {
        if (group_is_new(ktap, i))
            put_metric_group(out, ktap, i);
    }
    fputs("</div>\n", out);
}

static void put_page(FILE *out, const struct report *report)
{
    struct lab_log log;

    lab_log_read(&log, report->ktap);
    fputs("<!DOCTYPE html>\n<html xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"en\">\n<head>\n"
          "<meta charset=\"utf-8\"/>\n"
          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<title>",
          out);
    put_textf(out, "%s: %s", result_name(report->judgement->result), report->name);
    fprintf(out, "</title>\n<style>\n%s</style>\n</head>\n<body>\n", report_style);
    fputs("<h1>", out);
    put_textf(out, "paeload: %s", report->name);
    fputs("</h1>\n", out);
    put_verdict(out, report);
    put_machine(out, report);
    put_suites(out, report->ktap);
    put_metrics(out, report->ktap);
    put_lab(out, &log);
    fputs("</body>\n</html>\n", out);
    lab_log_free(&log);
}

int report_write_html(const struct report *report, const char *path)
{
    FILE *file = fopen(path, "w");

    if (!file)
        return -errno;
    errno = 0;
    put_page(file, report);
    int error = ferror(file) ? -(errno ? errno : EIO) : 0;
    if (fclose(file) && !error)
        error = -errno;
    return error;
}
