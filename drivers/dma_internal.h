/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DRIVERS_DMA_INTERNAL_H
#define DRIVERS_DMA_INTERNAL_H

/*
 * Between the files that make up the DMA mapping API: one mapping, made, synced and ended for
 * `caller`, the address in the driver that findings name; and coherent memory. Rules and results
 * are those of dma_map_page_attrs(), dma_unmap_page_attrs() and dma_alloc_coherent() in
 * drivers/dma.h.
 */

#include "drivers/dma.h"

dma_addr_t dma_map_one(struct device *dev, phys_addr_t phys, uint32_t size,
                       enum dma_data_direction dir, unsigned long attrs, const void *caller);
void dma_unmap_one(struct device *dev, dma_addr_t addr, uint32_t size, enum dma_data_direction dir,
                   unsigned long attrs, const void *caller);

void dma_sync_one_for_cpu(struct device *dev, dma_addr_t addr, uint32_t size,
                          enum dma_data_direction dir, const void *caller);
void dma_sync_one_for_device(struct device *dev, dma_addr_t addr, uint32_t size,
                             enum dma_data_direction dir, const void *caller);

void *dma_coherent_alloc(struct device *dev, uint32_t size, dma_addr_t *handle, const void *caller);

#endif
