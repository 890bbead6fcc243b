/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * AHCI against a model of an adapter: BIOS handoff, staggered spin-up, ports that never answer, and
 * everything as it was found afterwards. What QEMU's adapter has none of.
 */
#include "ci/unit/stub_clock.h"
#include "ci/unit/unit.h"

#define LIB_X86_IO_H
#define LIB_X86_CPU_H
static uint32_t readl(const volatile void *addr);
static void writel(uint32_t value, volatile void *addr);
static uint32_t irq_save(void)
{
    return 0;
}
static void irq_restore(uint32_t flags)
{
}

#include "drivers/ahci.c"

#include "drivers/ahci_port.c"

#include "drivers/ahci_probe.c"

#define MODEL_PORTS 4u
#define PORT_DWORDS (0x80 / 4)

enum model_kind { EMPTY, DISK, ATAPI, HANGING };

/* A port; a link that comes up by spin-up or COMRESET only if somebody is there. */
struct model_port {
    uint32_t regs[PORT_DWORDS];
    enum model_kind kind;
    bool engine_hangs;
    bool engine_sticks; /* in a command that hangs */
    uint64_t ready_us;
};

static struct {
    struct model_port ports[MODEL_PORTS];
    uint32_t cap, ghc, cap2, bohc;
    bool bios_is_slow, bios_never;
    uint64_t handoff_us;
    unsigned nr_commands, nr_holders, nr_reports;
    char reports[16][PROBE_TEXT_BYTES];
    uint8_t window[AHCI_WINDOW_BYTES];
    uint8_t memory[16][PAGE_SIZE] __attribute__((aligned(4096)));
    unsigned nr_pages;
    bool master, lost_master; /* by pci_set_master() */
} model;

static struct pci_device the_pdev = {.name = "00:1f.2", .irq_line = 11, .irq_pin = 1};

void wait_yield(void)
{
    now_us += 1000;
}

void probe_report(const char *driver, int result, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(model.reports[model.nr_reports++ % 16], PROBE_TEXT_BYTES, fmt, args);
    va_end(args);
}

void dma_client_register(struct dma_client *client)
{
}

/* Asked for its end, as in the trial's first half. */
void completion_begin(struct completion *c)
{
    c->done = false;
    c->requested = false;
}

int completion_wait(struct completion *c, uint32_t limit_ms)
{
    deadline_t deadline = deadline_in_ms(limit_ms);

    while (!c->done && !deadline_passed(deadline)) {
        c->service(c);
        now_us += 100;
    }
    return c->done ? 0 : -ETIMEDOUT;
}

void completion_end(struct completion *c)
{
}

int disk_trial(struct disk *disk)
{
    uint8_t sector[DISK_SECTOR_BYTES];

    return disk->client.read_pio(&disk->client, 0, sector, sizeof(sector));
}

void disk_trial_note(const struct disk *disk, char *note)
{
    *note = '\0';
}

const char *disk_trial_failure(const struct disk *disk)
{
    return "failed";
}

const char *disk_medium(int sense)
{
    return sense < 0 ? "silent" : sense == ATA_SENSE_NOT_READY ? "no medium" : "medium";
}

bool pci_is_gone(const struct pci_device *pdev, uint32_t *value)
{
    *value = 0;
    return false;
}

void pci_hold(struct pci_device *pdev, uint32_t bits)
{
    model.nr_holders++;
    model.master = bits & PCI_COMMAND_MASTER;
}

void pci_release(struct pci_device *pdev)
{
    model.nr_holders--;
    model.master = false;
}

bool pci_set_master(const struct pci_device *pdev, bool on)
{
    bool before = model.master;

    model.master = on;
    model.lost_master |= !on;
    return before;
}

uint16_t pci_enable(const struct pci_device *pdev, uint32_t bits)
{
    return 0;
}

void pci_restore_command(const struct pci_device *pdev, uint16_t command)
{
}

int pci_read_bar(const struct pci_device *pdev, unsigned index, struct pci_bar *bar)
{
    *bar = (struct pci_bar){.kind = PCI_BAR_MEMORY, .base = 0xfebf0000};
    return 0;
}

void *ioremap(phys_addr_t phys, size_t size)
{
    return model.window;
}

void iounmap(const volatile void *window)
{
}

