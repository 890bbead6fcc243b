// SPDX-License-Identifier: BSD-2-Clause
/* The stanza table's reader. */
#include "ci/unit/unit.h"

#include <errno.h>
#include <unistd.h>

#include "ci/runner/table.h"

/* Reads `content` as a table. */
static int read_text(const char *content, struct table *table, char **message)
{
    char path[] = "/tmp/paeload-table-XXXXXX";
    int file = mkstemp(path);

    assert_true(file >= 0);
    assert_int_equal(write(file, content, strlen(content)), strlen(content));
    close(file);
    int error = table_read(table, path, message);
    unlink(path);
    return error;
}

static void stanzas(void **state)
{
    struct table table;
    char *message;

    assert_int_equal(read_text("# comment\n"
                               "[one]\n"
                               "mem = 64M\n"
                               "\n"
                               "  expect_line =  ^a = b$  \n"
                               "expect_line=second\n"
                               "[ two ]\n",
                               &table, &message),
                     0);
    assert_int_equal(table.nr_stanzas, 2);
    assert_string_equal(table.stanzas[0].name, "one");
    assert_int_equal(table.stanzas[0].nr_entries, 3);
    assert_string_equal(table.stanzas[0].entries[0].value, "64M");
    assert_string_equal(table.stanzas[0].entries[1].key, "expect_line");
    assert_string_equal(table.stanzas[0].entries[1].value, "^a = b$");
    assert_int_equal(table.stanzas[0].entries[1].line, 5);
    assert_string_equal(table.stanzas[1].name, "two");
    assert_int_equal(table.stanzas[1].nr_entries, 0);
    table_free(&table);
}

static void mistakes(void **state)
{
    static const struct {
        const char *content, *said;
    } bad[] = {
        {"mem = 64M\n", ":1: a value before the first"},
        {"[a]\nmem\n", ":2: neither"},
        {"[a]\n[b]\n[a]\n", ":3: a second stanza [a], the first is in line 1"},
        {"[]\n", ":1: neither"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct table table;
        char *message;

        assert_int_equal(read_text(bad[i].content, &table, &message), -EINVAL);
        assert_non_null(strstr(message, bad[i].said));
        free(message);
    }
}

static void no_file(void **state)
{
    struct table table;
    char *message;

    assert_int_equal(table_read(&table, "/nonexistent/table", &message), -ENOENT);
    assert_non_null(message);
    free(message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stanzas),
        cmocka_unit_test(mistakes),
        cmocka_unit_test(no_file),
    };

    return cmocka_run_group_tests_name("runner_table", tests, NULL, NULL);
}
