/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_RUNNER_MEDIA_H
#define CI_RUNNER_MEDIA_H

/*
 * What a machine boots from, GRUB's ISO or a TFTP folder with the boot options of this run, and the
 * disks and floppies that its payload finds.
 */

#include "ci/runner/files.h"
#include "ci/runner/machine.h"

/*
 * Makes what `machine` boots from, with the boot options `options` where they are part of it.
 * Returns 0 or a negative errno with *message.
 */
int media_make(const struct run_files *files, const struct machine *machine, const char *options,
               char **message);

/*
 * Compares the media with what they were before, and those that may be written to with what the
 * report says was. Returns 0 when all is so, else 1 with *message, which names the medium and the
 * sector.
 */
int media_check(const struct run_files *files, const struct machine *machine, char **message);

/* Removes media and other files that only the emulator needed. */
void media_drop(const struct run_files *files);

#endif
