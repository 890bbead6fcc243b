// SPDX-License-Identifier: BSD-2-Clause
/* Figures of the bench: from the report to JSON, and the comparison with a baseline. */
#include "ci/unit/unit.h"

#include <unistd.h>

#include "ci/bench/figures.h"
#include "ci/bench/table.h"

#define ROW                                                                                    \
    "    # bench kmap_cold operations=4096 instructions=409600 flushes_full=8 flushes_page=0 " \
    "bytes=0\r\n"

/* The path of a file with this content, in static room. */
static const char *make_file(const char *content)
{
    static char path[64];
    int file;

    strcpy(path, "/tmp/paeload-bench-XXXXXX");
    file = mkstemp(path);
    assert_true(file >= 0);
    assert_int_equal(write(file, content, strlen(content)), strlen(content));
    close(file);
    return path;
}

static json_t *read_report(const char *content, char **message)
{
    json_t *figures = json_object();
    const char *path = make_file(content);
    int error = figures_read_report(figures, path, message);

    unlink(path);
    if (error) {
        json_decref(figures);
        return NULL;
    }
    return figures;
}

static void rows(void **state)
{
    char *message = NULL;
    json_t *figures = read_report("KTAP version 1\n" ROW "    ok 1 count.kmap_cold\n"
                                  "# bench a operations=3 instructions=10 flushes_full=0 "
                                  "flushes_page=3 flushes_global=6 bytes=12\n",
                                  &message);

    assert_non_null(figures);
    assert_int_equal(json_object_size(figures), 2);
    assert_float_equal(figures_get(figures, "kmap_cold", "instructions"), 100, 0);
    assert_float_equal(figures_get(figures, "kmap_cold", "flushes"), 8 / 4096.0, 0);
    assert_true(figures_get(figures, "kmap_cold", "flushes_global") < 0);
    assert_float_equal(figures_get(figures, "a", "instructions"), 10 / 3.0, 0);
    assert_float_equal(figures_get(figures, "a", "flushes_page"), 1, 0);
    assert_float_equal(figures_get(figures, "a", "flushes_global"), 2, 0);
    assert_float_equal(figures_get(figures, "a", "flushes"), 3, 0);
    assert_float_equal(figures_get(figures, "a", "bytes"), 4, 0);
    assert_true(figures_get(figures, "a", "nonsense") < 0);
    assert_true(figures_get(figures, "b", "bytes") < 0);
    json_decref(figures);
}

static void bad_reports(void **state)
{
    static const struct {
        const char *content, *said;
    } bad[] = {
        {"KTAP version 1\n", "no row"},
        {"", "no row"},
        {"# bench a operations=4096 cycles=1 flushes_full=8 flushes_page=0 bytes=0\n",
         ":1: not a row of counted instructions"},
        {"# bench a operations=0 instructions=1 flushes_full=8 flushes_page=0 bytes=0\n",
         ":1: not"},
        {"# bench a operations=4 instructions=1 flushes_full=8 flushes_page=0 bytes=0~\n",
         ":1: not"},
        {"# bench a operations=4 instructions=1 flushes_fu\n", ":1: not"},
        {ROW ROW, ":2: row kmap_cold is there twice"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        char *message = NULL;

        assert_null(read_report(bad[i].content, &message));
        assert_non_null(message);
        assert_non_null(strstr(message, bad[i].said));
        free(message);
    }
}

static void missing_files(void **state)
{
    json_t *figures = json_object();
    char *message = NULL;

    assert_int_equal(figures_read_report(figures, "/nonexistent", &message), -1);
    assert_non_null(strstr(message, "/nonexistent"));
    free(message);
    assert_int_equal(figures_add_size(figures, "image", "/nonexistent", &message), -1);
    assert_non_null(strstr(message, "/nonexistent"));
    free(message);
    assert_null(figures_load("/nonexistent", &message));
    free(message);
    json_decref(figures);
}

static void saved_and_loaded(void **state)
{
    char *message = NULL;
    json_t *figures = read_report(ROW, &message), *again;
    struct words changes = {0};
    const char *path = make_file("123456");

    assert_int_equal(figures_add_size(figures, "image", path, &message), 0);
    assert_float_equal(figures_get(figures, "image", "bytes"), 6, 0);
    assert_int_equal(figures_save(figures, path, &message), 0);
    again = figures_load(path, &message);
    assert_non_null(again);
    figures_compare(figures, again, 0.0000001, &changes);
    assert_int_equal(changes.count, 0);
    unlink(path);
    json_decref(figures);
    json_decref(again);
}

static void bad_baselines(void **state)
{
    static const char *const bad[] = {"", "{", "[]", "{\"a\": 1}", "{\"a\": {}, \"a\": {}}"};

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        const char *path = make_file(bad[i]);
        char *message = NULL;

        assert_null(figures_load(path, &message));
        assert_non_null(message);
        free(message);
        unlink(path);
    }
}

