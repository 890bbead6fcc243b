/* SPDX-License-Identifier: BSD-2-Clause */
#include "drivers/loopback.h"
#include "drivers/clock.h"
#include "lib/errno.h"
#include "lib/inject.h"
#include "lib/string.h"
#include "paging/highmem.h"
#include "paging/ioremap.h"
#include "paging/layout.h"
#include "paging/page.h"

#define MASK_BITS_OF_RINGS 32u
/* The Ethernet Configuration Testing Protocol: every station may ignore it (Ethernet 2.0, 8). */
#define TRIAL_TYPE 0x9000u
#define NR_TRIALS 2u
#define TRIAL_TO (LOOPBACK_RING_BYTES / 2)
#define TRIAL_FROM (TRIAL_TO + 1024u)

/* What its registers answer by. The other may never have been assigned. */
static uint32_t decoding(const struct loopback *l)
{
    return l->kind->bar_kind == PCI_BAR_IO ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY;
}

/*
 * A fault may have taken the thread away in the middle of a transfer: then nobody has stopped the
 * device, and it is bus master still.
 */
static void loopback_quiet(struct dma_client *client)
{
    struct loopback *l = container_of(client, struct loopback, client);
    uint16_t command = pci_enable(l->pdev, decoding(l));

    if (l->busy) {
        l->started = false;
        l->kind->stop(l);
        completion_end(&l->completion);
        pci_set_master(l->pdev, false);
        command = l->command;
        l->busy = false;
    }
    if (l->kind->quiet)
        l->kind->quiet(l);
    pci_restore_command(l->pdev, (uint16_t)(command & ~PCI_COMMAND_MASTER));
}

static bool loopback_service(struct completion *c)
{
    struct loopback *l = container_of(c, struct loopback, completion);
    uint32_t requests = l->kind->acknowledge(l);

    if (l->started) {
        l->events |= requests;
        c->done = l->kind->is_done(l);
    }
    return requests != 0;
}

/* From start to standstill, with both addresses mapped. */
static int run(struct loopback *l, dma_addr_t from, dma_addr_t to, uint32_t bytes)
{
    const struct loopback_kind *kind = l->kind;
    struct completion *c = &l->completion;
    int err;

    l->command = pci_enable(l->pdev, decoding(l));
    l->busy = true;
    pci_set_master(l->pdev, true);
    completion_begin(c);
    err = kind->start(l, from, to, bytes);
    if (!err) {
        err = completion_wait(c, LOOPBACK_LIMIT_MS);
        l->started = false;
        if (err)
            kind->explain(l, c->interrupt_lost ? "no interrupt" : "not done");
        else
            err = kind->check(l, bytes);
    }
    kind->stop(l);
    completion_end(c);
    if (!inject(loop_stay_master, dma_loop))
        pci_restore_command(l->pdev, l->command);
    l->busy = false;
    if (err)
        loopback_quiet(&l->client);
    return err;
}

static int loopback_loop(struct dma_client *client, struct page *from, uint32_t from_offset,
                         struct page *to, uint32_t to_offset, uint32_t bytes)
{
    struct loopback *l = container_of(client, struct loopback, client);
    uint32_t head = client->loop_head;
    uint32_t whole = head + bytes + (inject(loop_tail_forgotten, dma_loop) ? 0 : client->loop_tail);
    enum dma_data_direction back =
        inject(loop_wrong_direction, dma_loop) ? DMA_TO_DEVICE : DMA_FROM_DEVICE;
    dma_addr_t source, target;
    int err;

    if (bytes < client->loop_min || bytes > client->loop_max || to_offset < head)
        return client_error(client, -EINVAL, "%u bytes to offset %u: not %u to %u with %u in front",
                            bytes, to_offset, client->loop_min, client->loop_max, head);
    /* A device may drop the low bits, and write in front of the buffer. */
    if (!IS_ALIGNED(from_offset | to_offset, client->align_bytes) &&
        !inject(loop_take_misaligned, dma_rules))
        return client_error(client, -EINVAL, "offsets %u and %u: not multiples of %u", from_offset,
                            to_offset, client->align_bytes);
    source = dma_map_page(client->dev, from, from_offset, bytes, DMA_TO_DEVICE);
    if (dma_mapping_error(client->dev, source))
        return client_error(client, -ENOMEM, "mapping of %u bytes to send failed", bytes);
    target = dma_map_page(client->dev, to, to_offset - head, whole, back);
    if (dma_mapping_error(client->dev, target)) {
        dma_unmap_page(client->dev, source, bytes, DMA_TO_DEVICE);
        return client_error(client, -ENOMEM, "mapping of %u bytes to receive failed", whole);
    }
    if (inject(loop_change_source, dma_rules))
        memset_page(from, from_offset, 0, 1);
    err = run(l, source, target + head, bytes);
    /* What the card need not write, or did not, stays as it was. */
    if (!err)
        dma_sync_single_for_cpu(client->dev, target, client->loop_head + bytes, back);
    dma_unmap_page_attrs(client->dev, target, whole, back, DMA_ATTR_SKIP_CPU_SYNC);
    dma_unmap_page(client->dev, source, bytes, DMA_TO_DEVICE);
    return err;
}

