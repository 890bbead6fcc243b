/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_RUNNER_SOUND_H
#define CI_RUNNER_SOUND_H

/*
 * The sound devices of a machine: what they play goes into NAME.wav in the folder of the run, and
 * is compared with what the payload says it played (wav.h).
 *
 * QEMU has no backend that both writes a file and has a source: a PCI device comes in two, one that
 * plays into the file and one that records silence.
 */

#include "ci/runner/emulator.h"
#include "ci/runner/files.h"
#include "ci/runner/machine.h"
#include "ci/runner/words.h"

/* Appends what the machine's sound devices add to QEMU's arguments. */
void sound_qemu(const struct machine *machine, const struct run_files *files, struct words *argv);

/* The lines that they add to Bochs' configuration, for free(). */
char *sound_bochs(const struct machine *machine, const struct run_files *files);

/* Compares what was played, after the run. Adds what is wrong to `problems`. */
void sound_check(const struct machine *machine, const struct run_files *files,
                 struct words *problems);

/* Removes the files with the sound. */
void sound_drop(const struct machine *machine, const struct run_files *files);

#endif
