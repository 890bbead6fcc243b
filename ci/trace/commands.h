/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_TRACE_COMMANDS_H
#define CI_TRACE_COMMANDS_H

/* The tool's subcommands. Each takes KEY=VALUE words and returns the exit status. */

#include "ci/trace/tracer.h"

/* Where it all comes from. */
struct trace_place {
    const char *build;   /* the build folder */
    const char *program; /* the tool's own path: its library lies beside it */
};

/* run: boots the payload in Bochs, traced. The status is an enum result (ci/runner/judge.h). */
int command_run(const struct trace_place *place, char **args);

/* read: the same from output of Bochs that was recorded before. */
int command_read(const struct trace_place *place, char **args);

/* diff: where two traces part; see diff.h. */
int command_diff(const struct trace_place *place, char **args);

#endif
