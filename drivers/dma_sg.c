/* SPDX-License-Identifier: BSD-2-Clause */
/* Scattered buffers: as few mappings for a list as the device's rules allow. */
#include "drivers/bounce.h"
#include "drivers/dma_internal.h"
#include "drivers/dma_track.h"
#include "lib/inject.h"
#include "paging/page_alloc.h"

#define CALLER() __builtin_return_address(0)

static phys_addr_t sg_phys(const struct scatterlist *entry)
{
    return page_to_phys(entry->page) + entry->offset;
}

/*
 * True if `next` may be added to the segment of `size` bytes from `phys` on: it follows in memory,
 * and the device reaches both as one. What bounces stays in pieces, which find room more easily.
 */
static bool may_merge(const struct device *dev, phys_addr_t phys, uint32_t size,
                      const struct scatterlist *next)
{
    uint32_t limit = dev->max_segment_bytes ? dev->max_segment_bytes : UINT32_MAX;

    if (inject(sg_never_merge, dma_lists) || next->length == 0 || sg_phys(next) != phys + size)
        return false;
    if ((size > limit || next->length > limit - size) && !inject(sg_merge_over_segment, dma_lists))
        return false;
    return dma_reaches(dev, phys, size + next->length) || inject(sg_merge_over_boundary, dma_lists);
}

static unsigned map(struct device *dev, struct scatterlist *sg, unsigned nents,
                    enum dma_data_direction dir, unsigned long attrs, const void *caller)
{
    unsigned segments = 0;

    if (nents == 0) {
        dma_report(dev, DMA_FINDING_BAD_ARGUMENT, "a list of nothing, by %p", caller);
        dev->counters.errors++;
        return 0;
    }
    for (unsigned i = 0; i < nents;) {
        phys_addr_t phys = sg_phys(&sg[i]);
        uint32_t size = sg[i].length;
        dma_addr_t addr;

        /* A single one that is too long is no matter of merging: the mapping says so. */
        for (i++; i < nents && size != 0 && may_merge(dev, phys, size, &sg[i]); i++)
            size += sg[i].length;
        addr = dma_map_one(dev, phys, size, dir, attrs, caller);
        if (dma_mapping_error(dev, addr)) {
            while (segments-- > 0 && !inject(sg_keep_failed, dma_lists))
                dma_unmap_one(dev, sg[segments].dma_address, sg[segments].dma_length, dir,
                              DMA_ATTR_SKIP_CPU_SYNC, caller);
            return 0;
        }
        sg[segments].dma_address = addr;
        sg[segments++].dma_length = size;
    }
    if (segments < nents && !inject_on_host(sg_no_end))
        sg[segments].dma_length = 0;
    return segments;
}

unsigned dma_map_sg(struct device *dev, struct scatterlist *sg, unsigned nents,
                    enum dma_data_direction dir)
{
    return map(dev, sg, nents, dir, 0, CALLER());
}

unsigned dma_map_sg_attrs(struct device *dev, struct scatterlist *sg, unsigned nents,
                          enum dma_data_direction dir, unsigned long attrs)
{
    return map(dev, sg, nents, dir, attrs, CALLER());
}

/* How many segments a mapped list of `nents` entries has, after a finding if that can't be all. */
static unsigned segments_of(struct device *dev, const struct scatterlist *sg, unsigned nents,
                            const void *caller)
{
    uint64_t entry_bytes = 0, segment_bytes = 0;
    unsigned segments = 0;

    for (unsigned i = 0; i < nents; i++) {
        entry_bytes += sg[i].length;
        if (segments == i && sg[i].dma_length != 0)
            segment_bytes += sg[segments++].dma_length;
    }
    if (entry_bytes != segment_bytes)
        dma_report(dev, DMA_FINDING_WRONG_SIZE,
                   "%u entries of %llu bytes, mapped %llu; nents wrong? by %p", nents,
                   (unsigned long long)entry_bytes, (unsigned long long)segment_bytes, caller);
    return segments;
}

