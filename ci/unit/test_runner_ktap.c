// SPDX-License-Identifier: BSD-2-Clause
/* The serial log's reader: whole logs, and every way in which a log goes wrong on its way. */
#include "ci/unit/unit.h"

#include "ci/runner/ktap.h"
#include "lib/crc32c.h"

static const char good_body[] = "KTAP version 1\n"
                                "# paeload 0.1 seed=1234abcd depth=smoke loader=\"x\"\n"
                                "# warning: option foo: there is no such option\n"
                                "1..2\n"
                                "    KTAP version 1\n"
                                "    # Subtest: paging\n"
                                "    1..2\n"
                                "# progress paging 1/2\n"
                                "    ok 1 walk\n"
                                "    ok 2 nx # SKIP no NX on this CPU\n"
                                "# metric memory.lowmem_free 812 MiB\n"
                                "ok 1 paging\n"
                                "    KTAP version 1\n"
                                "    # Subtest: kmap\n"
                                "    1..1\n"
                                "    ok 1 wrap\n"
                                "ok 2 kmap\n";

static const char bad_body[] = "KTAP version 1\n"
                               "# paeload 0.1 seed=77\n"
                               "1..1\n"
                               "    KTAP version 1\n"
                               "    # Subtest: dma_bounce\n"
                               "    1..3\n"
                               "    # byte 7 is 0x00\n"
                               "    # wanted 0x5a\n"
                               "    not ok 1 read.edu\n"
                               "    not ok 2 write # ERROR could not allocate 3 pages\n"
                               "    ok 3 guard\n"
                               "not ok 1 dma_bounce\n";

static unsigned count_lines(const char *body)
{
    unsigned lines = 0;

    for (; *body; body++)
        lines += *body == '\n';
    return lines;
}

/* The body with its last line behind it, lines ended as a serial line ends them. */
static char *make_log(const char *body, const char *verdict)
{
    char last[160];
    char *log = malloc(2 * strlen(body) + sizeof(last)), *out = log;

    assert_non_null(log);
    snprintf(last, sizeof(last), "# paeload: %s lines=%u crc32c=%08x\n", verdict, count_lines(body),
             crc32c_update(0, body, strlen(body)));
    for (const char *part = body; part; part = part == body ? last : NULL) {
        for (const char *c = part; *c; c++) {
            if (*c == '\n')
                *out++ = '\r';
            *out++ = *c;
        }
    }
    *out = '\0';
    return log;
}

static char *good_log(void)
{
    return make_log(good_body, "PASS pass=2 fail=0 skip=1 error=0");
}

static void parse(struct ktap *ktap, const char *log, size_t length)
{
    ktap_init(ktap);
    ktap_feed(ktap, log, length, 1.0);
    ktap_finish(ktap, 2.0);
}

static bool has_problem(const struct ktap *ktap, const char *part)
{
    for (size_t i = 0; i < ktap->problems.count; i++) {
        if (strstr(ktap->problems.at[i], part))
            return true;
    }
    return false;
}

static void assert_good(const struct ktap *ktap)
{
    assert_int_equal(ktap->problems.count, 0);
    assert_int_equal(ktap->verdict, VERDICT_PASS);
    assert_string_equal(ktap->seed, "1234abcd");
    assert_int_equal(ktap->nr_suites, 2);
    assert_string_equal(ktap->suites[0].name, "paging");
    assert_int_equal(ktap->suites[0].nr_cases, 2);
    assert_int_equal(ktap->suites[0].cases[1].outcome, OUTCOME_SKIP);
    assert_string_equal(ktap->suites[0].cases[1].reason, "no NX on this CPU");
    assert_int_equal(ktap->nr_metrics, 1);
    assert_string_equal(ktap->metrics[0].name, "memory.lowmem_free");
    assert_string_equal(ktap->metrics[0].value, "812");
    assert_null(ktap_open_suite(ktap));
}

static void whole(void **state)
{
    char *log = good_log();
    struct ktap ktap;

    parse(&ktap, log, strlen(log));
    assert_good(&ktap);
    ktap_free(&ktap);
    free(log);
}

