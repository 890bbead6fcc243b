/* SPDX-License-Identifier: BSD-2-Clause */
#include "payload/suite.h"
#include "drivers/clock.h"
#include "lib/crc32c.h"
#include "lib/finding.h"
#include "lib/format.h"
#include "lib/string.h"
#include "lib/x86/cpu.h"
#include "lib/x86/percpu.h"
#include "paging/kmap.h"
#include "paging/kmap_local.h"
#include "paging/kmap_range.h"
#include "paging/page_alloc.h"
#include "paging/slab.h"
#include "paging/vm_area.h"
#include "payload/irq_notes.h"
#include "payload/report.h"
#include "payload/setup.h"
#include "payload/suite_run.h"
#include "payload/symbols.h"
#include "payload/thread.h"
#include "payload/trace.h"
#include "payload/traps.h"

#define CASE_INDENT 4
#define MESSAGES_SHOWN_MAX 10
#define REASON_MAX 80
#define NAME_MAX 64
#define PROGRESS_INTERVAL_NS 500000000u
#define PROGRESS_PER_CASE 1000u

struct test {
    const struct suite *suite;
    const struct test_case *test_case;
    unsigned instance;
    unsigned number, nr_all; /* of the case in the suite, from 1, and how many there are */
    enum outcome outcome;
    char reason[REASON_MAX];
    unsigned messages;
    struct prng prng;
    bool in_stretch; /* of a trace that began before the case */
    bool findings_wanted;
    unsigned findings_seen, findings_callers;
};

static struct test *running;
static uint64_t last_progress_ns;
static bool (*is_out_of_time)(void);
static bool fail_fast;

static void message(struct test *t, enum outcome outcome, const char *fmt, va_list args)
{
    char text[REPORT_LINE_MAX];

    if (outcome > t->outcome)
        t->outcome = outcome;
    if (++t->messages > MESSAGES_SHOWN_MAX)
        return;
    vformat(text, sizeof(text), fmt, args);
    report_note(CASE_INDENT, "%s", text);
}

void test_fail(struct test *t, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    message(t, OUTCOME_NOT_OK, fmt, args);
    va_end(args);
}

void test_error(struct test *t, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    if (t->outcome < OUTCOME_ERROR) {
        t->outcome = OUTCOME_ERROR;
        vformat(t->reason, sizeof(t->reason), fmt, args);
    } else {
        message(t, OUTCOME_ERROR, fmt, args);
    }
    va_end(args);
}

void test_skip(struct test *t, const char *fmt, ...)
{
    va_list args;

    if (t->outcome >= OUTCOME_SKIP)
        return;
    t->outcome = OUTCOME_SKIP;
    va_start(args, fmt);
    vformat(t->reason, sizeof(t->reason), fmt, args);
    va_end(args);
}

void test_log(struct test *t, const char *fmt, ...)
{
    char text[REPORT_LINE_MAX];
    va_list args;

    va_start(args, fmt);
    vformat(text, sizeof(text), fmt, args);
    va_end(args);
    report_note(CASE_INDENT, "%s", text);
}

void test_record(struct test *t, const char *fmt, ...)
{
    char text[REPORT_LINE_MAX];
    va_list args;

    (void)t;
    va_start(args, fmt);
    vformat(text, sizeof(text), fmt, args);
    va_end(args);
    report_record("# %s", text);
}

void test_metric(struct test *t, const char *name, uint64_t value, const char *unit)
{
    report_metric(t->suite->name, name, value, unit);
}

void test_progress(struct test *t, uint32_t done, uint32_t total)
{
    uint64_t now = clock_ns();
    uint32_t part;

    if (now - last_progress_ns < PROGRESS_INTERVAL_NS || total == 0)
        return;
    last_progress_ns = now;
    part = (uint32_t)((uint64_t)MIN(done, total) * PROGRESS_PER_CASE / total);
    report_progress(t->suite->name, (t->number - 1) * PROGRESS_PER_CASE + part,
                    t->nr_all * PROGRESS_PER_CASE);
}

const char *test_suite_name(const struct test *t)
{
    return t->suite->name;
}

const char *test_case_name(const struct test *t)
{
    return t->test_case->name;
}

unsigned test_instance(const struct test *t)
{
    return t->instance;
}

struct prng *test_prng(struct test *t)
{
    return &t->prng;
}

enum depth test_depth(const struct test *t)
{
    (void)t;
    return setup.options.depth;
}

