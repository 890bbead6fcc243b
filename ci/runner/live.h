/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_RUNNER_LIVE_H
#define CI_RUNNER_LIVE_H

/*
 * What someone sees who watches a run: one line that is rewritten in place on a terminal (suite,
 * percent, elapsed), and plain lines elsewhere, at most one in two seconds. What is not ok appears
 * at once, with the lines that explain it.
 */

#include <stdbool.h>
#include <stdio.h>

#include "ci/runner/ktap.h"

struct live {
    FILE *out;
    bool terminal;   /* the status line may be rewritten */
    bool status_now; /* a status line stands on the screen */
    double started;  /* process_clock() at the start of the run */
    double newest;   /* when the newest status line was written */
    char last[160];  /* the newest status, to not repeat it in a file */
};

/* Shows a run on `out` from now on. */
void live_start(struct live *live, FILE *out);

/* Takes the parser's events: ktap.listener = live_listen, ktap.ctx = the struct live. */
void live_listen(void *ctx, const struct ktap_event *event);

/* Renews the status line if it is time to. */
void live_tick(struct live *live, const struct ktap *ktap);

/* A line of its own. */
void live_say(struct live *live, const char *fmt, ...) __printf_like(2, 3);

/* Removes the status line. */
void live_end(struct live *live);

#endif
