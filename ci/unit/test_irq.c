/* SPDX-License-Identifier: BSD-2-Clause */
/* The interrupt controllers against a model of the 8259A pair: what is masked, what is
 * acknowledged. */
#include "ci/unit/unit.h"

#define LIB_X86_IO_H
#define LIB_X86_CPU_H
static uint8_t inb(uint16_t port);
static void outb(uint16_t port, uint8_t value);
static void io_delay(void)
{
}
static uint32_t irq_save(void)
{
    return 0;
}
static void irq_restore(uint32_t flags)
{
}

#include "drivers/irq.c"

#define LINE_NONE 99u

static struct {
    uint8_t icw[4];
    unsigned icw_at; /* which of them the next write to the data port is; 0: the mask */
    uint8_t mask;
    uint8_t in_service;
    bool reads_isr;
    unsigned acknowledged; /* the last line; LINE_NONE: none */
    unsigned nr_acknowledged;
} pic[2];

static uint8_t elcr[2];

void apic_set_virtual_wire(void)
{
}

static uint8_t inb(uint16_t port)
{
    unsigned n = port == PIC2_COMMAND || port == PIC2_DATA;

    if (port == ELCR1 || port == ELCR2)
        return elcr[port - ELCR1];
    if (port == PIC1_DATA || port == PIC2_DATA)
        return pic[n].mask;
    assert_true(pic[n].reads_isr);
    return pic[n].in_service;
}

static void write_command(unsigned n, uint8_t value)
{
    if (value & 0x10) {
        pic[n].icw[0] = value;
        pic[n].icw_at = 1;
        pic[n].mask = 0;
    } else if ((value & 0xf8) == OCW2_SPECIFIC_EOI) {
        pic[n].acknowledged = value & 7;
        pic[n].nr_acknowledged++;
        pic[n].in_service &= (uint8_t)~BIT(value & 7);
    } else {
        assert_int_equal(value, OCW3_READ_ISR);
        pic[n].reads_isr = true;
    }
}

static void outb(uint16_t port, uint8_t value)
{
    unsigned n = port == PIC2_COMMAND || port == PIC2_DATA;

    if (port == ELCR1 || port == ELCR2) {
        elcr[port - ELCR1] = value;
    } else if (port == PIC1_COMMAND || port == PIC2_COMMAND) {
        write_command(n, value);
    } else if (pic[n].icw_at) {
        pic[n].icw[pic[n].icw_at] = value;
        pic[n].icw_at = pic[n].icw_at == 3 ? 0 : pic[n].icw_at + 1;
    } else {
        pic[n].mask = value;
    }
}

static void start(void)
{
    memset(&irq, 0, sizeof(irq));
    memset(pic, 0, sizeof(pic));
    pic[0].acknowledged = pic[1].acknowledged = LINE_NONE;
    irq_init();
}

/* As the processor sees it: the line is in service (at the cascade too), then its vector is taken.
 */
static void interrupt(unsigned line)
{
    if (line >= LINES_PER_PIC) {
        pic[1].in_service |= BIT(line - LINES_PER_PIC);
        pic[0].in_service |= BIT(CASCADE_LINE);
    } else {
        pic[0].in_service |= BIT(line);
    }
    irq_dispatch(line);
    assert_int_equal(pic[0].in_service, 0);
    assert_int_equal(pic[1].in_service, 0);
}

static bool owns(void *ctx)
{
    ++*(unsigned *)ctx;
    return true;
}

static bool disowns(void *ctx)
{
    ++*(unsigned *)ctx;
    return false;
}

static void setup(void **state)
{
    start();
    assert_int_equal(pic[0].icw[1], IRQ_BASE_VECTOR);
    assert_int_equal(pic[1].icw[1], IRQ_BASE_VECTOR + 8);
    assert_int_equal(pic[0].icw[2], 4);
    assert_int_equal(pic[1].icw[2], 2);
    assert_int_equal(pic[0].icw[3] & pic[1].icw[3], 1);
    assert_int_equal(pic[0].mask & pic[1].mask, 0xff);
}

static void masks(void **state)
{
    unsigned calls = 0;

    start();
    assert_int_equal(irq_request(6, owns, &calls, "floppy"), 0);
    assert_int_equal(pic[0].mask, 0xbf);
    assert_int_equal(irq_request(14, owns, &calls, "ide"), 0);
    assert_int_equal(pic[0].mask, 0xbb);
    assert_int_equal(pic[1].mask, 0xbf);
    irq_free(14, disowns, &calls);
    assert_int_equal(pic[1].mask, 0xbf);
    irq_free(14, owns, &calls);
    assert_int_equal(pic[0].mask, 0xbf);
    assert_int_equal(pic[1].mask, 0xff);
    assert_int_equal(irq_request(2, owns, &calls, "cascade"), -EINVAL);
    assert_int_equal(irq_request(16, owns, &calls, "none"), -EINVAL);
}

static void shared_line(void **state)
{
    unsigned first = 0, second = 0;

    start();
    assert_int_equal(irq_request(11, disowns, &first, "a"), 0);
    assert_int_equal(irq_request(11, owns, &second, "b"), 0);
    assert_string_equal(irq_handler_name(11, 1), "b");
    assert_null(irq_handler_name(11, 2));
    interrupt(11);
    assert_int_equal(first, 1);
    assert_int_equal(second, 1);
    assert_int_equal(irq_count(11), 1);
    irq_free(11, disowns, &first);
    interrupt(11);
    assert_int_equal(first, 1);
    assert_int_equal(second, 2);
    assert_int_equal(pic[1].mask, 0xf7);
}

