/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_MODEL_DMA_CALLS_H
#define CI_MODEL_DMA_CALLS_H

/*
 * The inline functions of the DMA layer, in a unit that is compiled like the rest of it: with a
 * call before each access to memory.
 */

#include "drivers/dma.h"

dma_addr_t call_map_page(struct device *dev, struct page *page, uint32_t offset, uint32_t size,
                         enum dma_data_direction dir);
dma_addr_t call_map_single(struct device *dev, const void *ptr, uint32_t size,
                           enum dma_data_direction dir);
void call_unmap_page(struct device *dev, dma_addr_t addr, uint32_t size,
                     enum dma_data_direction dir);
void call_unmap_single(struct device *dev, dma_addr_t addr, uint32_t size,
                       enum dma_data_direction dir);

#endif
