/* SPDX-License-Identifier: BSD-2-Clause */
#include "drivers/ahci.h"
#include "drivers/ata_commands.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/string.h"

#define SENSE_ATTEMPTS 3u
#define SENSE_SHIFT 4
#define ASK_LIMIT_MS 5000u

static struct ahci_client *client_of(struct dma_client *client)
{
    return container_of(client, struct ahci_client, disk.client);
}

static bool ahci_service(struct completion *c)
{
    struct ahci_client *ac = container_of(c, struct ahci_client, disk.completion);

    return ahci_port_service(&ac->drive->port, c);
}

/* Takes the port, and opens it. */
static int begin(struct ahci_client *ac)
{
    struct ahci_port *port = &ac->drive->port;
    uint32_t identity;
    int err;

    /* Seconds would go by until its port had not started. */
    if (pci_is_gone(port->hba->pdev, &identity))
        return client_error(&ac->disk.client, -EPROTO, "the adapter's identity reads 0x%08x",
                            identity);
    err = disk_claim(&port->owner, &ac->disk.client);
    if (err)
        return err;
    if (port->hba->broken) {
        disk_unclaim(&port->owner);
        return client_error(&ac->disk.client, -EPROTO, "an engine of the adapter did not stop");
    }
    ahci_hold(port->hba);
    err = ahci_port_open(port);
    if (!err)
        return 0;
    ahci_release(port->hba);
    disk_unclaim(&port->owner);
    return client_error(&ac->disk.client, err, "the port does not start");
}

static void finish(struct ahci_client *ac)
{
    struct ahci_port *port = &ac->drive->port;

    ahci_port_close(port);
    ahci_release(port->hba);
    disk_unclaim(&port->owner);
}

/* Writes the list of regions. What the adapter can't do would go wrong silently: refused. */
static int fill_regions(struct ahci_client *ac, const struct scatterlist *sg, unsigned nents)
{
    struct dma_client *client = &ac->disk.client;
    dma_addr_t mask = client->dev->dma_mask;

    for (unsigned i = 0; i < nents; i++) {
        dma_addr_t addr = sg_dma_address(&sg[i]);
        uint32_t bytes = sg_dma_len(&sg[i]);

        if (addr + bytes - 1 > mask)
            return client_error(client, -ERANGE, "region 0x%llx+%u is beyond mask 0x%llx",
                                addr_number(addr), bytes, addr_number(mask));
        if ((addr_number(addr) | bytes) & 1)
            return client_error(client, -EINVAL, "region 0x%llx+%u is not even", addr_number(addr),
                                bytes);
        ahci_set_region(&ac->drive->port, i, addr, bytes);
    }
    return 0;
}

static int run_read(struct ahci_client *ac, const struct scatterlist *sg, unsigned nents,
                    uint64_t dev_offset, uint32_t bytes)
{
    const struct ahci_command command = {
        .command = ac->drive->lba48 ? ATA_COMMAND_READ_DMA_EXT : ATA_COMMAND_READ_DMA,
        .lba48 = ac->drive->lba48,
        .lba = dev_offset / DISK_SECTOR_BYTES,
        .count = bytes / DISK_SECTOR_BYTES,
        .nr_regions = nents,
        .bytes = bytes,
    };
    int err = fill_regions(ac, sg, nents);

    return err ? err : ahci_run(&ac->drive->port, &ac->disk, &command);
}

static int ahci_read(struct dma_client *client, uint64_t dev_offset, struct page *page,
                     uint32_t offset, uint32_t bytes)
{
    struct ahci_client *ac = client_of(client);
    struct scatterlist sg[AHCI_MAX_REGIONS];
    unsigned nents;
    int nr_regions = disk_map(client, dev_offset, page, offset, bytes, sg, ARRAY_SIZE(sg), &nents);
    int err;

    if (nr_regions < 0)
        return nr_regions;
    err = begin(ac);
    if (!err) {
        err = run_read(ac, sg, (unsigned)nr_regions, dev_offset, bytes);
        finish(ac);
    }
    disk_unmap(client, sg, nents, err);
    return err;
}

/* A command whose data, if it has any, goes to the low page; asked for its end, never by interrupt.
 */
static int run_low(struct ahci_client *ac, struct ahci_command *command)
{
    struct completion *c = &ac->disk.completion;
    bool by_interrupt = c->by_interrupt;
    int err;

    command->nr_regions = command->bytes ? 1 : 0;
    if (command->bytes)
        ahci_set_region(&ac->drive->port, 0, ac->drive->low_dma, command->bytes);
    c->by_interrupt = false;
    err = ahci_run(&ac->drive->port, &ac->disk, command);
    c->by_interrupt = by_interrupt;
    return err;
}

