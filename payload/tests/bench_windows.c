/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rows of the bench: windows to high memory.
 *
 * "Touch" is a 32-bit load, an addition and a store at offset 0 of the page. What is compared with
 * other systems is what they were measured with: BENCH_PAGES pages in order, the loop included.
 */
#include "lib/string.h"
#include "paging/highmem.h"
#include "paging/kmap.h"
#include "paging/kmap_local.h"
#include "payload/tests/bench.h"

#define HIT_PAGES 256u /* a working set that fits into the pool of kmap() */

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

/* Whole pages. */

static uint32_t page_mark(const struct bench *b, unsigned index)
{
    return 0xb0000000u | page_to_pfn(b->page[index]);
}

static uint32_t last_word(struct page *page)
{
    uint32_t word;

    memcpy_from_page(&word, page, PAGE_SIZE - sizeof(word), sizeof(word));
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
    uint32_t first = first_word(b->page[index]), last = last_word(b->page[index]);

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
    .name = "copy_lowmem",
    .operations = BENCH_PAGES,
    .bytes_each = PAGE_SIZE,
    .prepare = prepare_marked,
    .run = run_copy_lowmem,
    .check = check_copied_lowmem,
};
