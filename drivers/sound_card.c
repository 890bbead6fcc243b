/* SPDX-License-Identifier: BSD-2-Clause */
#include "drivers/sound_card.h"
#include "lib/errno.h"
#include "lib/inject.h"
#include "paging/page_alloc.h"

/* Longer than the longest transfer takes, 0.75 s, by what an emulator on a loaded host may want. */
#define TRANSFER_LIMIT_MS 5000u
#define PROBE_LIMIT_MS 500u
#define TRANSFER_COST_MS 60u

static int transfer(struct sound_card *card, bool records, struct page *page, uint32_t offset,
                    uint32_t bytes, uint32_t limit_ms)
{
    enum dma_data_direction dir = records ? DMA_FROM_DEVICE : DMA_TO_DEVICE;
    struct dma_client *client = &card->client;
    uint16_t command;
    dma_addr_t addr;
    int err = sound_check_request(client, offset, bytes);

    if (!err)
        err = sound_claim(client, &card->lock);
    if (err)
        return err;
    addr = dma_map_page(client->dev, page, offset, bytes, dir);
    if (dma_mapping_error(client->dev, addr)) {
        err = client_error(client, -ENOMEM, "mapping of %u bytes failed", bytes);
    } else {
        command = pci_enable(card->pdev, PCI_COMMAND_IO | PCI_COMMAND_MASTER);
        err = card->kind->run(card, records, addr, bytes, limit_ms);
        if (!inject(sound_stay_master, dma_sound))
            pci_restore_command(card->pdev, command);
        sound_unmap(client->dev, addr, bytes, err ? 0 : bytes, dir);
    }
    yield_lock_release(&card->lock);
    return err;
}

static int sound_card_send(struct dma_client *client, struct page *page, uint32_t offset,
                           uint32_t bytes)
{
    return transfer(container_of(client, struct sound_card, client), false, page, offset, bytes,
                    TRANSFER_LIMIT_MS);
}

static int sound_card_capture(struct dma_client *client, struct page *page, uint32_t offset,
                              uint32_t bytes)
{
    return transfer(container_of(client, struct sound_card, client), true, page, offset, bytes,
                    TRANSFER_LIMIT_MS);
}

static void sound_card_quiet(struct dma_client *client)
{
    struct sound_card *card = container_of(client, struct sound_card, client);
    uint16_t command = pci_enable(card->pdev, PCI_COMMAND_IO);

    card->kind->stop(card);
    pci_restore_command(card->pdev, (uint16_t)(command & ~PCI_COMMAND_MASTER));
    card->lock.held = false; /* whoever a fault took away does not come back */
}

/*
 * An emulator without a source of sound has a converter that never moves. Whatever else goes wrong
 * is for those who record.
 */
static bool can_record(struct sound_card *card)
{
    struct page *page = alloc_pages(GFP_KERNEL, 0);
    int err = -ENOMEM;

    if (page) {
        err = transfer(card, true, page, 0, PAGE_SIZE, PROBE_LIMIT_MS);
        __free_pages(page, 0);
    }
    return err != -ETIMEDOUT || card->moved;
}

void sound_card_use(struct sound_card *card, unsigned number, bool audible)
{
    const struct sound_card_kind *kind = card->kind;
    struct pci_device *pdev = card->pdev;

    card->completion = (struct completion){
        .service = kind->service,
        .name = kind->names[number],
        .line = pdev->irq_pin ? pdev->irq_line : COMPLETION_NO_LINE,
    };
    card->client = (struct dma_client){
        .name = kind->names[number],
        .dev = &pdev->dma,
        .granule_bytes = kind->granule_bytes,
        .max_bytes = kind->max_bytes,
        .align_bytes = kind->granule_bytes,
        .cost_ms = TRANSFER_COST_MS,
        .stream = kind->stream,
        .muted = !audible,
        .send = sound_card_send,
        .completion = &card->completion,
        .quiet = sound_card_quiet,
    };
    if (can_record(card))
        card->client.capture = sound_card_capture;
    card->completion.by_interrupt = true;
    dma_client_register(&card->client);
    probe_report(kind->driver, 0, "%s: %s, %s%s%s", pdev->name, card->client.name,
                 audible ? "audible" : "muted", card->client.capture ? "" : ", no recording: ",
                 card->client.capture ? "" : card->client.reason);
}
