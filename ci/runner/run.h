/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_RUNNER_RUN_H
#define CI_RUNNER_RUN_H

/*
 * One run, from a machine to a judgement: makes the folder and the media, starts the emulator,
 * follows the serial line, ends what does not end by itself, compares the media, writes the
 * reports.
 */

#include "ci/runner/judge.h"
#include "ci/runner/ktap.h"
#include "ci/runner/live.h"
#include "ci/runner/machine.h"

struct run_result {
    enum result result;
    struct ktap ktap;
    struct judgement judgement;
    char *dir;     /* the run's folder, or NULL when there is none */
    char *serial;  /* its serial.log, or NULL */
    char *command; /* that repeats the run */
    double seconds;
    bool bochs_crashed; /* by a signal of its own, which Bochs 2.7 does now and then */
};

/*
 * Runs `machine` (which may be marked beyond_host by it) with the files of the build folder
 * `build`. `live` shows it while it runs, and must have been started. Fills *result in any case,
 * for run_result_free().
 */
void run_machine(struct machine *machine, const char *build, struct live *live,
                 struct run_result *result);

/* As every run begins, also one that is traced (ci/trace/session.h): no result, told to `live`. */
void run_begin(struct run_result *result, struct live *live);

/* The run could not be done. `why` is for free() by this function. */
void run_cant(struct run_result *result, char *why);

/* Shows how the run ended: what failed, the problems, the last lines of a hang, the verdict. */
void run_show_end(const struct machine *machine, const struct run_result *result,
                  struct live *live);

void run_result_free(struct run_result *result);

#endif
