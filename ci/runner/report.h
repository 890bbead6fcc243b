/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_RUNNER_REPORT_H
#define CI_RUNNER_REPORT_H

/*
 * The files that a run leaves: JUnit for CI systems, JSON for other programs, and HTML for people.
 *
 * In JUnit a suite is a <testsuite>, a case a <testcase>; a case that is not ok has a <failure>,
 * one that could not do its work an <error>, each with the lines that the payload wrote about it.
 * A suite that never ended has one more case, "(end of suite)", with an <error> that says why.
 * What belongs to no suite (is there a verdict, is the log whole, did the emulator agree) is the
 * case "verdict" of the suite "run", which also carries the properties: verdict, seed, command,
 * header. A suite's metrics are its properties.
 *
 * The HTML is one file that needs no other, and no script: the verdict, the machine, suites and
 * metrics, and the laboratory's curves and maps (report_lab.h). It is XML as well.
 */

#include "ci/runner/judge.h"
#include "ci/runner/ktap.h"
#include "ci/runner/machine.h"

struct report {
    const struct ktap *ktap;
    const struct judgement *judgement;
    const struct machine *machine;
    const char *name;    /* of the run */
    const char *command; /* that repeats it */
    double seconds;      /* the whole run */
};

/* Each writes one file. Returns 0 or a negative errno. */
int report_write_junit(const struct report *report, const char *path);
int report_write_json(const struct report *report, const char *path);
int report_write_html(const struct report *report, const char *path);

/* Does the metric belong to the suite, by its name? */
bool metric_of_suite(const struct ktap_metric *metric, const struct ktap_suite *suite);

#endif
