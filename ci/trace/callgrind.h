/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_TRACE_CALLGRIND_H
#define CI_TRACE_CALLGRIND_H

/*
 * The profile in the format of valgrind's callgrind ("Callgrind Format Specification", version 1),
 * for callgrind_annotate and KCachegrind. Events: Ir, instructions; Dr and Dw, reads and writes.
 */

#include "ci/trace/profile.h"

/* Writes the file; `command` is what was run. Returns 0 or a negative errno. */
int callgrind_write(const struct profile *profile, const char *path, const char *command);

#endif
