/* SPDX-License-Identifier: BSD-2-Clause */
/* The DMA mapping API: what is mapped, copied and synced. */
#include "ci/unit/stub_dma.h"
#include "drivers/bounce.h"
#include "drivers/bounce_copy.h"
#include "drivers/dma_track.h"
#include "lib/errno.h"

static void test_what_is_reached(void **state)
{
    (void)state;
    assert_true(dma_reaches(&isa, MIB64(16) - 1, 1));
    assert_false(dma_reaches(&isa, MIB64(16), 1));
    assert_true(dma_reaches(&isa, MIB64(16) - 512, 512));
    assert_false(dma_reaches(&isa, MIB64(16) - 512, 513));
    assert_true(dma_reaches(&isa, 0x10000, 0x10000));
    assert_false(dma_reaches(&isa, 0x10001, 0x10000));
    assert_true(dma_reaches(&pci32, GIB64(4) - 1, 1));
    assert_false(dma_reaches(&pci32, GIB64(4) - 1, 2));
    assert_false(dma_reaches(&pci32, GIB64(4), 1));
    assert_false(dma_reaches(&pci32, GIB64(4) + MIB64(1), 1));
    assert_true(dma_reaches(&wide, GIB64(60), MIB(4)));
    assert_true(dma_reaches(&wide, GIB64(4) - 1, 2));
}

static void test_direct_mapping(void **state)
{
    dma_addr_t addr = map(&wide, GIB64(5) + 17, 5000, DMA_FROM_DEVICE);

    (void)state;
    assert_true(addr == GIB64(5) + 17);
    assert_int_equal(wide.counters.direct, 1);
    assert_int_equal(dma_live_mappings(&wide), 1);
    assert_int_equal(dma_live_mappings(&isa), 0);
    dma_unmap_page(&wide, addr, 5000, DMA_FROM_DEVICE);

    addr = dma_map_single(&wide, fake.low + MIB(1) + 5, 100, DMA_TO_DEVICE);
    assert_true(addr == MIB64(1) + 5);
    dma_unmap_single(&wide, addr, 100, DMA_TO_DEVICE);
    assert_int_equal(wide.counters.bounced, 0);
    assert_int_equal(wide.counters.unmaps, 2);
    assert_int_equal(wide.counters.findings, 0);
}

static void test_bounce_to_device(void **state)
{
    phys_addr_t buffer = GIB64(5) + 3 * PAGE_SIZE - 100;
    dma_addr_t addr;

    (void)state;
    fill(buffer, 9000, 3);
    addr = map(&pci32, buffer, 9000, DMA_TO_DEVICE);
    assert_true(addr + 9000 <= LOW_BYTES);
    assert_int_equal(addr % BOUNCE_SLOT_BYTES, buffer % BOUNCE_SLOT_BYTES);
    assert_true(is_filled(addr, 9000, 3));
    assert_int_equal(pci32.counters.bounced, 1);
    /* What the device does to a to-device buffer never comes back. */
    memset(ram(addr), 0xff, 9000);
    dma_unmap_page(&pci32, addr, 9000, DMA_TO_DEVICE);
    assert_true(is_filled(buffer, 9000, 3));
    assert_int_equal(pci32.counters.bounced_bytes, 9000);
}

static void test_bounce_from_device(void **state)
{
    phys_addr_t buffer = GIB64(4) - 1000;
    dma_addr_t addr;

    (void)state;
    fill(buffer - 64, 5000 + 128, 9);
    addr = map(&pci32, buffer, 5000, DMA_FROM_DEVICE);
    assert_true(addr < LOW_BYTES);
    fill(addr, 5000, 77);
    dma_unmap_page(&pci32, addr, 5000, DMA_FROM_DEVICE);
    assert_true(is_filled(buffer, 5000, 77));
    /* Before and after it all is as it was. */
    fill(GIB64(5), 5000 + 128, 9);
    assert_memory_equal(ram(buffer - 64), ram(GIB64(5)), 64);
    assert_memory_equal(ram(buffer + 5000), ram(GIB64(5) + 64 + 5000), 64);
    assert_int_equal(pci32.counters.findings, 0);
}

