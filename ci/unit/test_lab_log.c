// SPDX-License-Identifier: BSD-2-Clause
/* The laboratory's lines: whole logs, and every way in which a line goes wrong on its way. */
#include "ci/runner/tests/lab_sample.h"

#include "ci/runner/lab_log.h"

static void read_bytes(struct lab_log *log, const char *bytes, size_t length)
{
    struct ktap ktap;

    lab_feed(&ktap, bytes, length);
    lab_log_read(log, &ktap);
    ktap_free(&ktap);
}

static void whole(void **state)
{
    char *bytes = lab_sample();
    struct lab_log log;

    read_bytes(&log, bytes, strlen(bytes));
    assert_int_equal(log.notes.count, 0);
    assert_int_equal(log.nr_cases, 2);
    assert_int_equal(log.nr_results, 2);
    const struct lab_case *none = &log.cases[0], *smaller = &log.cases[1];
    assert_string_equal(none->suite, "lowmem_stacks");
    assert_string_equal(none->name, "none");
    assert_string_equal(none->unit, "threads");
    assert_int_equal(none->limit, 65536);
    assert_string_equal(none->workload, "stacks");
    assert_int_equal(none->zones[1].first, 4096);
    assert_int_equal(none->zones[1].end, 229376);
    assert_int_equal(none->zones[1].present, 224241);
    assert_int_equal(none->zones[1].nr_samples, 4);
    assert_int_equal(none->zones[1].samples[1].ms, 1003);
    assert_int_equal(none->zones[1].samples[1].done, 600);
    assert_int_equal(none->zones[1].samples[1].free, 2500);
    assert_int_equal(none->zones[1].samples[1].counts.nr_free[8], 1);
    assert_int_equal(none->zones[0].below[2], 3);
    assert_false(none->zones[2].has_below);
    assert_string_equal(none->owners['t' - 'a'], "stacks");
    assert_null(none->owners['x' - 'a']);
    assert_int_equal(none->noise, 25);
    assert_int_equal(smaller->noise, 0); /* an older log */
    assert_int_equal(none->maps[LAB_AT_WEDGE].step, 16);
    assert_int_equal(none->maps[LAB_AT_WEDGE].nr_rows, 2);
    assert_int_equal(none->maps[LAB_AT_WEDGE].rows[1].frame, 4096);
    assert_int_equal(none->failed[1], 1);
    assert_int_equal(none->nr_spent, 4);
    assert_int_equal(lab_spent_of(none, LAB_FREE, 0)->p50, 150);
    assert_int_equal(lab_spent_of(none, LAB_SLAB, 0)->max, 5000);
    assert_null(lab_spent_of(smaller, LAB_FREE, 0));
    assert_int_equal(lab_main_spent(&log, none)->order, 0);
    assert_int_equal(lab_main_spent(&log, none)->max, 80059);
    assert_string_equal(none->events[0].name, "pageblocks_stolen");
    assert_true(none->ended);
    assert_int_equal(none->verdict, LAB_WEDGED);
    assert_int_equal(none->order, 1);
    assert_int_equal(none->zone, 1);
    assert_int_equal(none->free[0], 8);
    assert_int_equal(none->largest, 0);
    assert_int_equal(smaller->verdict, LAB_NEVER);
    assert_int_equal(smaller->zone, -1);
    assert_int_equal(smaller->largest, -1);
    assert_int_equal(lab_result_of(&log, smaller)->times, 4042);
    assert_null(lab_main_spent(&log, &(struct lab_case){0}));
    lab_log_free(&log);
    free(bytes);
}

