/* SPDX-License-Identifier: BSD-2-Clause */
/* PCI against a model of configuration space: what is found where, and who loses the bus. */
#include "ci/unit/unit.h"

#define LIB_X86_IO_H
#define LIB_X86_CPU_H
static uint8_t inb(uint16_t port);
static uint16_t inw(uint16_t port);
static uint32_t inl(uint16_t port);
static void outb(uint16_t port, uint8_t value);
static void outw(uint16_t port, uint16_t value);
static void outl(uint16_t port, uint32_t value);
static uint32_t readl(const volatile void *addr);
static uint32_t irq_save(void)
{
    return 0;
}
static void irq_restore(uint32_t flags)
{
}

#include "drivers/pci.c"

#include "drivers/pci_bar.c"

#include "drivers/pci_probe.c"

#include "drivers/pci_master.c"

#define MODEL_FUNCTIONS 400u
#define CONFIG_BYTES 256u
#define WINDOW_BASE 0xfe000000u

struct model_function {
    unsigned bus, slot, function;
    uint8_t config[CONFIG_BYTES];
    uint32_t bar0_size; /* 0: not implemented */
};

static struct {
    struct model_function functions[MODEL_FUNCTIONS];
    unsigned nr_functions;
    uint32_t address;
    bool ignores_bus;
    bool absent;
    uint8_t window[USB_WINDOW_BYTES];
    unsigned windows_open;
    unsigned nr_reports;
    char report[PROBE_TEXT_BYTES];
} model;

void probe_announce(const char *driver, const char *where)
{
}

/* No driver: the table is empty. */
__asm__(".data\n"
        ".globl pci_driver_table_start, pci_driver_table_end\n"
        "pci_driver_table_start:\n"
        "pci_driver_table_end:\n"
        ".text\n");

void probe_report(const char *driver, int result, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(model.report, sizeof(model.report), fmt, args);
    va_end(args);
    model.nr_reports++;
}

static uint32_t level_lines; /* a bit each */

void irq_set_level(unsigned line)
{
    level_lines |= line < 32 ? BIT(line) : 0;
}

void *ioremap(phys_addr_t phys, size_t size)
{
    assert_int_equal(phys, WINDOW_BASE);
    assert_true(size <= sizeof(model.window));
    model.windows_open++;
    return model.window;
}

void iounmap(const volatile void *window)
{
    assert_ptr_equal(window, model.window);
    model.windows_open--;
}

static uint32_t readl(const volatile void *addr)
{
    const uint8_t *at = (const uint8_t *)addr;
    uint32_t value;

    assert_true(at >= model.window && at + 4 <= model.window + sizeof(model.window));
    memcpy(&value, at, sizeof(value));
    return value;
}

static struct model_function *find(uint32_t address)
{
    for (unsigned i = 0; i < model.nr_functions; i++) {
        struct model_function *f = &model.functions[i];

        if ((f->bus == (address >> 16 & 0xff) || model.ignores_bus) &&
            f->slot == (address >> 11 & 0x1f) && f->function == (address >> 8 & 7))
            return f;
    }
    return NULL;
}

static uint32_t read_data(uint16_t port, unsigned bytes)
{
    struct model_function *f = find(model.address);
    uint32_t value = 0;

    assert_true(model.address & CONFIG_ENABLE);
    if (!f)
        return ALL_ONES;
    memcpy(&value, f->config + (model.address & 0xfc) + (port & 3), bytes);
    return value;
}

static void write_data(uint16_t port, uint32_t value, unsigned bytes)
{
    struct model_function *f = find(model.address);
    unsigned reg = (model.address & 0xfc) + (port & 3);

    assert_non_null(f);
    if (reg == PCI_BAR0)
        value = f->bar0_size ? (value & ~(f->bar0_size - 1)) | (f->config[reg] & 0xf) : 0;
    memcpy(f->config + reg, &value, bytes);
}

