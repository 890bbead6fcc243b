/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DRIVERS_POWER_H
#define DRIVERS_POWER_H

/* Leaving the machine at the end of a run, each way with what else may work if it does not. */

#include "lib/types.h"

enum power_action {
    POWER_HALT,   /* stop here, interrupts off */
    POWER_REBOOT, /* ACPI reset register, port 0xCF9, keyboard controller, triple fault */
    POWER_OFF,    /* ACPI S5, then the ports that QEMU and Bochs have for it, then halt */
    POWER_QEMU,   /* QEMU's isa-debug-exit device, then halt */
};

#define QEMU_EXIT_PORT 0xf4u /* -device isa-debug-exit,iobase=0xf4,iosize=4 */

/*
 * Waits until the consoles are drained, then does it.
 *   qemu_value: for POWER_QEMU, 0..255; QEMU ends with status 2 * qemu_value + 1
 * Context: any. In the flat phase, and on a CPU without PAE, only POWER_HALT and POWER_QEMU.
 */
__noreturn void power_leave(enum power_action action, unsigned qemu_value);

#endif
