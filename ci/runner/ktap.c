// SPDX-License-Identifier: BSD-2-Clause
#include "ci/runner/ktap.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ci/array.h"
#include "lib/crc32c.h"

#define VERSION_LINE "KTAP version 1"
#define SUITE_INDENT 4
#define VERDICT_START "# paeload: "
#define REFUSED_START "# paeload: REFUSED"
#define ORACLE_START "# oracle "
#define LAB_START "# lab "
#define PASS_START "# pass "

static const char *const verdict_names[] = {
    [VERDICT_NONE] = "none",   [VERDICT_PASS] = "PASS",       [VERDICT_FAIL] = "FAIL",
    [VERDICT_ERROR] = "ERROR", [VERDICT_REFUSED] = "REFUSED",
};

static const char *const outcome_names[OUTCOMES] = {
    [OUTCOME_OK] = "pass",
    [OUTCOME_SKIP] = "skip",
    [OUTCOME_ERROR] = "error",
    [OUTCOME_NOT_OK] = "fail",
};

const char *verdict_name(enum verdict verdict)
{
    return verdict_names[verdict];
}

const char *outcome_name(enum outcome outcome)
{
    return outcome_names[outcome];
}

void ktap_init(struct ktap *ktap)
{
    *ktap = (struct ktap){.planned = -1};
}

static bool starts_with(const char *s, const char *prefix)
{
    return !strncmp(s, prefix, strlen(prefix));
}

static void tell(struct ktap *ktap, struct ktap_event event)
{
    event.ktap = ktap;
    if (ktap->listener)
        ktap->listener(ktap->ctx, &event);
}

void ktap_problem(struct ktap *ktap, char *what)
{
    words_add(&ktap->problems, "%s", what);
    tell(ktap, (struct ktap_event){.kind = KTAP_PROBLEM, .text = what});
    free(what);
}

static struct ktap_suite *last_suite(const struct ktap *ktap)
{
    return ktap->nr_suites ? &ktap->suites[ktap->nr_suites - 1] : NULL;
}

static struct ktap_suite *open_suite(const struct ktap *ktap)
{
    return ktap->in_suite ? last_suite(ktap) : NULL;
}

const struct ktap_suite *ktap_open_suite(const struct ktap *ktap)
{
    return open_suite(ktap);
}

const struct ktap_suite *ktap_find_suite(const struct ktap *ktap, const char *name)
{
    for (size_t i = 0; i < ktap->nr_suites; i++) {
        if (ktap->suites[i].name && !strcmp(ktap->suites[i].name, name))
            return &ktap->suites[i];
    }
    return NULL;
}

/* A result line, taken apart. `name` and `reason` are for free(). */
struct result_line {
    enum outcome outcome;
    char *name, *reason;
};

static char *copy_trimmed(const char *from, size_t length)
{
    while (length && isspace((unsigned char)*from)) {
        from++;
        length--;
    }
    while (length && isspace((unsigned char)from[length - 1]))
        length--;
    return text("%.*s", (int)length, from);
}

static bool parse_result(const char *line, struct result_line *result)
{
    char *end;
    bool ok = starts_with(line, "ok ");

    if (!ok && !starts_with(line, "not ok "))
        return false;
    line += strlen(ok ? "ok " : "not ok ");
    if (!isdigit((unsigned char)*line))
        return false;
    strtoul(line, &end, 10);
    if (*end && *end != ' ')
        return false;

    const char *mark = strstr(end, " # ");
    result->outcome = ok ? OUTCOME_OK : OUTCOME_NOT_OK;
    result->name = copy_trimmed(end, mark ? (size_t)(mark - end) : strlen(end));
    result->reason = NULL;
    if (!mark)
        return true;
    mark += strlen(" # ");
    if (starts_with(mark, "SKIP") && ok) {
        result->outcome = OUTCOME_SKIP;
        mark += strlen("SKIP");
    } else if (starts_with(mark, "ERROR") && !ok) {
        result->outcome = OUTCOME_ERROR;
        mark += strlen("ERROR");
    }
    result->reason = copy_trimmed(mark, strlen(mark));
    return true;
}

