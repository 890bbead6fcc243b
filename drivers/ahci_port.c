/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A port of an AHCI adapter: its engines, its link, and one command at a time. All waits are
 * bounded by the limits of the specification, or generously where it has none.
 */
#include "drivers/ahci_port.h"
#include "drivers/ata.h"
#include "drivers/clock.h"
#include "lib/errno.h"
#include "lib/inject.h"
#include "lib/string.h"
#include "lib/x86/cpu.h"
#include "lib/x86/io.h"

#define ENGINE_LIMIT_MS 500u
#define LINK_LIMIT_MS 100u /* a drive answers within 10 ms if there is one (SATA 8.4) */
#define LINK_SPEED_LIMIT_MS 1000u
#define START_UP_LIMIT_MS 10000u /* a disk from standstill */
#define RESET_HOLD_US 2000u      /* at least 1 ms (10.4.2) */
#define POLL_US 10u

#define FIS_HOST_TO_DEVICE 0x27u
#define FIS_IS_COMMAND 0x80u
#define FIS_BYTES 20u
#define DEVICE_LBA BIT(6)

#define HEADER_FIS_DWORDS (FIS_BYTES / 4)
#define HEADER_ATAPI BIT(5)
#define HEADER_REGIONS_SHIFT 16
#define SLOT0 BIT(0)

#define TFD_ERROR_SHIFT 8
#define TFD_NOT_READY (ATA_STATUS_BSY | ATA_STATUS_DRQ)
#define TFD_FAILED (ATA_STATUS_ERR | ATA_STATUS_DF)

/* Addresses of a port, in the order of struct ahci_port */
static const uint8_t address_regs[] = {AHCI_CLB, AHCI_CLBU, AHCI_FB, AHCI_FBU};

static uint32_t port_read(const struct ahci_port *port, unsigned reg)
{
    return readl(port->regs + reg);
}

static void port_write(const struct ahci_port *port, unsigned reg, uint32_t value)
{
    writel(value, port->regs + reg);
}

/* Waits until the register's bits in `mask` are `wanted`. */
static int wait_bits(const struct ahci_port *port, unsigned reg, uint32_t mask, uint32_t wanted,
                     uint32_t limit_ms)
{
    deadline_t deadline = deadline_in_ms(limit_ms);

    while ((port_read(port, reg) & mask) != wanted) {
        if (deadline_passed(deadline))
            return -ETIMEDOUT;
        delay_us(POLL_US);
    }
    return 0;
}

