/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_RUNNER_FILES_H
#define CI_RUNNER_FILES_H

/*
 * The folder of one run, build/run/NAME, and what lies in it:
 *
 *     serial.log     what the serial line said, byte by byte
 *     emulator.log   what the emulator itself said
 *     command        the emulator's command line, for a shell
 *     report.xml, report.json, report.html
 *     floppy.img, disk.img, sata.img     the media; see image.h
 *     boot.iso, iso/           GRUB with the boot options of this run
 *     tftp/                    what QEMU's TFTP server gives out, with the options of this run
 *     bochsrc, bochs.rc        Bochs' configuration and its debugger's first command
 *     oracle-POINT.txt         what the emulator saw at a marked point; see oracle.h
 */

#include <stddef.h>

#include "ci/runner/machine.h"

struct run_files {
    char *build; /* the build folder */
    char *dir;   /* the run's folder */
    char *serial, *emulator_log, *command, *xml, *json, *html;
    char *floppy, *disk, *sata, *iso, *tftp, *bochsrc, *bochs_script;
    int lock; /* a file descriptor that keeps other runs out of the folder */
};

/*
 * Makes the run's folder under `build`, takes its lock and removes what an earlier run left there.
 * Returns 0; -EBUSY when another run is using the folder; another negative errno. *message says
 * what went wrong, for free().
 */
int files_open(struct run_files *files, const char *build, const char *name, char **message);

/*
 * Makes what `machine` boots from, with the boot options `options` where they are part of it.
 * Returns 0 or a negative errno with *message.
 */
int files_make_media(const struct run_files *files, const struct machine *machine,
                     const char *options, char **message);

/*
 * Compares the media with what they were before, and those that may be written to with what the
 * report says was. Returns 0 when all is so, else 1 with *message, which names the medium and the
 * sector.
 */
int files_check_media(const struct run_files *files, const struct machine *machine, char **message);

/* Removes media and other files that only the emulator needed. */
void files_drop_media(const struct run_files *files);

/* Writes `content` to `path`. Returns 0 or a negative errno. */
int file_write(const char *path, const char *content);

void files_close(struct run_files *files);

#endif
