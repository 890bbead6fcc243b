/* SPDX-License-Identifier: BSD-2-Clause */
#include "drivers/pci.h"
#include "drivers/irq.h"
#include "drivers/transfer.h"
#include "lib/bitmap.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/inject.h"
#include "lib/types.h"
#include "lib/x86/cpu.h"
#include "lib/x86/io.h"

#define CONFIG_ADDRESS 0xcf8u
#define CONFIG_DATA 0xcfcu
#define CONFIG_ENABLE BIT(31)

#define CLASS_IDE 0x0101u

#define NR_SLOTS 32u
#define NR_FUNCTIONS 8u
#define NR_BUSES 256u
#define MAX_DEVICES 256u /* two processor sockets bring 150 functions of their own */

#define NO_VENDOR 0xffffu
#define ALL_ONES 0xffffffffu
#define HEADER_DWORDS 16u
#define HEADER_CLASS_DWORD 2u
#define HEADER_BAR_DWORDS 4u, 5u, 6u, 7u, 8u, 9u
#define HEADER_LAYOUT_MASK 0x7fu

/* Written by pci_init() only. */
static struct pci_device devices[MAX_DEVICES];
static unsigned nr_devices;
static unsigned nr_lost; /* found beyond MAX_DEVICES */
static uint32_t bridged_buses[BITMAP_WORDS(NR_BUSES)];

static uint32_t address_of(const struct pci_device *pdev, unsigned reg)
{
    return CONFIG_ENABLE | (uint32_t)pdev->bus << 16 | (uint32_t)pdev->slot << 11 |
           (uint32_t)pdev->function << 8 | (reg & 0xfc);
}

static uint16_t data_port(unsigned reg)
{
    return (uint16_t)(CONFIG_DATA + (reg & 3));
}

uint8_t pci_read_config8(const struct pci_device *pdev, unsigned reg)
{
    uint32_t flags = irq_save();
    uint8_t value;

    outl(CONFIG_ADDRESS, address_of(pdev, reg));
    value = inb(data_port(reg));
    irq_restore(flags);
    return value;
}

uint16_t pci_read_config16(const struct pci_device *pdev, unsigned reg)
{
    uint32_t flags = irq_save();
    uint16_t value;

    outl(CONFIG_ADDRESS, address_of(pdev, reg));
    value = inw(data_port(reg));
    irq_restore(flags);
    return value;
}

uint32_t pci_read_config32(const struct pci_device *pdev, unsigned reg)
{
    uint32_t flags = irq_save();
    uint32_t value;

    outl(CONFIG_ADDRESS, address_of(pdev, reg));
    value = inl(CONFIG_DATA);
    irq_restore(flags);
    /* As if all functions had left the bus since they were listed. */
    if (pdev >= devices && pdev < devices + nr_devices && inject(pci_reads_ones, pci))
        return ALL_ONES;
    return value;
}

void pci_write_config8(const struct pci_device *pdev, unsigned reg, uint8_t value)
{
    uint32_t flags = irq_save();

    outl(CONFIG_ADDRESS, address_of(pdev, reg));
    outb(data_port(reg), value);
    irq_restore(flags);
}

void pci_write_config16(const struct pci_device *pdev, unsigned reg, uint16_t value)
{
    uint32_t flags = irq_save();

    outl(CONFIG_ADDRESS, address_of(pdev, reg));
    outw(data_port(reg), value);
    irq_restore(flags);
}

void pci_write_config32(const struct pci_device *pdev, unsigned reg, uint32_t value)
{
    uint32_t flags = irq_save();

    outl(CONFIG_ADDRESS, address_of(pdev, reg));
    outl(CONFIG_DATA, value);
    irq_restore(flags);
}

/* The address port keeps what is written to it, and nothing else on a PC does. */
static bool mechanism1_answers(void)
{
    uint32_t flags = irq_save();
    uint32_t before = inl(CONFIG_ADDRESS);
    bool kept;

    outl(CONFIG_ADDRESS, CONFIG_ENABLE);
    kept = inl(CONFIG_ADDRESS) == CONFIG_ENABLE;
    outl(CONFIG_ADDRESS, before);
    irq_restore(flags);
    return kept;
}

/* A device that lost its power may still tell who it is, but the rest of its header is all ones. */
static bool header_is_gone(const struct pci_device *pdev)
{
    for (unsigned i = 1; i < HEADER_DWORDS; i++) {
        if (pci_read_config32(pdev, i * 4) != ALL_ONES)
            return false;
    }
    return true;
}

