/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Transfers of IDE disks: READ DMA through a table of physical regions, and READ SECTORS by the
 * processor as the reference for it.
 *
 * The end of a transfer is the bus master's interrupt bit, which it sets when the drive has asked
 * for an interrupt and all data is in memory (section 2.4 of its specification). It is learned
 * through the interrupt, or by looking while the interrupt controller's line stays masked. The bus
 * master is allowed on the bus only for the transfer itself.
 */
#include "drivers/ide.h"
#include "drivers/clock.h"
#include "lib/errno.h"
#include "lib/inject.h"
#include "lib/x86/cpu.h"
#include "lib/x86/io.h"
#include "paging/highmem.h"

#define END_GRACE_US 100u /* from the interrupt until the bus master must have come to rest */

static uint16_t bm_port(const struct ide_channel *channel, unsigned reg)
{
    return (uint16_t)(channel->bus_master + reg);
}

bool ide_set_bus_master(struct ide_channel *channels, uint16_t port)
{
    bool simplex = false;

    for (unsigned i = 0; i < IDE_CHANNELS; i++) {
        channels[i].bus_master = (uint16_t)(port + i * IDE_BM_CHANNEL_BYTES);
        simplex |= (inb(bm_port(&channels[i], IDE_BM_STATUS)) & IDE_BM_STATUS_SIMPLEX) != 0;
    }
    for (unsigned i = 0; i < IDE_CHANNELS; i++)
        channels[i].claim = simplex && !inject_on_host(ide_ignore_simplex) ? &channels[0].owner
                                                                           : &channels[i].owner;
    return simplex;
}

/* Writes the table of regions. What the bus master can't do would go wrong silently: refused. */
static int fill_table(struct ide_drive *drive, const struct scatterlist *sg, unsigned nents)
{
    struct dma_client *client = &drive->disk.client;
    struct ide_region *table = drive->channel->table;

    for (unsigned i = 0; i < nents; i++) {
        const struct scatterlist *s = inject(ide_repeat_region, dma_bounce) ? sg : &sg[i];
        bool is_last = i == nents - 1 && !(i > 0 && inject(ide_no_last_mark, dma_bounce));
        dma_addr_t addr = sg_dma_address(s);
        uint32_t bytes = sg_dma_len(&sg[i]);

        if (addr + bytes > dma_make(GIB64(4)))
            return client_error(client, -ERANGE, "region 0x%llx+%u is beyond 4 GiB",
                                addr_number(addr), bytes);
        if ((addr_number(addr) & DMA_BOUNDARY_64K) + bytes - 1 > DMA_BOUNDARY_64K)
            return client_error(client, -ERANGE, "region 0x%llx+%u crosses 64 KiB",
                                addr_number(addr), bytes);
        if ((addr_number(addr) | bytes) & 1)
            return client_error(client, -EINVAL, "region 0x%llx+%u is not even", addr_number(addr),
                                bytes);
        table[i].address = (uint32_t)addr_number(addr);
        /* Longer than the data, in some commands: the next one is like none had been. */
        if (is_last && bytes <= KIB(32) && client->dev->counters.unmaps % 4 == 3 &&
            inject(ide_long_now_and_then, dma_bounce))
            bytes += DISK_SECTOR_BYTES;
        table[i].count = (bytes & IDE_REGION_COUNT_MASK) | (is_last ? IDE_REGION_LAST : 0);
    }
    return 0;
}

/* Error and interrupt are cleared by writing ones; the other bits are to stay. */
static void clear_events(const struct ide_channel *channel, uint8_t events)
{
    uint16_t port = bm_port(channel, IDE_BM_STATUS);
    uint8_t kept = inb(port) & (IDE_BM_STATUS_DMA_CAPABLE(0) | IDE_BM_STATUS_DMA_CAPABLE(1));

    outb(port, (uint8_t)(kept | events));
}

static bool drive_failed(const struct ide_drive *drive)
{
    return !(drive->status & ATA_STATUS_BSY) && (drive->status & (ATA_STATUS_ERR | ATA_STATUS_DF));
}

/*
 * A drive whose interrupt is off says by its status that it has no more data, and the bus master by
 * its coming to rest that all is in memory.
 */
