/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IDE disks behind a PCI bus master (PIIX, ICH and all that follow "Programming Interface for Bus
 * Master IDE Controller", revision 1.0), read only: READ DMA through a table of physical regions,
 * and READ SECTORS by the processor as the reference for it.
 *
 * The end of a transfer is the bus master's interrupt bit, which it sets when the drive has asked
 * for an interrupt and all data is in memory (section 2.4 there), polled: the interrupt
 * controller's line stays masked. The bus master is allowed on the bus only for the transfer
 * itself.
 *
 * Whether DMA works depends on more than a drive can tell: on how the firmware set up the timing,
 * the cable, and on whose drive it is when two chips claim the same ports. So each drive has to
 * show it in one read of a sector before it counts.
 */
#include "drivers/ata.h"
#include "drivers/clock.h"
#include "drivers/pci.h"
#include "drivers/transfer.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/inject.h"
#include "lib/string.h"
#include "lib/x86/io.h"
#include "paging/page_alloc.h"

/* PCI: class, and what its programming interface byte says */
#define CLASS_IDE 0x010100u
#define CLASS_IDE_MASK 0xffff00u
#define PROGIF_NATIVE(channel) BIT(2 * (channel))
#define PROGIF_BUS_MASTER BIT(7)
#define BAR_COMMAND(channel) (2 * (channel))
#define BAR_CONTROL(channel) (2 * (channel) + 1)
#define BAR_BUS_MASTER 4u
#define CONTROL_BAR_OFFSET 2u /* the control register in its four-byte BAR */

/* Intel's own: a word for each channel with its timing and, in one bit, whether it decodes */
#define VENDOR_INTEL 0x8086u
#define DEVICE_INTEL_SCH 0x811au /* the exception: its timing is elsewhere, with no such bit */
#define IDETIM(channel) (0x40u + 2 * (channel))
#define IDETIM_DECODE_ENABLE BIT(15)

/* Bus master registers of a channel */
#define BM_CHANNEL_BYTES 8u
#define BM_COMMAND 0u
#define BM_COMMAND_START BIT(0)
#define BM_COMMAND_TO_MEMORY BIT(3)
#define BM_STATUS 2u
#define BM_STATUS_ACTIVE BIT(0)
#define BM_STATUS_ERROR BIT(1)
#define BM_STATUS_INTERRUPT BIT(2)
#define BM_STATUS_DMA_CAPABLE(unit) BIT(5 + (unit)) /* the firmware's note to drivers */
#define BM_TABLE 4u

/* A physical region descriptor: address, byte count (0: 64 KiB), and a mark on the last one */
struct prd {
    uint32_t address;
    uint32_t count;
};
#define PRD_LAST BIT(31)
#define PRD_COUNT_MASK 0xffffu

#define MAX_BYTES (ATA_MAX_SECTORS * ATA_SECTOR_BYTES)
/* 128 KiB in segments of at most 64 KiB that cross no boundary: three at most. */
#define MAX_REGIONS 4u

#define NR_CHANNELS 2u
#define UNITS_PER_CHANNEL ATA_UNITS
#define MAX_CONTROLLERS 2u

#define TRIAL_LIMIT_MS 2000u
#define TRANSFER_LIMIT_MS 5000u /* the trial has woken the disk */
#define POLL_US 5u
#define TRANSFER_COST_MS 4u

struct ide_drive {
    struct dma_client client;
    struct ide_controller *controller;
    struct ata_channel *channel;
    uint16_t bus_master; /* first port of the channel's registers */
    unsigned unit;
    uint32_t limit_ms; /* for a transfer by DMA */
    char name[8];
};

struct ide_controller {
    struct pci_device *pdev;
    struct ata_channel channel[NR_CHANNELS];
    struct ide_drive drive[NR_CHANNELS * UNITS_PER_CHANNEL];
    struct prd *table;
    dma_addr_t table_dma;
    bool busy; /* taken atomically for a transfer: both channels share the table */
};

static struct ide_controller controllers[MAX_CONTROLLERS];
static unsigned nr_controllers;

/* Writes the table of regions. What the bus master can't do would go wrong silently: refused. */
static int fill_table(struct ide_drive *drive, const struct scatterlist *sg, unsigned nents)
{
    struct prd *table = drive->controller->table;

    for (unsigned i = 0; i < nents; i++) {
        const struct scatterlist *s = inject(ide_repeat_region, dma_bounce) ? sg : &sg[i];
        dma_addr_t addr = s->dma_address;
        uint32_t bytes = sg[i].dma_length;

        if (addr + bytes > dma_make(GIB64(4)))
            return client_error(&drive->client, -ERANGE, "region 0x%llx+%u is beyond 4 GiB",
                                addr_number(addr), bytes);
        if ((addr_number(addr) & DMA_BOUNDARY_64K) + bytes - 1 > DMA_BOUNDARY_64K)
            return client_error(&drive->client, -ERANGE, "region 0x%llx+%u crosses 64 KiB",
                                addr_number(addr), bytes);
        if ((addr_number(addr) | bytes) & 1)
            return client_error(&drive->client, -EINVAL, "region 0x%llx+%u is not even",
                                addr_number(addr), bytes);
        table[i].address = (uint32_t)addr_number(addr);
        table[i].count = (bytes & PRD_COUNT_MASK) | (i == nents - 1 ? PRD_LAST : 0);
    }
    return 0;
}

/* Waits for the end of a DMA command. The bus master is still started when this returns. */
static int wait_transfer(struct ide_drive *drive)
{
    deadline_t deadline = deadline_in_ms(drive->limit_ms);

    for (;;) {
        uint8_t bm = inb((uint16_t)(drive->bus_master + BM_STATUS));
        uint8_t status = ata_status(drive->channel);

        if (bm & BM_STATUS_ERROR)
            return client_error(&drive->client, -EIO, "bus master error, status 0x%02x", bm);
        if (!(status & ATA_STATUS_BSY) && (status & (ATA_STATUS_ERR | ATA_STATUS_DF)))
            return client_error(&drive->client, -EIO, "drive error 0x%02x, status 0x%02x",
                                ata_error(drive->channel), status);
        /* Both: still active after the drive's interrupt would be a table longer than the data. */
        if ((bm & BM_STATUS_INTERRUPT) && !(bm & BM_STATUS_ACTIVE) &&
            !(status & (ATA_STATUS_BSY | ATA_STATUS_DRQ)))
            return 0;
        if (deadline_passed(deadline))
            return client_error(&drive->client, -ETIMEDOUT,
                                "not done after %u ms, bus master 0x%02x, drive 0x%02x",
                                drive->limit_ms, bm, status);
        delay_us(POLL_US);
    }
}

/* Error and interrupt are cleared by writing ones; the other bits are to stay. */
static void clear_events(struct ide_drive *drive)
{
    uint16_t bm_status = (uint16_t)(drive->bus_master + BM_STATUS);

    outb(bm_status, (uint8_t)(inb(bm_status) | BM_STATUS_ERROR | BM_STATUS_INTERRUPT));
}

static int run_transfer(struct ide_drive *drive, uint32_t lba, uint32_t sectors)
{
    uint16_t bm_command = (uint16_t)(drive->bus_master + BM_COMMAND);
    int err;

    outb(bm_command, BM_COMMAND_TO_MEMORY);
    outl((uint16_t)(drive->bus_master + BM_TABLE),
         (uint32_t)addr_number(drive->controller->table_dma));
    err = ata_command(drive->channel, drive->unit, ATA_COMMAND_READ_DMA, lba, sectors);
    if (err)
        return client_error(&drive->client, err, "drive not ready, status 0x%02x",
                            ata_status(drive->channel));
    /* Only now: switching the drive's interrupt on may have looked like one. */
    clear_events(drive);
    outb(bm_command, BM_COMMAND_TO_MEMORY | BM_COMMAND_START);
    err = wait_transfer(drive);
    outb(bm_command, 0);
    ata_end_dma(drive->channel);
    clear_events(drive);
    if (err)
        ata_reset(drive->channel);
    return err;
}

static int check_range(struct dma_client *client, uint64_t dev_offset, uint32_t bytes)
{
    if (bytes == 0 || bytes > client->max_bytes || (dev_offset | bytes) % ATA_SECTOR_BYTES ||
        dev_offset > client->size_bytes - bytes)
        return client_error(client, -EINVAL, "%u bytes at %llu are no sectors of this disk", bytes,
                            (unsigned long long)dev_offset);
    return 0;
}

/* Takes the controller and switches on what the work needs (PCI_COMMAND_*). Returns 0 or -EBUSY. */
static int begin(struct ide_drive *drive, uint32_t command_bits, uint16_t *command)
{
    *command = 0;
    if (__atomic_exchange_n(&drive->controller->busy, true, __ATOMIC_ACQUIRE))
        return client_error(&drive->client, -EBUSY, "the controller is in use");
    *command = pci_enable(drive->controller->pdev, command_bits);
    return 0;
}

static void finish(struct ide_drive *drive, uint16_t command)
{
    pci_restore_command(drive->controller->pdev, command);
    __atomic_store_n(&drive->controller->busy, false, __ATOMIC_RELEASE);
}

static int ide_read(struct dma_client *client, uint64_t dev_offset, struct page *page,
                    uint32_t offset, uint32_t bytes)
{
    struct ide_drive *drive = container_of(client, struct ide_drive, client);
    struct scatterlist sg[MAX_REGIONS];
    uint16_t command;
    unsigned nents;
    int err = check_range(client, dev_offset, bytes);

    if (err)
        return err;
    nents = dma_split_sg(client->dev, sg, MAX_REGIONS, page, offset, bytes);
    if (nents == 0)
        return client_error(client, -EINVAL, "%u bytes need more than %u regions", bytes,
                            MAX_REGIONS);
    if (dma_map_sg(client->dev, sg, nents, DMA_FROM_DEVICE) == 0)
        return client_error(client, -ENOMEM, "mapping of %u bytes failed", bytes);
    err = begin(drive, PCI_COMMAND_IO | PCI_COMMAND_MASTER, &command);
    if (!err) {
        err = fill_table(drive, sg, nents);
        if (!err)
            err = run_transfer(drive, (uint32_t)(dev_offset / ATA_SECTOR_BYTES),
                               bytes / ATA_SECTOR_BYTES);
        finish(drive, command);
    }
    dma_unmap_sg(client->dev, sg, nents, DMA_FROM_DEVICE);
    return err;
}

static int ide_read_pio(struct dma_client *client, uint64_t dev_offset, void *buf, uint32_t bytes)
{
    struct ide_drive *drive = container_of(client, struct ide_drive, client);
    uint16_t command;
    int err = check_range(client, dev_offset, bytes);

    if (!err)
        err = begin(drive, PCI_COMMAND_IO, &command);
    if (err)
        return err;
    err = ata_read_sectors(drive->channel, drive->unit, (uint32_t)(dev_offset / ATA_SECTOR_BYTES),
                           bytes / ATA_SECTOR_BYTES, buf);
    if (err) {
        client_error(client, err, "reading by the processor, status 0x%02x",
                     ata_status(drive->channel));
        ata_reset(drive->channel);
    }
    finish(drive, command);
    return err;
}

static void ide_quiet(struct dma_client *client)
{
    pci_set_master(container_of(client, struct ide_drive, client)->controller->pdev, false);
}

/*
 * Reads the first sector by the processor, which wakes a sleeping disk, and by DMA over the
 * sector's complement, so that nothing but a transfer can make both the same. Returns 0, or what
 * went wrong, with a reason; the drive has forgotten the failed command then.
 */
static int trial(struct ide_drive *drive)
{
    struct dma_client *client = &drive->client;
    uint8_t *by_cpu = __get_free_pages(GFP_KERNEL, 0);
    struct page *page = alloc_pages(GFP_KERNEL, 0);
    uint8_t *by_dma = page ? page_address(page) : NULL;
    int err = -ENOMEM;

    if (!by_cpu || !by_dma) {
        client_error(client, err, "no memory for a trial");
        goto out;
    }
    err = ide_read_pio(client, 0, by_cpu, ATA_SECTOR_BYTES);
    if (err)
        goto out;
    for (unsigned i = 0; i < ATA_SECTOR_BYTES; i++)
        by_dma[i] = (uint8_t)~by_cpu[i];
    err = ide_read(client, 0, page, 0, ATA_SECTOR_BYTES);
    if (!err && memcmp(by_cpu, by_dma, ATA_SECTOR_BYTES) != 0) {
        err = client_error(client, -EIO, "it read other data than the processor");
        ata_reset(drive->channel);
    }
out:
    if (by_cpu)
        free_pages(by_cpu, 0);
    if (page)
        __free_pages(page, 0);
    return err;
}

/*
 * Reports what there is, and takes a disk into use. Returns 0, -ENODEV where nothing is, or -EBUSY
 * where asking the channel's other unit is no use.
 */
static int probe_unit(struct ide_controller *ctl, unsigned channel, uint16_t bus_master,
                      unsigned unit)
{
    struct ata_channel *ch = &ctl->channel[channel];
    unsigned number = channel * UNITS_PER_CHANNEL + unit;
    struct ide_drive *drive = &ctl->drive[number];
    const char *where = ctl->pdev->name;
    struct ata_identity id;
    bool is_set_up;
    int err = ata_identify(ch, unit, &id);

    number += (unsigned)(ctl - controllers) * ARRAY_SIZE(ctl->drive);
    format(drive->name, sizeof(drive->name), "ide%u", number);
    if (err == -ENODEV)
        return err;
    if (err == -ENOSYS) {
        probe_report("ide", err, "%s %s: ATAPI, not used", where, drive->name);
        return 0;
    }
    if (err) {
        probe_report("ide", err, "%s %s: %s, status 0x%02x", where, drive->name,
                     err == -EBUSY ? "the channel stays busy" : "IDENTIFY failed", ata_status(ch));
        return err == -EBUSY ? err : 0;
    }
    if (!id.has_dma || !id.has_lba || id.sectors == 0 || !id.dma_mode) {
        probe_report("ide", -ENOSYS, "%s %s: %s: no DMA or no LBA", where, drive->name, id.model);
        return 0;
    }
    if (!id.dma_mode_is_set)
        err = ata_set_dma_mode(ch, unit, id.dma_mode);
    if (err) {
        probe_report("ide", err, "%s %s: %s: refuses DMA mode 0x%02x", where, drive->name, id.model,
                     id.dma_mode);
        return 0;
    }
    drive->controller = ctl;
    drive->channel = ch;
    drive->bus_master = bus_master;
    drive->unit = unit;
    drive->limit_ms = TRIAL_LIMIT_MS;
    drive->client = (struct dma_client){
        .name = drive->name,
        .dev = &ctl->pdev->dma,
        .size_bytes = (uint64_t)id.sectors * ATA_SECTOR_BYTES,
        .granule_bytes = ATA_SECTOR_BYTES,
        .max_bytes = MAX_BYTES,
        .align_bytes = 2,
        .cost_ms = TRANSFER_COST_MS,
        .splits_boundary = true,
        .read = ide_read,
        .read_pio = ide_read_pio,
        .quiet = ide_quiet,
    };
    is_set_up = inb((uint16_t)(bus_master + BM_STATUS)) & BM_STATUS_DMA_CAPABLE(unit);
    err = trial(drive);
    if (err) {
        probe_report("ide", err, "%s %s: DMA does not work here%s: %s", where, drive->name,
                     is_set_up ? "" : " (nor for the BIOS)", drive->client.reason);
        return 0;
    }
    drive->limit_ms = TRANSFER_LIMIT_MS;
    dma_client_register(&drive->client);
    probe_report("ide", 0, "%s %s: %s, %u sectors", where, drive->name, id.model, id.sectors);
    return 0;
}

static bool in_compatibility_mode(const struct pci_device *pdev, unsigned channel)
{
    return !(pdev->class_code & PROGIF_NATIVE(channel));
}

/* Who has the channel with these ports already, or NULL. */
static const struct pci_device *owner_of(uint16_t command_port)
{
    for (unsigned i = 0; i < nr_controllers; i++) {
        for (unsigned channel = 0; channel < NR_CHANNELS; channel++) {
            if (controllers[i].channel[channel].command == command_port)
                return controllers[i].pdev;
        }
    }
    return NULL;
}

/*
 * Finds out where a channel's ports are: fixed, or in BARs if it is in native mode. Two chips may
 * both be told to answer at the fixed ports, and a drive there is one of theirs at most: the first
 * has it, and the trial shows whether it is the right one. Returns 0, or a negative errno after a
 * report.
 */
static int find_ports(const struct pci_device *pdev, unsigned channel, struct ata_channel *ch)
{
    static const struct ata_channel legacy[NR_CHANNELS] = {{0x1f0, 0x3f6, {0}},
                                                           {0x170, 0x376, {0}}};
    const struct pci_device *owner;
    struct pci_bar command, control;

    if (pdev->vendor == VENDOR_INTEL && pdev->device != DEVICE_INTEL_SCH &&
        !(pci_read_config16(pdev, IDETIM(channel)) & IDETIM_DECODE_ENABLE)) {
        probe_report("ide", -ENODEV, "%s: channel %u is switched off", pdev->name, channel);
        return -ENODEV;
    }
    *ch = legacy[channel];
    if (!in_compatibility_mode(pdev, channel)) {
        if (pci_read_bar(pdev, BAR_COMMAND(channel), &command) < 0 || command.kind != PCI_BAR_IO ||
            pci_read_bar(pdev, BAR_CONTROL(channel), &control) < 0 || control.kind != PCI_BAR_IO) {
            probe_report("ide", -ENODEV, "%s: channel %u has no ports", pdev->name, channel);
            return -ENODEV;
        }
        ch->command = (uint16_t)command.base;
        ch->control = (uint16_t)(control.base + CONTROL_BAR_OFFSET);
    }
    owner = owner_of(ch->command);
    if (owner) {
        probe_report("ide", -EBUSY, "%s: channel %u left alone, %s has port 0x%x", pdev->name,
                     channel, owner->name, ch->command);
        return -EBUSY;
    }
    return 0;
}

/* Looks for drives on a channel; what is there and what is missing is reported. */
static void probe_channel(struct ide_controller *ctl, unsigned channel, uint16_t bus_master)
{
    struct ata_channel ch;
    unsigned found = 0;

    if (find_ports(ctl->pdev, channel, &ch) < 0)
        return;
    ctl->channel[channel] = ch;
    for (unsigned unit = 0; unit < UNITS_PER_CHANNEL; unit++) {
        int err = probe_unit(ctl, channel, bus_master, unit);

        if (err == -EBUSY)
            return;
        found += err == 0;
    }
    if (!found)
        probe_report("ide", -ENODEV, "%s: no drive on channel %u", ctl->pdev->name, channel);
}

static int ide_probe(struct pci_device *pdev)
{
    struct ide_controller *ctl = &controllers[nr_controllers];
    struct pci_bar bar;
    uint16_t command;

    if (nr_controllers == MAX_CONTROLLERS) {
        probe_report("ide", -EBUSY, "%s: a third controller is left alone", pdev->name);
        return -EBUSY;
    }
    /* Its fixed ports may be another's: switching decoding on could make two chips answer. */
    if ((in_compatibility_mode(pdev, 0) || in_compatibility_mode(pdev, 1)) &&
        !(pci_read_config16(pdev, PCI_COMMAND) & PCI_COMMAND_IO)) {
        probe_report("ide", -ENODEV, "%s: IDE at fixed ports, switched off by firmware",
                     pdev->name);
        return -ENODEV;
    }
    if (!(pdev->class_code & PROGIF_BUS_MASTER) || pci_read_bar(pdev, BAR_BUS_MASTER, &bar) < 0 ||
        bar.kind != PCI_BAR_IO) {
        probe_report("ide", -ENODEV, "%s: IDE without a bus master", pdev->name);
        return -ENODEV;
    }
    pdev->dma.segment_boundary_mask = DMA_BOUNDARY_64K;
    pdev->dma.max_segment_bytes = DMA_BOUNDARY_64K + 1;
    ctl->pdev = pdev;
    ctl->table = dma_alloc_coherent(&pdev->dma, MAX_REGIONS * sizeof(struct prd), &ctl->table_dma);
    if (!ctl->table) {
        probe_report("ide", -ENOMEM, "%s: no memory for the region table", pdev->name);
        return -ENOMEM;
    }
    nr_controllers++;

    command = pci_enable(pdev, PCI_COMMAND_IO);
    for (unsigned channel = 0; channel < NR_CHANNELS; channel++)
        probe_channel(ctl, channel, (uint16_t)((uint16_t)bar.base + channel * BM_CHANNEL_BYTES));
    pci_restore_command(pdev, command);
    return 0;
}

static const struct pci_match ide_ids[] = {{PCI_ANY, PCI_ANY, CLASS_IDE, CLASS_IDE_MASK}};

TABLE_ENTRY(pci_driver, struct pci_driver) = {
    .name = "ide",
    .match = ide_ids,
    .nr_match = ARRAY_SIZE(ide_ids),
    .probe = ide_probe,
};
