/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DRIVERS_AVOID_H
#define DRIVERS_AVOID_H

/*
 * Which devices are left alone: those that the boot option avoid= names. To look for a device is to
 * touch it, and on a machine where that hangs the bus no time limit helps.
 *
 * Names are globs, of drivers ("ide", "es*"), or of a PCI function, by where it is ("00:1f.1") or
 * by what it is ("8086:7010", vendor and device). "pci" stands for the search of the bus as a
 * whole, "isa_dma" for the 8237. Who is about to touch something asks.
 */

#include "lib/types.h"

/*
 * Takes the option's value, comma-separated globs; at most AVOID_MAX of them count. The text is not
 * copied. Context: once, before devices_probe().
 */
#define AVOID_MAX 16u
void avoid_init(const char *list);

/* True if what has this name is to be left alone. The globs that match are not unknown any more. */
bool avoid_matches(const char *name);

/*
 * The `index`-th glob, from 0, that nothing was asked for by, copied to text; false after the last.
 * Context: after devices_probe().
 */
bool avoid_unknown(unsigned index, char *text, uint32_t size);

/* Leaves the line about it: what is at `where` (NULL for nowhere special) is left alone. */
void avoid_report(const char *driver, const char *where);

#endif
