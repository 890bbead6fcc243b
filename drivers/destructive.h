/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DRIVERS_DESTRUCTIVE_H
#define DRIVERS_DESTRUCTIVE_H

/*
 * Which media may be written to: those that the boot option destructive= names, and no other.
 *
 * A driver that can write asks before it offers to; nothing else decides. Names are those of media,
 * not of drivers: fd0 is the first floppy drive's disk.
 */

#include "lib/types.h"

/*
 * Takes the option's value, comma-separated names; at most DESTRUCTIVE_MAX of them count. The text
 * is not copied. Context: once, before devices_probe().
 */
#define DESTRUCTIVE_MAX 8u
void destructive_init(const char *list);

/* True if `name` may be written to. Whoever asks knows the name: it is not unknown any more. */
bool destructive_allows(const char *name);

/*
 * The `index`-th name, from 0, that no driver has asked for, copied to text; false after the last.
 * Context: after devices_probe().
 */
bool destructive_unknown(unsigned index, char *text, uint32_t size);

#endif