static uint8_t inb(uint16_t port)
{
    return (uint8_t)read_data(port, 1);
}

static uint16_t inw(uint16_t port)
{
    return (uint16_t)read_data(port, 2);
}

static uint32_t inl(uint16_t port)
{
    if (port == CONFIG_ADDRESS)
        return model.absent ? ALL_ONES : model.address;
    return read_data(port, 4);
}

static void outb(uint16_t port, uint8_t value)
{
    write_data(port, value, 1);
}

static void outw(uint16_t port, uint16_t value)
{
    write_data(port, value, 2);
}

static void outl(uint16_t port, uint32_t value)
{
    if (port == CONFIG_ADDRESS)
        model.address = value;
    else
        write_data(port, value, 4);
}

static void set16(struct model_function *f, unsigned reg, uint16_t value)
{
    memcpy(f->config + reg, &value, sizeof(value));
}

static void set32(struct model_function *f, unsigned reg, uint32_t value)
{
    memcpy(f->config + reg, &value, sizeof(value));
}

static struct model_function *add(unsigned bus, unsigned slot, unsigned function,
                                  uint32_t class_code)
{
    struct model_function *f = &model.functions[model.nr_functions];

    assert_true(model.nr_functions < MODEL_FUNCTIONS);
    *f = (struct model_function){.bus = bus, .slot = slot, .function = function};
    set16(f, PCI_VENDOR_ID, 0x1234);
    set16(f, PCI_DEVICE_ID, (uint16_t)++model.nr_functions);
    set32(f, PCI_CLASS_REVISION, class_code << 8);
    return f;
}

static void add_bridge(unsigned bus, unsigned slot, unsigned secondary)
{
    struct model_function *f = add(bus, slot, 0, 0x060400);

    f->config[PCI_HEADER_TYPE] = PCI_HEADER_BRIDGE;
    f->config[PCI_SECONDARY_BUS] = (uint8_t)secondary;
}

static void start(void)
{
    memset(&model, 0, sizeof(model));
    add(0, 0, 0, 0x060000);
}

static bool listed_once(unsigned bus, unsigned slot, unsigned function)
{
    unsigned times = 0;

    for (unsigned i = 0; i < pci_device_count(); i++) {
        const struct pci_device *pdev = pci_device_at(i);

        times += pdev->bus == bus && pdev->slot == slot && pdev->function == function;
    }
    return times == 1;
}

static void no_mechanism(void **state)
{
    start();
    model.absent = true;
    assert_int_equal(pci_init(), -ENODEV);
    assert_int_equal(pci_device_count(), 0);
}

static void buses(void **state)
{
    start();
    add(0, 2, 0, 0x020000)->config[PCI_HEADER_TYPE] = PCI_HEADER_MULTIFUNCTION;
    add(0, 2, 5, 0x020000);
    add(0, 4, 0, 0x020000);
    add(0, 4, 1, 0x020000); /* an echo: function 0 says that it is alone */
    add_bridge(0, 3, 1);
    add(1, 31, 0, 0x020000);
    add_bridge(1, 1, 2);
    add_bridge(2, 0, 1); /* a loop */
    add_bridge(2, 1, 2); /* to itself */
    add_bridge(0, 7, 1); /* a second way */
    assert_int_equal(pci_init(), 10);
    assert_true(listed_once(0, 2, 5));
    assert_true(listed_once(1, 31, 0));
    assert_true(listed_once(2, 1, 0));
    assert_string_equal(pci_device_at(0)->name, "00:00.0");
    assert_null(pci_device_at(10));
    assert_int_equal(model.nr_reports, 0);
}

static void peer_buses(void **state)
{
    start();
    add(0x80, 3, 0, 0x020000);
    add_bridge(0x80, 4, 0x81);
    add(0x81, 0, 0, 0x010000);
    add(0xff, 31, 0, 0x088000);
    assert_int_equal(pci_init(), 5);
    assert_true(listed_once(0x80, 3, 0));
    assert_true(listed_once(0x81, 0, 0));
    assert_true(listed_once(0xff, 31, 0));
}

