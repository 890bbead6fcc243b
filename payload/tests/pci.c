/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PCI as it was found: do functions stay where they were listed, do their addresses make sense, and
 * do their registers answer there, above 4 GiB as well?
 *
 * Why it can break: a card that is loose or loses its power answers with all ones; firmware places
 * a 64-bit base address register where a 32-bit processor can't look, or over RAM; a window by
 * ioremap() shows the lower 32 bits of an address only.
 *
 * How: configuration space is read again; registers that every function of a class has at the same
 * place, with values that can be told from what floats on a bus, are read through ioremap().
 * Nothing is written but the command register's decoding, which is put back.
 *
 * How a break shows: the function's bus address, the register, its physical address, the value.
 */
#include "drivers/pci.h"
#include "drivers/transfer.h"
#include "lib/x86/io.h"
#include "paging/ioremap.h"
#include "paging/page.h"
#include "payload/cpu_facts.h"
#include "payload/setup.h"
#include "payload/suite.h"

#define NR_BARS 6u
#define BAR_HALF_OF_64 0x4u
#define BAR_KIND_MASK 0x7u /* I/O, and the two bits of the width */
#define ALL_ONES UINT32_MAX

/* A register that says which version of an interface a function speaks. */
static const struct version_register {
    uint32_t class_code;
    const char *name;
    unsigned bar, reg;
    unsigned shift;
    uint32_t mask, lowest, highest;
} version_registers[] = {
    {0x010601, "AHCI version", 5, 0x10, 0, 0xffffffff, 0x00000905, 0x00010301},
    {0x010802, "NVMe version", 0, 0x08, 8, 0xffffff, 0x000100, 0x0002ff},
    {0x0c0320, "EHCI version", 0, 0x00, 16, 0xffff, 0x0090, 0x0120},
    {0x0c0330, "xHCI version", 0, 0x00, 16, 0xffff, 0x0090, 0x0120},
};

static bool has_pci(struct test *t)
{
    if (pci_device_count() == 0)
        test_skip(t, "no PCI function was found");
    return pci_device_count() > 0;
}

static void case_present(struct test *t)
{
    if (!has_pci(t))
        return;
    for (unsigned i = 0; i < pci_device_count(); i++) {
        const struct pci_device *pdev = pci_device_at(i);
        uint32_t identity, class_code;

        TEST_CHECK(t, !pci_is_gone(pdev, &identity),
                   "%s (%04x:%04x) has left the bus: its identity reads 0x%08x", pdev->name,
                   pdev->vendor, pdev->device, identity);
        class_code = pci_read_config32(pdev, PCI_CLASS_REVISION) >> 8;
        TEST_CHECK(t, class_code == pdev->class_code, "%s: its class reads %06x, %06x before",
                   pdev->name, class_code, pdev->class_code);
    }
}

static void check_address(struct test *t, const struct pci_device *pdev, unsigned index,
                          phys_addr_t base)
{
    phys_addr_t end = phys_make(UINT64_C(1) << cpu_facts.phys_bits);

    TEST_CHECK(t, base < end, "%s: BAR %u at 0x%llx is beyond the processor's %u address bits",
               pdev->name, index, addr_number(base), cpu_facts.phys_bits);
    TEST_CHECK(t, memmap_usable_bytes(&setup.map, base, base + PAGE_SIZE) == 0,
               "%s: BAR %u at 0x%llx lies in RAM", pdev->name, index, addr_number(base));
    if (base >= phys_make(GIB64(4)))
        test_log(t, "%s: BAR %u at 0x%llx, above 4 GiB", pdev->name, index, addr_number(base));
}

static void case_addresses(struct test *t)
{
    if (!has_pci(t))
        return;
    for (unsigned i = 0; i < pci_device_count(); i++) {
        const struct pci_device *pdev = pci_device_at(i);

        for (unsigned bar = 0; bar < NR_BARS && pdev->header_type == 0; bar++) {
            uint32_t low = pci_read_config32(pdev, PCI_BAR0 + 4 * bar);
            phys_addr_t base = pci_bar_memory(pdev, bar);

            if (base)
                check_address(t, pdev, bar, base);
            bar += low != ALL_ONES && (low & BAR_KIND_MASK) == BAR_HALF_OF_64;
        }
    }
}

/* Reads the version through a window. Returns false if there is nothing to look at. */
static bool check_version(struct test *t, const struct pci_device *pdev,
                          const struct version_register *v)
{
    phys_addr_t base = pci_bar_memory(pdev, v->bar);
    uint8_t __iomem *regs = base ? ioremap(base, PAGE_SIZE) : NULL;
    uint32_t value, version;
    uint16_t command;

    if (!regs) {
        test_log(t, "%s: %s: BAR %u is not assigned", pdev->name, v->name, v->bar);
        return false;
    }
    command = pci_enable(pdev, PCI_COMMAND_MEMORY);
    value = readl(regs + v->reg);
    pci_restore_command(pdev, command);
    iounmap(regs);
    version = value >> v->shift & v->mask;
    TEST_CHECK(t, value != ALL_ONES && version >= v->lowest && version <= v->highest,
               "%s: %s, register 0x%x at 0x%llx, reads 0x%08x", pdev->name, v->name, v->reg,
               addr_number(base), value);
    test_log(t, "%s: %s at 0x%llx reads 0x%x", pdev->name, v->name, addr_number(base + v->reg),
             version);
    return true;
}

static void case_registers(struct test *t)
{
    unsigned nr_checked = 0;

    if (!has_pci(t))
        return;
    for (unsigned i = 0; i < pci_device_count(); i++) {
        for (unsigned v = 0; v < ARRAY_SIZE(version_registers); v++) {
            if (pci_device_at(i)->class_code == version_registers[v].class_code &&
                !pci_is_avoided(pci_device_at(i)))
                nr_checked += check_version(t, pci_device_at(i), &version_registers[v]);
        }
    }
    if (nr_checked == 0)
        test_skip(t, "no function has a register whose value is known");
}

/* What avoid= names, no driver has taken, and nobody has read or written its registers here. */
static void case_avoided(struct test *t)
{
    unsigned nr_avoided = 0;

    for (unsigned i = 0; i < pci_device_count(); i++)
        nr_avoided += pci_is_avoided(pci_device_at(i));
    if (nr_avoided == 0) {
        test_skip(t, "no function is to be left alone");
        return;
    }
    for (unsigned i = 0; i < dma_client_count(); i++) {
        const struct dma_client *client = dma_client_at(i);
        const struct pci_device *pdev = pci_device_of(client->dev);

        TEST_CHECK(t, !pdev || !pci_is_avoided(pdev), "%s: %s is in use, and was to be left alone",
                   pdev->name, client->name);
    }
    test_log(t, "%u functions are left alone", nr_avoided);
}

static const struct test_case cases[] = {
    {"present", case_present},
    {"addresses", case_addresses},
    {"registers", case_registers},
    {"avoided", case_avoided},
};

SUITE(pci) = {
    .name = "pci",
    .rank = SUITE_RANK_WINDOWS,
    .about = "functions where they were listed, base addresses, registers above 4 GiB",
    .cases = cases,
    .nr_cases = ARRAY_SIZE(cases),
};
