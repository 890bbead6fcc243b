/* SPDX-License-Identifier: BSD-2-Clause */
#include "drivers/dma_internal.h"
#include "drivers/dma_track.h"
#include "lib/inject.h"
#include "lib/string.h"
#include "paging/layout.h"
#include "paging/page_alloc.h"

#define CALLER() __builtin_return_address(0)

/* The order of the block that coherent memory of `size` bytes is given, or more than MAX_ORDER. */
static unsigned coherent_order(uint32_t size)
{
    unsigned order = 0;

    while (order <= MAX_ORDER && size > PAGE_SIZE << order)
        order++;
    return order;
}

/*
 * Where a device that does not reach all of the direct map finds memory without taking the scarce
 * first 16 MiB: between them and its mask. NULL if there is no such place, or no block free.
 */
static struct page *block_between(const struct device *dev, unsigned order)
{
    phys_addr_t last = dma_to_phys(dev->dma_mask);
    struct page *page;

    if (last < ZONE_DMA_END || last >= layout.lowmem_end || inject_on_host(coherent_skip_between))
        return NULL;
    page = alloc_pages_in(order, ZONE_DMA_END, last + 1);
    if (page)
        memset(page_address(page), 0, PAGE_SIZE << order);
    return page;
}

/* Enters the block if the device reaches it, or gives it back. Returns its address, or NULL. */
static void *use_block(struct device *dev, struct page *page, unsigned order, uint32_t size,
                       dma_addr_t *handle, const void *caller)
{
    struct dma_mapping m = {
        .dev = dev,
        .phys = page_to_phys(page),
        .dma = phys_to_dma(page_to_phys(page)),
        .size = size,
        .caller = caller,
        .dir = DMA_BIDIRECTIONAL,
        .kind = DMA_KIND_COHERENT,
    };

    if (dma_reaches(dev, m.phys, size) && dma_track_add(&m)) {
        *handle = m.dma;
        return page_address(page);
    }
    __free_pages(page, order);
    return NULL;
}

void *dma_coherent_alloc(struct device *dev, uint32_t size, dma_addr_t *handle, const void *caller)
{
    unsigned order = coherent_order(size);
    struct page *page = size ? alloc_pages(GFP_KERNEL | __GFP_ZERO, order) : NULL;
    void *memory = page ? use_block(dev, page, order, size, handle, caller) : NULL;

    /* Only out of reach: with no memory left, what is kept for others is not taken. */
    if (page && !memory) {
        page = block_between(dev, order);
        memory = page ? use_block(dev, page, order, size, handle, caller) : NULL;
    }
    if (size && !memory) {
        page = alloc_pages(GFP_DMA | __GFP_ZERO, order);
        memory = page ? use_block(dev, page, order, size, handle, caller) : NULL;
    }
    if (!memory)
        dev->counters.errors++;
    return memory;
}

void *dma_alloc_coherent(struct device *dev, uint32_t size, dma_addr_t *handle)
{
    return dma_coherent_alloc(dev, size, handle, CALLER());
}

void dma_free_coherent(struct device *dev, uint32_t size, void *ptr, dma_addr_t handle)
{
    const struct dma_mapping said = {
        .dev = dev,
        .dma = handle,
        .size = size,
        .caller = CALLER(),
        .dir = DMA_BIDIRECTIONAL,
        .kind = DMA_KIND_COHERENT,
    };
    struct dma_mapping m;

    if (!dma_track_take(&said, &m))
        return;
    if (size != m.size || virt_to_phys(ptr) != m.phys)
        dma_report(dev, DMA_FINDING_WRONG_SIZE, "0x%llx freed as %u of %u bytes by %p",
                   addr_number(handle), size, m.size, said.caller);
    __free_pages(phys_to_page(m.phys), coherent_order(m.size));
}

unsigned dma_check_coherent(struct device *dev)
{
    struct dma_mapping m;
    unsigned leaks = 0;

    while (dma_track_take_any(dev, DMA_KIND_COHERENT, &m)) {
        leaks++;
        dma_report(dev, DMA_FINDING_LEAK, "0x%llx+%u coherent, allocated by %p",
                   addr_number(m.phys), m.size, m.caller);
        __free_pages(phys_to_page(m.phys), coherent_order(m.size));
    }
    return leaks;
}
