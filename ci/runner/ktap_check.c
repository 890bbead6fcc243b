// SPDX-License-Identifier: BSD-2-Clause
/* A log as a whole: does the verdict agree with the lines before it? */
#include "ci/runner/ktap.h"

#include <inttypes.h>

static void check_checksum(struct ktap *ktap)
{
    if (ktap->lines != ktap->said_lines)
        ktap_problem(ktap, text("serial log damaged: %lu lines arrived, the payload sent %lu",
                                ktap->lines, ktap->said_lines));
    else if (ktap->crc != ktap->said_crc)
        ktap_problem(ktap,
                     text("serial log damaged: crc32c is %08" PRIx32 ", the payload sent %08" PRIx32
                          " (a byte was lost or changed on the line)",
                          ktap->crc, ktap->said_crc));
}

static void check_counts(struct ktap *ktap)
{
    for (int i = 0; i < OUTCOMES; i++) {
        /* The payload also counts errors that belong to no case. */
        bool outside_cases = i == OUTCOME_ERROR && ktap->said[i] > ktap->counts[i];

        if (ktap->counts[i] != ktap->said[i] && !outside_cases)
            ktap_problem(ktap, text("the verdict says %s=%u, the log has %u",
                                    outcome_name((enum outcome)i), ktap->said[i], ktap->counts[i]));
    }
    bool failed = ktap->counts[OUTCOME_NOT_OK] > 0;
    bool erred = ktap->said[OUTCOME_ERROR] > 0;
    if (ktap->verdict == VERDICT_PASS && (failed || erred))
        ktap_problem(ktap, text("the verdict is PASS, but cases are not ok"));
}

static void check_suite(struct ktap *ktap, const struct ktap_suite *suite)
{
    const char *name = suite->name ? suite->name : "?";
    enum outcome worst = OUTCOME_OK;

    if (!suite->finished)
        ktap_problem(ktap, text("suite %s has no result line", name));
    for (size_t i = 0; i < suite->nr_cases; i++) {
        if (suite->cases[i].outcome > worst)
            worst = suite->cases[i].outcome;
    }
    bool bad = suite->outcome == OUTCOME_NOT_OK || suite->outcome == OUTCOME_ERROR;
    if (!bad && worst >= OUTCOME_ERROR)
        ktap_problem(ktap, text("suite %s is ok, but a case of it is not", name));
    if (bad && ktap->verdict == VERDICT_PASS)
        ktap_problem(ktap, text("the verdict is PASS, but suite %s is not ok", name));
    /* A suite that was broken off has fewer cases than it planned, and is not ok for that. */
    if (!bad && suite->planned >= 0 && (size_t)suite->planned != suite->nr_cases)
        ktap_problem(ktap, text("suite %s planned %ld cases and has %zu", name, suite->planned,
                                suite->nr_cases));
}

void ktap_finish(struct ktap *ktap, double now)
{
    /* Only the last suite can be open. */
    if (ktap_open_suite(ktap))
        ktap->suites[ktap->nr_suites - 1].ended = now;
    if (ktap->verdict == VERDICT_NONE || ktap->verdict == VERDICT_REFUSED)
        return;
    check_checksum(ktap);
    check_counts(ktap);
    for (size_t i = 0; i < ktap->nr_suites; i++)
        check_suite(ktap, &ktap->suites[i]);
    if (ktap->verdict == VERDICT_PASS && ktap->planned != (long)ktap->nr_suites)
        ktap_problem(ktap, text("%ld suites were planned, %zu have a result", ktap->planned,
                                ktap->nr_suites));
}
