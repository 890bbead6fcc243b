/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * DEC 21140 and 21143 ("tulip"), in internal loopback: the frame turns round in the MAC, before the
 * serial interface. One descriptor a side, with two buffers to send from.
 *
 * Source: 21143 Hardware Reference Manual (Intel 278074), chapters 3 (registers) and 4 (descriptors
 * and setup frames). No setup frame is sent: with all addresses taken none is wanted.
 */
#include "drivers/clock.h"
#include "drivers/loopback.h"
#include "lib/errno.h"
#include "lib/inject.h"
#include "lib/x86/io.h"

#define VENDOR_DEC 0x1011u
#define REG_BAR 0u
#define WINDOW_BYTES 0x80u
#define CSR_STRIDE 8u

#define CSR_BUS 0u
#define BUS_RESET BIT(0)
#define CSR_SEND_NOW 1u
#define CSR_RX_RING 3u
#define CSR_TX_RING 4u
#define CSR_STATUS 5u
#define STATUS_SENT BIT(0)
#define STATUS_UNDERFLOW BIT(5)
#define STATUS_RECEIVED BIT(6)
#define STATUS_BUS_ERROR BIT(13)
#define STATUS_ABNORMAL BIT(15)
#define STATUS_NORMAL BIT(16)
#define STATUS_REQUESTS 0x0001ffffu /* cleared by writing ones */
#define STATUS_ERRORS (STATUS_UNDERFLOW | STATUS_BUS_ERROR)
#define CSR_MODE 6u
#define MODE_RECEIVE BIT(1)
#define MODE_PROMISCUOUS BIT(6)
#define MODE_ALL_MULTICAST BIT(7)
#define MODE_LOOPBACK_MASK (BIT(10) | BIT(11))
#define MODE_LOOPBACK_INTERNAL BIT(10)
#define MODE_SEND BIT(13)
#define MODE_WHOLE_FRAME BIT(21)
#define MODE_MUST_BE_ONE BIT(25)
#define CSR_INTERRUPTS 7u

/* Descriptors, in words */
#define DESC_STATUS 0u
#define DESC_OWNED_BY_CHIP BIT(31)
#define DESC_SIZES 1u
#define DESC_SECOND_SHIFT 11u
#define DESC_END_OF_RING BIT(25)
#define DESC_FIRST_BUFFER 2u
#define DESC_SECOND_BUFFER 3u
#define RX_FIRST BIT(9)
#define RX_LAST BIT(8)
#define RX_ERROR BIT(15)
#define RX_LENGTH_SHIFT 16u
#define RX_LENGTH_MASK 0x3fffu
#define TX_INTERRUPT BIT(31)
#define TX_LAST BIT(30)
#define TX_FIRST BIT(29)
#define TX_UNDERFLOW BIT(1)
#define TX_JABBER BIT(14)

#define RING_RX_AT 0u
#define RING_TX_AT 64u

#define ALIGN_BYTES 4u /* of what is received */
#define TAIL_BYTES 8u  /* check sequence, and up to a word's end */
#define RESET_US 100u  /* 50 PCI clocks are asked for */

static struct loopback cards[LOOPBACK_DEVICES];

static uint32_t csr_read(const struct loopback *l, uint32_t csr)
{
    return inl((uint16_t)(l->port + csr * CSR_STRIDE));
}

static void csr_write(const struct loopback *l, uint32_t csr, uint32_t value)
{
    outl((uint16_t)(l->port + csr * CSR_STRIDE), value);
}

static void reset(const struct loopback *l)
{
    csr_write(l, CSR_BUS, BUS_RESET);
    delay_us(RESET_US);
    csr_write(l, CSR_BUS, 0);
}

static int tulip_loop_identify(struct loopback *l)
{
    uint32_t mode;

    reset(l);
    mode = csr_read(l, CSR_MODE);
    if (mode == UINT32_MAX || (mode & (MODE_RECEIVE | MODE_SEND)))
        return client_error(&l->client, -EPROTO, "mode 0x%08x after a reset", mode);
    /* The station's address is in a serial EEPROM that only firmware has a use for. */
    l->station[0] = 0x02;
    return 0;
}

