/* SPDX-License-Identifier: BSD-2-Clause */
/* Lists: which segments the model makes of them, and what comes of a list as a whole. */
#include <string.h>

#include "ci/model/dma_state.h"
#include "drivers/dma_track.h"

#define GAP_BYTES 48u
#define MAX_FITTED 64u

struct segment {
    phys_addr_t phys;
    uint32_t size;
    bool overlapped;
};

/* The operation's buffer in pieces, some with a gap behind. Returns how many. */
static unsigned build(const struct op *op, struct scatterlist *sg)
{
    phys_addr_t base = machine.region[op->arg % MODEL_PLACES].phys;
    unsigned count = MIN(1u + op->more % MAX_PIECES, (unsigned)op->size);
    unsigned gaps = op->more / MAX_PIECES;
    uint32_t piece = op->size / count;

    for (unsigned i = 0; i < count; i++) {
        uint32_t at = op->offset + i * piece;
        uint32_t length = i + 1 < count ? piece : op->size - i * piece;

        if (gaps >> i & 1 && length > GAP_BYTES)
            length -= GAP_BYTES;
        /* A page is named by itself, or as one of those behind the first. What else is in the entry
         * is for the layer to fill in. */
        sg[i].page = phys_to_page(i % 2 ? base : base + at);
        sg[i].offset = i % 2 ? at : (uint32_t)((base + at) % PAGE_SIZE);
        sg[i].length = length;
    }
    return count;
}

static phys_addr_t phys_of(const struct scatterlist *entry)
{
    return page_to_phys(entry->page) + entry->offset;
}

static unsigned merge(const struct device *dev, const struct scatterlist *sg, unsigned nents,
                      struct segment *segment)
{
    unsigned count = 0;

    for (unsigned i = 0; i < nents; i++) {
        struct segment *last = count > 0 ? &segment[count - 1] : NULL;

        if (last && last->phys + last->size == phys_of(&sg[i]) &&
            (!dev->max_segment_bytes || last->size + sg[i].length <= dev->max_segment_bytes) &&
            reaches(dev, last->phys, last->size + sg[i].length))
            last->size += sg[i].length;
        else
            segment[count++] = (struct segment){phys_of(&sg[i]), sg[i].length, false};
    }
    return count;
}

/* A list failed after some segments, which were mapped and unmapped again. */
static void expect_rollback(const struct op *op, const struct segment *segment, unsigned segments)
{
    struct device *dev = &m.dev[op->dev];
    struct dma_counters *want = &m.want[op->dev];
    unsigned done = dev->counters.direct + dev->counters.bounced - want->direct - want->bounced;

    CHECK(done < segments, "a list of %u segments failed after %u", segments, done);
    for (unsigned i = 0; i < done && i < segments; i++) {
        bool direct = reaches(dev, segment[i].phys, segment[i].size);

        want->unmaps++;
        want->direct += direct;
        want->bounced += !direct;
        if (!direct && !has_marks(segment[i].size, (enum dma_data_direction)op->dir))
            want->bounced_bytes += segment[i].size;
        note_added();
        if (segment[i].overlapped)
            want_finding(op->dev, DMA_FINDING_OVERLAP);
    }
    if (done >= segments)
        return;
    if (dev->max_segment_bytes && segment[done].size > dev->max_segment_bytes) {
        want->errors++;
        want_finding(op->dev, DMA_FINDING_BAD_ARGUMENT);
        return;
    }
    expect_failed(op->dev, segment[done].phys, segment[done].size, segment[done].overlapped);
    CHECK(done + table_used() >= DMA_NR_ENTRIES ||
              !reaches(dev, segment[done].phys, segment[done].size),
          "segment %u of a list failed, and is in reach", done);
}

static void expect_mapped(const struct op *op, struct list *list, const struct segment *segment)
{
    struct device *dev = &m.dev[op->dev];

    if (list->segments < list->nents) {
        model_now->count[COUNT_MERGED]++;
        CHECK(sg_dma_len(&list->sg[list->segments]) == 0, "the list of segments has no end");
    }
    for (unsigned i = 0; i < list->segments; i++) {
        CHECK(sg_dma_len(&list->sg[i]) == segment[i].size, "segment %u has %u bytes, %u wanted", i,
              sg_dma_len(&list->sg[i]), segment[i].size);
        CHECK(!dev->max_segment_bytes || segment[i].size <= dev->max_segment_bytes,
              "segment %u has %u bytes, %u at most", i, segment[i].size, dev->max_segment_bytes);
        if (segment[i].overlapped)
            want_finding(op->dev, DMA_FINDING_OVERLAP);
        list->mapping[i] = mapping_enter(op->dev, segment[i].phys, sg_dma_address(&list->sg[i]),
                                         segment[i].size, (enum dma_data_direction)op->dir, false);
        list->mapping[i]->in_list = true;
    }
}

