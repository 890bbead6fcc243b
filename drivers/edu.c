/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * QEMU's educational device (docs/specs/edu.txt in QEMU): 4 KiB of device memory and a DMA engine
 * that moves any number of bytes between it and RAM, both ways. Each transfer takes it 100 ms.
 *
 * How many address bits it has is a property of the emulated device (dma_mask, 28 bits unless the
 * user says otherwise) that no register shows, and bits above are dropped without a word. So it is
 * found out, by a transfer to an address above whose alias without the bit in question is ours,
 * too: the byte comes to one of the two.
 *
 * The address registers take all of an address above 4 GiB in one access of 64 bits only, which a
 * 32-bit processor without MMX or an FPU makes by CMPXCHG8B.
 */
#include "drivers/edu.h"
#include "drivers/pci.h"
#include "drivers/yield_lock.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/inject.h"
#include "lib/prng.h"
#include "lib/string.h"
#include "lib/x86/cpu.h"
#include "lib/x86/io.h"
#include "paging/highmem.h"
#include "paging/ioremap.h"
#include "paging/page_alloc.h"

#define EDU_VENDOR 0x1234u
#define EDU_DEVICE 0x11e8u
#define EDU_LEAST_BITS 28u /* of QEMU's default */

/* Registers in BAR 0 */
#define EDU_BAR 0u
#define EDU_WINDOW_BYTES 0x1000u
#define REG_ID 0x00u
#define REG_LIVENESS 0x04u /* reads as the complement of what was written */
#define REG_IRQ_STATUS 0x24u
#define REG_IRQ_RAISE 0x60u
#define REG_IRQ_ACKNOWLEDGE 0x64u
#define REG_DMA_SOURCE 0x80u
#define REG_DMA_DESTINATION 0x88u
#define REG_DMA_COUNT 0x90u
#define REG_DMA_COMMAND 0x98u
#define DMA_COMMAND_START BIT(0) /* stays set until it is done */
#define DMA_COMMAND_TO_RAM BIT(1)
#define DMA_COMMAND_INTERRUPT BIT(2) /* when it is done */

#define IRQ_OF_TEST BIT(0) /* any bit of the status asserts the line; DMA has 0x100 */

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
#define SHORT_LIMIT_MS 500u
#define LOCK_LIMIT_MS (4 * TRANSFER_LIMIT_MS)
#define TRANSFER_COST_MS 100u
#define MAX_EDUS 4u
#define STORE_TRIES 8u

#define TRIAL_BYTES 16u
#define TRIAL_FIRST MIB64(16) /* lower addresses are scarce, and other devices' */
#define TRIAL_LAST MIB64(128)

struct edu {
    struct dma_client client;
    struct completion completion;
    struct yield_lock lock;
    struct pci_device *pdev;
    uint8_t __iomem *regs;
    enum edu_fault fault;
    bool started; /* the transfer: what is requested before is an older one's */
    unsigned bits;
    char name[8];
};

static struct edu edus[MAX_EDUS];
static unsigned nr_edus;

static struct edu *edu_of(struct dma_client *client)
{
    return container_of(client, struct edu, client);
}

struct dma_client *edu_at(unsigned n)
{
    return n < nr_edus ? &edus[n].client : NULL;
}

/* One store of 64 bits. The register is read as well, and what was there may be written back. */
static void write64(uint64_t value, volatile void __iomem *addr)
{
    uint64_t there = 0;
    bool stored = false;

    for (unsigned i = 0; !stored && i < STORE_TRIES; i++)
        __asm__ volatile("cmpxchg8b %1"
                         : "+A"(there), "+m"(*(__force volatile uint64_t *)addr), "=@ccz"(stored)
                         : "b"((uint32_t)value), "c"((uint32_t)(value >> 32))
                         : "memory");
}

static void write_address(uint64_t value, volatile void __iomem *addr)
{
    if (value > UINT32_MAX)
        write64(value, addr);
    else
        writel((uint32_t)value, addr);
}

static bool has_fallen_off(const struct edu *edu)
{
    return (readl(edu->regs + REG_ID) & ID_MASK) != ID_VALUE;
}

