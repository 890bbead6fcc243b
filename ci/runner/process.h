/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_RUNNER_PROCESS_H
#define CI_RUNNER_PROCESS_H

/*
 * Child processes that never outlive the runner.
 *
 * Each child leads a process group of its own, so that it is ended together with whatever it
 * started. When the runner gets a signal it ends the groups of its children and then itself; when
 * it is killed outright, the kernel kills the children (PR_SET_PDEATHSIG).
 */

#include <stdbool.h>
#include <sys/types.h>

#include "ci/runner/words.h"

enum process_flags {
    /*
     * The child gets a terminal of its own as standard input and output, whose output is thrown
     * away (Bochs draws its screen there); only standard error goes to the output file.
     */
    PROCESS_TERMINAL = 1 << 0,
    /*
     * No huge pages behind the child's memory: a guest that touches four pages in every 2 MiB must
     * not cost the host all 2 MiB each time.
     */
    PROCESS_SMALL_PAGES = 1 << 1,
};

/* The status of a process that a signal ended is this and the signal. */
#define STATUS_SIGNAL 128

struct process {
    pid_t pid;
    bool ended;
    int status;   /* exit status, or 128 + the number of the signal that ended it */
    int terminal; /* this side of its terminal, or -1 */
};

/*
 * Starts argv, with its output appended to the file `output`, or on the runner's own output when
 * that is NULL. `flags` is a set of enum process_flags. Returns 0 or a negative errno; a program
 * that does not exist ends with status 127.
 */
int process_start(struct process *process, const struct words *argv, const char *output,
                  unsigned flags);

/* Runs `work` in a child with its output in the file `output`; its return value is the status. */
int process_fork(struct process *process, int (*work)(void *ctx), void *ctx, const char *output);

/* Looks whether it has ended, without waiting. Returns process->ended. */
bool process_poll(struct process *process);

/* Waits until it has ended, or until a signal interrupts the runner, which ends it. */
void process_wait(struct process *process);

/* Ends the process and its group: politely, and after two seconds with force. */
void process_end(struct process *process);

/* Catches the signals that end a program, for process_interrupted(). Call once, at the start. */
void process_catch_signals(void);

/* The signal that asks the runner to end, or 0. */
int process_interrupted(void);

/* Waits for `milliseconds`, or less when a signal comes. */
void process_sleep(unsigned milliseconds);

/* Seconds since some fixed moment. */
double process_clock(void);

#endif
