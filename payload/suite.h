/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAYLOAD_SUITE_H
#define PAYLOAD_SUITE_H

/*
 * How a suite is written. A suite is one file in payload/tests/:
 *
 *     static void case_walk(struct test *t)
 *     {
 *         TEST_CHECK(t, found == wanted, "0x%x found, 0x%x wanted", found, wanted);
 *     }
 *
 *     static const struct test_case cases[] = {{"walk", case_walk}};
 *
 *     SUITE(paging) = {.about = "...", .cases = cases, .nr_cases = ARRAY_SIZE(cases)};
 *
 * A case is ok unless it says otherwise: test_fail() (the machine broke a rule), test_error() (the
 * test could not do its work) or test_skip() (this machine lacks what the case needs); the worst
 * wins, and the case goes on until it returns. A fault that nobody expected ends the suite.
 *
 * A case gets its machine as a suite finds it and leaves it so: windows that it leaves open are a
 * failure. Interrupts are on, no timer runs.
 */

#include "lib/prng.h"
#include "lib/types.h"
#include "payload/options.h"

struct test;

struct test_case {
    const char *name;
    void (*run)(struct test *t);
};

/* What is proved before what stands on it, and measured when it is known to work. */
enum suite_rank {
    SUITE_RANK_FOUNDATION,
    SUITE_RANK_WINDOWS,
    SUITE_RANK_STRESS,
    SUITE_RANK_MEASURE
};

struct suite {
    const char *name;
    const char *about; /* one line */
    const struct test_case *cases;
    unsigned nr_cases;
    unsigned rank;          /* SUITE_RANK_*: lower ones run first, equal ones by file name */
    void (*setup)(void);    /* once before the cases; may be NULL */
    void (*teardown)(void); /* once after them, whatever happened */
    /*
     * After a fault that nobody expected: gives back what the case held, which the suite must
     * therefore keep where this finds it. The suite's other cases are not run. May be NULL.
     */
    void (*abandon)(void);
    /*
     * With instances every case runs once for each, as "case.instance": for suites that do the same
     * to each device. No instance: the suite is skipped with the reason `no_instance`.
     */
    unsigned (*nr_instances)(void);
    const char *(*instance_name)(unsigned index);
    const char *no_instance;
    /* Workloads that size= sets: "jumbo,jumbo32k". NULL: it takes none. */
    const char *sizes;
};

#define SUITE(suite_name)                                                     \
    static const struct suite suite_##suite_name;                             \
    static const struct suite *const suite_entry_##suite_name                 \
        __attribute__((section(".table.suite"), used)) = &suite_##suite_name; \
    static const struct suite suite_##suite_name

const char *test_suite_name(const struct test *t);
const char *test_case_name(const struct test *t); /* without the instance */

/* Which instance the case runs for, from 0. */
unsigned test_instance(const struct test *t);

/* Says what broke; the values found and wanted belong in the text. At most 10 lines are shown. */
void test_fail(struct test *t, const char *fmt, ...) __printf(2, 3);
void test_error(struct test *t, const char *fmt, ...) __printf(2, 3);
void test_skip(struct test *t, const char *fmt, ...) __printf(2, 3);

/* A line of information. */
void test_log(struct test *t, const char *fmt, ...) __printf(2, 3);

/* Fails with the text if the condition does not hold; is the condition's value. */
#define TEST_CHECK(t, cond, ...)       \
    ({                                 \
        bool holds = (cond);           \
        if (!holds)                    \
            test_fail(t, __VA_ARGS__); \
        holds;                         \
    })

/* A line for the host side, not for a screen; it gets "# " and begins with a word for its kind. */
void test_record(struct test *t, const char *fmt, ...) __printf(2, 3);

/* # metric SUITE.NAME VALUE UNIT; units: see the report format. */
void test_metric(struct test *t, const char *name, uint64_t value, const char *unit);

/* How far the case is. Call as often as is handy: a line is written at most twice a second. */
void test_progress(struct test *t, uint32_t done, uint32_t total);

/* Random numbers that depend on seed=, the suite, the case, the instance and the pass alone. */
struct prng *test_prng(struct test *t);

enum depth test_depth(const struct test *t);

/*
 * True once going on tells nothing new: the case has failed so often, or time= is over. Long loops
 * ask it, and end.
 */
bool test_should_stop(const struct test *t);

/* time= is over: whatever stopped did so for that reason. */
bool test_out_of_time(void);

/*
 * Findings (lib/finding.h) fail the case. Between the two they are counted instead: begin gives
 * how many to expect to test_findings_end(), which fails if there were more or fewer.
 */
void test_findings_begin(struct test *t);
void test_findings_end(struct test *t, unsigned wanted, const char *what);

/* How many functions those findings should have named: who did it, who noticed. */
void test_findings_name(struct test *t, unsigned wanted, const char *what);

#endif