/* Lines that follow a beginning and its zones; each is left out, for the reason that it names. */
static const struct {
    const char *line, *why;
} bad_lines[] = {
    {"sample 2000 5 DMA 2048 0 0 0 0 0 0 0 0 0 0", "words are missing"},
    {"sample 2000 5 DMA 2048 0 0 0 0 0 0 0 0 0 0 2 7", "too many"},
    {"sample 2000 5 DMA 2048 0 0 0 0 0 0 0 0 0 0 2 7 1 1 1 1 1 1 1 1 1", "too many words"},
    {"sample 2000 5 DNA 2048 0 0 0 0 0 0 0 0 0 0 2", "none of those"},
    {"sample 20x0 5 DMA 2048 0 0 0 0 0 0 0 0 0 0 2", "a number is none"},
    {"sample -1 5 DMA 2048 0 0 0 0 0 0 0 0 0 0 2", "a number is none"},
    {"sample 999 5 DMA 2048 0 0 0 0 0 0 0 0 0 0 2", "from before the one"},
    {"sample 2000 3 DMA 2048 0 0 0 0 0 0 0 0 0 0 2", "from before the one"},
    {"sample 2000 5 DMA 2047 0 0 0 0 0 0 0 0 0 0 2", "more pages in free blocks"},
    {"sample 2000 5 DMA 3684 0 0 0 0 0 0 0 0 0 0 2", "more pages free than"},
    {"sample 2000 5 DMA 99999999999999999999999999 0 0 0 0 0 0 0 0 0 0 2", "too large"},
    {"zone DMA 0 4096 3683", "another case has begun unseen"},
    {"zone Normal 4096 4095 0", "more pages than frames"},
    {"zone Normal 0 33554433 0", "too large"},
    {"clock 24 25", "words are missing"},
    {"clock 24 few cycles", "a number is none"},
    {"clock 9999999999999999 25 cycles", "too large"},
    {"owner K kernel", "letter is none"},
    {"owner kk kernel", "letter is none"},
    {"owner k", "words are missing"},
    {"map begin 0 16 ....", "none of those"},
    {"map start 0 0 ....", "size of a cell"},
    {"map start 0 16 ..,.", "a cell that is none"},
    {"map start 8192 32 ....", "size of a cell"},
    {"map start 4097 16 ....", "overlaps"},
    {"map start 1048576 16 ....", "lowmem never has"},
    {"map end 0 16 .................................................................",
     "too many cells"},
    {"failed 11 1", "too large"},
    {"below DMA 1 2", "words are missing"},
    {"spent alloc 0 10 5 4 6 7 cycles", "do not rise"},
    {"spent more 0 10 4 5 6 7 cycles", "none of those"},
    {"result stacks none 5 wedged 100 x 0", "a number is none"},
    {"result stacks none 5 wedged 100 7 11", "too large"},
    {"events x y", "a number is none"},
    {"end 5 maybe 0 - 1 2 3 4", "none of those"},
    {"end 5 wedged 0 DMA 1 2 3 11", "too large"},
    {"result stacks none 5 wedged 100", "words are missing"},
    {"begin lowmem_stacks stacks threads 10", "no two parts"},
    {"begin .none stacks threads 10", "no two parts"},
    {"nonsense", "no such kind"},
    {"", "no such kind"},
};

static void each_bad_line_is_named(void **state)
{
    static const char start[] = "KTAP version 1\n1..1\n"
                                "# lab begin s.none stacks threads 10\n"
                                "# lab zone DMA 0 4096 3683\n"
                                "# lab map start 4096 16 ....\n"
                                "# lab sample 1000 4 DMA 2048 0 0 0 0 0 0 0 0 0 0 2\n";

    for (size_t i = 0; i < ARRAY_SIZE(bad_lines); i++) {
        char *bytes = text("%s# lab %s\n", start, bad_lines[i].line);
        struct lab_log log;

        read_bytes(&log, bytes, strlen(bytes));
        assert_int_equal(log.notes.count, 1);
        if (!strstr(log.notes.at[0], bad_lines[i].why))
            fail_msg("%s: wanted: %s", log.notes.at[0], bad_lines[i].why);
        assert_non_null(strstr(log.notes.at[0], "line 7:"));
        assert_int_equal(log.nr_cases, 1);
        assert_int_equal(log.nr_results, 0);
        assert_int_equal(log.cases[0].zones[0].nr_samples, 1);
        assert_int_equal(log.cases[0].maps[LAB_START].nr_rows, 1);
        assert_int_equal(log.cases[0].nr_spent, 0);
        assert_false(log.cases[0].ended);
        lab_log_free(&log);
        free(bytes);
    }
}

