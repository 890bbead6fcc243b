/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_RUNNER_DISKS_H
#define CI_RUNNER_DISKS_H

/*
 * The disks of a machine in QEMU, and sectors of them that can't be read: the key
 *
 *     bad_sectors = ide:100, ide:50/128, ahci:7000:once
 *     bad_sectors = ide:all
 *
 * names disk and sector, or all of them; `/128` goes on from there in steps of 128 to the end of
 * the disk, and `once` is for what can be read the second time. QEMU's blkdebug makes the errors,
 * above the image, which stays whole.
 */

#include "ci/runner/emulator.h"

/* Is this a value for the key? */
bool disks_take_bad_sectors(const char *value);

/* Appends the disks that the machine has. */
void disks_qemu(const struct machine *machine, const struct run_files *files, bool q35,
                struct words *argv);

#endif
