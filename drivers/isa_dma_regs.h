/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DRIVERS_ISA_DMA_REGS_H
#define DRIVERS_ISA_DMA_REGS_H

/*
 * Registers of the two 8237A, for the driver and for the suite that tests the controller itself.
 *
 * Names and bits are those of the 8237A data sheet, table 4 and "Register Description"; the ports
 * are the PC/AT's (82371AB data sheet, 4.2.1). A register is named by its number on the chip, 0 to
 * 15; the second chip's ports are two bytes apart.
 */

#include "lib/types.h"

#define ISA_DMA_CHANNELS 8u
#define ISA_DMA_CHANNELS_PER_CHIP 4u
#define ISA_DMA_CASCADE_CHANNEL 4u

#define ISA_DMA_CHIP0_BASE 0x00u
#define ISA_DMA_CHIP1_BASE 0xc0u

/* Of the chip's channel 0 to 3; 16 bits each, through one port in two accesses, low byte first */
#define ISA_DMA_REG_ADDRESS(local) (2u * (local))
#define ISA_DMA_REG_COUNT(local) (2u * (local) + 1)

#define ISA_DMA_REG_STATUS 0x8u  /* read */
#define ISA_DMA_REG_COMMAND 0x8u /* write */
#define ISA_DMA_REG_REQUEST 0x9u
#define ISA_DMA_REG_MASK 0xau /* one channel's */
#define ISA_DMA_REG_MODE 0xbu
#define ISA_DMA_REG_CLEAR_FLIP_FLOP 0xcu
#define ISA_DMA_REG_MASTER_CLEAR 0xdu
#define ISA_DMA_REG_ALL_MASKS 0xfu /* chips of PCI's time can read it, too */

/* Status: terminal counts, cleared by reading, and requests that wait */
#define ISA_DMA_STATUS_TC(local) BIT(local)
#define ISA_DMA_STATUS_REQUEST(local) BIT((local) + 4)

/* REQUEST and MASK: a channel in bits 0 and 1, and whether its bit is set or cleared */
#define ISA_DMA_SET BIT(2)

/* Mode; a channel in bits 0 and 1 */
#define ISA_DMA_MODE_WRITE_MEMORY BIT(2)
#define ISA_DMA_MODE_READ_MEMORY BIT(3) /* neither of them: verify */
#define ISA_DMA_MODE_AUTOINIT BIT(4)
#define ISA_DMA_MODE_DECREMENT BIT(5)
#define ISA_DMA_MODE_DEMAND 0u
#define ISA_DMA_MODE_SINGLE BIT(6)
#define ISA_DMA_MODE_BLOCK BIT(7)
#define ISA_DMA_MODE_CASCADE (BIT(6) | BIT(7))

/* Controller on, DREQ active high, DACK active low: as a PC is wired */
#define ISA_DMA_COMMAND_ENABLE 0u

#define ISA_DMA_MASK_ALL 0xfu

static inline uint16_t isa_dma_port(unsigned channel, unsigned reg)
{
    return (uint16_t)(channel < ISA_DMA_CASCADE_CHANNEL ? ISA_DMA_CHIP0_BASE + reg
                                                        : ISA_DMA_CHIP1_BASE + 2 * reg);
}

/* The channel's number on its chip. */
static inline unsigned isa_dma_local(unsigned channel)
{
    return channel % ISA_DMA_CHANNELS_PER_CHIP;
}

#endif