void *dma_alloc_coherent(struct device *dev, uint32_t size, dma_addr_t *handle)
{
    assert_true(model.nr_pages < 16);
    *handle = 0x100000 + model.nr_pages * PAGE_SIZE;
    return model.memory[model.nr_pages++];
}

static void *at_dma(uint32_t address)
{
    assert_in_range(address, 0x100000, 0x100000 + 16 * PAGE_SIZE - 1);
    return (uint8_t *)model.memory + (address - 0x100000);
}

/* Does what the FIS says. The model knows the commands of the search only. */
static void play_command(struct model_port *port)
{
    struct ahci_header *header = at_dma(port->regs[AHCI_CLB / 4]);
    uint8_t *fis = at_dma(header->table);
    struct ahci_region *region = (struct ahci_region *)(void *)(fis + 0x80);
    uint16_t *words;

    assert_true(model.master);
    assert_true(port->regs[AHCI_CMD / 4] & AHCI_CMD_ST);
    assert_int_equal(fis[0], FIS_HOST_TO_DEVICE);
    assert_int_equal(header->flags & 0x1f, 5);
    model.nr_commands++;
    if (port->kind == HANGING) {
        port->engine_hangs = port->engine_sticks;
        return;
    }
    port->regs[AHCI_CI / 4] = 0;
    port->regs[AHCI_TFD / 4] = ATA_STATUS_DRDY;
    switch (fis[2]) {
    case ATA_COMMAND_IDENTIFY:
        words = at_dma(region->address);
        words[27] = 'S' << 8 | 'D';
        words[49] = 0x0300;
        words[83] = 0x4400;
        words[100] = 0x8000;
        header->bytes = region->count + 1;
        break;
    case ATA_COMMAND_READ_SECTORS_EXT:
        header->bytes = region->count + 1;
        break;
    case ATA_COMMAND_PACKET:
        assert_true(header->flags & HEADER_ATAPI);
        port->regs[AHCI_TFD / 4] = (ATA_SENSE_NOT_READY << 4) << 8 | ATA_STATUS_ERR;
        port->regs[AHCI_PIS / 4] |= BIT(30);
        break;
    default:
        fail_msg("command 0x%02x", fis[2]);
    }
}

static void link_up(struct model_port *port)
{
    if (port->kind == EMPTY)
        return;
    port->regs[AHCI_SSTS / 4] = 0x123;
    port->regs[AHCI_TFD / 4] = ATA_STATUS_BSY;
    port->regs[AHCI_SIG / 4] = port->kind == ATAPI ? AHCI_SIG_ATAPI : AHCI_SIG_DISK;
    port->ready_us = now_us + 3000000;
}

static void write_cmd(struct model_port *port, uint32_t value)
{
    uint32_t before = port->regs[AHCI_CMD / 4];

    value &= ~(AHCI_CMD_CR | AHCI_CMD_FR);
    if (value & AHCI_CMD_ST) {
        assert_true(value & AHCI_CMD_FRE);
        value |= AHCI_CMD_CR;
    }
    if (value & AHCI_CMD_FRE)
        value |= AHCI_CMD_FR;
    if (port->engine_hangs)
        value |= AHCI_CMD_CR;
    if ((value & AHCI_CMD_SPIN_UP) && !(before & AHCI_CMD_SPIN_UP))
        link_up(port);
    port->regs[AHCI_CMD / 4] = value;
}

static struct model_port *port_at(unsigned offset, unsigned *reg)
{
    if (offset < 0x100)
        return NULL;
    assert_in_range(offset, 0x100, 0x100 + MODEL_PORTS * 0x80 - 1);
    *reg = offset % 0x80;
    return &model.ports[(offset - 0x100) / 0x80];
}

static uint32_t read_bohc(void)
{
    if ((model.bohc & AHCI_BOHC_OS) && !model.bios_never && now_us >= model.handoff_us)
        model.bohc &= ~(AHCI_BOHC_BIOS | AHCI_BOHC_BUSY);
    return model.bohc;
}

static uint32_t readl(const volatile void *addr)
{
    unsigned offset = (unsigned)((const uint8_t *)addr - model.window), reg;
    struct model_port *port = port_at(offset, &reg);

    if (port && reg == AHCI_TFD && port->ready_us && now_us >= port->ready_us) {
        port->regs[AHCI_TFD / 4] = ATA_STATUS_DRDY;
        port->ready_us = 0;
    }
    if (port)
        return port->regs[reg / 4];
    switch (offset) {
    case AHCI_CAP:
        return model.cap;
    case AHCI_GHC:
        return model.ghc;
    case AHCI_PI:
        return (1u << MODEL_PORTS) - 1;
    case AHCI_CAP2:
        return model.cap2;
    case AHCI_BOHC:
        return read_bohc();
    default:
        fail_msg("register 0x%x", offset);
        return 0;
    }
}

