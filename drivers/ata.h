/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DRIVERS_ATA_H
#define DRIVERS_ATA_H

/*
 * An ATA channel as its registers show it, whoever its bus master is: two drives that share a
 * command block and a control register. Only commands that read are here (ATA/ATAPI-6, chapters 7
 * and 8). The channel's interrupt stays off (nIEN), everything is polled and has a deadline.
 */

#include "lib/types.h"

#define ATA_SECTOR_BYTES 512u
#define ATA_MAX_SECTORS 256u         /* of one command */
#define ATA_LBA28_SECTORS BIT(28)    /* of a drive, as far as 28 bits reach */
#define ATA_TRANSFER_LIMIT_MS 10000u /* a sleeping disk spins up first */

#define ATA_COMMAND_READ_SECTORS 0x20u
#define ATA_COMMAND_READ_DMA 0xc8u

#define ATA_STATUS_ERR BIT(0)
#define ATA_STATUS_DRQ BIT(3)
#define ATA_STATUS_DF BIT(5)
#define ATA_STATUS_DRDY BIT(6)
#define ATA_STATUS_BSY BIT(7)

struct ata_channel {
    uint16_t command; /* first port of the command block */
    uint16_t control; /* the control register, which reads as the status without side effects */
};

struct ata_identity {
    char model[41];
    uint32_t sectors; /* that 28 bits reach */
    bool has_dma, has_lba;
    bool dma_mode_is_set; /* a multiword or Ultra mode is selected */
};

/* The status. ata_take_status() also takes back the drive's interrupt request. */
uint8_t ata_status(const struct ata_channel *ch);
uint8_t ata_take_status(const struct ata_channel *ch);
uint8_t ata_error(const struct ata_channel *ch);

/*
 * Asks drive `unit` (0, 1) who it is. Returns 0; -ENODEV when there is none; -ENOSYS for an ATAPI
 * drive; -EIO or -ETIMEDOUT for one that is there and fails.
 */
int ata_identify(const struct ata_channel *ch, unsigned unit, struct ata_identity *id);

/*
 * Selects multiword DMA mode 2 for the drive that was identified last. It works with a controller's
 * slow default timing as well, for drives that the firmware never set up.
 */
void ata_set_dma_mode(const struct ata_channel *ch);

/*
 * Sends drive `unit` a command for `count` (1 to ATA_MAX_SECTORS) sectors from `lba` on. Returns 0,
 * or -ETIMEDOUT if the drive does not become ready.
 */
int ata_command(const struct ata_channel *ch, unsigned unit, uint8_t command, uint32_t lba,
                uint32_t count);

/* READ SECTORS by the processor. Returns 0, -EIO or -ETIMEDOUT. */
int ata_read_sectors(const struct ata_channel *ch, unsigned unit, uint32_t lba, uint32_t count,
                     void *to);

/* Gets the channel out of whatever it hangs in: both drives forget their command. */
void ata_reset(const struct ata_channel *ch);

#endif
