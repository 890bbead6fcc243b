/* SPDX-License-Identifier: BSD-2-Clause */
/* What the DMA mapping API finds wrong in the work of a driver or of a device. */
#include "ci/unit/stub_dma.h"
#include "drivers/dma_track.h"
#include "paging/page_alloc.h"

static void test_bad_arguments(void **state)
{
    (void)state;
    assert_true(dma_mapping_error(&isa, map(&isa, MIB64(1), 0, DMA_TO_DEVICE)));
    assert_true(dma_mapping_error(&isa, map(&isa, MIB64(1), KIB(64) + 1, DMA_TO_DEVICE)));
    assert_true(dma_mapping_error(&isa, map(&isa, MIB64(1), 1, (enum dma_data_direction)3)));
    expect_findings(&isa, DMA_FINDING_BAD_ARGUMENT, 3);
    assert_int_equal(isa.counters.errors, 3);
}

static void test_unmap_of_nothing(void **state)
{
    dma_addr_t addr;

    (void)state;
    dma_unmap_page(&pci32, 0x123000, 64, DMA_TO_DEVICE);
    expect_findings(&pci32, DMA_FINDING_UNKNOWN, 1);
    assert_non_null(strstr(fake.last_finding, "pci32: unknown address: 0x123000"));

    /* Another device's mapping is not this one's. */
    addr = map(&wide, 0x124000, 64, DMA_TO_DEVICE);
    dma_unmap_page(&pci32, addr, 64, DMA_TO_DEVICE);
    expect_findings(&pci32, DMA_FINDING_UNKNOWN, 2);
    dma_unmap_page(&wide, addr, 64, DMA_TO_DEVICE);
    assert_int_equal(wide.counters.findings, 0);
}

static void test_double_unmap(void **state)
{
    dma_addr_t addr = map(&pci32, GIB64(5), 64, DMA_TO_DEVICE);

    (void)state;
    dma_unmap_page(&pci32, addr, 64, DMA_TO_DEVICE);
    for (unsigned i = 0; i < DMA_NR_ENTRIES / 2; i++) {
        dma_addr_t other = map(&wide, MIB64(1) + i * 64, 64, DMA_TO_DEVICE);

        dma_unmap_page(&wide, other, 64, DMA_TO_DEVICE);
    }
    dma_unmap_page(&pci32, addr, 64, DMA_TO_DEVICE);
    expect_findings(&pci32, DMA_FINDING_DOUBLE_UNMAP, 1);
    assert_non_null(strstr(fake.last_finding, "double unmap"));
}

static void test_wrong_size_and_direction(void **state)
{
    dma_addr_t addr = map(&pci32, GIB64(5), 4096, DMA_FROM_DEVICE);

    (void)state;
    fill(addr, 4096, 5);
    dma_unmap_page(&pci32, addr, 64, DMA_FROM_DEVICE);
    expect_findings(&pci32, DMA_FINDING_WRONG_SIZE, 1);
    assert_true(is_filled(GIB64(5), 4096, 5)); /* the truth was used */

    addr = map(&wide, GIB64(5), 4096, DMA_FROM_DEVICE);
    dma_unmap_page(&wide, addr, 4096, DMA_TO_DEVICE);
    expect_findings(&wide, DMA_FINDING_WRONG_DIRECTION, 1);
}

static void test_leak(void **state)
{
    (void)state;
    map(&pci32, GIB64(5), 4096, DMA_FROM_DEVICE);
    map(&pci32, MIB64(1), 4096, DMA_FROM_DEVICE);
    map(&wide, MIB64(1) + 4096, 4096, DMA_FROM_DEVICE);
    assert_int_equal(dma_check_leaks(&pci32), 2);
    expect_findings(&pci32, DMA_FINDING_LEAK, 2);
    assert_int_equal(wide.counters.findings, 0);
    assert_int_equal(dma_check_leaks(NULL), 1);
    assert_int_equal(dma_check_leaks(NULL), 0);
    expect_findings(&wide, DMA_FINDING_LEAK, 1);
}

