// SPDX-License-Identifier: BSD-2-Clause
#include "ci/runner/report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Readers of JSON keep numbers as doubles, which hold this many digits. */
#define MAX_DIGITS 15

static void put_string(FILE *file, const char *s)
{
    if (!s) {
        fputs("null", file);
        return;
    }
    fputc('"', file);
    for (; *s; s++) {
        if (*s == '"' || *s == '\\')
            fprintf(file, "\\%c", *s);
        else if (*s == '\n')
            fputs("\\n", file);
        else if (*s < ' ' || *s > '~')
            fprintf(file, "\\u%04x", (unsigned char)*s);
        else
            fputc(*s, file);
    }
    fputc('"', file);
}

static void put_field(FILE *file, const char *name, const char *value)
{
    fprintf(file, "\"%s\": ", name);
    put_string(file, value);
}

static void put_case(FILE *file, const struct ktap_case *result)
{
    fputs("        {", file);
    put_field(file, "name", result->name);
    fputs(", ", file);
    put_field(file, "outcome", outcome_name(result->outcome));
    if (result->reason) {
        fputs(", ", file);
        put_field(file, "reason", result->reason);
    }
    if (result->messages) {
        fputs(", ", file);
        put_field(file, "messages", result->messages);
    }
    fprintf(file, ", \"seconds\": %.3f}", result->seconds);
}

static void put_suite(FILE *file, const struct ktap_suite *suite)
{
    fputs("    {", file);
    put_field(file, "name", suite->name);
    fputs(", ", file);
    put_field(file, "outcome", suite->finished ? outcome_name(suite->outcome) : "unfinished");
    fprintf(file, ", \"seconds\": %.3f, \"cases\": [", suite->ended - suite->started);
    for (size_t i = 0; i < suite->nr_cases; i++) {
        fputs(i ? ",\n" : "\n", file);
        put_case(file, &suite->cases[i]);
    }
    fputs(suite->nr_cases ? "\n    ]}" : "]}", file);
}

static void put_metric(FILE *file, const struct ktap_metric *metric)
{
    fputs("    {", file);
    put_field(file, "name", metric->name);
    /* The payload prints whole numbers; anything else stays a string, so that this stays JSON. */
    bool whole =
        strlen(metric->value) <= MAX_DIGITS && !metric->value[strspn(metric->value, "0123456789")];
    fputs(", ", file);
    if (whole)
        fprintf(file, "\"value\": %llu", strtoull(metric->value, NULL, 10));
    else
        put_field(file, "value", metric->value);
    fputs(", ", file);
    put_field(file, "unit", metric->unit);
    fputc('}', file);
}

int report_write_json(const struct report *report, const char *path)
{
    const struct ktap *ktap = report->ktap;
    const struct words *problems = &report->judgement->problems;
    FILE *file = fopen(path, "w");

    if (!file)
        return -errno;
    errno = 0;
    fputs("{\n  ", file);
    put_field(file, "name", report->name);
    fputs(",\n  ", file);
    put_field(file, "verdict", result_name(report->judgement->result));
    fputs(",\n  ", file);
    put_field(file, "seed", ktap->seed);
    fputs(",\n  ", file);
    put_field(file, "header", ktap->header);
    fputs(",\n  ", file);
    put_field(file, "command", report->command);
    fprintf(file, ",\n  \"seconds\": %.3f,\n  \"counts\": {", report->seconds);
    for (int i = 0; i < OUTCOMES; i++)
        fprintf(file, "%s\"%s\": %u", i ? ", " : "", outcome_name((enum outcome)i),
                ktap->counts[i]);
    fputs("},\n  \"problems\": [", file);
    for (size_t i = 0; i < problems->count; i++) {
        fputs(i ? ", " : "", file);
        put_string(file, problems->at[i]);
    }
    fputs("],\n  \"metrics\": [", file);
    for (size_t i = 0; i < ktap->nr_metrics; i++) {
        fputs(i ? ",\n" : "\n", file);
        put_metric(file, &ktap->metrics[i]);
    }
    fputs("\n  ],\n  \"suites\": [", file);
    for (size_t i = 0; i < ktap->nr_suites; i++) {
        fputs(i ? ",\n" : "\n", file);
        put_suite(file, &ktap->suites[i]);
    }
    fputs("\n  ]\n}\n", file);
    int error = ferror(file) ? -(errno ? errno : EIO) : 0;
    if (fclose(file) && !error)
        error = -errno;
    return error;
}
