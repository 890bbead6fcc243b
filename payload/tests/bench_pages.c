/* SPDX-License-Identifier: BSD-2-Clause */
/* Rows of the bench: whole pages of high memory cleared and copied, one by one and in runs. */
#include "lib/string.h"
#include "paging/highmem.h"
#include "payload/tests/bench.h"

static uint32_t page_mark(const struct bench *b, unsigned index)
{
    return 0xb0000000u | page_to_pfn(b->page[index]);
}

static uint32_t word_at(struct page *page, size_t offset)
{
    uint32_t word;

    memcpy_from_page(&word, page, offset, sizeof(word));
    return word;
}

/* The first and last word of each page tell which it is. */
static const char *prepare_marked(struct bench *b)
{
    for (unsigned i = 0; i < BENCH_PAGES; i++) {
        uint32_t mark = page_mark(b, i);

        memcpy_to_page(b->page[i], 0, &mark, sizeof(mark));
        memcpy_to_page(b->page[i], PAGE_SIZE - sizeof(mark), &mark, sizeof(mark));
    }
    return NULL;
}

static void check_marks(struct bench *b, struct test *t, unsigned index, uint32_t wanted)
{
    uint32_t first = word_at(b->page[index], 0);
    uint32_t last = word_at(b->page[index], PAGE_SIZE - sizeof(last));

    TEST_CHECK(t, first == wanted && last == wanted,
               "physical 0x%09llx holds 0x%08x and 0x%08x, 0x%08x wanted",
               addr_number(page_to_phys(b->page[index])), first, last, wanted);
}

static void run_clear(struct bench *b)
{
    struct page **pages = b->page;

    for (unsigned i = 0; i < BENCH_PAGES; i++)
        clear_highpage(pages[i]);
}

static void check_cleared(struct bench *b, struct test *t)
{
    for (unsigned i = 0; i < BENCH_PAGES && !test_should_stop(t); i++)
        check_marks(b, t, i, 0);
}

/* The first half over the second, then back. */
static void run_copy(struct bench *b)
{
    struct page **pages = b->page;

    for (unsigned i = 0; i < BENCH_PAGES; i++)
        copy_highpage(pages[i ^ (BENCH_PAGES / 2)], pages[i]);
}

static void check_copied(struct bench *b, struct test *t)
{
    for (unsigned i = 0; i < BENCH_PAGES && !test_should_stop(t); i++)
        check_marks(b, t, i, page_mark(b, i % (BENCH_PAGES / 2)));
}

static void run_clear_runs(struct bench *b)
{
    for (unsigned i = 0; i < BENCH_PAGES; i += BENCH_BLOCK_PAGES)
        clear_highpages(b->page[i], BENCH_BLOCK_PAGES);
}

static void run_copy_runs(struct bench *b)
{
    for (unsigned i = 0; i < BENCH_PAGES; i += BENCH_BLOCK_PAGES)
        copy_highpages(b->page[i ^ (BENCH_PAGES / 2)], b->page[i], BENCH_BLOCK_PAGES);
}

/* The floor: the same between two lowmem pages. */
static void run_copy_lowmem(struct bench *b)
{
    char *from = lowmem_page_address(b->low), *to = from + PAGE_SIZE;

    for (unsigned i = 0; i < BENCH_PAGES; i++) {
        memcpy(to, from, PAGE_SIZE);
        __asm__ volatile("" : : : "memory");
    }
}

static void check_copied_lowmem(struct bench *b, struct test *t)
{
    const char *from = lowmem_page_address(b->low);

    TEST_CHECK(t, memcmp(from, from + PAGE_SIZE, PAGE_SIZE) == 0, "the copy differs");
}

TABLE_ENTRY(bench_row, struct bench_row) = {
    .name = "clear_highpage",
    .operations = BENCH_PAGES,
    .bytes_each = PAGE_SIZE,
    .prepare = prepare_marked,
    .run = run_clear,
    .check = check_cleared,
};

TABLE_ENTRY(bench_row, struct bench_row) = {
    .name = "copy_highpage",
    .operations = BENCH_PAGES,
    .bytes_each = PAGE_SIZE,
    .prepare = prepare_marked,
    .run = run_copy,
    .check = check_copied,
};

TABLE_ENTRY(bench_row, struct bench_row) = {
    .name = "clear_highpages",
    .operations = BENCH_PAGES,
    .bytes_each = PAGE_SIZE,
    .prepare = prepare_marked,
    .run = run_clear_runs,
    .check = check_cleared,
};

TABLE_ENTRY(bench_row, struct bench_row) = {
    .name = "copy_highpages",
    .operations = BENCH_PAGES,
    .bytes_each = PAGE_SIZE,
    .prepare = prepare_marked,
    .run = run_copy_runs,
    .check = check_copied,
};

TABLE_ENTRY(bench_row, struct bench_row) = {
    .name = "copy_lowmem",
    .operations = BENCH_PAGES,
    .bytes_each = PAGE_SIZE,
    .prepare = prepare_marked,
    .run = run_copy_lowmem,
    .check = check_copied_lowmem,
};
