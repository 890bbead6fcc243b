/* SPDX-License-Identifier: BSD-2-Clause */
#include "ci/model/dma_calls.h"

dma_addr_t call_map_page(struct device *dev, struct page *page, uint32_t offset, uint32_t size,
                         enum dma_data_direction dir)
{
    return dma_map_page(dev, page, offset, size, dir);
}

dma_addr_t call_map_single(struct device *dev, const void *ptr, uint32_t size,
                           enum dma_data_direction dir)
{
    return dma_map_single(dev, ptr, size, dir);
}

void call_unmap_page(struct device *dev, dma_addr_t addr, uint32_t size,
                     enum dma_data_direction dir)
{
    dma_unmap_page(dev, addr, size, dir);
}

void call_unmap_single(struct device *dev, dma_addr_t addr, uint32_t size,
                       enum dma_data_direction dir)
{
    dma_unmap_single(dev, addr, size, dir);
}
