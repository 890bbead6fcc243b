/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAYLOAD_TESTS_LOWMEM_RESULT_H
#define PAYLOAD_TESTS_LOWMEM_RESULT_H

/*
 * What the runs of a suite came to: the lines that say so, how they are judged, and the table at
 * the end.
 *
 * Context: boot thread. The results of one workload are kept, until "none" of another is run.
 */

#include "payload/tests/lowmem_lab.h"
#include "payload/tests/lowmem_spent.h"

enum lab_verdict { VERDICT_WEDGED, VERDICT_NEVER, VERDICT_OVER, VERDICT_STOPPED };

struct lab_result {
    bool is_there;
    const char *name; /* of the case */
    uint64_t done;
    enum lab_verdict verdict;
    unsigned order;     /* that allocations are compared by */
    struct spent spent; /* on them; count is 0 if there were none */
};

/* Forgets the results of the workload, or of another: "none" is about to be run. */
void results_clear(const struct lab_workload *workload, uint64_t seed);

/* What "none" of this workload came to; NULL if it was not run, or did not wedge. */
const struct lab_result *results_none(const struct lab_workload *workload);

/* Why there is no results_none(), in words. */
const char *results_why_none(const struct lab_workload *workload);

/* "none" was run, and the workload has figures although it did not wedge. */
bool results_stand_alone(const struct lab_workload *workload);

/* The seed that all cases of the workload start from. */
uint64_t results_seed(void);

/* Keeps the result, writes lines and metrics, and judges it. `failure`: state at the wedge or end.
 */
void result_tell(struct lab *lab, enum lab_verdict verdict);

/* The table, as log lines. */
void results_write(struct test *t);

#endif
