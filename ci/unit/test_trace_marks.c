/* SPDX-License-Identifier: BSD-2-Clause */
/* payload/trace.c: which stretches are marked. The marks themselves are no-ops here. */
#include "ci/unit/unit.h"

#include "payload/setup.h"
#include "payload/trace.h"

struct setup setup;

static void want(bool trace, const char *names)
{
    trace_end(NULL);
    setup.options.trace = trace;
    strcpy(setup.options.trace_names, names);
}

static bool is_marked(const char *name)
{
    trace_begin(name);
    bool open = trace_is_open();
    if (open)
        assert_string_equal(trace_stretch, name);
    trace_end(name);
    assert_false(trace_is_open());
    return open;
}

static void without_the_option(void **state)
{
    want(false, "");
    assert_false(trace_is_wanted());
    assert_false(is_marked("kmap"));
    assert_false(is_marked("kmap.wraps"));
}

static void suites_without_a_value(void **state)
{
    want(true, "");
    assert_true(trace_is_wanted());
    assert_true(is_marked("kmap"));
    assert_false(is_marked("kmap.wraps"));
    assert_false(is_marked("bench.run.kmap_hit"));
}

static void what_the_globs_match(void **state)
{
    want(true, "kmap.w*,bench.run.kmap_hit");
    assert_true(is_marked("kmap.wraps"));
    assert_true(is_marked("bench.run.kmap_hit"));
    assert_false(is_marked("kmap.counts"));
    assert_false(is_marked("kmap"));
    want(true, "*");
    assert_true(is_marked("kmap"));
    assert_true(is_marked("kmap.wraps"));
}

static void stretches_do_not_nest(void **state)
{
    want(true, "*");
    trace_begin("kmap");
    trace_begin("kmap.wraps");
    assert_string_equal(trace_stretch, "kmap");
    trace_end("kmap.wraps");
    assert_true(trace_is_open());
    trace_end("kmap");
    assert_false(trace_is_open());
    /* One that lost its end in a fault is ended by whoever picks up the pieces. */
    trace_begin("kmap.wraps");
    trace_end(NULL);
    assert_false(trace_is_open());
    trace_end(NULL);
    trace_end("kmap");
}

static void long_name(void **state)
{
    char name[2 * TRACE_NAME_MAX];

    memset(name, 'a', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    want(true, "*");
    trace_begin(name);
    assert_true(trace_is_open());
    assert_int_equal(strlen(trace_stretch), TRACE_NAME_MAX - 1);
    trace_end(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_the_option),
        cmocka_unit_test(suites_without_a_value),
        cmocka_unit_test(what_the_globs_match),
        cmocka_unit_test(stretches_do_not_nest),
        cmocka_unit_test(long_name),
    };

    return cmocka_run_group_tests_name("trace_marks", tests, NULL, NULL);
}
