/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Intel 8254x gigabit cards with copper PHYs, in PHY loopback: 64 address bits, frames of up to
 * 9000 bytes, gathered from two buffers that meet at any byte, and scattered to buffers of 256
 * bytes. As many of these as a frame takes are given to the receiver and no more: the smallest
 * there are, so that a frame of a wrong length could not go far past the caller's buffer.
 *
 * Source: "PCI/PCI-X Family of Gigabit Ethernet Controllers Software Developer's Manual" (Intel
 * 317453), chapters 3 (descriptors), 11 (PHY) and 13 (registers). With an internal PHY the MAC's
 * own loopback bits in RCTL stay 0, and the PHY's control register does it (IEEE 802.3, 22.2.4.1):
 * what the MAC sends comes back from the PHY, which is off the cable meanwhile.
 *
 * The rings stay set up from one frame to the next for as long as nobody quiets the device, so
 * that they wrap; between frames the receiver has no descriptor and mastering is off.
 */
#include "drivers/clock.h"
#include "drivers/loopback.h"
#include "lib/errno.h"
#include "lib/inject.h"
#include "lib/x86/io.h"

#define VENDOR_INTEL 0x8086u
#define DEVICE_82544EI 0x1008u
#define DEVICE_82544GC 0x100cu
#define DEVICE_82544GC_LOM 0x100du
#define DEVICE_82545GM 0x1026u
#define DEVICE_82546GB 0x1079u
#define REG_BAR 0u
#define WINDOW_BYTES 0x6000u

#define REG_CTRL 0x0000u
#define CTRL_FULL_DUPLEX BIT(0)
#define CTRL_SET_LINK_UP BIT(6)
#define CTRL_INVERT_LOSS_OF_SIGNAL BIT(7) /* a PHY in loopback says that it has no signal */
#define CTRL_SPEED_1000 BIT(9)
#define CTRL_FORCE_SPEED BIT(11)
#define CTRL_FORCE_DUPLEX BIT(12)
#define CTRL_RESET BIT(26)
#define REG_CTRL_COPY 0x0004u /* the same register */
#define REG_STATUS 0x0008u
#define STATUS_LINK_UP BIT(1)
#define REG_MDIC 0x0020u
#define MDIC_REGISTER_SHIFT 16u
#define MDIC_PHY BIT(21) /* address 1 */
#define MDIC_WRITE BIT(26)
#define MDIC_READ BIT(27)
#define MDIC_READY BIT(28)
#define MDIC_ERROR BIT(30)
#define REG_ICR 0x00c0u /* cleared by reading */
#define INT_TX_WRITTEN_BACK BIT(0)
#define INT_RX_TIMER BIT(7)
#define REG_IMS 0x00d0u
#define REG_IMC 0x00d8u
#define REG_RCTL 0x0100u
#define RCTL_ENABLE BIT(1)
#define RCTL_ANY_UNICAST BIT(3)
#define RCTL_ANY_MULTICAST BIT(4)
#define RCTL_LONG_FRAMES BIT(5)
#define RCTL_BROADCAST BIT(15)
#define RCTL_BUFFER_256 (BIT(16) | BIT(17))
#define RCTL_STRIP_FCS BIT(26)
#define RCTL_TAKE_ANY                                                                          \
    (RCTL_ENABLE | RCTL_ANY_UNICAST | RCTL_ANY_MULTICAST | RCTL_BROADCAST | RCTL_LONG_FRAMES | \
     RCTL_BUFFER_256 | RCTL_STRIP_FCS)
#define REG_TCTL 0x0400u
#define TCTL_ENABLE BIT(1)
#define TCTL_PAD BIT(3)
#define TCTL_COLLISIONS (UINT32_C(0x0f) << 4 | UINT32_C(0x40) << 12)
#define REG_TIPG 0x0410u
#define TIPG_COPPER (UINT32_C(8) | UINT32_C(8) << 10 | UINT32_C(6) << 20)
#define REG_RING_RX 0x2800u
#define REG_RING_TX 0x3800u
#define RING_BASE_LOW 0x00u
#define RING_BASE_HIGH 0x04u
#define RING_BYTES 0x08u
#define RING_HEAD 0x10u
#define RING_TAIL 0x18u
#define RING_DELAY 0x20u
#define REG_RAL 0x5400u
#define REG_RAH 0x5404u
#define REG_MANC 0x5820u /* not of the 82544 */
#define MANC_SMBUS BIT(0)
#define MANC_ASF BIT(1)
#define MANC_RECEIVES BIT(17)