static void test_overlap(void **state)
{
    dma_addr_t a = map(&wide, MIB64(1), 100, DMA_TO_DEVICE);
    dma_addr_t b = map(&pci32, MIB64(1) + 50, 100, DMA_TO_DEVICE); /* both only read */
    dma_addr_t c;

    (void)state;
    assert_int_equal(pci32.counters.findings, 0);
    dma_unmap_page(&pci32, b, 100, DMA_TO_DEVICE);
    b = map(&pci32, MIB64(1) + 100, 100, DMA_FROM_DEVICE); /* side by side */
    assert_int_equal(pci32.counters.findings, 0);
    c = map(&isa, MIB64(1) + 99, 1, DMA_FROM_DEVICE);
    expect_findings(&isa, DMA_FINDING_OVERLAP, 1);
    dma_unmap_page(&wide, a, 100, DMA_TO_DEVICE);
    dma_unmap_page(&pci32, b, 100, DMA_FROM_DEVICE);
    dma_unmap_page(&isa, c, 1, DMA_FROM_DEVICE);
}

/* What a device only reads may be mapped twice, also from the same byte on. */
static void test_same_start(void **state)
{
    (void)state;
    for (unsigned first = 0; first < 2; first++) {
        dma_addr_t addr = map(&wide, MIB64(1), 64, DMA_TO_DEVICE);

        assert_true(map(&wide, MIB64(1), 5000, DMA_TO_DEVICE) == addr);
        assert_true(map(&wide, MIB64(1), 100, DMA_TO_DEVICE) == addr);
        dma_sync_single_for_cpu(&wide, addr, 100, DMA_TO_DEVICE);
        dma_sync_single_for_cpu(&wide, addr + 90, 4910, DMA_TO_DEVICE);
        dma_unmap_page(&wide, addr, first ? 100 : 64, DMA_TO_DEVICE);
        dma_unmap_page(&wide, addr, 5000, DMA_TO_DEVICE);
        assert_int_equal(wide.counters.findings, 0);
        dma_sync_single_for_cpu(&wide, addr + 90, 20, DMA_TO_DEVICE);
        expect_findings(&wide, first ? DMA_FINDING_UNKNOWN : DMA_FINDING_WRONG_SIZE, 1);
        dma_unmap_page(&wide, addr, first ? 64 : 100, DMA_TO_DEVICE);
        assert_int_equal(wide.counters.findings, 1);
        wide.counters = (struct dma_counters){0};
    }
}

static void test_cpu_keeps_what_it_owns(void **state)
{
    phys_addr_t buffer = GIB64(5);
    dma_addr_t addr = map(&pci32, buffer, 600, DMA_FROM_DEVICE);

    (void)state;
    fill(addr, 600, 1);
    dma_sync_single_for_cpu(&pci32, addr, 600, DMA_FROM_DEVICE);
    fill(buffer, 600, 8);
    dma_unmap_page(&pci32, addr, 600, DMA_FROM_DEVICE);
    assert_true(is_filled(buffer, 600, 8)); /* as it is with a direct mapping */
}

/* Parts side by side count as one, whichever came first. */
static void test_parts_side_by_side(void **state)
{
    phys_addr_t buffer = GIB64(5);
    dma_addr_t addr = map(&pci32, buffer, 800, DMA_FROM_DEVICE);

    (void)state;
    fill(addr, 800, 1);
    dma_sync_single_for_cpu(&pci32, addr + 200, 200, DMA_FROM_DEVICE);
    dma_sync_single_for_cpu(&pci32, addr, 200, DMA_FROM_DEVICE);
    dma_sync_single_for_cpu(&pci32, addr + 400, 200, DMA_FROM_DEVICE);
    dma_sync_single_for_cpu(&pci32, addr + 700, 50, DMA_FROM_DEVICE);
    assert_true(is_filled(buffer, 600, 1));
    fill(buffer, 800, 8);
    dma_unmap_page(&pci32, addr, 800, DMA_FROM_DEVICE);
    assert_true(is_filled(buffer, 600, 8));
    assert_memory_equal(ram(buffer + 600), ram(addr + 600), 100);
    assert_memory_equal(ram(buffer + 750), ram(addr + 750), 50);
    assert_memory_not_equal(ram(buffer + 700), ram(addr + 700), 50);
    assert_int_equal(pci32.counters.findings, 0);
}