static bool parse_plan(const char *line, long *planned)
{
    int used = 0;

    return sscanf(line, "1..%ld%n", planned, &used) == 1 && !line[used] && *planned >= 0;
}

static void suite_begin(struct ktap *ktap, double now)
{
    struct ktap_suite *suite = array_add(&ktap->suites, &ktap->nr_suites);
    suite->planned = -1;
    suite->started = ktap->last_result = now;
    ktap->in_suite = true;
}

static void add_case(struct ktap *ktap, const char *line, struct result_line *result, double now)
{
    struct ktap_suite *suite = open_suite(ktap);

    if (!suite) {
        ktap_problem(ktap, text("a case outside of any suite: %s", line));
        free(result->name);
        free(result->reason);
        return;
    }
    struct ktap_case *added = array_add(&suite->cases, &suite->nr_cases);
    added->name = result->name;
    added->outcome = result->outcome;
    added->reason = result->reason;
    added->messages = ktap->pending;
    added->seconds = now - ktap->last_result;
    ktap->pending = NULL;
    ktap->last_result = now;
    ktap->counts[result->outcome]++;
    tell(ktap, (struct ktap_event){.kind = KTAP_CASE, .suite = suite, .result = added});
}

/* What the laboratory tells: for the pictures, and too much to keep as messages. */
static bool take_lab(struct ktap *ktap, const char *line)
{
    if (!starts_with(line, LAB_START))
        return false;
    *array_add(&ktap->lab, &ktap->nr_lab) = (struct ktap_lab_line){
        .number = ktap->received, .pass = ktap->pass, .text = text_copy(line + strlen(LAB_START))};
    return true;
}

/* A line inside a suite, without its indent. */
static void nested_line(struct ktap *ktap, const char *line, double now)
{
    static const char subtest[] = "# Subtest: ";
    struct ktap_suite *suite = open_suite(ktap);
    struct result_line result;
    long planned;

    if (!strcmp(line, VERSION_LINE)) {
        if (suite)
            ktap_problem(ktap,
                         text("suite %s has no result line", suite->name ? suite->name : "?"));
        suite_begin(ktap, now);
    } else if (starts_with(line, subtest)) {
        if (!suite || suite->name) {
            ktap_problem(ktap, text("a suite's name where none belongs: %s", line));
            return;
        }
        suite->name = text_copy(line + strlen(subtest));
        tell(ktap, (struct ktap_event){.kind = KTAP_SUITE, .suite = suite});
    } else if (parse_plan(line, &planned)) {
        if (suite)
            suite->planned = planned;
    } else if (parse_result(line, &result)) {
        add_case(ktap, line, &result, now);
    } else if (*line == '#' && !take_lab(ktap, line)) {
        text_add(&ktap->pending, "%s\n", line);
    }
}

static void suite_result(struct ktap *ktap, struct result_line *result, double now)
{
    struct ktap_suite *suite = open_suite(ktap);

    if (!suite) {
        /* A suite without cases has no block of its own, only this line. */
        suite_begin(ktap, now);
        suite = open_suite(ktap);
    }
    if (!suite->name) {
        suite->name = text_copy(result->name);
        tell(ktap, (struct ktap_event){.kind = KTAP_SUITE, .suite = suite});
    } else if (strcmp(suite->name, result->name)) {
        ktap_problem(ktap, text("suite %s ends with the result of %s", suite->name, result->name));
    }
    suite->outcome = result->outcome;
    suite->finished = true;
    suite->ended = now;
    suite->reason = result->reason;
    suite->orphans = ktap->pending ? ktap->pending : ktap->pending_top;
    if (ktap->pending)
        free(ktap->pending_top);
    ktap->pending = ktap->pending_top = NULL;
    ktap->in_suite = false;
    free(result->name);
    tell(ktap, (struct ktap_event){.kind = KTAP_SUITE_END, .suite = suite});
}

