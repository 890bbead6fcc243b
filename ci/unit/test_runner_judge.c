// SPDX-License-Identifier: BSD-2-Clause
/* What a run was worth: the verdict against everything that may contradict it. */
#include "ci/unit/unit.h"

#include "ci/runner/emulator.h"
#include "ci/runner/judge.h"
#include "lib/crc32c.h"

#define BODY "KTAP version 1\n1..1\n    KTAP version 1\n    # Subtest: a\n    1..1\n"
#define PASS_BODY BODY "    ok 1 x\nok 1 a\n"
#define FAIL_BODY BODY "    not ok 1 x\nnot ok 1 a\n"
#define ERROR_BODY BODY "    not ok 1 x # ERROR no memory\nnot ok 1 a # ERROR\n"

static const char pass_verdict[] = "PASS pass=1 fail=0 skip=0 error=0";
static const char fail_verdict[] = "FAIL pass=0 fail=1 skip=0 error=0";
static const char error_verdict[] = "ERROR pass=0 fail=0 skip=0 error=1";

#define PASS_STATUS DEBUG_EXIT_STATUS(DEBUG_EXIT_PASS)
#define FAIL_STATUS DEBUG_EXIT_STATUS(DEBUG_EXIT_FAIL)
#define ERROR_STATUS DEBUG_EXIT_STATUS(DEBUG_EXIT_ERROR)
#define REFUSED_STATUS DEBUG_EXIT_STATUS(DEBUG_EXIT_REFUSED)

struct scene {
    const char *body, *verdict; /* verdict NULL: the log ends without one */
    const char *args;
    enum ending ending;
    int status;
    const char *media_changed;
    enum result result;
    const char *problem; /* NULL: there must be none */
};

static void feed_scene(struct ktap *ktap, const struct scene *scene)
{
    unsigned lines = 0;
    char last[160];

    ktap_init(ktap);
    ktap_feed(ktap, scene->body, strlen(scene->body), 1.0);
    for (const char *c = scene->body; *c; c++)
        lines += *c == '\n';
    if (scene->verdict) {
        snprintf(last, sizeof(last), "# paeload: %s lines=%u crc32c=%08x\n", scene->verdict, lines,
                 crc32c_update(0, scene->body, strlen(scene->body)));
        ktap_feed(ktap, last, strlen(last), 1.0);
    }
    ktap_finish(ktap, 2.0);
}

static void check_scene(const struct scene *scene)
{
    struct machine machine;
    struct ktap ktap;
    struct judgement judgement;
    char *message;
    bool named = !scene->problem;

    machine_init(&machine);
    if (scene->args)
        machine_set(&machine, "args", scene->args, &message);
    feed_scene(&ktap, scene);
    const struct evidence evidence = {.ktap = &ktap,
                                      .machine = &machine,
                                      .ending = scene->ending,
                                      .status = scene->status,
                                      .media_changed = scene->media_changed};
    judge(&evidence, &judgement);
    assert_int_equal(judgement.result, scene->result);
    if (!scene->problem)
        assert_int_equal(judgement.problems.count, 0);
    for (size_t i = 0; i < judgement.problems.count && scene->problem; i++)
        named = named || strstr(judgement.problems.at[i], scene->problem);
    if (!named)
        fail_msg("\"%s\" is not among the problems", scene->problem);
    judgement_free(&judgement);
    ktap_free(&ktap);
    machine_free(&machine);
}

/* What the oracle found is the machine's fault, unless the log can't be believed anyway. */
static void oracle_findings(void **state)
{
    static const struct {
        int status;
        enum result result;
    } runs[] = {{PASS_STATUS, RESULT_FAIL}, {0, RESULT_BROKEN}};

    for (size_t i = 0; i < ARRAY_SIZE(runs); i++) {
        const struct scene scene = {.body = PASS_BODY, .verdict = pass_verdict};
        struct evidence evidence = {.status = runs[i].status};
        struct judgement judgement;
        struct machine machine;
        struct ktap ktap;

        machine_init(&machine);
        feed_scene(&ktap, &scene);
        evidence.ktap = &ktap;
        evidence.machine = &machine;
        words_add(&evidence.oracle, "oracle basic: not seen");
        judge(&evidence, &judgement);
        assert_int_equal(judgement.result, runs[i].result);
        assert_string_equal(judgement.problems.at[judgement.problems.count - 1],
                            "oracle basic: not seen");
        words_free(&evidence.oracle);
        judgement_free(&judgement);
        ktap_free(&ktap);
        machine_free(&machine);
    }
}

static void check_scenes(const struct scene *scenes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        check_scene(&scenes[i]);
}

static void verdicts(void **state)
{
    static const struct scene scenes[] = {
        {PASS_BODY, pass_verdict, NULL, ENDING_SELF, PASS_STATUS, NULL, RESULT_PASS, NULL},
        {FAIL_BODY, fail_verdict, NULL, ENDING_SELF, FAIL_STATUS, NULL, RESULT_FAIL, NULL},
        {ERROR_BODY, error_verdict, NULL, ENDING_SELF, ERROR_STATUS, NULL, RESULT_ERROR, NULL},
        {"# paeload: REFUSED: no PAE\n", NULL, NULL, ENDING_SELF, REFUSED_STATUS, NULL,
         RESULT_REFUSED, NULL},
    };

    check_scenes(scenes, ARRAY_SIZE(scenes));
}