static void mirrored_bus(void **state)
{
    start();
    model.ignores_bus = true;
    add(0, 7, 0, 0x060100);
    assert_int_equal(pci_init(), 2);
}

static void gone(void **state)
{
    struct model_function *f;

    start();
    f = add(0, 1, 0, 0x020000);
    memset(f->config + 4, 0xff, 60);
    f = add(0, 2, 0, 0x020000);
    memset(f->config + 4, 0xff, 59);
    set16(add(0, 3, 0, 0x020000), PCI_VENDOR_ID, 0);
    pci_init();
    assert_false(listed_once(0, 1, 0));
    assert_true(listed_once(0, 2, 0));
    assert_false(listed_once(0, 3, 0));
}

/* Two that work with a function at a time; one that can't be stopped; one that is gone. */
static void working(void **state)
{
    struct model_function *f;
    struct pci_device *pdev;

    start();
    f = add(0, 1, 0, 0x010180);
    pci_init();
    pdev = pci_device_at(1);
    pci_begin_work(pdev);
    pci_begin_work(pdev);
    pci_set_master(pdev, true);
    assert_false(pci_end_work(pdev));
    pci_set_master(pdev, false);
    assert_false(pci_end_work(pdev));
    pci_begin_work(pdev);
    pci_set_master(pdev, true);
    assert_true(pci_end_work(pdev));
    assert_false(pci_set_master(pdev, true));
    pdev->stays_master = true;
    pci_begin_work(pdev);
    assert_false(pci_end_work(pdev));
    pdev->stays_master = false;
    pci_begin_work(pdev);
    pci_forget_work();
    pci_begin_work(pdev);
    assert_true(pci_end_work(pdev));
    memset(f->config, 0xff, 64);
    pci_begin_work(pdev);
    assert_false(pci_end_work(pdev));
}

/* A function that leaves after it was listed, and one that comes in its place. */
static void leaving(void **state)
{
    struct model_function *f;
    uint32_t value = 0;

    start();
    f = add(0, 1, 0, 0x020000);
    pci_init();
    assert_ptr_equal(pci_device_of(&pci_device_at(1)->dma), pci_device_at(1));
    assert_null(pci_device_of(&(struct device){0}));
    assert_ptr_equal(pci_device_of(&(struct device){.parent = &pci_device_at(1)->dma}),
                     pci_device_at(1));
    assert_false(pci_is_gone(pci_device_at(1), &value));
    set16(f, PCI_DEVICE_ID, 0x7777);
    assert_true(pci_is_gone(pci_device_at(1), &value));
    assert_int_equal(value, 0x77771234);
    model.nr_functions--;
    assert_true(pci_is_gone(pci_device_at(1), &value));
    assert_int_equal(value, ALL_ONES);
}