static void spurious(void **state)
{
    unsigned calls = 0;

    start();
    assert_int_equal(irq_request(7, owns, &calls, "printer"), 0);
    assert_int_equal(irq_request(15, owns, &calls, "ide"), 0);
    irq_dispatch(7);
    assert_int_equal(pic[0].nr_acknowledged, 0);

    /* Only the first controller has the cascade in service, and only it is acknowledged. */
    pic[0].in_service = BIT(CASCADE_LINE);
    irq_dispatch(15);
    assert_int_equal(pic[0].acknowledged, CASCADE_LINE);
    assert_int_equal(pic[0].nr_acknowledged, 1);
    assert_int_equal(pic[1].nr_acknowledged, 0);

    /* The local APIC's own has nothing in service anywhere. */
    irq_dispatch(15);
    assert_int_equal(pic[0].nr_acknowledged, 1);

    assert_int_equal(calls, 0);
    assert_int_equal(irq_spurious_count(), 3);
    assert_int_equal(irq_count(7) + irq_count(15), 0);
    interrupt(7);
    interrupt(15);
    assert_int_equal(calls, 2);
    assert_int_equal(irq_spurious_count(), 3);
}

static void nobodys_interrupt(void **state)
{
    unsigned calls = 0;

    start();
    assert_int_equal(irq_request(10, disowns, &calls, "silent"), 0);
    for (unsigned i = 0; i < STUCK_AFTER; i++) {
        assert_false(irq_is_stuck(10));
        assert_int_equal(pic[1].mask, 0xfb);
        interrupt(10);
    }
    assert_true(irq_is_stuck(10));
    assert_int_equal(pic[1].mask, 0xff);
    assert_int_equal(pic[0].mask, 0xff);
}

/* A stuck line stays masked until it is allowed again, and is told once, with who had it. */
static void stuck_line(void **state)
{
    unsigned calls = 0;
    struct irq_stuck stuck;

    start();
    assert_false(irq_take_stuck(&stuck));
    assert_int_equal(irq_request(10, owns, &calls, "flood"), 0);
    assert_int_equal(irq_request(10, disowns, &calls, "other"), 0);
    interrupt(10);
    irq_declare_stuck(10);
    irq_declare_stuck(10);
    irq_declare_stuck(CASCADE_LINE);
    assert_int_equal(pic[1].mask, 0xff);
    assert_int_equal(irq_request(10, owns, &calls, "late"), -EIO);
    irq_free(10, owns, &calls);
    assert_int_equal(pic[1].mask, 0xff);
    irq_unstick(10);
    assert_int_equal(pic[1].mask, 0xfb);
    assert_true(irq_take_stuck(&stuck));
    assert_int_equal(stuck.line, 10);
    assert_int_equal(stuck.count, 1);
    assert_string_equal(stuck.suspects[0], "flood");
    assert_string_equal(stuck.suspects[1], "other");
    assert_null(stuck.suspects[2]);
    assert_false(irq_take_stuck(&stuck));
    irq_declare_stuck(10);
    irq_free(10, disowns, &calls);
    irq_unstick(10);
    assert_int_equal(pic[1].mask, 0xff);
    assert_int_equal(irq_request(10, owns, &calls, "again"), 0);
    assert_int_equal(pic[1].mask, 0xfb);
}

static void level_triggered(void **state)
{
    start();
    memset(elcr, 0, sizeof(elcr));
    irq_set_level(11);
    irq_set_level(5);
    irq_set_level(0);
    irq_set_level(8);
    irq_set_level(13);
    irq_set_level(NR_IRQ_LINES);
    assert_int_equal(elcr[0], 0x20);
    assert_int_equal(elcr[1], 0x08);
    /* No such register: the bus floats. */
    elcr[0] = elcr[1] = 0xff;
    irq_set_level(10);
    assert_int_equal(elcr[0], 0xff);
    elcr[0] = 0xfd;
    elcr[1] = 0xdd;
    irq_set_level(9);
    assert_int_equal(elcr[1], 0xdd);
}

static void in_service(void **state)
{
    start();
    assert_int_equal(irq_in_service(), 0);
    pic[0].in_service = BIT(CASCADE_LINE) | BIT(7);
    pic[1].in_service = BIT(3);
    assert_int_equal(irq_in_service(), 0x884);
}

static void too_many(void **state)
{
    unsigned calls = 0;

    start();
    for (unsigned i = 0; i < MAX_HANDLERS; i++)
        assert_int_equal(irq_request(5, owns, &calls, "x"), 0);
    assert_int_equal(irq_request(5, owns, &calls, "y"), -ENOSPC);
    interrupt(5);
    assert_int_equal(calls, MAX_HANDLERS);
    irq_dispatch(NR_IRQ_LINES);
    irq_dispatch(CASCADE_LINE);
    assert_int_equal(irq_count(NR_IRQ_LINES), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(setup),
        cmocka_unit_test(masks),
        cmocka_unit_test(shared_line),
        cmocka_unit_test(spurious),
        cmocka_unit_test(nobodys_interrupt),
        cmocka_unit_test(stuck_line),
        cmocka_unit_test(in_service),
        cmocka_unit_test(level_triggered),
        cmocka_unit_test(too_many),
    };

    return cmocka_run_group_tests_name("irq", tests, NULL, NULL);
}
