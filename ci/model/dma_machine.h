/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_MODEL_DMA_MACHINE_H
#define CI_MODEL_DMA_MACHINE_H

/*
 * The machine of the DMA model: RAM in pieces, the allocators that the layer asks for some of it,
 * windows to it, interrupts, and the bus.
 */

#include "ci/model/dma_model.h"
#include "drivers/dma.h"
#include "paging/page_alloc.h"

enum region_kind {
    REGION_BUFFER,   /* of drivers: every byte is modelled */
    REGION_POOL,     /* bounce slots */
    REGION_COHERENT, /* what alloc_pages() gives */
    REGION_RECORDS,  /* what __get_free_pages() gives */
    NR_REGION_KINDS
};

/* Memory from `phys` on, at `bytes` for the model. */
struct region {
    phys_addr_t phys;
    uint32_t size;
    enum region_kind kind;
    uint8_t *bytes;
};

#define NR_REGIONS 12u

struct machine {
    struct region region[NR_REGIONS];
    uint32_t findings;
    char finding[128];        /* the last one */
    unsigned anonymous;       /* that do not name an address of the caller's */
    const char *broken;       /* the mutation that is switched on, or NULL */
    unsigned windows;         /* open now */
    unsigned pages_out;       /* that the layer has of the allocators */
    unsigned coherent_out;    /* blocks of alloc_pages(), now */
    uint32_t coherent_allocs; /* and ever */
};
extern struct machine machine;

/* All as after a reset, and the layer ready: as dma_init() leaves it. */
void machine_start(const char *broken);

/* Where the model keeps [phys, phys + size); NULL if that is no RAM of one piece. */
uint8_t *machine_ram(phys_addr_t phys, uint32_t size);
const struct region *machine_region(phys_addr_t phys, uint32_t size);

/*
 * Where `size` bytes at `addr` are that the device has put on the bus, or NULL, with *why, if it
 * can't.
 */
uint8_t *machine_bus(const struct device *dev, dma_addr_t addr, uint32_t size, const char **why);

/* Depth of the layer's irq_save(). */
extern unsigned model_irqs_off;

#endif
