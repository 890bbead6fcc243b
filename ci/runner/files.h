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

/* Makes the folder `path` and those above it. Returns 0 or a negative errno. */
int folders_make(const char *path);

/* Removes the folder `path` with all that is in it; not what a link in it leads to. */
void folder_remove(const char *path);

/* Writes `content`, or what the file `from` has, to a file. Returns 0 or a negative errno. */
int file_write(const char *path, const char *content);
int file_copy(const char *from, const char *to);

void files_close(struct run_files *files);

#endif