/* A machine that resets ends QEMU with status 0, and so does one that is switched off. */
static void status_zero_is_no_pass(void **state)
{
    static const struct scene scenes[] = {
        {PASS_BODY, NULL, NULL, ENDING_SELF, 0, NULL, RESULT_BROKEN, "triple fault"},
        {"", NULL, NULL, ENDING_SELF, 0, NULL, RESULT_BROKEN, "before the report began"},
        {PASS_BODY, pass_verdict, NULL, ENDING_SELF, 0, NULL, RESULT_BROKEN, "status is 0"},
    };

    check_scenes(scenes, ARRAY_SIZE(scenes));
}

static void status_must_agree(void **state)
{
    static const struct scene scenes[] = {
        {PASS_BODY, pass_verdict, NULL, ENDING_SELF, FAIL_STATUS, NULL, RESULT_BROKEN,
         "exit status is"},
        {FAIL_BODY, fail_verdict, NULL, ENDING_SELF, PASS_STATUS, NULL, RESULT_BROKEN,
         "exit status is"},
        {PASS_BODY, NULL, NULL, ENDING_SELF, PASS_STATUS, NULL, RESULT_BROKEN, "without a verdict"},
        /* Told to switch off: the status says nothing then. */
        {PASS_BODY, pass_verdict, "exit=poweroff", ENDING_SELF, 0, NULL, RESULT_PASS, NULL},
        {PASS_BODY, pass_verdict, "exit=halt", ENDING_STOPPED, 0, NULL, RESULT_PASS, NULL},
    };

    check_scenes(scenes, ARRAY_SIZE(scenes));
}

static void hangs(void **state)
{
    static const struct scene scenes[] = {
        {BODY "    ok 1 x\n", NULL, NULL, ENDING_TIMEOUT, 0, NULL, RESULT_BROKEN,
         "no verdict within 300 s, in suite a, after case x"},
        {BODY, NULL, NULL, ENDING_SILENCE, 0, NULL, RESULT_BROKEN,
         "nothing came for 45 s, in suite a, in its first case"},
        {PASS_BODY, NULL, NULL, ENDING_TIMEOUT, 0, NULL, RESULT_BROKEN, "between suites"},
        {PASS_BODY, pass_verdict, NULL, ENDING_LINGERED, 0, NULL, RESULT_BROKEN, "did not leave"},
        {PASS_BODY, pass_verdict, NULL, ENDING_TIMEOUT, 0, NULL, RESULT_BROKEN, "did not leave"},
    };

    check_scenes(scenes, ARRAY_SIZE(scenes));
}

static void emulator_trouble(void **state)
{
    static const struct scene scenes[] = {
        {"", NULL, NULL, ENDING_SELF, 127, NULL, RESULT_CANT, "could not be started"},
        {"", NULL, NULL, ENDING_SELF, 1, NULL, RESULT_BROKEN, "ended with status 1"},
        {BODY, NULL, NULL, ENDING_SELF, 128 + 11, NULL, RESULT_BROKEN, "signal 11 (Segmentation"},
        {BODY, NULL, NULL, ENDING_INTERRUPTED, 0, NULL, RESULT_CANT, "interrupted, in suite a"},
    };

    check_scenes(scenes, ARRAY_SIZE(scenes));
}

/* An ERROR that no case is to blame for says why. */
static void nothing_tested(void **state)
{
    static const struct scene scenes[] = {
        {BODY "    ok 1 x # SKIP none\nok 1 a # SKIP\n", "ERROR pass=0 fail=0 skip=1 error=0", NULL,
         ENDING_SELF, ERROR_STATUS, NULL, RESULT_ERROR, "all 1 cases were skipped"},
        {"KTAP version 1\n1..0\n", "ERROR pass=0 fail=0 skip=0 error=0", NULL, ENDING_SELF,
         ERROR_STATUS, NULL, RESULT_ERROR, "no case has run"},
    };

    check_scenes(scenes, ARRAY_SIZE(scenes));
}

static void written_media(void **state)
{
    static const struct scene scenes[] = {
        {PASS_BODY, pass_verdict, NULL, ENDING_SELF, PASS_STATUS, "disk.img was written to",
         RESULT_FAIL, "disk.img"},
        {PASS_BODY, pass_verdict, NULL, ENDING_SELF, 0, "disk.img was written to", RESULT_BROKEN,
         "disk.img"},
    };

    check_scenes(scenes, ARRAY_SIZE(scenes));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verdicts),          cmocka_unit_test(status_zero_is_no_pass),
        cmocka_unit_test(status_must_agree), cmocka_unit_test(hangs),
        cmocka_unit_test(emulator_trouble),  cmocka_unit_test(written_media),
        cmocka_unit_test(nothing_tested),    cmocka_unit_test(oracle_findings),
    };

    return cmocka_run_group_tests_name("runner_judge", tests, NULL, NULL);
}
