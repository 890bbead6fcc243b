/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Serial ports: the 8250 family up to the 16550A and what emulates it, polled, 8 data bits, no
 * parity, one stop bit, no flow control. Register names are those of the PC16550D data sheet.
 */
#include "drivers/console.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/option.h"
#include "lib/string.h"
#include "lib/x86/io.h"

#define UART_CLOCK_BAUD 115200u /* speed at a divisor of 1: 1.8432 MHz / 16 */
#define UART_MIN_BAUD 300u
#define UART_DEFAULT_BAUD 115200u
#define UART_PORTS 8u /* I/O ports that one takes */

#define UART_THR 0 /* transmit holding register */
#define UART_DLL 0 /* divisor, low and high, while LCR_DLAB is set */
#define UART_DLM 1
#define UART_IER 1
#define UART_IIR 2
#define UART_FCR 2
#define UART_LCR 3
#define UART_MCR 4
#define UART_LSR 5

#define IIR_FIFO_ENABLED 0xc0u /* both bits: a FIFO that works; 16550 without A sets one */

#define FCR_ENABLE 0x01u
#define FCR_CLEAR_RX 0x02u
#define FCR_CLEAR_TX 0x04u

#define LCR_8N1 0x03u
#define LCR_DLAB 0x80u

#define MCR_DTR 0x01u
#define MCR_RTS 0x02u

#define LSR_THRE 0x20u /* THR, or the FIFO, is empty */
#define LSR_TEMT 0x40u /* the shift register too */

#define FLOATING_BUS 0xffu /* what nobody drives reads as */

#define FIFO_BYTES 16u

/*
 * A wait is bounded by a number of reads of LSR, since there is no clock yet. What may have to be
 * waited for is a FIFO and a shift register full: 17 characters of 10 bits, 1476 us at a divisor of
 * 1, in proportion at others. The quickest read seen takes 50 ns (an emulator), the ISA bus's 1 us.
 * On top comes a second or more for an emulator or a BMC whose reader has fallen behind.
 */
#define POLLS_PER_DIVISOR 30000u
#define POLLS_STALL 4000000u
#define POLLS_FIRMWARE 400000u /* a FIFO that firmware left full at 9600 baud */

#define MAX_UARTS 4u

struct uart {
    uint16_t port; /* 0: unused entry */
    uint16_t divisor;
    uint8_t burst; /* characters that fit when THRE is set */
    bool lost;     /* takes no more bytes */
    bool notice;   /* and nobody was told yet */
};

static struct uart uarts[MAX_UARTS];

/* The four that every PC has by convention (their ports are also in the BIOS data area). */
static const uint16_t pc_ports[] = {0x3f8, 0x2f8, 0x3e8, 0x2e8};

static uint8_t uart_read(const struct uart *uart, unsigned reg)
{
    return inb((uint16_t)(uart->port + reg));
}

static void uart_write(const struct uart *uart, unsigned reg, uint8_t value)
{
    outb((uint16_t)(uart->port + reg), value);
}

static void uart_set_divisor(const struct uart *uart, uint16_t divisor)
{
    uart_write(uart, UART_DLL, (uint8_t)divisor);
    uart_write(uart, UART_DLM, (uint8_t)(divisor >> 8));
}

/*
 * The divisor latch has 16 bits that can be read back and are about to be set anyway. The two bytes
 * differ, because an undriven bus may still hold the byte that was written last. Registers are not
 * touched before they look as if somebody drove them. Leaves LCR_DLAB set.
 */
static bool uart_is_present(const struct uart *uart)
{
    static const uint16_t patterns[] = {0x5aa5, 0xa55a};

    if (uart_read(uart, UART_LSR) == FLOATING_BUS && uart_read(uart, UART_IIR) == FLOATING_BUS)
        return false;
    uart_write(uart, UART_LCR, LCR_8N1 | LCR_DLAB);
    for (unsigned i = 0; i < ARRAY_SIZE(patterns); i++) {
        uart_set_divisor(uart, patterns[i]);
        uint8_t low = uart_read(uart, UART_DLL);
        uint8_t high = uart_read(uart, UART_DLM);

        if (low != (uint8_t)patterns[i] || high != patterns[i] >> 8)
            return false;
    }
    return uart_read(uart, UART_LCR) == (LCR_8N1 | LCR_DLAB);
}

/* Waits until a bit of LSR is set, for so many reads of it. Returns false if that took too long. */
static bool uart_wait(const struct uart *uart, uint8_t lsr_bit, uint32_t polls)
{
    while (!(uart_read(uart, UART_LSR) & lsr_bit)) {
        if (polls-- == 0)
            return false;
    }
    return true;
}

