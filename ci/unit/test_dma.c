/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The DMA mapping API on the host: a machine with RAM in four places, and a device that is a few
 * lines of the test. Everything that the API needs from below is a fake linked in here.
 */
#include "ci/unit/unit.h"
#include "drivers/dma.h"
#include "drivers/bounce.h"
#include "drivers/bounce_copy.h"
#include "drivers/dma_track.h"
#include "lib/errno.h"
#include "lib/finding.h"
#include "lib/inject.h"
#include "lib/x86/percpu.h"
#include "paging/kmap_local.h"
#include "paging/page_alloc.h"
#include "paging/wait.h"

/* The fake machine */

#define LOW_BYTES MIB(26) /* from 0: what the direct map holds */
#define POOLS_END MIB(24) /* what the pools may have of it */
#define HIGH_BYTES MIB(1) /* of each place above that */

static const phys_addr_t high_places[] = {GIB64(3), GIB64(4) - MIB(1) / 2, GIB64(5)};

static uint8_t *low;
static uint8_t *high[ARRAY_SIZE(high_places)];
static unsigned windows;
static unsigned coherent_blocks;
static phys_addr_t next_block = MIB64(2);
static char last_finding[128];
static void (*while_allocating)(void); /* what another thread does then; once */

struct page *mem_map;
pfn_t max_pfn;
pfn_t max_low_pfn;
struct page *highmem_map;
struct layout layout;

static uint8_t *ram(phys_addr_t phys)
{
    if (phys < LOW_BYTES)
        return low + phys;
    for (unsigned i = 0; i < ARRAY_SIZE(high_places); i++) {
        if (phys >= high_places[i] && phys < high_places[i] + HIGH_BYTES)
            return high[i] + (phys - high_places[i]);
    }
    fail_msg("no RAM at 0x%llx", (unsigned long long)phys);
    return NULL;
}

void *kmap_local_page(struct page *page)
{
    windows++;
    return ram(page_to_phys(page));
}

void kunmap_local(const void *addr)
{
    (void)addr;
    windows--;
}

void *page_address(const struct page *page)
{
    return PageHighMem(page) ? NULL : ram(page_to_phys(page));
}

struct cpu *this_cpu(void)
{
    static struct cpu cpu;

    return &cpu;
}

/* Areas of the pools: from 8 MiB and 16 MiB on, one after the other, as far as there is RAM. */
static phys_addr_t only_block; /* what there is to choose from, if not 0 */

struct page *alloc_pages_in(unsigned order, phys_addr_t min, phys_addr_t max)
{
    static phys_addr_t next[] = {MIB64(8), MIB64(16)};
    phys_addr_t *block = &next[min >= MIB64(16)];
    phys_addr_t start = ALIGN_UP(*block, (phys_addr_t)PAGE_SIZE << order);
    void (*other)(void) = while_allocating;

    if (only_block)
        return only_block >= min && only_block + (PAGE_SIZE << order) <= max
                   ? phys_to_page(only_block)
                   : NULL;
    while_allocating = NULL;
    if (other) {
        other();
        return alloc_pages_in(order, min, max);
    }
    if (start + ((phys_addr_t)PAGE_SIZE << order) > MIN(max, POOLS_END))
        return NULL;
    *block = start + ((phys_addr_t)PAGE_SIZE << order);
    return phys_to_page(start);
}

/* Keys of slots. */
static unsigned key_pages;

void *__get_free_pages(gfp_t gfp, unsigned order)
{
    static _Alignas(PAGE_SIZE) uint8_t keys[64][PAGE_SIZE];
    void *block = keys[key_pages];

    (void)gfp;
    key_pages += 1u << order;
    assert_true(key_pages <= ARRAY_SIZE(keys));
    return block;
}

void free_pages(const void *addr, unsigned order)
{
    (void)addr;
    key_pages -= 1u << order;
}

static phys_addr_t kernel_block; /* what GFP_KERNEL gives, if not the same as GFP_DMA */

