/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench: counts what each operation of the memory model costs.
 *
 * Under an emulator whose time-stamp counter counts instructions (QEMU with -icount shift=0) the
 * figures are exact, and the same on every host, so that a change of 1 % is a change of the code;
 * `make bench` compares them with the committed ones. On a real machine they are cycles, the least
 * of some repetitions. Either way they go into the report as metrics, and in full (all operations
 * of a run, flushes, bytes) as a line of their own:
 *
 *     # bench kmap_cold operations=4096 instructions=374272 flushes_full=8 flushes_page=0 bytes=0
 *
 * Flushes of global pages, which no row has any business with, stand before bytes= if there are
 * any.
 *
 * A case fails when the operations that were counted have not done their work.
 */
#include "payload/tests/bench.h"
#include "drivers/clock.h"
#include "lib/format.h"
#include "lib/inject.h"
#include "lib/string.h"
#include "lib/x86/cpu.h"
#include "paging/tlb.h"
#include "payload/trace.h"

#define FOUR_GIB phys_make(GIB64(4))
#define TABLE_ORDER 2u /* BENCH_PAGES pointers */
#define POINTER_BYTES 4u

_Static_assert((PAGE_SIZE << TABLE_ORDER) == BENCH_PAGES * POINTER_BYTES, "");

/* Static so that the abandon hook finds it. */
static struct {
    struct bench bench;
    struct page *block[BENCH_BLOCKS];
    const struct bench_row *prepared;
} state;

const struct bench_row *bench_row_find(const char *name)
{
    table_for_each (bench_row, struct bench_row, row) {
        if (strcmp(row->name, name) == 0)
            return row;
    }
    return NULL;
}

/* The row at this place in the table, which has so many. */
static const struct bench_row *row_at(unsigned index)
{
    table_for_each (bench_row, struct bench_row, row) {
        if (index-- == 0)
            return row;
    }
    return NULL;
}

/* Blocks above 4 GiB if the machine has enough there, else anywhere in high memory. */
static bool take_blocks(struct bench *b)
{
    b->is_far = true;
    for (unsigned i = 0; i < BENCH_BLOCKS; i++) {
        struct page *block = alloc_pages_in(MAX_ORDER, FOUR_GIB, PHYS_ADDR_MAX);

        if (!block) {
            b->is_far = false;
            block = alloc_pages(GFP_HIGHUSER | __GFP_THISZONE, MAX_ORDER);
        }
        if (!block)
            return false;
        state.block[i] = block;
        for (unsigned n = 0; n < BENCH_BLOCK_PAGES; n++)
            b->page[i * BENCH_BLOCK_PAGES + n] = block + n;
    }
    return true;
}

struct bench *bench_open(struct test *t)
{
    struct bench *b = &state.bench;

    memset(&state, 0, sizeof(state));
    b->depth = test_depth(t);
    b->page = __get_free_pages(GFP_KERNEL, TABLE_ORDER);
    b->low = alloc_pages(GFP_KERNEL, BENCH_LOW_ORDER);
    b->dev = (struct device){
        .name = "bench",
        .dma_mask = DMA_BIT_MASK(32),
        .segment_boundary_mask = DMA_BOUNDARY_4G,
    };
    if (!b->page || !b->low) {
        test_error(t, "no lowmem for %u pointers", BENCH_PAGES);
        bench_close();
        return NULL;
    }
    if (!take_blocks(b)) {
        test_skip(t, "no %u blocks of %u pages in high memory", BENCH_BLOCKS, BENCH_BLOCK_PAGES);
        bench_close();
        return NULL;
    }
    return b;
}

void bench_close(void)
{
    struct bench *b = &state.bench;

    if (state.prepared && state.prepared->finish)
        state.prepared->finish(b);
    dma_check_leaks(&b->dev);
    for (unsigned i = 0; i < BENCH_BLOCKS; i++) {
        if (state.block[i])
            __free_pages(state.block[i], MAX_ORDER);
    }
    if (b->low)
        __free_pages(b->low, BENCH_LOW_ORDER);
    if (b->page)
        free_pages(b->page, TABLE_ORDER);
    memset(&state, 0, sizeof(state));
}

