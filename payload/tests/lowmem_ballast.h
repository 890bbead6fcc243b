/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAYLOAD_TESTS_LOWMEM_BALLAST_H
#define PAYLOAD_TESTS_LOWMEM_BALLAST_H

/*
 * A machine is made smaller by taking most of its memory out of the way, small blocks first: what
 * is left are blocks of 4 MiB, so that a machine with so much left is like any other.
 *
 * And the proof that a run left nothing behind: the free lists, block for block.
 *
 * Context: boot thread; ballast is taken and given back while the allocator is plain.
 */

#include "paging/page_alloc.h"
#include "payload/suite.h"

/* Registers the owner "ballast" and gets room to remember blocks in; false: no memory. */
bool ballast_open(void);

/*
 * Takes free blocks of the zone as long as `left` pages stay free. Returns how many are free then:
 * `left`, or less if that was so before; up to a block more if the zone has no block that fits.
 */
uint32_t ballast_take(enum zone_type zone, uint32_t left);

/* Is this allocated block ballast? */
bool is_ballast(const struct page *page);

/* Gives all back, and what ballast_open() took. Fine if there is nothing. */
void ballast_close(void);

/*
 * How many free blocks there are of each order, in each zone; the per-CPU lists are emptied. Page
 * tables of the vmalloc area, which stay once they are there, are made before.
 */
void lists_remember(void);

/* Fails the case unless they are just that again, and by the rules of zone_check(). */
void lists_check(struct test *t);

#endif
