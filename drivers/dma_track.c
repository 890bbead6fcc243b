/* SPDX-License-Identifier: BSD-2-Clause */
#include "drivers/dma_track.h"
#include "drivers/dma_lock.h"
#include "lib/finding.h"
#include "lib/format.h"
#include "lib/inject.h"

#define NR_BUCKETS 256u

static struct {
    struct dma_mapping entry[DMA_MAX_MAPPINGS];
    uint16_t bucket[NR_BUCKETS];     /* first entry of each chain, plus 1 */
    uint16_t live[DMA_MAX_MAPPINGS]; /* the live entries, in no order */
    uint32_t nr_live;
    uint16_t ended[DMA_MAX_MAPPINGS]; /* a ring of the ended entries, the oldest at `oldest` */
    uint32_t oldest;
    uint32_t nr_ended;
    uint32_t nr_touched; /* entries from here on were never used */
    struct dma_lock lock;
} table;

static const char *const finding_names[DMA_NR_FINDINGS] = {
    [DMA_FINDING_BAD_ARGUMENT] = "bad argument",
    [DMA_FINDING_UNKNOWN] = "unknown address",
    [DMA_FINDING_DOUBLE_UNMAP] = "double unmap",
    [DMA_FINDING_WRONG_SIZE] = "wrong size",
    [DMA_FINDING_WRONG_DIRECTION] = "wrong direction",
    [DMA_FINDING_WRONG_KIND] = "wrong kind",
    [DMA_FINDING_OVERLAP] = "overlap",
    [DMA_FINDING_LEAK] = "leak",
    [DMA_FINDING_NOT_SYNCED] = "not synced",
    [DMA_FINDING_OVERRUN] = "overrun",
    [DMA_FINDING_FREED_WRITTEN] = "freed block written",
};

const char *dma_finding_name(enum dma_finding kind)
{
    return (unsigned)kind < DMA_NR_FINDINGS ? finding_names[kind] : "?";
}

const char *dma_direction_name(unsigned dir)
{
    static const char *const names[] = {"bidirectional", "to device", "from device"};

    return dir < ARRAY_SIZE(names) ? names[dir] : "?";
}

void dma_report(struct device *dev, enum dma_finding kind, const char *fmt, ...)
{
    char text[80];
    va_list args;

    dev->counters.findings++;
    dev->counters.finding[kind]++;
    va_start(args, fmt);
    vformat(text, sizeof(text), fmt, args);
    va_end(args);
    finding("%.12s: %s: %s", dev->name, dma_finding_name(kind), text);
}

static uint16_t *bucket_of(dma_addr_t dma)
{
    uint32_t key = (uint32_t)(addr_number(dma) >> 6) ^ (uint32_t)(addr_number(dma) >> 15);

    return &table.bucket[key % NR_BUCKETS];
}

static uint16_t index_of(const struct dma_mapping *m)
{
    return (uint16_t)(m - table.entry);
}

/* The entry that was unused for longest, or NULL. */
static struct dma_mapping *entry_get(void)
{
    if (table.nr_touched < DMA_MAX_MAPPINGS)
        return &table.entry[table.nr_touched++];
    if (table.nr_ended == 0)
        return NULL;
    table.nr_ended--;
    table.oldest %= DMA_MAX_MAPPINGS;
    return &table.entry[table.ended[table.oldest++]];
}

static bool writes_memory(const struct dma_mapping *m)
{
    return m->dir != DMA_TO_DEVICE;
}

/* The live mapping that shares bytes with *m where a device may write them, or NULL. */
static const struct dma_mapping *find_overlap(const struct dma_mapping *m)
{
    for (uint32_t i = 0; i < table.nr_live; i++) {
        const struct dma_mapping *other = &table.entry[table.live[i]];

        if (m->phys < other->phys + other->size && other->phys < m->phys + m->size &&
            (writes_memory(m) || writes_memory(other)))
            return other;
    }
    return NULL;
}

bool dma_track_add(const struct dma_mapping *mapping)
{
    uint32_t flags = dma_lock_take(&table.lock);
    const struct dma_mapping *overlap = find_overlap(mapping);
    struct dma_mapping *m = entry_get();
    const void *overlap_caller = overlap ? overlap->caller : NULL;

    if (m) {
        uint16_t *bucket = bucket_of(mapping->dma);

        *m = *mapping;
        m->next = *bucket;
        *bucket = (uint16_t)(index_of(m) + 1);
        m->live_slot = (uint16_t)table.nr_live;
        table.live[table.nr_live++] = index_of(m);
    }
    dma_lock_release(&table.lock, flags);
    if (overlap)
        dma_report(mapping->dev, DMA_FINDING_OVERLAP, "0x%llx+%u by %p, already mapped by %p",
                   addr_number(mapping->phys), mapping->size, mapping->caller, overlap_caller);
    return m != NULL;
}

