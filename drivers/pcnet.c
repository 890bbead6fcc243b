/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * AMD PCnet-PCI II and its family, in internal loopback. The chip reads what it has to know from a
 * block in memory, and frames are sent from two descriptors each.
 *
 * Source: Am79C970A data sheet (AMD 19436E): user accessible registers, initialization block,
 * descriptor rings; loopback: CSR15.
 */
#include "drivers/clock.h"
#include "drivers/loopback.h"
#include "lib/errno.h"
#include "lib/inject.h"
#include "lib/x86/cpu.h"
#include "lib/x86/io.h"

#define VENDOR_AMD 0x1022u
#define REG_BAR 0u
#define WINDOW_BYTES 0x20u

/* Ports, with 16-bit access, which is how the chip comes out of a reset */
#define REG_APROM 0x00u
#define REG_RDP 0x10u
#define REG_RAP 0x12u
#define REG_RESET_16 0x14u
#define REG_BDP 0x16u
#define REG_RESET_32 0x18u

#define CSR_STATUS 0u
#define STATUS_INIT BIT(0)
#define STATUS_START BIT(1)
#define STATUS_STOP BIT(2)
#define STATUS_SEND_NOW BIT(3)
#define STATUS_INT_ENABLE BIT(6)
#define STATUS_INT BIT(7)
#define STATUS_INIT_DONE BIT(8)
#define STATUS_MEMORY_ERROR BIT(11)
#define STATUS_MISSED BIT(12)
#define STATUS_BABBLE BIT(14)
#define STATUS_ERRORS (STATUS_MEMORY_ERROR | STATUS_MISSED | STATUS_BABBLE)
#define STATUS_EVENTS 0x7f00u /* cleared by writing ones */
#define CSR_INIT_LOW 1u
#define CSR_INIT_HIGH 2u
#define CSR_MASK 3u
#define MASK_INIT_DONE BIT(8)
#define CSR_MODE 15u
#define MODE_LOOPBACK BIT(2)
#define MODE_INTERNAL BIT(6)
#define MODE_PROMISCUOUS BIT(15)
#define CSR_CHIP_LOW 88u
#define CSR_CHIP_HIGH 89u
#define CHIP_MANUFACTURER 0x003u /* of bits 11:0 of the chip's number: AMD, and a one */
#define BCR_STYLE 20u
#define STYLE_32_BITS 2u /* also sets bit 8 */

/* The initialization block and the descriptors, in words of 32 bits */
#define INIT_MODE 0u
#define INIT_TX_LENGTH_SHIFT 28u /* as a power of 2 */
#define INIT_RX_RING 5u
#define INIT_TX_RING 6u
#define DESC_ADDRESS 0u
#define DESC_STATUS 1u /* DESC_*, and minus the length in bits 11:0 */
#define DESC_OWNED_BY_CHIP BIT(31)
#define DESC_ERROR BIT(30)
#define DESC_START BIT(25)
#define DESC_END BIT(24)
#define DESC_ONES UINT32_C(0xf000)
#define DESC_LENGTH UINT32_C(0x0fff)
#define DESC_MORE 2u /* received: length in bits 11:0 */
#define DESC_WORDS 4u

#define RING_INIT_AT 0u
#define RING_RX_AT 64u
#define RING_TX_AT 128u
#define TX_PARTS 2u
#define TX_PARTS_LOG 1u

#define INIT_LIMIT_US 100000u
#define RESET_US 10u
#define STEP_US 10u

static struct loopback cards[LOOPBACK_DEVICES];

/* Interrupts, the chip's or another's on its line, use the same address port: off in between. */
static uint32_t csr_read(const struct loopback *l, uint32_t csr)
{
    uint32_t flags = irq_save();
    uint32_t value;

    outw((uint16_t)(l->port + REG_RAP), (uint16_t)csr);
    value = inw((uint16_t)(l->port + REG_RDP));
    irq_restore(flags);
    return value;
}