/* The bytes come as the emulator writes them, in pieces of any size. */
static void in_pieces(void **state)
{
    char *log = good_log();
    size_t length = strlen(log);
    struct prng prng;

    prng_seed(&prng, 1);
    for (int round = 0; round < 50; round++) {
        struct ktap ktap;

        ktap_init(&ktap);
        for (size_t at = 0; at < length;) {
            size_t piece = between(&prng, 1, 40);

            if (piece > length - at)
                piece = length - at;
            char *copy = exact_copy(log + at, piece);
            ktap_feed(&ktap, copy, piece, 1.0);
            free(copy);
            at += piece;
        }
        ktap_finish(&ktap, 2.0);
        assert_good(&ktap);
        ktap_free(&ktap);
    }
    free(log);
}

static void failures_with_their_lines(void **state)
{
    char *log = make_log(bad_body, "FAIL pass=1 fail=1 skip=0 error=1");
    struct ktap ktap;

    parse(&ktap, log, strlen(log));
    assert_int_equal(ktap.problems.count, 0);
    assert_int_equal(ktap.verdict, VERDICT_FAIL);
    const struct ktap_suite *suite = ktap_find_suite(&ktap, "dma_bounce");
    assert_non_null(suite);
    assert_int_equal(suite->outcome, OUTCOME_NOT_OK);
    assert_string_equal(suite->cases[0].name, "read.edu");
    assert_string_equal(suite->cases[0].messages, "# byte 7 is 0x00\n# wanted 0x5a\n");
    assert_int_equal(suite->cases[1].outcome, OUTCOME_ERROR);
    assert_string_equal(suite->cases[1].reason, "could not allocate 3 pages");
    assert_null(suite->cases[2].messages);
    ktap_free(&ktap);
    free(log);
}

/* What the laboratory tells is kept for pictures, and is no message of any case. */
static void laboratory_lines(void **state)
{
    static const char bytes[] = "boot\nKTAP version 1\n    KTAP version 1\n    # Subtest: a\n"
                                "# lab begin a.b c 1\n    # lab end 1\n    # why\n    not ok 1 b\n"
                                "not ok 1 a\n# labour\n";
    struct ktap ktap;

    parse(&ktap, bytes, strlen(bytes));
    assert_int_equal(ktap.nr_lab, 2);
    assert_int_equal(ktap.lab[0].number, 5);
    assert_string_equal(ktap.lab[0].text, "begin a.b c 1");
    assert_int_equal(ktap.lab[1].number, 6);
    assert_string_equal(ktap.suites[0].cases[0].messages, "# why\n");
    assert_null(ktap.suites[0].orphans);
    assert_int_equal(ktap.notes.count, 1);
    ktap_free(&ktap);
}

/* What firmware leaves on the line before the report, with and without a line end of its own. */
static void firmware_noise(void **state)
{
    static const char *const noise[] = {
        "\033[2J\033[01;01H\033[=3h\r\n",
        "\033[2J\033[01;01HBdsDxe: loading Boot0001\r\n\033[0m\r\n\r\n",
        "\033[2J\033[01;01H",
        "ok 1 not ours\r\n1..7\r\n# paeload: this is no verdict\r\n",
    };

    for (size_t i = 0; i < ARRAY_SIZE(noise); i++) {
        char *log = good_log();
        struct ktap ktap;

        ktap_init(&ktap);
        ktap_feed(&ktap, noise[i], strlen(noise[i]), 0.5);
        ktap_feed(&ktap, log, strlen(log), 1.0);
        ktap_finish(&ktap, 2.0);
        assert_good(&ktap);
        ktap_free(&ktap);
        free(log);
    }
}

/*
 * A serial line without flow control loses bytes. No single one may go unnoticed: the log either
 * has a problem or no verdict at all. Carriage returns are no part of what is checked.
 */
static void any_lost_byte(void **state)
{
    char *log = good_log();
    size_t length = strlen(log);

    for (size_t lost = 0; lost + 1 < length; lost++) {
        struct ktap ktap;

        if (log[lost] == '\r')
            continue;
        char *damaged = malloc(length);
        assert_non_null(damaged);
        memcpy(damaged, log, lost);
        memcpy(damaged + lost, log + lost + 1, length - lost - 1);
        parse(&ktap, damaged, length - 1);
        if (ktap.verdict != VERDICT_NONE)
            assert_true(ktap.problems.count > 0);
        ktap_free(&ktap);
        free(damaged);
    }
    free(log);
}

