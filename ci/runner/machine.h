/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_RUNNER_MACHINE_H
#define CI_RUNNER_MACHINE_H

/*
 * A machine to boot the payload on: what is asked for, in the words of `make run` and of the
 * matrix, which are the same words (FIRMWARE=bios there, firmware = bios here):
 *
 *     firmware    how it boots: see the list of firmware in machine.c
 *     machine     QEMU's machine type and its options; default by firmware
 *     cpu         the emulator's CPU model and features; default by firmware
 *     mem         size of memory, with K, M, G or T; default 6G
 *     devices     comma-separated, from the list in devices.c; "none"; default floppy,ide,edu
 *     serial      where the report comes out: com1 (default), com2, e9 (no UART at all)
 *     args        boot options for the payload
 *     qemu_extra  more arguments for QEMU, as in a shell
 *     accel       QEMU's accelerator, default tcg
 *     icount      yes: rdtsc counts instructions
 *     oracle      yes: the emulator judges the page tables at all marked points (payload/oracle.h);
 *                 or a comma-separated list of points, each of which must be reached
 *     bad_sectors sectors of the disks that can't be read; see disks.h
 *     monitor     what is done to the machine while it runs; see monitor.h
 *     vga         QEMU's -vga, default std
 *     seed        of the payload's random order, unless the options name one; default: "random",
 *                 as the payload likes
 *     timeout     seconds until a run is given up, default 300
 *     silence     seconds without a byte from a payload that had begun to speak, default 45
 *     name        of the run, and of its folder; default: the firmware's name
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ci/runner/devices.h"
#include "ci/runner/words.h"

enum firmware {
    FIRMWARE_OVMF_X64,
    FIRMWARE_OVMF_IA32,
    FIRMWARE_BIOS,
    FIRMWARE_GRUB,
    FIRMWARE_GRUB_MB1,
    FIRMWARE_IPXE_BIOS,
    FIRMWARE_IPXE_UEFI,
    FIRMWARE_PXE_IA32,
    FIRMWARE_BOCHS,
    FIRMWARES,
};

enum serial_port {
    SERIAL_COM1,
    SERIAL_COM2,
    SERIAL_E9,
};

/* How the payload leaves the machine after its report. */
enum leave {
    LEAVE_QEMU, /* isa-debug-exit: the verdict is the emulator's exit status */
    LEAVE_OFF,  /* the emulator ends by itself, its status means nothing */
    LEAVE_HALT, /* it does not end by itself */
};

#define MACHINE_TIMEOUT_S 300 /* unless another is asked for */
#define MACHINE_SILENCE_S 45  /* likewise */

struct machine {
    char *name;
    enum firmware firmware;
    char *type; /* NULL: the firmware's default; see machine_type() */
    char *cpu;  /* NULL: the firmware's default; see machine_cpu() */
    uint64_t mem_bytes;
    unsigned devices; /* set of enum machine_device, devices.h */
    enum serial_port serial;
    char *args;
    char *qemu_extra;
    char *accel;
    char *vga;
    char *seed; /* NULL: the payload's own choice */
    bool icount;
    char *oracle;      /* NULL: none */
    char *bad_sectors; /* NULL: none */
    char *monitor;     /* NULL: none */
    unsigned timeout_s, silence_s;
    bool beyond_host; /* more memory than this host can give; see machine_fit() */
    bool sampled;     /* depth=sparse, unless the arguments name a depth */
};

void machine_init(struct machine *machine);

/*
 * Sets `key`, in either case, to `value`. Returns 0; -ENOENT when there is no such key; -EINVAL
 * when the value is bad, with the reason in *message, for free().
 */
int machine_set(struct machine *machine, const char *key, const char *value, char **message);

/*
 * Looks at what the host has to give: a machine with more memory than that is marked beyond_host.
 * It then gets its memory without a reservation, and is sampled.
 */
void machine_fit(struct machine *machine);

/* The names that the keys take. */
const char *firmware_name(enum firmware firmware);
const char *serial_name(enum serial_port serial);

/* QEMU's machine type and CPU: what is asked for, else what the firmware takes. */
const char *machine_type(const struct machine *machine);
const char *machine_cpu(const struct machine *machine);

/* Can boot options reach the payload at all? Firmware's own PXE passes none. */
bool machine_takes_options(const struct machine *machine);

/* The files under the build folder that this machine boots, ended by NULL. */
const char *const *machine_needs(const struct machine *machine);

enum leave machine_leave(const struct machine *machine);

/* The options that the payload gets: those asked for, and what the runner adds. For free(). */
char *machine_options(const struct machine *machine);

/*
 * The command that does this run again, with `seed` if it is not empty and none is in the
 * arguments already; for free().
 */
char *machine_repeat_command(const struct machine *machine, const char *seed);

/* "512M", "6G": a size as the keys take it; for free(). */
char *size_text(uint64_t bytes);

/* A size with a suffix K, M, G or T. Returns false when it is none, or 0. */
bool size_parse(const char *s, uint64_t *bytes);

void machine_free(struct machine *machine);

#endif
