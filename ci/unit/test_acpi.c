/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ACPI tables in a made-up physical memory, good ones and lying ones. Each mapping is a copy of
 * just the bytes that were asked for, so that the address sanitiser notices any look beside it.
 */
#include "ci/unit/unit.h"

#define LIB_X86_IO_H
#define LIB_X86_CPU_H
#include "drivers/acpi.c"

/* The power driver finds the S5 package in the DSDT; the rest of it is not run here. */
static uint8_t inb(uint16_t port)
{
    return 0xff;
}
static uint16_t inw(uint16_t port)
{
    return 0xffff;
}
static void outb(uint16_t port, uint8_t value)
{
}
static void outw(uint16_t port, uint16_t value)
{
}
static void outl(uint16_t port, uint32_t value)
{
}
static void writeb(uint8_t value, volatile void *addr)
{
}
static void io_delay(void)
{
}
static void irq_disable(void)
{
}
#define CPUID1_ECX_HYPERVISOR BIT(31)
struct cpuid_regs {
    uint32_t eax, ebx, ecx, edx;
};
static struct cpuid_regs cpuid(uint32_t leaf, uint32_t subleaf)
{
    return (struct cpuid_regs){0};
}
static void cpu_halt(void)
{
}
static void cpu_relax(void)
{
}
#include "drivers/power.c"

void console_drain(void)
{
}
void delay_us(uint32_t us)
{
}
deadline_t deadline_in_ms(uint32_t ms)
{
    return 0;
}
bool deadline_passed(deadline_t deadline)
{
    return true;
}

#define LOW_BYTES MIB(1)
#define HIGH_BASE UINT64_C(0x900000000)
#define HIGH_BYTES KIB(64)

static uint8_t low[LOW_BYTES];
static uint8_t high[HIGH_BYTES];
static int nr_mapped;

static uint8_t *at(phys_addr_t phys)
{
    return phys >= HIGH_BASE ? high + (phys - HIGH_BASE) : low + phys;
}

void *ioremap_cache(phys_addr_t phys, size_t size)
{
    bool in_low = phys < LOW_BYTES && size <= LOW_BYTES - phys;
    bool in_high =
        phys >= HIGH_BASE && phys - HIGH_BASE < HIGH_BYTES && size <= HIGH_BASE + HIGH_BYTES - phys;

    if (size == 0 || (!in_low && !in_high))
        return NULL;
    nr_mapped++;
    return exact_copy(at(phys), size);
}

void *ioremap(phys_addr_t phys, size_t size)
{
    return NULL;
}

void iounmap_cache(const void *addr)
{
    if (addr)
        nr_mapped--;
    free((void *)addr);
}

static void fix_sum(uint8_t *bytes, size_t size, uint8_t *sum)
{
    *sum = 0;
    for (size_t i = 0; i < size; i++) {
        if (bytes + i != sum)
            *sum = (uint8_t)(*sum - bytes[i]);
    }
}

static void put_table(phys_addr_t phys, const char *sig, const void *body, size_t body_size)
{
    struct acpi_header header = {.length = (uint32_t)(sizeof(header) + body_size)};

    memcpy(header.signature, sig, 4);
    memcpy(at(phys), &header, sizeof(header));
    memcpy(at(phys) + sizeof(header), body, body_size);
    fix_sum(at(phys), header.length, at(phys) + offsetof(struct acpi_header, checksum));
}

static void set_length(phys_addr_t phys, uint32_t length)
{
    memcpy(at(phys) + offsetof(struct acpi_header, length), &length, sizeof(length));
}

static void put_rsdp(phys_addr_t phys, uint8_t revision, uint32_t rsdt, uint64_t xsdt)
{
    struct acpi_rsdp rsdp = {
        .revision = revision, .rsdt_address = rsdt, .length = sizeof(rsdp), .xsdt_address = xsdt};

    memcpy(rsdp.signature, rsdp_signature, sizeof(rsdp_signature));
    fix_sum((uint8_t *)&rsdp, RSDP_V1_BYTES, &rsdp.checksum);
    fix_sum((uint8_t *)&rsdp, sizeof(rsdp), &rsdp.extended_checksum);
    memcpy(at(phys), &rsdp, sizeof(rsdp));
}

static void forget(void)
{
    for (unsigned i = 0; i < acpi.nr_found; i++)
        iounmap_cache(acpi.found[i]);
    iounmap_cache(acpi.root);
    assert_int_equal(nr_mapped, 0);
    memset(&acpi, 0, sizeof(acpi));
    memset(low, 0, sizeof(low));
    memset(high, 0, sizeof(high));
}