static void any_changed_bit(void **state)
{
    char *log = good_log();
    size_t length = strlen(log);
    struct prng prng;

    prng_seed(&prng, 2);
    for (size_t at = 0; at + 2 < length; at++) {
        unsigned char bit = (unsigned char)(1u << prng_below(&prng, 7));
        char before = log[at];
        struct ktap ktap;

        if (before == '\r')
            continue;
        log[at] = (char)(before ^ bit);
        parse(&ktap, log, length);
        if (ktap.verdict != VERDICT_NONE)
            assert_true(ktap.problems.count > 0);
        ktap_free(&ktap);
        log[at] = before;
    }
    free(log);
}

static void lost_byte_is_named(void **state)
{
    char *log = good_log();
    struct ktap ktap;

    *strstr(log, "walk") = 'W';
    parse(&ktap, log, strlen(log));
    assert_true(has_problem(&ktap, "serial log damaged: crc32c"));
    ktap_free(&ktap);
    free(log);
}

/* A log that stops: at any byte before the last line is whole there is no verdict. */
static void truncated(void **state)
{
    char *log = good_log();
    size_t length = strlen(log);

    for (size_t kept = 0; kept < length; kept++) {
        char *piece = exact_copy(log, kept);
        struct ktap ktap;

        parse(&ktap, piece, kept);
        assert_int_equal(ktap.verdict, VERDICT_NONE);
        ktap_free(&ktap);
        free(piece);
    }
    free(log);
}

static void hang_inside_a_suite(void **state)
{
    const char *end = strstr(bad_body, "    ok 3");
    struct ktap ktap;

    parse(&ktap, bad_body, (size_t)(end - bad_body));
    assert_int_equal(ktap.verdict, VERDICT_NONE);
    assert_non_null(ktap_open_suite(&ktap));
    assert_string_equal(ktap_open_suite(&ktap)->name, "dma_bounce");
    assert_int_equal(ktap_open_suite(&ktap)->nr_cases, 2);
    ktap_free(&ktap);
}

