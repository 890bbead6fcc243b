/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAYLOAD_TESTS_DMA_MODEL_H
#define PAYLOAD_TESTS_DMA_MODEL_H

/*
 * DMA clients made of software: their "bus master" is the processor, which copies between a block
 * of memory and whatever the DMA address names, page by page. They go through the mapping API like
 * any driver, so that it is tested on a machine without a single DMA device, and with masks that no
 * device at hand has.
 */

#include "drivers/transfer.h"

/*
 * model24: 24 bits, 64 KiB boundary, as an ISA device; model28, as QEMU's edu; model32, as most PCI
 * devices; model36: reaches all that a PAE processor of that age does.
 */
#define DMA_NR_MODELS 4u

/* The model `index`, or NULL if there is no memory for it. Context: thread. */
struct dma_client *dma_model_open(unsigned index);

/* Gives its memory back. */
void dma_model_close(struct dma_client *client);

const char *dma_model_name(unsigned index);

#endif
