/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DRIVERS_AHCI_H
#define DRIVERS_AHCI_H

/*
 * AHCI disks as DMA clients.
 *
 * A disk is two clients where the adapter has 64 address bits: one that uses them, so that it
 * reaches every page, and one that is told to use 32, so that what lies above 4 GiB must bounce.
 *
 * No register of this adapter gives data to the processor: all of it comes by the adapter's own
 * bus mastering. The reference for READ DMA EXT is what comes closest to another way: READ SECTORS
 * (EXT), which is another command with another protocol on the wire (PIO data in: a FIS for each
 * block of data), a few sectors at a time, into one region of one page below 16 MiB, from where the
 * processor takes it. It shares no gather list, no mapping, no bounce and no upper address bits
 * with what it is compared with.
 */

#include "drivers/ahci_port.h"
#include "drivers/ata_identity.h"

struct ahci_client {
    struct disk disk;
    struct ahci_drive *drive;
    char name[14];
};

struct ahci_drive {
    struct ahci_port port;
    unsigned index; /* of the drive, for names */
    bool lba48;
    uint8_t *low; /* a page below 16 MiB, for the reference */
    dma_addr_t low_dma;
    struct device dev32, dev_low;
    struct ahci_client wide, narrow; /* all address bits; 32 of them */
};

/* Prepares drive->wide for asking the drive, and then for use; its size is not known yet. */
void ahci_make_client(struct ahci_drive *drive);

/* Registers drive->narrow, after drive->wide passed the trial. */
void ahci_register_narrow(struct ahci_drive *drive);

/* IDENTIFY DEVICE by the PIO protocol. Returns 0, or a negative errno with wide's reason. */
int ahci_identify(struct ahci_drive *drive, struct ata_identity *id);

/* TEST UNIT READY of an ATAPI drive. Returns 0, a sense key or a negative errno. */
int ahci_ask_medium(struct ahci_drive *drive);

#endif
