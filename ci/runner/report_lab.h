/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_RUNNER_REPORT_LAB_H
#define CI_RUNNER_REPORT_LAB_H

/*
 * The laboratory's part of report.html: a table over all workloads, then a section for each, with
 * a table over its remedies, and below it the charts and maps of each case.
 */

#include <stdio.h>

#include "ci/runner/lab_log.h"

/* How large the picture of one case may be, so that the page stays small with any number. */
struct lab_detail {
    size_t points; /* of a curve */
    size_t hints;  /* of a chart */
    size_t cells;  /* of a map */
};

/* Which colour (report_style.h) the owners of memory have: the same one in all maps. */
struct lab_colours {
    int owner[LAB_OWNERS]; /* by letter; -1: none */
};

/* Writes all sections; nothing when the log has neither cases nor results of the laboratory. */
void put_lab(FILE *out, const struct lab_log *log);

/*
 * The table over all workloads: when each wedges without remedies, with how much memory free, and
 * what each remedy changes about that, and costs.
 */
void put_lab_summary(FILE *out, const struct lab_log *log, const char *const *workloads,
                     size_t count);

/* The table of a workload: a row for each case, and for each result whose case is lost. */
void put_lab_table(FILE *out, const struct lab_log *log, const char *workload);

/* Writes one case; `wanted` is the zone whose fragmentation is shown. */
void put_lab_case(FILE *out, const struct lab_case *run, const struct lab_colours *colours,
                  unsigned wanted, const struct lab_detail *detail);

/*
 * What was spent: "1,234", or "< 25" where the clock's noise hides it (a cost of nothing is not
 * told); for free().
 */
char *lab_cost_text(uint64_t cost, uint64_t noise);
void put_lab_cost_cell(FILE *out, uint64_t cost, uint64_t noise);

/* "4K", "8K", ... by order */
extern const char *const lab_block_sizes[NR_ORDERS];

/* Free memory of a zone that has samples, by order, as a chart. */
void put_lab_stack(FILE *out, const struct lab_case *run, unsigned zone,
                   const struct lab_detail *detail);

/* How much in pieces it is: the indexes of paging/fragmentation.h, a chart each. */
void put_lab_indexes(FILE *out, const struct lab_case *run, unsigned zone,
                     const struct lab_detail *detail);

/* Which colour is which order. */
void put_lab_orders_legend(FILE *out);

/* The case's maps of lowmem; what letters of `run` mean is told below them. */
void put_lab_maps(FILE *out, const struct lab_case *run, const struct lab_colours *colours,
                  size_t max_cells);

/* "wedged after 1,234 threads, ..." for free() */
char *lab_outcome_text(const struct lab_case *run);

#endif
