/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_UNIT_STUB_DMA_H
#define CI_UNIT_STUB_DMA_H

/*
 * What the DMA mapping API is tested on: a machine with RAM in four places, and devices that are a
 * few lines of a test. Everything that the API needs from below is here.
 */

#include "ci/unit/unit.h"
#include "drivers/dma.h"
#include "paging/page_alloc.h"

#define LOW_BYTES MIB(26) /* from 0: what the direct map holds */
#define HIGH_BYTES MIB(1) /* of each place above that */
#define NR_HIGH_PLACES 3

extern const phys_addr_t high_places[NR_HIGH_PLACES]; /* one of them around 4 GiB */

struct fake_dma {
    uint8_t *low;                   /* what stands at 0 */
    unsigned windows;               /* open ones */
    unsigned coherent_blocks;       /* given out */
    unsigned area_blocks_freed;     /* from 8 MiB on, which only what looks for it frees */
    unsigned key_pages;             /* of the slots' keys */
    phys_addr_t next_block;         /* the next one given out */
    phys_addr_t only_block;         /* what there is to choose from, if not 0 */
    phys_addr_t kernel_block;       /* what GFP_KERNEL gives, if not the same as GFP_DMA */
    void (*while_allocating)(void); /* what another thread does then; once */
    char last_finding[128];
};
extern struct fake_dma fake;

/* An ISA device with the limits of the 8237A, and PCI devices of 32 and of 64 bits. */
extern struct device isa, pci32, wide;

/* For cmocka: the machine, and before and after each test; nothing may be left over from one. */
int fake_build(void **state);
int fake_drop(void **state);
int fake_set_up(void **state);
int fake_tear_down(void **state);
#define DMA_TEST(name) cmocka_unit_test_setup_teardown(name, fake_set_up, fake_tear_down)

/* Fails where there is no RAM. */
uint8_t *ram(phys_addr_t phys);

dma_addr_t map(struct device *dev, phys_addr_t phys, uint32_t size, enum dma_data_direction dir);

/* A pattern, another one for each seed. */
void fill(phys_addr_t phys, uint32_t size, uint8_t seed);
bool is_filled(phys_addr_t phys, uint32_t size, uint8_t seed);

/* There were `count` findings of this kind, and no others. */
void expect_findings(const struct device *dev, enum dma_finding kind, uint32_t count);

#endif