static bool parse_metric(struct ktap *ktap, const char *line)
{
    char name[128], value[64], unit[32];

    if (sscanf(line, "# metric %127s %63s %31s", name, value, unit) != 3)
        return false;
    *array_add(&ktap->metrics, &ktap->nr_metrics) = (struct ktap_metric){
        .name = text_copy(name), .value = text_copy(value), .unit = text_copy(unit)};
    return true;
}

static bool parse_progress(struct ktap *ktap, const char *line)
{
    char suite[128];
    unsigned long done, total;

    if (sscanf(line, "# progress %127s %lu/%lu", suite, &done, &total) != 3 || !total)
        return false;
    free(ktap->progress_suite);
    ktap->progress_suite = text_copy(suite);
    ktap->progress_done = done;
    ktap->progress_total = total;
    tell(ktap, (struct ktap_event){.kind = KTAP_PROGRESS});
    return true;
}

static bool parse_header(struct ktap *ktap, const char *line)
{
    if (ktap->header || !starts_with(line, "# paeload "))
        return false;
    ktap->header = text_copy(line + strlen("# "));
    const char *seed = strstr(line, " seed=");
    if (seed)
        sscanf(seed, " seed=%31[0-9a-fA-FxX]", ktap->seed);
    tell(ktap, (struct ktap_event){.kind = KTAP_HEADER, .text = ktap->header});
    return true;
}

static bool parse_verdict(struct ktap *ktap, const char *line)
{
    static const char scan[] = VERDICT_START "%15[A-Z] pass=%u fail=%u skip=%u error=%u"
                                             " lines=%lu crc32c=%8" SCNx32;
    static const char print[] = VERDICT_START "%s pass=%u fail=%u skip=%u error=%u"
                                              " lines=%lu crc32c=%08" PRIx32;
    enum verdict verdict = VERDICT_NONE;
    unsigned pass, fail, skip, error;
    unsigned long lines;
    uint32_t crc;
    char name[16];

    if (sscanf(line, scan, name, &pass, &fail, &skip, &error, &lines, &crc) != 7)
        return false;
    for (enum verdict v = VERDICT_PASS; v <= VERDICT_ERROR; v++) {
        if (!strcmp(name, verdict_names[v]))
            verdict = v;
    }
    /* No checksum covers this line, but only one spelling of these values is the payload's. */
    char *only_way = text(print, name, pass, fail, skip, error, lines, crc);
    bool whole = verdict != VERDICT_NONE && !strcmp(line, only_way);
    free(only_way);
    if (!whole)
        return false;
    ktap->verdict = verdict;
    ktap->said[OUTCOME_OK] = pass;
    ktap->said[OUTCOME_NOT_OK] = fail;
    ktap->said[OUTCOME_SKIP] = skip;
    ktap->said[OUTCOME_ERROR] = error;
    ktap->said_lines = lines;
    ktap->said_crc = crc;
    ktap->verdict_line = text_copy(line + strlen("# "));
    tell(ktap, (struct ktap_event){.kind = KTAP_VERDICT, .text = ktap->verdict_line});
    return true;
}

/* The payload says that it can't run here. It may do so before its report begins. */
static bool parse_refusal(struct ktap *ktap, const char *line)
{
    const char *found = strstr(line, REFUSED_START);

    if (!found)
        return false;
    ktap->verdict = VERDICT_REFUSED;
    ktap->verdict_line = text_copy(found + strlen("# "));
    tell(ktap, (struct ktap_event){.kind = KTAP_VERDICT, .text = ktap->verdict_line});
    return true;
}