bool test_out_of_time(void)
{
    return is_out_of_time();
}

bool test_should_stop(const struct test *t)
{
    return (fail_fast && t->outcome == OUTCOME_NOT_OK) || t->messages >= MESSAGES_SHOWN_MAX ||
           is_out_of_time();
}

void test_findings_begin(struct test *t)
{
    t->findings_wanted = true;
    t->findings_seen = t->findings_callers = 0;
}

void test_findings_end(struct test *t, unsigned wanted, const char *what)
{
    t->findings_wanted = false;
    TEST_CHECK(t, t->findings_seen == wanted, "%s: noticed %u times, %u wanted", what,
               t->findings_seen, wanted);
}

void test_findings_name(struct test *t, unsigned wanted, const char *what)
{
    TEST_CHECK(t, t->findings_callers == wanted, "%s: %u functions named, %u wanted", what,
               t->findings_callers, wanted);
}

static void on_finding(const char *finding_text)
{
    char text[REPORT_LINE_MAX];
    unsigned callers = symbol_name_callers(finding_text, text, sizeof(text));

    if (!running) {
        report_line("# error: %s", text);
        report_count_error();
        return;
    }
    if (!running->findings_wanted) {
        test_fail(running, "%s", text);
        return;
    }
    running->findings_seen++;
    running->findings_callers += callers;
}

static void seed_prng(struct test *t, unsigned pass)
{
    uint32_t mix = crc32c_update(0, t->suite->name, strlen(t->suite->name));

    mix = crc32c_update(mix, t->test_case->name, strlen(t->test_case->name));
    mix = crc32c_update(mix, &t->instance, sizeof(t->instance));
    mix = crc32c_update(mix, &pass, sizeof(pass));
    prng_seed(&t->prng, setup.options.seed ^ ((uint64_t)mix << 32 | mix));
}

/* Says which kmap() windows are open, and who opened them. */
static void name_open_windows(struct test *t)
{
    struct kmap_open open;

    for (unsigned at = 0; (at = kmap_open_windows(at, &open)) != 0 && !test_should_stop(t);) {
        char text[REPORT_LINE_MAX], named[REPORT_LINE_MAX];

        format(text, sizeof(text), "open %u times: physical 0x%09llx, mapped first by %p",
               open.uses, addr_number(page_to_phys(open.page)), open.caller);
        symbol_name_callers(text, named, sizeof(named));
        test_fail(t, "%s", named);
    }
}

/* Windows that the case left open, or lost in a fault, must not harm the next. */
static void check_left_behind(struct test *t, uint32_t areas_before, bool faulted)
{
    unsigned locals = kmap_local_depth(), free_slots, used_slots, fresh, ranges;
    bool threads_left = threads_are_started();
    uint32_t preempt_count = this_cpu()->preempt_count;

    if (threads_left)
        threads_stop();
    kmap_usage(&free_slots, &used_slots);
    if (locals)
        kmap_local_unwind(0);
    if (used_slots && !faulted)
        name_open_windows(running);
    this_cpu()->preempt_count = 0;
    page_alloc_reset();
    if (used_slots || threads_left) /* a window may be kept for a thread that is gone */
        kmap_reset();
    kmap_range_usage(&fresh, &ranges);
    if (ranges)
        kmap_range_reset();
    if (faulted)
        return;
    TEST_CHECK(t, !threads_left, "the case left its threads running");
    TEST_CHECK(t, preempt_count == 0, "the case left preemption off (%u)", preempt_count);
    TEST_CHECK(t, locals == 0, "the case left %u kmap_local windows open", locals);
    TEST_CHECK(t, used_slots == 0, "the case left %u kmap windows open", used_slots);
    TEST_CHECK(t, ranges == 0, "the case left %u kmap_range windows open", ranges);
    TEST_CHECK(t, vm_counters.areas == areas_before,
               "the case left %d areas of vmalloc() or ioremap()",
               (int)(vm_counters.areas - areas_before));
    if (!TEST_CHECK(t, eflags_read() & EFLAGS_IF, "the case left interrupts off"))
        irq_enable();
}

/* What the case held when the fault came. */
static void abandon(const struct suite *suite)
{
    char what[NAME_MAX];

    if (suite->abandon && !fault_guard_hook(suite->abandon, what, sizeof(what)))
        report_note(CASE_INDENT, "giving back what %s held ended by a %s", suite->name, what);
}