/* PHY registers (IEEE 802.3, 22.2.4) */
#define PHY_CONTROL 0u
#define PHY_CONTROL_SPEED_1000 BIT(6)
#define PHY_CONTROL_FULL_DUPLEX BIT(8)
#define PHY_CONTROL_AUTONEG BIT(12)
#define PHY_CONTROL_LOOPBACK BIT(14)
#define PHY_CONTROL_RESET BIT(15) /* takes the other bits over; clears itself */

#define TX_ENTRIES 8u  /* the least: rings are multiples of 128 bytes */
#define RX_ENTRIES 64u /* for the longest frame, and not all of them */
#define RX_BUFFER_BYTES 256u
#define RING_TX_AT 0u
#define RING_RX_AT 256u

#define TX_END_OF_FRAME BIT(24)
#define TX_INSERT_FCS BIT(25)
#define TX_REPORT BIT(27)
#define TX_DONE BIT(0)
#define TX_PARTS 2u

#define RX_DONE BIT(0)
#define RX_END_OF_FRAME BIT(1)

#define MAX_BYTES 9000u
#define RESET_US 20000u /* until the EEPROM has been read again */
#define MDIC_LIMIT_US 1000u
#define LINK_LIMIT_US 100000u
#define PHY_RESET_US 1000u
#define STEP_US 10u

struct tx_descriptor {
    uint64_t address;
    uint32_t command; /* length 15:0, checksum offset, TX_* from bit 24 */
    uint32_t status;  /* TX_DONE */
};

struct rx_descriptor {
    uint64_t address;
    uint16_t length;
    uint16_t checksum;
    uint8_t status; /* RX_* */
    uint8_t errors;
    uint16_t special;
};

static struct loopback cards[LOOPBACK_DEVICES];

static volatile struct tx_descriptor *tx_ring(const struct loopback *l)
{
    return (volatile struct tx_descriptor *)(l->ring + RING_TX_AT);
}

static volatile struct rx_descriptor *rx_ring(const struct loopback *l)
{
    return (volatile struct rx_descriptor *)(l->ring + RING_RX_AT);
}

static bool await(const struct loopback *l, uint32_t reg, uint32_t bit, uint32_t limit_us)
{
    for (uint32_t us = 0; us < limit_us; us += STEP_US) {
        if (readl(l->regs + reg) & bit)
            return true;
        delay_us(STEP_US);
    }
    return false;
}

/* Returns the register, or a negative errno with client.reason. */
static int phy_access(struct loopback *l, uint32_t command)
{
    uint32_t mdic;

    writel(command | MDIC_PHY, l->regs + REG_MDIC);
    await(l, REG_MDIC, MDIC_READY, MDIC_LIMIT_US);
    mdic = readl(l->regs + REG_MDIC);
    if (!(mdic & MDIC_READY) || (mdic & MDIC_ERROR))
        return client_error(&l->client, -EPROTO, "PHY does not answer: MDIC 0x%08x", mdic);
    return (int)(mdic & UINT16_MAX);
}

static int phy_read(struct loopback *l, uint32_t reg)
{
    return phy_access(l, MDIC_READ | reg << MDIC_REGISTER_SHIFT);
}

static int phy_write(struct loopback *l, uint32_t reg, uint32_t value)
{
    return phy_access(l, MDIC_WRITE | reg << MDIC_REGISTER_SHIFT | value);
}

/*
 * It is off the bus, so that nothing of it is under way. The PHY is not reset by it. The receiver
 * is not switched off before: see set_up(). The 82545GM and 82546GB want the other copy of CTRL.
 */