static void writel(uint32_t value, volatile void *addr)
{
    unsigned offset = (unsigned)((uint8_t *)addr - model.window), reg;
    struct model_port *port = port_at(offset, &reg);

    if (offset == AHCI_GHC) {
        model.ghc = value;
    } else if (offset == AHCI_BOHC) {
        model.bohc = value | (model.bios_is_slow ? AHCI_BOHC_BUSY : 0);
        model.handoff_us = now_us + (model.bios_is_slow ? 1500000 : 5000);
    } else if (port) {
        assert_true(model.ghc & AHCI_GHC_AE);
        if (reg == AHCI_CMD)
            write_cmd(port, value);
        else if (reg == AHCI_PIS || reg == AHCI_SERR)
            port->regs[reg / 4] &= ~value;
        else
            port->regs[reg / 4] = value;
        if (reg == AHCI_SCTL && !(value & AHCI_DET_MASK))
            link_up(port);
        if (reg == AHCI_CI)
            play_command(port);
    }
}

/* As firmware leaves it: ports of drives running on memory of its own. */
static void start(bool spun_up)
{
    memset(&model, 0, sizeof(model));
    now_us = 0;
    memset(hbas, 0, sizeof(hbas));
    memset(drives, 0, sizeof(drives));
    nr_hbas = nr_drives = 0;
    model.cap = AHCI_CAP_64BIT | AHCI_CAP_STAGGERED;
    model.ghc = AHCI_GHC_AE;
    model.ports[1].kind = DISK;
    model.ports[2].kind = ATAPI;
    for (unsigned i = 0; i < MODEL_PORTS; i++) {
        struct model_port *port = &model.ports[i];

        port->regs[AHCI_CLB / 4] = 0xdead0000 + i * 0x1000;
        port->regs[AHCI_FB / 4] = 0xdead8000 + i * 0x1000;
        port->regs[AHCI_PIE / 4] = 0x7000000f;
        if (!spun_up)
            continue;
        write_cmd(port, AHCI_CMD_SPIN_UP | AHCI_CMD_POWER);
        if (port->kind != EMPTY)
            write_cmd(port, AHCI_CMD_SPIN_UP | AHCI_CMD_POWER | AHCI_CMD_FRE | AHCI_CMD_ST);
    }
    now_us = 5000000;
}

static bool reported(const char *part)
{
    for (unsigned i = 0; i < model.nr_reports; i++) {
        if (strstr(model.reports[i], part))
            return true;
    }
    return false;
}

static void check_restored(uint32_t ghc, bool spun_up)
{
    assert_int_equal(model.ghc, ghc);
    assert_int_equal(model.nr_holders, 0);
    for (unsigned i = 0; i < MODEL_PORTS; i++) {
        const uint32_t *regs = model.ports[i].regs;

        assert_int_equal(regs[AHCI_CLB / 4], 0xdead0000 + i * 0x1000);
        assert_int_equal(regs[AHCI_FB / 4], 0xdead8000 + i * 0x1000);
        assert_int_equal(regs[AHCI_PIE / 4], 0x7000000f);
        assert_false(regs[AHCI_CMD / 4] & (AHCI_CMD_ST | AHCI_CMD_FRE));
        if (spun_up || model.ports[i].kind != EMPTY)
            assert_int_equal(regs[AHCI_CMD / 4], AHCI_CMD_SPIN_UP | AHCI_CMD_POWER);
        else
            assert_int_equal(regs[AHCI_CMD / 4], 0);
    }
}

static void as_firmware_left_it(void **state)
{
    start(true);
    assert_int_equal(ahci_probe(&the_pdev, NULL), 0);
    assert_true(reported("ahci0: SD, 32768 sectors, port 1, 64 bits"));
    assert_true(reported("port 2: no medium"));
    assert_true(reported("no drive at ports 0x9, of 0xf"));
    check_restored(AHCI_GHC_AE, true);
    /* Nobody had to be waited for. */
    assert_true(now_us < 5100000);
}