struct page *alloc_pages(gfp_t gfp, unsigned order)
{
    phys_addr_t block = ALIGN_UP(next_block, (phys_addr_t)PAGE_SIZE << order);

    if (order > MAX_ORDER)
        return NULL;
    if (kernel_block && (gfp & __GFP_ZONE_MASK) != GFP_DMA)
        return phys_to_page(kernel_block);
    next_block = block + ((phys_addr_t)PAGE_SIZE << order);
    coherent_blocks++;
    memset(ram(block), 0, (size_t)PAGE_SIZE << order);
    return phys_to_page(block);
}

static unsigned area_blocks_freed;

void __free_pages(struct page *page, unsigned order)
{
    (void)order;
    /* Blocks of the pools' are given back only while that is looked for. */
    if (page_to_phys(page) >= MIB64(8))
        area_blocks_freed++;
    else
        coherent_blocks--;
}

static void note_finding(const char *text)
{
    snprintf(last_finding, sizeof(last_finding), "%s", text);
    assert_true(strlen(text) < 112);
}

/* Devices and helpers */

static struct device isa, pci32, wide;

static int set_up(void **state)
{
    (void)state;
    injected = NULL;
    last_finding[0] = '\0';
    isa = (struct device){.name = "isa",
                          .dma_mask = DMA_BIT_MASK(24),
                          .max_segment_bytes = KIB(64),
                          .segment_boundary_mask = DMA_BOUNDARY_64K};
    pci32 = (struct device){
        .name = "pci32", .dma_mask = DMA_BIT_MASK(32), .segment_boundary_mask = DMA_BOUNDARY_4G};
    wide = (struct device){.name = "wide", .dma_mask = DMA_BIT_MASK(64)};
    return 0;
}

/* Nothing may be left over from a test. */
static int tear_down(void **state)
{
    struct bounce_pool_info info;

    (void)state;
    assert_int_equal(dma_live_mappings(NULL), 0);
    for (unsigned i = 0; bounce_pool_info(i, &info); i++)
        assert_int_equal(info.used_bytes, 0);
    assert_int_equal(windows, 0);
    assert_int_equal(coherent_blocks, 0);
    return 0;
}

static int build_machine(void **state)
{
    (void)state;
    low = aligned_alloc(PAGE_SIZE, LOW_BYTES);
    for (unsigned i = 0; i < ARRAY_SIZE(high); i++)
        high[i] = aligned_alloc(PAGE_SIZE, HIGH_BYTES);
    max_pfn = phys_to_pfn(GIB64(6));
    max_low_pfn = LOW_BYTES >> PAGE_SHIFT;
    mem_map = calloc(max_pfn, sizeof(*mem_map));
    highmem_map = mem_map + max_low_pfn;
    layout.direct_offset = (virt_t)low;
    finding_set_hook(note_finding);
    return dma_init();
}

static int drop_machine(void **state)
{
    (void)state;
    free(low);
    for (unsigned i = 0; i < ARRAY_SIZE(high); i++)
        free(high[i]);
    free(mem_map);
    return 0;
}

static dma_addr_t map(struct device *dev, phys_addr_t phys, uint32_t size,
                      enum dma_data_direction dir)
{
    return dma_map_page(dev, phys_to_page(phys), (uint32_t)phys % PAGE_SIZE, size, dir);
}

static void fill(phys_addr_t phys, uint32_t size, uint8_t seed)
{
    for (uint32_t i = 0; i < size; i++)
        *ram(phys + i) = (uint8_t)(seed + i * 7 + (i >> 8));
}

static bool is_filled(phys_addr_t phys, uint32_t size, uint8_t seed)
{
    for (uint32_t i = 0; i < size; i++) {
        if (*ram(phys + i) != (uint8_t)(seed + i * 7 + (i >> 8)))
            return false;
    }
    return true;
}

static void expect_findings(const struct device *dev, enum dma_finding kind, uint32_t count)
{
    assert_int_equal(dev->counters.finding[kind], count);
    assert_int_equal(dev->counters.findings, count);
}

