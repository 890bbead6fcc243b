/* SPDX-License-Identifier: BSD-2-Clause */
/* The search for AHCI adapters and the drives at their ports. */
#include "drivers/ahci.h"
#include "drivers/clock.h"
#include "lib/errno.h"
#include "lib/x86/io.h"
#include "paging/ioremap.h"

#define CLASS_AHCI 0x010601u
#define CLASS_MASK 0xffffffu
#define AHCI_BAR 5u

#define MAX_HBAS 2u
#define MAX_DISKS 4u
#define LOW_BITS 24

#define HANDOFF_LIMIT_MS 25u
#define HANDOFF_BUSY_LIMIT_MS 2000u /* while the BIOS finishes a command (10.6.3) */
#define POLL_US 10u

static struct ahci_hba hbas[MAX_HBAS];
static unsigned nr_hbas;
static struct ahci_drive drives[MAX_DISKS];
static unsigned nr_drives;

static void use_disk(struct ahci_drive *drive, const struct ata_identity *id)
{
    struct ahci_client *ac = &drive->wide;
    const struct ahci_port *port = &drive->port;
    const char *where = port->hba->pdev->name;
    char note[DISK_NOTE_BYTES];
    int err;

    if (!id->has_dma || !id->has_lba || id->sectors_all == 0) {
        probe_report("ahci", -ENOSYS, "%s port %u: %s: no DMA or no LBA", where, port->number,
                     id->model);
        return;
    }
    drive->lba48 = id->has_lba48;
    ac->disk.client.size_bytes = id->sectors_all * DISK_SECTOR_BYTES;
    err = disk_trial(&ac->disk);
    if (err) {
        probe_report("ahci", err, "%s %s: %s: %s", where, ac->name, disk_trial_failure(&ac->disk),
                     ac->disk.client.reason);
        return;
    }
    nr_drives++;
    dma_client_register(&ac->disk.client);
    disk_trial_note(&ac->disk, note);
    probe_report("ahci", 0, "%s %s: %s, %llu sectors, port %u, %u bits%s", where, ac->name,
                 id->model, (unsigned long long)id->sectors_all, port->number,
                 port->hba->has_64bit ? 64u : 32u, note);
    if (port->hba->has_64bit)
        ahci_register_narrow(drive);
}

static void look_at_device(struct ahci_drive *drive)
{
    const struct ahci_port *port = &drive->port;
    const char *where = port->hba->pdev->name;
    uint32_t signature = readl(port->regs + AHCI_SIG);
    struct ata_identity id;
    int err;

    if (signature == AHCI_SIG_ATAPI) {
        probe_report("ahci", -ENOSYS, "%s port %u: %s", where, port->number,
                     disk_medium(ahci_ask_medium(drive)));
        return;
    }
    if (signature != AHCI_SIG_DISK) {
        probe_report("ahci", -ENOSYS, "%s port %u: no disk, signature 0x%08x", where, port->number,
                     signature);
        return;
    }
    err = ahci_identify(drive, &id);
    if (err)
        probe_report("ahci", err, "%s port %u: IDENTIFY failed: %s", where, port->number,
                     drive->wide.disk.client.reason);
    else
        use_disk(drive, &id);
}

static int make_memory(struct ahci_drive *drive)
{
    struct pci_device *pdev = drive->port.hba->pdev;

    drive->dev_low = (struct device){.name = pdev->name, .dma_mask = DMA_BIT_MASK(LOW_BITS)};
    if (!drive->port.memory)
        drive->port.memory = dma_alloc_coherent(&drive->dev_low, sizeof(*drive->port.memory),
                                                &drive->port.memory_dma);
    if (!drive->low)
        drive->low = dma_alloc_coherent(&drive->dev_low, PAGE_SIZE, &drive->low_dma);
    return drive->port.memory && drive->low ? 0 : -ENOMEM;
}

/*
 * Reports what is at a port. Returns 0, or -ENODEV if nothing is. Memory of a drive that is not
 * used serves the next one.
 */
static int look_at_port(struct ahci_hba *hba, unsigned number)
{
    struct ahci_drive *drive = &drives[nr_drives];
    struct ahci_port *port = &drive->port;
    const char *where = hba->pdev->name;
    uint32_t cmd;
    int err;

    if (nr_drives == MAX_DISKS) {
        probe_report("ahci", -ENOSPC, "%s port %u: after %u disks the others are left alone", where,
                     number, MAX_DISKS);
        return -ENOSPC;
    }
    port->hba = hba;
    port->number = number;
    port->regs = hba->regs + AHCI_PORT(number);
    cmd = readl(port->regs + AHCI_CMD);
    err = ahci_port_wake(port);
    if (err == -ENODEV) {
        writel(cmd & ~(AHCI_CMD_ST | AHCI_CMD_FRE), port->regs + AHCI_CMD);
        return err;
    }
    if (!err)
        err = make_memory(drive);
    if (err) {
        probe_report("ahci", err, "%s port %u: %s, SSTS 0x%x, TFD 0x%x", where, number,
                     err == -ENXIO    ? "switched off"
                     : err == -ENOMEM ? "no memory"
                                      : "no link",
                     readl(port->regs + AHCI_SSTS), readl(port->regs + AHCI_TFD));
        return 0;
    }
    drive->index = nr_drives;
    ahci_make_client(drive);
    look_at_device(drive);
    return 0;
}