/*
 * A first frame from the ring's own memory to the ring's own memory, addressed to its sender. A
 * receiver that was just switched on may not be ready: a second frame, LOOPBACK_LIMIT_MS later,
 * must come back. (QEMU's e1000 takes nothing in the second after its RCTL was written.) Whether it
 * comes back whole is not asked here: a card or a bridge that spoils data is what the suite is
 * after.
 */
static int try_it(struct loopback *l)
{
    static const uint8_t type[] = {TRIAL_TYPE >> 8, TRIAL_TYPE & 0xff};
    uint32_t bytes = MAX(l->kind->min, ETHERNET_MIN_BYTES);
    uint8_t *from = l->ring + TRIAL_FROM;
    int err = -EPROTO;

    memcpy(from, l->station, ETHERNET_ADDRESS_BYTES);
    memcpy(from + ETHERNET_ADDRESS_BYTES, l->station, ETHERNET_ADDRESS_BYTES);
    memcpy(from + 2 * ETHERNET_ADDRESS_BYTES, type, sizeof(type));
    for (uint32_t i = 2 * ETHERNET_ADDRESS_BYTES + sizeof(type); i < bytes; i++)
        from[i] = (uint8_t)(i * 37u);
    l->completion.by_interrupt = false;
    l->in_trial = true;
    for (unsigned i = 0; i < NR_TRIALS && err; i++) {
        l->completion.done = false;
        err = run(l, l->ring_dma + TRIAL_FROM, l->ring_dma + TRIAL_TO, bytes);
        if (l->completion.done)
            err = 0;
    }
    l->in_trial = false;
    l->completion.by_interrupt = true;
    loopback_quiet(&l->client);
    return err;
}

static int open_registers(struct loopback *l)
{
    const struct loopback_kind *kind = l->kind;
    int err;

    if (kind->bar_kind == PCI_BAR_IO) {
        l->port = pci_bar_port(l->pdev, kind->bar, kind->window_bytes);
        err = l->port ? 0 : -ENODEV;
    } else {
        err = pci_map_bar(l->pdev, kind->bar, kind->window_bytes, &l->regs);
    }
    return err ? client_error(&l->client, err, "BAR %u %s", kind->bar, pci_bar_problem(err)) : 0;
}

static int open_device(struct loopback *l)
{
    const struct loopback_kind *kind = l->kind;
    uint16_t command;
    int err = open_registers(l);

    if (err)
        return err;
    /* Rings below 4 GiB whatever the device can do: some of its address registers are narrower. */
    l->pdev->dma.dma_mask = DMA_BIT_MASK(MASK_BITS_OF_RINGS);
    l->ring = dma_alloc_coherent(&l->pdev->dma, LOOPBACK_RING_BYTES, &l->ring_dma);
    if (!l->ring)
        return client_error(&l->client, -ENOMEM, "no memory for its rings");
    l->pdev->dma.dma_mask = DMA_BIT_MASK(kind->mask_bits);
    command = pci_enable(l->pdev, decoding(l));
    err = kind->identify(l);
    pci_restore_command(l->pdev, command);
    return err ? err : try_it(l);
}

static void close_device(struct loopback *l)
{
    if (l->ring)
        dma_free_coherent(&l->pdev->dma, LOOPBACK_RING_BYTES, l->ring, l->ring_dma);
    iounmap(l->regs);
    l->ring = NULL;
    l->regs = NULL;
    l->pdev = NULL;
}

int loopback_probe(struct pci_device *pdev, const struct pci_driver *driver)
{
    const struct loopback_kind *kind = driver->kind;
    struct loopback *l;
    unsigned index = 0;
    int err;

    while (index < LOOPBACK_DEVICES && kind->devices[index].pdev)
        index++;
    if (index == LOOPBACK_DEVICES) {
        probe_report(driver->name, -EBUSY, "%s: more than %u %s are left alone", pdev->name,
                     LOOPBACK_DEVICES, kind->about);
        return -EBUSY;
    }
    l = &kind->devices[index];
    memset(l, 0, sizeof(*l));
    client_name_format(l->name, sizeof(l->name), driver->name, index);
    l->client = (struct dma_client){
        .name = l->name,
        .dev = &pdev->dma,
        .align_bytes = kind->align,
        .granule_bytes = 1,
        .loop = loopback_loop,
        .quiet = loopback_quiet,
        .loop_min = kind->min,
        .loop_max = kind->max,
        .loop_head = kind->head,
        .loop_tail = kind->tail,
        .completion = &l->completion,
    };
    l->completion = (struct completion){
        .service = loopback_service,
        .name = l->name,
        .line = pdev->irq_line,
        .by_interrupt = true,
    };
    l->kind = kind;
    l->pdev = pdev;
    err = open_device(l);
    if (err) {
        probe_report(driver->name, err, "%s: %s: %s", pdev->name, kind->about, l->client.reason);
        close_device(l);
        return err;
    }
    dma_client_register(&l->client);
    probe_report(driver->name, 0, "%s: %s, %s, loopback works, %u address bits", pdev->name,
                 l->name, kind->about, kind->mask_bits);
    return 0;
}
