/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DRIVERS_ATA_H
#define DRIVERS_ATA_H

/*
 * An ATA channel as its registers show it, whoever its bus master is: two drives that share a
 * command block and a control register. Only commands that read are here (ATA/ATAPI-6, chapters 7
 * and 8; drivers/ata_commands.h). Everything is polled and has a deadline. The channel's interrupt
 * is off (nIEN), but for READ DMA, whose end a bus master tells by it; the interrupt controller's
 * line stays masked.
 */

#include "drivers/ata_commands.h"
#include "drivers/ata_identity.h"
#include "lib/types.h"

#define ATA_SECTOR_BYTES 512u
#define ATA_MAX_SECTORS 256u /* of one command */
#define ATA_UNITS 2u         /* drives of a channel */

#define ATA_STATUS_ERR BIT(0)
#define ATA_STATUS_DRQ BIT(3)
#define ATA_STATUS_DF BIT(5)
#define ATA_STATUS_DRDY BIT(6)
#define ATA_STATUS_BSY BIT(7)

struct ata_channel {
    uint16_t command; /* first port of the command block */
    uint16_t control; /* the control register, which reads as the status without side effects */
    bool silent;      /* READ DMA without an interrupt, for a line that others would hear */
    uint8_t dma_mode[ATA_UNITS]; /* as SET FEATURES takes it; chosen by a reset again; 0: none */
};

/* The status. ata_take_status() also takes back the drive's interrupt request. */
uint8_t ata_status(const struct ata_channel *ch);
uint8_t ata_take_status(const struct ata_channel *ch);
uint8_t ata_error(const struct ata_channel *ch);

/*
 * Asks drive `unit` (0, 1) who it is, and notes its selected DMA mode for later resets. A drive
 * that still starts up gets 5 s to become ready. Returns 0; -ENODEV when there is none; -ENOSYS for
 * an ATAPI drive; -EBUSY when the channel stays busy; -EIO or -ETIMEDOUT for a drive that fails.
 */
int ata_identify(struct ata_channel *ch, unsigned unit, struct ata_identity *id);

/*
 * Asks ATAPI drive `unit` whether it is ready to read, by TEST UNIT READY. Returns 0 for ready, or
 * the sense key (ATA_SENSE_NOT_READY: no medium, or it is not up to speed yet), or a negative
 * errno.
 */
int ata_test_unit_ready(const struct ata_channel *ch, unsigned unit);

/*
 * Selects a DMA mode (see struct ata_identity) in drive `unit`, for now and for after a reset.
 * Returns 0, -EIO if the drive refuses it, or -ETIMEDOUT.
 */
int ata_set_dma_mode(struct ata_channel *ch, unsigned unit, uint8_t mode);

/*
 * Sends drive `unit` a command for `count` (1 to ATA_MAX_SECTORS) sectors from `lba` on. For
 * ATA_COMMAND_READ_DMA the channel's interrupt is switched on first, unless ch->silent:
 * ata_end_dma() follows.
 * Returns 0, -ETIMEDOUT if the drive does not become ready, or -EPERM for a command that is not in
 * the list of those that read.
 */
int ata_command(const struct ata_channel *ch, unsigned unit, uint8_t command, uint32_t lba,
                uint32_t count);

/* Takes back the interrupt request of a READ DMA and switches the interrupt off. */
void ata_end_dma(const struct ata_channel *ch);

/* READ SECTORS by the processor. A sleeping disk gets 10 s to spin up. Returns 0, -EIO or
 * -ETIMEDOUT. */
int ata_read_sectors(const struct ata_channel *ch, unsigned unit, uint32_t lba, uint32_t count,
                     void *to);

/*
 * Gets the channel out of whatever it hangs in: both drives forget their command, and get back the
 * DMA modes that they had.
 */
void ata_reset(const struct ata_channel *ch);

#endif
