/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAYLOAD_TESTS_DMA_MISUSE_H
#define PAYLOAD_TESTS_DMA_MISUSE_H

/*
 * The rules of the mapping API, for a device that exists only as its limits: no transfer is made,
 * what a device would do is done by the processor at the DMA address.
 */

#include "drivers/dma.h"
#include "payload/suite.h"
#include "payload/tests/dma_arena.h"

/* Breaks each rule on purpose: each must be noticed once, as what it is. */
void dma_check_misuse(struct test *t, const struct device *like, const struct dma_arena *arenas);

/*
 * Many mappings at once, made, synced and ended in random order: all under the mask, within the
 * boundary, apart from each other, and with the right contents on both sides.
 */
void dma_check_many(struct test *t, const struct device *like, const struct dma_arena *arenas);

#endif
