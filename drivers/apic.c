/* SPDX-License-Identifier: BSD-2-Clause */
#include "drivers/apic.h"

#include "drivers/acpi.h"
#include "lib/string.h"
#include "lib/x86/cpu.h"
#include "lib/x86/io.h"
#include "paging/ioremap.h"

/* The local APIC (SDM vol. 3A, 10.4 and 10.5) */
#define CPUID1_EDX_APIC BIT(9)
#define MSR_APIC_BASE 0x1bu
#define APIC_BASE_X2APIC BIT(10)
#define APIC_BASE_ENABLE BIT(11)
#define APIC_BASE_ADDRESS_MASK UINT64_C(0x000ffffffffff000)
#define MSR_X2APIC 0x800u /* plus a register's offset / 16 */
#define LAPIC_BYTES 0x400u

#define LAPIC_VERSION 0x30u
#define LAPIC_TASK_PRIORITY 0x80u
#define LAPIC_SPURIOUS 0xf0u
#define LAPIC_LVT_CMCI 0x2f0u
#define LAPIC_LVT_TIMER 0x320u
#define LAPIC_LVT_THERMAL 0x330u
#define LAPIC_LVT_PERFORMANCE 0x340u
#define LAPIC_LVT_LINT0 0x350u
#define LAPIC_LVT_LINT1 0x360u
#define LAPIC_LVT_ERROR 0x370u

#define VERSION_MAX_LVT(version) ((version) >> 16 & 0xffu)
#define SPURIOUS_ENABLE BIT(8)
#define LVT_EXTINT 0x700u
#define LVT_NMI 0x400u
#define LVT_MASKED BIT(16)

/* Of local vector table and redirection entries alike (SDM vol. 3A, figure 11-8) */
#define DELIVERY_MODE_MASK 0x700u
#define DELIVERY_SMI 0x200u /* the BIOS's own, for heat and fans: stays */

/* Which entries there are depends on the version: an entry is there from this "max LVT" on. */
static const struct {
    uint32_t reg;
    uint32_t from_max_lvt;
} lvt_entries[] = {
    {LAPIC_LVT_TIMER, 0},   {LAPIC_LVT_ERROR, 3}, {LAPIC_LVT_PERFORMANCE, 4},
    {LAPIC_LVT_THERMAL, 5}, {LAPIC_LVT_CMCI, 6},
};

/* I/O APICs, listed in the MADT (ACPI 6.4, 5.2.12; 82093AA data sheet, 3) */
#define MADT_ENTRIES 44u
#define MADT_TYPE_IOAPIC 1u
#define MADT_IOAPIC_ADDRESS 4u
#define IOAPIC_SELECT 0x00u
#define IOAPIC_WINDOW 0x10u
#define IOAPIC_BYTES 0x20u
#define IOAPIC_VERSION 1u
#define IOAPIC_REDIRECTION(n) (0x10u + 2 * (n)) /* its low half */
#define IOAPIC_LAST_ENTRY(version) ((version) >> 16 & 0xffu)
#define REDIRECTION_EXTINT 0x700u
#define REDIRECTION_MASKED BIT(16)

/* The HPET (IA-PC HPET specification 1.0a, 2.3.5 and 3.2.4) */
#define HPET_TABLE_ADDRESS 40u /* a struct acpi_generic_address */
#define HPET_BYTES 0x400u
#define HPET_CONFIGURATION 0x10u
#define HPET_LEGACY_REPLACEMENT BIT(1) /* takes interrupt lines 0 and 8 from PIT and RTC */

/* Masks what is not masked. Returns true if an input carries the 8259A's interrupts: it stays. */
static bool quiet_ioapic(phys_addr_t phys)
{
    uint8_t __iomem *ioapic = ioremap(phys, IOAPIC_BYTES);
    bool wired = false;

    if (!ioapic)
        return false;
    writel(IOAPIC_VERSION, ioapic + IOAPIC_SELECT);

    uint32_t last = IOAPIC_LAST_ENTRY(readl(ioapic + IOAPIC_WINDOW));

    for (uint32_t i = 0; i <= last; i++) {
        writel(IOAPIC_REDIRECTION(i), ioapic + IOAPIC_SELECT);

        uint32_t entry = readl(ioapic + IOAPIC_WINDOW);

        if (entry & REDIRECTION_MASKED || (entry & DELIVERY_MODE_MASK) == DELIVERY_SMI)
            continue;
        if ((entry & DELIVERY_MODE_MASK) == REDIRECTION_EXTINT)
            wired = true;
        else
            writel(entry | REDIRECTION_MASKED, ioapic + IOAPIC_WINDOW);
    }
    iounmap(ioapic);
    return wired;
}

