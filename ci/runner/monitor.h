/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_RUNNER_MONITOR_H
#define CI_RUNNER_MONITOR_H

/*
 * What somebody does to the machine while it runs: the key
 *
 *     monitor = REGEX => COMMAND; COMMAND
 *
 * gives the commands to QEMU's monitor as soon as a line of the log matches, once. A card is pulled
 * out this way, or a disk written to behind the payload's back.
 */

#include "ci/runner/files.h"

struct monitor;

/* Is this a value for the key? */
bool monitor_takes(const char *value);

/* What QEMU's command line needs more; nothing for a machine without the key. */
void monitor_arguments(const struct machine *machine, const struct run_files *files,
                       struct words *argv);

/* Prepares for a run. NULL for a machine without the key, which all others take. */
struct monitor *monitor_open(const struct machine *machine, const struct run_files *files);

/* More of the log has come. */
void monitor_feed(struct monitor *monitor, const char *bytes, size_t length);

/* Gives the commands if their time has come. Call it often. */
void monitor_tick(struct monitor *monitor);

/* The run has ended: appends to `problems` that the commands were never given, or not taken. */
void monitor_close(struct monitor *monitor, struct words *problems);

#endif
