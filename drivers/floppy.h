/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DRIVERS_FLOPPY_H
#define DRIVERS_FLOPPY_H

/*
 * The floppy drive as the one device by which nearly every PC can show what its 8237 does: for the
 * suite that tests the controller, and for nobody else. Whoever wants sectors uses the DMA client.
 */

#include "drivers/dma.h"
#include "lib/types.h"

#define FLOPPY_RAW_KEEP BIT(31) /* the channel is not programmed: it goes on from where it is */

/* One read past the mapping API. */
struct floppy_raw {
    uint32_t lba;     /* first sector; all lie on one track */
    uint32_t sectors; /* that the drive is told of */
    dma_addr_t addr;  /* that channel 2 is programmed with, unchecked: all of its 64 KiB are ours */
    uint32_t bytes;   /* the same; more or less than the sectors hold, too */
    unsigned flags;   /* ISA_DMA_*, FLOPPY_RAW_KEEP */
    uint32_t left;    /* out: the channel's residue */
    bool reached_tc;  /* out: terminal count was seen */
};

/*
 * Does it. The channel is masked then, but keeps its registers, for FLOPPY_RAW_KEEP with
 * ISA_DMA_AUTOINIT. Returns 0; -ENOSPC if the sectors ended before the count; -ENODEV without a
 * floppy drive; else as client->read, with the reason in *reason.
 */
int floppy_read_raw(struct floppy_raw *raw, const char **reason);

#endif
