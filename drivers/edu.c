/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * QEMU's educational device (docs/specs/edu.txt in QEMU): 4 KiB of device memory and a DMA engine
 * that moves any number of bytes between it and RAM, both ways. It has 28 address bits and drops
 * those above without a word, so an address that it can't express is refused here by name. Each
 * transfer takes it 100 ms.
 */
#include "drivers/pci.h"
#include "drivers/transfer.h"
#include "lib/errno.h"
#include "lib/inject.h"
#include "lib/x86/io.h"
#include "paging/ioremap.h"

#define EDU_VENDOR 0x1234u
#define EDU_DEVICE 0x11e8u
#define EDU_MASK_BITS 28

/* Registers in BAR 0 */
#define EDU_BAR 0u
#define EDU_WINDOW_BYTES 0x1000u
#define REG_ID 0x00u
#define REG_LIVENESS 0x04u /* reads as the complement of what was written */
#define REG_IRQ_STATUS 0x24u
#define REG_IRQ_ACKNOWLEDGE 0x64u
#define REG_DMA_SOURCE 0x80u
#define REG_DMA_DESTINATION 0x88u
#define REG_DMA_COUNT 0x90u
#define REG_DMA_COMMAND 0x98u
#define DMA_COMMAND_START BIT(0) /* stays set until it is done */
#define DMA_COMMAND_TO_RAM BIT(1)
#define DMA_COMMAND_INTERRUPT BIT(2) /* when it is done */

#define ID_MASK 0xffffu
#define ID_VALUE 0x00edu
#define LIVENESS_PROBE 0x5a3cc3a5u

#define EDU_MEMORY_ADDRESS 0x40000u /* of the device memory, as the DMA engine sees it */
/*
 * There are 4096 bytes, but QEMU up to 8 stops the machine for a transfer that ends with the last
 * one (its check takes the end for exclusive twice).
 */
#define EDU_MEMORY_BYTES 4095u

#define TRANSFER_LIMIT_MS 2000u
#define TRANSFER_COST_MS 100u

struct edu {
    struct dma_client client;
    struct completion completion;
    struct pci_device *pdev;
    uint8_t __iomem *regs;
};

/* One is enough to test with; a second one is reported and left alone. */
static struct edu the_edu;

static bool edu_service(struct completion *c)
{
    struct edu *edu = container_of(c, struct edu, completion);
    uint32_t requests = readl(edu->regs + REG_IRQ_STATUS);

    if (requests)
        writel(requests, edu->regs + REG_IRQ_ACKNOWLEDGE);
    c->done = !(readl(edu->regs + REG_DMA_COMMAND) & DMA_COMMAND_START);
    return requests != 0;
}

/* Moves `bytes` between `offset` of the device memory and the bus address `addr`. */
static int run_engine(struct edu *edu, uint32_t offset, dma_addr_t addr, uint32_t bytes,
                      enum dma_data_direction dir)
{
    uint32_t inside = EDU_MEMORY_ADDRESS + offset;
    struct completion *c = &edu->completion;
    bool to_ram = dir == DMA_FROM_DEVICE;
    int err;

    if (addr + bytes - 1 > edu->client.dev->dma_mask)
        return client_error(&edu->client, -ERANGE, "address 0x%llx+%u has more than %u bits",
                            addr_number(addr), bytes, EDU_MASK_BITS);
    completion_begin(c);
    writel(to_ram ? inside : (uint32_t)addr_number(addr), edu->regs + REG_DMA_SOURCE);
    writel(to_ram ? (uint32_t)addr_number(addr) : inside, edu->regs + REG_DMA_DESTINATION);
    writel(bytes > 1 && inject(edu_short_count, dma_bounce) ? bytes - 1 : bytes,
           edu->regs + REG_DMA_COUNT);
    writel(DMA_COMMAND_START | (to_ram ? DMA_COMMAND_TO_RAM : 0) |
               (c->requested ? DMA_COMMAND_INTERRUPT : 0),
           edu->regs + REG_DMA_COMMAND);
    err = completion_wait(c, TRANSFER_LIMIT_MS);
    completion_end(c);
    if (err)
        client_error(&edu->client, err, "DMA of %u bytes: %s after %u ms, command 0x%x", bytes,
                     c->interrupt_lost ? "no interrupt" : "not done", TRANSFER_LIMIT_MS,
                     readl(edu->regs + REG_DMA_COMMAND));
    return err;
}

