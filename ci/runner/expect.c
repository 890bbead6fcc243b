// SPDX-License-Identifier: BSD-2-Clause
#include "ci/runner/expect.h"

#include <errno.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int set_result(struct expectation *expectation, const char *value, char **message)
{
    static const char fail[] = "FAIL:";

    free(expectation->suite);
    expectation->suite = NULL;
    if (!strncmp(value, fail, strlen(fail))) {
        expectation->result = RESULT_FAIL;
        expectation->suite = text_copy(value + strlen(fail));
        return 0;
    }
    for (enum result result = RESULT_PASS; result <= RESULT_REFUSED; result++) {
        if (!strcmp(value, result_name(result))) {
            expectation->result = result;
            return 0;
        }
    }
    *message = text("expect = %s: PASS, FAIL, FAIL:SUITE, ERROR, BROKEN or REFUSED", value);
    return -EINVAL;
}

static int add_line(struct words *lines, const char *pattern, char **message)
{
    regex_t regex;

    if (regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB)) {
        *message = text("not a regular expression: %s", pattern);
        return -EINVAL;
    }
    regfree(&regex);
    words_add(lines, "%s", pattern);
    return 0;
}

int expect_set(struct expectation *expectation, const char *key, const char *value, char **message)
{
    if (!strcmp(key, "expect"))
        return set_result(expectation, value, message);
    if (!strcmp(key, "expect_problem"))
        return add_line(&expectation->problems, value, message);
    if (!strcmp(key, "expect_line"))
        return add_line(&expectation->lines, value, message);
    if (!strcmp(key, "expect_no_line"))
        return add_line(&expectation->no_lines, value, message);
    return -ENOENT;
}

static bool log_has(const char *path, const char *pattern)
{
    FILE *file = path ? fopen(path, "r") : NULL;
    char *line = NULL;
    size_t room = 0;
    bool found = false;
    regex_t regex;

    if (!file || regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB)) {
        if (file)
            fclose(file);
        return false;
    }
    while (!found && getline(&line, &room, file) >= 0) {
        line[strcspn(line, "\r\n")] = '\0';
        found = !regexec(&regex, line, 0, NULL, 0);
    }
    regfree(&regex);
    free(line);
    fclose(file);
    return found;
}

static bool problem_matches(const struct words *problems, const char *pattern)
{
    regex_t regex;
    bool found = false;

    if (regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB))
        return false;
    for (size_t i = 0; i < problems->count; i++)
        found |= !regexec(&regex, problems->at[i], 0, NULL, 0);
    regfree(&regex);
    return found;
}

/* The worst that a run has to say, in a line; for free(). */
static char *run_story(const struct run_result *result)
{
    const struct ktap *ktap = &result->ktap;

    if (result->judgement.problems.count)
        return text(": %s", result->judgement.problems.at[0]);
    for (size_t i = 0; i < ktap->nr_suites; i++) {
        const struct ktap_suite *suite = &ktap->suites[i];

        for (size_t j = 0; j < suite->nr_cases; j++) {
            if (suite->cases[j].outcome >= OUTCOME_ERROR)
                return text(": %s %s.%s", outcome_name(suite->cases[j].outcome),
                            suite->name ? suite->name : "?", suite->cases[j].name);
        }
    }
    return text_copy("");
}

static bool suite_failed(const struct ktap *ktap, const char *name)
{
    const struct ktap_suite *suite = ktap_find_suite(ktap, name);

    return suite && suite->finished && suite->outcome == OUTCOME_NOT_OK;
}

bool expect_met(const struct expectation *expectation, const struct run_result *result, char **why)
{
    *why = NULL;
    if (result->result != expectation->result) {
        char *story = run_story(result);

        *why = text("expected %s, got %s%s", result_name(expectation->result),
                    result_name(result->result), story);
        free(story);
        return false;
    }
    if (expectation->suite && !suite_failed(&result->ktap, expectation->suite)) {
        *why = text("suite %s did not fail", expectation->suite);
        return false;
    }
    for (size_t i = 0; i < expectation->problems.count; i++) {
        if (!problem_matches(&result->judgement.problems, expectation->problems.at[i])) {
            *why = text("no problem matches: %s", expectation->problems.at[i]);
            return false;
        }
    }
    for (size_t i = 0; i < expectation->lines.count; i++) {
        if (!log_has(result->serial, expectation->lines.at[i])) {
            *why = text("no line matches: %s", expectation->lines.at[i]);
            return false;
        }
    }
    for (size_t i = 0; i < expectation->no_lines.count; i++) {
        if (log_has(result->serial, expectation->no_lines.at[i])) {
            *why = text("a line matches: %s", expectation->no_lines.at[i]);
            return false;
        }
    }
    return true;
}

void expect_free(struct expectation *expectation)
{
    free(expectation->suite);
    words_free(&expectation->lines);
    words_free(&expectation->no_lines);
    words_free(&expectation->problems);
    *expectation = (struct expectation){0};
}