/* The oracle's lines are for the runner, and too much to keep as messages. */
static void top_line(struct ktap *ktap, const char *line, double now)
{
    struct result_line result;
    long planned;

    if (!strcmp(line, VERSION_LINE)) {
        ktap_problem(ktap, text("the payload started a second time"));
    } else if (parse_plan(line, &planned)) {
        ktap->planned = planned;
    } else if (parse_result(line, &result)) {
        suite_result(ktap, &result, now);
    } else if (starts_with(line, ORACLE_START) || take_lab(ktap, line) ||
               parse_header(ktap, line) || parse_progress(ktap, line) || parse_metric(ktap, line)) {
        return;
    } else if (*line == '#') {
        words_add(&ktap->notes, "%s", line);
        if (starts_with(line, PASS_START))
            ktap->pass = (unsigned)strtoul(line + strlen(PASS_START), NULL, 10);
        if (ktap->in_suite)
            text_add(&ktap->pending_top, "%s\n", line);
        if (starts_with(line, VERDICT_START) && strstr(line, " lines="))
            ktap_problem(ktap, text("the verdict line is damaged: %s", line));
        tell(ktap, (struct ktap_event){.kind = KTAP_NOTE, .text = line});
    }
}

static void count_line(struct ktap *ktap, const char *line)
{
    ktap->lines++;
    ktap->crc = crc32c_update(ktap->crc, line, strlen(line));
    ktap->crc = crc32c_update(ktap->crc, "\n", 1);
}

static void take_line(struct ktap *ktap, const char *line, double now)
{
    size_t length = strlen(line);
    size_t version = strlen(VERSION_LINE);

    if (ktap->verdict != VERDICT_NONE) {
        if (length >= version && !strcmp(line + length - version, VERSION_LINE))
            ktap_problem(ktap, text("the payload started again after its verdict"));
        return;
    }
    if (parse_refusal(ktap, line))
        return;
    if (!ktap->started) {
        if (length < version || strcmp(line + length - version, VERSION_LINE))
            return;
        ktap->started = true;
        count_line(ktap, VERSION_LINE);
        return;
    }
    if (parse_verdict(ktap, line))
        return;
    count_line(ktap, line);
    if (!strncmp(line, "    ", SUITE_INDENT))
        nested_line(ktap, line + SUITE_INDENT, now);
    else
        top_line(ktap, line, now);
}

void ktap_feed(struct ktap *ktap, const char *bytes, size_t length, double now)
{
    for (size_t i = 0; i < length; i++) {
        if (ktap->line_length + 1 >= ktap->line_room) {
            ktap->line_room = ktap->line_room ? 2 * ktap->line_room : 256;
            ktap->line = realloc(ktap->line, ktap->line_room);
            if (!ktap->line)
                abort();
        }
        /* A NUL would end the string early and hide what follows. */
        ktap->line[ktap->line_length++] = (char)(bytes[i] ? bytes[i] : '?');
        if (bytes[i] != '\n')
            continue;
        ktap->line_length--;
        while (ktap->line_length && ktap->line[ktap->line_length - 1] == '\r')
            ktap->line_length--;
        ktap->line[ktap->line_length] = '\0';
        ktap->received++;
        take_line(ktap, ktap->line, now);
        ktap->line_length = 0;
    }
}

static void free_suite(struct ktap_suite *suite)
{
    for (size_t i = 0; i < suite->nr_cases; i++) {
        free(suite->cases[i].name);
        free(suite->cases[i].reason);
        free(suite->cases[i].messages);
    }
    free(suite->cases);
    free(suite->name);
    free(suite->reason);
    free(suite->orphans);
}

void ktap_free(struct ktap *ktap)
{
    for (size_t i = 0; i < ktap->nr_suites; i++)
        free_suite(&ktap->suites[i]);
    for (size_t i = 0; i < ktap->nr_metrics; i++) {
        free(ktap->metrics[i].name);
        free(ktap->metrics[i].value);
        free(ktap->metrics[i].unit);
    }
    for (size_t i = 0; i < ktap->nr_lab; i++)
        free(ktap->lab[i].text);
    free(ktap->lab);
    free(ktap->suites);
    free(ktap->metrics);
    free(ktap->header);
    free(ktap->verdict_line);
    free(ktap->progress_suite);
    free(ktap->line);
    free(ktap->pending);
    free(ktap->pending_top);
    words_free(&ktap->problems);
    words_free(&ktap->notes);
    ktap_init(ktap);
}