void do_map_sg(const struct op *op)
{
    struct list *list = m.list;
    struct device *dev = &m.dev[op->dev];
    struct segment segment[MAX_PIECES] = {0};
    struct scatterlist was[MAX_PIECES];
    unsigned segments;

    while (list < m.list + MAX_LISTS && list->live)
        list++;
    if (list == m.list + MAX_LISTS ||
        is_mapped_by(op->dev, machine.region[op->arg % MODEL_PLACES].phys + op->offset, op->size))
        return;
    memset(list->sg, 0x5a, sizeof(list->sg));
    list->nents = build(op, list->sg);
    list->dev = op->dev;
    list->dir = (enum dma_data_direction)op->dir;
    segments = merge(dev, list->sg, list->nents, segment);
    for (unsigned i = 0; i < segments; i++)
        segment[i].overlapped = overlaps(segment[i].phys, segment[i].size, list->dir);
    memcpy(was, list->sg, sizeof(was));
    list->segments = dma_map_sg(dev, list->sg, list->nents, list->dir);
    for (unsigned i = 0; i < list->nents; i++)
        CHECK(was[i].page == list->sg[i].page && was[i].offset == list->sg[i].offset &&
                  was[i].length == list->sg[i].length,
              "entry %u of a list was changed", i);
    if (list->segments == 0) {
        expect_rollback(op, segment, segments);
        return;
    }
    CHECK(list->segments == segments, "%u segments, %u wanted", list->segments, segments);
    if (list->segments != segments)
        return;
    list->live = true;
    expect_mapped(op, list, segment);
}

static struct list *pick_list(unsigned which)
{
    unsigned count = 0;

    for (unsigned i = 0; i < MAX_LISTS; i++)
        count += m.list[i].live;
    for (unsigned i = 0, left = count ? which % count : 0; i < MAX_LISTS && count; i++) {
        if (m.list[i].live && left-- == 0)
            return &m.list[i];
    }
    return NULL;
}

void do_unmap_sg(const struct op *op)
{
    struct list *list = pick_list(op->arg);
    bool skip = op->more % 4 == 3;

    if (!list)
        return;
    for (unsigned i = 0; i < list->segments; i++)
        mapping_ends(list->mapping[i], skip);
    list->live = false;
    if (skip)
        dma_unmap_sg_attrs(&m.dev[list->dev], list->sg, list->nents, list->dir,
                           DMA_ATTR_SKIP_CPU_SYNC);
    else
        dma_unmap_sg(&m.dev[list->dev], list->sg, list->nents, list->dir);
}

void do_unmap_sg_short(const struct op *op)
{
    struct list *list = pick_list(op->arg);
    uint32_t entry_bytes = 0, segment_bytes = 0;

    if (!list || list->segments == list->nents)
        return;
    for (unsigned i = 0; i < list->segments; i++) {
        entry_bytes += list->sg[i].length;
        segment_bytes += list->mapping[i]->size;
    }
    if (entry_bytes != segment_bytes)
        want_finding(list->dev, DMA_FINDING_WRONG_SIZE);
    for (unsigned i = 0; i < list->segments; i++)
        mapping_ends(list->mapping[i], false);
    list->live = false;
    dma_unmap_sg(&m.dev[list->dev], list->sg, list->segments, list->dir);
}

static void sync_list(const struct op *op, bool for_cpu)
{
    struct list *list = pick_list(op->arg);

    if (!list)
        return;
    for (unsigned i = 0; i < list->segments; i++)
        sync_whole(list->mapping[i], for_cpu);
    if (for_cpu)
        dma_sync_sg_for_cpu(&m.dev[list->dev], list->sg, list->nents, list->dir);
    else
        dma_sync_sg_for_device(&m.dev[list->dev], list->sg, list->nents, list->dir);
}

void do_sync_sg_cpu(const struct op *op)
{
    sync_list(op, true);
}

void do_sync_sg_device(const struct op *op)
{
    sync_list(op, false);
}

/* Whether a device can have it in one piece: as one segment, within reach or out of it. */
static bool is_one_segment(const struct device *dev, phys_addr_t phys, uint32_t size)
{
    struct device boundless = *dev;

    boundless.dma_mask = DMA_BIT_MASK(64);
    if (dev->max_segment_bytes && size > dev->max_segment_bytes)
        return false;
    if (phys <= dev->dma_mask && phys + size - 1 > dev->dma_mask)
        return false;
    return reaches(&boundless, phys, size);
}

void do_fit(const struct op *op)
{
    struct scatterlist in[MAX_PIECES] = {0}, out[MAX_FITTED], fewer[MAX_FITTED];
    const struct device *dev = &m.dev[op->dev];
    unsigned nents = build(op, in), used, entry = 0;
    uint32_t done = 0;

    used = dma_fit_sg(dev, in, nents, out, MAX_FITTED);
    CHECK(used > 0, "%u entries can't be cut to %u", nents, MAX_FITTED);
    if (used > 0 && dma_fit_sg(dev, in, nents, fewer, used - 1) != 0)
        broke("a list of %u entries fits in one less", used);
    for (unsigned i = 0; i < used; i++) {
        phys_addr_t phys = phys_of(&out[i]), end = phys + out[i].length;

        CHECK(is_one_segment(dev, phys, out[i].length), "0x%llx+%u is no segment of the device's",
              (unsigned long long)phys, out[i].length);
        CHECK(i + 1 == used || phys_of(&out[i + 1]) != end ||
                  !is_one_segment(dev, phys, out[i].length + 1),
              "0x%llx+%u could be longer", (unsigned long long)phys, out[i].length);
        /* It is the next bytes of the list. */
        for (uint32_t left = out[i].length; left > 0 && entry < nents;) {
            uint32_t bytes = MIN(left, in[entry].length - done);

            CHECK(phys == phys_of(&in[entry]) + done, "0x%llx follows in the list, not 0x%llx",
                  (unsigned long long)phys_of(&in[entry]) + done, (unsigned long long)phys);
            phys += bytes;
            left -= bytes;
            done += bytes;
            if (done == in[entry].length) {
                entry++;
                done = 0;
            }
        }
    }
    CHECK(used == 0 || entry == nents, "only %u of %u entries are in the new list", entry, nents);
}
