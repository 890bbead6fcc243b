/* SPDX-License-Identifier: BSD-2-Clause */
#include "drivers/power.h"

#include "drivers/acpi.h"
#include "drivers/clock.h"
#include "drivers/console.h"
#include "lib/string.h"
#include "lib/x86/cpu.h"
#include "lib/x86/io.h"
#include "paging/ioremap.h"

/* The FADT, as far as it is used here (ACPI 6.4, table 5.9) */
struct fadt {
    struct acpi_header header;
    uint32_t firmware_ctrl;
    uint32_t dsdt;
    uint8_t reserved1;
    uint8_t preferred_profile;
    uint16_t sci_int;
    uint32_t smi_cmd;
    uint8_t acpi_enable;
    uint8_t acpi_disable;
    uint8_t s4bios_req;
    uint8_t pstate_cnt;
    uint32_t pm1a_evt_blk;
    uint32_t pm1b_evt_blk;
    uint32_t pm1a_cnt_blk;
    uint32_t pm1b_cnt_blk;
    uint8_t not_used[40];
    uint32_t flags;
    struct acpi_generic_address reset_reg;
    uint8_t reset_value;
    uint8_t not_used2[3];
    uint64_t x_firmware_ctrl;
    uint64_t x_dsdt;
    struct acpi_generic_address x_pm1a_evt_blk;
    struct acpi_generic_address x_pm1b_evt_blk;
    struct acpi_generic_address x_pm1a_cnt_blk;
    struct acpi_generic_address x_pm1b_cnt_blk;
    struct acpi_generic_address not_used3[4];
    struct acpi_generic_address sleep_control;
} __packed;

_Static_assert(offsetof(struct fadt, flags) == 112, "FADT flags");
_Static_assert(offsetof(struct fadt, sleep_control) == 244, "FADT SLEEP_CONTROL_REG");

#define FADT_FLAG_RESET_REG BIT(10)
#define FADT_FLAG_HW_REDUCED BIT(20)

/* PM1 control register (ACPI 6.4, 4.8.3.2.1) */
#define PM1_SCI_EN BIT(0)
#define PM1_SLP_TYP_SHIFT 10u
#define PM1_SLP_TYP_MASK 0x1c00u
#define PM1_SLP_EN BIT(13)

/* Sleep control register of hardware-reduced ACPI (4.8.3.7) */
#define SLEEP_CONTROL_TYP_SHIFT 2u
#define SLEEP_CONTROL_EN BIT(5)

/* AML (ACPI 6.4, 20.2) */
#define AML_NAME_OP 0x08u
#define AML_ZERO_OP 0x00u
#define AML_ONE_OP 0x01u
#define AML_BYTE_PREFIX 0x0au
#define AML_PACKAGE_OP 0x12u
#define AML_PKG_LENGTH_MORE(lead) ((lead) >> 6) /* further bytes of a package length */

#define DEBUGCON_PORT 0xe9
#define DEBUGCON_ANSWER 0xe9    /* what QEMU's and Bochs' debug port reads as */
#define QEMU_PM_PORT 0x604      /* PM1a control of QEMU's own choice, both machines */
#define QEMU_PM_PORT_OLD 0xb004 /* pc machines before 2.0 */
#define BOCHS_SHUTDOWN_PORT 0x8900

#define RESET_CONTROL 0xcf9 /* Intel PCI bridges since PIIX3 */
#define RESET_HARD 0x02u
#define RESET_NOW 0x04u

#define KBC_STATUS 0x64
#define KBC_COMMAND 0x64
#define KBC_INPUT_FULL BIT(1)
#define KBC_PULSE_RESET 0xfeu

#define PCI_CONFIG_ADDRESS 0xcf8
#define PCI_CONFIG_DATA 0xcfc
#define PCI_CONFIG_ENABLE BIT(31)

#define SETTLE_US 100000u /* for a machine to go down before the next way is tried */
#define ACPI_ENABLE_MS 3000u
#define KBC_POLLS 100000u

static __noreturn void halt(void)
{
    for (;;) {
        irq_disable();
        cpu_halt();
    }
}