static void reset(struct loopback *l)
{
    bool by_copy = l->pdev->device == DEVICE_82545GM || l->pdev->device == DEVICE_82546GB;
    uint32_t ctrl;

    writel(UINT32_MAX, l->regs + REG_IMC);
    writel(0, l->regs + REG_TCTL);
    ctrl = readl(l->regs + REG_CTRL);
    writel(ctrl | CTRL_RESET, l->regs + (by_copy ? REG_CTRL_COPY : REG_CTRL));
    delay_us(RESET_US);
    writel(UINT32_MAX, l->regs + REG_IMC);
    readl(l->regs + REG_ICR);
}

/*
 * A management controller beside the host talks to its network through the card, and a reset would
 * cut it off. QEMU's has its packets received, but nobody to receive them.
 */
static bool is_managed(const struct loopback *l)
{
    uint16_t device = l->pdev->device;
    uint32_t manc;

    if (device == DEVICE_82544EI || device == DEVICE_82544GC || device == DEVICE_82544GC_LOM)
        return false;
    manc = readl(l->regs + REG_MANC);
    return (manc & MANC_RECEIVES) && (manc & (MANC_SMBUS | MANC_ASF));
}

static int e1000_loop_identify(struct loopback *l)
{
    uint32_t low, high;

    if (is_managed(l))
        return client_error(&l->client, -EBUSY, "carries a management controller's traffic");
    reset(l);
    low = readl(l->regs + REG_RAL);
    high = readl(l->regs + REG_RAH);
    if (low == UINT32_MAX || readl(l->regs + REG_STATUS) == UINT32_MAX)
        return client_error(&l->client, -EPROTO, "registers read all ones");
    for (uint32_t i = 0; i < ETHERNET_ADDRESS_BYTES; i++)
        l->station[i] = (uint8_t)(i < 4 ? low >> 8 * i : high >> 8 * (i - 4));
    return phy_read(l, PHY_CONTROL) < 0 ? -EPROTO : 0;
}

static int set_loopback(struct loopback *l)
{
    const uint32_t forced = CTRL_FULL_DUPLEX | CTRL_SET_LINK_UP | CTRL_INVERT_LOSS_OF_SIGNAL |
                            CTRL_SPEED_1000 | CTRL_FORCE_SPEED | CTRL_FORCE_DUPLEX;
    const uint32_t loopback = inject(e1000_no_loopback, dma_loop) ? 0 : PHY_CONTROL_LOOPBACK;
    const uint32_t mode = PHY_CONTROL_FULL_DUPLEX | PHY_CONTROL_SPEED_1000;
    int control = phy_read(l, PHY_CONTROL);

    if (control < 0)
        return control;
    l->before = (uint32_t)control;
    l->set_up = true;
    control = phy_write(l, PHY_CONTROL, mode | PHY_CONTROL_RESET);
    if (control < 0)
        return control;
    delay_us(PHY_RESET_US);
    control = phy_write(l, PHY_CONTROL, mode | loopback);
    if (control < 0)
        return control;
    writel(forced, l->regs + REG_CTRL);
    control = phy_read(l, PHY_CONTROL);
    if (control < 0)
        return control;
    if (((uint32_t)control & loopback) != loopback)
        return client_error(&l->client, -EPROTO, "no loopback: PHY control reads 0x%04x", control);
    if (!await(l, REG_STATUS, STATUS_LINK_UP, LINK_LIMIT_US))
        return client_error(&l->client, -ETIMEDOUT, "no link to itself: STATUS 0x%08x",
                            readl(l->regs + REG_STATUS));
    return 0;
}

static void set_ring(const struct loopback *l, uint32_t reg, uint32_t at, uint32_t entries)
{
    writel((uint32_t)addr_number(l->ring_dma + at), l->regs + reg + RING_BASE_LOW);
    writel((uint32_t)(addr_number(l->ring_dma + at) >> 32), l->regs + reg + RING_BASE_HIGH);
    writel(entries * sizeof(struct rx_descriptor), l->regs + reg + RING_BYTES);
    writel(0, l->regs + reg + RING_HEAD);
    writel(0, l->regs + reg + RING_TAIL);
    writel(0, l->regs + reg + RING_DELAY);
}

