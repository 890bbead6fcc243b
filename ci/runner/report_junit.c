// SPDX-License-Identifier: BSD-2-Clause
#include "ci/runner/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <libxml/tree.h>

/* Numbers of a <testsuite>, as JUnit counts. */
struct tally {
    unsigned tests, failures, errors, skipped;
};

bool metric_of_suite(const struct ktap_metric *metric, const struct ktap_suite *suite)
{
    size_t length = suite->name ? strlen(suite->name) : 0;

    return length && !strncmp(metric->name, suite->name, length) && metric->name[length] == '.';
}

/*
 * What a damaged serial line brings need not be text: XML allows neither most control characters
 * nor broken UTF-8. The report is ASCII, so everything else becomes a question mark. For free().
 */
static char *clean(const char *s)
{
    char *copy = text_copy(s ? s : "");

    for (char *c = copy; *c; c++) {
        if ((*c < ' ' && *c != '\n' && *c != '\t') || *c > '~')
            *c = '?';
    }
    return copy;
}

static void set(xmlNodePtr node, const char *name, const char *value)
{
    char *cleaned = clean(value);

    xmlNewProp(node, BAD_CAST name, BAD_CAST cleaned);
    free(cleaned);
}

static void set_number(xmlNodePtr node, const char *name, unsigned value)
{
    char *digits = text("%u", value);

    set(node, name, digits);
    free(digits);
}

static void set_seconds(xmlNodePtr node, double seconds)
{
    char *digits = text("%.3f", seconds);

    set(node, "time", digits);
    free(digits);
}

static xmlNodePtr child(xmlNodePtr parent, const char *name)
{
    return xmlNewChild(parent, NULL, BAD_CAST name, NULL);
}

/* A node with a message and, below it, the lines that explain it. */
static void add_finding(xmlNodePtr parent, const char *name, const char *message, const char *lines)
{
    xmlNodePtr node = child(parent, name);
    char *cleaned = clean(lines);

    set(node, "message", message);
    if (*cleaned)
        xmlNodeAddContent(node, BAD_CAST cleaned);
    free(cleaned);
}

static void add_property(xmlNodePtr properties, const char *name, const char *value)
{
    xmlNodePtr node = child(properties, "property");

    set(node, "name", name);
    set(node, "value", value);
}

static xmlNodePtr add_testcase(xmlNodePtr suite_node, const char *suite, const char *name)
{
    xmlNodePtr node = child(suite_node, "testcase");
    char *class_name = text("paeload.%s", suite);

    set(node, "classname", class_name);
    set(node, "name", name);
    free(class_name);
    return node;
}

/* The first line of a case's messages says most, without its "# ". For free(). */
static char *first_line(const char *messages)
{
    if (!messages)
        return text_copy("not ok");
    messages += strspn(messages, "# ");
    return text("%.*s", (int)strcspn(messages, "\n"), messages);
}

static void add_case(xmlNodePtr suite_node, const char *suite, const struct ktap_case *result,
                     struct tally *tally)
{
    xmlNodePtr node = add_testcase(suite_node, suite, result->name);
    char *message = first_line(result->messages);

    set_seconds(node, result->seconds);
    tally->tests++;
    switch (result->outcome) {
    case OUTCOME_OK:
        break;
    case OUTCOME_SKIP:
        add_finding(node, "skipped", result->reason, NULL);
        tally->skipped++;
        break;
    case OUTCOME_ERROR:
        add_finding(node, "error", result->reason, result->messages);
        tally->errors++;
        break;
    case OUTCOME_NOT_OK:
        add_finding(node, "failure", message, result->messages);
        tally->failures++;
        break;
    }
    free(message);
}

static void set_tally(xmlNodePtr node, const struct tally *tally)
{
    set_number(node, "tests", tally->tests);
    set_number(node, "failures", tally->failures);
    set_number(node, "errors", tally->errors);
    set_number(node, "skipped", tally->skipped);
}

