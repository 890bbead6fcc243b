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

#define SOUND_CARDS 2u            /* of a kind, that are used */
#define SOUND_CARD_NAME_BYTES 12u /* a driver's name has at most 9 characters */

struct sound_card;

struct sound_card_kind {
    struct sound_card *cards[SOUND_CARDS]; /* in the driver's own structures */
    uint32_t granule_bytes; /* a sample of both channels; buffers begin at multiples */
    uint32_t max_bytes;     /* in one transfer */
    const char *stream;     /* SOUND_STREAM_... */
    /*
     * Finds the registers of card->pdev, and brings the card up, stopped, with its mixer set; what
     * it takes for that, it keeps or gives back. Returns 0, or a negative errno with client.reason.
     * Context: thread, decoding as the firmware left it.
     */
    int (*open)(struct sound_card *card, bool audible);
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
    char name[SOUND_CARD_NAME_BYTES]; /* "ac97", and "ac97_2" of the second one */
    const struct sound_card_kind *kind;
    struct pci_device *pdev; /* NULL: no card */
    bool moved;              /* a sample at all, in the last transfer */
    struct yield_lock lock;
};

/*
 * The probe function of a driver whose `kind` is a struct sound_card_kind. A client records if a
 * first try shows that it can. Context: thread.
 */
int sound_card_probe(struct pci_device *pdev, const struct pci_driver *driver);

#endif
