/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_RUNNER_POOL_H
#define CI_RUNNER_POOL_H

/*
 * Several jobs, a few at a time, each in a process of its own with its own output file.
 *
 * A job tells its starter one line of text, through memory that both see; everything else it says
 * goes to its file.
 */

#include <stdbool.h>
#include <stddef.h>

#define JOB_NOTE_BYTES 1024

struct job {
    const char *name;
    int (*work)(struct job *job); /* in the child: its return value is the status */
    void *ctx;
    char *output; /* the file for what it prints */
    bool alone;   /* runs while no other job does */
    char *note;   /* JOB_NOTE_BYTES that the child may write to */
    int status;
    double seconds;
};

/*
 * Runs the jobs, `at_once` at a time, in their order as far as `alone` allows, and calls `done` in
 * the parent after each. Returns false when a signal interrupted it; the jobs that were running
 * were ended then.
 */
bool pool_run(struct job *jobs, size_t count, unsigned at_once, void (*done)(struct job *job));

#endif
