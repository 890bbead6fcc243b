/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_RUNNER_WIRE_H
#define CI_RUNNER_WIRE_H

/*
 * The network cards of a machine, but for the one that firmware boots from: all are plugged into
 * one hub with nobody else on it, and what each of them sends is recorded in wire-NAME.pcap in the
 * folder of the run. The payload promises that no frame leaves a card, so the records must be
 * empty.
 */

#include "ci/runner/emulator.h"
#include "ci/runner/files.h"
#include "ci/runner/machine.h"
#include "ci/runner/words.h"

/* Appends what the machine's network cards add to QEMU's arguments. */
void wire_qemu(const struct machine *machine, const struct run_files *files, struct words *argv);

/* Looks into the records, after the run. Adds what is wrong to `problems`. */
void wire_check(const struct machine *machine, const struct run_files *files,
                struct words *problems);

/* Removes the records. */
void wire_drop(const struct machine *machine, const struct run_files *files);

#endif
