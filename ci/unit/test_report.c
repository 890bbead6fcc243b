/* SPDX-License-Identifier: BSD-2-Clause */
#include "ci/unit/unit.h"
#include "drivers/console.h"
#include "lib/crc32c.h"
#include "payload/report.h"

/* A console that keeps everything. */
static char output[1 << 20];
static size_t output_length;
static unsigned nr_records; /* lines that no screen shows */
static char notice[200];    /* news of a console, once */

void console_write(const char *text, size_t len, enum console_readers readers)
{
    nr_records += readers == CONSOLE_PROGRAMS;
    assert_true(output_length + len < sizeof(output));
    memcpy(output + output_length, text, len);
    output_length += len;
    output[output_length] = '\0';
}

bool console_take_notice(char *buf, size_t size)
{
    if (!notice[0])
        return false;
    snprintf(buf, size, "%s", notice);
    notice[0] = '\0';
    return true;
}

static int begin(void **state)
{
    output_length = 0;
    nr_records = 0;
    notice[0] = '\0';
    report_begin(REPORT_KTAP);
    return 0;
}

/* The report, from its first line. */
static const char *report_text(void)
{
    return strstr(output, "KTAP version 1\n");
}

/*
 * Counts and sums all lines but the last one, as the runner does, checks what every line must be,
 * and compares with what the last one says.
 */
static void assert_sound(const char *verdict)
{
    const char *line = report_text();
    uint32_t crc = 0, said_crc;
    unsigned lines = 0, said_lines;
    unsigned pass, fail, skip, error;
    char said[16];

    assert_int_equal(output[0], '\n'); /* before anything else: firmware's line ends */
    assert_ptr_equal(line, output + 1);
    assert_int_equal(output[output_length - 1], '\n');
    for (;;) {
        const char *end = strchr(line, '\n');

        assert_non_null(end);
        assert_true(end - line < REPORT_LINE_MAX);
        for (const char *c = line; c < end; c++)
            assert_true(*c >= ' ' && *c <= '~');
        if (!end[1])
            break;
        crc = crc32c_update(crc, line, (size_t)(end - line));
        crc = crc32c_update(crc, "\n", 1);
        lines++;
        line = end + 1;
    }
    assert_int_equal(sscanf(line,
                            "# paeload: %15[A-Z] pass=%u fail=%u skip=%u error=%u lines=%u "
                            "crc32c=%8x\n",
                            said, &pass, &fail, &skip, &error, &said_lines, &said_crc),
                     7);
    assert_string_equal(said, verdict);
    assert_int_equal(said_lines, lines);
    assert_int_equal(said_crc, crc);
    assert_int_equal(pass, report_totals()->pass);
    assert_int_equal(fail, report_totals()->fail);
    assert_int_equal(skip, report_totals()->skip);
    assert_int_equal(error, report_totals()->error);
    /* Eight digits even where the first ones are zeros */
    assert_int_equal(strlen(strstr(line, "crc32c=")), strlen("crc32c=") + 8 + 1);
}

static void a_whole_report(void **state)
{
    static const char wanted[] = "KTAP version 1\n"
                                 "# paeload 0.1\n"
                                 "1..2\n"
                                 "    KTAP version 1\n"
                                 "    # Subtest: paging\n"
                                 "    1..4\n"
                                 "    ok 1 walk\n"
                                 "    # found 0x12\n"
                                 "    not ok 2 nx\n"
                                 "# progress paging 2/4\n"
                                 "    ok 3 guards # SKIP no NX on this CPU\n"
                                 "    not ok 4 bits # ERROR could not allocate 3 pages\n"
                                 "not ok 1 paging\n"
                                 "# metric memory.lowmem_free 812 MiB\n"
                                 "    KTAP version 1\n"
                                 "    # Subtest: kmap\n"
                                 "    1..1\n"
                                 "    ok 1 all.2 # SKIP no highmem\n"
                                 "ok 2 kmap # SKIP";

    report_line("# paeload %d.%d", 0, 1);
    report_line("1..2");
    report_suite_begin("paging", 4);
    report_case("paging", 1, "walk", OUTCOME_OK, NULL);
    report_note(4, "found 0x%x", 0x12);
    report_case("paging", 2, "nx", OUTCOME_NOT_OK, NULL);
    report_progress("paging", 2, 4);
    report_case("paging", 3, "guards", OUTCOME_SKIP, "no NX on this CPU");
    report_case("paging", 4, "bits", OUTCOME_ERROR, "could not allocate 3 pages");
    report_suite_end(1, "paging", OUTCOME_NOT_OK, false);
    report_metric("memory", "lowmem_free", 812, "MiB");
    report_suite_begin("kmap", 1);
    report_case("kmap", 1, "all.2", OUTCOME_SKIP, "no highmem");
    report_suite_end(2, "kmap", OUTCOME_SKIP, true);
    assert_int_equal(report_end(), OUTCOME_NOT_OK);
    assert_sound("FAIL");
    assert_memory_equal(report_text(), wanted, sizeof(wanted) - 1);
    assert_int_equal(report_totals()->pass, 1);
    assert_int_equal(report_totals()->fail, 1);
    assert_int_equal(report_totals()->skip, 2);
    assert_int_equal(report_totals()->error, 1);
}

