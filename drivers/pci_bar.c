/* SPDX-License-Identifier: BSD-2-Clause */
/* Base address registers (PCI 3.0, 6.2.5.1). */
#include "drivers/pci.h"
#include "lib/errno.h"
#include "lib/types.h"
#include "lib/x86/cpu.h"
#include "paging/ioremap.h"

#define ALL_ONES 0xffffffffu
#define BAR_IS_IO BIT(0)
#define BAR_IO_MASK 0xfffffffcu
#define BAR_MEMORY_MASK 0xfffffff0u
#define BAR_TYPE_MASK 0x6u
#define BAR_TYPE_64BIT 0x4u
#define BAR_PREFETCHABLE BIT(3)
#define BAR_IO_UPPER 0xffff0000u
#define NR_BARS_DEVICE 6u
#define NR_BARS_BRIDGE 2u

/* Writes ones to a base address register, reads which of them stay, and puts it back. */
static uint32_t bar_writable_bits(const struct pci_device *pdev, unsigned reg)
{
    uint32_t before = pci_read_config32(pdev, reg);
    uint32_t writable;

    pci_write_config32(pdev, reg, ALL_ONES);
    writable = pci_read_config32(pdev, reg);
    pci_write_config32(pdev, reg, before);
    return writable;
}

phys_addr_t pci_bar_memory(const struct pci_device *pdev, unsigned index)
{
    unsigned reg = PCI_BAR0 + 4 * index;
    uint32_t low = pci_read_config32(pdev, reg);
    uint64_t base = low & BAR_MEMORY_MASK;

    if (pdev->header_type != PCI_HEADER_DEVICE || index >= NR_BARS_DEVICE || (low & BAR_IS_IO))
        return 0;
    if ((low & BAR_TYPE_MASK) == BAR_TYPE_64BIT && index + 1 < NR_BARS_DEVICE)
        base |= (uint64_t)pci_read_config32(pdev, reg + 4) << 32;
    return phys_make(base);
}

int pci_read_bar(const struct pci_device *pdev, unsigned index, struct pci_bar *bar)
{
    unsigned nr_bars = pdev->header_type == PCI_HEADER_DEVICE   ? NR_BARS_DEVICE
                       : pdev->header_type == PCI_HEADER_BRIDGE ? NR_BARS_BRIDGE
                                                                : 0;
    unsigned reg = PCI_BAR0 + 4 * index;
    uint32_t low, flags;
    uint16_t command;
    uint64_t address_bits;

    if (index >= nr_bars)
        return -EINVAL;
    *bar = (struct pci_bar){.kind = PCI_BAR_NONE};
    low = pci_read_config32(pdev, reg);
    if (low == ALL_ONES) /* no register reads so, but a function that is gone */
        return -ENODEV;
    bar->is_64bit = !(low & BAR_IS_IO) && (low & BAR_TYPE_MASK) == BAR_TYPE_64BIT;
    if (bar->is_64bit && index + 1 >= nr_bars)
        return -ENODEV;

    /* The register is briefly wrong: nothing may be decoded meanwhile, no interrupt look at it. */
    flags = irq_save();
    command = pci_read_config16(pdev, PCI_COMMAND);
    pci_write_config16(pdev, PCI_COMMAND,
                       (uint16_t)(command & ~(PCI_COMMAND_IO | PCI_COMMAND_MEMORY)));
    address_bits = bar_writable_bits(pdev, reg);
    if (bar->is_64bit)
        address_bits |= (uint64_t)bar_writable_bits(pdev, reg + 4) << 32;
    pci_write_config16(pdev, PCI_COMMAND, command);
    irq_restore(flags);

    if (low & BAR_IS_IO) {
        /* A device may hardwire the upper half of an I/O register to 0. */
        address_bits = (address_bits & BAR_IO_MASK) | BAR_IO_UPPER;
        bar->base = low & BAR_IO_MASK;
        bar->size = (uint32_t)(~(uint32_t)address_bits + 1);
        bar->kind = PCI_BAR_IO;
        if ((address_bits & ~(uint64_t)BAR_IO_UPPER) == 0)
            return -ENODEV;
    } else {
        address_bits &= ~(uint64_t)~BAR_MEMORY_MASK;
        if (address_bits == 0)
            return -ENODEV;
        bar->base = low & BAR_MEMORY_MASK;
        if (bar->is_64bit)
            bar->base |= (uint64_t)pci_read_config32(pdev, reg + 4) << 32;
        else
            address_bits |= (uint64_t)ALL_ONES << 32;
        bar->size = ~address_bits + 1;
        bar->kind = PCI_BAR_MEMORY;
        bar->prefetchable = low & BAR_PREFETCHABLE;
    }
    return bar->base ? 0 : -ENODEV;
}

uint16_t pci_bar_port(const struct pci_device *pdev, unsigned index, uint32_t bytes)
{
    struct pci_bar bar;

    if (pci_read_bar(pdev, index, &bar) < 0 || bar.kind != PCI_BAR_IO || bar.size < bytes)
        return 0;
    return (uint16_t)bar.base;
}

int pci_map_bar(const struct pci_device *pdev, unsigned index, uint32_t bytes,
                uint8_t __iomem **window)
{
    struct pci_bar bar;

    if (pci_read_bar(pdev, index, &bar) < 0 || bar.kind != PCI_BAR_MEMORY || bar.size < bytes)
        return -ENODEV;
    *window = ioremap(phys_make(bar.base), bytes);
    return *window ? 0 : -ENOMEM;
}

const char *pci_bar_problem(int err)
{
    return err == -ENOMEM ? "finds no window" : "is not assigned, or too small";
}
