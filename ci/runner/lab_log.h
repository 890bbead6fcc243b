/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_RUNNER_LAB_LOG_H
#define CI_RUNNER_LAB_LOG_H

/*
 * What the laboratory (payload/tests/lowmem_lab.h, which describes the lines) told about its runs,
 * from the "# lab" lines of a log to structs.
 *
 * The reader believes nothing: a line that is damaged, comes in the wrong place, or has a number
 * that can't be, is left out, and a note says which one and why. What remains is in order: times
 * and steps never run backwards, free blocks fit into their zone, a map's rows rise.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ci/runner/ktap.h"
#include "ci/runner/words.h"
#include "paging/fragmentation.h"

#define LAB_ZONES 3 /* DMA, NORMAL, HIGHMEM, in this order, as in enum zone_type */
#define LAB_OWNERS 26
#define LAB_MARKS 3 /* MIN, LOW, HIGH */
#define LAB_FRAME_BYTES 4096u

struct lab_sample {
    uint64_t ms; /* since the case began */
    uint64_t done;
    uint32_t free; /* pages, with those on per-CPU lists, which are in no block */
    struct buddy_counts counts;
};

struct lab_zone {
    bool known; /* its line was there */
    uint64_t first, end, present;
    struct lab_sample *samples;
    size_t nr_samples;
    uint64_t below[LAB_MARKS]; /* times that free pages fell below the watermark */
    bool has_below;
};

/* Rows of cells; `cells` has one character each: '-', '.', '?', or an owner's letter. */
struct lab_row {
    uint64_t frame; /* of the first cell */
    char *cells;
};

/*
 * NEVER: not in as many steps as it was given, a multiple of those of "none"; OVER: there was no
 * more to do; STOPPED: its time was over, or it had failed.
 */
enum lab_verdict { LAB_NEVER, LAB_WEDGED, LAB_OVER, LAB_STOPPED, LAB_VERDICTS };

enum lab_when { LAB_START, LAB_AT_WEDGE, LAB_END, LAB_WHENS };

struct lab_map {
    uint64_t step; /* frames a cell; 0: there is no map */
    struct lab_row *rows;
    size_t nr_rows;
};

enum lab_spent_what { LAB_ALLOC, LAB_FREE, LAB_SLAB, LAB_SPENT_WHATS };

/* What allocations or frees of an order took, or objects of slabs. */
struct lab_spent {
    enum lab_spent_what what;
    unsigned order;
    uint64_t count, p50, p90, p99, max;
    char *unit;
};

struct lab_event {
    char *name;
    uint64_t count;
};

struct lab_case {
    char *suite, *name; /* "lowmem_stacks", "none" */
    char *workload;     /* "stacks"; a suite may have several; "stacks-pass2" in another pass */
    char *unit;         /* of steps */
    uint64_t limit;     /* steps after which it would be over */
    struct lab_zone zones[LAB_ZONES];
    uint64_t noise;           /* of the clock: what was spent can't be told from less; 0: exact */
    char *owners[LAB_OWNERS]; /* names, by letter; NULL: none */
    struct lab_map maps[LAB_WHENS];
    uint64_t failed[NR_ORDERS]; /* allocations */
    struct lab_spent *spent;
    size_t nr_spent;
    struct lab_event *events;
    size_t nr_events;
    /* What the end line said; without one (`ended` false) the case was cut off. */
    bool ended;
    enum lab_verdict verdict;
    uint64_t done;
    unsigned order;           /* of the allocation that failed */
    int zone;                 /* that it was wanted from; -1: unknown */
    uint64_t free[LAB_ZONES]; /* pages, at that moment */
    int largest;              /* order of the largest free block there; -1: there is none */
    size_t result;            /* its place in the results, from 1 on; 0: it has none */
};

/* A line of the result table. */
struct lab_result {
    char *workload, *remedy;
    bool has_case; /* the case that it belongs to is in the log */
    enum lab_verdict verdict;
    uint64_t done, times; /* steps; the same in percent of those without remedy */
    unsigned order;       /* by which all cases of the workload tell what allocations cost */
    bool has_p50;         /* the case allocated blocks of it */
    uint64_t p50;
};

struct lab_log {
    struct lab_case *cases;
    size_t nr_cases;
    struct lab_result *results;
    size_t nr_results;
    struct words notes; /* "line 812: ...", what was left out */
    size_t more_notes;  /* that were too many to keep */
};

/* Reads the lab lines that the log's reader set aside. Always succeeds; for lab_log_free(). */
void lab_log_read(struct lab_log *log, const struct ktap *ktap);

/* "DMA", "NORMAL", "HIGHMEM" */
const char *lab_zone_name(unsigned zone);

/* The result that stood in the case, which is named after it; or NULL. */
const struct lab_result *lab_result_of(const struct lab_log *log, const struct lab_case *run);

/*
 * What blocks of one order cost, the same for all cases of a workload: as the result says, else the
 * least there is. NULL if the case has none of it.
 */
const struct lab_spent *lab_main_spent(const struct lab_log *log, const struct lab_case *run);

/* The distribution of one order; NULL if there is none. */
const struct lab_spent *lab_spent_of(const struct lab_case *run, enum lab_spent_what what,
                                     unsigned order);

void lab_log_free(struct lab_log *log);

#endif