void ahci_hold(struct ahci_hba *hba)
{
    uint32_t flags = irq_save();

    pci_hold(hba->pdev, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    if (hba->users++ == 0) {
        hba->ghc_before = readl(hba->regs + AHCI_GHC);
        /* Registers of ports exist in AHCI mode only (10.1.2). */
        writel(hba->ghc_before | AHCI_GHC_AE, hba->regs + AHCI_GHC);
        for (unsigned n = 0; n < AHCI_MAX_PORTS; n++) {
            if (!(hba->implemented & BIT(n)))
                continue;
            hba->enables_before[n] = readl(hba->regs + AHCI_PORT(n) + AHCI_PIE);
            writel(0, hba->regs + AHCI_PORT(n) + AHCI_PIE);
        }
        /* What the ports asked for before is nobody's, and would hold the line down. */
        writel(UINT32_MAX, hba->regs + AHCI_IS);
        writel(hba->ghc_before | AHCI_GHC_AE | AHCI_GHC_IE, hba->regs + AHCI_GHC);
    }
    irq_restore(flags);
}

void ahci_release(struct ahci_hba *hba)
{
    uint32_t flags = irq_save();

    if (hba->users > 0 && --hba->users == 0) {
        writel(AHCI_GHC_AE, hba->regs + AHCI_GHC);
        for (unsigned n = 0; n < AHCI_MAX_PORTS; n++) {
            if (hba->implemented & BIT(n))
                writel(hba->enables_before[n], hba->regs + AHCI_PORT(n) + AHCI_PIE);
        }
        writel(hba->ghc_before, hba->regs + AHCI_GHC);
    }
    if (!inject(ahci_stay_master, dma_bounce))
        pci_release(hba->pdev);
    irq_restore(flags);
}

static int stop_engine(const struct ahci_port *port, uint32_t enable, uint32_t running)
{
    port_write(port, AHCI_CMD, port_read(port, AHCI_CMD) & ~enable);
    return wait_bits(port, AHCI_CMD, running, 0, ENGINE_LIMIT_MS);
}

int ahci_port_stop(const struct ahci_port *port)
{
    int err = stop_engine(port, AHCI_CMD_ST, AHCI_CMD_CR);

    return err ? err : stop_engine(port, AHCI_CMD_FRE, AHCI_CMD_FR);
}

/* Nothing else keeps it from memory that is unmapped in a moment. */
static void give_up(const struct ahci_port *port)
{
    port->hba->broken = true;
    pci_set_master(port->hba->pdev, false);
}

static uint32_t detected(const struct ahci_port *port)
{
    return port_read(port, AHCI_SSTS) & AHCI_DET_MASK;
}

/* After the link was told to come up: whether there is a drive. Errors of its start are none. */
static int wait_link(const struct ahci_port *port)
{
    deadline_t deadline = deadline_in_ms(LINK_LIMIT_MS);
    int err;

    while (detected(port) == AHCI_DET_NONE) {
        if (deadline_passed(deadline))
            return -ENODEV;
        delay_us(POLL_US);
    }
    err = wait_bits(port, AHCI_SSTS, AHCI_DET_MASK, AHCI_DET_READY, LINK_SPEED_LIMIT_MS);
    port_write(port, AHCI_SERR, UINT32_MAX);
    return err;
}

int ahci_port_wake(const struct ahci_port *port)
{
    uint32_t cmd = port_read(port, AHCI_CMD);
    uint32_t power = AHCI_CMD_SPIN_UP | AHCI_CMD_POWER;
    bool was_off = (cmd & power) != power;

    if (was_off)
        port_write(port, AHCI_CMD, cmd | power);
    if (detected(port) == AHCI_DET_OFF)
        return -ENXIO;
    /* One that was started long ago would have answered by now. */
    if (!was_off && detected(port) == AHCI_DET_NONE)
        return -ENODEV;
    return wait_link(port);
}

static int wait_drive(const struct ahci_port *port)
{
    return wait_bits(port, AHCI_TFD, TFD_NOT_READY, 0, START_UP_LIMIT_MS);
}

int ahci_port_reset(const struct ahci_port *port)
{
    uint32_t control = port_read(port, AHCI_SCTL) & ~AHCI_DET_MASK;
    uint32_t cmd = port_read(port, AHCI_CMD);
    int err;

    /* The drive's first FIS says when it is ready, so it must have somewhere to go. */
    port_write(port, AHCI_CMD, cmd | AHCI_CMD_FRE);
    port_write(port, AHCI_SCTL, control | AHCI_SCTL_COMRESET);
    port_read(port, AHCI_SCTL); /* it is there now, not posted on the way */
    delay_us(RESET_HOLD_US);
    port_write(port, AHCI_SCTL, control);
    err = wait_link(port);
    return err ? err : wait_drive(port);
}

static void start_engines(const struct ahci_port *port)
{
    port_write(port, AHCI_SERR, UINT32_MAX);
    port_write(port, AHCI_PIS, UINT32_MAX);
    port_write(port, AHCI_CMD, port_read(port, AHCI_CMD) | AHCI_CMD_FRE);
}

int ahci_port_open(struct ahci_port *port)
{
    uint64_t base = addr_number(port->memory_dma);
    uint64_t received = base + offsetof(struct ahci_memory, received);
    const uint32_t ours[] = {(uint32_t)base, (uint32_t)(base >> 32), (uint32_t)received,
                             (uint32_t)(received >> 32)};
    int err = ahci_port_stop(port);

    if (err)
        return err;
    port->cmd_before = port_read(port, AHCI_CMD);
    for (unsigned i = 0; i < ARRAY_SIZE(address_regs); i++) {
        port->before[i] = port_read(port, address_regs[i]);
        port_write(port, address_regs[i], ours[i]);
    }
    start_engines(port);
    /* ST only when the drive is not busy (10.3.1). */
    err = wait_drive(port);
    if (err)
        err = ahci_port_reset(port);
    if (err)
        ahci_port_close(port);
    else
        port_write(port, AHCI_CMD, port_read(port, AHCI_CMD) | AHCI_CMD_ST);
    return err;
}

void ahci_port_close(struct ahci_port *port)
{
    port_write(port, AHCI_PIE, 0);
    if (ahci_port_stop(port) != 0) {
        give_up(port);
        return;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(address_regs); i++)
        port_write(port, address_regs[i], port->before[i]);
    port_write(port, AHCI_CMD, port->cmd_before);
    port_write(port, AHCI_PIS, UINT32_MAX);
}

void ahci_set_region(struct ahci_port *port, unsigned index, dma_addr_t addr, uint32_t bytes)
{
    uint64_t number = addr_number(addr);
    struct ahci_region *region = &port->memory->regions[index];

    *region = (struct ahci_region){
        .address = (uint32_t)number,
        .address_upper = (uint32_t)(number >> 32),
        .count = bytes - 1,
    };
    /* Not just dropped: what lies at the lower address would be overwritten. */
    if (region->address_upper && inject(ahci_wrong_upper_half, dma_bounce))
        region->address_upper = UINT16_MAX;
    if (index > 0 && inject(ahci_region_too_long, dma_bounce))
        region->count += 2;
}

/* The command as it goes over the wire (SATA, Register host to device), and its header. */
static void write_command(struct ahci_port *port, const struct ahci_command *command)
{
    struct ahci_memory *memory = port->memory;
    uint64_t table = addr_number(port->memory_dma) + offsetof(struct ahci_memory, fis);
    unsigned nr_regions = command->nr_regions;
    uint8_t *fis = memory->fis;

    memset(fis, 0, sizeof(memory->fis));
    fis[0] = FIS_HOST_TO_DEVICE;
    fis[1] = FIS_IS_COMMAND;
    fis[2] = command->command;
    for (unsigned i = 0; i < 3; i++) {
        fis[4 + i] = (uint8_t)(command->lba >> (8 * i));
        fis[8 + i] = command->lba48 ? (uint8_t)(command->lba >> (24 + 8 * i)) : 0;
    }
    fis[7] = (uint8_t)(DEVICE_LBA | (command->lba48 ? 0 : command->lba >> 24 & 0xf));
    fis[12] = (uint8_t)command->count; /* 256 in the short form is 0 */
    fis[13] = command->lba48 ? (uint8_t)(command->count >> 8) : 0;
    if (command->has_packet)
        fis[7] = 0;

    if (nr_regions > 1 && inject(ahci_region_missing, dma_bounce))
        nr_regions--;
    memory->headers[0] = (struct ahci_header){
        .flags = HEADER_FIS_DWORDS | (command->has_packet ? HEADER_ATAPI : 0) |
                 nr_regions << HEADER_REGIONS_SHIFT,
        .table = (uint32_t)table,
        .table_upper = (uint32_t)(table >> 32),
    };
}

/* Not the single one of the trial, after which the disk would not count. */
static bool has_regions(const struct ahci_port *port)
{
    return port->memory->headers[0].flags >> HEADER_REGIONS_SHIFT > 1;
}

bool ahci_port_service(struct ahci_port *port, struct completion *c)
{
    uint32_t requests = port_read(port, AHCI_PIS);

    if (requests && !(inject(ahci_request_kept, dma_bounce) && has_regions(port))) {
        port_write(port, AHCI_PIS, requests);
        writel(BIT(port->number), port->hba->regs + AHCI_IS);
    }
    /* The line may be another's as well, and ask before there is a command. */
    if (!port->issued)
        return requests != 0;
    port->seen |= requests;
    c->done = (port->seen & AHCI_PIS_FATAL) || !(port_read(port, AHCI_CI) & SLOT0);
    return requests != 0;
}

uint8_t ahci_error_register(const struct ahci_port *port)
{
    return (uint8_t)(port_read(port, AHCI_TFD) >> TFD_ERROR_SHIFT);
}

/* What came of a command that has ended. */
static int judge_end(struct ahci_port *port, struct disk *disk, const struct ahci_command *command)
{
    uint32_t tfd = port_read(port, AHCI_TFD);
    uint32_t moved = port->memory->headers[0].bytes;

    if (tfd & TFD_FAILED)
        return client_error(&disk->client, -EIO, "drive error 0x%02x, status 0x%02x",
                            tfd >> TFD_ERROR_SHIFT & UINT8_MAX, tfd & UINT8_MAX);
    if (port->seen & AHCI_PIS_FATAL)
        return client_error(&disk->client, -EPROTO, "port status 0x%08x, SATA errors 0x%08x",
                            port->seen, port_read(port, AHCI_SERR));
    if (moved != command->bytes)
        return client_error(&disk->client, -EPROTO, "%u bytes were moved, not %u, status 0x%02x",
                            moved, command->bytes, tfd & UINT8_MAX);
    return 0;
}

/* Out of whatever it hangs in (6.2.2): engines off and on, with a COMRESET if the drive is stuck.
 */
static void recover(const struct ahci_port *port)
{
    if (stop_engine(port, AHCI_CMD_ST, AHCI_CMD_CR) != 0) {
        give_up(port);
        return;
    }
    if ((port_read(port, AHCI_TFD) & TFD_NOT_READY) || (port_read(port, AHCI_CI) & SLOT0))
        ahci_port_reset(port);
    start_engines(port);
    if (!(port_read(port, AHCI_TFD) & TFD_NOT_READY))
        port_write(port, AHCI_CMD, port_read(port, AHCI_CMD) | AHCI_CMD_ST);
}

int ahci_run(struct ahci_port *port, struct disk *disk, const struct ahci_command *command)
{
    struct completion *c = &disk->completion;
    uint32_t flags;
    int err;

    if (!ata_command_is_safe(command->command))
        return client_error(&disk->client, -EPERM, "command 0x%02x is not one that reads",
                            command->command);
    write_command(port, command);
    port->seen = 0;
    port->issued = false;
    port_write(port, AHCI_PIS, UINT32_MAX);
    writel(BIT(port->number), port->hba->regs + AHCI_IS);
    completion_begin(c);
    port_write(port, AHCI_PIE, c->requested ? AHCI_PIS_ENDS | AHCI_PIS_FATAL : 0);
    flags = irq_save();
    port_write(port, AHCI_CI, SLOT0);
    port->issued = true;
    irq_restore(flags);
    err = completion_wait(c, disk->limit_ms);
    port_write(port, AHCI_PIE, 0);
    completion_end(c);
    if (err)
        client_error(&disk->client, err, "%s after %u ms: IS %08x CI %x TFD %x SERR %x",
                     c->interrupt_lost ? "done without interrupt" : "not done", disk->limit_ms,
                     port->seen, port_read(port, AHCI_CI), port_read(port, AHCI_TFD),
                     port_read(port, AHCI_SERR));
    else
        err = judge_end(port, disk, command);
    if (err)
        recover(port);
    return err;
}
