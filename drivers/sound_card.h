/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DRIVERS_SOUND_CARD_H
#define DRIVERS_SOUND_CARD_H

/*
 * What drivers of PCI sound cards have in common. A driver brings a table of what its card is like,
 * and the functions that program it; mapping, bus mastering, taking turns and the client are here.
 */

#include "drivers/completion.h"
#include "drivers/pci.h"
#include "drivers/sound.h"
#include "drivers/transfer.h"

#define SOUND_CARDS 2u /* of a kind, that are used */

struct sound_card;

struct sound_card_kind {
    const char *driver;
    const char *names[SOUND_CARDS]; /* of the clients */
    uint32_t granule_bytes;         /* a sample of both channels; buffers begin at multiples */
    uint32_t max_bytes;             /* in one transfer */
    const char *stream;             /* SOUND_STREAM_... */
    bool (*service)(struct completion *c);
    /*
     * Plays or records `bytes` at addr, and leaves the card stopped; sets card->moved. Returns 0,
     * or a negative errno with client.reason. Context: thread, I/O and bus mastering on.
     */
    int (*run)(struct sound_card *card, bool records, dma_addr_t addr, uint32_t bytes,
               uint32_t limit_ms);
    /* Whatever it is doing ends. Context: I/O on. */
    void (*stop)(struct sound_card *card);
};

struct sound_card {
    struct dma_client client;
    struct completion completion;
    const struct sound_card_kind *kind;
    struct pci_device *pdev; /* NULL: no card */
    bool moved;              /* a sample at all, in the last transfer */
    struct yield_lock lock;
};

/*
 * Takes a card that is set up into use, as the kind's number-th: registers its client, which
 * records if a first try shows that it can, and reports it. Context: thread, in a PCI probe.
 */
void sound_card_use(struct sound_card *card, unsigned number, bool audible);

#endif
