/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Access by page: through windows that show one page each, and that are given back in order; and by
 * runs of pages.
 */
#include "ci/unit/unit.h"
#include "paging/highmem.h"
#include "paging/kmap_local.h"
#include "paging/kmap_range.h"

#define NR_PAGES 40u
#define RANGES 3u
#define BYTES (NR_PAGES * PAGE_SIZE)
#define WINDOWS 4u

static struct page pages[NR_PAGES];
static uint8_t *contents[NR_PAGES]; /* each a heap block of its own: nothing lies beyond a page */
static uint8_t model[BYTES];
static const void *open_windows[WINDOWS];
static unsigned depth;

void *kmap_local_page(struct page *page)
{
    assert_true(page >= pages && page < pages + NR_PAGES && depth < WINDOWS);
    open_windows[depth++] = contents[page - pages];
    return contents[page - pages];
}

void kunmap_local(const void *addr)
{
    assert_true(depth > 0);
    depth--;
    assert_true(addr >= open_windows[depth] &&
                (const uint8_t *)addr < (const uint8_t *)open_windows[depth] + PAGE_SIZE);
}

static int setup(void **state)
{
    struct prng prng;

    prng_seed(&prng, 7);
    depth = 0;
    for (uint32_t i = 0; i < BYTES; i++)
        model[i] = (uint8_t)prng_u32(&prng);
    for (unsigned i = 0; i < NR_PAGES; i++)
        contents[i] = exact_copy(model + i * PAGE_SIZE, PAGE_SIZE);
    return 0;
}

static int teardown(void **state)
{
    for (unsigned i = 0; i < NR_PAGES; i++)
        free(contents[i]);
    return 0;
}

/* Large windows: copies, written back when they are given back. */

struct page *mem_map = pages - (PTRS_PER_TABLE - 9); /* a border of 2 MiB after nine of them */
static struct {
    uint8_t *bytes;
    unsigned first, count;
    unsigned second; /* of two runs */
    bool is_pair;
} range[RANGES];
static unsigned ranges_left;
static unsigned nr_ranges;

void *kmap_range_try(struct page *first, unsigned nr_pages)
{
    unsigned i = 0;

    assert_true(first >= pages && nr_pages > 0 && first + nr_pages <= pages + NR_PAGES);
    if (ranges_left == 0)
        return NULL;
    ranges_left--;
    nr_ranges++;
    while (range[i].bytes)
        i++;
    range[i].bytes = malloc(nr_pages * PAGE_SIZE);
    range[i].first = (unsigned)(first - pages);
    range[i].count = nr_pages;
    for (unsigned n = 0; n < nr_pages; n++)
        memcpy(range[i].bytes + n * PAGE_SIZE, contents[range[i].first + n], PAGE_SIZE);
    return range[i].bytes;
}

static void write_back(uint8_t *bytes, unsigned first, unsigned count)
{
    for (unsigned n = 0; n < count; n++)
        memcpy(contents[first + n], bytes + n * PAGE_SIZE, PAGE_SIZE);
}

void *kmap_pair_try(struct page *first, struct page *second, unsigned nr_pages)
{
    uint8_t *both = malloc(kmap_pair_offset(nr_pages) + nr_pages * PAGE_SIZE);
    uint8_t *one = kmap_range_try(first, nr_pages);

    if (!one) {
        free(both);
        return NULL;
    }
    for (unsigned i = 0; i < RANGES; i++) {
        if (range[i].bytes != one)
            continue;
        memcpy(both, one, nr_pages * PAGE_SIZE);
        free(one);
        range[i].bytes = both;
        range[i].second = (unsigned)(second - pages);
        range[i].is_pair = true;
    }
    return both;
}

void kunmap_range(const void *addr)
{
    unsigned i = 0;

    while (range[i].bytes != addr)
        assert_true(++i < RANGES);
    write_back(range[i].bytes, range[i].first, range[i].count);
    if (range[i].is_pair)
        write_back(range[i].bytes + kmap_pair_offset(range[i].count), range[i].second,
                   range[i].count);
    free(range[i].bytes);
    memset(&range[i], 0, sizeof(range[i]));
    ranges_left++;
}

static void assert_like_model(void)
{
    assert_int_equal(depth, 0);
    for (unsigned i = 0; i < NR_PAGES; i++)
        assert_memory_equal(contents[i], model + i * PAGE_SIZE, PAGE_SIZE);
}

static void whole_pages(void **state)
{
    clear_highpage(&pages[2]);
    memset(model + 2 * PAGE_SIZE, 0, PAGE_SIZE);
    assert_like_model();
    copy_highpage(&pages[4], &pages[1]);
    memcpy(model + 4 * PAGE_SIZE, model + PAGE_SIZE, PAGE_SIZE);
    assert_like_model();
}

/* Runs of any length, with as many large windows as may be had. */
static void runs(void **state)
{
    struct prng prng;

    prng_seed(&prng, 3);
    for (int i = 0; i < 300; i++) {
        unsigned count = between(&prng, 1, NR_PAGES / 2);
        unsigned from = prng_below(&prng, NR_PAGES / 2 - count + 1);
        unsigned to = NR_PAGES / 2 + prng_below(&prng, NR_PAGES / 2 - count + 1);

        ranges_left = prng_below(&prng, RANGES + 1);
        if (one_in(&prng, 4)) {
            clear_highpages(&pages[to], count);
            memset(model + to * PAGE_SIZE, 0, count * PAGE_SIZE);
        } else {
            copy_highpages(&pages[to], &pages[from], count);
            memcpy(model + to * PAGE_SIZE, model + from * PAGE_SIZE, count * PAGE_SIZE);
        }
        assert_like_model();
        for (unsigned n = 0; n < RANGES; n++)
            assert_null(range[n].bytes);
    }
    assert_true(nr_ranges > 50);
}

static void parts(void **state)
{
    struct prng prng;

    prng_seed(&prng, 1);
    for (int i = 0; i < 3000; i++) {
        uint32_t first = prng_below(&prng, NR_PAGES);
        uint32_t start = first * PAGE_SIZE;
        uint32_t offset = prng_below(&prng, BYTES - start + 1);
        uint32_t length = prng_below(&prng, BYTES - start - offset + 1);
        uint8_t *buffer;

        if (one_in(&prng, 3)) /* up to a page's last byte, and no more */
            length = MIN(length, PAGE_SIZE - offset % PAGE_SIZE);
        buffer = malloc(length);
        for (uint32_t k = 0; k < length; k++)
            buffer[k] = (uint8_t)prng_u32(&prng);
        switch (prng_below(&prng, 3)) {
        case 0:
            memcpy_from_page(buffer, &pages[first], offset, length);
            assert_memory_equal(buffer, model + start + offset, length);
            break;
        case 1:
            memcpy_to_page(&pages[first], offset, buffer, length);
            memcpy(model + start + offset, buffer, length);
            break;
        default:
            memset_page(&pages[first], offset, i, length);
            memset(model + start + offset, i, length);
            break;
        }
        free(buffer);
        if (i % 20 == 0)
            assert_like_model();
    }
    assert_like_model();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(whole_pages, setup, teardown),
        cmocka_unit_test_setup_teardown(runs, setup, teardown),
        cmocka_unit_test_setup_teardown(parts, setup, teardown),
    };

    return cmocka_run_group_tests_name("highmem", tests, NULL, NULL);
}
