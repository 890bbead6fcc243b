/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A row of the bench: reading a gigabyte of high memory from end to end through windows, which is
 * what scrubbing, hibernating and dumping do. Only the mapping is counted: the same scan of one
 * lowmem page, as many times over, is taken off.
 */
#include "lib/string.h"
#include "paging/highmem.h"
#include "paging/kmap_local.h"
#include "paging/kmap_range.h"
#include "payload/tests/bench.h"

#define SWEEP_BLOCKS_MAX 256u /* 1 GiB, with depth=full */
#define SWEEP_BLOCKS_MIN 16u
#define MIB_PER_BLOCK (BENCH_BLOCK_PAGES * PAGE_SIZE / MIB(1))
#define WORDS_PER_LINE (64u / sizeof(uint32_t))
#define WORDS_PER_PAGE (PAGE_SIZE / sizeof(uint32_t))

static struct {
    struct page *block[SWEEP_BLOCKS_MAX];
    unsigned nr_blocks;
    uint32_t sum, low_sum;
} sweep;

/*
 * One word of each cache line of as many pages as a window has, `stride` words apart. Out of line,
 * so that both loops pay the same for it.
 */
static __attribute__((noinline)) uint32_t scan(const uint32_t *page, size_t stride)
{
    uint32_t sum = 0;

    for (unsigned n = 0; n < KMAP_RANGE_PAGES; n++, page += stride)
        for (unsigned i = 0; i < WORDS_PER_PAGE; i += WORDS_PER_LINE)
            sum += *(const volatile uint32_t *)(page + i);
    return sum;
}

static void finish_sweep(struct bench *b)
{
    (void)b;
    for (unsigned i = 0; i < sweep.nr_blocks; i++)
        __free_pages(sweep.block[i], MAX_ORDER);
    memset(&sweep, 0, sizeof(sweep));
}

/* A page of zeroes is no proof of having been read, so each holds a word. */
static const char *prepare_sweep(struct bench *b)
{
    static const unsigned max_blocks[] = {[DEPTH_SPARSE] = SWEEP_BLOCKS_MIN,
                                          [DEPTH_SMOKE] = SWEEP_BLOCKS_MAX / 4,
                                          [DEPTH_FULL] = SWEEP_BLOCKS_MAX};

    memset(&sweep, 0, sizeof(sweep));
    while (sweep.nr_blocks < max_blocks[b->depth]) {
        struct page *block = alloc_pages(GFP_HIGHUSER | __GFP_THISZONE, MAX_ORDER);

        if (!block)
            break;
        sweep.block[sweep.nr_blocks++] = block;
        for (unsigned i = 0; i < BENCH_BLOCK_PAGES; i++) {
            uint32_t *window = kmap_local_page(block + i);

            for (unsigned word = 0; word < WORDS_PER_PAGE; word += WORDS_PER_LINE)
                window[word] = word == 0;
            kunmap_local(window);
        }
    }
    clear_highpage(b->low);
    b->operations = sweep.nr_blocks * MIB_PER_BLOCK;
    return sweep.nr_blocks < SWEEP_BLOCKS_MIN ? "less than 64 MiB of high memory in whole blocks"
                                              : NULL;
}

static void run_sweep(struct bench *b)
{
    uint32_t sum = 0;

    (void)b;
    for (unsigned n = 0; n < sweep.nr_blocks; n++) {
        for (unsigned i = 0; i < BENCH_BLOCK_PAGES; i += KMAP_RANGE_PAGES) {
            const uint32_t *window = kmap_range(sweep.block[n] + i, KMAP_RANGE_PAGES);

            sum += scan(window, WORDS_PER_PAGE);
            kunmap_range(window);
        }
    }
    sweep.sum = sum;
}

static void run_scan_only(struct bench *b)
{
    const uint32_t *low = lowmem_page_address(b->low);
    uint32_t sum = 0;

    for (unsigned n = 0; n < sweep.nr_blocks; n++) {
        for (unsigned i = 0; i < BENCH_BLOCK_PAGES; i += KMAP_RANGE_PAGES)
            sum += scan(low, 0);
    }
    sweep.low_sum = sum;
}

static void check_sum(struct bench *b, struct test *t)
{
    uint32_t wanted = sweep.nr_blocks * BENCH_BLOCK_PAGES;

    (void)b;
    TEST_CHECK(t, sweep.sum == wanted, "%u pages were seen, %u wanted", sweep.sum, wanted);
    TEST_CHECK(t, sweep.low_sum == 0, "the lowmem page is not empty");
}

TABLE_ENTRY(bench_row, struct bench_row) = {
    .name = "sweep_map_per_mib",
    .once = true,
    .prepare = prepare_sweep,
    .run = run_sweep,
    .without = run_scan_only,
    .check = check_sum,
    .finish = finish_sweep,
};