static void test_forgotten_sync(void **state)
{
    phys_addr_t buffer = GIB64(5);
    dma_addr_t addr;

    (void)state;
    pci32.check_ownership = true;
    addr = map(&pci32, buffer, 600, DMA_TO_DEVICE);
    *ram(buffer + 300) ^= 1;
    dma_unmap_page(&pci32, addr, 600, DMA_TO_DEVICE);
    expect_findings(&pci32, DMA_FINDING_NOT_SYNCED, 1);
}

static void test_overrun(void **state)
{
    phys_addr_t buffer = GIB64(5) + 100;
    dma_addr_t addr = map(&pci32, buffer, 600, DMA_FROM_DEVICE);

    (void)state;
    fill(addr, 601, 1);
    dma_unmap_page(&pci32, addr, 600, DMA_FROM_DEVICE);
    expect_findings(&pci32, DMA_FINDING_OVERRUN, 1);
    addr = map(&pci32, buffer, 600, DMA_FROM_DEVICE);
    fill(addr - 1, 601, 1);
    dma_unmap_page(&pci32, addr, 600, DMA_FROM_DEVICE);
    expect_findings(&pci32, DMA_FINDING_OVERRUN, 2);
}

static void test_full_table(void **state)
{
    enum { BYTES = 32, MOST = 8192 };
    dma_addr_t bounced = map(&pci32, GIB64(5), 600, DMA_BIDIRECTIONAL);
    uint32_t count = 0;

    (void)state;
    for (unsigned round = 0; round < 3; round++) {
        for (count = 0; count < MOST; count++) {
            if (dma_mapping_error(&wide,
                                  map(&wide, MIB64(1) + count * BYTES, BYTES, DMA_TO_DEVICE)))
                break;
        }
        assert_in_range(count, DMA_NR_ENTRIES + 1, DMA_NR_ENTRIES + DMA_NR_BUCKETS);
        assert_int_equal(dma_live_mappings(&wide), count);
        assert_true(dma_mapping_error(&pci32, map(&pci32, GIB64(4), 5000, DMA_TO_DEVICE)));
        /* Whose a part is can't be kept either. */
        dma_sync_single_for_cpu(&pci32, bounced, 100, DMA_FROM_DEVICE);
        assert_int_equal(pci32.counters.errors, 2 * (round + 1));
        dma_sync_single_for_cpu(&pci32, bounced, 600, DMA_FROM_DEVICE);
        assert_int_equal(pci32.counters.errors, 2 * (round + 1));
        dma_sync_single_for_device(&pci32, bounced, 600, DMA_TO_DEVICE);
        for (uint32_t i = 0; i < count; i++) {
            /* In another order than they came: the numbers have no common factor. */
            uint32_t k = (uint32_t)((uint64_t)i * 1000003 % count);

            dma_unmap_page(&wide, MIB64(1) + k * BYTES, BYTES, DMA_TO_DEVICE);
        }
    }
    dma_unmap_page(&pci32, bounced, 600, DMA_BIDIRECTIONAL);
    assert_int_equal(wide.counters.errors, 3);
    assert_int_equal(wide.counters.findings, 0);
    assert_int_equal(pci32.counters.findings, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DMA_TEST(test_bad_arguments),
        DMA_TEST(test_unmap_of_nothing),
        DMA_TEST(test_double_unmap),
        DMA_TEST(test_wrong_size_and_direction),
        DMA_TEST(test_leak),
        DMA_TEST(test_overlap),
        DMA_TEST(test_same_start),
        DMA_TEST(test_cpu_keeps_what_it_owns),
        DMA_TEST(test_parts_side_by_side),
        DMA_TEST(test_forgotten_sync),
        DMA_TEST(test_overrun),
        DMA_TEST(test_full_table),
    };

    return cmocka_run_group_tests(tests, fake_build, fake_drop);
}