static bool edu_service(struct completion *c)
{
    struct edu *edu = container_of(c, struct edu, completion);
    uint32_t requests = readl(edu->regs + REG_IRQ_STATUS);

    if (has_fallen_off(edu)) {
        c->done = true;
        return false;
    }
    if (requests && edu->fault != EDU_STUCK && !inject(edu_skip_acknowledge, irq))
        writel(requests, edu->regs + REG_IRQ_ACKNOWLEDGE);
    c->done = (edu->started || inject(edu_trust_stale, irq)) && edu->fault != EDU_HANGS &&
              !(readl(edu->regs + REG_DMA_COMMAND) & DMA_COMMAND_START);
    return requests != 0;
}

static uint32_t limit_ms(const struct edu *edu)
{
    return edu->fault == EDU_SILENT || edu->fault == EDU_HANGS ? SHORT_LIMIT_MS : TRANSFER_LIMIT_MS;
}

static void start(struct edu *edu, uint32_t command)
{
    uint32_t flags = irq_save();

    if (edu->fault != EDU_HANGS)
        writel(command, edu->regs + REG_DMA_COMMAND);
    edu->started = true;
    irq_restore(flags);
    if (edu->fault == EDU_GONE)
        pci_write_config16(edu->pdev, PCI_COMMAND, PCI_COMMAND_MASTER);
}

/* Moves `bytes` between `offset` of the device memory and the bus address `addr`. */
static int run_engine(struct edu *edu, uint32_t offset, dma_addr_t addr, uint32_t bytes,
                      enum dma_data_direction dir)
{
    uint32_t inside = EDU_MEMORY_ADDRESS + offset;
    struct completion *c = &edu->completion;
    bool to_ram = dir == DMA_FROM_DEVICE;
    int err;

    /* Reading the wrong memory does no harm. */
    if (!to_ram && edu->bits > 32 && inject(edu_drop_upper_half, dma_bounce))
        addr = dma_make((uint32_t)addr_number(addr));
    edu->started = false;
    completion_begin(c);
    write_address(to_ram ? inside : addr_number(addr), edu->regs + REG_DMA_SOURCE);
    write_address(to_ram ? addr_number(addr) : inside, edu->regs + REG_DMA_DESTINATION);
    writel(bytes > 1 && inject(edu_short_count, dma_bounce) ? bytes - 1 : bytes,
           edu->regs + REG_DMA_COUNT);
    start(edu, DMA_COMMAND_START | (to_ram ? DMA_COMMAND_TO_RAM : 0) |
                   (c->requested && edu->fault != EDU_SILENT ? DMA_COMMAND_INTERRUPT : 0));
    err = completion_wait(c, limit_ms(edu));
    completion_end(c);
    if (has_fallen_off(edu))
        return client_quarantine(&edu->client, -EIO, "registers read 0x%x: off the bus",
                                 readl(edu->regs + REG_ID));
    if (err)
        client_error(&edu->client, err, "%u bytes: %s in %u ms, command 0x%x, status 0x%x", bytes,
                     c->interrupt_lost ? "no interrupt" : "not done", limit_ms(edu),
                     readl(edu->regs + REG_DMA_COMMAND), readl(edu->regs + REG_IRQ_STATUS));
    return err;
}

