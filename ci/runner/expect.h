/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_RUNNER_EXPECT_H
#define CI_RUNNER_EXPECT_H

/*
 * What a stanza of the matrix says must come out:
 *
 *     expect = PASS               the default
 *     expect = REFUSED            the payload says that it does not run there
 *     expect = FAIL:kmap          suite kmap, at least, is not ok
 *     expect_problem = REGEX      some problem that the runner found matches
 *     expect_line = REGEX         (several) some line of the log matches this extended regular
 *                                 expression; with expect_no_line, none does
 */

#include <stdbool.h>

#include "ci/runner/run.h"
#include "ci/runner/words.h"

struct expectation {
    enum result result;
    char *suite; /* with RESULT_FAIL: which; NULL: any */
    struct words lines, no_lines, problems;
};

/*
 * Sets `key` (expect, expect_problem, expect_line, expect_no_line). Returns 0; -ENOENT when it is
 * none of these; -EINVAL when the value is bad, with *message for free().
 */
int expect_set(struct expectation *expectation, const char *key, const char *value, char **message);

/* Does the run meet it? If not, *why says what is different, for free(). */
bool expect_met(const struct expectation *expectation, const struct run_result *result, char **why);

void expect_free(struct expectation *expectation);

#endif
