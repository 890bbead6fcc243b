/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DRIVERS_DISK_H
#define DRIVERS_DISK_H

/*
 * What the drivers of disks share: a client whose end of transfer is learned by interrupt or by
 * asking, and the trial that a disk has to pass before it counts.
 *
 * Whether DMA works depends on more than a drive can tell: on how the firmware set up the timing,
 * the cable, and on whose drive it is when two chips claim the same ports. Whether an interrupt
 * arrives depends on the firmware's routing. So each disk has to show both, in a read of one
 * sector.
 */

#include "drivers/transfer.h"

#define DISK_SECTOR_BYTES 512u
#define DISK_MAX_BYTES KIB(128) /* of one transfer: what 28-bit commands allow */
#define DISK_TRANSFER_COST_MS 4u

struct disk {
    struct dma_client client;
    struct completion completion;
    uint32_t limit_ms;   /* for a transfer by DMA */
    bool is_readable;    /* the trial's read without DMA worked */
    uint8_t silent_line; /* the line that brought no interrupt in the trial, or NO_LINE */
};

/* Room for what disk_trial_note() writes. */
#define DISK_NOTE_BYTES 40u

/* 0 if these are sectors of the disk, or -EINVAL with a reason. */
int disk_check_range(struct dma_client *client, uint64_t dev_offset, uint32_t bytes);

/*
 * Maps the buffer that these sectors are to be read into, as up to `max` regions of sg. Returns how
 * many regions the device gets, or a negative errno with a reason; *nents is for disk_unmap(), with
 * what the transfer came to. Context: as dma_map_sg().
 */
int disk_map(struct dma_client *client, uint64_t dev_offset, struct page *page, uint32_t offset,
             uint32_t bytes, struct scatterlist *sg, unsigned max, unsigned *nents);
void disk_unmap(struct dma_client *client, struct scatterlist *sg, unsigned nents, int err);

/*
 * Takes what several disks share (a channel, a port) for a transfer of `client`; waits, as others
 * do their work, if another client has it. *owner is NULL while nobody has it. Returns 0, or
 * -EBUSY with a reason. Context: thread.
 */
int disk_claim(struct dma_client **owner, struct dma_client *client);
void disk_unclaim(struct dma_client **owner);

/*
 * Reads the first sector by read_pio(), which wakes a sleeping disk, and by DMA over the sector's
 * complement, so that nothing but a transfer can make both the same. Then once more by interrupt,
 * if there is a line; a line that stays silent is not waited for any more. Returns 0, or what
 * went wrong, with a reason. Context: thread, interrupts on.
 */
int disk_trial(struct disk *disk);

/* How the disk tells its ends, for its report: ", IRQ 11". `note`: DISK_NOTE_BYTES. */
void disk_trial_note(const struct disk *disk, char *note);

/* What a disk that did not pass can't do, for its report. */
const char *disk_trial_failure(const struct disk *disk);

/* What to say of an ATAPI drive by what TEST UNIT READY gave: a sense key, or a negative errno. */
const char *disk_medium(int sense);

#endif
