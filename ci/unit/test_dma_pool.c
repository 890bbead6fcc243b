/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pools of coherent blocks, over memory that is an array of the test. That they keep apart what
 * they give out, over long sequences, is ci/model's business; here are the rules one by one.
 */
#include "ci/unit/unit.h"
#include "drivers/dma_pool.h"
#include "drivers/dma_track.h"
#include "lib/inject.h"
#include "paging/page_alloc.h"

#define RAM_PAGES 64u
#define RAM_BASE MIB64(1)

static uint8_t *ram;
static unsigned order_at[RAM_PAGES]; /* of the block that starts there, plus 1 */
static unsigned pages_left;          /* until memory runs out */
static struct device dev;

struct page *mem_map;
pfn_t max_pfn, max_low_pfn;
struct page *highmem_map;
struct layout layout;

void dma_report(struct device *d, enum dma_finding kind, const char *fmt, ...)
{
    char text[160];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    /* The last address in the text is the caller's. */
    assert_non_null(strrchr(text, 'x'));
    d->counters.findings++;
    d->counters.finding[kind]++;
}

static void *take(unsigned order)
{
    for (unsigned at = 0; at + (1u << order) <= RAM_PAGES; at += 1u << order) {
        bool is_free = pages_left >= 1u << order;

        for (unsigned i = 0; i < RAM_PAGES; i++) {
            if (order_at[i] && i < at + (1u << order) && i + (1u << (order_at[i] - 1)) > at)
                is_free = false;
        }
        if (!is_free)
            continue;
        order_at[at] = order + 1;
        pages_left -= 1u << order;
        return ram + at * PAGE_SIZE;
    }
    return NULL;
}

static void give(const void *addr, unsigned order)
{
    size_t at = (size_t)((const uint8_t *)addr - ram) / PAGE_SIZE;

    assert_int_equal(order_at[at], order + 1);
    order_at[at] = 0;
    pages_left += 1u << order;
}

void *__get_free_pages(gfp_t gfp, unsigned order)
{
    (void)gfp;
    return take(order);
}

void free_pages(const void *addr, unsigned order)
{
    give(addr, order);
}

static unsigned order_of(uint32_t size)
{
    unsigned order = 0;

    while (PAGE_SIZE << order < size)
        order++;
    return order;
}

void *dma_coherent_alloc(struct device *d, uint32_t size, dma_addr_t *handle, const void *caller)
{
    void *block = take(order_of(size));

    (void)d;
    if (block)
        *handle = phys_to_dma(virt_to_phys(block));
    return block;
}

void dma_free_coherent(struct device *d, uint32_t size, void *ptr, dma_addr_t handle)
{
    (void)d;
    assert_true(handle == phys_to_dma(virt_to_phys(ptr)));
    give(ptr, order_of(size));
}

static int set_up(void **state)
{
    (void)state;
    ram = aligned_alloc(PAGE_SIZE * RAM_PAGES, PAGE_SIZE * RAM_PAGES);
    layout.direct_offset = (virt_t)ram - (virt_t)RAM_BASE;
    pages_left = RAM_PAGES;
    injected = NULL;
    dev = (struct device){.name = "dev", .dma_mask = DMA_BIT_MASK(32)};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    assert_int_equal(pages_left, RAM_PAGES);
    free(ram);
    return 0;
}

static void expect(enum dma_finding kind, uint32_t count)
{
    assert_int_equal(dev.counters.finding[kind], count);
    assert_int_equal(dev.counters.findings, count);
    dev.counters = (struct dma_counters){0};
}

/* Sizes and boundaries */

static void check_layout(uint32_t size, uint32_t align, uint32_t boundary)
{
    static uint8_t *block[600];
    static dma_addr_t handle[600];
    struct dma_pool *pool = dma_pool_create("p", &dev, size, align, boundary);
    uint32_t step = MAX(align, DMA_POOL_MIN_BYTES), count;

    assert_non_null(pool);
    count = MIN(2 * dma_pool_blocks(pool), ARRAY_SIZE(block));
    size = ALIGN_UP(size, step);
    for (uint32_t i = 0; i < count; i++) {
        block[i] = dma_pool_zalloc(pool, &handle[i]);
        assert_non_null(block[i]);
        assert_true(handle[i] == phys_to_dma(virt_to_phys(block[i])));
        assert_int_equal(handle[i] % step, 0);
        if (boundary)
            assert_int_equal(handle[i] / boundary, (handle[i] + size - 1) / boundary);
        for (uint32_t j = 0; j < size; j++)
            assert_int_equal(block[i][j], 0);
        memset(block[i], (int)(i + 1), size);
    }
    assert_int_equal(dma_pool_used(pool), count);
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t j = 0; j < size; j++)
            assert_int_equal(block[i][j], (uint8_t)(i + 1));
        dma_pool_free(pool, block[i], handle[i]);
    }
    assert_int_equal(dma_pool_used(pool), 0);
    dma_pool_destroy(pool);
    expect(DMA_FINDING_LEAK, 0);
}