static bool has_ended(const struct ide_drive *drive, uint8_t bm)
{
    if ((drive->bm_seen & IDE_BM_STATUS_ERROR) || drive_failed(drive))
        return true;
    if (drive->status & (ATA_STATUS_BSY | ATA_STATUS_DRQ))
        return false;
    return drive->channel->ata.silent ? !(bm & IDE_BM_STATUS_ACTIVE)
                                      : drive->bm_seen & IDE_BM_STATUS_INTERRUPT;
}

/*
 * The bus master's bit says whose interrupt it was. The drive withdraws its request when its status
 * is taken, and only then may the bit be cleared, or the request would set it again.
 */
static bool ide_service(struct completion *c)
{
    struct ide_drive *drive = container_of(c, struct ide_drive, disk.completion);
    struct ide_channel *channel = drive->channel;
    uint8_t bm = inb(bm_port(channel, IDE_BM_STATUS));
    bool has_request = bm & IDE_BM_STATUS_INTERRUPT;

    if (!drive->started && !has_request)
        return false;
    drive->bm_seen |= drive->started ? bm : 0;
    drive->status = has_request ? ata_take_status(&channel->ata) : ata_status(&channel->ata);
    if (has_request)
        clear_events(channel, IDE_BM_STATUS_INTERRUPT);
    c->done = drive->started && has_ended(drive, bm);
    return has_request;
}

/* Waits for the end of a DMA command. The bus master is still started when this returns. */
static int wait_transfer(struct ide_drive *drive)
{
    struct dma_client *client = &drive->disk.client;
    struct completion *c = &drive->disk.completion;
    uint16_t bm_status = bm_port(drive->channel, IDE_BM_STATUS);
    int err = completion_wait(c, drive->disk.limit_ms);

    if (err)
        return client_error(client, err, "%s after %u ms, bus master 0x%02x, drive 0x%02x",
                            c->interrupt_lost ? "done without interrupt" : "not done",
                            drive->disk.limit_ms, inb(bm_status) | drive->bm_seen, drive->status);
    if (drive->bm_seen & IDE_BM_STATUS_ERROR)
        return client_error(client, -EPROTO, "bus master error, status 0x%02x", drive->bm_seen);
    if (drive_failed(drive))
        return client_error(client, -EIO, "drive error 0x%02x, status 0x%02x",
                            ata_error(&drive->channel->ata), drive->status);
    /* Section 2.4: still active after the drive's interrupt is a table longer than the data. */
    if (inb(bm_status) & IDE_BM_STATUS_ACTIVE)
        delay_us(END_GRACE_US);
    if (inb(bm_status) & IDE_BM_STATUS_ACTIVE)
        return client_error(client, -EPROTO, "bus master 0x%02x: the regions are not used up",
                            inb(bm_status));
    return 0;
}

static int start_transfer(struct ide_drive *drive, uint32_t lba, uint32_t sectors)
{
    struct ide_channel *channel = drive->channel;
    struct completion *c = &drive->disk.completion;
    uint32_t flags;
    int err;

    drive->started = false;
    drive->bm_seen = 0;
    completion_begin(c);
    channel->ata.silent = channel->is_native && !c->requested;
    outb(bm_port(channel, IDE_BM_COMMAND), IDE_BM_COMMAND_TO_MEMORY);
    outl(bm_port(channel, IDE_BM_TABLE), (uint32_t)addr_number(channel->table_dma));
    err = ata_command(&channel->ata, drive->unit, ATA_COMMAND_READ_DMA, lba, sectors);
    if (err) {
        completion_end(c);
        return client_error(&drive->disk.client, err, "drive not ready, status 0x%02x",
                            ata_status(&channel->ata));
    }
    /* Only now: switching the drive's interrupt on may have looked like one. */
    clear_events(channel, IDE_BM_STATUS_ERROR | IDE_BM_STATUS_INTERRUPT);
    flags = irq_save();
    outb(bm_port(channel, IDE_BM_COMMAND), IDE_BM_COMMAND_TO_MEMORY | IDE_BM_COMMAND_START);
    drive->started = true;
    irq_restore(flags);
    return 0;
}