/* Context: locked. */
static struct dma_mapping *find_live(const struct device *dev, dma_addr_t addr)
{
    for (uint16_t i = *bucket_of(addr); i != 0;) {
        struct dma_mapping *m = &table.entry[i - 1];

        if (m->dma == addr && m->dev == dev)
            return m;
        i = m->next;
    }
    return NULL;
}

/* Context: locked. */
static void end(struct dma_mapping *m, const void *caller)
{
    uint16_t *link = bucket_of(m->dma);
    uint16_t last = table.live[--table.nr_live];

    while (*link != index_of(m) + 1)
        link = &table.entry[*link - 1].next;
    *link = m->next;
    table.live[m->live_slot] = last;
    table.entry[last].live_slot = m->live_slot;
    m->caller = caller;
    table.ended[(table.oldest + table.nr_ended) % DMA_MAX_MAPPINGS] = index_of(m);
    table.nr_ended++;
}

/*
 * Says what is wrong with ending or syncing `addr`: one that ended already was the most recent
 * there, and whoever ended it is in its entry.
 */
static void report_missing(struct device *dev, dma_addr_t addr, const void *caller)
{
    const void *first = NULL;
    bool ended = false;
    uint32_t flags = dma_lock_take(&table.lock);

    for (uint32_t i = table.nr_ended; i-- > 0 && !ended;) {
        const struct dma_mapping *m =
            &table.entry[table.ended[(table.oldest + i) % DMA_MAX_MAPPINGS]];

        ended = m->dma == addr && m->dev == dev;
        first = m->caller;
    }
    dma_lock_release(&table.lock, flags);
    if (ended)
        dma_report(dev, DMA_FINDING_DOUBLE_UNMAP, "0x%llx by %p, ended by %p", addr_number(addr),
                   caller, first);
    else
        dma_report(dev, DMA_FINDING_UNKNOWN, "0x%llx by %p", addr_number(addr), caller);
}

bool dma_track_take(struct device *dev, dma_addr_t addr, enum dma_kind kind, const void *caller,
                    struct dma_mapping *out)
{
    uint32_t flags = dma_lock_take(&table.lock);
    struct dma_mapping *m = find_live(dev, addr);
    bool fits = m && m->kind == kind;

    if (fits) {
        *out = *m;
        if (!inject(dma_leak_mapping, dma_bounce))
            end(m, caller);
    }
    dma_lock_release(&table.lock, flags);
    if (!m)
        report_missing(dev, addr, caller);
    else if (!fits)
        dma_report(dev, DMA_FINDING_WRONG_KIND, "0x%llx %s by %p", addr_number(addr),
                   kind == DMA_KIND_MAP ? "is coherent, unmapped" : "is a mapping, freed", caller);
    return fits;
}

struct dma_mapping *dma_track_find(struct device *dev, dma_addr_t addr, const void *caller)
{
    uint32_t flags = dma_lock_take(&table.lock);
    struct dma_mapping *m = find_live(dev, addr);

    for (uint32_t i = 0; !m && i < table.nr_live; i++) {
        struct dma_mapping *other = &table.entry[table.live[i]];

        if (other->dev == dev && addr >= other->dma && addr - other->dma < other->size)
            m = other;
    }
    dma_lock_release(&table.lock, flags);
    if (!m)
        report_missing(dev, addr, caller);
    return m;
}

bool dma_track_take_any(const struct device *dev, struct dma_mapping *out)
{
    bool found = false;
    uint32_t flags = dma_lock_take(&table.lock);

    for (uint32_t i = 0; !found && i < table.nr_live; i++) {
        struct dma_mapping *m = &table.entry[table.live[i]];

        if (m->kind == DMA_KIND_MAP && (!dev || m->dev == dev)) {
            *out = *m;
            end(m, m->caller);
            found = true;
        }
    }
    dma_lock_release(&table.lock, flags);
    return found;
}

unsigned dma_live_mappings(const struct device *dev)
{
    unsigned count = 0;
    uint32_t flags = dma_lock_take(&table.lock);

    for (uint32_t i = 0; i < table.nr_live; i++) {
        const struct dma_mapping *m = &table.entry[table.live[i]];

        if (m->kind == DMA_KIND_MAP && (!dev || m->dev == dev))
            count++;
    }
    dma_lock_release(&table.lock, flags);
    return count;
}
