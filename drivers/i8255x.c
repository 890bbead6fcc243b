/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Intel 8255x 100 Mbit/s cards. Their own loopback is left alone: QEMU's model knows nothing of it
 * and would send to the outside, and nothing tells it from a real card before the frame is gone.
 * But the card writes to memory without a frame: its table of statistics, which is all zero after a
 * reset and ends with a mark. That is what can be read here, at any multiple of 4. A command that
 * does nothing, behind the dump, says that the dump is done, and gives the interrupt.
 *
 * Source: 8255x Open Source Software Developer Manual (Intel, revision 1.3), chapter 6 (system
 * control block, command unit, statistics).
 */
#include "drivers/clock.h"
#include "drivers/pci.h"
#include "drivers/transfer.h"
#include "lib/errno.h"
#include "lib/inject.h"
#include "lib/string.h"
#include "lib/x86/io.h"
#include "paging/ioremap.h"

#define VENDOR_INTEL 0x8086u
#define REG_BAR 0u
#define WINDOW_BYTES 0x20u

#define REG_STATUS 0x00u
#define REG_REQUESTS 0x01u /* cleared by writing ones */
#define REG_COMMAND 0x02u  /* 0 once it is accepted */
#define COMMAND_START 0x10u
#define COMMAND_TABLE_ADDRESS 0x40u
#define COMMAND_DUMP 0x50u
#define COMMAND_BASE 0x60u
#define REG_MASK 0x03u
#define MASK_ALL BIT(0)
#define REG_POINTER 0x04u
#define REG_PORT 0x08u
#define PORT_RESET 0u
#define PORT_SELECTIVE_RESET 2u /* off the bus first */

/* A command block: command and status, link */
#define BLOCK_COMPLETE BIT(15)
#define BLOCK_OK BIT(13)
#define BLOCK_NOP 0u
#define BLOCK_LAST BIT(31)
#define BLOCK_INTERRUPT BIT(29)

#define TABLE_MARK 0xa005u
#define RING_BYTES 4096u
#define RING_TABLE_AT 1024u
#define ALIGN_BYTES 4u

#define RESET_US 20u
#define ACCEPT_LIMIT_US 10000u
#define STEP_US 10u
#define LIMIT_MS 500u

struct i8255x {
    struct dma_client client;
    struct completion completion;
    struct pci_device *pdev;
    uint8_t __iomem *regs;
    uint8_t *ring; /* a command block, and a table for the probe */
    dma_addr_t ring_dma;
    volatile bool started; /* the block is this transfer's */
    volatile bool busy;    /* in a transfer, bus master */
    uint16_t command;      /* the command register before that */
};

#define MAX_CARDS 2u

static struct i8255x cards[MAX_CARDS];
static const char *const card_names[MAX_CARDS] = {"i8255x", "i8255x_2"};

static volatile uint32_t *block(const struct i8255x *card)
{
    return (volatile uint32_t *)card->ring;
}

/* Memory is not touched after that, and no interrupt requested. */
static void reset(const struct i8255x *card)
{
    writel(PORT_SELECTIVE_RESET, card->regs + REG_PORT);
    readb(card->regs + REG_STATUS); /* it is there now, not posted on the way */
    delay_us(RESET_US);
    writel(PORT_RESET, card->regs + REG_PORT);
    readb(card->regs + REG_STATUS);
    delay_us(RESET_US);
    writeb(MASK_ALL, card->regs + REG_MASK);
}

static int command(struct i8255x *card, uint8_t code, uint32_t pointer)
{
    uint32_t us = 0;

    writel(pointer, card->regs + REG_POINTER);
    writeb(code, card->regs + REG_COMMAND);
    while (readb(card->regs + REG_COMMAND)) {
        if (us >= ACCEPT_LIMIT_US)
            return client_error(&card->client, -ETIMEDOUT,
                                "command 0x%02x not accepted, status 0x%02x", code,
                                readb(card->regs + REG_STATUS));
        delay_us(STEP_US);
        us += STEP_US;
    }
    return 0;
}