static int ahci_read_pio(struct dma_client *client, uint64_t dev_offset, void *buf, uint32_t bytes)
{
    struct ahci_client *ac = client_of(client);
    uint8_t *to = buf;
    int err = disk_check_range(client, dev_offset, bytes);

    if (!err)
        err = begin(ac);
    if (err)
        return err;
    for (uint32_t at = 0; at < bytes && !err; at += PAGE_SIZE) {
        uint32_t piece = MIN(bytes - at, PAGE_SIZE);
        struct ahci_command command = {
            .command = ac->drive->lba48 ? ATA_COMMAND_READ_SECTORS_EXT : ATA_COMMAND_READ_SECTORS,
            .lba48 = ac->drive->lba48,
            .lba = (dev_offset + at) / DISK_SECTOR_BYTES,
            .count = piece / DISK_SECTOR_BYTES,
            .bytes = piece,
        };

        err = run_low(ac, &command);
        memcpy(to + at, ac->drive->low, piece);
    }
    finish(ac);
    return err;
}

/* A transfer that was abandoned in its middle ends here; those of other ports go on. */
static void ahci_quiet(struct dma_client *client)
{
    struct ahci_client *ac = client_of(client);

    if (ac->drive->port.owner != client)
        return;
    completion_end(&ac->disk.completion);
    finish(ac);
}

static void make_client(struct ahci_client *ac, struct ahci_drive *drive, struct device *dev,
                        const char *suffix)
{
    const struct pci_device *pdev = drive->port.hba->pdev;

    format(ac->name, sizeof(ac->name), "ahci%u%s", drive->index, suffix);
    ac->drive = drive;
    ac->disk.limit_ms = ASK_LIMIT_MS;
    ac->disk.completion = (struct completion){
        .service = ahci_service,
        .name = ac->name,
        .line = pdev->irq_line,
    };
    ac->disk.client = (struct dma_client){
        .name = ac->name,
        .dev = dev,
        .granule_bytes = DISK_SECTOR_BYTES,
        .max_bytes = DISK_MAX_BYTES,
        .align_bytes = 2,
        .cost_ms = DISK_TRANSFER_COST_MS,
        .splits_boundary = true,
        .read = ahci_read,
        .read_pio = ahci_read_pio,
        .pio_by_adapter = true,
        .completion = &ac->disk.completion,
        .quiet = ahci_quiet,
    };
}

void ahci_make_client(struct ahci_drive *drive)
{
    make_client(&drive->wide, drive, &drive->port.hba->pdev->dma, "");
}

/* It is like the first client but for its address bits. */
void ahci_register_narrow(struct ahci_drive *drive)
{
    struct device *dev = drive->wide.disk.client.dev;

    drive->dev32 = (struct device){
        .name = dev->name,
        .dma_mask = DMA_BIT_MASK(32),
        .max_segment_bytes = dev->max_segment_bytes,
        .segment_boundary_mask = DMA_BOUNDARY_4G,
        .parent = dev,
    };
    make_client(&drive->narrow, drive, &drive->dev32, "_32bit");
    drive->narrow.disk.client.size_bytes = drive->wide.disk.client.size_bytes;
    drive->narrow.disk.completion.line = drive->wide.disk.completion.line;
    dma_client_register(&drive->narrow.disk.client);
}

int ahci_identify(struct ahci_drive *drive, struct ata_identity *id)
{
    struct ahci_client *ac = &drive->wide;
    struct ahci_command command = {.command = ATA_COMMAND_IDENTIFY, .bytes = 2 * ATA_ID_WORDS};
    int err = begin(ac);

    if (err)
        return err;
    err = run_low(ac, &command);
    if (!err)
        ata_take_identity((const uint16_t *)(const void *)drive->low, id);
    finish(ac);
    return err;
}

int ahci_ask_medium(struct ahci_drive *drive)
{
    struct ahci_client *ac = &drive->wide;
    struct ahci_command command = {.command = ATA_COMMAND_PACKET, .has_packet = true};
    int sense = ATA_SENSE_UNIT_ATTENTION;

    for (unsigned i = 0; i < SENSE_ATTEMPTS && sense == ATA_SENSE_UNIT_ATTENTION; i++) {
        sense = begin(ac);
        if (sense)
            return sense;
        memset(drive->port.memory->packet, ATA_PACKET_TEST_UNIT_READY, ATA_PACKET_BYTES);
        sense = run_low(ac, &command);
        if (sense == -EIO)
            sense = ahci_error_register(&drive->port) >> SENSE_SHIFT;
        finish(ac);
    }
    return sense;
}
