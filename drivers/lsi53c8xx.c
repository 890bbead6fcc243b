/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Symbios and LSI Logic 53C8xx SCSI controllers: the Memory Move instruction of their SCRIPTS
 * processor copies memory to memory over the PCI bus. The SCSI side stays as a reset leaves it: it
 * arbitrates for nothing, answers to no selection, and no bus is reset.
 *
 * Source: LSI53C895A Technical Manual (LSI Logic, 2.2), chapters 4 (registers) and 5 (SCRIPTS).
 * Source and target of a Memory Move must agree in their two lowest address bits.
 */
#include "drivers/clock.h"
#include "drivers/loopback.h"
#include "lib/errno.h"
#include "lib/inject.h"
#include "lib/x86/io.h"

#define VENDOR_LSI 0x1000u
#define REG_BAR 1u
#define WINDOW_BYTES 0x80u

#define REG_DSTAT 0x0cu /* cleared by reading */
#define DMA_PARITY_ERROR BIT(6)
#define DMA_BUS_FAULT BIT(5)
#define DMA_ABORTED BIT(4)
#define DMA_SCRIPT_INTERRUPT BIT(2)
#define DMA_ILLEGAL BIT(0)
#define DMA_ERRORS (DMA_PARITY_ERROR | DMA_BUS_FAULT | DMA_ABORTED | DMA_ILLEGAL)
#define REG_ISTAT 0x14u
#define ISTAT_DMA BIT(0)
#define ISTAT_SCSI BIT(1)
#define ISTAT_RESET BIT(6)
#define REG_DSP 0x2cu /* writing starts the script */
#define REG_DSPS 0x30u
#define REG_DIEN 0x39u
#define REG_SIST0 0x42u
#define REG_SIST1 0x43u

#define SCRIPT_MEMORY_MOVE UINT32_C(0xc0000000) /* and the bytes in 23:0 */
#define SCRIPT_INTERRUPT UINT32_C(0x98080000)   /* always */
#define SCRIPT_MARK UINT32_C(0x70616521)        /* arrives in DSPS */

#define MAX_BYTES KIB(64)
#define ALIGN_BYTES 4u
#define RESET_US 100u

static struct loopback controllers[LOOPBACK_DEVICES];

static void reset(const struct loopback *l)
{
    writeb(ISTAT_RESET, l->regs + REG_ISTAT);
    readb(l->regs + REG_ISTAT); /* it is there now, not posted on the way */
    delay_us(RESET_US);
    writeb(0, l->regs + REG_ISTAT);
    readb(l->regs + REG_ISTAT);
    delay_us(RESET_US);
}

static int lsi_loop_identify(struct loopback *l)
{
    uint8_t istat;

    reset(l);
    istat = readb(l->regs + REG_ISTAT);
    if (istat)
        return client_error(&l->client, -EPROTO, "ISTAT 0x%02x after a reset", istat);
    return 0;
}

static int lsi_loop_start(struct loopback *l, dma_addr_t from, dma_addr_t to, uint32_t bytes)
{
    volatile uint32_t *script = loopback_words(l, 0);
    uint32_t at = 0;

    reset(l);
    script[at++] = SCRIPT_MEMORY_MOVE | (inject(lsi_short_move, dma_loop) ? bytes - 1 : bytes);
    script[at++] = (uint32_t)addr_number(from);
    script[at++] = (uint32_t)addr_number(to);
    script[at++] = SCRIPT_INTERRUPT;
    script[at++] = SCRIPT_MARK;
    loopback_started(l);
    if (l->completion.requested)
        writeb(DMA_SCRIPT_INTERRUPT | DMA_ERRORS, l->regs + REG_DIEN);
    writel(loopback_ring_address(l, 0), l->regs + REG_DSP);
    return 0;
}

static uint32_t lsi_loop_acknowledge(struct loopback *l)
{
    uint8_t istat = readb(l->regs + REG_ISTAT);

    if (istat & ISTAT_SCSI) {
        readb(l->regs + REG_SIST0);
        readb(l->regs + REG_SIST1);
    }
    return (istat & ISTAT_DMA) ? readb(l->regs + REG_DSTAT) : 0;
}

static bool lsi_loop_is_done(struct loopback *l)
{
    return (l->events & (DMA_SCRIPT_INTERRUPT | DMA_ERRORS)) != 0;
}

static int lsi_loop_check(struct loopback *l, uint32_t bytes)
{
    uint32_t mark = readl(l->regs + REG_DSPS);

    if ((l->events & DMA_ERRORS) || mark != SCRIPT_MARK)
        return client_error(&l->client, -EPROTO,
                            "script stopped, %u bytes: DSTAT 0x%02x, DSPS 0x%08x", bytes, l->events,
                            mark);
    return 0;
}

static void lsi_loop_stop(struct loopback *l)
{
    reset(l);
}

/* ISTAT is the one register that may be read while a script runs. */
static void lsi_loop_explain(struct loopback *l, const char *what)
{
    client_error(&l->client, 0, "%s: ISTAT 0x%02x, DSTAT was 0x%02x", what,
                 readb(l->regs + REG_ISTAT), l->events);
}

static const struct loopback_kind lsi_kind = {
    .devices = controllers,
    .about = "53C8xx",
    .bar = REG_BAR,
    .bar_kind = PCI_BAR_MEMORY,
    .window_bytes = WINDOW_BYTES,
    .mask_bits = 32,
    .min = 1,
    .max = MAX_BYTES,
    .align = ALIGN_BYTES,
    .identify = lsi_loop_identify,
    .start = lsi_loop_start,
    .acknowledge = lsi_loop_acknowledge,
    .is_done = lsi_loop_is_done,
    .check = lsi_loop_check,
    .stop = lsi_loop_stop,
    .explain = lsi_loop_explain,
};

static const struct pci_match lsi_ids[] = {
    {VENDOR_LSI, 0x0001, 0, 0}, /* 53C810 */
    {VENDOR_LSI, 0x0002, 0, 0}, /* 53C820 */
    {VENDOR_LSI, 0x0003, 0, 0}, /* 53C825 */
    {VENDOR_LSI, 0x0004, 0, 0}, /* 53C815 */
    {VENDOR_LSI, 0x0005, 0, 0}, /* 53C810AP */
    {VENDOR_LSI, 0x0006, 0, 0}, /* 53C860 */
    {VENDOR_LSI, 0x000b, 0, 0}, /* 53C896 */
    {VENDOR_LSI, 0x000c, 0, 0}, /* 53C895 */
    {VENDOR_LSI, 0x000d, 0, 0}, /* 53C885 */
    {VENDOR_LSI, 0x000f, 0, 0}, /* 53C875 */
    {VENDOR_LSI, 0x0012, 0, 0}, /* 53C895A */
};

TABLE_ENTRY(pci_driver, struct pci_driver) = {
    .name = "lsi53c8xx",
    .match = lsi_ids,
    .nr_match = ARRAY_SIZE(lsi_ids),
    .probe = loopback_probe,
    .kind = &lsi_kind,
};
