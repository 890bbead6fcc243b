/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_RUNNER_WATCH_H
#define CI_RUNNER_WATCH_H

/* An emulator while it runs: what comes on its serial line, and whether it has to be ended. */

#include <stdbool.h>

#include "ci/runner/files.h"
#include "ci/runner/judge.h"
#include "ci/runner/ktap.h"
#include "ci/runner/monitor.h"
#include "ci/runner/oracle.h"
#include "ci/runner/process.h"

struct watch {
    struct process process;
    struct ktap *ktap;
    struct oracle *oracle;   /* or NULL */
    struct monitor *monitor; /* or NULL */
    const struct run_files *files;
    int serial;         /* file descriptor, or -1 while there is no file */
    double started;     /* by process_clock(); set it when the emulator starts */
    double newest_byte; /* of the serial line; 0: none yet */
    double verdict_at;  /* 0: none yet */
};

/* Begins a watch over an emulator that is going to write to files->serial. */
void watch_init(struct watch *watch, struct ktap *ktap, const struct run_files *files);

/* Reads what has come on the serial line, and hands it to those whom it concerns. */
void watch_serial(struct watch *watch);

/*
 * Whether there is a reason to end the emulator now, in *ending: a signal to the runner, a verdict
 * whose end does not come, or the machine's time limit.
 */
bool watch_is_over(const struct watch *watch, const struct machine *machine, enum ending *ending);

/* Closes the file. */
void watch_close(struct watch *watch);

#endif
