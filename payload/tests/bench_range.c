/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rows of the bench: many pages at once, by large windows and by areas of vmalloc().
 *
 * The same as the rows of one page each, per page: a touch is a load, an addition and a store at
 * offset 0, and what is compared is the same pages in the same order.
 */
#include "paging/highmem.h"
#include "paging/kmap_range.h"
#include "paging/vmalloc.h"
#include "payload/tests/bench.h"

#define RUN_PAGES 64u
#define AREA_BYTES (2 * PAGE_SIZE) /* a thread's stack */
#define AREAS 1024u                /* in a run */

static const char *prepare_cleared(struct bench *b)
{
    for (unsigned i = 0; i < BENCH_PAGES; i++)
        clear_highpage(b->page[i]);
    return NULL;
}

static uint32_t word_at(struct page *page, size_t offset)
{
    uint32_t word;

    memcpy_from_page(&word, page, offset, sizeof(word));
    return word;
}

static void check_touched(struct bench *b, struct test *t)
{
    for (unsigned i = 0; i < BENCH_PAGES && !test_should_stop(t); i++) {
        uint32_t found = word_at(b->page[i], 0);

        TEST_CHECK(t, found == b->runs, "physical 0x%09llx was touched %u times, %u wanted",
                   addr_number(page_to_phys(b->page[i])), found, b->runs);
    }
}

static void touch_each(char *window)
{
    for (unsigned i = 0; i < RUN_PAGES; i++)
        ++*(volatile uint32_t *)(window + i * PAGE_SIZE);
}

static void run_range(struct bench *b)
{
    for (unsigned i = 0; i < BENCH_PAGES; i += RUN_PAGES) {
        char *window = kmap_range(b->page[i], RUN_PAGES);

        touch_each(window);
        kunmap_range(window);
    }
}

static void run_pages(struct bench *b)
{
    for (unsigned i = 0; i < BENCH_PAGES; i += RUN_PAGES) {
        char *window = kmap_pages(b->page + i, RUN_PAGES);

        touch_each(window);
        kunmap_range(window);
    }
}

TABLE_ENTRY(bench_row, struct bench_row) = {
    .name = "kmap_range_64",
    .operations = BENCH_PAGES,
    .prepare = prepare_cleared,
    .run = run_range,
    .check = check_touched,
};

TABLE_ENTRY(bench_row, struct bench_row) = {
    .name = "kmap_pages_64",
    .operations = BENCH_PAGES,
    .prepare = prepare_cleared,
    .run = run_pages,
    .check = check_touched,
};

static uint32_t areas_touched;

static const char *prepare_areas(struct bench *b)
{
    (void)b;
    areas_touched = 0;
    return NULL;
}

/* One area after the other: the hand goes round the region. */
static void run_vmalloc(struct bench *b)
{
    (void)b;
    for (unsigned i = 0; i < AREAS; i++) {
        volatile uint32_t *area = vmalloc(AREA_BYTES);

        area[0] = i;
        area[AREA_BYTES / sizeof(*area) - 1] = i;
        areas_touched += area[0] == i;
        vfree((const void *)area);
    }
}

static void check_areas(struct bench *b, struct test *t)
{
    uint32_t wanted = b->runs * AREAS;

    TEST_CHECK(t, areas_touched == wanted, "%u areas were used, %u wanted", areas_touched, wanted);
}

TABLE_ENTRY(bench_row, struct bench_row) = {
    .name = "vmalloc_8k",
    .operations = AREAS,
    .prepare = prepare_areas,
    .run = run_vmalloc,
    .check = check_areas,
};