static const struct fadt *find_fadt(struct fadt *copy)
{
    const struct acpi_header *table = acpi_find_table("FACP");

    if (!table)
        return NULL;
    /* Older ones are shorter: the fields that they lack are zero. */
    memset(copy, 0, sizeof(*copy));
    memcpy(copy, table, MIN(table->length, sizeof(*copy)));
    return copy;
}

/* Reads a byte constant of AML. Returns false if it is something else, or past the end. */
static bool read_aml_byte(const uint8_t **at, const uint8_t *end, uint8_t *value)
{
    const uint8_t *p = *at;

    if (p < end && (*p == AML_ZERO_OP || *p == AML_ONE_OP)) {
        *value = *p;
        *at = p + 1;
        return true;
    }
    if (end - p < 2 || *p != AML_BYTE_PREFIX)
        return false;
    *value = p[1];
    *at = p + 2;
    return true;
}

/*
 * Name (_S5_, Package () {SLP_TYPa, SLP_TYPb, ...}) found by its bytes, which every known DSDT has
 * in this form. `at` is behind the name.
 */
static bool read_s5_package(const uint8_t *at, const uint8_t *end, uint8_t type[2])
{
    if (end - at < 2 || *at != AML_PACKAGE_OP)
        return false;
    at++;

    uint32_t length_bytes = 1 + AML_PKG_LENGTH_MORE(*at);
    uint32_t count_bytes = 1;

    if ((uint32_t)(end - at) < length_bytes + count_bytes)
        return false;
    at += length_bytes + count_bytes;
    if (!read_aml_byte(&at, end, &type[0]))
        return false;
    if (!read_aml_byte(&at, end, &type[1]))
        type[1] = type[0];
    return true;
}

static bool find_s5(uint8_t type[2])
{
    static const char name[] = {'_', 'S', '5', '_'};
    const struct acpi_header *dsdt = acpi_find_table("DSDT");

    if (!dsdt)
        return false;

    const uint8_t *start = (const uint8_t *)(dsdt + 1);
    const uint8_t *end = (const uint8_t *)dsdt + dsdt->length;

    for (const uint8_t *at = start + 1; end - at > (ptrdiff_t)sizeof(name); at++) {
        if (memcmp(at, name, sizeof(name)) != 0)
            continue;
        /* The name may be written as \_S5_. */
        bool is_name =
            at[-1] == AML_NAME_OP || (at - start >= 2 && at[-1] == '\\' && at[-2] == AML_NAME_OP);

        if (is_name && read_s5_package(at + sizeof(name), end, type))
            return true;
    }
    return false;
}

static uint16_t io_port(uint32_t old_field, const struct acpi_generic_address *new_field)
{
    /* ACPI 6.4, 5.2.9: the newer field counts if it is not zero. */
    if (new_field->space == ACPI_SPACE_IO && new_field->address && new_field->address <= UINT16_MAX)
        return (uint16_t)new_field->address;
    return old_field <= UINT16_MAX ? (uint16_t)old_field : 0;
}

static void write_register(const struct acpi_generic_address *reg, uint8_t value)
{
    if (!reg->address)
        return;
    if (reg->space == ACPI_SPACE_IO && reg->address <= UINT16_MAX) {
        outb((uint16_t)reg->address, value);
    } else if (reg->space == ACPI_SPACE_MEMORY) {
        void __iomem *mapped = ioremap(phys_make(reg->address), 1);

        if (mapped)
            writeb(value, mapped);
    } else if (reg->space == ACPI_SPACE_PCI_CONFIG) {
        /* Bits 32-47 are the device, 16-31 the function, 0-15 the offset, all on bus 0. */
        uint32_t device = (uint32_t)(reg->address >> 32) & 0x1f;
        uint32_t function = (uint32_t)(reg->address >> 16) & 0x7;
        uint32_t offset = (uint32_t)reg->address & 0xff;

        outl(PCI_CONFIG_ADDRESS, PCI_CONFIG_ENABLE | device << 11 | function << 8 | (offset & ~3u));
        outb((uint16_t)(PCI_CONFIG_DATA + (offset & 3)), value);
    }
}