static struct pci_device at(unsigned bus, unsigned slot, unsigned function)
{
    return (struct pci_device){
        .bus = (uint8_t)bus, .slot = (uint8_t)slot, .function = (uint8_t)function};
}

static bool answers(const struct pci_device *pdev)
{
    uint16_t vendor = pci_read_config16(pdev, PCI_VENDOR_ID);

    return vendor != NO_VENDOR && vendor != 0;
}

/* An IDE controller at fixed ports has the ISA lines 14 and 15, whatever its header says. */
static bool has_pci_line(const struct pci_device *pdev)
{
    return pdev->header_type == PCI_HEADER_DEVICE && pdev->irq_pin &&
           pdev->class_code >> 8 != CLASS_IDE;
}

/* Enters the function if it is there. Returns its entry, or NULL. */
static struct pci_device *add_function(unsigned bus, unsigned slot, unsigned function)
{
    struct pci_device where = at(bus, slot, function);
    struct pci_device *pdev = &devices[nr_devices];

    if (!answers(&where) || header_is_gone(&where))
        return NULL;
    if (nr_devices == MAX_DEVICES) {
        nr_lost++;
        return NULL;
    }
    *pdev = where;
    pdev->vendor = pci_read_config16(pdev, PCI_VENDOR_ID);
    pdev->device = pci_read_config16(pdev, PCI_DEVICE_ID);
    pdev->class_code = pci_read_config32(pdev, PCI_CLASS_REVISION) >> 8;
    pdev->header_type = pci_read_config8(pdev, PCI_HEADER_TYPE) & HEADER_LAYOUT_MASK;
    pdev->irq_pin = pci_read_config8(pdev, PCI_INTERRUPT_PIN);
    pdev->irq_line =
        pdev->irq_pin ? pci_read_config8(pdev, PCI_INTERRUPT_LINE) : COMPLETION_NO_LINE;
    if (has_pci_line(pdev))
        irq_set_level(pdev->irq_line);
    format(pdev->name, sizeof(pdev->name), "%02x:%02x.%u", bus, slot, function);
    pdev->dma.name = pdev->name;
    pdev->dma.dma_mask = DMA_BIT_MASK(32);
    pdev->dma.segment_boundary_mask = DMA_BOUNDARY_4G;
    nr_devices++;
    return pdev;
}

/* Notes the buses that its bridges lead to. A bridge leads upwards, or it is not followed. */
static void scan_bus(unsigned bus)
{
    for (unsigned slot = 0; slot < NR_SLOTS; slot++) {
        unsigned nr_functions = 1;

        for (unsigned function = 0; function < nr_functions; function++) {
            struct pci_device *pdev = add_function(bus, slot, function);
            unsigned secondary;

            if (!pdev)
                continue;
            if (function == 0 &&
                (pci_read_config8(pdev, PCI_HEADER_TYPE) & PCI_HEADER_MULTIFUNCTION))
                nr_functions = NR_FUNCTIONS;
            if (pdev->header_type != PCI_HEADER_BRIDGE)
                continue;
            secondary = pci_read_config8(pdev, PCI_SECONDARY_BUS);
            if (secondary > bus)
                bitmap_set(bridged_buses, secondary);
        }
    }
}

/* True if both read the same where devices differ: identity, class, addresses. */
static bool same_header(const struct pci_device *a, const struct pci_device *b)
{
    static const uint8_t dwords[] = {0, HEADER_CLASS_DWORD, HEADER_BAR_DWORDS};

    for (unsigned i = 0; i < ARRAY_SIZE(dwords); i++) {
        if (pci_read_config32(a, dwords[i] * 4u) != pci_read_config32(b, dwords[i] * 4u))
            return false;
    }
    return true;
}

/* What answers on a bus that no bridge leads to. */
enum stray_bus { BUS_EMPTY, BUS_MIRROR, BUS_PEER };

/*
 * A host bridge that does not decode the bus number shows bus 0 on every bus. A real bus is told by
 * any slot that reads unlike that of bus 0.
 */
static enum stray_bus look_at_bus(unsigned bus)
{
    enum stray_bus kind = BUS_EMPTY;

    for (unsigned slot = 0; slot < NR_SLOTS; slot++) {
        struct pci_device here = at(bus, slot, 0), there = at(0, slot, 0);

        if (!answers(&here))
            continue;
        if (!same_header(&here, &there))
            return BUS_PEER;
        kind = BUS_MIRROR;
    }
    return kind;
}

