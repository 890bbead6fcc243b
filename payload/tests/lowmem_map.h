/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAYLOAD_TESTS_LOWMEM_MAP_H
#define PAYLOAD_TESTS_LOWMEM_MAP_H

/*
 * A map of lowmem in the report, of at most 1024 cells: who has it. It is read off the page
 * descriptors, from block to block. Pageblocks that are all ballast are left out, so that what a
 * run is about has the cells for itself.
 *
 * Context: boot thread, one run at a time.
 */

#include "payload/suite.h"

/* Looks which pageblocks are ballast, for all maps of a run. */
void map_begin(void);

/* Writes a line for each owner there is. */
void map_tell_owners(struct test *t);

/* Writes the map; when: "start", "wedge" or "end". The per-CPU lists must be empty. */
void map_write(struct test *t, const char *when);

#endif
