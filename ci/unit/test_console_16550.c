/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The serial driver against a model of the port: one that works, one that is not there in several
 * ways, one that stops taking bytes.
 */
#include "ci/unit/unit.h"

#define LIB_X86_IO_H
static uint8_t inb(uint16_t port);
static void outb(uint16_t port, uint8_t value);

#include "drivers/console_16550.c"

#define SENT_MAX 4096u

enum model_kind {
    ABSENT_FLOATING, /* reads as all ones */
    ABSENT_ECHO,     /* the bus still holds the byte that was written last */
    ABSENT_ZERO,
    UART_8250,
    UART_16550,
    UART_16550A,
};

static struct {
    enum model_kind kind;
    uint16_t base;
    uint8_t ier, fcr, lcr, mcr, dll, dlm;
    uint8_t last_on_bus;
    unsigned queued;       /* characters not yet sent */
    unsigned polls_a_char; /* reads of LSR that one takes to send; 0: it is never sent */
    unsigned polls;
    uint64_t all_polls;
    unsigned overruns; /* characters written when there was no room */
    unsigned sent;
    char text[SENT_MAX + 1];
} model;

static unsigned model_room(void)
{
    return model.kind == UART_16550A && model.fcr & FCR_ENABLE ? FIFO_BYTES : 1;
}

static uint8_t model_lsr(void)
{
    model.all_polls++;
    if (model.queued && model.polls_a_char && ++model.polls >= model.polls_a_char) {
        model.polls = 0;
        model.queued--;
    }
    return model.queued ? 0 : LSR_THRE | LSR_TEMT;
}

static uint8_t model_iir(void)
{
    if (!(model.fcr & FCR_ENABLE) || model.kind == UART_8250)
        return 0x01;
    return model.kind == UART_16550A ? 0xc1 : 0x81;
}

static uint8_t inb(uint16_t port)
{
    bool dlab = model.lcr & LCR_DLAB;

    if (port - model.base >= UART_PORTS || model.kind == ABSENT_FLOATING)
        return FLOATING_BUS;
    if (model.kind == ABSENT_ECHO)
        return model.last_on_bus;
    if (model.kind == ABSENT_ZERO)
        return 0;
    switch (port - model.base) {
    case UART_DLL:
        return dlab ? model.dll : 0;
    case UART_DLM:
        return dlab ? model.dlm : model.ier;
    case UART_IIR:
        return model_iir();
    case UART_LCR:
        return model.lcr;
    case UART_MCR:
        return model.mcr;
    case UART_LSR:
        return model_lsr();
    default:
        return 0;
    }
}

static void model_send(uint8_t value)
{
    if (model.queued >= model_room())
        model.overruns++;
    model.queued++;
    assert_true(model.sent < SENT_MAX);
    model.text[model.sent++] = (char)value;
    model.text[model.sent] = '\0';
}

static void outb(uint16_t port, uint8_t value)
{
    bool dlab = model.lcr & LCR_DLAB;

    model.last_on_bus = value;
    switch (port - model.base) {
    case UART_THR:
        if (dlab)
            model.dll = value;
        else
            model_send(value);
        break;
    case UART_IER:
        *(dlab ? &model.dlm : &model.ier) = value;
        break;
    case UART_FCR:
        model.fcr = value;
        break;
    case UART_LCR:
        model.lcr = value;
        break;
    case UART_MCR:
        model.mcr = value;
        break;
    }
}

static void plug_in(enum model_kind kind, uint16_t base)
{
    memset(&model, 0, sizeof(model));
    memset(uarts, 0, sizeof(uarts));
    model.kind = kind;
    model.base = base;
    model.ier = 0x0f;
    model.polls_a_char = 3;
}

static int open_spec(const char *spec)
{
    char *copy = exact_copy(spec, strlen(spec));
    int error = uart_open(copy, strlen(spec), NULL);

    free(copy);
    return error;
}

static void say(const char *text)
{
    uart_write_all(text, strlen(text));
}

