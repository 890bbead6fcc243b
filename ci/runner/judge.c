// SPDX-License-Identifier: BSD-2-Clause
#include "ci/runner/judge.h"

#include <stdlib.h>
#include <string.h>

#include "ci/runner/emulator.h"
#include "ci/runner/process.h"

#define STATUS_CANT_RUN 127

static const char *const result_names[] = {
    [RESULT_PASS] = "PASS",     [RESULT_FAIL] = "FAIL",       [RESULT_ERROR] = "ERROR",
    [RESULT_BROKEN] = "BROKEN", [RESULT_REFUSED] = "REFUSED", [RESULT_CANT] = "NOT RUN",
};

static const struct {
    enum result result;
    int status;
} verdicts[] = {
    [VERDICT_NONE] = {RESULT_BROKEN, 0},
    [VERDICT_PASS] = {RESULT_PASS, DEBUG_EXIT_STATUS(DEBUG_EXIT_PASS)},
    [VERDICT_FAIL] = {RESULT_FAIL, DEBUG_EXIT_STATUS(DEBUG_EXIT_FAIL)},
    [VERDICT_ERROR] = {RESULT_ERROR, DEBUG_EXIT_STATUS(DEBUG_EXIT_ERROR)},
    [VERDICT_REFUSED] = {RESULT_REFUSED, DEBUG_EXIT_STATUS(DEBUG_EXIT_REFUSED)},
};

const char *result_name(enum result result)
{
    return result_names[result];
}

/* "in suite kmap, after case walk": where the log ends; for free(). */
static char *last_place(const struct ktap *ktap)
{
    const struct ktap_suite *suite = ktap_open_suite(ktap);

    if (!ktap->started)
        return text_copy("before the report began");
    if (!suite)
        return text_copy(ktap->nr_suites ? "between suites" : "before the first suite");
    const char *name = suite->name ? suite->name : "?";
    if (!suite->nr_cases)
        return text("in suite %s, in its first case", name);
    return text("in suite %s, after case %s", name, suite->cases[suite->nr_cases - 1].name);
}

/* The emulator ended and there is no verdict. */
static char *why_no_verdict(const struct evidence *evidence)
{
    const struct machine *machine = evidence->machine;
    char *place = last_place(evidence->ktap);
    char *why;

    switch (evidence->ending) {
    case ENDING_TIMEOUT:
        why = text("hang: no verdict within %u s, %s", machine->timeout_s, place);
        break;
    case ENDING_SILENCE:
        why = text("hang: nothing came for %u s, %s", machine->silence_s, place);
        break;
    case ENDING_INTERRUPTED:
        why = text("interrupted, %s", place);
        break;
    case ENDING_NO_MEMORY:
        why = text("stopped: the guest took nearly all memory that the host has, %s", place);
        break;
    default:
        if (!evidence->status && machine->firmware != FIRMWARE_BOCHS)
            why = text("the machine reset or switched off without a verdict (a triple fault?), %s",
                       place);
        else if (evidence->status > STATUS_SIGNAL)
            why = text("the emulator was ended by signal %d (%s), %s",
                       evidence->status - STATUS_SIGNAL,
                       strsignal(evidence->status - STATUS_SIGNAL), place);
        else
            why = text("the emulator ended with status %d without a verdict, %s", evidence->status,
                       place);
        break;
    }
    free(place);
    return why;
}

static void check_ending(const struct evidence *evidence, struct judgement *judgement)
{
    int wanted = verdicts[evidence->ktap->verdict].status;

    if (evidence->ending == ENDING_LINGERED || evidence->ending == ENDING_TIMEOUT)
        words_add(&judgement->problems, "the payload did not leave the machine after its verdict");
    if (evidence->ending == ENDING_SELF && machine_leave(evidence->machine) == LEAVE_QEMU &&
        evidence->status != wanted)
        words_add(&judgement->problems,
                  "the verdict is %s, but the emulator's exit status is %d instead of %d",
                  verdict_name(evidence->ktap->verdict), evidence->status, wanted);
}

/* An ERROR without a case that is one says nothing of itself. */
static void say_if_nothing_tested(const struct ktap *ktap, struct judgement *judgement)
{
    const unsigned *counts = ktap->counts;

    if (judgement->result != RESULT_ERROR || counts[OUTCOME_ERROR])
        return;
    if (counts[OUTCOME_SKIP])
        words_add(&judgement->problems, "nothing was tested: all %u cases were skipped",
                  counts[OUTCOME_SKIP]);
    else
        words_add(&judgement->problems, "nothing was tested: no case has run");
}

/* What others than the payload found. */
static void add_findings(const struct words *findings, struct judgement *judgement)
{
    for (size_t i = 0; i < findings->count; i++)
        words_add(&judgement->problems, "%s", findings->at[i]);
    if (findings->count && judgement->result != RESULT_BROKEN)
        judgement->result = RESULT_FAIL;
}

void judge(const struct evidence *evidence, struct judgement *judgement)
{
    const struct ktap *ktap = evidence->ktap;

    *judgement = (struct judgement){.result = verdicts[ktap->verdict].result};
    for (size_t i = 0; i < ktap->problems.count; i++)
        words_add(&judgement->problems, "%s", ktap->problems.at[i]);

    if (evidence->status == STATUS_CANT_RUN) {
        judgement->result = RESULT_CANT;
        words_add(&judgement->problems, "the emulator could not be started");
        return;
    }
    if (ktap->verdict == VERDICT_NONE || evidence->ending == ENDING_INTERRUPTED) {
        if (evidence->ending == ENDING_INTERRUPTED)
            judgement->result = RESULT_CANT;
        judgement->hang = why_no_verdict(evidence);
        words_add(&judgement->problems, "%s", judgement->hang);
        return;
    }
    check_ending(evidence, judgement);
    if (judgement->problems.count)
        judgement->result = RESULT_BROKEN;
    say_if_nothing_tested(ktap, judgement);
    if (evidence->media_changed) {
        words_add(&judgement->problems, "%s", evidence->media_changed);
        if (judgement->result != RESULT_BROKEN)
            judgement->result = RESULT_FAIL;
    }
    add_findings(&evidence->oracle, judgement);
    add_findings(&evidence->sound, judgement);
    add_findings(&evidence->wire, judgement);
}

void judgement_free(struct judgement *judgement)
{
    words_free(&judgement->problems);
    free(judgement->hang);
    judgement->hang = NULL;
}