bool bench_prepare(struct bench *b, const struct bench_row *row, struct test *t)
{
    const char *lacks;

    b->operations = row->operations;
    b->runs = 0;
    b->prng = *test_prng(t);
    memset(&b->dev.counters, 0, sizeof(b->dev.counters));
    state.prepared = row;
    lacks = row->prepare ? row->prepare(b) : NULL;
    if (lacks) {
        test_skip(t, "%s", lacks);
        bench_finish(b, row, NULL);
    }
    return !lacks;
}

/* Kept out of line, so that every row is called in the same way. */
static __attribute__((noinline)) uint64_t count_calls(struct bench *b, void (*run)(struct bench *))
{
    uint64_t start = rdtsc();

    if (!inject(bench_skip_run, bench))
        run(b);
    return rdtsc() - start;
}

/* A trace of one row: what is counted, without what was prepared for it. */
static void begin_stretch(const struct bench_row *row)
{
    char name[TRACE_NAME_MAX];

    if (!trace_is_wanted())
        return;
    format(name, sizeof(name), "bench.run.%s", row->name);
    trace_begin(name);
}

void bench_run(struct bench *b, const struct bench_row *row, struct bench_cost *cost)
{
    bool in_stretch = trace_is_open();

    begin_stretch(row);
    struct tlb_counters before = tlb_counters;
    uint64_t bounced_before = b->dev.counters.bounced_bytes;

    cost->operations = b->operations;
    cost->counts = count_calls(b, row->run);
    if (!in_stretch)
        trace_end(NULL);
    cost->flushes_full = tlb_counters.full - before.full;
    cost->flushes_page = tlb_counters.page - before.page;
    cost->flushes_global = tlb_counters.global - before.global;
    cost->bytes =
        b->dev.counters.bounced_bytes - bounced_before + (uint64_t)row->bytes_each * b->operations;
    b->runs++;
    if (row->without)
        cost->counts -= MIN(cost->counts, count_calls(b, row->without));
}

void bench_finish(struct bench *b, const struct bench_row *row, struct test *t)
{
    if (t)
        row->check(b, t);
    if (row->finish)
        row->finish(b);
    state.prepared = NULL;
}

static void report(struct test *t, const struct bench_row *row, const struct bench_cost *cost)
{
    const char *unit = clock_tsc_counts_instructions() ? "instructions" : "cycles";
    char global[32] = "";

    if (cost->flushes_global)
        format(global, sizeof(global), " flushes_global=%u", cost->flushes_global);
    test_log(t, "bench %s operations=%u %s=%llu flushes_full=%u flushes_page=%u%s bytes=%llu",
             row->name, cost->operations, unit, (unsigned long long)cost->counts,
             cost->flushes_full, cost->flushes_page, global, (unsigned long long)cost->bytes);
    test_metric(t, row->name, (cost->counts + cost->operations / 2) / cost->operations, unit);
}

/* As often as it takes for the least to be the true one. */
static unsigned repetitions(const struct bench *b, const struct bench_row *row)
{
    return row->once || b->depth == DEPTH_SPARSE ? 1 : BENCH_REPETITIONS;
}

static void case_count(struct test *t)
{
    const struct bench_row *row = row_at(test_instance(t));
    struct bench_cost cost, least = {0};
    struct bench *b;

    if (!row) {
        test_error(t, "there is no such row");
        return;
    }
    if (row->recall) {
        row->recall(&least);
        if (TEST_CHECK(t, least.counts && least.operations, "%s was not measured", row->name))
            report(t, row, &least);
        return;
    }
    b = bench_open(t);
    if (!b)
        return;
    if (bench_prepare(b, row, t)) {
        if (!row->once)
            bench_run(b, row, &cost);
        for (unsigned i = 0; i < repetitions(b, row); i++) {
            bench_run(b, row, &cost);
            if (i == 0 || cost.counts < least.counts)
                least = cost;
        }
        bench_finish(b, row, t);
        report(t, row, &least);
    }
    bench_close();
}

static unsigned nr_rows(void)
{
    unsigned count = 0;

    table_for_each (bench_row, struct bench_row, row)
        count++;
    return count;
}

static const char *row_name(unsigned index)
{
    const struct bench_row *row = row_at(index);

    return row ? row->name : "no row";
}

static const struct test_case cases[] = {{"count", case_count}};

SUITE(bench) = {
    .name = "bench",
    .about = "counts what each operation of the memory model costs",
    .rank = SUITE_RANK_MEASURE,
    .cases = cases,
    .nr_cases = ARRAY_SIZE(cases),
    .abandon = bench_close,
    .nr_instances = nr_rows,
    .instance_name = row_name,
};