/* Tests */

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

    addr = dma_map_single(&wide, low + MIB(1) + 5, 100, DMA_TO_DEVICE);
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
        assert_non_null(strstr(last_finding, "unwritten"));
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
    assert_non_null(strstr(last_finding, "pci32: unknown address: 0x123000"));

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
    assert_non_null(strstr(last_finding, "double unmap"));
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

/* What is said to be possible is, with empty pools, however far they have grown. */
static void test_largest_mapping(void **state)
{
    dma_addr_t addr;
    uint32_t most;

    (void)state;
    isa.max_segment_bytes = isa.segment_boundary_mask = 0;
    most = dma_max_mapping_size(&isa);
    assert_in_range(most, KIB(128), HIGH_BYTES - 1);
    addr = map(&isa, GIB64(3), most, DMA_TO_DEVICE);
    assert_false(dma_mapping_error(&isa, addr));
    dma_unmap_page(&isa, addr, most, DMA_TO_DEVICE);
}

static struct {
    dma_addr_t addr[1024];
    uint32_t size[1024];
    unsigned count;
} held;

static bool hold(struct device *dev, uint32_t size, unsigned long attrs)
{
    dma_addr_t addr =
        dma_map_page_attrs(dev, phys_to_page(GIB64(5)), 0, size, DMA_TO_DEVICE, attrs);

    if (dma_mapping_error(dev, addr))
        return false;
    assert_true(held.count < ARRAY_SIZE(held.addr));
    held.addr[held.count] = addr;
    held.size[held.count++] = size;
    return true;
}

static void let_go(struct device *dev)
{
    held.count--;
    dma_unmap_page(dev, held.addr[held.count], held.size[held.count], DMA_TO_DEVICE);
}

static void hold_one_too(void)
{
    assert_true(hold(&isa, KIB(64), 0));
}

/* Two threads find the low pool full, and there is place for one more area. */
static void test_pool_grows_for_two(void **state)
{
    struct bounce_pool_info info;

    (void)state;
    do {
        assert_true(hold(&isa, KIB(64), 0));
        assert_true(bounce_pool_info(0, &info));
    } while (info.size_bytes + KIB(256) < info.limit_bytes || info.used_bytes < info.size_bytes);
    assert_int_equal(info.size_bytes + KIB(256), info.limit_bytes);
    while_allocating = hold_one_too;
    assert_true(hold(&isa, KIB(64), 0));
    assert_null(while_allocating);
    assert_true(bounce_pool_info(0, &info));
    assert_int_equal(info.size_bytes, info.limit_bytes);
    assert_int_equal(area_blocks_freed, 1);
    while (held.count > 0)
        let_go(&isa);
}

static void test_full_pool(void **state)
{
    dma_addr_t addr[64];
    unsigned count = 0;

    (void)state;
    while (count < ARRAY_SIZE(addr)) {
        addr[count] = map(&isa, GIB64(3), KIB(64), DMA_TO_DEVICE);
        if (dma_mapping_error(&isa, addr[count]))
            break;
        count++;
    }
    assert_in_range(count, 2, ARRAY_SIZE(addr) - 1);
    assert_int_equal(isa.counters.errors, 1);
    assert_int_equal(isa.counters.findings, 0);
    dma_unmap_page(&isa, addr[1], KIB(64), DMA_TO_DEVICE);
    assert_true(map(&isa, GIB64(3), KIB(64), DMA_TO_DEVICE) == addr[1]);
    while (count-- > 0)
        dma_unmap_page(&isa, addr[count], KIB(64), DMA_TO_DEVICE);
}

/* Threads that sleep for slots: each is a call of this within the one before. */
static unsigned asleep, wakes;
static jmp_buf fault;