/* The verdict must agree with what stands before it, checksum or not. */
static void verdict_that_lies(void **state)
{
    static const struct {
        const char *body, *verdict, *problem;
    } lies[] = {
        {bad_body, "PASS pass=1 fail=1 skip=0 error=1", "but cases are not ok"},
        {bad_body, "FAIL pass=2 fail=1 skip=0 error=1", "the verdict says pass=2, the log has 1"},
        {good_body, "PASS pass=2 fail=0 skip=0 error=0", "skip=0, the log has 1"},
        {"KTAP version 1\n1..2\nok 1 a\n", "PASS pass=0 fail=0 skip=0 error=0",
         "2 suites were planned, 1"},
        {"KTAP version 1\n1..1\n    KTAP version 1\n    # Subtest: a\n    1..2\n    ok 1 x\nok 1 "
         "a\n",
         "PASS pass=1 fail=0 skip=0 error=0", "planned 2 cases and has 1"},
        {"KTAP version 1\n1..1\n    KTAP version 1\n    # Subtest: a\n    1..1\n    not ok 1 x\n"
         "ok 1 a\n",
         "FAIL pass=0 fail=1 skip=0 error=0", "is ok, but a case of it is not"},
        {"KTAP version 1\n1..1\n    KTAP version 1\n    # Subtest: a\n    1..1\n    ok 1 x\nok 1 "
         "b\n",
         "PASS pass=1 fail=0 skip=0 error=0", "suite a ends with the result of b"},
        {"KTAP version 1\n1..1\n    KTAP version 1\n    # Subtest: a\n    1..1\n    ok 1 x\n",
         "PASS pass=1 fail=0 skip=0 error=0", "suite a has no result line"},
        {"KTAP version 1\n1..1\nKTAP version 1\n1..1\nok 1 a\n",
         "PASS pass=0 fail=0 skip=0 error=0", "started a second time"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
        char *log = make_log(lies[i].body, lies[i].verdict);
        struct ktap ktap;

        parse(&ktap, log, strlen(log));
        if (!has_problem(&ktap, lies[i].problem))
            fail_msg("lie %zu was believed", i);
        ktap_free(&ktap);
        free(log);
    }
}

static void starts_again_after_the_verdict(void **state)
{
    char *log = good_log();
    struct ktap ktap;

    ktap_init(&ktap);
    ktap_feed(&ktap, log, strlen(log), 1.0);
    ktap_feed(&ktap, log, strlen(log), 2.0);
    ktap_finish(&ktap, 3.0);
    assert_true(has_problem(&ktap, "started again"));
    ktap_free(&ktap);
    free(log);
}

static void damaged_verdict_is_named(void **state)
{
    char *log = good_log();
    struct ktap ktap;

    memcpy(strstr(log, " crc32c="), " crc32x=", strlen(" crc32c="));
    parse(&ktap, log, strlen(log));
    assert_int_equal(ktap.verdict, VERDICT_NONE);
    assert_true(has_problem(&ktap, "the verdict line is damaged"));
    ktap_free(&ktap);
    free(log);
}

static void refusal(void **state)
{
    static const char *const logs[] = {
        "\r\n# paeload: REFUSED: this CPU has no PAE (486)\r\n",
        "\033[2J# paeload: REFUSED: this CPU has no PAE (486)\r\n",
        "\r\nKTAP version 1\r\n# paeload 0.1 seed=1\r\n# paeload: REFUSED: this CPU has no PAE\r\n",
    };

    for (size_t i = 0; i < ARRAY_SIZE(logs); i++) {
        struct ktap ktap;

        parse(&ktap, logs[i], strlen(logs[i]));
        assert_int_equal(ktap.verdict, VERDICT_REFUSED);
        assert_int_equal(ktap.problems.count, 0);
        assert_non_null(strstr(ktap.verdict_line, "no PAE"));
        ktap_free(&ktap);
    }
}

struct heard {
    unsigned suites, cases, ends, progress, verdicts, notes;
};

static void listen(void *ctx, const struct ktap_event *event)
{
    struct heard *heard = ctx;

    heard->suites += event->kind == KTAP_SUITE;
    heard->cases += event->kind == KTAP_CASE;
    heard->ends += event->kind == KTAP_SUITE_END;
    heard->progress += event->kind == KTAP_PROGRESS;
    heard->verdicts += event->kind == KTAP_VERDICT;
    heard->notes += event->kind == KTAP_NOTE;
}

static void events(void **state)
{
    char *log = good_log();
    struct heard heard = {0};
    struct ktap ktap;

    ktap_init(&ktap);
    ktap.listener = listen;
    ktap.ctx = &heard;
    ktap_feed(&ktap, log, strlen(log), 1.0);
    assert_int_equal(heard.suites, 2);
    assert_int_equal(heard.cases, 3);
    assert_int_equal(heard.ends, 2);
    assert_int_equal(heard.progress, 1);
    assert_int_equal(heard.verdicts, 1);
    assert_int_equal(heard.notes, 1);
    ktap_free(&ktap);
    free(log);
}

/* Garbage of any kind must not upset the reader. The sanitizers are the judges here. */
static void garbage(void **state)
{
    char *log = good_log();
    size_t length = strlen(log);
    struct prng prng;

    prng_seed(&prng, 3);
    for (int round = 0; round < 300; round++) {
        char *noisy = exact_copy(log, length);
        struct ktap ktap;

        for (unsigned i = between(&prng, 1, 60); i; i--)
            noisy[prng_below(&prng, (uint32_t)length)] = (char)prng_u32(&prng);
        parse(&ktap, noisy, length);
        ktap_free(&ktap);
        free(noisy);
    }
    free(log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole),
        cmocka_unit_test(in_pieces),
        cmocka_unit_test(failures_with_their_lines),
        cmocka_unit_test(laboratory_lines),
        cmocka_unit_test(firmware_noise),
        cmocka_unit_test(any_lost_byte),
        cmocka_unit_test(any_changed_bit),
        cmocka_unit_test(lost_byte_is_named),
        cmocka_unit_test(truncated),
        cmocka_unit_test(hang_inside_a_suite),
        cmocka_unit_test(verdict_that_lies),
        cmocka_unit_test(starts_again_after_the_verdict),
        cmocka_unit_test(damaged_verdict_is_named),
        cmocka_unit_test(refusal),
        cmocka_unit_test(events),
        cmocka_unit_test(garbage),
    };

    return cmocka_run_group_tests_name("runner_ktap", tests, NULL, NULL);
}
