/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory that a device and the processor share, from the DMA mapping API. */
#include "ci/unit/stub_dma.h"
#include "paging/layout.h"

static void test_coherent(void **state)
{
    dma_addr_t handle = 0, other = 0;
    uint8_t *p = dma_alloc_coherent(&isa, 6000, &handle);

    (void)state;
    assert_non_null(p);
    assert_ptr_equal(p, ram(handle));
    assert_int_equal(handle % 8192, 0);
    assert_int_equal(dma_check_leaks(&isa), 0);
    dma_unmap_page(&isa, handle, 6000, DMA_BIDIRECTIONAL);
    expect_findings(&isa, DMA_FINDING_WRONG_KIND, 1);
    dma_free_coherent(&isa, 6000, p, handle);
    dma_free_coherent(&isa, 6000, p, handle);
    assert_int_equal(isa.counters.finding[DMA_FINDING_DOUBLE_UNMAP], 1);
    isa.dma_mask = DMA_BIT_MASK(12);
    assert_null(dma_alloc_coherent(&isa, 64, &other));
    assert_null(dma_alloc_coherent(&wide, MIB(4) + 1, &other));
}

/* What a device does not reach comes from below its mask, and from the first 16 MiB only if it
 * must. */
static void test_coherent_between(void **state)
{
    struct device narrow = {.name = "narrow", .dma_mask = dma_make(MIB64(25) - 1)};
    unsigned freed = fake.area_blocks_freed;
    dma_addr_t handle = 0;
    uint8_t *p;

    (void)state;
    layout.lowmem_end = LOW_BYTES;
    fake.kernel_block = MIB64(25);
    fake.only_block = MIB64(24);
    memset(fake.low + fake.only_block, 0xff, 4 * PAGE_SIZE);
    p = dma_alloc_coherent(&narrow, 3 * PAGE_SIZE, &handle);
    assert_non_null(p);
    assert_int_equal(handle, fake.only_block);
    assert_ptr_equal(p, ram(handle));
    for (uint32_t i = 0; i < 4 * PAGE_SIZE; i++)
        assert_int_equal(p[i], 0);
    dma_free_coherent(&narrow, 3 * PAGE_SIZE, p, handle);
    assert_int_equal(fake.area_blocks_freed, freed + 2);

    injected = "coherent_skip_between";
    p = dma_alloc_coherent(&narrow, PAGE_SIZE, &handle);
    assert_in_range(handle, 0, MIB64(16) - 1);
    dma_free_coherent(&narrow, PAGE_SIZE, p, handle);
    injected = NULL;

    /* A mask that ends with the zone leaves nothing between. */
    p = dma_alloc_coherent(&isa, PAGE_SIZE, &handle);
    assert_in_range(handle, 0, MIB64(16) - 1);
    dma_free_coherent(&isa, PAGE_SIZE, p, handle);
    assert_int_equal(narrow.counters.findings, 0);
    fake.kernel_block = fake.only_block = 0;
    layout.lowmem_end = 0;
    fake.area_blocks_freed = freed;
}

static void test_coherent_lost(void **state)
{
    dma_addr_t handle;
    uint8_t *kept = dma_alloc_coherent(&pci32, PAGE_SIZE, &handle);
    dma_addr_t lost;

    (void)state;
    assert_non_null(dma_alloc_coherent(&wide, 6000, &lost));
    assert_int_equal(dma_check_coherent(&wide), 1);
    expect_findings(&wide, DMA_FINDING_LEAK, 1);
    assert_int_equal(dma_check_coherent(&wide), 0);
    dma_free_coherent(&pci32, PAGE_SIZE, kept, handle);
    assert_int_equal(dma_check_coherent(&pci32), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DMA_TEST(test_coherent),
        DMA_TEST(test_coherent_between),
        DMA_TEST(test_coherent_lost),
    };

    return cmocka_run_group_tests(tests, fake_build, fake_drop);
}
