/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAYLOAD_TESTS_TLB_COST_H
#define PAYLOAD_TESTS_TLB_COST_H

#include "payload/suite.h"

/*
 * The case `costs` of the suite `tlb`: what each kind of flush costs, and the refill after it, over
 * working sets of 1 to 4096 pages of 4 KiB and 1 to 256 of 2 MiB. Metrics, for a set of N pages:
 *
 *     access_4k_N          an access while nothing is flushed; TLB sizes show as steps
 *     refill_4k_N          what an access costs more, once, after a CR3 write
 *     refill_page_4k_N     the same after an INVLPG of each page
 *     refill_global_4k_N   the same after CR4.PGE was off and on: the code's own page is gone too
 *     flush_page, flush_all, flush_global
 *                          the flush itself
 *     range_break_even     pages from which on one CR3 write is cheaper than an INVLPG each, if
 *                          256 others are in use (see TLB_RANGE_PAGES_MAX); not where the TSC
 *                          counts instructions
 *
 * and with 2m for 4k. All pages show the same few cache lines, so that nothing but translations is
 * paid for.
 */
void tlb_case_costs(struct test *t);

#endif