static void write_register(const struct loopback *l, uint32_t number, uint32_t port, uint32_t value)
{
    uint32_t flags = irq_save();

    outw((uint16_t)(l->port + REG_RAP), (uint16_t)number);
    outw((uint16_t)(l->port + port), (uint16_t)value);
    irq_restore(flags);
}

static void csr_write(const struct loopback *l, uint32_t csr, uint32_t value)
{
    write_register(l, csr, REG_RDP, value);
}

static volatile uint32_t *tx_part(const struct loopback *l, uint32_t part)
{
    return loopback_words(l, RING_TX_AT) + part * DESC_WORDS;
}

/* By reading both places, for it may have been left in either width. */
static void reset(const struct loopback *l)
{
    inl((uint16_t)(l->port + REG_RESET_32));
    inw((uint16_t)(l->port + REG_RESET_16));
    delay_us(RESET_US);
    csr_write(l, CSR_STATUS, STATUS_STOP);
}

static int pcnet_loop_identify(struct loopback *l)
{
    uint32_t chip;

    reset(l);
    chip = csr_read(l, CSR_CHIP_HIGH) << 16 | csr_read(l, CSR_CHIP_LOW);
    if ((chip & 0xfff) != CHIP_MANUFACTURER || csr_read(l, CSR_STATUS) != STATUS_STOP)
        return client_error(&l->client, -EPROTO, "chip 0x%08x, status 0x%04x after a reset", chip,
                            csr_read(l, CSR_STATUS));
    for (uint32_t i = 0; i < ETHERNET_ADDRESS_BYTES; i++)
        l->station[i] = inb((uint16_t)(l->port + REG_APROM + i));
    return 0;
}

static void describe(volatile uint32_t *desc, dma_addr_t addr, uint32_t bytes, uint32_t flags)
{
    desc[DESC_ADDRESS] = (uint32_t)addr_number(addr);
    desc[DESC_MORE] = 0;
    desc[DESC_STATUS] = DESC_OWNED_BY_CHIP | flags | DESC_ONES | ((0 - bytes) & DESC_LENGTH);
}

/* Lets the chip read its block, and sees that it is in loopback. */
static int initialize(struct loopback *l)
{
    volatile uint32_t *init = loopback_words(l, RING_INIT_AT);
    uint32_t mode = MODE_LOOPBACK | MODE_INTERNAL;

    write_register(l, BCR_STYLE, REG_BDP, STYLE_32_BITS);
    for (uint32_t i = 0; i <= INIT_TX_RING; i++)
        init[i] = 0;
    init[INIT_MODE] = mode | MODE_PROMISCUOUS | TX_PARTS_LOG << INIT_TX_LENGTH_SHIFT;
    init[INIT_RX_RING] = loopback_ring_address(l, RING_RX_AT);
    init[INIT_TX_RING] = loopback_ring_address(l, RING_TX_AT);
    csr_write(l, CSR_INIT_LOW, loopback_ring_address(l, RING_INIT_AT) & UINT16_MAX);
    csr_write(l, CSR_INIT_HIGH, loopback_ring_address(l, RING_INIT_AT) >> 16);
    csr_write(l, CSR_MASK, MASK_INIT_DONE);
    csr_write(l, CSR_STATUS, STATUS_INIT);
    for (uint32_t us = 0; !(csr_read(l, CSR_STATUS) & STATUS_INIT_DONE); us += STEP_US) {
        if (us >= INIT_LIMIT_US)
            return client_error(&l->client, -ETIMEDOUT, "not initialized: status 0x%04x",
                                csr_read(l, CSR_STATUS));
        delay_us(STEP_US);
    }
    if ((csr_read(l, CSR_MODE) & mode) != mode)
        return client_error(&l->client, -EPROTO, "no loopback: mode reads 0x%04x",
                            csr_read(l, CSR_MODE));
    return 0;
}