static int transfer(struct dma_client *client, uint64_t dev_offset, struct page *page,
                    uint32_t offset, uint32_t bytes, enum dma_data_direction dir)
{
    struct edu *edu = container_of(client, struct edu, client);
    uint16_t command;
    dma_addr_t addr;
    int err;

    if (bytes == 0 || bytes > EDU_MEMORY_BYTES || dev_offset > EDU_MEMORY_BYTES - bytes)
        return client_error(client, -EINVAL, "%u bytes at %llu are not in the device memory", bytes,
                            (unsigned long long)dev_offset);
    addr = dma_map_page(client->dev, page, offset, bytes, dir);
    if (dma_mapping_error(client->dev, addr))
        return client_error(client, -ENOMEM, "mapping of %u bytes failed", bytes);
    command = pci_enable(edu->pdev, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    err = run_engine(edu, (uint32_t)dev_offset, addr, bytes, dir);
    pci_restore_command(edu->pdev, command);
    dma_unmap_page(client->dev, addr, bytes, dir);
    return err;
}

static int edu_read(struct dma_client *client, uint64_t dev_offset, struct page *page,
                    uint32_t offset, uint32_t bytes)
{
    return transfer(client, dev_offset, page, offset, bytes, DMA_FROM_DEVICE);
}

static int edu_write(struct dma_client *client, uint64_t dev_offset, struct page *page,
                     uint32_t offset, uint32_t bytes)
{
    return transfer(client, dev_offset, page, offset, bytes, DMA_TO_DEVICE);
}

static bool is_alive(const struct edu *edu)
{
    writel(LIVENESS_PROBE, edu->regs + REG_LIVENESS);
    return (readl(edu->regs + REG_ID) & ID_MASK) == ID_VALUE &&
           readl(edu->regs + REG_LIVENESS) == ~LIVENESS_PROBE;
}

static int edu_probe(struct pci_device *pdev)
{
    struct edu *edu = &the_edu;
    struct pci_bar bar;
    uint16_t command;
    bool alive;

    if (edu->pdev) {
        probe_report("edu", -EBUSY, "%s: a second edu device is left alone", pdev->name);
        return -EBUSY;
    }
    if (pci_read_bar(pdev, EDU_BAR, &bar) < 0 || bar.kind != PCI_BAR_MEMORY) {
        probe_report("edu", -ENODEV, "%s: BAR 0 is not assigned", pdev->name);
        return -ENODEV;
    }
    edu->regs = ioremap(phys_make(bar.base), EDU_WINDOW_BYTES);
    if (!edu->regs) {
        probe_report("edu", -ENOMEM, "%s: no window for its registers", pdev->name);
        return -ENOMEM;
    }
    command = pci_enable(pdev, PCI_COMMAND_MEMORY);
    alive = is_alive(edu);
    pci_restore_command(pdev, command);
    if (!alive) {
        iounmap(edu->regs);
        probe_report("edu", -EIO, "%s: identification or liveness register is wrong", pdev->name);
        return -EIO;
    }
    edu->pdev = pdev;
    edu->completion = (struct completion){
        .service = edu_service,
        .name = "edu",
        .line = pdev->irq_pin ? pdev->irq_line : COMPLETION_NO_LINE,
        .by_interrupt = true,
    };
    pdev->dma.dma_mask = DMA_BIT_MASK(EDU_MASK_BITS);
    edu->client = (struct dma_client){
        .name = "edu",
        .dev = &pdev->dma,
        .size_bytes = EDU_MEMORY_BYTES,
        .granule_bytes = 1,
        .max_bytes = EDU_MEMORY_BYTES,
        .align_bytes = 1,
        .cost_ms = TRANSFER_COST_MS,
        .read = edu_read,
        .write = edu_write,
        .completion = &edu->completion,
    };
    dma_client_register(&edu->client);
    probe_report("edu", 0, "%s: edu device, %u address bits, %u bytes of memory", pdev->name,
                 EDU_MASK_BITS, EDU_MEMORY_BYTES);
    return 0;
}

static const struct pci_match edu_ids[] = {{EDU_VENDOR, EDU_DEVICE, 0, 0}};

TABLE_ENTRY(pci_driver, struct pci_driver) = {
    .name = "edu",
    .match = edu_ids,
    .nr_match = ARRAY_SIZE(edu_ids),
    .probe = edu_probe,
};
