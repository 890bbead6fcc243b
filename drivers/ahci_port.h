/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DRIVERS_AHCI_PORT_H
#define DRIVERS_AHCI_PORT_H

/*
 * SATA disks behind an AHCI host bus adapter (Serial ATA AHCI 1.3.1), read only.
 *
 * An adapter has up to 32 ports, each with a command list, an area for what the drive sends, and
 * engines of its own: ports work at the same time. Here one command at a time goes through slot 0
 * of a port. Everything that the adapter reads and writes by itself lies in a page per port:
 *
 *     0x000  command list, of which the first header is used
 *     0x400  received FISes
 *     0x800  the command table: command FIS, ATAPI packet, regions
 *
 * What was found is put back whenever a port or the adapter is not in use: GHC, the interrupt
 * enables of all ports, each port's addresses and its command register. Two bits are the exception,
 * ST and FRE: ports are stopped when they are found and stay so, since the memory that firmware
 * lent them is ours now, as is the bus (pci_stop_masters()). And the link of a disk in use stays
 * up.
 */

#include "drivers/disk.h"
#include "drivers/pci.h"
#include "paging/page.h"

#define AHCI_MAX_PORTS 32u

/* Registers of the adapter (3.1) */
#define AHCI_CAP 0x00u
#define AHCI_CAP_64BIT BIT(31)
#define AHCI_CAP_STAGGERED BIT(27)
#define AHCI_GHC 0x04u
#define AHCI_GHC_IE BIT(1)
#define AHCI_GHC_AE BIT(31)
#define AHCI_IS 0x08u
#define AHCI_PI 0x0cu
#define AHCI_CAP2 0x24u
#define AHCI_CAP2_HANDOFF BIT(0)
#define AHCI_BOHC 0x28u
#define AHCI_BOHC_BIOS BIT(0)
#define AHCI_BOHC_OS BIT(1)
#define AHCI_BOHC_BUSY BIT(4)

/* Registers of a port (3.3) */
#define AHCI_PORT(n) (0x100u + 0x80u * (n))
#define AHCI_WINDOW_BYTES AHCI_PORT(AHCI_MAX_PORTS)
#define AHCI_CLB 0x00u
#define AHCI_CLBU 0x04u
#define AHCI_FB 0x08u
#define AHCI_FBU 0x0cu
#define AHCI_PIS 0x10u
#define AHCI_PIS_ENDS 0x0000000fu  /* a FIS has come: D2H, PIO setup, DMA setup, set device bits */
#define AHCI_PIS_FATAL 0x78000000u /* task file, host bus fatal and data, interface fatal */
#define AHCI_PIE 0x14u
#define AHCI_CMD 0x18u
#define AHCI_CMD_ST BIT(0)
#define AHCI_CMD_SPIN_UP BIT(1)
#define AHCI_CMD_POWER BIT(2)
#define AHCI_CMD_FRE BIT(4)
#define AHCI_CMD_FR BIT(14)
#define AHCI_CMD_CR BIT(15)
#define AHCI_TFD 0x20u
#define AHCI_SIG 0x24u
#define AHCI_SIG_DISK 0x00000101u
#define AHCI_SIG_ATAPI 0xeb140101u
#define AHCI_SSTS 0x28u
#define AHCI_DET_MASK 0xfu
#define AHCI_DET_NONE 0u
#define AHCI_DET_READY 3u
#define AHCI_DET_OFF 4u
#define AHCI_SCTL 0x2cu
#define AHCI_SCTL_COMRESET 1u /* in the DET field */
#define AHCI_SERR 0x30u
#define AHCI_CI 0x38u

/*
 * A region: 22 bits of length less one, which is odd. The adapter would take 4 MiB at once; here a
 * transfer is cut into more pieces, because a list with one entry would prove little.
 */
struct ahci_region {
    uint32_t address, address_upper;
    uint32_t reserved;
    uint32_t count; /* bytes - 1 */
};
#define AHCI_REGION_BYTES KIB(16)
#define AHCI_MAX_REGIONS (DISK_MAX_BYTES / AHCI_REGION_BYTES + 1)

