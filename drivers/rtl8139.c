/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Realtek RTL8139, in its transmit loopback. Its receiver writes into one block of memory, frame
 * after frame, each behind a word of status and in front of its check sequence: that block is the
 * caller's buffer, from the word in front of it on, for one frame.
 *
 * Source: RTL8139C(L) data sheet (Realtek, revision 1.4, 2002), chapter 6 (registers).
 */
#include "drivers/clock.h"
#include "drivers/loopback.h"
#include "lib/errno.h"
#include "lib/inject.h"
#include "lib/x86/io.h"

#define VENDOR_REALTEK 0x10ecu
#define REG_BAR 0u
#define WINDOW_BYTES 0x100u

#define REG_IDR 0x00u
#define REG_TSD0 0x10u
#define TSD_UNDERRUN BIT(14)
#define TSD_OK BIT(15)
#define TSD_WHOLE_FRAME (UINT32_C(0x3f) << 16) /* starts when so much is in its FIFO: all */
#define TSD_ABORTED BIT(30)
#define REG_TSAD0 0x20u
#define REG_RBSTART 0x30u
#define REG_CR 0x37u
#define CR_TRANSMIT BIT(2)
#define CR_RECEIVE BIT(3)
#define CR_RESET BIT(4)
#define REG_CAPR 0x38u /* how far it has been read, less CAPR_LAG */
#define CAPR_LAG 16u
#define REG_CBR 0x3au /* how far it has written */
#define REG_IMR 0x3cu
#define REG_ISR 0x3eu
#define INT_RECEIVED BIT(0)
#define INT_RECEIVE_ERROR BIT(1)
#define INT_SENT BIT(2)
#define INT_SEND_ERROR BIT(3)
#define INT_OVERFLOW BIT(4) /* no room for a frame: no error if it was another's */
#define INT_FIFO_OVERFLOW BIT(6)
#define INT_BUS_ERROR BIT(15)
#define INT_ERRORS (INT_RECEIVE_ERROR | INT_SEND_ERROR | INT_FIFO_OVERFLOW | INT_BUS_ERROR)
#define REG_TCR 0x40u
#define TCR_BURST_1K (UINT32_C(6) << 8)
#define TCR_LOOPBACK (BIT(17) | BIT(18))
#define TCR_GAP (UINT32_C(3) << 24)
#define REG_RCR 0x44u
#define RCR_OWN BIT(1)
#define RCR_ANY (BIT(0) | RCR_OWN | BIT(2) | BIT(3)) /* any physical, multicast, broadcast */
#define RCR_BURST_1K (UINT32_C(6) << 8)
#define RCR_WHOLE_FRAME (UINT32_C(7) << 13)

#define HEAD_BYTES 4u
#define TAIL_BYTES 12u /* check sequence, up to a word's end, and the word that stays free */
#define ALIGN_BYTES 4u
#define RESET_LIMIT_US 10000u
#define STEP_US 10u

static struct loopback cards[LOOPBACK_DEVICES];

static uint16_t port(const struct loopback *l, uint32_t reg)
{
    return (uint16_t)(l->port + reg);
}

/* Nothing of it moves after that. False if it stays in reset. */
static bool reset(const struct loopback *l)
{
    outw(port(l, REG_IMR), 0);
    outb(port(l, REG_CR), CR_RESET);
    for (uint32_t us = 0; us < RESET_LIMIT_US; us += STEP_US) {
        if (!(inb(port(l, REG_CR)) & CR_RESET))
            return true;
        delay_us(STEP_US);
    }
    return false;
}

static int rtl8139_loop_identify(struct loopback *l)
{
    if (!reset(l))
        return client_error(&l->client, -EPROTO, "stays in reset: command 0x%02x",
                            inb(port(l, REG_CR)));
    for (uint32_t i = 0; i < ETHERNET_ADDRESS_BYTES; i++)
        l->station[i] = inb(port(l, REG_IDR + i));
    return 0;
}