static void test_layouts(void **state)
{
    (void)state;
    for (unsigned ownership = 0; ownership < 2; ownership++) {
        dev.check_ownership = ownership;
        check_layout(1, 0, 0);
        check_layout(32, 16, 0);
        check_layout(48, 16, 0);
        check_layout(100, 4, 128);
        check_layout(96, 32, 256);
        check_layout(20, 64, 4096);
        check_layout(1500, 4, 2048);
        check_layout(4096, 4096, 0);
        check_layout(5000, 16, 0);
        check_layout(5000, 16, 8192);
        check_layout(16384, 16, 65536);
    }
}

static void test_bad_arguments(void **state)
{
    (void)state;
    assert_null(dma_pool_create("p", &dev, 0, 16, 0));
    assert_null(dma_pool_create("p", &dev, (PAGE_SIZE << MAX_ORDER) + 1, 16, 0));
    assert_null(dma_pool_create("p", &dev, 16, 24, 0));
    assert_null(dma_pool_create("p", &dev, 16, 2 * PAGE_SIZE, 0));
    assert_null(dma_pool_create("p", &dev, 16, 16, 100));
    assert_null(dma_pool_create("p", &dev, 100, 64, 64));
    expect(DMA_FINDING_BAD_ARGUMENT, 6);
    dma_pool_destroy(NULL);
}

static void test_memory_runs_out(void **state)
{
    struct dma_pool *pool;
    dma_addr_t handle;
    unsigned blocks = 0;

    (void)state;
    for (pages_left = 0; pages_left < 3; pages_left++)
        assert_null(dma_pool_create("p", &dev, 2048, 0, 0));
    pages_left = 8;
    pool = dma_pool_create("p", &dev, 2048, 0, 0);
    assert_non_null(pool);
    while (dma_pool_alloc(pool, &handle))
        blocks++;
    assert_int_equal(blocks, 6); /* a page for the pool, two for each chunk, one left */
    dma_pool_destroy(pool);
    expect(DMA_FINDING_LEAK, 6);
    pages_left = RAM_PAGES;
}

/* Misuse */

static void test_misuse(void **state)
{
    struct dma_pool *pool, *other;
    dma_addr_t handle[2];
    uint8_t *block[2], *foreign;

    (void)state;
    pool = dma_pool_create("p", &dev, 64, 0, 0);
    other = dma_pool_create("q", &dev, 64, 0, 0);
    for (unsigned i = 0; i < 2; i++)
        block[i] = dma_pool_alloc(pool, &handle[i]);
    foreign = dma_pool_alloc(other, &handle[1]);

    dma_pool_free(pool, foreign, handle[1]);
    dma_pool_free(pool, block[0] + 16, handle[0] + 16);
    dma_pool_free(pool, ram, handle[0]);
    expect(DMA_FINDING_UNKNOWN, 3);
    dma_pool_free(pool, block[1], handle[0]);
    expect(DMA_FINDING_BAD_ARGUMENT, 1);
    dma_pool_free(pool, block[0], handle[0]);
    expect(DMA_FINDING_LEAK, 0);
    dma_pool_free(pool, block[0], handle[0]);
    dma_pool_free(pool, block[1], handle[0]);
    expect(DMA_FINDING_DOUBLE_UNMAP, 2);
    assert_int_equal(dma_pool_used(pool), 0);
    dma_pool_destroy(pool);
    expect(DMA_FINDING_LEAK, 0);
    dma_pool_destroy(other);
    expect(DMA_FINDING_LEAK, 1);
}

static void test_written_after_free(void **state)
{
    struct dma_pool *pool;
    dma_addr_t handle;
    uint8_t *block;

    (void)state;
    dev.check_ownership = true;
    pool = dma_pool_create("p", &dev, 64, 0, 0);
    block = dma_pool_alloc(pool, &handle);
    dma_pool_free(pool, block, handle);
    block[63] ^= 1;
    assert_ptr_equal(dma_pool_alloc(pool, &handle), block);
    expect(DMA_FINDING_FREED_WRITTEN, 1);
    dma_pool_free(pool, block, handle);
    block[0] ^= 1;
    dma_pool_destroy(pool);
    expect(DMA_FINDING_FREED_WRITTEN, 1);
}

/* Mutations, from here as the machine's suite sees them. */

static void test_mutations(void **state)
{
    struct dma_pool *pool = dma_pool_create("p", &dev, 48, 0, 64);
    dma_addr_t handle[2];
    uint8_t *block[2];

    (void)state;
    injected = "pool_give_twice";
    for (unsigned i = 0; i < 2; i++)
        block[i] = dma_pool_alloc(pool, &handle[i]);
    assert_ptr_equal(block[0], block[1]);
    memset(block[1], 0xff, 48);
    injected = "pool_skip_zero";
    dma_pool_free(pool, block[1], handle[1]);
    block[1] = dma_pool_zalloc(pool, &handle[1]);
    assert_int_equal(block[1][0], 0xff);
    injected = NULL;
    dma_pool_destroy(pool);
    expect(DMA_FINDING_LEAK, 1);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_layouts), TEST(test_bad_arguments),      TEST(test_memory_runs_out),
        TEST(test_misuse),  TEST(test_written_after_free), TEST(test_mutations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