static void nobody_was_here(void **state)
{
    start(false);
    model.ghc = 0;
    assert_int_equal(ahci_probe(&the_pdev, NULL), 0);
    assert_true(reported("ahci0: SD"));
    assert_true(reported("port 2: no medium"));
    /* Both disks took three seconds from standstill, one after the other. */
    assert_in_range(now_us, 11000000, 12000000);
    check_restored(0, false);
}

static void handoff(void **state)
{
    start(true);
    model.cap2 = AHCI_CAP2_HANDOFF;
    model.bohc = AHCI_BOHC_BIOS;
    assert_int_equal(ahci_probe(&the_pdev, NULL), 0);
    assert_int_equal(model.bohc, AHCI_BOHC_OS);

    start(true);
    model.cap2 = AHCI_CAP2_HANDOFF;
    model.bohc = AHCI_BOHC_BIOS;
    model.bios_is_slow = true;
    assert_int_equal(ahci_probe(&the_pdev, NULL), 0);
    assert_in_range(now_us, 6500000, 7000000);

    start(true);
    model.cap2 = AHCI_CAP2_HANDOFF;
    model.bohc = AHCI_BOHC_BIOS;
    model.bios_never = true;
    assert_int_equal(ahci_probe(&the_pdev, NULL), -EBUSY);
    assert_true(reported("the BIOS does not give it up, BOHC 0x3"));
    assert_int_equal(model.nr_commands, 0);
    assert_in_range(now_us, 5025000, 5100000);
}

/* An engine that runs on could write to memory as soon as it may: nobody gets the bus. */
static void does_not_stop(void **state)
{
    start(true);
    model.ports[3].engine_hangs = true;
    write_cmd(&model.ports[3], 0);
    assert_int_equal(ahci_probe(&the_pdev, NULL), -EBUSY);
    assert_true(reported("port 3: does not stop, command 0x00008000"));
    assert_int_equal(model.nr_commands, 0);
    assert_int_equal(model.ghc, AHCI_GHC_AE);
}

static void hangs(void **state)
{
    start(true);
    model.ports[1].kind = HANGING;
    assert_int_equal(ahci_probe(&the_pdev, NULL), 0);
    assert_true(reported("port 1: IDENTIFY failed: not done after 5000 ms"));
    assert_true(reported("port 2: no medium"));
    assert_true(now_us < 20000000);
    check_restored(AHCI_GHC_AE, true);
}

/* Its memory stays where it is, and the adapter gets the bus no more. */
static void sticks(void **state)
{
    start(true);
    model.ports[1].kind = HANGING;
    model.ports[1].engine_sticks = true;
    model.ports[2].kind = DISK;
    model.ports[2].regs[AHCI_SIG / 4] = AHCI_SIG_DISK;
    assert_int_equal(ahci_probe(&the_pdev, NULL), 0);
    assert_true(reported("port 1: IDENTIFY failed: not done after 5000 ms"));
    assert_true(reported("port 2: IDENTIFY failed: an engine of the adapter did not stop"));
    assert_true(model.lost_master);
    assert_in_range(model.ports[1].regs[AHCI_CLB / 4], 0x100000, 0x10ffff);
    assert_int_equal(model.ports[2].regs[AHCI_CLB / 4], 0xdead2000);
    assert_int_equal(model.nr_holders, 0);
}

static void all_ones(void **state)
{
    start(true);
    model.cap = model.ghc = UINT32_MAX;
    assert_int_equal(ahci_probe(&the_pdev, NULL), -EIO);
    assert_true(reported("registers read all ones"));
}

static void only_reads(void **state)
{
    struct ahci_command command = {.command = 0x35};

    start(true);
    assert_int_equal(ahci_probe(&the_pdev, NULL), 0);
    model.nr_commands = 0;
    assert_int_equal(ahci_run(&drives[0].port, &drives[0].wide.disk, &command), -EPERM);
    assert_int_equal(model.nr_commands, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_firmware_left_it),
        cmocka_unit_test(nobody_was_here),
        cmocka_unit_test(handoff),
        cmocka_unit_test(does_not_stop),
        cmocka_unit_test(hangs),
        cmocka_unit_test(sticks),
        cmocka_unit_test(all_ones),
        cmocka_unit_test(only_reads),
    };

    return cmocka_run_group_tests_name("ahci", tests, NULL, NULL);
}
