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
 *
 * A transfer begins with isa_dma_start() or isa_dma_start_mode(), and ends with isa_dma_stop():
 *
 *     device's DREQ        one unit each, from `addr` up (ISA_DMA_DECREMENT: from the end down)
 *     terminal count       after the last: the channel masks itself, and isa_dma_done() is true
 *     with AUTOINIT        after the last: address and count are loaded anew, and it goes on;
 *                          isa_dma_took_tc() tells of each round once, isa_dma_residue() where
 *                          in the round it is
 *
 * Not here: memory to memory (82371 and its successors have no such mode), and compressed timing.
 *
 * Context: any, interrupts are off while the chip's registers are in use; but for isa_dma_init().
 * A channel is used by its owner only.
 */

#include "drivers/dma.h"
#include "lib/types.h"

#define ISA_DMA_LIMIT UINT64_C(0x1000000) /* 16 MiB */
#define ISA_DMA_BOUNDARY_8BIT UINT32_C(0xffff)
#define ISA_DMA_BOUNDARY_16BIT UINT32_C(0x1ffff)

/*
 * How a channel moves its units (8237A data sheet, "Transfer Modes" and "Mode Register"). Without
 * any: single mode, a unit for each request, upwards, once.
 */
#define ISA_DMA_AUTOINIT BIT(0)  /* at terminal count all over again, until isa_dma_stop() */
#define ISA_DMA_DEMAND BIT(1)    /* as many units as DREQ stays active for */
#define ISA_DMA_BLOCK BIT(2)     /* after one request all units, the bus held until the last */
#define ISA_DMA_DECREMENT BIT(3) /* the last unit of the buffer first; contents are mirrored */
#define ISA_DMA_VERIFY BIT(4)    /* counts and acknowledges, but moves nothing */
#define ISA_DMA_ALL_FLAGS \
    (ISA_DMA_AUTOINIT | ISA_DMA_DEMAND | ISA_DMA_BLOCK | ISA_DMA_DECREMENT | ISA_DMA_VERIFY)

/*
 * Puts both controllers into a known state: every channel masked, the cascade open, no transfer
 * pending. Firmware of the UEFI kind may never have done it. Returns 0, or -ENODEV when no 8237
 * keeps what is written to its address registers. Context: once, before any channel is requested.
 */
int isa_dma_init(void);

/* True if isa_dma_init() found the controllers. */
bool isa_dma_is_present(void);

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
 * Programs the channel for one transfer between the device and `addr` and opens it: the device's
 * DREQ, or isa_dma_software_request(), moves the data from now on. The channel must have been
 * requested.
 *   addr: the lowest address of the buffer, in every mode
 *   bytes: 1 to 64 KiB on channels 0 to 3; 2 to 128 KiB, even, at an even address, on 5 to 7
 *   dir: DMA_FROM_DEVICE writes memory, DMA_TO_DEVICE reads it
 *   flags: ISA_DMA_*, of DEMAND and BLOCK one at most
 * Returns 0, or -ERANGE when isa_dma_refusal() has a reason, -EBUSY when it is not requested,
 * -EINVAL for DMA_BIDIRECTIONAL or flags that don't go together.
 */
int isa_dma_start_mode(unsigned channel, dma_addr_t addr, uint32_t bytes,
                       enum dma_data_direction dir, unsigned flags);

/* The same in single mode, once. */
int isa_dma_start(unsigned channel, dma_addr_t addr, uint32_t bytes, enum dma_data_direction dir);

/*
 * The same as isa_dma_start_mode() without a look at boundaries: for tests of the controller, which
 * show what it does at the end of its 64 KiB (128 KiB). All of the block must be the caller's.
 */
int isa_dma_start_unchecked(unsigned channel, dma_addr_t addr, uint32_t bytes,
                            enum dma_data_direction dir, unsigned flags);

/*
 * Opens channel 5, 6 or 7 for a bus master on the ISA bus, which asks for the bus by DREQ and
 * brings addresses of its own. Returns 0, -EBUSY when it is not requested, -EINVAL for a channel of
 * the first chip. isa_dma_stop() closes it.
 */
int isa_dma_cascade(unsigned channel);

/*
 * Asks for the channel's transfer in the place of a device (request register). The data sheet wants
 * block mode for it. `on` false takes it back.
 */
void isa_dma_software_request(unsigned channel, bool on);

/*
 * Opens a channel again that isa_dma_stop() closed, with its registers as they are: an auto-
 * initialised one begins a new round. Context: it was started before.
 */
void isa_dma_resume(unsigned channel);

/* True while DREQ or a software request of the channel waits for service. */
bool isa_dma_is_requested(unsigned channel);

/* True once the channel has reached terminal count since it was started. */
bool isa_dma_done(unsigned channel);

/*
 * True if it has since the last call: with ISA_DMA_AUTOINIT one round has ended, or more. The
 * channel's isa_dma_done() is false afterwards, until the next.
 */
bool isa_dma_took_tc(unsigned channel);

/*
 * Masks the channel and takes a software request back. Returns how many bytes of the transfer were
 * not moved; with ISA_DMA_AUTOINIT, of the round.
 */
uint32_t isa_dma_stop(unsigned channel);

/* The same count while the transfer runs; 1 to `bytes` with ISA_DMA_AUTOINIT. */
uint32_t isa_dma_residue(unsigned channel);

/* Masks every channel but the cascade, at once. Whoever owns one starts anew. Context: any. */
void isa_dma_mask_all(void);

#endif