/* A device that delivers less: told by its driver, or found out. */
static void test_short_delivery(void **state)
{
    static const uint32_t sizes[] = {8, 9, 15, 16, 511, 520, 527, 528, 600, 4096, 5000, 13000};

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
        phys_addr_t buffer = GIB64(5) + 24;
        uint32_t size = sizes[i], came = size / 2;
        dma_addr_t addr;

        memset(ram(buffer), 0x5a, size);
        addr = map(&pci32, buffer, size, DMA_FROM_DEVICE);
        fill(addr, came, 77);
        dma_sync_single_for_cpu(&pci32, addr, came, DMA_FROM_DEVICE);
        dma_unmap_page_attrs(&pci32, addr, size, DMA_FROM_DEVICE, DMA_ATTR_SKIP_CPU_SYNC);
        assert_true(is_filled(buffer, came, 77));
        for (uint32_t k = came; k < size; k++)
            assert_int_equal(*ram(buffer + k), 0x5a);
        assert_int_equal(pci32.counters.findings, i);

        addr = map(&pci32, buffer, size, DMA_FROM_DEVICE);
        fill(addr, size - 8, 99);
        dma_unmap_page(&pci32, addr, size, DMA_FROM_DEVICE);
        expect_findings(&pci32, DMA_FINDING_UNWRITTEN, i + 1);
        assert_non_null(strstr(fake.last_finding, "unwritten"));
        assert_true(is_filled(buffer, size - 8, 99));
        for (uint32_t k = MAX(came, size - 8); k < size; k++)
            assert_int_equal(*ram(buffer + k), 0x5a);
    }
    /* Too small for a mark. */
    *ram(GIB64(5)) = 3;
    dma_unmap_page(&pci32, map(&pci32, GIB64(5), 7, DMA_FROM_DEVICE), 7, DMA_FROM_DEVICE);
    assert_int_equal(*ram(GIB64(5)), 3);
    assert_int_equal(pci32.counters.findings, ARRAY_SIZE(sizes));
}

static void test_narrow_mask_and_boundary(void **state)
{
    enum { NR = 40, BYTES = 3 * 1024 + 512 };
    dma_addr_t addr[NR];

    (void)state;
    for (unsigned i = 0; i < NR; i++) {
        addr[i] = map(&isa, GIB64(3) + i * 8192 + i, BYTES, DMA_BIDIRECTIONAL);
        assert_false(dma_mapping_error(&isa, addr[i]));
        assert_true(addr[i] + BYTES <= MIB64(16));
        assert_true(addr[i] / 65536 == (addr[i] + BYTES - 1) / 65536);
        for (unsigned j = 0; j < i; j++)
            assert_true(addr[i] >= addr[j] + BYTES || addr[j] >= addr[i] + BYTES);
    }
    for (unsigned i = 0; i < NR; i++)
        dma_unmap_page(&isa, addr[i], BYTES, DMA_BIDIRECTIONAL);

    /* As long as the boundary allows, and unaligned: it can't keep its offset, but must fit. */
    addr[0] = map(&isa, GIB64(3) + 4093, KIB(64), DMA_BIDIRECTIONAL);
    assert_int_equal(addr[0] % KIB(64), 0);
    dma_unmap_page(&isa, addr[0], KIB(64), DMA_BIDIRECTIONAL);
    /* Reachable, but across the boundary. */
    addr[0] = map(&isa, 0x1ff00, 0x200, DMA_BIDIRECTIONAL);
    assert_true(addr[0] != 0x1ff00);
    dma_unmap_page(&isa, addr[0], 0x200, DMA_BIDIRECTIONAL);
    assert_int_equal(isa.counters.findings, 0);
}

/* A boundary within a page that the buffer crosses: its place in the slot is another. */
static void test_boundary_in_page(void **state)
{
    dma_addr_t addr;

    (void)state;
    isa.segment_boundary_mask = 0xff;
    addr = map(&isa, GIB64(3) + 0xf0, 32, DMA_FROM_DEVICE);
    fill(addr, 32, 5);
    dma_sync_single_for_cpu(&isa, addr + 8, 8, DMA_FROM_DEVICE);
    dma_unmap_page(&isa, addr, 32, DMA_FROM_DEVICE);
    assert_int_equal(isa.counters.findings, 0);
    assert_true(is_filled(GIB64(3) + 0xf0, 32, 5));
}