/* The BIOS gives the adapter up, if it is one that is shared (10.6.3). Returns 0 or -EBUSY. */
static int take_from_bios(const struct ahci_hba *hba)
{
    deadline_t deadline = deadline_in_ms(HANDOFF_LIMIT_MS);
    bool extended = false;

    if (!(readl(hba->regs + AHCI_CAP2) & AHCI_CAP2_HANDOFF))
        return 0;
    writel(readl(hba->regs + AHCI_BOHC) | AHCI_BOHC_OS, hba->regs + AHCI_BOHC);
    for (;;) {
        uint32_t bohc = readl(hba->regs + AHCI_BOHC);

        if (!(bohc & AHCI_BOHC_BIOS))
            return 0;
        if ((bohc & AHCI_BOHC_BUSY) && !extended) {
            deadline = deadline_in_ms(HANDOFF_BUSY_LIMIT_MS);
            extended = true;
        }
        if (deadline_passed(deadline))
            return -EBUSY;
        delay_us(POLL_US);
    }
}

/* Stops what firmware left running, on all ports before the bus is given to any. */
static uint32_t stop_ports(const struct ahci_hba *hba)
{
    uint32_t stopped = 0;

    for (unsigned n = 0; n < AHCI_MAX_PORTS; n++) {
        struct ahci_port port = {.regs = hba->regs + AHCI_PORT(n)};

        if (!(hba->implemented & BIT(n)))
            continue;
        if (ahci_port_stop(&port) == 0)
            stopped |= BIT(n);
        else
            probe_report("ahci", -ETIMEDOUT, "%s port %u: does not stop, command 0x%08x",
                         hba->pdev->name, n, readl(port.regs + AHCI_CMD));
    }
    return stopped;
}

static void look_at_ports(struct ahci_hba *hba, uint32_t ports)
{
    uint32_t empty = 0;

    for (unsigned n = 0; n < AHCI_MAX_PORTS; n++) {
        int err = (ports & BIT(n)) ? look_at_port(hba, n) : 0;

        if (err == -ENOSPC)
            break;
        if (err == -ENODEV)
            empty |= BIT(n);
    }
    if (empty)
        probe_report("ahci", -ENODEV, "%s: no drive at ports 0x%x, of 0x%x", hba->pdev->name, empty,
                     hba->implemented);
}

static void set_limits(const struct ahci_hba *hba)
{
    struct device *dev = &hba->pdev->dma;

    dev->max_segment_bytes = AHCI_REGION_BYTES;
    if (hba->has_64bit) {
        dev->dma_mask = DMA_BIT_MASK(64);
        dev->segment_boundary_mask = 0;
    }
}

static int use_hba(struct ahci_hba *hba)
{
    uint32_t cap = readl(hba->regs + AHCI_CAP), ghc = readl(hba->regs + AHCI_GHC), stopped;

    if (cap == UINT32_MAX && ghc == UINT32_MAX) {
        probe_report("ahci", -EIO, "%s: its registers read all ones", hba->pdev->name);
        return -EIO;
    }
    if (take_from_bios(hba) < 0) {
        probe_report("ahci", -EBUSY, "%s: the BIOS does not give it up, BOHC 0x%x", hba->pdev->name,
                     readl(hba->regs + AHCI_BOHC));
        return -EBUSY;
    }
    writel(ghc | AHCI_GHC_AE, hba->regs + AHCI_GHC);
    hba->implemented = readl(hba->regs + AHCI_PI);
    hba->has_64bit = cap & AHCI_CAP_64BIT;
    set_limits(hba);
    stopped = stop_ports(hba);
    writel(ghc, hba->regs + AHCI_GHC);
    if (stopped != hba->implemented)
        return -EBUSY;
    ahci_hold(hba);
    look_at_ports(hba, stopped);
    ahci_release(hba);
    return 0;
}

static int ahci_probe(struct pci_device *pdev, const struct pci_driver *driver)
{
    struct ahci_hba *hba = &hbas[nr_hbas];
    struct pci_bar bar;
    uint16_t command;
    int err;

    if (nr_hbas == MAX_HBAS) {
        probe_report("ahci", -EBUSY, "%s: a third adapter is left alone", pdev->name);
        return -EBUSY;
    }
    if (pci_read_bar(pdev, AHCI_BAR, &bar) < 0 || bar.kind != PCI_BAR_MEMORY) {
        probe_report("ahci", -ENODEV, "%s: BAR %u is not assigned", pdev->name, AHCI_BAR);
        return -ENODEV;
    }
    hba->regs = ioremap(phys_make(bar.base), AHCI_WINDOW_BYTES);
    if (!hba->regs) {
        probe_report("ahci", -ENOMEM, "%s: no window for its registers", pdev->name);
        return -ENOMEM;
    }
    hba->pdev = pdev;
    command = pci_enable(pdev, PCI_COMMAND_MEMORY);
    err = use_hba(hba);
    pci_restore_command(pdev, command);
    if (err)
        iounmap(hba->regs);
    else
        nr_hbas++;
    return err;
}

static const struct pci_match ahci_ids[] = {{PCI_ANY, PCI_ANY, CLASS_AHCI, CLASS_MASK}};

TABLE_ENTRY(pci_driver, struct pci_driver) = {
    .name = "ahci",
    .match = ahci_ids,
    .nr_match = ARRAY_SIZE(ahci_ids),
    .probe = ahci_probe,
};
