/* SPDX-License-Identifier: BSD-2-Clause */
#include "ci/unit/stub_dma.h"

#include "drivers/bounce.h"
#include "drivers/dma_track.h"
#include "lib/finding.h"
#include "lib/x86/percpu.h"
#include "paging/kmap_local.h"
#include "paging/page_alloc.h"

#define POOLS_END MIB(24) /* what the pools may have of it */

const phys_addr_t high_places[NR_HIGH_PLACES] = {GIB64(3), GIB64(4) - MIB(1) / 2, GIB64(5)};

static uint8_t *high[ARRAY_SIZE(high_places)];

struct fake_dma fake = {.next_block = MIB64(2)};
struct page *mem_map;
pfn_t max_pfn;
pfn_t max_low_pfn;
struct page *highmem_map;
struct layout layout;

uint8_t *ram(phys_addr_t phys)
{
    if (phys < LOW_BYTES)
        return fake.low + phys;
    for (unsigned i = 0; i < ARRAY_SIZE(high_places); i++) {
        if (phys >= high_places[i] && phys < high_places[i] + HIGH_BYTES)
            return high[i] + (phys - high_places[i]);
    }
    fail_msg("no RAM at 0x%llx", (unsigned long long)phys);
    return NULL;
}

void *kmap_local_page(struct page *page)
{
    fake.windows++;
    return ram(page_to_phys(page));
}

void kunmap_local(const void *addr)
{
    (void)addr;
    fake.windows--;
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
struct page *alloc_pages_in(unsigned order, phys_addr_t min, phys_addr_t max)
{
    static phys_addr_t next[] = {MIB64(8), MIB64(16)};
    phys_addr_t *block = &next[min >= MIB64(16)];
    phys_addr_t start = ALIGN_UP(*block, (phys_addr_t)PAGE_SIZE << order);
    void (*other)(void) = fake.while_allocating;

    if (fake.only_block)
        return fake.only_block >= min && fake.only_block + (PAGE_SIZE << order) <= max
                   ? phys_to_page(fake.only_block)
                   : NULL;
    fake.while_allocating = NULL;
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
void *__get_free_pages(gfp_t gfp, unsigned order)
{
    static _Alignas(PAGE_SIZE) uint8_t keys[64][PAGE_SIZE];
    void *block = keys[fake.key_pages];

    (void)gfp;
    fake.key_pages += 1u << order;
    assert_true(fake.key_pages <= ARRAY_SIZE(keys));
    return block;
}

void free_pages(const void *addr, unsigned order)
{
    (void)addr;
    fake.key_pages -= 1u << order;
}

struct page *alloc_pages(gfp_t gfp, unsigned order)
{
    phys_addr_t block = ALIGN_UP(fake.next_block, (phys_addr_t)PAGE_SIZE << order);

    if (order > MAX_ORDER)
        return NULL;
    if (fake.kernel_block && (gfp & __GFP_ZONE_MASK) != GFP_DMA)
        return phys_to_page(fake.kernel_block);
    fake.next_block = block + ((phys_addr_t)PAGE_SIZE << order);
    fake.coherent_blocks++;
    memset(ram(block), 0, (size_t)PAGE_SIZE << order);
    return phys_to_page(block);
}

void __free_pages(struct page *page, unsigned order)
{
    (void)order;
    /* Blocks of the pools' are given back only while that is looked for. */
    if (page_to_phys(page) >= MIB64(8))
        fake.area_blocks_freed++;
    else
        fake.coherent_blocks--;
}

static void note_finding(const char *text)
{
    snprintf(fake.last_finding, sizeof(fake.last_finding), "%s", text);
    assert_true(strlen(text) < 112);
}

/* Devices and helpers */

struct device isa, pci32, wide;

int fake_set_up(void **state)
{
    (void)state;
    injected = NULL;
    fake.last_finding[0] = '\0';
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
int fake_tear_down(void **state)
{
    struct bounce_pool_info info;

    (void)state;
    assert_int_equal(dma_live_mappings(NULL), 0);
    for (unsigned i = 0; bounce_pool_info(i, &info); i++)
        assert_int_equal(info.used_bytes, 0);
    assert_int_equal(fake.windows, 0);
    assert_int_equal(fake.coherent_blocks, 0);
    /* Pages that no entry touches any more can be mapped quickly again. */
    for (unsigned i = 0; i < DMA_NR_BUCKETS; i++)
        assert_false(atomic64_low(&dma_bucket_key[i]) & DMA_PIECE_OTHERS);
    return 0;
}

int fake_build(void **state)
{
    (void)state;
    fake.low = aligned_alloc(PAGE_SIZE, LOW_BYTES);
    for (unsigned i = 0; i < ARRAY_SIZE(high); i++)
        high[i] = aligned_alloc(PAGE_SIZE, HIGH_BYTES);
    max_pfn = phys_to_pfn(GIB64(6));
    max_low_pfn = LOW_BYTES >> PAGE_SHIFT;
    mem_map = calloc(max_pfn, sizeof(*mem_map));
    highmem_map = mem_map + max_low_pfn;
    layout.direct_offset = (virt_t)fake.low;
    finding_set_hook(note_finding);
    return dma_init();
}

int fake_drop(void **state)
{
    (void)state;
    free(fake.low);
    for (unsigned i = 0; i < ARRAY_SIZE(high); i++)
        free(high[i]);
    free(mem_map);
    return 0;
}

dma_addr_t map(struct device *dev, phys_addr_t phys, uint32_t size, enum dma_data_direction dir)
{
    return dma_map_page(dev, phys_to_page(phys), (uint32_t)phys % PAGE_SIZE, size, dir);
}

void fill(phys_addr_t phys, uint32_t size, uint8_t seed)
{
    for (uint32_t i = 0; i < size; i++)
        *ram(phys + i) = (uint8_t)(seed + i * 7 + (i >> 8));
}

bool is_filled(phys_addr_t phys, uint32_t size, uint8_t seed)
{
    for (uint32_t i = 0; i < size; i++) {
        if (*ram(phys + i) != (uint8_t)(seed + i * 7 + (i >> 8)))
            return false;
    }
    return true;
}

void expect_findings(const struct device *dev, enum dma_finding kind, uint32_t count)
{
    assert_int_equal(dev->counters.finding[kind], count);
    assert_int_equal(dev->counters.findings, count);
}