/* A suite's setup or teardown; a fault in it is an error of the suite. */
static bool run_hook(const struct suite *suite, void (*hook)(void), const char *which)
{
    char what[NAME_MAX];

    if (!hook || fault_guard_hook(hook, what, sizeof(what)))
        return true;
    report_note(CASE_INDENT, "error: %s of %s ended by a %s", which, suite->name, what);
    report_count_error();
    abandon(suite);
    return false;
}

static const char *case_name(const struct test *t, char *buf, size_t size)
{
    if (!t->suite->instance_name)
        return t->test_case->name;
    format(buf, size, "%s.%s", t->test_case->name, t->suite->instance_name(t->instance));
    return buf;
}

/* Marks the case for the trace, close to its own code, so that our bookkeeping is not in it. */
static void begin_stretch(struct test *t)
{
    char name[NAME_MAX], whole[TRACE_NAME_MAX];

    t->in_stretch = trace_is_open();
    if (!trace_is_wanted())
        return;
    format(whole, sizeof(whole), "%s.%s", t->suite->name, case_name(t, name, sizeof(name)));
    trace_begin(whole);
}

/* Ends what the case began, also when a fault took it away from there. */
static void end_stretch(const struct test *t)
{
    if (!t->in_stretch)
        trace_end(NULL);
}

static void call_case(void *ctx)
{
    struct test *t = ctx;

    begin_stretch(t);
    t->test_case->run(t);
    end_stretch(t);
}

/* Returns false if a fault ended it that nobody expected. */
static bool run_case(struct test *t)
{
    char what[NAME_MAX];
    uint32_t areas_before = vm_counters.areas;
    bool faulted, unexpected;

    running = t;
    faulted = !fault_guard(call_case, t, what, sizeof(what));
    if (faulted)
        end_stretch(t);
    t->findings_wanted = false;
    unexpected = faulted && !fault_was_expected();
    if (unexpected)
        test_fail(t, "ended by a %s", what);
    check_left_behind(t, areas_before, faulted);
    if (unexpected)
        abandon(t->suite);
    running = NULL;
    irq_tell_stuck(CASE_INDENT);
    if (t->messages > MESSAGES_SHOWN_MAX)
        report_note(CASE_INDENT, "and %u more messages", t->messages - MESSAGES_SHOWN_MAX);
    return !unexpected;
}

void suites_init(bool (*out_of_time)(void), bool ends_at_failure)
{
    fail_fast = ends_at_failure;
    is_out_of_time = out_of_time;
    finding_set_hook(on_finding);
}

static void skip_suite(const struct suite *suite, unsigned number)
{
    report_suite_begin(suite->name, 1);
    report_case(suite->name, 1, "instances", OUTCOME_SKIP, suite->no_instance);
    report_suite_end(number, suite->name, OUTCOME_SKIP, true);
}

void suite_run(const struct suite *suite, unsigned number, unsigned pass)
{
    unsigned instances = suite->nr_instances ? suite->nr_instances() : 1;
    unsigned all = suite->nr_cases * instances, skipped = 0;
    enum outcome worst = OUTCOME_OK;
    bool alive;

    if (instances == 0) {
        skip_suite(suite, number);
        return;
    }
    report_suite_begin(suite->name, all);
    /* What lies at hand for the next allocation is not what the suites before should decide. */
    slab_shrink_all();
    drain_all_pages();
    alive = run_hook(suite, suite->setup, "setup");
    for (unsigned i = 0; i < all; i++) {
        struct test t = {.suite = suite,
                         .test_case = &suite->cases[i / instances],
                         .instance = i % instances,
                         .number = i + 1,
                         .nr_all = all};
        char name[NAME_MAX];

        seed_prng(&t, pass);
        test_progress(&t, 0, 1);
        if (!alive)
            test_error(&t, "not run after the fault");
        else if (fail_fast && worst == OUTCOME_NOT_OK)
            test_skip(&t, "failfast: a case before it failed");
        else if (is_out_of_time())
            test_skip(&t, "time= is over");
        else
            alive = run_case(&t);
        report_case(suite->name, i + 1, case_name(&t, name, sizeof(name)), t.outcome, t.reason);
        worst = MAX(worst, t.outcome);
        skipped += t.outcome == OUTCOME_SKIP;
    }
    if (!run_hook(suite, suite->teardown, "teardown") && worst < OUTCOME_ERROR)
        worst = OUTCOME_ERROR;
    report_suite_end(number, suite->name, worst, skipped == all);
}