#define RSDP 0xf6a00
#define RSDT 0xe1000
#define MADT 0xe2000
#define FADT 0xe3000
#define DSDT 0xe4000
#define XSDT (HIGH_BASE + 0x10)
#define HIGH_HPET (HIGH_BASE + 0x4003)

static void put_old_machine(void)
{
    const uint32_t tables[] = {FADT, MADT};
    uint8_t fadt[80] = {0};
    uint32_t dsdt = DSDT;

    forget();
    memcpy(fadt + FADT_DSDT - sizeof(struct acpi_header), &dsdt, sizeof(dsdt));
    put_rsdp(RSDP, 0, RSDT, 0);
    put_table(RSDT, "RSDT", tables, sizeof(tables));
    put_table(MADT, "APIC", "madt", 4);
    put_table(FADT, "FACP", fadt, sizeof(fadt));
    put_table(DSDT, "DSDT", "aml", 3);
}

static void put_new_machine(void)
{
    const uint64_t tables[] = {0, HIGH_HPET, FADT, MADT};

    put_old_machine();
    put_rsdp(RSDP, 2, RSDT, XSDT);
    put_table(XSDT, "XSDT", tables, sizeof(tables));
    put_table(HIGH_HPET, "HPET", "hpet", 4);
}

static void assert_table(const char *sig, const char *body)
{
    const struct acpi_header *table = acpi_find_table(sig);

    assert_non_null(table);
    assert_memory_equal(table->signature, sig, 4);
    assert_memory_equal(table + 1, body, strlen(body));
    assert_ptr_equal(acpi_find_table(sig), table);
}

static void old_machine(void **state)
{
    put_old_machine();
    assert_int_equal(acpi_init(0), 0);
    assert_table("APIC", "madt");
    assert_table("DSDT", "aml");
    assert_null(acpi_find_table("HPET"));
    assert_int_equal(acpi_rejected_tables(), 0);
    forget();
    assert_int_equal(acpi_init(0), -ENODEV);
    assert_null(acpi_find_table("APIC"));
}

static void new_machine(void **state)
{
    put_new_machine();
    assert_int_equal(acpi_init(RSDP), 0);
    assert_table("HPET", "hpet");
    assert_table("APIC", "madt");
    forget();
}

static void rsdp_in_ebda(void **state)
{
    const uint16_t segment = 0x9fc0;

    put_old_machine();
    memset(low + RSDP, 0, sizeof(struct acpi_rsdp));
    memcpy(low + EBDA_SEGMENT_ADDRESS, &segment, sizeof(segment));
    put_rsdp(0x9fc10, 0, RSDT, 0);
    assert_int_equal(acpi_init(0), 0);
    forget();

    /* Not on a paragraph, or past the first KiB, or an EBDA that can't be one. */
    put_old_machine();
    memset(low + RSDP, 0, sizeof(struct acpi_rsdp));
    memcpy(low + EBDA_SEGMENT_ADDRESS, &segment, sizeof(segment));
    put_rsdp(0x9fc18, 0, RSDT, 0);
    assert_int_equal(acpi_init(0), -ENODEV);
    put_rsdp(0x9e000, 0, RSDT, 0);
    assert_int_equal(acpi_init(0), -ENODEV);
    memset(low + EBDA_SEGMENT_ADDRESS, 0xff, 2);
    assert_int_equal(acpi_init(0), -ENODEV);
    forget();
}

static void bad_roots(void **state)
{
    put_new_machine();
    low[RSDP + 9]++;
    assert_int_equal(acpi_init(RSDP), -EINVAL);
    assert_int_equal(acpi_init(0), -ENODEV);

    /* The second half is wrong: what ACPI 1.0 knew still holds. */
    put_new_machine();
    low[RSDP + 33]++;
    assert_int_equal(acpi_init(RSDP), 0);
    assert_null(acpi_find_table("HPET"));
    assert_table("APIC", "madt");

    put_new_machine();
    high[XSDT - HIGH_BASE + 40]++;
    assert_int_equal(acpi_init(RSDP), 0);
    assert_int_equal(acpi_rejected_tables(), 1);
    assert_table("APIC", "madt");

    put_old_machine();
    low[RSDT + 20]++;
    assert_int_equal(acpi_init(RSDP), -EINVAL);

    put_old_machine();
    put_rsdp(RSDP, 0, 0xfff00000, 0);
    assert_int_equal(acpi_init(RSDP), -EINVAL);
    forget();
}

