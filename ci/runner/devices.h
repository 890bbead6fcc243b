/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_RUNNER_DEVICES_H
#define CI_RUNNER_DEVICES_H

/*
 * The devices that a machine can be given besides its board, by the names of the key `devices`.
 *
 * Most are a few words for QEMU, or a line for Bochs; these stand in the table here. Those with
 * media, or with a place of their own on the board, have their code in qemu.c and bochs.c.
 */

#include "ci/runner/words.h"

enum machine_device {
    DEVICE_FLOPPY = 1 << 0,
    DEVICE_IDE = 1 << 1,
    DEVICE_EDU = 1 << 2,
    DEVICE_RTL8139 = 1 << 3,
    DEVICE_E1000 = 1 << 4,
    DEVICE_PCNET = 1 << 5,
    DEVICE_I8255X = 1 << 6,
    DEVICE_ES1370 = 1 << 7,
    DEVICE_AC97 = 1 << 8,
    DEVICE_SB16 = 1 << 9,
    DEVICE_UHCI = 1 << 10,
    DEVICE_AHCI = 1 << 11,
    DEVICE_LSI = 1 << 12,
    DEVICE_TULIP = 1 << 13,
    DEVICE_EMPTY_FLOPPY = 1 << 14,
    DEVICE_EDU28 = 1 << 15,
    DEVICE_EDU32 = 1 << 16,
    DEVICE_EDU64 = 1 << 17,
    DEVICE_E1000_82545EM = 1 << 18,
    DEVICE_E1000_82544GC = 1 << 19,
};

/* What a machine has if nothing is asked for. */
#define DEVICES_DEFAULT (DEVICE_FLOPPY | DEVICE_IDE | DEVICE_EDU)

/* The bit of the device `name`, or 0. */
unsigned device_by_name(const char *name);

/* The names of a set with commas between them, "none" if it is empty; for free(). */
char *devices_names(unsigned devices);

/* The same as the setting DEVICES= of a command: NULL if it need not be named. */
char *devices_setting(unsigned devices);

/* Appends what the set of devices adds to QEMU's arguments, but for those with code of their own.
 */
void devices_qemu(unsigned devices, struct words *argv);

/* The name of a device of the set that Bochs has not, or NULL. */
const char *devices_not_in_bochs(unsigned devices);

/* The lines that the set adds to Bochs' configuration, for free(). */
char *devices_bochs(unsigned devices);

#endif