/* Returns true if the 8259A's interrupts come through an I/O APIC. */
static bool quiet_ioapics(void)
{
    const struct acpi_header *madt = acpi_find_table("APIC");
    bool wired = false;

    if (!madt)
        return false;

    const uint8_t *table = (const uint8_t *)madt;
    uint32_t entry_bytes;

    for (uint32_t at = MADT_ENTRIES; at + 2 <= madt->length; at += entry_bytes) {
        uint32_t address;

        entry_bytes = table[at + 1];
        if (entry_bytes < 2 || entry_bytes > madt->length - at)
            break;
        if (table[at] != MADT_TYPE_IOAPIC || entry_bytes < MADT_IOAPIC_ADDRESS + sizeof(address))
            continue;
        memcpy(&address, table + at + MADT_IOAPIC_ADDRESS, sizeof(address));
        wired |= quiet_ioapic(phys_make(address));
    }
    return wired;
}

static void quiet_hpet(void)
{
    const struct acpi_header *table = acpi_find_table("HPET");
    struct acpi_generic_address block;

    if (!table || table->length < HPET_TABLE_ADDRESS + sizeof(block))
        return;
    memcpy(&block, (const uint8_t *)table + HPET_TABLE_ADDRESS, sizeof(block));
    if (block.space != ACPI_SPACE_MEMORY || !block.address)
        return;

    uint8_t __iomem *hpet = ioremap(phys_make(block.address), HPET_BYTES);

    if (!hpet)
        return;

    uint32_t configuration = readl(hpet + HPET_CONFIGURATION);

    /* The counter runs on: system management code may read it. */
    if (configuration & HPET_LEGACY_REPLACEMENT)
        writel(configuration & ~HPET_LEGACY_REPLACEMENT, hpet + HPET_CONFIGURATION);
    iounmap(hpet);
}

/* The local APIC's registers are memory, or MSRs if firmware switched it to x2APIC mode. */
struct lapic {
    uint8_t __iomem *registers; /* NULL: MSRs */
};

static uint32_t lapic_read(const struct lapic *lapic, uint32_t reg)
{
    return lapic->registers ? readl(lapic->registers + reg)
                            : (uint32_t)rdmsr(MSR_X2APIC + reg / 16);
}

static void lapic_write(const struct lapic *lapic, uint32_t reg, uint32_t value)
{
    if (lapic->registers)
        writel(value, lapic->registers + reg);
    else
        wrmsr(MSR_X2APIC + reg / 16, value);
}

static void set_up_lapic(const struct lapic *lapic, bool wired_through_ioapic)
{
    uint32_t max_lvt = VERSION_MAX_LVT(lapic_read(lapic, LAPIC_VERSION));

    for (unsigned i = 0; i < ARRAY_SIZE(lvt_entries); i++) {
        uint32_t entry;

        if (max_lvt < lvt_entries[i].from_max_lvt)
            continue;
        entry = lapic_read(lapic, lvt_entries[i].reg);
        if ((entry & DELIVERY_MODE_MASK) != DELIVERY_SMI)
            lapic_write(lapic, lvt_entries[i].reg, entry | LVT_MASKED);
    }
    /* Disabled by software, the APIC would keep LINT0 masked: enable it first. */
    lapic_write(lapic, LAPIC_SPURIOUS, SPURIOUS_ENABLE | APIC_SPURIOUS_VECTOR);
    lapic_write(lapic, LAPIC_TASK_PRIORITY, 0);
    if (!wired_through_ioapic)
        lapic_write(lapic, LAPIC_LVT_LINT0, LVT_EXTINT);
    lapic_write(lapic, LAPIC_LVT_LINT1, LVT_NMI);
}

void apic_set_virtual_wire(void)
{
    bool wired_through_ioapic = quiet_ioapics();
    struct lapic lapic = {.registers = NULL};
    uint32_t features = cpuid(1, 0).edx;

    quiet_hpet();
    /* Without an APIC, or with a disabled one, the 8259A's output goes straight to the core. */
    if (!(features & CPUID1_EDX_APIC) || !(features & CPUID1_EDX_MSR))
        return;

    uint64_t base = rdmsr(MSR_APIC_BASE);

    if (!(base & APIC_BASE_ENABLE))
        return;
    if (!(base & APIC_BASE_X2APIC)) {
        lapic.registers = ioremap(phys_make(base & APIC_BASE_ADDRESS_MASK), LAPIC_BYTES);
        if (!lapic.registers)
            return;
    }
    set_up_lapic(&lapic, wired_through_ioapic);
    iounmap(lapic.registers);
}