/* What a frame takes of the ring. */
static uint32_t ring_bytes(uint32_t bytes)
{
    return ALIGN_UP(HEAD_BYTES + bytes + ETHERNET_FCS_BYTES, ALIGN_BYTES);
}

/*
 * The ring is 8 KiB for the chip, of which only one frame's room is the caller's: the rest is said
 * to hold what nobody has read yet. Returns 0, or -EPROTO.
 */
static int bound_ring(struct loopback *l, uint32_t bytes)
{
    uint16_t capr = (uint16_t)(ring_bytes(bytes) + l->spare_bytes - CAPR_LAG);

    if (l->in_trial || !inject(rtl8139_unbounded, dma_loop))
        outw(port(l, REG_CAPR), capr);
    if (inw(port(l, REG_CAPR)) == capr)
        return 0;
    return client_error(&l->client, -EPROTO, "ring of %u bytes not bounded: CAPR reads 0x%04x",
                        ring_bytes(bytes), inw(port(l, REG_CAPR)));
}

/*
 * A ring that is filled to the end is an empty one, and all of it free. Frames end at a multiple of
 * 4, so one byte that stays free is enough if the chip counts in bytes. If it does not, its own
 * frame finds no room in the first trial, where it takes no other.
 */
static void choose_spare(struct loopback *l)
{
    if (l->spare_bytes == 0)
        l->spare_bytes = 1;
    else if (l->in_trial && (l->events & INT_OVERFLOW))
        l->spare_bytes = ALIGN_BYTES;
}

/*
 * The ring is bounded before anything can come in. The chip takes RCR while its receiver is on, and
 * has nothing in it after a reset. QEMU's keeps it over a reset, forgets the bound when it is
 * written, and takes it at any time: so that is tried first.
 */
static int open_receiver(struct loopback *l, uint32_t bytes)
{
    uint32_t rcr = (l->in_trial ? RCR_OWN : RCR_ANY) | RCR_BURST_1K | RCR_WHOLE_FRAME;

    choose_spare(l);
    outl(port(l, REG_RCR), rcr);
    (void)bound_ring(l, bytes);
    outb(port(l, REG_CR), CR_TRANSMIT | CR_RECEIVE);
    if ((inl(port(l, REG_RCR)) & rcr) != rcr)
        outl(port(l, REG_RCR), rcr);
    return bound_ring(l, bytes);
}

/*
 * QEMU's takes no frame at all while less than 1514 bytes are free, not even its own, unless it may
 * say by interrupt that there is no room. So it may, and if asking is wanted, its line is switched
 * off instead. Cards older than PCI 2.3 have no such switch, and no such need.
 */
static void allow_interrupts(struct loopback *l)
{
    if (l->completion.requested && !inject(rtl8139_no_interrupt, dma_loop)) {
        outw(port(l, REG_IMR), INT_RECEIVED | INT_SENT | INT_OVERFLOW | INT_ERRORS);
        return;
    }
    pci_enable(l->pdev, PCI_COMMAND_INTX_DISABLE);
    outw(port(l, REG_IMR),
         (pci_read_config16(l->pdev, PCI_COMMAND) & PCI_COMMAND_INTX_DISABLE) ? INT_OVERFLOW : 0);
}