static int transfer(struct dma_client *client, uint64_t dev_offset, struct page *page,
                    uint32_t offset, uint32_t bytes, enum dma_data_direction dir)
{
    struct edu *edu = edu_of(client);
    uint16_t command;
    dma_addr_t addr;
    int err;

    if (bytes == 0 || bytes > EDU_MEMORY_BYTES || dev_offset > EDU_MEMORY_BYTES - bytes)
        return client_error(client, -EINVAL, "%u bytes at %llu are not in the device memory", bytes,
                            (unsigned long long)dev_offset);
    if (inject(edu_hangs, dma_bounce))
        edu->fault = EDU_HANGS;
    addr = dma_map_page(client->dev, page, offset, bytes, dir);
    if (dma_mapping_error(client->dev, addr))
        return client_error(client, -ENOMEM, "mapping of %u bytes failed", bytes);
    if (addr + bytes - 1 > client->dev->dma_mask) {
        err = client_error(client, -ERANGE, "address 0x%llx+%u has more than %u bits",
                           addr_number(addr), bytes, edu->bits);
    } else if (!yield_lock_take(&edu->lock, LOCK_LIMIT_MS)) {
        err = client_error(client, -EBUSY, "another transfer does not end");
    } else {
        command = pci_enable(edu->pdev, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
        err = run_engine(edu, (uint32_t)dev_offset, addr, bytes, dir);
        if (!inject(edu_stay_master, dma_bounce))
            pci_restore_command(edu->pdev, command);
        yield_lock_release(&edu->lock);
    }
    dma_unmap_page_attrs(client->dev, addr, bytes, dir, err ? DMA_ATTR_SKIP_CPU_SYNC : 0);
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

static void write_register(struct edu *edu, uint32_t value, uint32_t reg)
{
    uint16_t command = pci_enable(edu->pdev, PCI_COMMAND_MEMORY);

    writel(value, edu->regs + reg);
    pci_restore_command(edu->pdev, command);
}

/* A transfer that a fault ended goes on for no longer than it would have. */
static void edu_quiet(struct dma_client *client)
{
    struct edu *edu = edu_of(client);

    pci_set_master(edu->pdev, false);
    write_register(edu, UINT32_MAX, REG_IRQ_ACKNOWLEDGE);
    yield_lock_release(&edu->lock);
}

void edu_raise(struct dma_client *client)
{
    write_register(edu_of(client), IRQ_OF_TEST, REG_IRQ_RAISE);
}

void edu_withdraw(struct dma_client *client)
{
    write_register(edu_of(client), UINT32_MAX, REG_IRQ_ACKNOWLEDGE);
}

void edu_set_fault(struct dma_client *client, enum edu_fault fault)
{
    edu_of(client)->fault = fault;
    if (fault == EDU_WORKS)
        edu_withdraw(client);
}

static bool is_alive(const struct edu *edu)
{
    writel(LIVENESS_PROBE, edu->regs + REG_LIVENESS);
    return !has_fallen_off(edu) && readl(edu->regs + REG_LIVENESS) == ~LIVENESS_PROBE;
}

/* Two free pages, at `low` and at the same place above `bit`; the first fit. */
static bool take_pair(unsigned bit, struct page **low, struct page **high)
{
    for (uint64_t at = TRIAL_FIRST; at < TRIAL_LAST; at += MIB64(1)) {
        phys_addr_t alias = phys_make(at), addr = alias + (UINT64_C(1) << bit);

        *low = alloc_pages_in(0, alias, alias + PAGE_SIZE);
        *high = *low ? alloc_pages_in(0, addr, addr + PAGE_SIZE) : NULL;
        if (*high)
            return true;
        if (*low)
            __free_page(*low);
    }
    return false;
}

/*
 * Whether address bit `bit` comes out of the device: 1 or 0, or -ENODEV if there is no memory to
 * try it with, or what went wrong. The device fetches from where the bit leads, and what it got it
 * stores below 16 MiB: so it writes nowhere else, however few bits it has. Only the first word is
 * looked at: whether all bytes come is for suites to say.
 */
static int try_bit(struct edu *edu, unsigned bit)
{
    const uint64_t wanted = hash64(rdtsc()), other = ~wanted;
    struct page *low, *high, *back = alloc_page(GFP_DMA);
    uint64_t found;
    uint16_t command;
    int err;

    if (!back)
        return -ENODEV;
    if (!take_pair(bit, &low, &high)) {
        __free_page(back);
        return -ENODEV;
    }
    memcpy_to_page(low, 0, &other, sizeof(other));
    memcpy_to_page(high, 0, &wanted, sizeof(wanted));
    command = pci_enable(edu->pdev, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    err = run_engine(edu, 0, phys_to_dma(page_to_phys(high)), TRIAL_BYTES, DMA_TO_DEVICE);
    if (!err)
        err = run_engine(edu, 0, phys_to_dma(page_to_phys(back)), TRIAL_BYTES, DMA_FROM_DEVICE);
    pci_restore_command(edu->pdev, command);
    memcpy_from_page(&found, back, 0, sizeof(found));
    if (!err && found == wanted)
        err = 1;
    else if (!err && found != other)
        err = client_error(&edu->client, -EIO,
                           "what it fetched at 0x%llx is not what is there, nor %u MiB below",
                           addr_number(page_to_phys(high)), 1u << (bit - 20));
    __free_page(high);
    __free_page(low);
    __free_page(back);
    return err;
}

/* The highest bit that an address of RAM has. */
static unsigned top_bit(void)
{
    unsigned bit = 0;

    while (phys_make(UINT64_C(2) << bit) < pfn_to_phys(max_pfn))
        bit++;
    return bit;
}

/*
 * Sets the mask to what the device showed that it can: all of RAM (64 bits), 32 bits, or 28.
 * Returns 0 or a negative errno, with a reason.
 */
static int find_mask(struct edu *edu)
{
    unsigned top = top_bit();
    int kept = -ENODEV;

    edu->bits = EDU_LEAST_BITS;
    if (top >= 32)
        kept = try_bit(edu, top);
    if (kept == 1) {
        edu->bits = 64;
    } else if (kept == 0 || kept == -ENODEV) {
        for (unsigned bit = MIN(top, 31u); bit >= EDU_LEAST_BITS; bit--) {
            kept = try_bit(edu, bit);
            if (kept == -ENODEV)
                continue;
            if (kept == 1)
                edu->bits = 32;
            break;
        }
    }
    edu->pdev->dma.dma_mask = DMA_BIT_MASK(edu->bits);
    return kept < 0 && kept != -ENODEV ? kept : 0;
}

static int give_up(struct edu *edu, int err)
{
    iounmap(edu->regs);
    return err;
}

static int edu_probe(struct pci_device *pdev, const struct pci_driver *driver)
{
    struct edu *edu = &edus[nr_edus];
    uint16_t command;
    bool alive;
    int err;

    if (nr_edus == MAX_EDUS) {
        probe_report("edu", -EBUSY, "%s: edu device beyond the first %u is left alone", pdev->name,
                     MAX_EDUS);
        return -EBUSY;
    }
    *edu = (struct edu){.pdev = pdev};
    err = pci_map_bar(pdev, EDU_BAR, EDU_WINDOW_BYTES, &edu->regs);
    if (err) {
        probe_report("edu", err, "%s: BAR %u %s", pdev->name, EDU_BAR, pci_bar_problem(err));
        return err;
    }
    command = pci_enable(pdev, PCI_COMMAND_MEMORY);
    alive = is_alive(edu);
    pci_restore_command(pdev, command);
    if (!alive) {
        probe_report("edu", -EIO, "%s: identification or liveness register is wrong", pdev->name);
        return give_up(edu, -EIO);
    }
    format(edu->name, sizeof(edu->name), nr_edus ? "edu%u" : "edu", nr_edus);
    edu->completion = (struct completion){
        .service = edu_service,
        .name = edu->name,
        .line = pdev->irq_line,
    };
    edu->client = (struct dma_client){
        .name = edu->name,
        .dev = &pdev->dma,
        .size_bytes = EDU_MEMORY_BYTES,
        .granule_bytes = 1,
        .max_bytes = EDU_MEMORY_BYTES,
        .align_bytes = 1,
        .cost_ms = TRANSFER_COST_MS,
        .read = edu_read,
        .write = edu_write,
        .completion = &edu->completion,
        .quiet = edu_quiet,
    };
    err = find_mask(edu);
    if (err) {
        probe_report("edu", err, "%s: trial transfer: %s", pdev->name, edu->client.reason);
        return give_up(edu, err);
    }
    edu->completion.by_interrupt = true;
    nr_edus++;
    dma_client_register(&edu->client);
    probe_report("edu", 0, "%s: %s, %u address bits, %u bytes of memory, line %u", pdev->name,
                 edu->name, edu->bits, EDU_MEMORY_BYTES, edu->completion.line);
    return 0;
}

static const struct pci_match edu_ids[] = {{EDU_VENDOR, EDU_DEVICE, 0, 0}};

TABLE_ENTRY(pci_driver, struct pci_driver) = {
    .name = "edu",
    .match = edu_ids,
    .nr_match = ARRAY_SIZE(edu_ids),
    .probe = edu_probe,
};
