/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/errno.h"
#include "lib/string.h"
#include "paging/page_alloc.h"
#include "payload/tests/dma_misuse.h"

/* Has the limits of the one under test. */
static struct device limited;

/* What the API decides on, against arithmetic of our own: the last byte, not the one behind it. */
static void check_one_reach(struct test *t, uint64_t first, uint32_t size)
{
    uint64_t last = first + size - 1;
    uint64_t block = (uint64_t)limited.segment_boundary_mask + 1;
    bool wanted = last <= addr_number(limited.dma_mask) &&
                  (limited.segment_boundary_mask == 0 || first / block == last / block);
    bool found = dma_reaches(&limited, phys_make(first), size);

    TEST_CHECK(t, found == wanted, "0x%llx+%u is %s for mask 0x%llx, boundary 0x%x",
               (unsigned long long)first, size, found ? "in reach" : "out of reach",
               addr_number(limited.dma_mask), limited.segment_boundary_mask);
}

static void check_reach(struct test *t)
{
    uint64_t edges[] = {
        addr_number(limited.dma_mask) + 1,
        (uint64_t)limited.segment_boundary_mask + 1,
        2 * ((uint64_t)limited.segment_boundary_mask + 1),
    };

    for (unsigned i = 0; i < ARRAY_SIZE(edges); i++) {
        for (uint32_t size = 1; size <= 2 * PAGE_SIZE; size *= 2) {
            if (edges[i] <= (uint64_t)2 * size)
                continue;
            check_one_reach(t, edges[i] - size - 1, size);
            check_one_reach(t, edges[i] - size, size);
            check_one_reach(t, edges[i] - size + 1, size);
            check_one_reach(t, edges[i], size);
        }
    }
}

/* The pages on both sides of the mask, if there is memory that is free. */
static void check_pages_at_mask(struct test *t)
{
    for (unsigned above = 0; above < 2; above++) {
        phys_addr_t phys = dma_to_phys(limited.dma_mask) + 1 - PAGE_SIZE + (above ? PAGE_SIZE : 0);
        struct page *page = alloc_pages_in(0, phys, phys + PAGE_SIZE);
        struct dma_counters was = limited.counters;

        if (!page)
            continue;
        /* Twice, because the first mapping of a device takes a longer way than those after it. */
        for (unsigned i = 0; i < 2; i++) {
            dma_addr_t addr = dma_map_page(&limited, page, 0, PAGE_SIZE, DMA_TO_DEVICE);

            if (!dma_mapping_error(&limited, addr))
                dma_unmap_page(&limited, addr, PAGE_SIZE, DMA_TO_DEVICE);
        }
        TEST_CHECK(t,
                   limited.counters.direct - was.direct == (above ? 0 : 2) &&
                       limited.counters.bounced - was.bounced == (above ? 2 : 0),
                   "page 0x%llx at mask 0x%llx: %u times direct, %u bounced", addr_number(phys),
                   addr_number(limited.dma_mask), limited.counters.direct - was.direct,
                   limited.counters.bounced - was.bounced);
        __free_page(page);
    }
}

static void check_changes(struct test *t, const struct device *like, struct page *page)
{
    dma_addr_t addr = dma_map_page(&limited, page, 0, 1, DMA_TO_DEVICE);

    TEST_CHECK(t, dma_set_mask(&limited, DMA_BIT_MASK(64)) == -EBUSY,
               "a mask changed while in use");
    TEST_CHECK(t, dma_set_max_seg_size(&limited, PAGE_SIZE) == -EBUSY, "a size changed in use");
    TEST_CHECK(t, dma_set_seg_boundary(&limited, PAGE_MASK) == -EBUSY, "a boundary changed in use");
    dma_unmap_page(&limited, addr, 1, DMA_TO_DEVICE);
    TEST_CHECK(t, dma_set_mask(&limited, dma_make(12345)) == -EINVAL, "12345 is no mask");
    TEST_CHECK(t, dma_set_mask(&limited, DMA_BIT_MASK(20)) == -EIO, "20 bits are enough");
    TEST_CHECK(t, limited.dma_mask == like->dma_mask, "a mask changed by what was refused");

    TEST_CHECK(t, dma_set_mask(&limited, DMA_BIT_MASK(64)) == 0, "64 bits are not taken");
    addr = dma_map_page(&limited, page, 0, PAGE_SIZE, DMA_TO_DEVICE);
    TEST_CHECK(t, addr == phys_to_dma(page_to_phys(page)), "64 bits do not reach 0x%llx",
               addr_number(page_to_phys(page)));
    dma_unmap_page(&limited, addr, PAGE_SIZE, DMA_TO_DEVICE);
    TEST_CHECK(t, dma_set_mask(&limited, like->dma_mask) == 0, "the old mask is not taken");
}

