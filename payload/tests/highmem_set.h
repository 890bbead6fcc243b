/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAYLOAD_TESTS_HIGHMEM_SET_H
#define PAYLOAD_TESTS_HIGHMEM_SET_H

/* All of high memory for one case, for the suites that go over it. */

#include "payload/page_set.h"
#include "payload/suite.h"

/*
 * Takes all free highmem pages, visited as depth= says. False, with the case skipped or in error,
 * if there are none; else page_set_give_back() ends it.
 */
bool highmem_set_take(struct test *t, struct page_set *set);

#endif
