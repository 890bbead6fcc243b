/* SPDX-License-Identifier: BSD-2-Clause */
/* What the boot option avoid= names is left alone, by driver, place and identity; and only that. */
#include "ci/unit/unit.h"

#include "drivers/avoid.h"
#include "drivers/pci_probe.c"
#include "lib/errno.h"

static struct pci_device devices[3];
static unsigned probed[ARRAY_SIZE(devices)];
static unsigned nr_reports;
static char report[PROBE_TEXT_BYTES], reporter[PROBE_TEXT_BYTES];

static int note_probe(struct pci_device *pdev, const struct pci_driver *driver)
{
    probed[pdev - devices]++;
    return 0;
}

/* A table of two drivers, between symbols as the linker would set them. */
static const struct pci_match disks[] = {{PCI_ANY, PCI_ANY, 0x010100, 0xffff00}};
static const struct pci_match cards[] = {{0x8086, 0x100e, 0, 0}};
extern const struct pci_driver pci_driver_table_start[], pci_driver_table_end[];
const struct pci_driver pci_driver_table_start[] = {
    {"ide", disks, ARRAY_SIZE(disks), note_probe, NULL},
    {"e1000", cards, ARRAY_SIZE(cards), note_probe, NULL},
};
__asm__(".data\n"
        ".globl pci_driver_table_end\n"
        ".set pci_driver_table_end, pci_driver_table_start + 2 * 40\n"
        ".text\n");

_Static_assert(sizeof(struct pci_driver) == 40, "the end of the table lies behind two entries");

unsigned pci_device_count(void)
{
    return ARRAY_SIZE(devices);
}

struct pci_device *pci_device_at(unsigned index)
{
    return &devices[index];
}

void probe_announce(const char *driver, const char *where)
{
}

void probe_report(const char *driver, int result, const char *fmt, ...)
{
    va_list args;

    assert_int_equal(result, -EPERM);
    nr_reports++;
    snprintf(reporter, sizeof(reporter), "%s", driver);
    va_start(args, fmt);
    vsnprintf(report, sizeof(report), fmt, args);
    va_end(args);
}

static void set(unsigned index, const char *name, uint16_t vendor, uint16_t device,
                uint32_t class_code)
{
    devices[index] =
        (struct pci_device){.vendor = vendor, .device = device, .class_code = class_code};
    snprintf(devices[index].name, sizeof(devices[index].name), "%s", name);
}

/* Which of the devices are probed with that option, a bit each. */
static unsigned probe_with(const char *option)
{
    unsigned bits = 0;

    nr_reports = 0;
    memset(probed, 0, sizeof(probed));
    set(0, "00:01.1", 0x8086, 0x7010, 0x010180);
    set(1, "00:03.0", 0x8086, 0x100e, 0x020000);
    set(2, "01:03.0", 0x8086, 0x100e, 0x020000);
    avoid_init(option);
    pci_probe_drivers();
    for (unsigned i = 0; i < ARRAY_SIZE(devices); i++) {
        assert_true(probed[i] <= 1);
        assert_int_equal(probed[i], !pci_is_avoided(&devices[i]));
        bits |= probed[i] << i;
    }
    return bits;
}

static void functions(void **state)
{
    assert_int_equal(probe_with(""), 7);
    assert_int_equal(nr_reports, 0);
    assert_int_equal(probe_with("ide"), 6);
    assert_int_equal(nr_reports, 1);
    assert_string_equal(reporter, "ide");
    assert_string_equal(report, "00:01.1: left alone, avoid= says so");
    assert_int_equal(probe_with("e*"), 1);
    assert_int_equal(nr_reports, 2);
    assert_int_equal(probe_with("01:03.0"), 3);
    assert_string_equal(reporter, "e1000");
    assert_int_equal(probe_with("8086:100e"), 1);
    assert_int_equal(probe_with("8086:*,00:0?.?"), 0);
    assert_int_equal(nr_reports, 3);
    assert_int_equal(probe_with("*"), 0);
    assert_int_equal(probe_with("id,e100,0:01.1,100e"), 7);
}

static void unknown(void **state)
{
    char text[8];

    probe_with("ide,,e1000,nothing,01:03.0,8086:100e,sb16");
    assert_true(avoid_unknown(0, text, sizeof(text)));
    assert_string_equal(text, "nothing");
    assert_true(avoid_unknown(1, text, sizeof(text)));
    assert_string_equal(text, "sb16");
    assert_false(avoid_unknown(2, text, sizeof(text)));
    assert_true(avoid_matches("sb16"));
    assert_false(avoid_unknown(1, text, sizeof(text)));
    avoid_init("a-very-long-name");
    assert_true(avoid_unknown(0, text, sizeof(text)));
    assert_string_equal(text, "a-very-");
    avoid_init("a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q,r");
    assert_true(avoid_matches("p"));
    assert_false(avoid_matches("q"));
    avoid_report("floppy", NULL);
    assert_string_equal(report, "left alone, avoid= says so");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(functions),
                                              cmocka_unit_test(unknown)};

    return cmocka_run_group_tests_name("avoid", tests, NULL, NULL);
}