static void mastering_allows_interrupts(void **state)
{
    struct model_function *f;
    struct pci_device *pdev;
    uint16_t before;

    start();
    f = add(0, 1, 0, 0x020000);
    set16(f, PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_INTX_DISABLE);
    pci_init();
    pdev = pci_device_at(1);
    before = pci_enable(pdev, PCI_COMMAND_MEMORY);
    assert_int_equal(pci_read_config16(pdev, PCI_COMMAND), before | PCI_COMMAND_MEMORY);
    pci_enable(pdev, PCI_COMMAND_MASTER);
    assert_int_equal(pci_read_config16(pdev, PCI_COMMAND),
                     PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    pci_restore_command(pdev, before);
    pci_set_master(pdev, true);
    assert_int_equal(pci_read_config16(pdev, PCI_COMMAND), PCI_COMMAND_IO | PCI_COMMAND_MASTER);
    pci_restore_command(pdev, before);
    assert_int_equal(pci_read_config16(pdev, PCI_COMMAND), before);
}

static void holding(void **state)
{
    struct model_function *f;
    struct pci_device *pdev;

    start();
    f = add(0, 1, 0, 0x010180);
    set16(f, PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_INTX_DISABLE);
    pci_init();
    pdev = pci_device_at(1);
    pci_hold(pdev, PCI_COMMAND_MEMORY);
    assert_int_equal(pci_read_config16(pdev, PCI_COMMAND),
                     PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_INTX_DISABLE);
    pci_hold(pdev, PCI_COMMAND_MASTER);
    pci_release(pdev);
    assert_int_equal(pci_read_config16(pdev, PCI_COMMAND),
                     PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    pci_release(pdev);
    assert_int_equal(pci_read_config16(pdev, PCI_COMMAND),
                     PCI_COMMAND_IO | PCI_COMMAND_INTX_DISABLE);
    pci_release(pdev);
    assert_int_equal(pdev->holders, 0);
}

static void truncation(void **state)
{
    start();
    for (unsigned i = 0; i < MAX_DEVICES + 9; i++)
        add(0x40 + i / 32, i % 32, 0, 0x088000);
    assert_int_equal(pci_init(), MAX_DEVICES);
    assert_int_equal(model.nr_reports, 1);
    assert_non_null(strstr(model.report, "least 10 functions"));
}

static bool stays_master(struct model_function *f)
{
    set16(f, PCI_COMMAND, PCI_COMMAND_MASTER | PCI_COMMAND_IO);
    pci_init();
    model.nr_reports = 0;
    pci_stop_masters();
    assert_int_equal(f->config[PCI_COMMAND] & PCI_COMMAND_IO, PCI_COMMAND_IO);
    assert_int_equal(model.windows_open, 0);
    return f->config[PCI_COMMAND] & PCI_COMMAND_MASTER;
}

/* Of devices that have a pin, but not where that means an ISA line. */
static void level_triggered(void **state)
{
    static const struct {
        uint32_t class_code;
        uint8_t line, pin;
    } functions[] = {{0x020000, 11, 1}, {0x0c0300, 10, 4}, {0x010180, 14, 1}, {0x030000, 9, 0}};

    start();
    for (unsigned i = 0; i < ARRAY_SIZE(functions); i++) {
        struct model_function *f = add(0, i + 1, 0, functions[i].class_code);

        f->config[PCI_INTERRUPT_LINE] = functions[i].line;
        f->config[PCI_INTERRUPT_PIN] = functions[i].pin;
    }
    level_lines = 0;
    pci_init();
    assert_int_equal(level_lines, BIT(11) | BIT(10));
}

static void masters(void **state)
{
    struct model_function *f;

    start();
    f = add(0, 1, 0, 0x020000);
    assert_false(stays_master(f));
    assert_int_equal(model.nr_reports, 1);
    /* The second time there is nothing to do. */
    model.nr_reports = 0;
    pci_stop_masters();
    assert_int_equal(model.nr_reports, 0);

    start();
    assert_true(stays_master(&model.functions[0]));
    assert_true(stays_master(add(0, 1, 0, 0x030000)));
    assert_true(stays_master(add(0, 2, 0, 0x000100)));
    assert_false(stays_master(add(0, 3, 0, 0x000000)));
    assert_false(stays_master(add(0, 4, 0, 0x010180)));
    assert_false(stays_master(add(0, 5, 0, 0x0c0300)));
    /* The boot option comes before all. */
    avoid_init("00:06.0");
    assert_true(stays_master(add(0, 6, 0, 0x020000)));
    assert_false(stays_master(add(0, 7, 0, 0x020000)));
    avoid_init("");
}

static struct model_function *add_usb(uint32_t programming_interface)
{
    struct model_function *f;

    start();
    f = add(0, 1, 0, 0x0c0300 | programming_interface);
    set32(f, PCI_BAR0, WINDOW_BASE);
    f->bar0_size = 0x1000;
    return f;
}

static void set_window(unsigned at, uint32_t value)
{
    memcpy(model.window + at, &value, sizeof(value));
}

static void usb_masters(void **state)
{
    struct model_function *f = add_usb(PROGIF_UHCI);

    set16(f, UHCI_LEGSUP, 0x2000);
    assert_false(stays_master(f));
    set16(f, UHCI_LEGSUP, 0x2010);
    assert_true(stays_master(f));
    assert_int_equal(model.nr_reports, 1);

    f = add_usb(PROGIF_OHCI);
    assert_false(stays_master(f));
    set_window(OHCI_CONTROL, OHCI_INTERRUPT_ROUTING);
    assert_true(stays_master(f));

    f = add_usb(PROGIF_EHCI);
    assert_false(stays_master(f));
    set_window(HCCPARAMS1, 0x6800);
    set32(f, 0x68, 0x00007002);
    set32(f, 0x70, 0x00000001);
    assert_false(stays_master(f));
    set32(f, 0x70, 0x00010001);
    assert_true(stays_master(f));
    set32(f, 0x68, 0x00006802); /* a list that never ends */
    assert_false(stays_master(f));

    f = add_usb(PROGIF_XHCI);
    assert_false(stays_master(f));
    set_window(HCCPARAMS1, 0x01400000);
    set_window(0x500, 0x00000802);
    set_window(0x520, 0x00010001);
    assert_true(stays_master(f));
    set_window(0x520, 0x01000001);
    assert_false(stays_master(f));
    set_window(HCCPARAMS1, 0xffff0000);
    assert_false(stays_master(f));

    /* Nowhere to look: nobody knows, so it stays. */
    f = add_usb(PROGIF_XHCI);
    set32(f, PCI_BAR0, 0);
    assert_true(stays_master(f));
    assert_true(stays_master(add_usb(0xfe)));
}

static void bar_size(void **state)
{
    struct pci_bar bar;
    struct model_function *f = add_usb(PROGIF_EHCI);

    pci_init();
    assert_int_equal(pci_read_bar(pci_device_at(1), 0, &bar), 0);
    assert_int_equal(bar.kind, PCI_BAR_MEMORY);
    assert_int_equal(bar.base, WINDOW_BASE);
    assert_int_equal(bar.size, 0x1000);
    assert_int_equal(pci_bar_memory(pci_device_at(1), 0), WINDOW_BASE);
    assert_int_equal(read_data(CONFIG_DATA, 1), f->config[model.address & 0xfc]);
    set32(f, PCI_BAR0 + 4, BAR_TYPE_64BIT | BAR_PREFETCHABLE);
    set32(f, PCI_BAR0 + 8, 0x3);
    assert_int_equal(pci_bar_memory(pci_device_at(1), 1), 0x300000000);
    set32(f, PCI_BAR0 + 4, ALL_ONES);
    assert_int_equal(pci_bar_memory(pci_device_at(1), 1), 0);
    assert_int_equal(pci_read_bar(pci_device_at(1), 1, &bar), -ENODEV);
    set32(f, PCI_BAR0 + 4, 0);
    assert_int_equal(pci_read_bar(pci_device_at(1), 6, &bar), -EINVAL);
    assert_int_equal(pci_read_bar(pci_device_at(1), 1, &bar), -ENODEV);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_mechanism),
        cmocka_unit_test(buses),
        cmocka_unit_test(peer_buses),
        cmocka_unit_test(mirrored_bus),
        cmocka_unit_test(gone),
        cmocka_unit_test(truncation),
        cmocka_unit_test(masters),
        cmocka_unit_test(usb_masters),
        cmocka_unit_test(bar_size),
        cmocka_unit_test(leaving),
        cmocka_unit_test(holding),
        cmocka_unit_test(working),
        cmocka_unit_test(mastering_allows_interrupts),
        cmocka_unit_test(level_triggered),
    };

    return cmocka_run_group_tests_name("pci", tests, NULL, NULL);
}