static void lying_lengths(void **state)
{
    static const uint32_t lengths[] = {0, 1, 35, ACPI_MAX_TABLE_BYTES + 1, 0x80000000, UINT32_MAX};

    for (unsigned i = 0; i < ARRAY_SIZE(lengths); i++) {
        put_old_machine();
        set_length(MADT, lengths[i]);
        assert_int_equal(acpi_init(0), 0);
        assert_null(acpi_find_table("APIC"));
        assert_int_equal(acpi_rejected_tables(), 1);

        put_old_machine();
        set_length(RSDT, lengths[i]);
        assert_int_equal(acpi_init(0), -EINVAL);
    }

    /* No entries at all, and a last one that is cut off. */
    put_old_machine();
    put_table(RSDT, "RSDT", "", 0);
    assert_int_equal(acpi_init(0), 0);
    assert_null(acpi_find_table("APIC"));
    put_old_machine();
    put_table(RSDT, "RSDT", "\x00\x30\x0e\x00\x00\x20", 6);
    assert_int_equal(acpi_init(0), 0);
    assert_non_null(acpi_find_table("FACP"));
    assert_null(acpi_find_table("APIC"));

    put_old_machine();
    put_table(FADT, "FACP", "", 0);
    assert_int_equal(acpi_init(0), 0);
    assert_null(acpi_find_table("DSDT"));
    forget();
}

static void many_lookups(void **state)
{
    put_new_machine();
    assert_int_equal(acpi_init(0), 0);
    for (unsigned i = 0; i < 1000; i++) {
        assert_non_null(acpi_find_table("DSDT"));
        assert_non_null(acpi_find_table("APIC"));
        assert_null(acpi_find_table("SRAT"));
    }
    assert_true(nr_mapped <= 4);
    forget();
}

static void s5_package(void **state)
{
#define AML(text) text, sizeof(text) - 1
    static const struct {
        const char *aml;
        size_t size;
        int a, b; /* -1: none to be found */
    } cases[] = {
        {AML("xx\x08_S5_\x12\x06\x04\x0a\x05\x0a\x07\x00\x00yy"), 5, 7},
        {AML("\x08\\_S5_\x12\x06\x04\x00\x01\x00\x00"), 0, 1},
        {AML("\x08_S5_\x12\x46\x00\x04\x01\x01\x00\x00"), 1, 1},
        {AML("\x08_S5_\x12\x04\x01\x0a\x05"), 5, 5},
        {AML("x_S5_x\x08_S5_\x12\x06\x04\x0a\x05\x0a\x07"), 5, 7},
        {AML("\x08_S5_\x12\x06\x04\x0a\x05\x0a"), 5, 5},
        {AML("\x08_S5_\x12\x06\x04\x0a"), -1, -1},
        {AML("\x08_S5_\x12\x06\x04"), -1, -1},
        {AML("\x08_S5_\x12\xc6"), -1, -1},
        {AML("\x08_S5_\x12"), -1, -1},
        {AML("\x08_S5_"), -1, -1},
        {AML("\x08_S5"), -1, -1},
        {AML("x"), -1, -1},
        {AML(""), -1, -1},
        {AML("_S5_\x12\x06\x04\x00\x00"), -1, -1},
        {AML("\x08_S4_\x12\x06\x04\x00\x00"), -1, -1},
        {AML("\x08_S5_\x12\x06\x04\x0c\x05\x00\x00\x00"), -1, -1},
    };

    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        uint8_t type[2];

        put_old_machine();
        put_table(DSDT, "DSDT", cases[i].aml, cases[i].size);
        assert_int_equal(acpi_init(0), 0);
        if (cases[i].a < 0) {
            assert_false(find_s5(type));
        } else {
            assert_true(find_s5(type));
            assert_int_equal(type[0], cases[i].a);
            assert_int_equal(type[1], cases[i].b);
        }
    }
    forget();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(old_machine),   cmocka_unit_test(new_machine),
        cmocka_unit_test(rsdp_in_ebda),  cmocka_unit_test(bad_roots),
        cmocka_unit_test(lying_lengths), cmocka_unit_test(many_lookups),
        cmocka_unit_test(s5_package),
    };

    /* The way out of the machine is compiled with the rest and has no place in this test. */
    (void)power_leave;
    return cmocka_run_group_tests_name("acpi", tests, NULL, NULL);
}
