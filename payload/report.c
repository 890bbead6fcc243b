/* SPDX-License-Identifier: BSD-2-Clause */
#include "payload/report.h"
#include "drivers/console.h"
#include "lib/crc32c.h"
#include "lib/format.h"
#include "lib/string.h"
#include "lib/x86/cpu.h"

#define CASE_INDENT 4

static struct {
    enum report_format format;
    uint32_t lines;
    uint32_t crc;
    struct report_totals totals;
} state;

/*
 * `line` has room for one character more than REPORT_LINE_MAX - 1. Cuts, cleans, counts, writes;
 * with interrupts off, because a handler may have something to say too, and lines must not mix.
 */
static void put_line(char *line, size_t wanted, enum console_readers readers)
{
    size_t len = MIN(wanted, (size_t)REPORT_LINE_MAX - 1);
    uint32_t flags;

    if (wanted > len)
        line[len - 1] = '~';
    for (size_t i = 0; i < len; i++)
        if (line[i] < ' ' || line[i] > '~')
            line[i] = '?';
    line[len++] = '\n';
    flags = irq_save();
    state.crc = crc32c_update(state.crc, line, len);
    state.lines++;
    console_write(line, len, readers);
    irq_restore(flags);
}

static size_t clamp_length(int wanted)
{
    return wanted > 0 ? (size_t)wanted : 0;
}

/* What consoles have to say of themselves, in the caller's line, which is written by now. */
static void notices(char *line)
{
    static const char prefix[] = "# ";
    const size_t length = sizeof(prefix) - 1;

    while (console_take_notice(line + length, REPORT_LINE_MAX - length)) {
        memcpy(line, prefix, length);
        put_line(line, strlen(line), CONSOLE_ALL);
    }
}

static void put_formatted(enum console_readers readers, const char *fmt, va_list args)
{
    char line[REPORT_LINE_MAX + 1];

    put_line(line, clamp_length(vformat(line, REPORT_LINE_MAX, fmt, args)), readers);
    notices(line);
}

void report_line(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    put_formatted(CONSOLE_ALL, fmt, args);
    va_end(args);
}

void report_record(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    put_formatted(CONSOLE_PROGRAMS, fmt, args);
    va_end(args);
}

void report_note(unsigned indent, const char *fmt, ...)
{
    char line[REPORT_LINE_MAX + 1];
    va_list args;
    size_t prefix = clamp_length(format(line, REPORT_LINE_MAX, "%*s# ", (int)indent, ""));

    va_start(args, fmt);
    size_t wanted = clamp_length(vformat(line + prefix, REPORT_LINE_MAX - prefix, fmt, args));
    va_end(args);
    put_line(line, prefix + wanted, CONSOLE_ALL);
    notices(line);
}

void report_begin(enum report_format format)
{
    memset(&state, 0, sizeof(state));
    state.format = format;
    /* What firmware left on the line must not run into ours. */
    console_write("\n", 1, CONSOLE_ALL);
    report_line("KTAP version 1");
}

void report_metric(const char *group, const char *name, uint64_t value, const char *unit)
{
    report_line("# metric %s.%s %llu %s", group, name, (unsigned long long)value, unit);
    if (state.format == REPORT_LAVA)
        report_line(
            "<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=%s.%s RESULT=pass UNITS=%s MEASUREMENT=%llu>",
            group, name, unit, (unsigned long long)value);
}

void report_progress(const char *suite, uint32_t done, uint32_t total)
{
    report_line("# progress %s %u/%u", suite, done, total);
}

void report_suite_begin(const char *suite, unsigned nr_cases)
{
    report_line("%*sKTAP version 1", CASE_INDENT, "");
    report_line("%*s# Subtest: %s", CASE_INDENT, "", suite);
    report_line("%*s1..%u", CASE_INDENT, "", nr_cases);
}

static void count(enum outcome outcome)
{
    switch (outcome) {
    case OUTCOME_OK:
        state.totals.pass++;
        break;
    case OUTCOME_SKIP:
        state.totals.skip++;
        break;
    case OUTCOME_ERROR:
        state.totals.error++;
        break;
    case OUTCOME_NOT_OK:
        state.totals.fail++;
        break;
    }
}

static const char *lava_result(enum outcome outcome)
{
    if (outcome == OUTCOME_OK)
        return "pass";
    if (outcome == OUTCOME_SKIP)
        return "skip";
    return outcome == OUTCOME_ERROR ? "unknown" : "fail";
}

void report_case(const char *suite, unsigned number, const char *name, enum outcome outcome,
                 const char *reason)
{
    const char *result = outcome == OUTCOME_OK || outcome == OUTCOME_SKIP ? "ok" : "not ok";

    count(outcome);
    if (outcome == OUTCOME_SKIP || outcome == OUTCOME_ERROR)
        report_line("%*s%s %u %s # %s %s", CASE_INDENT, "", result, number, name,
                    outcome == OUTCOME_SKIP ? "SKIP" : "ERROR", reason ? reason : "");
    else
        report_line("%*s%s %u %s", CASE_INDENT, "", result, number, name);
    if (state.format == REPORT_LAVA)
        report_line("<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=%s.%s RESULT=%s>", suite, name,
                    lava_result(outcome));
}

void report_suite_end(unsigned number, const char *suite, enum outcome outcome, bool all_skipped)
{
    if (outcome == OUTCOME_ERROR)
        report_line("not ok %u %s # ERROR", number, suite);
    else if (outcome == OUTCOME_NOT_OK)
        report_line("not ok %u %s", number, suite);
    else
        report_line("ok %u %s%s", number, suite, all_skipped ? " # SKIP every case" : "");
}

void report_count_error(void)
{
    state.totals.error++;
}

const struct report_totals *report_totals(void)
{
    return &state.totals;
}

enum outcome report_end(void)
{
    const struct report_totals *t = &state.totals;
    enum outcome outcome = OUTCOME_OK;
    static const char *const words[] = {
        [OUTCOME_OK] = "PASS", [OUTCOME_ERROR] = "ERROR", [OUTCOME_NOT_OK] = "FAIL"};

    if (t->pass + t->fail + t->error == 0) {
        report_line("# error: nothing was tested: %u cases skipped, none run", t->skip);
        state.totals.error++;
    }
    if (t->fail)
        outcome = OUTCOME_NOT_OK;
    else if (t->error)
        outcome = OUTCOME_ERROR;
    report_line("# paeload: %s pass=%u fail=%u skip=%u error=%u lines=%u crc32c=%08x",
                words[outcome], t->pass, t->fail, t->skip, t->error, state.lines, state.crc);
    return outcome;
}