/*
 * Upwards, so that all bridges to a bus are known when its turn comes. Servers have several host
 * bridges, each with a root bus that no bridge leads to.
 */
static void scan_buses(void)
{
    for (unsigned bus = 0; bus < NR_BUSES; bus++) {
        if (bus == 0 || bitmap_test(bridged_buses, bus) || look_at_bus(bus) == BUS_PEER)
            scan_bus(bus);
    }
}

int pci_init(void)
{
    nr_devices = 0;
    nr_lost = 0;
    bitmap_clear_range(bridged_buses, 0, NR_BUSES);
    if (!mechanism1_answers())
        return -ENODEV;
    scan_buses();
    if (nr_lost)
        probe_report("pci", -ENOSPC, "at least %u functions beyond the first %u are left alone",
                     nr_lost, MAX_DEVICES);
    return (int)nr_devices;
}

unsigned pci_device_count(void)
{
    return nr_devices;
}

struct pci_device *pci_device_at(unsigned index)
{
    return index < nr_devices ? &devices[index] : NULL;
}

struct pci_device *pci_device_of(const struct device *dev)
{
    while (dev->parent)
        dev = dev->parent;
    for (unsigned i = 0; i < nr_devices; i++) {
        if (&devices[i].dma == dev)
            return &devices[i];
    }
    return NULL;
}

bool pci_is_gone(const struct pci_device *pdev, uint32_t *value)
{
    *value = pci_read_config32(pdev, PCI_VENDOR_ID);
    return *value != (pdev->vendor | (uint32_t)pdev->device << 16);
}

/*
 * The command register with these bits set. What may master the bus may interrupt, too: firmware
 * may have left its line switched off (PCI 2.3, 6.2.2).
 */
static uint16_t command_with(uint16_t command, uint32_t bits)
{
    uint32_t wanted = command | bits;

    if ((bits & PCI_COMMAND_MASTER) && !inject(pci_leave_intx, dma_rules))
        wanted &= ~PCI_COMMAND_INTX_DISABLE;
    return (uint16_t)wanted;
}

bool pci_set_master(const struct pci_device *pdev, bool on)
{
    uint16_t command = pci_read_config16(pdev, PCI_COMMAND);
    uint16_t wanted =
        on ? command_with(command, PCI_COMMAND_MASTER) : (uint16_t)(command & ~PCI_COMMAND_MASTER);

    if (wanted != command)
        pci_write_config16(pdev, PCI_COMMAND, wanted);
    return command & PCI_COMMAND_MASTER;
}

uint16_t pci_enable(const struct pci_device *pdev, uint32_t bits)
{
    uint16_t command = pci_read_config16(pdev, PCI_COMMAND);
    uint16_t wanted = command_with(command, bits);

    if (wanted != command)
        pci_write_config16(pdev, PCI_COMMAND, wanted);
    return command;
}

void pci_restore_command(const struct pci_device *pdev, uint16_t command)
{
    pci_write_config16(pdev, PCI_COMMAND, command);
}

void pci_hold(struct pci_device *pdev, uint32_t bits)
{
    uint32_t flags = irq_save();
    uint16_t command = pci_read_config16(pdev, PCI_COMMAND);
    uint16_t wanted = command_with(command, bits);

    if (pdev->holders++ == 0)
        pdev->command_before = command;
    if (wanted != command)
        pci_write_config16(pdev, PCI_COMMAND, wanted);
    irq_restore(flags);
}

void pci_release(struct pci_device *pdev)
{
    uint32_t flags = irq_save();

    if (pdev->holders > 0 && --pdev->holders == 0)
        pci_write_config16(pdev, PCI_COMMAND, pdev->command_before);
    irq_restore(flags);
}

void pci_begin_work(struct pci_device *pdev)
{
    uint32_t flags = irq_save();

    pdev->workers++;
    irq_restore(flags);
}

bool pci_end_work(struct pci_device *pdev)
{
    uint32_t flags = irq_save();
    bool is_last = pdev->workers > 0 && --pdev->workers == 0;
    uint16_t command = is_last ? pci_read_config16(pdev, PCI_COMMAND) : 0;
    /* All ones: it has left the bus. */
    bool forgotten = (command & PCI_COMMAND_MASTER) && command != UINT16_MAX && !pdev->stays_master;

    if (forgotten)
        pci_set_master(pdev, false);
    irq_restore(flags);
    return forgotten;
}

void pci_forget_work(void)
{
    for (unsigned i = 0; i < nr_devices; i++)
        devices[i].workers = 0;
}
