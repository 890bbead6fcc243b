/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DRIVERS_DMA_TRACK_H
#define DRIVERS_DMA_TRACK_H

/*
 * The tables of DMA mappings, for the mapping API alone.
 *
 * What lies in one page is in its bucket, as drivers/dma_quick.h has it. A bounced one is in the
 * bucket of its buffer's page; from its DMA address the way to it leads over the owner of its slot.
 *
 * Everything else has an entry: what covers several pages, does not find its bucket free, is
 * coherent memory, or carries what a key has no room for (checksums, parts that the CPU owns).
 * Entries are chained by the bucket of their first page, under a lock. Each bucket whose pages an
 * entry touches carries DMA_PIECE_OTHERS as long: no key gets in then, and so none that such an
 * entry overlaps is overlooked. Ended entries keep their contents, too, and are used again in turn.
 */

#include "drivers/dma.h"

#ifndef DMA_NR_ENTRIES /* the host's model has few */
#define DMA_NR_ENTRIES 2048u
#endif

enum dma_kind { DMA_KIND_MAP, DMA_KIND_COHERENT };

/* Bytes from..to of a mapping. */
struct dma_part {
    uint32_t from, to;
};

struct dma_mapping {
    struct device *dev;
    phys_addr_t phys;     /* of the buffer */
    dma_addr_t dma;       /* of the device: phys, or in a bounce pool */
    uint32_t size;        /* bytes */
    const void *caller;   /* who mapped it; once it has ended, who ended it */
    const void *intruder; /* the CPU was seen in what the device owned, by this code, */
    bool intruder_wrote;  /* which wrote or read, and may go on */
    uint32_t checksum;    /* of the buffer when the device got it, if dev->check_ownership */
    uint8_t dir;          /* enum dma_data_direction */
    uint8_t kind;         /* enum dma_kind */
    bool bounced;
    bool told;      /* the CPU was seen in what the device owned, and may go on */
    uint8_t nr_cpu; /* parts that are synced for the CPU */
    struct dma_part cpu[DMA_CPU_PARTS]; /* the oldest first */
    uint16_t place;                     /* the tracker's own: where it is */
    uint16_t next;                      /* the tracker's own: hash chain */
    uint16_t live_slot;                 /* the tracker's own: place in the list of live entries */
};

/* The owner of a slot is the page of the buffer, which leads to its bucket, or this and an entry.
 */
#define DMA_OWNER_ENTRY BIT(31)

/*
 * Enters a live mapping; the tracker's own fields need not be set; place is then. Sharing bytes
 * with another live mapping, where a device may write one of them, is a finding. Returns false if
 * the table is full.
 */
bool dma_track_add(struct dma_mapping *mapping);

/*
 * Takes the mapping out of the tables that its user says (dev, dma, size, dir, kind, caller) to
 * end, and copies it to *out. What the device only reads may be mapped more than once from the same
 * address on: size and direction tell which it is, and where none is as they say, it is any. One
 * that is not there, or of another kind, is a finding by the caller, and false is returned.
 */
bool dma_track_take(const struct dma_mapping *said, struct dma_mapping *out);

/*
 * Copies the live mapping of `dev` that [addr, addr + size) lies in to *out, for a sync, or else
 * one that it begins in. False and a finding by `caller` if there is none.
 */
bool dma_track_find(struct device *dev, dma_addr_t addr, uint32_t size, const void *caller,
                    struct dma_mapping *out);

/*
 * Keeps what a sync has changed in the copy of a live mapping: its checksum, its intruder, and
 * which parts the CPU owns. False if that takes an entry, and there is none.
 */
bool dma_track_update(const struct dma_mapping *mapping);

/*
 * Notes that the CPU was seen at `at`, in the live mapping with the entry `place`. Context: any.
 */
void dma_track_intruder(uint32_t place, phys_addr_t at, bool write, const void *intruder);

/* Takes out any one live mapping of `dev` (NULL: of any device) and kind. False if there is none.
 */
bool dma_track_take_any(const struct device *dev, enum dma_kind kind, struct dma_mapping *out);

/* Counts a finding of `dev` and tells it, with the device's name in front. */
void dma_report(struct device *dev, enum dma_finding kind, const char *fmt, ...) __printf(3, 4);

const char *dma_direction_name(unsigned dir);

#endif
