/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAYLOAD_TESTS_ZONE_STATE_H
#define PAYLOAD_TESTS_ZONE_STATE_H

/*
 * All free memory, remembered and compared: whatever a case did, afterwards the free lists are what
 * they were before, block for block.
 */

#include "paging/page_alloc.h"
#include "payload/suite.h"

struct zone_state {
    struct {
        uint32_t free_pages;
        uint32_t nr_free[NR_ORDERS];
    } zone[MAX_NR_ZONES];
};

/* Empties the per-CPU lists, and remembers what is free. */
void zone_state_remember(struct zone_state *state);

/* Fails the case if a rule of the lists is broken. */
void zone_state_check_lists(struct test *t);

/*
 * Fails the case unless all is free that was, and merged: free buddies never stay apart, so equal
 * free memory means equal lists.
 */
void zone_state_compare(struct test *t, const struct zone_state *state);

#endif