/* Limits are what a mapping that was quick before is held to from now on. */
static void check_narrower(struct test *t, const struct device *like, struct page *page)
{
    const uint32_t narrow = 512, block = narrow - 1;
    uint32_t findings;
    dma_addr_t addr;

    TEST_CHECK(t, dma_set_seg_boundary(&limited, block) == 0, "a boundary of 512 is not taken");
    addr = dma_map_page(&limited, page, narrow / 2, narrow, DMA_TO_DEVICE);
    if (TEST_CHECK(t, !dma_mapping_error(&limited, addr), "512 bytes fit no block of as many")) {
        TEST_CHECK(t, (addr_number(addr) & block) == 0, "0x%llx+512 crosses a boundary of 512",
                   addr_number(addr));
        dma_unmap_page(&limited, addr, narrow, DMA_TO_DEVICE);
    }
    TEST_CHECK(t, dma_set_seg_boundary(&limited, like->segment_boundary_mask) == 0,
               "the old boundary is not taken");
    addr = dma_map_page(&limited, page, 0, narrow + 1, DMA_TO_DEVICE);
    dma_unmap_page(&limited, addr, narrow + 1, DMA_TO_DEVICE);

    TEST_CHECK(t, dma_set_max_seg_size(&limited, narrow) == 0, "a size of 512 is not taken");
    TEST_CHECK(t, dma_max_mapping_size(&limited) == narrow, "mappings may have %u bytes, not 512",
               dma_max_mapping_size(&limited));
    findings = limited.counters.findings;
    test_findings_begin(t);
    addr = dma_map_page(&limited, page, 0, narrow + 1, DMA_TO_DEVICE);
    test_findings_end(t, 1, "513 bytes in a segment of 512");
    TEST_CHECK(t, dma_mapping_error(&limited, addr), "513 bytes are mapped in a segment of 512");
    if (!dma_mapping_error(&limited, addr))
        dma_unmap_page(&limited, addr, narrow + 1, DMA_TO_DEVICE);
    limited.counters.findings = findings;
    TEST_CHECK(t, dma_set_max_seg_size(&limited, like->max_segment_bytes) == 0,
               "the old size is not taken");
}

/* The largest mapping that the device can have, wherever its buffer lies, can be made. */
static void check_largest(struct test *t, const struct dma_arena *arenas)
{
    uint32_t bytes = MIN(dma_max_mapping_size(&limited), DMA_ARENA_BYTES - 1);

    TEST_CHECK(t, bytes > PAGE_SIZE, "no more than %u bytes can be mapped", bytes);
    for (unsigned i = 0; i < DMA_NR_ARENAS; i++) {
        dma_addr_t addr;

        if (!arenas[i].page)
            continue;
        addr = dma_map_page(&limited, arenas[i].page, 1, bytes, DMA_TO_DEVICE);
        if (TEST_CHECK(t, !dma_mapping_error(&limited, addr), "%s: %u bytes can't be mapped",
                       dma_arena_name(&arenas[i]), bytes))
            dma_unmap_page(&limited, addr, bytes, DMA_TO_DEVICE);
    }
}

void dma_check_limits(struct test *t, const struct device *like, const struct dma_arena *arenas)
{
    limited = dma_device_like("limited", like);
    limited.check_ownership = false;
    check_reach(t);
    check_pages_at_mask(t);
    check_largest(t, arenas);
    for (unsigned i = 0; i < DMA_NR_ARENAS; i++) {
        if (!arenas[i].page)
            continue;
        check_changes(t, like, arenas[i].page);
        check_narrower(t, like, arenas[i].page);
    }
    TEST_CHECK(t, limited.counters.findings == 0, "%u findings with nothing broken",
               limited.counters.findings);
}
