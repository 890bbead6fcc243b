/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_RUNNER_ORACLE_H
#define CI_RUNNER_ORACLE_H

/*
 * Follows a run whose payload stops at marked points (payload/oracle.h), asks the emulator what it
 * sees there, lets it go on, and compares in the end.
 *
 * QEMU stops by itself when the payload panics (-action panic=pause) and says so over QMP. Bochs
 * stops at the magic break and reads its next commands from a FIFO, which stays empty until the
 * payload's block has arrived whole. So neither executes an instruction between what the payload
 * believes and what the judge sees.
 *
 * Leaves oracle-POINT.txt in the run's folder, what the judge answered, as it came; a point that is
 * reached again gets a number: oracle-POINT.2.txt.
 */

#include "ci/runner/files.h"
#include "ci/runner/machine.h"
#include "ci/runner/words.h"

/* Files in the run's folder: QEMU's QMP socket, and what Bochs' debugger writes. */
#define ORACLE_SOCKET "qmp"
#define ORACLE_DEBUG_LOG "bochs.debug"

struct oracle;

/* What QEMU's or Bochs' command line needs more; nothing for a machine without an oracle. */
void oracle_arguments(const struct machine *machine, const struct run_files *files,
                      struct words *argv);

/*
 * Prepares for a run that is about to start. Returns 0 with *oracle, which is NULL for a machine
 * without one; or a negative errno with *message.
 */
int oracle_open(struct oracle **oracle, const struct machine *machine,
                const struct run_files *files, char **message);

/* Takes bytes of the serial line. */
void oracle_feed(struct oracle *oracle, const char *bytes, size_t length);

/* Deals with what the emulator has to say. Call it often, each time after oracle_feed(). */
void oracle_tick(struct oracle *oracle);

/* The run is over: compares, writes the files, and adds to `findings` what is wrong. */
void oracle_finish(struct oracle *oracle, struct words *findings);

void oracle_close(struct oracle *oracle);

#endif
