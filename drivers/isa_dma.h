/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DRIVERS_ISA_DMA_H
#define DRIVERS_ISA_DMA_H

/*
 * The PC's two cascaded 8237A DMA controllers: channels 0 to 3 move bytes, 5 to 7 move words,
 * channel 4 is the cascade.
 *
 * The controller counts 16 address bits. The bits above lie in a page register that does not count,
 * so a transfer that runs over the end of its 64 KiB (128 KiB for words) goes on at the start of
 * the same block and overwrites what lies there; and there are only 24 bits in all. Both are
 * refused here by name. (8237A data sheet; 82371AB data sheet, 4.2.1, for the page registers.)
 */

#include "drivers/dma.h"
#include "lib/types.h"

#define ISA_DMA_LIMIT UINT64_C(0x1000000) /* 16 MiB */
#define ISA_DMA_BOUNDARY_8BIT UINT32_C(0xffff)
#define ISA_DMA_BOUNDARY_16BIT UINT32_C(0x1ffff)

/*
 * Puts both controllers into a known state: every channel masked, the cascade open, no transfer
 * pending. Firmware of the UEFI kind may never have done it. Returns 0, or -ENODEV when no 8237
 * keeps what is written to its address registers. Context: once, before any channel is requested.
 */
int isa_dma_init(void);

/*
 * Takes channel 0-3 or 5-7 for `owner`. Returns 0, -EBUSY when somebody has it, -EINVAL for a
 * channel that is none, -ENODEV without a controller.
 */
int isa_dma_request(unsigned channel, const char *owner);
void isa_dma_free(unsigned channel);

/* Who has the channel, or NULL. */
const char *isa_dma_owner(unsigned channel);

/*
 * Why the channel can't move `bytes` at `addr`, as a short text, or NULL if it can: "beyond
 * 16 MiB", "crosses 64 KiB", "crosses 128 KiB", "odd address", "odd length", "empty", "too long".
 */
const char *isa_dma_refusal(unsigned channel, dma_addr_t addr, uint32_t bytes);

/*
 * Programs the channel for one single-mode transfer between the device and `addr` and opens it:
 * the device's DREQ moves the data from now on. The channel must have been requested.
 * Returns 0, or -ERANGE when isa_dma_refusal() has a reason, -EBUSY when it is not requested,
 * -EINVAL for DMA_BIDIRECTIONAL.
 */
int isa_dma_start(unsigned channel, dma_addr_t addr, uint32_t bytes, enum dma_data_direction dir);

/* True once the channel has reached terminal count since isa_dma_start(). */
bool isa_dma_done(unsigned channel);

/* Masks the channel. Returns how many bytes of the transfer were not moved. */
uint32_t isa_dma_stop(unsigned channel);

/* The same count while the transfer runs. */
uint32_t isa_dma_residue(unsigned channel);

#endif
