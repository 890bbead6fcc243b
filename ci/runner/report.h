/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_RUNNER_REPORT_H
#define CI_RUNNER_REPORT_H

/*
 * The files that a run leaves for other programs: JUnit for CI systems, JSON for the rest.
 *
 * In JUnit a suite is a <testsuite>, a case a <testcase>; a case that is not ok has a <failure>,
 * one that could not do its work an <error>, each with the lines that the payload wrote about it.
 * A suite that never ended has one more case, "(end of suite)", with an <error> that says why.
 * What belongs to no suite (is there a verdict, is the log whole, did the emulator agree) is the
 * case "verdict" of the suite "run", which also carries the properties: verdict, seed, command,
 * header. A suite's metrics are its properties.
 */

#include "ci/runner/judge.h"
#include "ci/runner/ktap.h"

struct report {
    const struct ktap *ktap;
    const struct judgement *judgement;
    const char *name;    /* of the run */
    const char *command; /* that repeats it */
    double seconds;      /* the whole run */
};

/* Each writes one file. Returns 0 or a negative errno. */
int report_write_junit(const struct report *report, const char *path);
int report_write_json(const struct report *report, const char *path);

/* Does the metric belong to the suite, by its name? */
bool metric_of_suite(const struct ktap_metric *metric, const struct ktap_suite *suite);

#endif