static void test_sync(void **state)
{
    phys_addr_t buffer = GIB64(5) + 4000;
    dma_addr_t addr;

    (void)state;
    pci32.check_ownership = true;
    addr = map(&pci32, buffer, 600, DMA_BIDIRECTIONAL);
    fill(addr, 600, 1);
    dma_sync_single_for_cpu(&pci32, addr, 600, DMA_FROM_DEVICE);
    assert_true(is_filled(buffer, 600, 1));
    fill(buffer, 600, 2);
    dma_sync_single_for_device(&pci32, addr, 600, DMA_TO_DEVICE);
    assert_true(is_filled(addr, 600, 2));
    /* A part from the middle, found without being the mapping's own address. */
    fill(addr + 100, 200, 3);
    dma_sync_single_for_cpu(&pci32, addr + 100, 200, DMA_FROM_DEVICE);
    assert_true(is_filled(buffer + 100, 200, 3));
    assert_int_equal(pci32.counters.findings, 0);

    dma_sync_single_for_cpu(&pci32, addr + 599, 2, DMA_FROM_DEVICE);
    assert_int_equal(pci32.counters.finding[DMA_FINDING_WRONG_SIZE], 1);
    dma_sync_single_for_cpu(&pci32, addr + 600, 1, DMA_FROM_DEVICE);
    assert_int_equal(pci32.counters.finding[DMA_FINDING_UNKNOWN], 1);
    dma_unmap_page(&pci32, addr, 600, DMA_BIDIRECTIONAL);

    addr = map(&pci32, buffer, 600, DMA_FROM_DEVICE);
    dma_sync_single_for_device(&pci32, addr, 600, DMA_TO_DEVICE);
    assert_int_equal(pci32.counters.finding[DMA_FINDING_WRONG_DIRECTION], 1);
    assert_int_equal(pci32.counters.findings, 3);
    dma_unmap_page_attrs(&pci32, addr, 600, DMA_FROM_DEVICE, DMA_ATTR_SKIP_CPU_SYNC);
}

static void test_scatter_gather(void **state)
{
    struct scatterlist sg[8];
    phys_addr_t buffer = GIB64(5) + 0xfe00;
    unsigned count;

    (void)state;
    count = dma_split_sg(&isa, sg, 8, phys_to_page(buffer), 0xe00, 0x20000);
    assert_int_equal(count, 3);
    assert_int_equal(sg[0].length, 0x200);
    assert_int_equal(sg[1].length, 0x10000);
    assert_int_equal(sg[2].length, 0xfe00);
    assert_int_equal(dma_split_sg(&isa, sg, 2, phys_to_page(buffer), 0xe00, 0x20000), 0);
    assert_int_equal(dma_split_sg(&wide, sg, 1, phys_to_page(buffer), 0xe00, 0x20000), 1);

    count = dma_split_sg(&isa, sg, 8, phys_to_page(buffer), 0xe00, 0x20000);
    fill(buffer, 0x20000, 1);
    assert_int_equal(dma_map_sg(&isa, sg, count, DMA_TO_DEVICE), count);
    assert_memory_equal(ram(sg[0].dma_address), ram(buffer), 0x200);
    assert_memory_equal(ram(sg[1].dma_address), ram(buffer + 0x200), 0x10000);
    assert_memory_equal(ram(sg[2].dma_address), ram(buffer + 0x10200), 0xfe00);
    dma_unmap_sg(&isa, sg, count, DMA_TO_DEVICE);

    /* All or nothing. */
    sg[2].length = 0;
    assert_int_equal(dma_map_sg(&isa, sg, count, DMA_TO_DEVICE), 0);
    assert_int_equal(dma_live_mappings(&isa), 0);
}

