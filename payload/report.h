/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAYLOAD_REPORT_H
#define PAYLOAD_REPORT_H

/*
 * The report: KTAP version 1 on all consoles, one line at a time.
 *
 * Every line is ASCII and shorter than REPORT_LINE_MAX; a longer one is cut and ends in "~". All
 * lines from "KTAP version 1" on are counted and summed (CRC-32C over each line and one '\n'), and
 * the last line says how many there were, so that a line lost on the wire is noticed.
 *
 *     KTAP version 1
 *     # paeload 0.1 ...
 *     1..2
 *         KTAP version 1
 *         # Subtest: paging
 *         1..1
 *         ok 1 walk
 *     ok 1 paging
 *     # metric memory.lowmem_free 812 MiB
 *     # progress paging 1/1
 *     # paeload: PASS pass=1 fail=0 skip=0 error=0 lines=N crc32c=HEX
 *
 * A message line begins with "# " at the same indent as the result that it belongs to, and stands
 * before it.
 */

#include "lib/types.h"
#include "payload/options.h"

#define REPORT_LINE_MAX 120

enum outcome {
    OUTCOME_OK,
    OUTCOME_SKIP,   /* the machine lacks what the case needs */
    OUTCOME_ERROR,  /* the test could not do its work */
    OUTCOME_NOT_OK, /* the machine broke a rule */
};

struct report_totals {
    uint32_t pass, fail, skip, error;
};

/* Writes the first line. format: what report= asked for. Context: either phase. */
void report_begin(enum report_format format);

/* Writes one line, formatted. Context: any. */
void report_line(const char *fmt, ...) __printf(1, 2);

/* The same, for programs: no screen shows it. */
void report_record(const char *fmt, ...) __printf(1, 2);

/* Writes "# " and a formatted line, at the indent of cases (4) or of suites (0). */
void report_note(unsigned indent, const char *fmt, ...) __printf(2, 3);

/* # metric GROUP.NAME VALUE UNIT */
void report_metric(const char *group, const char *name, uint64_t value, const char *unit);

/* # progress SUITE DONE/TOTAL; the caller sees to it that this is at most twice a second. */
void report_progress(const char *suite, uint32_t done, uint32_t total);

/* A suite begins: its plan. nr_cases 0 is fine. */
void report_suite_begin(const char *suite, unsigned nr_cases);

/*
 * A case's result, counted. `name` may have an instance after a dot. `reason` for skip and error,
 * else NULL.
 */
void report_case(const char *suite, unsigned number, const char *name, enum outcome outcome,
                 const char *reason);

/* A suite's result: the worst of its cases; if all were skipped, it is skipped. */
void report_suite_end(unsigned number, const char *suite, enum outcome outcome, bool all_skipped);

/* The last line. Returns what the run came to; nothing but skips is an error. */
enum outcome report_end(void);

/* Counts an error that belongs to no case. */
void report_count_error(void);

const struct report_totals *report_totals(void);

#endif
