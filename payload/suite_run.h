/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAYLOAD_SUITE_RUN_H
#define PAYLOAD_SUITE_RUN_H

/* The framework's side of suites, for payload/run.c alone. */

#include "payload/suite.h"

/* From now on a finding fails the running case. */
void suites_init(void);

/*
 * Runs one suite and reports it.
 *   number: its number in the report, from 1
 *   pass: from 0, goes into the seeds
 *   out_of_time: asked before each case; the rest is skipped once it is true
 */
void suite_run(const struct suite *suite, unsigned number, unsigned pass,
               bool (*out_of_time)(void));

#endif