/* What the firmware said before counts: the number is that of the line in serial.log. */
static void lines_are_counted_from_the_first(void **state)
{
    static const char bytes[] = "BIOS\nboot\nKTAP version 1\n# lab junk\n";
    struct lab_log log;

    read_bytes(&log, bytes, strlen(bytes));
    assert_int_equal(log.notes.count, 1);
    assert_non_null(strstr(log.notes.at[0], "line 4:"));
    lab_log_free(&log);
}

/* Without its beginning a case's lines belong to none; least to the one before. */
static void lost_beginning(void **state)
{
    char *bytes = lab_sample();
    struct lab_log log;

    memcpy(strstr(bytes, "begin lowmem_stacks.smaller"), "bigin", 5);
    read_bytes(&log, bytes, strlen(bytes));
    assert_int_equal(log.nr_cases, 1);
    assert_int_equal(log.cases[0].zones[1].nr_samples, 4);
    assert_int_equal(log.cases[0].verdict, LAB_WEDGED);
    assert_true(log.notes.count > 5);
    lab_log_free(&log);
    free(bytes);
}

/* The same when it is there and can't be read. */
static void damaged_beginning(void **state)
{
    static const char bytes[] = "KTAP version 1\n# lab begin s.none stacks threads 10\n"
                                "# lab begin s.pool stacks threads 1x\n"
                                "# lab events reclaims 5\n# lab end 5 never 0 - 0 0 0 -1\n";
    struct lab_log log;

    read_bytes(&log, bytes, strlen(bytes));
    assert_int_equal(log.nr_cases, 1);
    assert_int_equal(log.cases[0].nr_events, 0);
    assert_false(log.cases[0].ended);
    assert_int_equal(log.notes.count, 3);
    lab_log_free(&log);
}

/* A result is that of the case it stands in: names come again with passes=, and in other suites. */
static void results_of_cases(void **state)
{
    static const char bytes[] = "KTAP version 1\n# lab begin lowmem_jumbo.none jumbo frames 10\n"
                                "# lab result jumbo none 5 wedged 100 7 0\n"
                                "# lab begin lowmem_jumbo.none_32k jumbo32k frames 10\n"
                                "# lab end 6 over 0 - 0 0 0 -1\n"
                                "# lab result jumbo32k none_32k 6 over 100 7 0\n"
                                "# lab begin lowmem_jumbo.none jumbo frames 10\n"
                                "# lab result jumbo none 8 wedged 100 7 0\n"
                                "# lab result jumbo none 9 wedged 100 7 0\n"
                                "# lab begin lowmem_jumbo.smaller jumbo frames 10\n"
                                "# lab result jumbo reclaim 7 wedged 100 7 0\n";
    static const uint64_t done[] = {5, 6, 8};
    struct lab_log log;

    read_bytes(&log, bytes, strlen(bytes));
    assert_int_equal(log.notes.count, 0);
    assert_int_equal(log.nr_cases, 4);
    assert_int_equal(log.nr_results, 5);
    for (size_t i = 0; i < ARRAY_SIZE(done); i++)
        assert_int_equal(lab_result_of(&log, &log.cases[i])->done, done[i]);
    assert_string_equal(log.cases[1].workload, "jumbo32k");
    assert_int_equal(log.cases[1].verdict, LAB_OVER);
    assert_int_equal(log.results[1].verdict, LAB_OVER);
    assert_null(lab_result_of(&log, &log.cases[3]));
    assert_true(log.results[2].has_case);
    assert_false(log.results[3].has_case);
    assert_false(log.results[4].has_case);
    lab_log_free(&log);
}

