/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAYLOAD_TESTS_BENCH_H
#define PAYLOAD_TESTS_BENCH_H

/*
 * What the operations of the memory model cost.
 *
 * A row is one operation, done many times over in a run. It stands in the file of what it measures
 * and registers itself:
 *
 *     static void run_kmap_hit(struct bench *b) { ... }
 *     TABLE_ENTRY(bench_row, struct bench_row) = {.name = "kmap_hit", .run = run_kmap_hit, ...};
 *
 * The suite `bench` counts each row: a run to warm up, then the least of BENCH_REPETITIONS, by the
 * time-stamp counter, which counts instructions where clock_tsc_counts_instructions() says so and
 * cycles on a real machine; TLB flushes and bytes moved beside it. The suite `bench_ratio` times
 * rows that are alternatives to each other against each other.
 *
 * A row that measures nothing real is worse than none: check() sees afterwards that every operation
 * of every run was done.
 */

#include "drivers/dma.h"
#include "lib/prng.h"
#include "paging/page_alloc.h"
#include "payload/suite.h"

#define BENCH_REPETITIONS 5u
#define BENCH_BLOCKS 4u
#define BENCH_BLOCK_PAGES (1u << MAX_ORDER)
#define BENCH_PAGES (BENCH_BLOCKS * BENCH_BLOCK_PAGES)

/* What rows work on. There is one at a time. */
struct bench {
    struct page **page;  /* BENCH_PAGES highmem pages: BENCH_BLOCKS contiguous blocks */
    bool is_far;         /* they all lie above 4 GiB */
    struct page *low;    /* a lowmem page, at the start of a block of BENCH_LOW_PAGES */
    struct device dev;   /* without a device behind it; its mask has 32 bits */
    enum depth depth;    /* sparse: rows that are long may be short */
    struct prng prng;    /* for what a row's prepare() leaves to chance; from seed= */
    uint32_t operations; /* in a run; the row's, unless its prepare() changes it */
    uint32_t runs;       /* since prepare() */
};

#define BENCH_LOW_ORDER 3u
#define BENCH_LOW_PAGES (1u << BENCH_LOW_ORDER)

/* What the operations of one run cost. */
struct bench_cost {
    uint32_t operations;
    uint64_t counts; /* of the TSC */
    uint32_t flushes_full, flushes_page, flushes_global;
    uint64_t bytes; /* copied or cleared */
};

struct bench_row {
    const char *name;
    uint32_t operations; /* in a run */
    uint32_t bytes_each; /* copied or cleared by one, besides what dev's counters say */
    bool once;           /* one run only, without a warm-up: it is long */
    /* Gets ready. Returns NULL, or what the machine lacks. May be NULL. */
    const char *(*prepare)(struct bench *b);
    void (*run)(struct bench *b);
    /* The same loop without what is measured; its cost is taken off. May be NULL. */
    void (*without)(struct bench *b);
    /* Fails the case unless the runs did what they should. */
    void (*check)(struct bench *b, struct test *t);
    /* Undoes prepare(). May be NULL. */
    void (*finish)(struct bench *b);
    /* Instead of all these: what was measured while the machine was booting. */
    void (*recall)(struct bench_cost *cost);
};

/* The row of this name, or NULL. */
const struct bench_row *bench_row_find(const char *name);

/*
 * The bench, its memory taken; NULL after a skip (no high memory) or an error. bench_close() gives
 * everything back, and is fine on a bench that is not open: it is the suites' abandon hook as well.
 */
struct bench *bench_open(struct test *t);
void bench_close(void);

/*
 * Gets a row ready to run on an open bench: its own prepare(), counters at 0. False after having
 * skipped the case.
 */
bool bench_prepare(struct bench *b, const struct bench_row *row, struct test *t);

/* One run of the row, or of its loop without what is measured. */
void bench_run(struct bench *b, const struct bench_row *row, struct bench_cost *cost);

/* Sees that the runs were real, and undoes bench_prepare(). */
void bench_finish(struct bench *b, const struct bench_row *row, struct test *t);

#endif