static void verdicts(void **state)
{
    report_case("a", 1, "a", OUTCOME_OK, NULL);
    report_case("a", 2, "b", OUTCOME_SKIP, "why");
    assert_int_equal(report_end(), OUTCOME_OK);
    assert_sound("PASS");

    begin(state);
    report_case("a", 1, "a", OUTCOME_OK, NULL);
    report_case("a", 2, "b", OUTCOME_ERROR, "why");
    assert_int_equal(report_end(), OUTCOME_ERROR);
    assert_sound("ERROR");

    begin(state);
    report_case("a", 1, "a", OUTCOME_OK, NULL);
    report_count_error();
    assert_int_equal(report_end(), OUTCOME_ERROR);
    assert_sound("ERROR");

    begin(state);
    assert_int_equal(report_end(), OUTCOME_ERROR); /* nothing was run */
    assert_sound("ERROR");

    begin(state);
    report_case("a", 1, "a", OUTCOME_SKIP, "no such device");
    assert_int_equal(report_end(), OUTCOME_ERROR); /* nothing but skips */
    assert_sound("ERROR");

    begin(state);
    assert_int_equal(report_end(), OUTCOME_ERROR);
    assert_int_equal(report_totals()->error, 1);
}

/* The worst of both: what a suite is called decides nothing about the run. */
static void suites(void **state)
{
    report_suite_end(1, "good", OUTCOME_OK, false);
    report_suite_end(2, "skipped", OUTCOME_SKIP, true);
    report_suite_end(3, "some_skipped", OUTCOME_SKIP, false);
    report_suite_end(4, "bad", OUTCOME_NOT_OK, false);
    report_suite_end(5, "broken", OUTCOME_ERROR, false);
    assert_non_null(strstr(output, "\nok 1 good\n"));
    assert_non_null(strstr(output, "\nok 2 skipped # SKIP"));
    assert_non_null(strstr(output, "\nok 3 some_skipped\n"));
    assert_non_null(strstr(output, "\nnot ok 4 bad\n"));
    assert_non_null(strstr(output, "\nnot ok 5 broken # ERROR"));
}

static void long_lines_are_cut(void **state)
{
    char text[300];

    for (size_t length = REPORT_LINE_MAX - 10; length < REPORT_LINE_MAX + 150; length++) {
        const char *start = output + output_length;
        size_t fits = REPORT_LINE_MAX - 1;

        memset(text, 'x', length);
        text[length] = '\0';
        report_line("%s", text);
        assert_int_equal(strlen(start), MIN(length, fits) + 1);
        assert_int_equal(start[strlen(start) - 2], length > fits ? '~' : 'x');

        start = output + output_length;
        report_note(4, "%s", text);
        assert_memory_equal(start, "    # x", 7);
        assert_int_equal(strlen(start), MIN(length + 6, fits) + 1);
        assert_int_equal(start[strlen(start) - 2], length + 6 > fits ? '~' : 'x');
    }
    report_case("s", 1, "c", OUTCOME_ERROR, text);
    report_case("s", 2, text, OUTCOME_OK, NULL);
    report_metric(text, text, UINT64_MAX, text);
    report_end();
    assert_sound("ERROR");
}

