/* SPDX-License-Identifier: BSD-2-Clause */
/* Access by page: through windows that show one page each, and that are given back in order. */
#include "ci/unit/unit.h"
#include "paging/highmem.h"
#include "paging/kmap_local.h"

#define NR_PAGES 5u
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
        cmocka_unit_test_setup_teardown(parts, setup, teardown),
    };

    return cmocka_run_group_tests_name("highmem", tests, NULL, NULL);
}