static bool i8255x_service(struct completion *c)
{
    struct i8255x *card = container_of(c, struct i8255x, completion);
    uint8_t requests = readb(card->regs + REG_REQUESTS);

    writeb(requests, card->regs + REG_REQUESTS);
    c->done = card->started && (block(card)[0] & BLOCK_COMPLETE);
    return requests != 0;
}

static int start(struct i8255x *card, dma_addr_t to)
{
    int err;

    block(card)[0] = BLOCK_NOP | BLOCK_LAST | BLOCK_INTERRUPT;
    block(card)[1] = 0;
    card->started = true;
    writeb(card->completion.requested ? 0 : MASK_ALL, card->regs + REG_MASK);
    err = command(card, COMMAND_BASE, 0);
    if (!err)
        err = command(card, COMMAND_TABLE_ADDRESS, (uint32_t)addr_number(to));
    if (!err)
        err = command(card, COMMAND_DUMP, 0);
    if (!err)
        err = command(card, COMMAND_START, (uint32_t)addr_number(card->ring_dma));
    return err;
}

/* The table to `to`, from reset to reset. */
static int dump(struct i8255x *card, dma_addr_t to)
{
    struct completion *c = &card->completion;
    int err;

    card->command = pci_enable(card->pdev, PCI_COMMAND_MEMORY);
    card->busy = true;
    reset(card);
    pci_set_master(card->pdev, true);
    completion_begin(c);
    err = start(card, to);
    if (!err) {
        err = completion_wait(c, LIMIT_MS);
        card->started = false;
        if (err)
            client_error(&card->client, err, "%s: status 0x%02x, requests 0x%02x, block 0x%08x",
                         c->interrupt_lost ? "no interrupt" : "dump not done",
                         readb(card->regs + REG_STATUS), readb(card->regs + REG_REQUESTS),
                         block(card)[0]);
        else if (!(block(card)[0] & BLOCK_OK))
            err = client_error(&card->client, -EPROTO, "command failed: block 0x%08x",
                               block(card)[0]);
    }
    reset(card);
    completion_end(c);
    if (!inject(i8255x_stay_master, dma_bounce))
        pci_restore_command(card->pdev, card->command);
    card->busy = false;
    return err;
}

/* Of use only if a fault took the thread away in the middle of a transfer: nobody has stopped it.
 */
static void i8255x_quiet(struct dma_client *client)
{
    struct i8255x *card = container_of(client, struct i8255x, client);

    if (!card->busy)
        return;
    pci_enable(card->pdev, PCI_COMMAND_MEMORY);
    card->started = false;
    reset(card);
    completion_end(&card->completion);
    pci_restore_command(card->pdev, (uint16_t)(card->command & ~PCI_COMMAND_MASTER));
    card->busy = false;
}

static int i8255x_read(struct dma_client *client, uint64_t dev_offset, struct page *page,
                       uint32_t offset, uint32_t bytes)
{
    struct i8255x *card = container_of(client, struct i8255x, client);
    dma_addr_t addr;
    int err;

    if (dev_offset != 0 || bytes != client->size_bytes || !IS_ALIGNED(offset, ALIGN_BYTES))
        return client_error(client, -EINVAL, "the table has %u bytes, and goes to multiples of %u",
                            (uint32_t)client->size_bytes, ALIGN_BYTES);
    addr = dma_map_page(client->dev, page, offset, bytes, DMA_FROM_DEVICE);
    if (dma_mapping_error(client->dev, addr))
        return client_error(client, -ENOMEM, "mapping of %u bytes failed", bytes);
    err = dump(card, inject(i8255x_wrong_buffer, dma_bounce) ? addr + ALIGN_BYTES : addr);
    dma_unmap_page_attrs(client->dev, addr, bytes, DMA_FROM_DEVICE,
                         err ? DMA_ATTR_SKIP_CPU_SYNC : 0);
    return err;
}

/*
 * How long the table is depends on the chip: 64 bytes of counters or more, and the mark. Returns
 * its bytes with the mark, or a negative errno.
 */
