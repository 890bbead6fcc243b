/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DRIVERS_DMA_TRACK_H
#define DRIVERS_DMA_TRACK_H

/*
 * The table of DMA mappings, for drivers/dma_map.c alone.
 *
 * Live mappings are found by device and DMA address through a hash. An entry that was ended keeps
 * its contents until it is used again, and entries are used in turn, so that ending a mapping twice
 * can be told from ending one that never was, and the first culprit named.
 */

#include "drivers/dma.h"

#ifndef DMA_MAX_MAPPINGS /* the host's model has few */
#define DMA_MAX_MAPPINGS 1024u
#endif

enum dma_kind { DMA_KIND_MAP, DMA_KIND_COHERENT };

struct dma_mapping {
    struct device *dev;
    phys_addr_t phys;   /* of the buffer */
    dma_addr_t dma;     /* of the device: phys, or in a bounce pool */
    uint32_t size;      /* bytes */
    uint32_t checksum;  /* crc32c of the buffer when the device got it, if dev->check_ownership */
    const void *caller; /* who mapped it; once it has ended, who ended it */
    uint8_t dir;        /* enum dma_data_direction */
    uint8_t kind;       /* enum dma_kind */
    bool bounced;
    bool cpu_owns;      /* all of it is synced for the CPU */
    uint16_t next;      /* the tracker's own: hash chain */
    uint16_t live_slot; /* the tracker's own: place in the list of live entries */
};

/*
 * Enters a live mapping; the tracker's own fields need not be set. Sharing bytes with another live
 * mapping, where a device may write one of them, is a finding. Returns false if the table is full.
 */
bool dma_track_add(const struct dma_mapping *mapping);

/*
 * Takes the mapping of `dev` at `addr` out of the table and copies it to *out. One that is not
 * there, or of another kind, is a finding by `caller`, and false is returned.
 */
bool dma_track_take(struct device *dev, dma_addr_t addr, enum dma_kind kind, const void *caller,
                    struct dma_mapping *out);

/*
 * The live mapping that [addr, addr + size) starts in, for a sync; NULL and a finding if there is
 * none. The entry may be changed in the fields that are not the tracker's own, but for phys, dma
 * and size.
 */
struct dma_mapping *dma_track_find(struct device *dev, dma_addr_t addr, const void *caller);

/* Takes out any one live mapping of `dev` (NULL: of any device). False if there is none. */
bool dma_track_take_any(const struct device *dev, struct dma_mapping *out);

/* Counts a finding of `dev` and tells it, with the device's name in front. */
void dma_report(struct device *dev, enum dma_finding kind, const char *fmt, ...) __printf(3, 4);

const char *dma_direction_name(unsigned dir);

#endif