static bool sleep_until_freed(struct wait_queue *queue)
{
    struct list_head link;

    list_add_tail(&link, &queue->sleepers);
    switch (asleep++) {
    case 0: /* the first one: another comes, which will find what it wants */
        assert_true(hold(&pci32, KIB(4), DMA_ATTR_MAY_SLEEP));
        return true;
    case 1:
        let_go(&pci32);
        assert_int_equal(wakes, 2);
        return true;
    case 2: /* the first one again */
        list_del(&link);
        longjmp(fault, 1);
    }
    return false;
}

static void wake_sleeper(struct wait_queue *queue)
{
    list_del(queue->sleepers.next);
    wakes++;
}

static void test_sleepers(void **state)
{
    static const struct wait_ops ops = {.sleep = sleep_until_freed, .wake = wake_sleeper};

    (void)state;
    asleep = wakes = 0;
    /* One slot first, so that no large one can be the last. */
    assert_true(hold(&pci32, KIB(4), 0));
    for (uint32_t size = KIB(64); size >= KIB(4); size /= 4) {
        while (hold(&pci32, size, 0))
            ;
    }
    wait_set_ops(&ops);
    if (!setjmp(fault)) {
        hold(&pci32, KIB(8), DMA_ATTR_MAY_SLEEP);
        fail_msg("nobody slept");
    }
    wait_set_ops(NULL);
    assert_int_equal(pci32.quick_pool->waiting, 1);
    while (held.count > 0)
        let_go(&pci32);
    assert_int_equal(dma_check_leaks(NULL), 0);
    assert_int_equal(pci32.quick_pool->waiting, 0);
}

static void test_mask_below_all_pools(void **state)
{
    (void)state;
    isa.dma_mask = DMA_BIT_MASK(20);
    assert_true(dma_mapping_error(&isa, map(&isa, GIB64(3), 64, DMA_TO_DEVICE)));
    assert_int_equal(isa.counters.errors, 1);
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
    unsigned freed = area_blocks_freed;
    dma_addr_t handle = 0;
    uint8_t *p;

    (void)state;
    layout.lowmem_end = LOW_BYTES;
    kernel_block = MIB64(25);
    only_block = MIB64(24);
    memset(low + only_block, 0xff, 4 * PAGE_SIZE);
    p = dma_alloc_coherent(&narrow, 3 * PAGE_SIZE, &handle);
    assert_non_null(p);
    assert_int_equal(handle, only_block);
    assert_ptr_equal(p, ram(handle));
    for (uint32_t i = 0; i < 4 * PAGE_SIZE; i++)
        assert_int_equal(p[i], 0);
    dma_free_coherent(&narrow, 3 * PAGE_SIZE, p, handle);
    assert_int_equal(area_blocks_freed, freed + 2);

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
    kernel_block = only_block = 0;
    layout.lowmem_end = 0;
    area_blocks_freed = freed;
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
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_what_is_reached),
        TEST(test_direct_mapping),
        TEST(test_bounce_to_device),
        TEST(test_bounce_from_device),
        TEST(test_short_delivery),
        TEST(test_narrow_mask_and_boundary),
        TEST(test_bad_arguments),
        TEST(test_unmap_of_nothing),
        TEST(test_double_unmap),
        TEST(test_wrong_size_and_direction),
        TEST(test_leak),
        TEST(test_overlap),
        TEST(test_same_start),
        TEST(test_boundary_in_page),
        TEST(test_sync),
        TEST(test_cpu_keeps_what_it_owns),
        TEST(test_forgotten_sync),
        TEST(test_overrun),
        TEST(test_full_table),
        TEST(test_largest_mapping),
        TEST(test_pool_grows_for_two),
        TEST(test_full_pool),
        TEST(test_largest_mapping),
        TEST(test_sleepers),
        TEST(test_mask_below_all_pools),
        TEST(test_scatter_gather),
        TEST(test_coherent),
        TEST(test_coherent_between),
        TEST(test_coherent_lost),
        TEST(test_random),
        TEST(test_mutations),
    };

    return cmocka_run_group_tests(tests, build_machine, drop_machine);
}