/* Whatever the channel is doing: it stops. */
static void stop_transfer(const struct ide_channel *channel)
{
    outb(bm_port(channel, IDE_BM_COMMAND), 0);
    ata_end_dma(&channel->ata);
    clear_events(channel, IDE_BM_STATUS_ERROR | IDE_BM_STATUS_INTERRUPT);
}

static int run_transfer(struct ide_drive *drive, uint32_t lba, uint32_t sectors)
{
    int err = start_transfer(drive, lba, sectors);

    if (!err) {
        err = wait_transfer(drive);
        completion_end(&drive->disk.completion);
    }
    stop_transfer(drive->channel);
    if (err)
        ata_reset(&drive->channel->ata);
    return err;
}

/* Takes the channel and switches on what the work needs (PCI_COMMAND_*). Returns 0 or -EBUSY. */
static int begin(struct ide_drive *drive, uint32_t command_bits)
{
    int err = disk_claim(drive->channel->claim, &drive->disk.client);

    if (!err)
        pci_hold(drive->channel->pdev, command_bits);
    return err;
}

static void finish(struct ide_drive *drive)
{
    if (!inject(ide_stay_master, dma_bounce))
        pci_release(drive->channel->pdev);
    disk_unclaim(drive->channel->claim);
}

static struct ide_drive *drive_of(struct dma_client *client)
{
    return container_of(client, struct ide_drive, disk.client);
}

static int ide_read(struct dma_client *client, uint64_t dev_offset, struct page *page,
                    uint32_t offset, uint32_t bytes)
{
    struct ide_drive *drive = drive_of(client);
    struct scatterlist sg[IDE_MAX_REGIONS];
    unsigned nents;
    int nr_regions = disk_map(client, dev_offset, page, offset, bytes, sg, ARRAY_SIZE(sg), &nents);
    int err;

    if (nr_regions < 0)
        return nr_regions;
    err = begin(drive, PCI_COMMAND_IO | PCI_COMMAND_MASTER);
    if (!err) {
        err = fill_table(drive, sg, (unsigned)nr_regions);
        if (!err)
            err = run_transfer(drive, (uint32_t)(dev_offset / DISK_SECTOR_BYTES),
                               bytes / DISK_SECTOR_BYTES);
        finish(drive);
    }
    if (inject(ide_look_early, dma_rules))
        memcpy_from_page(&drive->status, page, offset, 1);
    disk_unmap(client, sg, nents, err);
    return err;
}

static int ide_read_pio(struct dma_client *client, uint64_t dev_offset, void *buf, uint32_t bytes)
{
    struct ide_drive *drive = drive_of(client);
    const struct ata_channel *ata = &drive->channel->ata;
    int err = disk_check_range(client, dev_offset, bytes);

    if (!err)
        err = begin(drive, PCI_COMMAND_IO);
    if (err)
        return err;
    err = ata_read_sectors(ata, drive->unit, (uint32_t)(dev_offset / DISK_SECTOR_BYTES),
                           bytes / DISK_SECTOR_BYTES, buf);
    if (err) {
        client_error(client, err, "reading by the processor, status 0x%02x", ata_status(ata));
        ata_reset(ata);
    }
    finish(drive);
    return err;
}

/* A transfer that was abandoned in its middle ends here; those of the other channel go on. */
static void ide_quiet(struct dma_client *client)
{
    struct ide_drive *drive = drive_of(client);

    if (*drive->channel->claim != client)
        return;
    stop_transfer(drive->channel);
    completion_end(&drive->disk.completion);
    finish(drive);
}

void ide_make_client(struct ide_drive *drive, uint32_t sectors)
{
    drive->disk.completion = (struct completion){
        .service = ide_service,
        .name = drive->name,
        .line = drive->channel->line,
    };
    drive->disk.client = (struct dma_client){
        .name = drive->name,
        .dev = &drive->channel->pdev->dma,
        .size_bytes = (uint64_t)sectors * DISK_SECTOR_BYTES,
        .granule_bytes = DISK_SECTOR_BYTES,
        .max_bytes = DISK_MAX_BYTES,
        .align_bytes = 2,
        .cost_ms = DISK_TRANSFER_COST_MS,
        .splits_boundary = true,
        .read = ide_read,
        .read_pio = ide_read_pio,
        .completion = &drive->disk.completion,
        .quiet = ide_quiet,
    };
}