static int measure_table(struct i8255x *card)
{
    static const uint8_t counter_bytes[] = {64, 76, 80};
    const volatile uint32_t *table = (const volatile uint32_t *)(card->ring + RING_TABLE_AT);
    int err;

    card->completion.by_interrupt = false;
    err = dump(card, card->ring_dma + RING_TABLE_AT);
    card->completion.by_interrupt = true;
    if (err)
        return err;
    for (unsigned i = 0; i < ARRAY_SIZE(counter_bytes); i++) {
        if (table[counter_bytes[i] / sizeof(*table)] == TABLE_MARK)
            return counter_bytes[i] + (int)sizeof(*table);
    }
    return client_error(&card->client, -EPROTO, "no mark behind its statistics");
}

static int open_card(struct i8255x *card)
{
    int err = pci_map_bar(card->pdev, REG_BAR, WINDOW_BYTES, &card->regs);

    if (err)
        return client_error(&card->client, err, "BAR %u %s", REG_BAR, pci_bar_problem(err));
    card->ring = dma_alloc_coherent(&card->pdev->dma, RING_BYTES, &card->ring_dma);
    if (!card->ring)
        return client_error(&card->client, -ENOMEM, "no memory for its commands");
    return measure_table(card);
}

static void close_card(struct i8255x *card)
{
    if (card->ring)
        dma_free_coherent(&card->pdev->dma, RING_BYTES, card->ring, card->ring_dma);
    iounmap(card->regs);
    *card = (struct i8255x){0};
}

static struct i8255x *free_card(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(cards); i++) {
        if (!cards[i].pdev)
            return &cards[i];
    }
    return NULL;
}

static int i8255x_probe(struct pci_device *pdev, const struct pci_driver *driver)
{
    struct i8255x *card = free_card();
    int bytes;

    if (!card) {
        probe_report("i8255x", -EBUSY, "%s: more than %u cards are left alone", pdev->name,
                     (unsigned)ARRAY_SIZE(cards));
        return -EBUSY;
    }
    card->pdev = pdev;
    card->client = (struct dma_client){
        .name = card_names[card - cards],
        .dev = &pdev->dma,
        .align_bytes = ALIGN_BYTES,
        .read = i8255x_read,
        .quiet = i8255x_quiet,
        .completion = &card->completion,
    };
    card->completion = (struct completion){
        .service = i8255x_service,
        .name = card_names[card - cards],
        .line = pdev->irq_line,
    };
    bytes = open_card(card);
    if (bytes < 0) {
        probe_report("i8255x", bytes, "%s: Intel 8255x: %s", pdev->name, card->client.reason);
        close_card(card);
        return bytes;
    }
    card->client.size_bytes = (uint64_t)bytes;
    card->client.granule_bytes = card->client.max_bytes = (uint32_t)bytes;
    dma_client_register(&card->client);
    probe_report("i8255x", 0, "%s: %s, Intel 8255x, %d bytes of statistics", pdev->name,
                 card->client.name, bytes);
    return 0;
}

static const struct pci_match i8255x_ids[] = {
    {VENDOR_INTEL, 0x1229, 0, 0}, /* 82557, 82558, 82559, 82550, 82551 */
    {VENDOR_INTEL, 0x1209, 0, 0}, /* 82559ER, 82551IT */
    {VENDOR_INTEL, 0x1030, 0, 0}, /* 82559 */
    {VENDOR_INTEL, 0x1031, 0, 0}, /* ICH3 */
    {VENDOR_INTEL, 0x1038, 0, 0}, /* ICH3 */
    {VENDOR_INTEL, 0x1039, 0, 0}, /* ICH4 */
    {VENDOR_INTEL, 0x103d, 0, 0}, /* ICH4 */
    {VENDOR_INTEL, 0x1050, 0, 0}, /* ICH5 */
    {VENDOR_INTEL, 0x1064, 0, 0}, /* ICH6 */
    {VENDOR_INTEL, 0x1092, 0, 0}, /* ICH7 */
    {VENDOR_INTEL, 0x27dc, 0, 0}, /* ICH7 */
    {VENDOR_INTEL, 0x2449, 0, 0}, /* ICH2 */
    {VENDOR_INTEL, 0x2459, 0, 0}, /* C-ICH */
};

TABLE_ENTRY(pci_driver, struct pci_driver) = {
    .name = "i8255x",
    .match = i8255x_ids,
    .nr_match = ARRAY_SIZE(i8255x_ids),
    .probe = i8255x_probe,
};
