/* SPDX-License-Identifier: BSD-2-Clause */
#include "payload/run.h"
#include "drivers/clock.h"
#include "drivers/power.h"
#include "drivers/transfer.h"
#include "lib/option.h"
#include "lib/string.h"
#include "payload/oracle.h"
#include "payload/report.h"
#include "payload/setup.h"
#include "payload/stack_use.h"
#include "payload/suite_run.h"
#include "payload/trace.h"

#define NS_PER_S UINT64_C(1000000000)
#define SUITES_MAX 64u

static bool out_of_time(void)
{
    return setup.options.time_s && clock_ns() >= setup.options.time_s * NS_PER_S;
}

static bool is_wanted(const struct suite *suite)
{
    const char *list = setup.options.tests;

    return list[0] == '\0' || list_match(list, strlen(list), suite->name);
}

/* All wanted suites, lowest rank first; among equals the linker's order, that of file names. */
static unsigned sort_wanted(const struct suite **order)
{
    unsigned count = 0;

    table_for_each (suite, struct suite *const, s) {
        unsigned at = count;

        if (!is_wanted(*s) || count == SUITES_MAX)
            continue;
        for (; at > 0 && order[at - 1]->rank > (*s)->rank; at--)
            order[at] = order[at - 1];
        order[at] = *s;
        count++;
    }
    return count;
}

/* Each pattern of tests= that fits no suite is named: half a run that passes would hide it. */
static void say_unknown_tests(void)
{
    const char *pattern = setup.options.tests;
    bool unknown = false;

    while (*pattern) {
        const char *comma = strchr(pattern, ',');
        size_t len = comma ? (size_t)(comma - pattern) : strlen(pattern);
        bool known = false;

        table_for_each (suite, struct suite *const, s)
            known |= glob_match(pattern, len, (*s)->name);
        if (!known)
            report_line("# warning: option tests=: %.*s matches no suite", (int)len, pattern);
        unknown |= !known;
        pattern += len + (comma != NULL);
    }
    if (!unknown)
        return;
    report_line("# suites:");
    table_for_each (suite, struct suite *const, s)
        report_line("#   %s: %s", (*s)->name, (*s)->about);
}

static bool takes_size(const char *workload)
{
    table_for_each (suite, struct suite *const, s)
        if ((*s)->sizes && list_match((*s)->sizes, strlen((*s)->sizes), workload))
            return true;
    return false;
}

static void say_unknown_sizes(void)
{
    for (unsigned i = 0; i < setup.options.nr_sizes; i++)
        if (!takes_size(setup.options.sizes[i].name))
            report_line("# warning: option size=: no workload %s takes one",
                        setup.options.sizes[i].name);
}

/* Globs that nothing was called by, known only at the end: cases name their stretches as they run.
 */
static void say_unmarked(void)
{
    const struct options *options = &setup.options;

    if (options->trace && trace_stretch[0] == '\0')
        report_line("# warning: option trace=%s: nothing that was run is called so",
                    options->trace_names);
    if (options->oracle && !oracle_was_marked())
        report_line("# warning: option oracle%s%s: no such point was reached",
                    options->oracle_points[0] ? "=" : "", options->oracle_points);
}

void run_suites(void)
{
    const struct options *options = &setup.options;
    static const struct suite *order[SUITES_MAX]; /* all suites stand on this frame */
    unsigned wanted = sort_wanted(order), number = 0;
    bool counted = options->passes != 0 && options->time_s == 0;

    suites_init(out_of_time, options->failfast);
    say_unknown_tests();
    say_unknown_sizes();
    /* With an open end the plan stands behind the results, which TAP allows. */
    if (counted)
        report_line("1..%llu", (unsigned long long)wanted * options->passes);
    for (unsigned pass = 0; wanted && (options->passes == 0 || pass < options->passes); pass++) {
        if (pass && out_of_time())
            break;
        if (options->passes != 1)
            report_line("# pass %u", pass + 1);
        for (unsigned i = 0; i < wanted; i++) {
            trace_begin(order[i]->name);
            suite_run(order[i], ++number, pass);
            trace_end(order[i]->name);
        }
    }
    if (!counted)
        report_line("1..%u", number);
    say_unmarked();
}

void run_leave(void)
{
    static bool leaving;
    static const unsigned values[] = {
        [OUTCOME_OK] = EXIT_PASS, [OUTCOME_ERROR] = EXIT_ERROR, [OUTCOME_NOT_OK] = EXIT_FAIL};

    /* A fault on the way out comes here again. */
    if (!leaving) {
        leaving = true;
        devices_quiet();
    }
    report_metric("memory", "stack_used", stack_used_bytes(), "bytes");
    power_leave(setup.options.exit, values[report_end()]);
}
