/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAYLOAD_TESTS_HIGHMEM_SET_H
#define PAYLOAD_TESTS_HIGHMEM_SET_H

/* All of high memory for one case, for the suites that go over it. */

#include "payload/page_set.h"
#include "payload/suite.h"

/*
 * Takes all free highmem pages, visited as depth= says. False, with the case skipped, failed or in
 * error, if there are none, or if they are not where they seem; else page_set_give_back() ends it.
 *
 * The first time, and only reading high memory, it is made sure that no address line from 32 up is
 * dead: then 4 GiB + x would be x, and writing there would destroy the payload itself.
 */
bool highmem_set_take(struct test *t, struct page_set *set);

/*
 * Number that the case's marks depend on, so that what an earlier case or pass wrote is not taken
 * for what this one did. Set by highmem_set_take().
 */
uint32_t highmem_salt(void);

#endif