static void add_metrics(xmlNodePtr suite_node, const struct ktap *ktap,
                        const struct ktap_suite *suite)
{
    xmlNodePtr properties = NULL;

    for (size_t i = 0; i < ktap->nr_metrics; i++) {
        const struct ktap_metric *metric = &ktap->metrics[i];

        if (!metric_of_suite(metric, suite))
            continue;
        if (!properties)
            properties = child(suite_node, "properties");
        char *value = text("%s %s", metric->value, metric->unit);
        add_property(properties, metric->name, value);
        free(value);
    }
}

static void add_suite(xmlNodePtr root, const struct report *report, const struct ktap_suite *suite,
                      struct tally *total)
{
    const char *name = suite->name ? suite->name : "?";
    xmlNodePtr node = child(root, "testsuite");
    struct tally tally = {0};
    bool bad_suite = suite->outcome == OUTCOME_NOT_OK || suite->outcome == OUTCOME_ERROR;

    set(node, "name", name);
    add_metrics(node, report->ktap, suite);
    for (size_t i = 0; i < suite->nr_cases; i++)
        add_case(node, name, &suite->cases[i], &tally);
    bool has_finding = tally.failures || tally.errors;
    if (!suite->finished || (bad_suite && !has_finding)) {
        xmlNodePtr end = add_testcase(node, name, "(end of suite)");
        const char *hang = report->judgement->hang;
        const char *why = !suite->finished ? (hang ? hang : "the suite has no result line")
                                           : "the suite is not ok, though its cases are";
        tally.tests++;
        tally.errors++;
        add_finding(end, "error", why, suite->orphans);
    }
    set_tally(node, &tally);
    set_seconds(node, suite->ended - suite->started);
    total->tests += tally.tests;
    total->failures += tally.failures;
    total->errors += tally.errors;
    total->skipped += tally.skipped;
}

/* Metrics whose suite is not in the log. */
static void add_other_metrics(xmlNodePtr properties, const struct ktap *ktap)
{
    for (size_t i = 0; i < ktap->nr_metrics; i++) {
        const struct ktap_metric *metric = &ktap->metrics[i];
        bool placed = false;

        for (size_t j = 0; j < ktap->nr_suites; j++)
            placed = placed || metric_of_suite(metric, &ktap->suites[j]);
        if (placed)
            continue;
        char *value = text("%s %s", metric->value, metric->unit);
        add_property(properties, metric->name, value);
        free(value);
    }
}

static void add_run(xmlNodePtr root, const struct report *report, struct tally *total)
{
    const struct words *problems = &report->judgement->problems;
    xmlNodePtr node = child(root, "testsuite");
    xmlNodePtr properties = child(node, "properties");
    struct tally tally = {.tests = 1};

    set(node, "name", "run");
    add_property(properties, "verdict", result_name(report->judgement->result));
    add_property(properties, "seed", report->ktap->seed);
    add_property(properties, "command", report->command);
    add_property(properties, "header", report->ktap->header);
    add_other_metrics(properties, report->ktap);
    xmlNodePtr verdict = add_testcase(node, "run", "verdict");
    set_seconds(verdict, report->seconds);
    for (size_t i = 0; i < problems->count; i++)
        add_finding(verdict, "error", problems->at[i], NULL);
    tally.errors = problems->count ? 1 : 0;
    set_tally(node, &tally);
    set_seconds(node, report->seconds);
    total->tests += tally.tests;
    total->errors += tally.errors;
}

int report_write_junit(const struct report *report, const char *path)
{
    xmlDocPtr document = xmlNewDoc(BAD_CAST "1.0");
    xmlNodePtr root = xmlNewNode(NULL, BAD_CAST "testsuites");
    char *name = text("paeload %s", report->name);
    struct tally total = {0};

    xmlDocSetRootElement(document, root);
    set(root, "name", name);
    add_run(root, report, &total);
    for (size_t i = 0; i < report->ktap->nr_suites; i++)
        add_suite(root, report, &report->ktap->suites[i], &total);
    set_tally(root, &total);
    set_seconds(root, report->seconds);
    errno = 0;
    int written = xmlSaveFormatFileEnc(path, document, "UTF-8", 1);
    xmlFreeDoc(document);
    free(name);
    return written < 0 ? -(errno ? errno : EIO) : 0;
}