/* Many mappings at once, in random order, against a device that writes each its own pattern. */
static void test_random(void **state)
{
    enum { NR = 24, STEPS = 4000, PLACE = 32 * 1024 };
    struct {
        bool live;
        phys_addr_t phys;
        dma_addr_t dma;
        uint32_t size;
        enum dma_data_direction dir;
        struct device *dev;
    } m[NR] = {0};
    struct device *devices[] = {&isa, &pci32, &wide};
    struct prng prng;

    (void)state;
    prng_seed(&prng, 42);
    for (unsigned step = 0; step < STEPS + NR; step++) {
        unsigned i = step < STEPS ? prng_below(&prng, NR) : step - STEPS;

        if (m[i].live) {
            uint8_t seed = (uint8_t)(m[i].phys >> 15);

            if (m[i].dir != DMA_FROM_DEVICE)
                assert_true(is_filled(m[i].dma, m[i].size, seed));
            if (m[i].dir != DMA_TO_DEVICE)
                fill(m[i].dma, m[i].size, (uint8_t)(seed + 101));
            dma_unmap_page(m[i].dev, m[i].dma, m[i].size, m[i].dir);
            assert_true(is_filled(m[i].phys, m[i].size,
                                  m[i].dir == DMA_TO_DEVICE ? seed : (uint8_t)(seed + 101)));
            m[i].live = false;
        } else if (step < STEPS) {
            m[i].phys = high_places[prng_below(&prng, 3)] + i * PLACE + prng_below(&prng, 9000);
            m[i].size = 1 + prng_below(&prng, PLACE - 9000);
            m[i].dir = (enum dma_data_direction)prng_below(&prng, 3);
            m[i].dev = devices[prng_below(&prng, 3)];
            fill(m[i].phys, m[i].size, (uint8_t)(m[i].phys >> 15));
            m[i].dma = map(m[i].dev, m[i].phys, m[i].size, m[i].dir);
            m[i].live = !dma_mapping_error(m[i].dev, m[i].dma);
        }
    }
    for (unsigned i = 0; i < ARRAY_SIZE(devices); i++) {
        assert_int_equal(devices[i]->counters.findings, 0);
        assert_int_equal(devices[i]->counters.errors, 0);
        assert_int_equal(devices[i]->counters.direct + devices[i]->counters.bounced,
                         devices[i]->counters.unmaps);
    }
    assert_true(isa.counters.bounced > 100 && pci32.counters.direct > 100);
}

/* Each mutation breaks what it says, here as on the machine. */
static void test_mutations(void **state)
{
    phys_addr_t buffer = GIB64(5);
    dma_addr_t addr;

    (void)state;
    injected = "bounce_skip_copy_to";
    fill(buffer, 64, 1);
    addr = map(&pci32, buffer, 64, DMA_TO_DEVICE);
    assert_false(is_filled(addr, 64, 1));
    dma_unmap_page(&pci32, addr, 64, DMA_TO_DEVICE);

    injected = "bounce_skip_copy_from";
    addr = map(&pci32, buffer, 64, DMA_FROM_DEVICE);
    fill(addr, 64, 99);
    dma_unmap_page(&pci32, addr, 64, DMA_FROM_DEVICE);
    assert_false(is_filled(buffer, 64, 99));

    injected = "bounce_repeat_page";
    fill(buffer, 8192, 1);
    addr = map(&pci32, buffer, 8192, DMA_TO_DEVICE);
    assert_memory_equal(ram(addr + 4096), ram(buffer), 4096);
    dma_unmap_page(&pci32, addr, 8192, DMA_TO_DEVICE);

    injected = "dma_ignore_mask";
    assert_true(dma_reaches(&pci32, GIB64(5), 64));

    injected = "dma_cross_boundary";
    assert_true(dma_reaches(&isa, 0x1ff00, 0x200));

    injected = "dma_leak_mapping";
    addr = map(&wide, buffer, 64, DMA_FROM_DEVICE);
    dma_unmap_page(&wide, addr, 64, DMA_FROM_DEVICE);
    assert_int_equal(dma_check_leaks(&wide), 1);

    injected = "bounce_keep_slots";
    addr = map(&pci32, buffer, 64, DMA_TO_DEVICE);
    dma_unmap_page(&pci32, addr, 64, DMA_TO_DEVICE);
    injected = NULL;
    {
        struct bounce_pool_info info;

        assert_true(bounce_pool_info(1, &info));
        assert_int_equal(info.used_bytes, BOUNCE_SLOT_BYTES);
        bounce_free(addr, 64);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DMA_TEST(test_what_is_reached),  DMA_TEST(test_direct_mapping),
        DMA_TEST(test_bounce_to_device), DMA_TEST(test_bounce_from_device),
        DMA_TEST(test_short_delivery),   DMA_TEST(test_narrow_mask_and_boundary),
        DMA_TEST(test_boundary_in_page), DMA_TEST(test_sync),
        DMA_TEST(test_scatter_gather),   DMA_TEST(test_random),
        DMA_TEST(test_mutations),
    };

    return cmocka_run_group_tests(tests, fake_build, fake_drop);
}
