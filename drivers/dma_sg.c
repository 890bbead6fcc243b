/* SPDX-License-Identifier: BSD-2-Clause */
/* Scattered buffers: one mapping for each entry of a list. */
#include "drivers/bounce.h"
#include "drivers/dma_internal.h"
#include "paging/page_alloc.h"

#define CALLER() __builtin_return_address(0)

unsigned dma_map_sg(struct device *dev, struct scatterlist *sg, unsigned nents,
                    enum dma_data_direction dir)
{
    const void *caller = CALLER();

    for (unsigned i = 0; i < nents; i++) {
        phys_addr_t phys = page_to_phys(sg[i].page) + sg[i].offset;

        sg[i].dma_address = dma_map_one(dev, phys, sg[i].length, dir, 0, caller);
        sg[i].dma_length = sg[i].length;
        if (!dma_mapping_error(dev, sg[i].dma_address))
            continue;
        while (i-- > 0)
            dma_unmap_one(dev, sg[i].dma_address, sg[i].length, dir, 0, caller);
        return 0;
    }
    return nents;
}

void dma_unmap_sg(struct device *dev, struct scatterlist *sg, unsigned nents,
                  enum dma_data_direction dir)
{
    const void *caller = CALLER();

    for (unsigned i = 0; i < nents; i++)
        dma_unmap_one(dev, sg[i].dma_address, sg[i].dma_length, dir, 0, caller);
}

unsigned dma_split_sg(const struct device *dev, struct scatterlist *sg, unsigned max_entries,
                      struct page *page, uint32_t offset, uint32_t size)
{
    phys_addr_t phys = page_to_phys(page) + offset;
    unsigned used = 0;

    while (size > 0) {
        uint32_t bytes = dev->max_segment_bytes ? MIN(size, dev->max_segment_bytes) : size;

        if (used == max_entries)
            return 0;
        if (dma_crosses_boundary(dev, phys_to_dma(phys), bytes))
            bytes = dev->segment_boundary_mask -
                    ((uint32_t)addr_number(phys) & dev->segment_boundary_mask) + 1;
        sg[used].page = page;
        sg[used].offset = offset;
        sg[used].length = bytes;
        used++;
        offset += bytes;
        phys += bytes;
        size -= bytes;
    }
    return used;
}