/* What comparing {"r": old} with {"r": new} says, or NULL; for free(). */
static char *compare(const char *old, const char *new)
{
    json_t *was = json_loads(old, 0, NULL), *is = json_loads(new, 0, NULL);
    struct words changes = {0};
    char *said;

    assert_true(was && is);
    figures_compare(was, is, 0.01, &changes);
    said = changes.count ? words_join(&changes) : NULL;
    words_free(&changes);
    json_decref(was);
    json_decref(is);
    return said;
}

static void changes(void **state)
{
    static const struct {
        const char *old, *new, *said;
    } pairs[] = {
        {"{\"r\": {\"instructions\": 100}}", "{\"r\": {\"instructions\": 100}}", NULL},
        {"{\"r\": {\"instructions\": 100}}", "{\"r\": {\"instructions\": 101}}", NULL},
        {"{\"r\": {\"instructions\": 100}}", "{\"r\": {\"instructions\": 99.0}}", NULL},
        {"{\"r\": {\"instructions\": 100}}", "{\"r\": {\"instructions\": 101.5}}",
         "r: instructions was 100, is 101.5 (+1.50 %)"},
        {"{\"r\": {\"instructions\": 100}}", "{\"r\": {\"instructions\": 98}}", "(-2.00 %)"},
        {"{\"r\": {\"flushes_page\": 0}}", "{\"r\": {\"flushes_page\": 0.001}}",
         "r: flushes_page was 0, is 0.001"},
        {"{\"r\": {\"bytes\": 0}}", "{\"r\": {\"bytes\": 0.0}}", NULL},
        {"{\"r\": {\"bytes\": 1}}", "{\"r\": {}}", "r: bytes is gone"},
        {"{\"r\": {}}", "{\"r\": {\"bytes\": 1}}", "r: bytes is new"},
        {"{\"r\": {\"bytes\": 1}}", "{}", "r: the row is gone"},
        {"{}", "{\"r\": {\"bytes\": 1}}", "r: the row is new"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
        char *said = compare(pairs[i].old, pairs[i].new);

        if (!pairs[i].said) {
            assert_null(said);
            continue;
        }
        assert_non_null(said);
        assert_non_null(strstr(said, pairs[i].said));
        free(said);
    }
}

/* A row in the README's table is found wrong when it is, and missed when it isn't there. */
static void readme(void **state)
{
    json_t *figures = json_loads("{\"kmap_hit\": {\"instructions\": 74.6},"
                                 " \"alloc0\": {\"instructions\": 314.2},"
                                 " \"image_bytes_elf\": {\"bytes\": 1000}}",
                                 0, NULL);
    const char *path = make_file("| row | operation |\n|---|---|\n"
                                 "| `kmap_hit` | what, ever | 74.6 | Linux 336 | |\n"
                                 "| `alloc0` | this | 320 | Linux 3 | |\n"
                                 "| `kmap.h` | of another table |\n");
    struct words wrong = {0};

    table_check(path, figures, 0.01, &wrong);
    unlink(path);
    assert_int_equal(wrong.count, 2);
    assert_non_null(strstr(wrong.at[0], "`alloc0` says 320, it is 314.2"));
    assert_non_null(strstr(wrong.at[1], "no row `image_bytes_elf`"));
    words_free(&wrong);
    table_check("/nonexistent", figures, 0.01, &wrong);
    assert_int_equal(wrong.count, 1);
    words_free(&wrong);
    json_decref(figures);
}

/* What is printed is what the check of README accepts. */
static void printed(void **state)
{
    char *message = NULL;
    json_t *figures = read_report(ROW "# bench unheard_of operations=2 instructions=3 "
                                      "flushes_full=2 flushes_page=2 bytes=2\n",
                                  &message);
    const char *path = make_file("");
    FILE *file = fopen(path, "w");
    struct words wrong = {0};

    table_print(file, figures);
    fclose(file);
    table_check(path, figures, 0, &wrong);
    assert_int_equal(wrong.count, 0);
    unlink(path);
    json_decref(figures);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows),          cmocka_unit_test(bad_reports),
        cmocka_unit_test(missing_files), cmocka_unit_test(saved_and_loaded),
        cmocka_unit_test(bad_baselines), cmocka_unit_test(changes),
        cmocka_unit_test(readme),        cmocka_unit_test(printed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
