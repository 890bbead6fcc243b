/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_RUNNER_TESTS_LAB_SAMPLE_H
#define CI_RUNNER_TESTS_LAB_SAMPLE_H

/* The log lab.log beside this file, which stops before its verdict, for tests that read it. */

#include "ci/unit/unit.h"

#include "ci/runner/ktap.h"

#define LAB_SAMPLE "ci/runner/tests/lab.log"

/* The whole log, for free(). Tests run in the project's root. */
static inline char *lab_sample(void)
{
    FILE *file = fopen(LAB_SAMPLE, "r");
    char *log = NULL;
    size_t room = 0;

    assert_non_null(file);
    assert_true(getdelim(&log, &room, '\0', file) > 0);
    fclose(file);
    return log;
}

static inline void lab_feed(struct ktap *ktap, const char *log, size_t length)
{
    char *copy = exact_copy(log, length);

    ktap_init(ktap);
    ktap_feed(ktap, copy, length, 1.0);
    ktap_finish(ktap, 2.0);
    free(copy);
}

#endif
