/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_RUNNER_KTAP_H
#define CI_RUNNER_KTAP_H

/*
 * From the bytes of a serial line to a report.
 *
 * The payload speaks KTAP version 1, nested one level:
 *
 *     KTAP version 1
 *     # paeload 0.1 seed=1234abcd cpu="..."
 *     1..2
 *         KTAP version 1
 *         # Subtest: paging
 *         1..2
 *         # why the next line is not ok
 *         not ok 1 walk
 *         ok 2 nx # SKIP no NX on this CPU
 *     # metric memory.lowmem_free 812 MiB
 *     # progress paging 2/2
 *     not ok 1 paging
 *     ok 2 kmap
 *     # paeload: FAIL pass=9 fail=1 skip=1 error=0 lines=13 crc32c=89abcdef
 *
 * "not ok ... # ERROR why" is a test that could not do its work. The last line counts the lines
 * before it and carries their CRC32C, each line taken with a single '\n' and without '\r'. What
 * the firmware wrote before the first line is no part of the report, even when it glued an escape
 * sequence to that line.
 *
 * The parser takes bytes as they come, in pieces of any size. It never refuses input: what is
 * wrong with it is written down in `problems`, in words, and ktap_finish() adds what only shows at
 * the end (a byte lost on the line, a plan not kept, counts that disagree).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ci/runner/words.h"

/* Worst last. */
enum outcome {
    OUTCOME_OK,
    OUTCOME_SKIP,
    OUTCOME_ERROR,
    OUTCOME_NOT_OK,
};
#define OUTCOMES 4

struct ktap_case {
    char *name;
    enum outcome outcome;
    char *reason;   /* what stood after SKIP or ERROR, or NULL */
    char *messages; /* the comment lines before the result, with '\n', or NULL */
    double seconds; /* since the result before it, as seen on this side of the line */
};

struct ktap_suite {
    char *name;
    enum outcome outcome; /* its own result line when finished */
    struct ktap_case *cases;
    size_t nr_cases;
    long planned;  /* -1: not said */
    bool finished; /* its result line was seen */
    char *reason;  /* of the suite's own result line, or NULL */
    char *orphans; /* comment lines after the last case, with '\n', or NULL */
    double started, ended;
};

struct ktap_metric {
    char *name, *value, *unit; /* name is SUITE.NAME */
};

/* A line for the pictures of the report: "# lab ..."; see lab_log.h. */
struct ktap_lab_line {
    unsigned long number; /* in the log, from 1 */
    unsigned pass;        /* of passes=, from 1; 0: the log does not say */
    char *text;           /* what follows "# lab " */
};

/* What the last line said. */
enum verdict {
    VERDICT_NONE,
    VERDICT_PASS,
    VERDICT_FAIL,
    VERDICT_ERROR,
    VERDICT_REFUSED, /* the payload does not run on this CPU, and says so */
};

struct ktap_event;

struct ktap {
    /* The report. */
    struct ktap_suite *suites;
    size_t nr_suites;
    struct ktap_metric *metrics;
    size_t nr_metrics;
    long planned;  /* suites; -1: not said */
    char *header;  /* "paeload 0.1 seed=..." or NULL */
    char seed[32]; /* its value in the header, or empty */
    enum verdict verdict;
    char *verdict_line;        /* without "# ", or NULL */
    unsigned counts[OUTCOMES]; /* cases seen */
    unsigned said[OUTCOMES];   /* cases according to the verdict line */
    struct words problems;     /* what is wrong with the log */
    struct words notes;        /* comment lines outside the suites that are none of the others */
    struct ktap_lab_line *lab;
    size_t nr_lab;
    unsigned pass;        /* the newest of passes=, from 1; 0: none began yet */
    char *progress_suite; /* of the newest progress line, or NULL */
    unsigned long progress_done, progress_total;

    /* Who wants to know at once; may be NULL. */
    void (*listener)(void *ctx, const struct ktap_event *event);
    void *ctx;

    /* The parser's own state. */
    bool started;  /* "KTAP version 1" was seen */
    bool in_suite; /* the last suite of the list is open */
    char *line;    /* the line that is being received */
    size_t line_length, line_room;
    char *pending;          /* comment lines that wait for their result line */
    char *pending_top;      /* the same, of lines at the top level while a suite runs */
    uint32_t crc;           /* over the lines so far */
    unsigned long lines;    /* as counted by the verdict line */
    unsigned long received; /* all lines, those of the firmware too */
    uint32_t said_crc;
    unsigned long said_lines;
    double last_result; /* when the newest result line came */
};

enum ktap_event_kind {
    KTAP_HEADER,    /* text: the header */
    KTAP_NOTE,      /* text: a comment line outside the suites that is none of the others */
    KTAP_SUITE,     /* a suite begins */
    KTAP_CASE,      /* a case has ended */
    KTAP_SUITE_END, /* a suite has ended */
    KTAP_PROGRESS,  /* see progress_* */
    KTAP_VERDICT,   /* text: the last line */
    KTAP_PROBLEM,   /* text: one of problems */
};

struct ktap_event {
    enum ktap_event_kind kind;
    const struct ktap *ktap;
    const struct ktap_suite *suite; /* KTAP_SUITE, KTAP_CASE, KTAP_SUITE_END */
    const struct ktap_case *result; /* KTAP_CASE */
    const char *text;
};

/* Makes an empty report. */
void ktap_init(struct ktap *ktap);

/* Takes `length` bytes that arrived at `now` (seconds since any fixed moment). */
void ktap_feed(struct ktap *ktap, const char *bytes, size_t length, double now);

/*
 * The log ends here, at `now`. Judges it as a whole: adds to `problems` what does not fit. A log
 * without problems and with a verdict can be believed. A missing verdict is no entry in `problems`:
 * the caller knows better why there is none.
 */
void ktap_finish(struct ktap *ktap, double now);

/* Adds `what`, for free() by this function, to the problems, and tells the listener. */
void ktap_problem(struct ktap *ktap, char *what);

/* The suite that was running when the log ended, or NULL. */
const struct ktap_suite *ktap_open_suite(const struct ktap *ktap);

/* The suite of this name, or NULL. */
const struct ktap_suite *ktap_find_suite(const struct ktap *ktap, const char *name);

/* The name of a verdict or an outcome, as the report writes it. */
const char *verdict_name(enum verdict verdict);
const char *outcome_name(enum outcome outcome);

void ktap_free(struct ktap *ktap);

#endif
