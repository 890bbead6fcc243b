/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The search for IDE controllers, their channels and drives. A drive that is no disk, or does not
 * pass the trial, is left alone with a line that says why.
 */
#include "drivers/ide.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/inject.h"
#include "lib/x86/io.h"

/* PCI: class, and what its programming interface byte says */
#define CLASS_IDE 0x010100u
#define CLASS_IDE_MASK 0xffff00u
#define PROGIF_NATIVE(channel) BIT(2 * (channel))
#define PROGIF_BUS_MASTER BIT(7)
#define BAR_COMMAND(channel) (2 * (channel))
#define BAR_CONTROL(channel) (2 * (channel) + 1)
#define BAR_BUS_MASTER 4u
#define COMMAND_BYTES 8u
#define CONTROL_BYTES 4u
#define CONTROL_BAR_OFFSET 2u /* the control register in its four-byte BAR */

/* Intel's own: a word for each channel with its timing and, in one bit, whether it decodes */
#define VENDOR_INTEL 0x8086u
#define DEVICE_INTEL_SCH 0x811au /* the exception: its timing is elsewhere, with no such bit */
#define IDETIM(channel) (0x40u + 2 * (channel))
#define IDETIM_DECODE_ENABLE BIT(15)

/* Interrupts of channels at the fixed ports */
#define LEGACY_LINE(channel) (14u + (channel))

#define UNITS_PER_CHANNEL ATA_UNITS
#define MAX_CONTROLLERS 2u
#define SENSE_ATTEMPTS 3u

struct ide_controller {
    struct pci_device *pdev;
    struct ide_channel channel[IDE_CHANNELS];
    struct ide_drive drive[IDE_CHANNELS * UNITS_PER_CHANNEL];
};

static struct ide_controller controllers[MAX_CONTROLLERS];
static unsigned nr_controllers;

static void report_atapi(const char *where, const struct ide_drive *drive)
{
    int sense = ATA_SENSE_UNIT_ATTENTION;

    for (unsigned i = 0; i < SENSE_ATTEMPTS && sense == ATA_SENSE_UNIT_ATTENTION; i++)
        sense = ata_test_unit_ready(&drive->channel->ata, drive->unit);
    probe_report("ide", -ENOSYS, "%s %s: %s", where, drive->name, disk_medium(sense));
}

/* Selects a DMA mode in a drive that the firmware set none for, and tries it. */
static void use_disk(struct ide_drive *drive, const struct ata_identity *id)
{
    struct ide_channel *channel = drive->channel;
    const char *where = channel->pdev->name;
    char note[DISK_NOTE_BYTES];
    bool is_set_up;
    int err = 0;

    if (!id->has_dma || !id->has_lba || id->sectors == 0 || !id->dma_mode) {
        probe_report("ide", -ENOSYS, "%s %s: %s: no DMA or no LBA", where, drive->name, id->model);
        return;
    }
    if (!id->dma_mode_is_set)
        err = ata_set_dma_mode(&channel->ata, drive->unit, id->dma_mode);
    if (err) {
        probe_report("ide", err, "%s %s: %s: refuses DMA mode 0x%02x", where, drive->name,
                     id->model, id->dma_mode);
        return;
    }
    is_set_up = inb((uint16_t)(channel->bus_master + IDE_BM_STATUS)) &
                IDE_BM_STATUS_DMA_CAPABLE(drive->unit);
    ide_make_client(drive, id->sectors);
    err = disk_trial(&drive->disk);
    if (err) {
        probe_report("ide", err, "%s %s: %s%s: %s", where, drive->name,
                     disk_trial_failure(&drive->disk), is_set_up ? "" : " (BIOS: no DMA)",
                     drive->disk.client.reason);
        return;
    }
    dma_client_register(&drive->disk.client);
    disk_trial_note(&drive->disk, note);
    probe_report("ide", 0, "%s %s: %s, %u sectors%s", where, drive->name, id->model, id->sectors,
                 note);
}

/*
 * Reports what there is, and takes a disk into use. Returns 0, -ENODEV where nothing is, or -EBUSY
 * where asking the channel's other unit is no use.
 */
