/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAYLOAD_TESTS_SMALL_ZONE_H
#define PAYLOAD_TESTS_SMALL_ZONE_H

/*
 * A zone that is small for a while, whatever size the machine has, and full of movable pages
 * (movable_pages.h): the rest of it is ballast. Ballast needs no table: the pages' descriptors say
 * what they are.
 */

#include "payload/tests/movable_pages.h"

/*
 * Takes all blocks of MAX_ORDER but a few chosen at random (the more the deeper), and fills these,
 * and whatever else is free, with the pages of the table `movable`. The allocator is tuned for the
 * time being. False after a skip (the zone is too small) or an error; small_zone_close() in any
 * case. Context: boot thread of a case.
 */
bool small_zone_open(struct test *t, enum zone_type zone, const struct page_alloc_tuning *tuning);

/* The blocks of MAX_ORDER that it has, from small_zone_open() on: at least two. */
unsigned small_zone_blocks(void);

/* Gives all back, and fails the case unless it is as free as before, block for block. */
void small_zone_close(struct test *t);

/* The suites' abandon hook: gives all back. */
void small_zone_give_back(void);

/* HIGHMEM, which more depends on, or NORMAL on machines without. */
enum zone_type small_zone_best(void);

#endif