static void specs(void **state)
{
    static const struct {
        const char *spec;
        uint16_t port;
        uint16_t divisor;
    } good[] = {
        {"ttyS0", 0x3f8, 1},         {"ttyS1", 0x2f8, 1},         {"ttyS2", 0x3e8, 1},
        {"ttyS3", 0x2e8, 1},         {"ttyS0,115200", 0x3f8, 1},  {"ttyS0,115200n8", 0x3f8, 1},
        {"ttyS1,9600", 0x2f8, 12},   {"0x3f8", 0x3f8, 1},         {"0xE000,57600", 0xe000, 2},
        {"0xfff8,300", 0xfff8, 384}, {"ttyS0,38400n8", 0x3f8, 3},
    };
    static const char *const bad[] = {
        "",
        "ttyS",
        "ttyS4",
        "ttyS-1",
        "ttyS0,",
        "ttyS0,0",
        "ttyS0,7",
        "ttyS0,110",
        "ttyS0,9601",
        "ttyS0,230400",
        "ttyS0,115200e7",
        "ttyS0,n8",
        "ttyS0;9600",
        "ttyS0,9600,",
        "0x",
        "0x0",
        "0xfff9",
        "0x10000",
        "3f8",
        "0x3g8",
        "ttys0",
        "ttyUSB0",
        "ttyS0,4294967296115200",
        "ttyS0, 9600",
        "e9",
        "screen",
    };

    for (unsigned i = 0; i < ARRAY_SIZE(good); i++) {
        plug_in(UART_16550A, good[i].port);
        assert_int_equal(open_spec(good[i].spec), 0);
        assert_int_equal(model.dlm << 8 | model.dll, good[i].divisor);
        assert_int_equal(model.lcr, LCR_8N1);
        assert_int_equal(model.ier, 0);
        assert_int_equal(model.mcr, MCR_DTR | MCR_RTS);
        assert_true(model.fcr & FCR_ENABLE);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        plug_in(UART_16550A, 0x3f8);
        assert_int_equal(open_spec(bad[i]), -EINVAL);
        assert_int_equal(model.lcr, 0);
    }
}

static void absent_ports(void **state)
{
    for (enum model_kind kind = ABSENT_FLOATING; kind <= ABSENT_ZERO; kind++) {
        plug_in(kind, 0x3f8);
        assert_int_equal(open_spec("ttyS0,9600"), -ENODEV);
        say("nobody hears this\n");
        uart_drain_all();
    }
}

static void lines_and_fifo(void **state)
{
    for (enum model_kind kind = UART_8250; kind <= UART_16550A; kind++) {
        char line[300];

        plug_in(kind, 0x3f8);
        assert_int_equal(open_spec("ttyS0"), 0);
        assert_int_equal(uarts[0].burst, kind == UART_16550A ? FIFO_BYTES : 1);
        say("KTAP version 1\n\n# a\r\n");
        memset(line, 'x', sizeof(line) - 1);
        line[sizeof(line) - 1] = '\0';
        say(line);
        assert_int_equal(model.overruns, 0);
        assert_int_equal(strncmp(model.text, "KTAP version 1\r\n\r\n# a\r\r\n", 24), 0);
        assert_string_equal(model.text + 24, line);
        uart_drain_all();
        assert_int_equal(model.queued, 0);
    }
}

static void opened_twice(void **state)
{
    plug_in(UART_16550A, 0x3f8);
    assert_int_equal(open_spec("ttyS0"), 0);
    assert_int_equal(open_spec("0x3f8,9600"), 0);
    assert_int_equal(model.dll, 12);
    say("once");
    assert_string_equal(model.text, "once");
}

static void too_many(void **state)
{
    plug_in(UART_16550A, 0x1000);
    for (unsigned i = 0; i < MAX_UARTS; i++) {
        char spec[16];

        model.base = (uint16_t)(0x1000 + i * UART_PORTS);
        snprintf(spec, sizeof(spec), "0x%x", model.base);
        assert_int_equal(open_spec(spec), 0);
    }
    model.base = 0x3f8;
    assert_int_equal(open_spec("ttyS0"), -ENOSPC);
}

/* The other consoles go on, and are told once. */
static void stops_answering(void **state)
{
    char text[120];

    plug_in(UART_16550A, 0x2f8);
    assert_int_equal(open_spec("ttyS1"), 0);
    say("works\n");
    model.polls_a_char = 0;
    assert_false(uart_notice(text, sizeof(text)));
    say("these sixteen characters fit, the rest do not\n");
    assert_true(uart_notice(text, sizeof(text)));
    assert_string_equal(text,
                        "console: the serial port at 0x2f8 takes no more bytes and is given up");
    assert_false(uart_notice(text, sizeof(text)));

    uint64_t polls = model.all_polls;

    say("no more waiting\n");
    uart_drain_all();
    assert_int_equal(model.all_polls, polls);
}

/* 300 baud, with a full FIFO that takes 0.6 s, at the quickest read of a port that is known. */
static void slow_but_alive(void **state)
{
    plug_in(UART_16550A, 0x3f8);
    assert_int_equal(open_spec("ttyS0,300"), 0);
    model.polls_a_char = 10 * 384 * 9 / 50 * 1000;
    say("0123456789abcdef0123456789abcdef\n");
    assert_false(uarts[0].lost);
    assert_string_equal(model.text, "0123456789abcdef0123456789abcdef\r\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(specs),          cmocka_unit_test(absent_ports),
        cmocka_unit_test(lines_and_fifo), cmocka_unit_test(opened_twice),
        cmocka_unit_test(too_many),       cmocka_unit_test(stops_answering),
        cmocka_unit_test(slow_but_alive),
    };

    return cmocka_run_group_tests_name("console_16550", tests, NULL, NULL);
}
