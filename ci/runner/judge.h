/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_RUNNER_JUDGE_H
#define CI_RUNNER_JUDGE_H

/*
 * What a run was worth.
 *
 * The payload's verdict counts only when nothing contradicts it: every line of the log arrived,
 * the plans and the counts agree, the emulator's exit status says the same, and the media are as
 * they were. Otherwise the run is broken, whatever the last line says. In particular status 0 of
 * QEMU is what a triple fault leaves behind, and is never a pass.
 */

#include "ci/runner/ktap.h"
#include "ci/runner/machine.h"

/* The values are the runner's exit status. */
enum result {
    RESULT_PASS = 0,
    RESULT_FAIL = 1,    /* the machine broke a rule */
    RESULT_ERROR = 2,   /* a test could not do its work */
    RESULT_BROKEN = 3,  /* a hang, a crash, a damaged log: there is no verdict to believe */
    RESULT_REFUSED = 4, /* the payload says that it does not run on this CPU */
    RESULT_CANT = 5,    /* the run could not be done, or was interrupted */
};

/* How the emulator came to its end. */
enum ending {
    ENDING_SELF,        /* by itself */
    ENDING_STOPPED,     /* by the runner, after the verdict of a payload that was told to stay */
    ENDING_LINGERED,    /* by the runner, after a verdict that should have ended it */
    ENDING_TIMEOUT,     /* by the runner: time is up */
    ENDING_SILENCE,     /* by the runner: nothing came for too long */
    ENDING_NO_MEMORY,   /* by the runner: the host has hardly any memory left */
    ENDING_INTERRUPTED, /* by the runner, which got a signal */
};

struct evidence {
    const struct ktap *ktap; /* finished */
    const struct machine *machine;
    enum ending ending;
    int status;                /* the emulator's exit status when it ended by itself */
    const char *media_changed; /* what media_check() found, or NULL */
    struct words oracle;       /* what the emulator sees otherwise than the payload believes */
    struct words sound;        /* what was played otherwise than from memory */
    struct words wire;         /* what left a network card */
};

struct judgement {
    enum result result;
    struct words problems; /* all that stands against the verdict, in words */
    char *hang;            /* why the open suite did not end, or NULL */
};

/* "PASS", "FAIL", ... */
const char *result_name(enum result result);

void judge(const struct evidence *evidence, struct judgement *judgement);
void judgement_free(struct judgement *judgement);

#endif
