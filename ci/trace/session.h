/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_TRACE_SESSION_H
#define CI_TRACE_SESSION_H

/*
 * One run of the payload in Bochs, traced between the payload's marks.
 *
 * Bochs reads the commands of its debugger from a FIFO, where its script would be, and prints to
 * another one. At each stop it gets the next command: at a mark that begins a stretch `trace on`
 * and as many steps as the limit allows, at one that ends it `trace off` and on. So nobody has to
 * know beforehand how many marks there are, and every stretch has the same length in each run.
 *
 * What Bochs prints goes through memory only. It prints without a buffer, with a system call for
 * each line, which would be most of its time; a preloaded library (preload.c) gives it a buffer
 * that is written when Bochs waits for a command.
 */

#include "ci/runner/run.h"
#include "ci/trace/tracer.h"

struct session_options {
    const char *build;   /* the build folder */
    const char *preload; /* that library */
    uint64_t limit;      /* instructions in all */
    uint64_t case_limit; /* instructions in a stretch */
};

/* What the session asks for once it knows where the image lies; returns false to end it. */
typedef bool (*session_start)(void *ctx, uint32_t slide);

/*
 * Runs `machine`, whose arguments set the marks. `image` is what it boots. *tracer is initialised
 * when the first mark is reached, which `start` is told; a tracer without an image means that no
 * mark was. Fills *result as run_machine() does; problems of the trace are among its problems.
 */
void session_run(struct machine *machine, const struct session_options *options,
                 const struct image *image, struct tracer *tracer, session_start start, void *ctx,
                 struct live *live, struct run_result *result);

/*
 * Bochs' output, with marks or without, from a file or a pipe: for what was recorded elsewhere.
 * What was printed while tracing was on becomes one stretch after the other. Returns 0, or a
 * negative errno with *message.
 */
int session_read(FILE *in, const char *name, struct tracer *tracer, char **message);

#endif