/* Hands the machine from the BIOS's power management to us, if that is still to be done. */
static void enable_acpi(const struct fadt *fadt, uint16_t pm1a)
{
    if (inw(pm1a) & PM1_SCI_EN || !fadt->smi_cmd || !fadt->acpi_enable)
        return;
    outb((uint16_t)fadt->smi_cmd, fadt->acpi_enable);

    deadline_t deadline = deadline_in_ms(ACPI_ENABLE_MS);

    while (!(inw(pm1a) & PM1_SCI_EN) && !deadline_passed(deadline))
        cpu_relax();
}

static void enter_sleep(uint16_t port, uint8_t type)
{
    uint16_t control = (uint16_t)(inw(port) & ~(PM1_SLP_TYP_MASK | PM1_SLP_EN));

    control |= (uint16_t)(type << PM1_SLP_TYP_SHIFT & PM1_SLP_TYP_MASK);
    outw(port, control);
    outw(port, control | PM1_SLP_EN);
}

static void acpi_power_off(void)
{
    struct fadt copy;
    const struct fadt *fadt = find_fadt(&copy);
    uint8_t type[2];

    if (!fadt || !find_s5(type))
        return;
    if (fadt->flags & FADT_FLAG_HW_REDUCED) {
        write_register(&fadt->sleep_control,
                       (uint8_t)(type[0] << SLEEP_CONTROL_TYP_SHIFT | SLEEP_CONTROL_EN));
        return;
    }

    uint16_t pm1a = io_port(fadt->pm1a_cnt_blk, &fadt->x_pm1a_cnt_blk);
    uint16_t pm1b = io_port(fadt->pm1b_cnt_blk, &fadt->x_pm1b_cnt_blk);

    if (!pm1a)
        return;
    enable_acpi(fadt, pm1a);
    enter_sleep(pm1a, type[0]);
    if (pm1b)
        enter_sleep(pm1b, type[1]);
}

/* On a real machine the emulators' ports may be anything. */
static bool is_emulated(void)
{
    return cpuid(1, 0).ecx & CPUID1_ECX_HYPERVISOR || inb(DEBUGCON_PORT) == DEBUGCON_ANSWER;
}

static void power_off(void)
{
    static const char bochs[] = "Shutdown";

    acpi_power_off();
    delay_us(SETTLE_US);
    if (!is_emulated())
        return;
    outw(QEMU_PM_PORT, PM1_SLP_EN);
    outw(QEMU_PM_PORT_OLD, PM1_SLP_EN);
    for (unsigned i = 0; i < strlen(bochs); i++)
        outb(BOCHS_SHUTDOWN_PORT, (uint8_t)bochs[i]);
}

static void triple_fault(void)
{
    static const struct {
        uint16_t limit;
        uint32_t base;
    } __packed no_idt = {0, 0};

    __asm__ volatile("lidt %0\n"
                     "int3"
                     :
                     : "m"(no_idt));
}

static void reboot(void)
{
    struct fadt copy;
    const struct fadt *fadt = find_fadt(&copy);

    if (fadt && fadt->flags & FADT_FLAG_RESET_REG) {
        write_register(&fadt->reset_reg, fadt->reset_value);
        delay_us(SETTLE_US);
    }

    outb(RESET_CONTROL, RESET_HARD);
    outb(RESET_CONTROL, RESET_HARD | RESET_NOW);
    delay_us(SETTLE_US);

    for (uint32_t polls = KBC_POLLS; polls && inb(KBC_STATUS) & KBC_INPUT_FULL; polls--)
        io_delay();
    outb(KBC_COMMAND, KBC_PULSE_RESET);
    delay_us(SETTLE_US);
    triple_fault();
}

void power_leave(enum power_action action, unsigned qemu_value)
{
    irq_disable();
    console_drain();
    switch (action) {
    case POWER_REBOOT:
        reboot();
        break;
    case POWER_OFF:
        power_off();
        break;
    case POWER_QEMU:
        outb(QEMU_EXIT_PORT, (uint8_t)qemu_value);
        break;
    case POWER_HALT:
        break;
    }
    halt();
}
