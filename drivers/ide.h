/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DRIVERS_IDE_H
#define DRIVERS_IDE_H

/*
 * IDE disks behind a PCI bus master (PIIX3, PIIX4, ICH and all that follow "Programming Interface
 * for Bus Master IDE Controller", revision 1.0), read only.
 *
 * A controller has two channels, each with a bus master, a table of physical regions and an
 * interrupt of its own: they work at the same time, unless the controller says that it is simplex
 * (section 2.1); then they take turns, as the two drives of a channel do.
 */

#include "drivers/ata.h"
#include "drivers/disk.h"
#include "drivers/pci.h"

#define IDE_CHANNELS 2u
/* DISK_MAX_BYTES in segments of at most 64 KiB that cross no boundary: three at most. */
#define IDE_MAX_REGIONS 4u

/* Bus master registers of a channel */
#define IDE_BM_CHANNEL_BYTES 8u
#define IDE_BM_COMMAND 0u
#define IDE_BM_COMMAND_START BIT(0)
#define IDE_BM_COMMAND_TO_MEMORY BIT(3)
#define IDE_BM_STATUS 2u
#define IDE_BM_STATUS_ACTIVE BIT(0)
#define IDE_BM_STATUS_ERROR BIT(1)
#define IDE_BM_STATUS_INTERRUPT BIT(2)
#define IDE_BM_STATUS_DMA_CAPABLE(unit) BIT(5 + (unit)) /* the firmware's note to drivers */
#define IDE_BM_STATUS_SIMPLEX BIT(7)                    /* one channel at a time; read only */
#define IDE_BM_TABLE 4u

/* A physical region descriptor: address, byte count (0: 64 KiB), and a mark on the last one */
struct ide_region {
    uint32_t address;
    uint32_t count;
};
#define IDE_REGION_LAST BIT(31)
#define IDE_REGION_COUNT_MASK 0xffffu

struct ide_channel {
    struct ata_channel ata;
    struct pci_device *pdev;
    uint16_t bus_master; /* first port of its registers */
    uint8_t line;        /* of its interrupt, or COMPLETION_NO_LINE */
    bool is_native;      /* the line is PCI's, and may be others' as well */
    struct ide_region *table;
    dma_addr_t table_dma;
    struct dma_client *owner;  /* the drive that has the channel now */
    struct dma_client **claim; /* the owner that counts: of a simplex controller the first one's */
};

struct ide_drive {
    struct disk disk;
    struct ide_channel *channel;
    unsigned unit;
    /* Of the transfer under way: what the bus master has shown, and the drive's last status */
    uint8_t bm_seen, status;
    bool started;
    char name[8];
};

/*
 * Fills in the bus masters of a controller's two channels, whose registers begin at `port`, and who
 * waits for whom. Returns true if it is simplex.
 */
bool ide_set_bus_master(struct ide_channel *channels, uint16_t port);

/*
 * Makes a drive's client, for a disk of `sectors`: READ DMA by interrupt or by asking, and READ
 * SECTORS by the processor as the reference for it. `drive` has its name, channel and unit.
 */
void ide_make_client(struct ide_drive *drive, uint32_t sectors);

#endif