struct ahci_header {
    uint32_t flags; /* and number of regions in the upper half */
    uint32_t bytes; /* that the adapter has moved */
    uint32_t table, table_upper;
    uint32_t reserved[4];
};

struct ahci_memory {
    struct ahci_header headers[32];
    uint8_t received[256];
    uint8_t unused[768];
    uint8_t fis[64];
    uint8_t packet[64]; /* of which the first 16 bytes count */
    struct ahci_region regions[AHCI_MAX_REGIONS];
};
_Static_assert(offsetof(struct ahci_memory, received) == 0x400, "received FISes at 0x400");
_Static_assert(offsetof(struct ahci_memory, fis) == 0x800, "the command table at 0x800");
_Static_assert(offsetof(struct ahci_memory, regions) == 0x880, "regions behind FIS and packet");
_Static_assert(sizeof(struct ahci_memory) <= PAGE_SIZE, "a page for each port");

struct ahci_hba {
    struct pci_device *pdev;
    uint8_t __iomem *regs;
    uint32_t implemented; /* ports */
    bool has_64bit, has_staggered;
    bool broken; /* a port did not stop: it may use memory that is others' by now */
    unsigned users;
    uint32_t ghc_before;
    uint32_t enables_before[AHCI_MAX_PORTS];
};

struct ahci_port {
    struct ahci_hba *hba;
    unsigned number;
    uint8_t __iomem *regs;
    struct ahci_memory *memory;
    dma_addr_t memory_dma;
    struct dma_client *owner; /* the client that has the port now */
    uint32_t before[4];       /* its addresses, and CMD, while it is open */
    uint32_t cmd_before;
    uint32_t seen; /* of the command under way: its interrupt status */
    bool issued;   /* it is under way: what the port says is of it */
};

/* A command for a drive. */
struct ahci_command {
    uint8_t command; /* enum ata_command */
    bool lba48;      /* lba and count in their long forms */
    uint64_t lba;
    uint32_t count;      /* sectors */
    bool has_packet;     /* the packet in memory->packet goes with it */
    unsigned nr_regions; /* in memory->regions */
    uint32_t bytes;      /* that are to come */
};

/* The adapter: bus, GHC and interrupt enables for as long as anybody works. Context: thread. */
void ahci_hold(struct ahci_hba *hba);
void ahci_release(struct ahci_hba *hba);

/* Stops both engines of the port, up to 500 ms each (10.1.2). Returns 0 or -ETIMEDOUT. */
int ahci_port_stop(const struct ahci_port *port);

/*
 * Brings the link up, where the firmware has not: with staggered spin-up that starts the drive.
 * Returns 0; -ENODEV: nobody there; -ENXIO: the port is switched off; -ETIMEDOUT: no speed was
 * agreed on. Context: adapter held, port stopped.
 */
int ahci_port_wake(const struct ahci_port *port);

/*
 * Gives the port our memory and starts its engines; and stops them, and puts back what was there.
 * Opening returns 0, or -ETIMEDOUT with nothing changed. Context: adapter held.
 *
 * An engine that does not stop after a command leaves the adapter broken: it loses the bus for
 * good, the port keeps its addresses, which may not be changed then (3.3.1), and nobody may hold
 * the adapter again.
 */
int ahci_port_open(struct ahci_port *port);
void ahci_port_close(struct ahci_port *port);

/* COMRESET, for a drive that hangs (10.4.2). Returns 0 or -ETIMEDOUT. Port stopped. */
int ahci_port_reset(const struct ahci_port *port);

/* Entry `index` of memory->regions. */
void ahci_set_region(struct ahci_port *port, unsigned index, dma_addr_t addr, uint32_t bytes);

/*
 * Sends a command, and waits for its end as `disk` says. After an error the port is as after
 * opening again. Returns 0; -EPERM for a command that does not only read; -EIO, -ETIMEDOUT, with a
 * reason. Context: port open.
 */
int ahci_run(struct ahci_port *port, struct disk *disk, const struct ahci_command *command);

/* Asks the open port's device, for the service of a completion. See struct completion. */
bool ahci_port_service(struct ahci_port *port, struct completion *c);

/* The error register of the drive, of the last command; the sense key of a packet is in it. */
uint8_t ahci_error_register(const struct ahci_port *port);

#endif