static int tulip_loop_start(struct loopback *l, dma_addr_t from, dma_addr_t to, uint32_t bytes)
{
    volatile uint32_t *rx = loopback_words(l, RING_RX_AT), *tx = loopback_words(l, RING_TX_AT);
    uint32_t mode = MODE_LOOPBACK_INTERNAL | MODE_PROMISCUOUS | MODE_ALL_MULTICAST |
                    MODE_WHOLE_FRAME | MODE_MUST_BE_ONE;
    uint32_t first = bytes / 2;
    uint32_t second = bytes - first - inject(tulip_short_part, dma_loop);

    reset(l);
    csr_write(l, CSR_MODE, mode);
    if ((csr_read(l, CSR_MODE) & MODE_LOOPBACK_MASK) != MODE_LOOPBACK_INTERNAL)
        return client_error(&l->client, -EPROTO, "no loopback: mode reads 0x%08x",
                            csr_read(l, CSR_MODE));
    rx[DESC_SIZES] = ALIGN_UP(bytes + ETHERNET_FCS_BYTES, ALIGN_BYTES) | DESC_END_OF_RING;
    rx[DESC_FIRST_BUFFER] = (uint32_t)addr_number(to);
    rx[DESC_SECOND_BUFFER] = 0;
    rx[DESC_STATUS] = DESC_OWNED_BY_CHIP;
    tx[DESC_SIZES] =
        first | second << DESC_SECOND_SHIFT | DESC_END_OF_RING | TX_FIRST | TX_LAST | TX_INTERRUPT;
    tx[DESC_FIRST_BUFFER] = (uint32_t)addr_number(from);
    tx[DESC_SECOND_BUFFER] = (uint32_t)addr_number(from + first);
    tx[DESC_STATUS] = DESC_OWNED_BY_CHIP;
    csr_write(l, CSR_RX_RING, loopback_ring_address(l, RING_RX_AT));
    csr_write(l, CSR_TX_RING, loopback_ring_address(l, RING_TX_AT));
    loopback_started(l);
    csr_write(l, CSR_INTERRUPTS,
              l->completion.requested
                  ? STATUS_SENT | STATUS_RECEIVED | STATUS_ERRORS | STATUS_NORMAL | STATUS_ABNORMAL
                  : 0);
    csr_write(l, CSR_MODE, mode | MODE_RECEIVE);
    csr_write(l, CSR_MODE, mode | MODE_RECEIVE | MODE_SEND);
    csr_write(l, CSR_SEND_NOW, UINT32_MAX);
    return 0;
}

static uint32_t tulip_loop_acknowledge(struct loopback *l)
{
    uint32_t requests = csr_read(l, CSR_STATUS) & STATUS_REQUESTS;

    csr_write(l, CSR_STATUS, requests);
    return requests;
}

static bool tulip_loop_is_done(struct loopback *l)
{
    uint32_t owned =
        loopback_words(l, RING_RX_AT)[DESC_STATUS] | loopback_words(l, RING_TX_AT)[DESC_STATUS];

    return (l->events & STATUS_ERRORS) || !(owned & DESC_OWNED_BY_CHIP);
}

static int tulip_loop_check(struct loopback *l, uint32_t bytes)
{
    uint32_t received = loopback_words(l, RING_RX_AT)[DESC_STATUS];
    uint32_t sent = loopback_words(l, RING_TX_AT)[DESC_STATUS];
    uint32_t length = received >> RX_LENGTH_SHIFT & RX_LENGTH_MASK;

    if ((l->events & STATUS_ERRORS) || (sent & (TX_UNDERFLOW | TX_JABBER)) ||
        (received & (RX_ERROR | RX_FIRST | RX_LAST)) != (RX_FIRST | RX_LAST) ||
        length != bytes + ETHERNET_FCS_BYTES)
        return client_error(&l->client, -EPROTO,
                            "%u bytes of %u, status 0x%08x, sent 0x%08x, received 0x%08x", length,
                            bytes + ETHERNET_FCS_BYTES, l->events, sent, received);
    return 0;
}

static void tulip_loop_stop(struct loopback *l)
{
    reset(l);
}

static void tulip_loop_explain(struct loopback *l, const char *what)
{
    client_error(&l->client, 0, "%s: status 0x%08x, mode 0x%08x, sent 0x%08x, received 0x%08x",
                 what, csr_read(l, CSR_STATUS) | l->events, csr_read(l, CSR_MODE),
                 loopback_words(l, RING_TX_AT)[DESC_STATUS],
                 loopback_words(l, RING_RX_AT)[DESC_STATUS]);
}

static const struct loopback_kind tulip_kind = {
    .devices = cards,
    .about = "DEC 2114x",
    .bar = REG_BAR,
    .bar_kind = PCI_BAR_IO,
    .window_bytes = WINDOW_BYTES,
    .mask_bits = 32,
    .min = ETHERNET_MIN_BYTES,
    .max = ETHERNET_MAX_BYTES,
    .tail = TAIL_BYTES,
    .align = ALIGN_BYTES,
    .identify = tulip_loop_identify,
    .start = tulip_loop_start,
    .acknowledge = tulip_loop_acknowledge,
    .is_done = tulip_loop_is_done,
    .check = tulip_loop_check,
    .stop = tulip_loop_stop,
    .explain = tulip_loop_explain,
};

static const struct pci_match tulip_ids[] = {
    {VENDOR_DEC, 0x0009, 0, 0}, /* 21140 */
    {VENDOR_DEC, 0x0019, 0, 0}, /* 21142 and 21143 */
};

TABLE_ENTRY(pci_driver, struct pci_driver) = {
    .name = "tulip",
    .match = tulip_ids,
    .nr_match = ARRAY_SIZE(tulip_ids),
    .probe = loopback_probe,
    .kind = &tulip_kind,
};
