/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rows of the bench: windows to high memory.
 *
 * "Touch" is a 32-bit load, an addition and a store at offset 0 of the page. What is compared with
 * other systems is what they were measured with: BENCH_PAGES pages in order, the loop included.
 */
#include "paging/highmem.h"
#include "paging/kmap.h"
#include "paging/kmap_local.h"
#include "paging/kmap_range.h"
#include "payload/tests/bench.h"

#define HIT_PAGES 256u /* a working set that fits into the pool of kmap() */
#define RUN_PAGES 64u  /* in a large window */

static void touch(void *window)
{
    ++*(volatile uint32_t *)window;
}

/* No page has been touched; any window to one that is left from before is gone. */
static const char *prepare_cleared(struct bench *b)
{
    for (unsigned i = 0; i < BENCH_PAGES; i++)
        clear_highpage(b->page[i]);
    clear_highpage(b->low);
    return NULL;
}

static uint32_t first_word(struct page *page)
{
    const volatile uint32_t *window = kmap_local_page(page);
    uint32_t word = *window;

    kunmap_local((const void *)window);
    return word;
}

static void check_touched(struct bench *b, struct test *t, unsigned nr_pages)
{
    uint32_t wanted = b->runs * (b->operations / nr_pages);

    for (unsigned i = 0; i < nr_pages && !test_should_stop(t); i++) {
        uint32_t found = first_word(b->page[i]);

        TEST_CHECK(t, found == wanted, "physical 0x%09llx was touched %u times, %u wanted",
                   addr_number(page_to_phys(b->page[i])), found, wanted);
    }
}

static void check_all_touched(struct bench *b, struct test *t)
{
    check_touched(b, t, BENCH_PAGES);
}

static void check_hit_touched(struct bench *b, struct test *t)
{
    check_touched(b, t, HIT_PAGES);
}

static void check_low_touched(struct bench *b, struct test *t)
{
    uint32_t found = first_word(b->low), wanted = b->runs * b->operations;

    TEST_CHECK(t, found == wanted, "the lowmem page was touched %u times, %u wanted", found,
               wanted);
}

static void run_kmap_cold(struct bench *b)
{
    struct page **pages = b->page;

    for (unsigned i = 0; i < BENCH_PAGES; i++) {
        struct page *page = pages[i];

        touch(kmap(page));
        kunmap(page);
    }
}

static void run_kmap_hit(struct bench *b)
{
    struct page **pages = b->page;

    for (unsigned i = 0; i < BENCH_PAGES; i++) {
        struct page *page = pages[i % HIT_PAGES];

        touch(kmap(page));
        kunmap(page);
    }
}

static void run_kmap_local(struct bench *b)
{
    struct page **pages = b->page;

    for (unsigned i = 0; i < BENCH_PAGES; i++) {
        void *window = kmap_local_page(pages[i]);

        touch(window);
        kunmap_local(window);
    }
}

static void run_kmap_local_lowmem(struct bench *b)
{
    struct page *page = b->low;

    for (unsigned i = 0; i < BENCH_PAGES; i++) {
        void *window = kmap_local_page(page);

        touch(window);
        kunmap_local(window);
    }
}

/* The floor of all: an address by arithmetic. */
static void run_lowmem_touch(struct bench *b)
{
    struct page *page = b->low;

    for (unsigned i = 0; i < BENCH_PAGES; i++) {
        touch(lowmem_page_address(page));
        __asm__ volatile("" : "+r"(page)); /* not once for all rounds */
    }
}

TABLE_ENTRY(bench_row, struct bench_row) = {
    .name = "kmap_cold",
    .operations = BENCH_PAGES,
    .prepare = prepare_cleared,
    .run = run_kmap_cold,
    .check = check_all_touched,
};

TABLE_ENTRY(bench_row, struct bench_row) = {
    .name = "kmap_hit",
    .operations = BENCH_PAGES,
    .prepare = prepare_cleared,
    .run = run_kmap_hit,
    .check = check_hit_touched,
};

TABLE_ENTRY(bench_row, struct bench_row) = {
    .name = "kmap_local",
    .operations = BENCH_PAGES,
    .prepare = prepare_cleared,
    .run = run_kmap_local,
    .check = check_all_touched,
};

TABLE_ENTRY(bench_row, struct bench_row) = {
    .name = "kmap_local_lowmem",
    .operations = BENCH_PAGES,
    .prepare = prepare_cleared,
    .run = run_kmap_local_lowmem,
    .check = check_low_touched,
};

TABLE_ENTRY(bench_row, struct bench_row) = {
    .name = "lowmem_touch",
    .operations = BENCH_PAGES,
    .prepare = prepare_cleared,
    .run = run_lowmem_touch,
    .check = check_low_touched,
};

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
    .check = check_all_touched,
};

TABLE_ENTRY(bench_row, struct bench_row) = {
    .name = "kmap_pages_64",
    .operations = BENCH_PAGES,
    .prepare = prepare_cleared,
    .run = run_pages,
    .check = check_all_touched,
};