static int look_at_unit(struct ide_controller *ctl, unsigned channel, unsigned unit)
{
    struct ide_channel *ch = &ctl->channel[channel];
    unsigned number = channel * UNITS_PER_CHANNEL + unit;
    struct ide_drive *drive = &ctl->drive[number];
    const char *where = ctl->pdev->name;
    struct ata_identity id;
    int err = ata_identify(&ch->ata, unit, &id);

    number += (unsigned)(ctl - controllers) * ARRAY_SIZE(ctl->drive);
    format(drive->name, sizeof(drive->name), "ide%u", number);
    drive->channel = ch;
    drive->unit = unit;
    if (err == -ENODEV)
        return err;
    if (err == -ENOSYS) {
        report_atapi(where, drive);
        return 0;
    }
    if (err) {
        probe_report("ide", err, "%s %s: %s, status 0x%02x", where, drive->name,
                     err == -EBUSY ? "the channel stays busy" : "IDENTIFY failed",
                     ata_status(&ch->ata));
        return err == -EBUSY ? err : 0;
    }
    use_disk(drive, &id);
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
        for (unsigned channel = 0; channel < IDE_CHANNELS; channel++) {
            if (controllers[i].channel[channel].ata.command == command_port)
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
    static const struct ata_channel legacy[IDE_CHANNELS] = {
        {.command = 0x1f0, .control = 0x3f6},
        {.command = 0x170, .control = 0x376},
    };
    const struct pci_device *owner;
    uint16_t command, control;

    if (pdev->vendor == VENDOR_INTEL && pdev->device != DEVICE_INTEL_SCH &&
        !(pci_read_config16(pdev, IDETIM(channel)) & IDETIM_DECODE_ENABLE)) {
        probe_report("ide", -ENODEV, "%s: channel %u is switched off", pdev->name, channel);
        return -ENODEV;
    }
    *ch = legacy[channel];
    if (!in_compatibility_mode(pdev, channel)) {
        command = pci_bar_port(pdev, BAR_COMMAND(channel), COMMAND_BYTES);
        control = pci_bar_port(pdev, BAR_CONTROL(channel), CONTROL_BYTES);
        if (!command || !control) {
            probe_report("ide", -ENODEV, "%s: channel %u has no ports", pdev->name, channel);
            return -ENODEV;
        }
        ch->command = command;
        ch->control = (uint16_t)(control + CONTROL_BAR_OFFSET);
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
static void look_at_channel(struct ide_controller *ctl, unsigned channel)
{
    struct ide_channel *ch = &ctl->channel[channel];
    struct pci_device *pdev = ctl->pdev;
    struct ata_channel ata;
    unsigned found = 0;

    if (find_ports(pdev, channel, &ata) < 0)
        return;
    ch->ata = ata;
    ch->pdev = pdev;
    ch->is_native = !in_compatibility_mode(pdev, channel);
    if (!ch->is_native)
        ch->line = LEGACY_LINE(channel);
    else
        ch->line = pdev->irq_line;
    for (unsigned unit = 0; unit < UNITS_PER_CHANNEL; unit++) {
        int err = look_at_unit(ctl, channel, unit);

        if (err == -EBUSY)
            return;
        found += err == 0;
    }
    if (!found)
        probe_report("ide", -ENODEV, "%s: no drive on channel %u", pdev->name, channel);
}

static int make_tables(struct ide_controller *ctl)
{
    for (unsigned i = 0; i < IDE_CHANNELS; i++) {
        struct ide_channel *ch = &ctl->channel[i];

        ch->table = dma_alloc_coherent(&ctl->pdev->dma, IDE_MAX_REGIONS * sizeof(ch->table[0]),
                                       &ch->table_dma);
        if (!ch->table)
            return -ENOMEM;
    }
    return 0;
}

static int ide_probe(struct pci_device *pdev, const struct pci_driver *driver)
{
    struct ide_controller *ctl = &controllers[nr_controllers];
    uint16_t bus_master;

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
    bus_master = pci_bar_port(pdev, BAR_BUS_MASTER, IDE_CHANNELS * IDE_BM_CHANNEL_BYTES);
    if (!(pdev->class_code & PROGIF_BUS_MASTER) || !bus_master) {
        probe_report("ide", -ENODEV, "%s: IDE without a bus master", pdev->name);
        return -ENODEV;
    }
    pdev->dma.segment_boundary_mask =
        inject(ide_boundary_ignored, dma_bounce) ? DMA_BOUNDARY_4G : DMA_BOUNDARY_64K;
    pdev->dma.max_segment_bytes = DMA_BOUNDARY_64K + 1;
    ctl->pdev = pdev;
    if (make_tables(ctl) < 0) {
        probe_report("ide", -ENOMEM, "%s: no memory for the region tables", pdev->name);
        return -ENOMEM;
    }
    nr_controllers++;

    pci_hold(pdev, PCI_COMMAND_IO);
    if (ide_set_bus_master(ctl->channel, bus_master))
        probe_report("ide", 0, "%s: simplex, its channels take turns", pdev->name);
    for (unsigned channel = 0; channel < IDE_CHANNELS; channel++)
        look_at_channel(ctl, channel);
    pci_release(pdev);
    return 0;
}

static const struct pci_match ide_ids[] = {{PCI_ANY, PCI_ANY, CLASS_IDE, CLASS_IDE_MASK}};

TABLE_ENTRY(pci_driver, struct pci_driver) = {
    .name = "ide",
    .match = ide_ids,
    .nr_match = ARRAY_SIZE(ide_ids),
    .probe = ide_probe,
};