static int pcnet_loop_start(struct loopback *l, dma_addr_t from, dma_addr_t to, uint32_t bytes)
{
    uint32_t first = bytes / 2;
    int err;

    reset(l);
    describe(loopback_words(l, RING_RX_AT), to, bytes + ETHERNET_FCS_BYTES, 0);
    describe(tx_part(l, 0), from, first, DESC_START);
    describe(tx_part(l, 1), inject(pcnet_second_part, dma_loop) ? from : from + first,
             bytes - first, DESC_END);
    err = initialize(l);
    if (err)
        return err;
    loopback_started(l);
    csr_write(l, CSR_STATUS,
              STATUS_INIT_DONE | STATUS_START | STATUS_SEND_NOW |
                  (l->completion.requested ? STATUS_INT_ENABLE : 0));
    return 0;
}

/* While the chip initializes, which is without interrupts, its event is for initialize(). */
static uint32_t pcnet_loop_acknowledge(struct loopback *l)
{
    uint32_t status = csr_read(l, CSR_STATUS);
    uint32_t events = l->started || (status & STATUS_INT_ENABLE) ? status & STATUS_EVENTS : 0;

    if (events)
        csr_write(l, CSR_STATUS, events | (l->completion.requested ? STATUS_INT_ENABLE : 0));
    return events;
}

static bool pcnet_loop_is_done(struct loopback *l)
{
    uint32_t owned = tx_part(l, 0)[DESC_STATUS] | tx_part(l, 1)[DESC_STATUS] |
                     loopback_words(l, RING_RX_AT)[DESC_STATUS];

    return (l->events & STATUS_ERRORS) || !(owned & DESC_OWNED_BY_CHIP);
}

static int pcnet_loop_check(struct loopback *l, uint32_t bytes)
{
    const volatile uint32_t *rx = loopback_words(l, RING_RX_AT);
    uint32_t sent = tx_part(l, 0)[DESC_STATUS] | tx_part(l, 1)[DESC_STATUS];
    uint32_t received = rx[DESC_STATUS];
    uint32_t length = rx[DESC_MORE] & DESC_LENGTH;

    if ((l->events & STATUS_ERRORS) || ((sent | received) & (DESC_ERROR | DESC_OWNED_BY_CHIP)) ||
        !(received & DESC_START) || !(received & DESC_END) || length != bytes + ETHERNET_FCS_BYTES)
        return client_error(&l->client, -EPROTO,
                            "%u bytes of %u, status 0x%04x, sent 0x%08x, received 0x%08x", length,
                            bytes + ETHERNET_FCS_BYTES, l->events, sent, received);
    return 0;
}

static void pcnet_loop_stop(struct loopback *l)
{
    reset(l);
}

static void pcnet_loop_explain(struct loopback *l, const char *what)
{
    client_error(&l->client, 0, "%s: status 0x%04x, mode 0x%04x, sent 0x%08x, received 0x%08x",
                 what, csr_read(l, CSR_STATUS) | l->events, csr_read(l, CSR_MODE),
                 tx_part(l, 1)[DESC_STATUS], loopback_words(l, RING_RX_AT)[DESC_STATUS]);
}

static const struct loopback_kind pcnet_kind = {
    .devices = cards,
    .about = "PCnet-PCI",
    .bar = REG_BAR,
    .bar_kind = PCI_BAR_IO,
    .window_bytes = WINDOW_BYTES,
    .mask_bits = 32,
    .min = ETHERNET_MIN_BYTES,
    .max = ETHERNET_MAX_BYTES,
    .tail = ETHERNET_FCS_BYTES,
    .align = 1,
    .identify = pcnet_loop_identify,
    .start = pcnet_loop_start,
    .acknowledge = pcnet_loop_acknowledge,
    .is_done = pcnet_loop_is_done,
    .check = pcnet_loop_check,
    .stop = pcnet_loop_stop,
    .explain = pcnet_loop_explain,
};

static const struct pci_match pcnet_ids[] = {{VENDOR_AMD, 0x2000, 0, 0}};

TABLE_ENTRY(pci_driver, struct pci_driver) = {
    .name = "pcnet",
    .match = pcnet_ids,
    .nr_match = ARRAY_SIZE(pcnet_ids),
    .probe = loopback_probe,
    .kind = &pcnet_kind,
};