static int set_up(struct loopback *l)
{
    int err = set_loopback(l);

    if (err)
        return err;
    l->rx_at = l->rx_end = l->tx_at = 0;
    set_ring(l, REG_RING_RX, RING_RX_AT, RX_ENTRIES);
    set_ring(l, REG_RING_TX, RING_TX_AT, TX_ENTRIES);
    writel(TIPG_COPPER, l->regs + REG_TIPG);
    /* QEMU's keeps this when it is reset, and takes nothing for a second after it was written. */
    if (readl(l->regs + REG_RCTL) != RCTL_TAKE_ANY)
        writel(RCTL_TAKE_ANY, l->regs + REG_RCTL);
    writel(TCTL_ENABLE | TCTL_PAD | TCTL_COLLISIONS, l->regs + REG_TCTL);
    return 0;
}

static void put_tx(struct loopback *l, uint32_t part, dma_addr_t from, uint32_t bytes,
                   uint32_t command)
{
    volatile struct tx_descriptor *tx = &tx_ring(l)[(l->tx_at + part) % TX_ENTRIES];

    tx->address =
        inject(e1000_address_32, dma_loop) ? (uint32_t)addr_number(from) : addr_number(from);
    tx->command = bytes | command | TX_INSERT_FCS | TX_REPORT;
    tx->status = 0;
}

static void put_rx(struct loopback *l, dma_addr_t to, uint32_t bytes)
{
    l->rx_end = l->rx_at;
    for (uint32_t done = 0; done < bytes; done += RX_BUFFER_BYTES) {
        volatile struct rx_descriptor *rx = &rx_ring(l)[l->rx_end];

        rx->address = addr_number(to + done);
        rx->status = 0;
        rx->length = 0;
        l->rx_end = (l->rx_end + 1) % RX_ENTRIES;
    }
}

static int e1000_loop_start(struct loopback *l, dma_addr_t from, dma_addr_t to, uint32_t bytes)
{
    uint32_t first = bytes / 3;
    uint32_t parts;
    int err;

    if (!l->set_up) {
        err = set_up(l);
        if (err)
            return err;
    }
    parts = l->tx_at > 0 && inject(e1000_tail_early, dma_loop) ? TX_PARTS - 1 : TX_PARTS;
    put_rx(l, to, bytes);
    put_tx(l, 0, from, first, 0);
    put_tx(l, 1, from + first, bytes - first, TX_END_OF_FRAME);
    writel(l->rx_end, l->regs + REG_RING_RX + RING_TAIL);
    loopback_started(l);
    if (l->completion.requested)
        writel(INT_TX_WRITTEN_BACK | INT_RX_TIMER, l->regs + REG_IMS);
    writel((l->tx_at + parts) % TX_ENTRIES, l->regs + REG_RING_TX + RING_TAIL);
    return 0;
}

/* The descriptor that ends what is received. */
static volatile struct rx_descriptor *last_rx(const struct loopback *l)
{
    return &rx_ring(l)[(l->rx_end + RX_ENTRIES - 1) % RX_ENTRIES];
}

static uint32_t e1000_loop_acknowledge(struct loopback *l)
{
    return readl(l->regs + REG_ICR);
}

static bool e1000_loop_is_done(struct loopback *l)
{
    uint32_t last = (l->tx_at + TX_PARTS - 1) % TX_ENTRIES;

    return (tx_ring(l)[last].status & TX_DONE) && (last_rx(l)->status & RX_DONE);
}

static int e1000_loop_check(struct loopback *l, uint32_t bytes)
{
    const volatile struct rx_descriptor *end = last_rx(l);
    uint32_t length = 0;

    for (uint32_t i = l->rx_at; i != l->rx_end; i = (i + 1) % RX_ENTRIES)
        length += rx_ring(l)[i].length;
    if (end->errors || !(end->status & RX_END_OF_FRAME) || length != bytes)
        return client_error(&l->client, -EPROTO,
                            "received %u bytes of %u, status 0x%02x, errors 0x%02x", length, bytes,
                            end->status, end->errors);
    return 0;
}

