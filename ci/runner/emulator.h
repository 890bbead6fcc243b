/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_RUNNER_EMULATOR_H
#define CI_RUNNER_EMULATOR_H

/*
 * From a machine to the emulator that plays it.
 *
 * QEMU takes everything as arguments; Bochs reads a configuration. Both write the serial line to
 * files->serial, and neither restarts a machine that crashed.
 */

#include "ci/runner/files.h"
#include "ci/runner/machine.h"
#include "ci/runner/words.h"

/* QEMU's exit status for a value written to isa-debug-exit is 2 * value + 1. */
#define DEBUG_EXIT_STATUS(value) (2 * (value) + 1)

/* The values that the payload writes there. */
enum debug_exit {
    DEBUG_EXIT_PASS = 0x10,
    DEBUG_EXIT_FAIL = 0x11,
    DEBUG_EXIT_ERROR = 0x12,
    DEBUG_EXIT_REFUSED = 0x13,
};

/*
 * Appends to `argv` the QEMU command line for `machine` with the boot options `options`. Makes no
 * file. Returns false when qemu_extra can't be split into words.
 */
bool qemu_command(const struct machine *machine, const struct run_files *files, const char *options,
                  struct words *argv);

/* A value inside a QEMU option list: a comma is written twice. For free(). */
char *qemu_value(const char *value);

/*
 * What `machine` asks for and Bochs has not, as a message, for free(); NULL when there is nothing,
 * or the firmware is not Bochs'. The default devices are those that it has.
 */
char *bochs_lacks(const struct machine *machine);

/* Bochs' configuration for `machine`, for free(). The boot options are in the ISO. */
char *bochs_config(const struct machine *machine, const struct run_files *files);

/* Appends to `argv` the Bochs command line that reads files->bochsrc and files->bochs_script. */
void bochs_command(const struct machine *machine, const struct run_files *files,
                   struct words *argv);

/*
 * Debian's Bochs has its debugger compiled in and stops before the first instruction; this is what
 * its script must say to go on.
 */
#define BOCHS_SCRIPT "continue\n"

#endif
