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

static void set_up(struct sound_card *card, struct pci_device *pdev,
                   const struct pci_driver *driver, unsigned index)
{
    const struct sound_card_kind *kind = driver->kind;

    *card = (struct sound_card){.kind = kind, .pdev = pdev};
    client_name_format(card->name, sizeof(card->name), driver->name, index);
    card->completion = (struct completion){
        .service = kind->service,
        .name = card->name,
        .line = pdev->irq_line,
    };
    card->client = (struct dma_client){
        .name = card->name,
        .dev = &pdev->dma,
        .granule_bytes = kind->granule_bytes,
        .max_bytes = kind->max_bytes,
        .align_bytes = kind->granule_bytes,
        .cost_ms = TRANSFER_COST_MS,
        .stream = kind->stream,
        .muted = !sound_is_audible(driver->name),
        .send = sound_card_send,
        .completion = &card->completion,
        .quiet = sound_card_quiet,
    };
}

int sound_card_probe(struct pci_device *pdev, const struct pci_driver *driver)
{
    const struct sound_card_kind *kind = driver->kind;
    struct sound_card *card;
    struct dma_client *client;
    unsigned index = 0;
    int err;

    while (index < SOUND_CARDS && kind->cards[index]->pdev)
        index++;
    if (index == SOUND_CARDS) {
        probe_report(driver->name, -EBUSY, "%s: more than %u cards are left alone", pdev->name,
                     SOUND_CARDS);
        return -EBUSY;
    }
    card = kind->cards[index];
    client = &card->client;
    set_up(card, pdev, driver, index);
    err = kind->open(card, !client->muted);
    if (err) {
        probe_report(driver->name, err, "%s: %s", pdev->name, client->reason);
        card->pdev = NULL;
        return err;
    }
    if (can_record(card))
        client->capture = sound_card_capture;
    card->completion.by_interrupt = true;
    dma_client_register(client);
    probe_report(driver->name, 0, "%s: %s, %s%s%s", pdev->name, client->name,
                 client->muted ? "muted" : "audible",
                 client->capture ? "" : ", no recording: ", client->capture ? "" : client->reason);
    return 0;
}
