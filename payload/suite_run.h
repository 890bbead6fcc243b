/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAYLOAD_SUITE_RUN_H
#define PAYLOAD_SUITE_RUN_H

/* The framework's side of suites, for payload/run.c alone. */

#include "payload/suite.h"

/*
 * From now on a finding fails the running case. out_of_time: asked before each case, and in it.
 * ends_at_failure: a suite's cases after one that failed are skipped.
 */
void suites_init(bool (*out_of_time)(void), bool ends_at_failure);

/*
 * Runs one suite and reports it.
 *   number: its number in the report, from 1
 *   pass: from 0, goes into the seeds
 */
void suite_run(const struct suite *suite, unsigned number, unsigned pass);

#endif
