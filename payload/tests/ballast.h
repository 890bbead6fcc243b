/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAYLOAD_TESTS_BALLAST_H
#define PAYLOAD_TESTS_BALLAST_H

/*
 * Ballast: memory taken away, so that a zone of any size is a small one for a while. It needs no
 * table: the pages' descriptors say whose they are.
 */

#include "lib/prng.h"
#include "paging/page_alloc.h"

#define BALLAST_KEEP_MAX 16u

/*
 * Takes all blocks of MAX_ORDER of the zone but `keep` (up to BALLAST_KEEP_MAX), chosen at random.
 * Returns how many are left: fewer if the zone has not that many. Context: thread.
 */
unsigned ballast_take(enum zone_type zone, unsigned keep, struct prng *prng);

/* Gives all of it back, in all zones. Fine if there is none. */
void ballast_give_back(void);

#endif