static void odd_characters(void **state)
{
    const char *start;

    report_line("a\tb\nc\x1b[0m\x7f\x80\xff");
    start = strstr(output, "a?b");
    assert_non_null(start);
    assert_string_equal(start, "a?b?c?[0m???\n");
    report_note(0, "line\r\nline");
    assert_non_null(strstr(output, "# line??line\n"));
    report_line("%s", "");
    report_case("s", 1, "c", OUTCOME_OK, NULL);
    report_end();
    assert_sound("PASS");
}

/* A record is a line of the report like any other, for those who read logs. */
static void records(void **state)
{
    report_record("# lab sample %u", 7u);
    report_case("s", 1, "c", OUTCOME_OK, NULL);
    report_end();
    assert_sound("PASS");
    assert_non_null(strstr(output, "\n# lab sample 7\n"));
    assert_int_equal(nr_records, 1);
}

/* What a console has to say comes after the line that it came up with, as a comment. */
static void notices_of_consoles(void **state)
{
    strcpy(notice, "console ttyS1: no longer answers");
    report_case("s", 1, "c", OUTCOME_OK, NULL);
    assert_non_null(strstr(output, "    ok 1 c\n# console ttyS1: no longer answers\n"));
    memset(notice, 'n', sizeof(notice) - 1);
    report_note(0, "x");
    report_end();
    assert_sound("PASS");
}

static void lava_signals(void **state)
{
    output_length = 0;
    report_begin(REPORT_LAVA);
    report_case("kmap", 1, "good", OUTCOME_OK, NULL);
    report_case("kmap", 2, "bad", OUTCOME_NOT_OK, NULL);
    report_case("kmap", 3, "lacking", OUTCOME_SKIP, "x");
    report_case("kmap", 4, "broken", OUTCOME_ERROR, "x");
    report_metric("kmap", "cost", 42, "cycles");
    report_end();
    assert_sound("FAIL");
    assert_non_null(strstr(output, "<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=kmap.good RESULT=pass>\n"));
    assert_non_null(strstr(output, "<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=kmap.bad RESULT=fail>\n"));
    assert_non_null(
        strstr(output, "<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=kmap.lacking RESULT=skip>\n"));
    assert_non_null(
        strstr(output, "<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=kmap.broken RESULT=unknown>\n"));
    assert_non_null(strstr(output, "UNITS=cycles MEASUREMENT=42>\n"));
}

static void random_reports(void **state)
{
    struct prng prng;

    prng_seed(&prng, 1);
    for (int round = 0; round < 300; round++) {
        unsigned counts[4] = {0};

        begin(state);
        for (uint32_t n = between(&prng, 1, 60); n; n--) {
            enum outcome outcome = (enum outcome)prng_below(&prng, 4);

            if (one_in(&prng, 3)) {
                report_note(prng_below(&prng, 2) * 4, "%u %s", prng_u32(&prng), "text");
                continue;
            }
            report_case("s", n, "c", outcome, "reason");
            counts[outcome]++;
        }
        if (counts[OUTCOME_OK] + counts[OUTCOME_ERROR] + counts[OUTCOME_NOT_OK] == 0)
            continue;
        report_end();
        assert_sound(counts[OUTCOME_NOT_OK] ? "FAIL" : counts[OUTCOME_ERROR] ? "ERROR" : "PASS");
        assert_int_equal(counts[OUTCOME_OK], report_totals()->pass);
        assert_int_equal(counts[OUTCOME_NOT_OK], report_totals()->fail);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_whole_report, begin),
        cmocka_unit_test_setup(verdicts, begin),
        cmocka_unit_test_setup(suites, begin),
        cmocka_unit_test_setup(long_lines_are_cut, begin),
        cmocka_unit_test_setup(odd_characters, begin),
        cmocka_unit_test_setup(records, begin),
        cmocka_unit_test_setup(notices_of_consoles, begin),
        cmocka_unit_test(lava_signals),
        cmocka_unit_test(random_reports),
    };

    return cmocka_run_group_tests_name("report", tests, NULL, NULL);
}