/* Of each pass a workload has a table of its own: another seed, and other steps without remedies.
 */
static void passes(void **state)
{
    static const char bytes[] = "KTAP version 1\n# pass 1\n1..1\n"
                                "# lab begin s.none stacks threads 10\n"
                                "# lab result stacks none 5 wedged 100 7 0\n"
                                "# pass 2\n"
                                "# lab begin s.none stacks threads 10\n"
                                "# lab result stacks none 8 wedged 100 7 0\n";
    static const char *const names[] = {"stacks", "stacks-pass2"};
    struct lab_log log;

    read_bytes(&log, bytes, strlen(bytes));
    assert_int_equal(log.notes.count, 0);
    assert_int_equal(log.nr_cases, 2);
    assert_int_equal(log.nr_results, 2);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        assert_string_equal(log.cases[i].workload, names[i]);
        assert_string_equal(log.results[i].workload, names[i]);
        assert_string_equal(log.cases[i].name, "none");
        assert_ptr_equal(lab_result_of(&log, &log.cases[i]), &log.results[i]);
    }
    lab_log_free(&log);
}

static void notes_are_few(void **state)
{
    char *bytes = text_copy("KTAP version 1\n");
    struct lab_log log;

    for (int i = 0; i < 200; i++) {
        char *longer = text("%s# lab junk\n", bytes);

        free(bytes);
        bytes = longer;
    }
    read_bytes(&log, bytes, strlen(bytes));
    assert_true(log.notes.count < 100);
    assert_int_equal(log.notes.count + log.more_notes, 200);
    lab_log_free(&log);
    free(bytes);
}

/* What is promised of a log whatever its lines were. */
static void assert_orderly(const struct lab_log *log)
{
    for (size_t i = 0; i < log->nr_cases; i++) {
        for (unsigned zone = 0; zone < LAB_ZONES; zone++) {
            const struct lab_zone *z = &log->cases[i].zones[zone];

            for (size_t s = 0; s < z->nr_samples; s++) {
                const struct lab_sample *sample = &z->samples[s];

                assert_true(buddy_free_pages(&sample->counts) <= sample->free);
                assert_true(!s || sample->ms >= sample[-1].ms);
                assert_true(!s || sample->done >= sample[-1].done);
            }
        }
    }
}

static void any_end(void **state)
{
    char *bytes = lab_sample();

    for (size_t length = 0; length <= strlen(bytes); length++) {
        struct lab_log log;

        read_bytes(&log, bytes, length);
        assert_orderly(&log);
        lab_log_free(&log);
    }
    free(bytes);
}

static void any_damage(void **state)
{
    char *bytes = lab_sample();
    size_t length = strlen(bytes);
    struct prng prng;

    prng_seed(&prng, 1);
    for (int round = 0; round < 2000; round++) {
        char *damaged = exact_copy(bytes, length);
        size_t rest = length;
        struct lab_log log;

        for (uint32_t hit = between(&prng, 1, 30); hit > 0; hit--) {
            size_t at = prng_below(&prng, (uint32_t)rest);

            if (one_in(&prng, 2))
                damaged[at] = (char)prng_below(&prng, 256);
            else
                memmove(damaged + at, damaged + at + 1, --rest - at);
        }
        read_bytes(&log, damaged, rest);
        assert_orderly(&log);
        lab_log_free(&log);
        free(damaged);
    }
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole),
        cmocka_unit_test(each_bad_line_is_named),
        cmocka_unit_test(lines_are_counted_from_the_first),
        cmocka_unit_test(lost_beginning),
        cmocka_unit_test(damaged_beginning),
        cmocka_unit_test(results_of_cases),
        cmocka_unit_test(passes),
        cmocka_unit_test(notes_are_few),
        cmocka_unit_test(any_end),
        cmocka_unit_test(any_damage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