/* Sets an existing port up for its divisor, interrupts off. */
static int uart_setup(struct uart *uart)
{
    /* What another owner, the firmware's console say, still has queued is sent at its own speed. */
    uart_wait(uart, LSR_TEMT, POLLS_FIRMWARE);
    if (!uart_is_present(uart))
        return -ENODEV;
    uart_set_divisor(uart, uart->divisor);
    uart_write(uart, UART_LCR, LCR_8N1);
    uart_write(uart, UART_IER, 0);
    uart_write(uart, UART_FCR, FCR_ENABLE | FCR_CLEAR_RX | FCR_CLEAR_TX);
    uart->burst =
        (uart_read(uart, UART_IIR) & IIR_FIFO_ENABLED) == IIR_FIFO_ENABLED ? FIFO_BYTES : 1;
    if (uart->burst == 1)
        uart_write(uart, UART_FCR, 0);
    uart_write(uart, UART_MCR, MCR_DTR | MCR_RTS);
    return 0;
}

/*
 * Reads "ttyS0", "ttyS0,9600", "ttyS0,9600n8", "0x2f8,9600" and the like. The ending "n8" is the
 * one that Linux users are used to, and what we do.
 */
static int uart_parse(const char *spec, size_t len, struct uart *uart)
{
    static const char tty[] = "ttyS", hex[] = "0x", frame[] = "n8";
    size_t name_len = 0;
    uint64_t number;

    while (name_len < len && spec[name_len] != ',')
        name_len++;

    if (name_len > strlen(tty) && memcmp(spec, tty, strlen(tty)) == 0) {
        if (parse_u64(spec + strlen(tty), name_len - strlen(tty), 10, &number) < 0 ||
            number >= ARRAY_SIZE(pc_ports))
            return -EINVAL;
        uart->port = pc_ports[number];
    } else if (name_len > strlen(hex) && memcmp(spec, hex, strlen(hex)) == 0) {
        if (parse_u64(spec, name_len, 16, &number) < 0 || number == 0 ||
            number > UINT16_MAX + 1u - UART_PORTS)
            return -EINVAL;
        uart->port = (uint16_t)number;
    } else {
        return -EINVAL;
    }

    number = UART_DEFAULT_BAUD;
    if (name_len < len) {
        const char *baud = spec + name_len + 1;
        size_t baud_len = len - name_len - 1;

        if (baud_len > strlen(frame) &&
            memcmp(baud + baud_len - strlen(frame), frame, strlen(frame)) == 0)
            baud_len -= strlen(frame);
        if (parse_u64(baud, baud_len, 10, &number) < 0)
            return -EINVAL;
    }
    if (number < UART_MIN_BAUD || number > UART_CLOCK_BAUD || UART_CLOCK_BAUD % (uint32_t)number)
        return -EINVAL;
    uart->divisor = (uint16_t)(UART_CLOCK_BAUD / (uint32_t)number);
    return 0;
}

static int uart_open(const char *spec, size_t len, const struct screen_info *screen)
{
    struct uart uart = {.port = 0};
    struct uart *entry = NULL;
    int error = uart_parse(spec, len, &uart);

    if (error)
        return error;
    for (unsigned i = 0; i < MAX_UARTS; i++) {
        if (uarts[i].port == uart.port || (!entry && !uarts[i].port))
            entry = &uarts[i];
        if (uarts[i].port == uart.port)
            break;
    }
    if (!entry)
        return -ENOSPC;
    error = uart_setup(&uart);
    if (!error)
        *entry = uart;
    return error;
}

/* room: how many characters still fit without waiting. Returns false if the port is lost. */
static bool uart_put(struct uart *uart, char c, unsigned *room)
{
    if (*room == 0) {
        if (!uart_wait(uart, LSR_THRE, POLLS_STALL + POLLS_PER_DIVISOR * uart->divisor)) {
            uart->lost = true;
            uart->notice = true;
            return false;
        }
        *room = uart->burst;
    }
    uart_write(uart, UART_THR, (uint8_t)c);
    --*room;
    return true;
}

static void uart_send(struct uart *uart, const char *text, size_t len)
{
    unsigned room = 0;

    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\n' && !uart_put(uart, '\r', &room))
            return;
        if (!uart_put(uart, text[i], &room))
            return;
    }
}

static void uart_write_all(const char *text, size_t len)
{
    for (unsigned i = 0; i < MAX_UARTS; i++) {
        if (uarts[i].port && !uarts[i].lost)
            uart_send(&uarts[i], text, len);
    }
}

static void uart_drain_all(void)
{
    for (unsigned i = 0; i < MAX_UARTS; i++) {
        struct uart *uart = &uarts[i];

        if (uart->port && !uart->lost)
            uart_wait(uart, LSR_TEMT, POLLS_STALL + POLLS_PER_DIVISOR * uart->divisor);
    }
}

static bool uart_notice(char *buf, size_t size)
{
    for (unsigned i = 0; i < MAX_UARTS; i++) {
        if (!uarts[i].notice)
            continue;
        uarts[i].notice = false;
        format(buf, size, "console: the serial port at 0x%x takes no more bytes and is given up",
               uarts[i].port);
        return true;
    }
    return false;
}

TABLE_ENTRY(console, struct console_driver) = {
    .open = uart_open,
    .write = uart_write_all,
    .drain = uart_drain_all,
    .notice = uart_notice,
};