static void e1000_loop_explain(struct loopback *l, const char *what)
{
    client_error(&l->client, 0, "%s: RX %u to %u, TX %u to %u, STATUS 0x%08x, causes 0x%x", what,
                 readl(l->regs + REG_RING_RX + RING_HEAD), readl(l->regs + REG_RING_RX + RING_TAIL),
                 readl(l->regs + REG_RING_TX + RING_HEAD), readl(l->regs + REG_RING_TX + RING_TAIL),
                 readl(l->regs + REG_STATUS), l->events);
}

/* All receive descriptors are used up; those that are not, quiet() takes away. */
static void e1000_loop_stop(struct loopback *l)
{
    writel(UINT32_MAX, l->regs + REG_IMC);
    readl(l->regs + REG_ICR);
    l->tx_at = (l->tx_at + TX_PARTS) % TX_ENTRIES;
    if (!inject(e1000_same_descriptor, dma_loop))
        l->rx_at = l->rx_end;
}

/* The PHY is put back last: nothing is sent when it gets on the cable again. */
static void e1000_loop_quiet(struct loopback *l)
{
    if (!l->set_up)
        return;
    reset(l);
    phy_write(l, PHY_CONTROL, (l->before & ~PHY_CONTROL_LOOPBACK) | PHY_CONTROL_RESET);
    l->set_up = false;
}

static const struct loopback_kind e1000_kind = {
    .devices = cards,
    .about = "Intel 8254x",
    .bar = REG_BAR,
    .bar_kind = PCI_BAR_MEMORY,
    .window_bytes = WINDOW_BYTES,
    .mask_bits = 64,
    .min = ETHERNET_MIN_BYTES,
    .max = MAX_BYTES,
    .align = 1,
    .identify = e1000_loop_identify,
    .start = e1000_loop_start,
    .acknowledge = e1000_loop_acknowledge,
    .is_done = e1000_loop_is_done,
    .check = e1000_loop_check,
    .stop = e1000_loop_stop,
    .quiet = e1000_loop_quiet,
    .explain = e1000_loop_explain,
};

/* The copper ones whose PHY answers to MDIC. */
static const struct pci_match e1000_ids[] = {
    {VENDOR_INTEL, DEVICE_82544EI, 0, 0},
    {VENDOR_INTEL, DEVICE_82544GC, 0, 0},
    {VENDOR_INTEL, DEVICE_82544GC_LOM, 0, 0},
    {VENDOR_INTEL, 0x100e, 0, 0}, /* 82540EM */
    {VENDOR_INTEL, 0x1015, 0, 0}, /* 82540EM, on a main board */
    {VENDOR_INTEL, 0x1016, 0, 0}, /* 82540EP, on a main board */
    {VENDOR_INTEL, 0x1017, 0, 0}, /* 82540EP */
    {VENDOR_INTEL, 0x101e, 0, 0}, /* 82540EP, low power */
    {VENDOR_INTEL, 0x100f, 0, 0}, /* 82545EM */
    {VENDOR_INTEL, DEVICE_82545GM, 0, 0},
    {VENDOR_INTEL, 0x1010, 0, 0}, /* 82546EB */
    {VENDOR_INTEL, DEVICE_82546GB, 0, 0},
    {VENDOR_INTEL, 0x1013, 0, 0}, /* 82541EI */
    {VENDOR_INTEL, 0x1076, 0, 0}, /* 82541GI */
    {VENDOR_INTEL, 0x107c, 0, 0}, /* 82541PI */
};

TABLE_ENTRY(pci_driver, struct pci_driver) = {
    .name = "e1000",
    .match = e1000_ids,
    .nr_match = ARRAY_SIZE(e1000_ids),
    .probe = loopback_probe,
    .kind = &e1000_kind,
};
