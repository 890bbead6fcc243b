/* SPDX-License-Identifier: BSD-2-Clause */
#include "drivers/dma_track.h"
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

void *dma_alloc_coherent(struct device *dev, uint32_t size, dma_addr_t *handle)
{
    static const gfp_t zones[] = {GFP_KERNEL, GFP_DMA};
    unsigned order = coherent_order(size);

    for (unsigned i = 0; size > 0 && i < ARRAY_SIZE(zones); i++) {
        struct page *page = alloc_pages(zones[i] | __GFP_ZERO, order);
        struct dma_mapping m = {
            .dev = dev,
            .size = size,
            .caller = CALLER(),
            .dir = DMA_BIDIRECTIONAL,
            .kind = DMA_KIND_COHERENT,
        };

        if (!page)
            continue;
        m.phys = page_to_phys(page);
        m.dma = phys_to_dma(m.phys);
        if (dma_reaches(dev, m.phys, size) && dma_track_add(&m)) {
            *handle = m.dma;
            return page_address(page);
        }
        __free_pages(page, order);
    }
    dev->counters.errors++;
    return NULL;
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