static void unmap(struct device *dev, struct scatterlist *sg, unsigned nents,
                  enum dma_data_direction dir, unsigned long attrs, const void *caller)
{
    unsigned segments = segments_of(dev, sg, nents, caller);

    if (inject(sg_forget_last, dma_lists) && segments > 1)
        segments--;
    for (unsigned i = 0; i < segments; i++)
        dma_unmap_one(dev, sg[i].dma_address, sg[i].dma_length, dir, attrs, caller);
}

void dma_unmap_sg(struct device *dev, struct scatterlist *sg, unsigned nents,
                  enum dma_data_direction dir)
{
    unmap(dev, sg, nents, dir, 0, CALLER());
}

void dma_unmap_sg_attrs(struct device *dev, struct scatterlist *sg, unsigned nents,
                        enum dma_data_direction dir, unsigned long attrs)
{
    unmap(dev, sg, nents, dir, attrs, CALLER());
}

void dma_sync_sg_for_cpu(struct device *dev, struct scatterlist *sg, unsigned nents,
                         enum dma_data_direction dir)
{
    const void *caller = CALLER();
    unsigned segments = segments_of(dev, sg, nents, caller);

    for (unsigned i = 0; i < segments; i++)
        dma_sync_one_for_cpu(dev, sg[i].dma_address, sg[i].dma_length, dir, caller);
}

void dma_sync_sg_for_device(struct device *dev, struct scatterlist *sg, unsigned nents,
                            enum dma_data_direction dir)
{
    const void *caller = CALLER();
    unsigned segments = segments_of(dev, sg, nents, caller);

    for (unsigned i = 0; i < segments; i++)
        dma_sync_one_for_device(dev, sg[i].dma_address, sg[i].dma_length, dir, caller);
}

/* How many of `size` bytes from `phys` on can be one segment: at least 1. */
static uint32_t fitting_bytes(const struct device *dev, phys_addr_t phys, uint32_t size)
{
    dma_addr_t addr = phys_to_dma(phys);
    uint32_t in_block = (uint32_t)addr_number(addr) & dev->segment_boundary_mask;

    if (dev->max_segment_bytes)
        size = MIN(size, dev->max_segment_bytes);
    if (dma_crosses_boundary(dev, addr, size) && !inject_on_host(sg_fit_over_boundary))
        size = dev->segment_boundary_mask - in_block + 1;
    /* Only what lies beyond the mask has to bounce. */
    if (!inject_on_host(sg_fit_over_mask) && addr <= dev->dma_mask &&
        (uint64_t)(dev->dma_mask - addr) < size - 1)
        size = (uint32_t)(dev->dma_mask - addr) + 1;
    return size;
}

unsigned dma_fit_sg(const struct device *dev, const struct scatterlist *in, unsigned nents,
                    struct scatterlist *out, unsigned max_entries)
{
    unsigned used = 0;

    for (unsigned i = 0; i < nents; i++) {
        uint32_t done = 0;

        while (done < in[i].length) {
            phys_addr_t phys = sg_phys(&in[i]) + done;
            struct scatterlist *last = used > 0 ? &out[used - 1] : NULL;
            uint32_t left = in[i].length - done, bytes = 0;

            if (last && !inject_on_host(sg_fit_apart) && sg_phys(last) + last->length == phys) {
                uint32_t want = MIN(left, UINT32_MAX - last->length) + last->length;

                bytes = fitting_bytes(dev, sg_phys(last), want) - last->length;
                last->length += bytes;
            }
            if (bytes == 0) {
                if (used == max_entries)
                    return 0;
                bytes = fitting_bytes(dev, phys, left);
                out[used++] = (struct scatterlist){
                    .page = in[i].page, .offset = in[i].offset + done, .length = bytes};
            }
            done += bytes;
        }
    }
    return used;
}

unsigned dma_split_sg(const struct device *dev, struct scatterlist *sg, unsigned max_entries,
                      struct page *page, uint32_t offset, uint32_t size)
{
    struct scatterlist whole = {.page = page, .offset = offset, .length = size};

    return dma_fit_sg(dev, &whole, 1, sg, max_entries);
}