/* TCR can be written only while the transmitter is on. Until TSD0 is, nothing is sent. */
static int rtl8139_loop_start(struct loopback *l, dma_addr_t from, dma_addr_t to, uint32_t bytes)
{
    uint32_t tcr;
    int err;

    if (!reset(l))
        return client_error(&l->client, -EPROTO, "stays in reset: command 0x%02x",
                            inb(port(l, REG_CR)));
    outl(port(l, REG_RBSTART), (uint32_t)addr_number(to - HEAD_BYTES));
    outb(port(l, REG_CR), CR_TRANSMIT);
    outl(port(l, REG_TCR), TCR_LOOPBACK | TCR_BURST_1K | TCR_GAP);
    tcr = inl(port(l, REG_TCR));
    if ((tcr & TCR_LOOPBACK) != TCR_LOOPBACK)
        return client_error(&l->client, -EPROTO, "no loopback: TCR reads 0x%08x", tcr);
    err = open_receiver(l, bytes);
    if (err)
        return err;
    loopback_started(l);
    allow_interrupts(l);
    /* Not in the trial, which would find its frame addressed to somebody else. */
    if (!l->in_trial && inject(rtl8139_wrong_buffer, dma_loop))
        from += ALIGN_BYTES;
    outl(port(l, REG_TSAD0), (uint32_t)addr_number(from));
    outl(port(l, REG_TSD0),
         (inject(rtl8139_short_frame, dma_loop) ? bytes - 1 : bytes) | TSD_WHOLE_FRAME);
    return 0;
}

static uint32_t rtl8139_loop_acknowledge(struct loopback *l)
{
    uint16_t requests = inw(port(l, REG_ISR));

    outw(port(l, REG_ISR), requests);
    return requests;
}

static bool rtl8139_loop_is_done(struct loopback *l)
{
    return (l->events & INT_ERRORS) ||
           (l->events & (INT_RECEIVED | INT_SENT)) == (INT_RECEIVED | INT_SENT);
}

static int rtl8139_loop_check(struct loopback *l, uint32_t bytes)
{
    uint32_t status = inl(port(l, REG_TSD0));
    uint32_t end = inw(port(l, REG_CBR));
    uint32_t wanted = ring_bytes(bytes);

    if (!(status & TSD_OK) || (status & (TSD_UNDERRUN | TSD_ABORTED)))
        return client_error(&l->client, -EPROTO, "not sent: TSD0 0x%08x, requests 0x%04x", status,
                            l->events);
    if ((l->events & INT_ERRORS) || end != wanted)
        return client_error(&l->client, -EPROTO, "received up to %u of %u bytes, requests 0x%04x",
                            end, wanted, l->events);
    return 0;
}

static void rtl8139_loop_stop(struct loopback *l)
{
    reset(l);
}

static void rtl8139_loop_explain(struct loopback *l, const char *what)
{
    client_error(&l->client, 0, "%s: TSD0 0x%08x, received up to %u, command 0x%02x, ISR 0x%04x",
                 what, inl(port(l, REG_TSD0)), inw(port(l, REG_CBR)), inb(port(l, REG_CR)),
                 inw(port(l, REG_ISR)) | l->events);
}

static const struct loopback_kind rtl8139_kind = {
    .devices = cards,
    .about = "RTL8139",
    .bar = REG_BAR,
    .bar_kind = PCI_BAR_IO,
    .window_bytes = WINDOW_BYTES,
    .mask_bits = 32,
    .min = ETHERNET_MIN_BYTES,
    .max = ETHERNET_MAX_BYTES,
    .head = HEAD_BYTES,
    .tail = TAIL_BYTES,
    .align = ALIGN_BYTES,
    .identify = rtl8139_loop_identify,
    .start = rtl8139_loop_start,
    .acknowledge = rtl8139_loop_acknowledge,
    .is_done = rtl8139_loop_is_done,
    .check = rtl8139_loop_check,
    .stop = rtl8139_loop_stop,
    .explain = rtl8139_loop_explain,
};

static const struct pci_match rtl8139_ids[] = {
    {VENDOR_REALTEK, 0x8139, 0, 0},
    {VENDOR_REALTEK, 0x8138, 0, 0}, /* CardBus */
    {0x1113, 0x1211, 0, 0},         /* Accton */
    {0x1186, 0x1300, 0, 0},         /* D-Link DFE-530TX+ */
};

TABLE_ENTRY(pci_driver, struct pci_driver) = {
    .name = "rtl8139",
    .match = rtl8139_ids,
    .nr_match = ARRAY_SIZE(rtl8139_ids),
    .probe = loopback_probe,
    .kind = &rtl8139_kind,
};
