/* SPDX-License-Identifier: BSD-2-Clause */
#include "drivers/dma_track.h"
#include "drivers/bounce.h"
#include "drivers/dma_lock.h"
#include "lib/inject.h"
#include "paging/page.h"

atomic64_t dma_bucket_key[DMA_NR_BUCKETS];
struct dma_who dma_bucket_who[DMA_NR_BUCKETS];
pfn_t dma_bucket_home[DMA_NR_BUCKETS];

static struct {
    struct dma_mapping entry[DMA_NR_ENTRIES];
    uint16_t chain[DMA_NR_BUCKETS]; /* entries whose first page is the bucket's: index plus 1 */
    uint16_t touch[DMA_NR_BUCKETS]; /* how often entries touch pages of the bucket */
    uint16_t live[DMA_NR_ENTRIES];  /* the live entries, in no order */
    uint32_t nr_live;
    uint32_t nr_long;               /* of the live ones, how many cover more than a page */
    uint16_t ended[DMA_NR_ENTRIES]; /* a ring of the ended entries, the oldest at `oldest` */
    uint32_t oldest;
    uint32_t nr_ended;
    uint32_t nr_touched; /* entries from here on were never used */
    struct dma_lock lock;
} table;

/* What dma_mapping.place says of a mapping that has no entry: its bucket, and this. */
#define IN_BUCKET 0x8000u

_Static_assert(DMA_NR_BUCKETS <= IN_BUCKET && DMA_NR_ENTRIES <= IN_BUCKET, "a place is 16 bits");

/* The mapping that a bucket has now, or had last, as if it had an entry. */
static struct dma_mapping bucket_mapping(uint32_t bucket)
{
    uint32_t piece = atomic64_low(&dma_bucket_key[bucket]);
    uint32_t offset = piece >> DMA_PIECE_OFFSET_SHIFT;
    uint32_t size = piece >> DMA_PIECE_SIZE_SHIFT & DMA_PIECE_SIZE_MASK;
    pfn_t pfn = atomic64_high(&dma_bucket_key[bucket]);
    bool bounced = piece & DMA_PIECE_BOUNCED;

    return (struct dma_mapping){
        .dev = dma_bucket_who[bucket].dev,
        .phys = pfn_to_phys(pfn) + offset,
        .dma = phys_to_dma(pfn_to_phys(bounced ? dma_bucket_home[bucket] : pfn)) + offset,
        .size = size,
        .caller = dma_bucket_who[bucket].caller,
        .dir = piece & DMA_PIECE_DIR_MASK,
        .kind = DMA_KIND_MAP,
        .bounced = bounced,
        .nr_cpu = (piece & DMA_PIECE_CPU) ? 1 : 0,
        .cpu = {{0, size}},
        .place = (uint16_t)(bucket | IN_BUCKET),
    };
}

static bool bucket_is_live(uint32_t bucket)
{
    return atomic64_low(&dma_bucket_key[bucket]) & DMA_PIECE_LIVE;
}

static uint16_t index_of(const struct dma_mapping *m)
{
    return (uint16_t)(m - table.entry);
}

static uint32_t bucket_of(const struct dma_mapping *m)
{
    return dma_bucket(phys_to_pfn(m->phys));
}

static uint32_t nr_pages(const struct dma_mapping *m)
{
    return phys_to_pfn(m->phys + m->size - 1) - phys_to_pfn(m->phys) + 1;
}

/* The entry that was unused for longest, or NULL. Context: locked. */
static struct dma_mapping *entry_get(void)
{
    if (table.nr_touched < DMA_NR_ENTRIES)
        return &table.entry[table.nr_touched++];
    if (table.nr_ended == 0)
        return NULL;
    table.nr_ended--;
    table.oldest %= DMA_NR_ENTRIES;
    return &table.entry[table.ended[table.oldest++]];
}

static bool overlaps(const struct dma_mapping *a, const struct dma_mapping *b)
{
    return a->phys < b->phys + b->size && b->phys < a->phys + a->size &&
           (a->dir != DMA_TO_DEVICE || b->dir != DMA_TO_DEVICE);
}

/*
 * Counts the bucket of each page of the mapping as touched, and looks for a live mapping in it that
 * overlaps: who made that, or NULL. Returns with *crowded set if another entry touches one of the
 * buckets too. Context: locked.
 */
static const void *touch(const struct dma_mapping *m, bool *crowded)
{
    pfn_t pfn = phys_to_pfn(m->phys);
    uint32_t count = MIN(nr_pages(m), DMA_NR_BUCKETS);
    const void *caller = NULL;

    *crowded = false;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t bucket = dma_bucket(pfn + i);

        if (table.touch[bucket]++ == 0)
            __atomic_fetch_or((atomic_half_t *)&dma_bucket_key[bucket], DMA_PIECE_OTHERS,
                              __ATOMIC_SEQ_CST);
        else
            *crowded = true;
        if (!caller && bucket_is_live(bucket) && !inject_on_host(dma_skip_buckets)) {
            struct dma_mapping other = bucket_mapping(bucket);

            if (overlaps(m, &other))
                caller = other.caller;
        }
    }
    return caller;
}

/* Context: locked. */
static void untouch(const struct dma_mapping *m)
{
    pfn_t pfn = phys_to_pfn(m->phys);
    uint32_t count = MIN(nr_pages(m), DMA_NR_BUCKETS);

    for (uint32_t i = 0; i < count; i++) {
        uint32_t bucket = dma_bucket(pfn + i);

        if (--table.touch[bucket] == 0)
            __atomic_fetch_and((atomic_half_t *)&dma_bucket_key[bucket], ~DMA_PIECE_OTHERS,
                               __ATOMIC_SEQ_CST);
    }
}

/* Who made an entry that overlaps, or NULL. Context: locked. */
static const void *find_overlap(const struct dma_mapping *m)
{
    /* What begins in the same bucket, if nothing begins elsewhere and reaches into it. */
    if (table.nr_long == 0 && nr_pages(m) == 1) {
        for (uint16_t i = table.chain[bucket_of(m)]; i != 0; i = table.entry[i - 1].next) {
            if (overlaps(m, &table.entry[i - 1]))
                return table.entry[i - 1].caller;
        }
        return NULL;
    }
    for (uint32_t i = 0; i < table.nr_live; i++) {
        if (overlaps(m, &table.entry[table.live[i]]))
            return table.entry[table.live[i]].caller;
    }
    return NULL;
}

/* Enters a live mapping whose pages are touched already. Context: locked. */
static void entry_fill(struct dma_mapping *m, const struct dma_mapping *mapping)
{
    uint16_t *chain = &table.chain[bucket_of(mapping)];
    struct bounce_area *area;

    *m = *mapping;
    m->place = index_of(m);
    m->next = *chain;
    *chain = (uint16_t)(index_of(m) + 1);
    m->live_slot = (uint16_t)table.nr_live;
    table.live[table.nr_live++] = index_of(m);
    if (nr_pages(m) > 1)
        table.nr_long++;
    if (!m->bounced)
        return;
    area = bounce_area_of_dma(m->dma);
    if (area)
        *bounce_owner(area, m->dma) = DMA_OWNER_ENTRY | index_of(m);
}

/*
 * A mapping that a bucket can hold goes there, if it is free. Its one offset is the buffer's and
 * the slot's, and so not where a boundary within a page moved the latter.
 */
static bool add_to_bucket(struct dma_mapping *m)
{
    uint32_t bucket = bucket_of(m);
    uint32_t piece = dma_piece(offset_in_page(m->phys), m->size, (enum dma_data_direction)m->dir) |
                     (m->bounced ? DMA_PIECE_BOUNCED : 0);
    pfn_t pfn = phys_to_pfn(m->phys);

    if (m->kind != DMA_KIND_MAP || m->dev->check_ownership || nr_pages(m) > 1 ||
        offset_in_page(m->dma) != offset_in_page(m->phys) ||
        addr_number(m->phys) >> DMA_KEY_ADDR_BITS != 0 || !dma_claim(bucket, pfn, piece))
        return false;
    dma_bucket_who[bucket].dev = m->dev;
    dma_bucket_who[bucket].caller = m->caller;
    m->place = (uint16_t)(bucket | IN_BUCKET);
    if (m->bounced) {
        struct bounce_area *area = bounce_area_of_dma(m->dma);

        if (!area)
            __builtin_unreachable();
        dma_bucket_home[bucket] = phys_to_pfn(dma_to_phys(m->dma));
        *bounce_owner(area, m->dma) = pfn;
    }
    return true;
}

bool dma_track_add(struct dma_mapping *mapping)
{
    const void *other = NULL;
    struct dma_mapping *m;
    uint32_t flags;
    bool crowded;

    if (add_to_bucket(mapping))
        return true;
    flags = dma_lock_take(&table.lock);
    m = entry_get();
    if (m) {
        other = touch(mapping, &crowded);
        if (!other && crowded && !inject(dma_miss_overlap, dma_bounce))
            other = find_overlap(mapping);
        entry_fill(m, mapping);
        mapping->place = m->place;
    }
    dma_lock_release(&table.lock, flags);
    if (other)
        dma_report(mapping->dev, DMA_FINDING_OVERLAP, "0x%llx+%u by %p, already mapped by %p",
                   addr_number(mapping->phys), mapping->size, mapping->caller, other);
    return m != NULL;
}

/* Looks in one page's chain. Context: locked. */
static struct dma_mapping *find_in_chain(const struct device *dev, dma_addr_t addr)
{
    uint16_t i = table.chain[dma_bucket(phys_to_pfn(dma_to_phys(addr)))];

    while (i != 0) {
        struct dma_mapping *m = &table.entry[i - 1];

        if (m->dma == addr && m->dev == dev)
            return m;
        i = m->next;
    }
    return NULL;
}

/* Looks up the owner of a slot: the mapping that begins at `addr` in it. Context: locked. */
static bool find_in_slot(const struct device *dev, const struct bounce_area *area, dma_addr_t addr,
                         bool live, struct dma_mapping *out)
{
    uint32_t owner = *bounce_owner(area, addr);

    if (owner & DMA_OWNER_ENTRY) {
        *out = table.entry[owner & ~DMA_OWNER_ENTRY];
        /* An entry that was ended may have been used again, for another mapping. */
        return live && out->dma == addr && out->dev == dev && out->live_slot < table.nr_live &&
               table.live[out->live_slot] == out->place;
    }
    *out = bucket_mapping(dma_bucket(owner));
    return bucket_is_live(dma_bucket(owner)) == live && out->bounced && out->dma == addr &&
           out->dev == dev;
}

/* The mapping that begins at `addr` and is live, or has ended in a bucket. Context: locked. */
static bool find_at(const struct device *dev, dma_addr_t addr, bool live, struct dma_mapping *out)
{
    const struct bounce_area *area = bounce_area_of_dma(addr);
    uint32_t bucket = dma_bucket(phys_to_pfn(dma_to_phys(addr)));
    const struct dma_mapping *m;

    if (area)
        return find_in_slot(dev, area, addr, live, out);
    *out = bucket_mapping(bucket);
    if (bucket_is_live(bucket) == live && !out->bounced && out->dma == addr && out->dev == dev)
        return true;
    m = live ? find_in_chain(dev, addr) : NULL;
    if (m)
        *out = *m;
    return m != NULL;
}

/* Ends a mapping that was found live. False if it was somebody's else end. Context: locked. */
static bool end(const struct dma_mapping *found, const void *caller)
{
    struct dma_mapping *m;
    uint16_t *link, last;

    if (found->place & IN_BUCKET) {
        uint32_t bucket = found->place & ~IN_BUCKET;

        dma_bucket_who[bucket].caller = caller;
        return dma_release(bucket);
    }
    m = &table.entry[found->place];
    link = &table.chain[bucket_of(m)];
    while (*link != index_of(m) + 1)
        link = &table.entry[*link - 1].next;
    *link = m->next;
    last = table.live[--table.nr_live];
    table.live[m->live_slot] = last;
    table.entry[last].live_slot = m->live_slot;
    if (nr_pages(m) > 1)
        table.nr_long--;
    untouch(m);
    m->caller = caller;
    table.ended[(table.oldest + table.nr_ended) % DMA_NR_ENTRIES] = index_of(m);
    table.nr_ended++;
    return true;
}

/* Who ended the mapping that was at `addr` last, or NULL. Context: locked. */
static const void *find_ender(const struct device *dev, dma_addr_t addr)
{
    struct dma_mapping ended;

    if (find_at(dev, addr, false, &ended))
        return ended.caller;
    for (uint32_t i = table.nr_ended; i-- > 0;) {
        const struct dma_mapping *m =
            &table.entry[table.ended[(table.oldest + i) % DMA_NR_ENTRIES]];

        if (m->dma == addr && m->dev == dev)
            return m->caller;
    }
    return NULL;
}

/* Says what is wrong with ending or syncing `addr`. */
static void report_missing(struct device *dev, dma_addr_t addr, const void *caller)
{
    uint32_t flags = dma_lock_take(&table.lock);
    const void *first = find_ender(dev, addr);

    dma_lock_release(&table.lock, flags);
    if (first)
        dma_report(dev, DMA_FINDING_DOUBLE_UNMAP, "0x%llx by %p, ended by %p", addr_number(addr),
                   caller, first);
    else
        dma_report(dev, DMA_FINDING_UNKNOWN, "0x%llx by %p", addr_number(addr), caller);
}

static bool is_as_said(const struct dma_mapping *m, const struct dma_mapping *said)
{
    return m->dma == said->dma && m->dev == said->dev && m->kind == said->kind &&
           m->size == said->size && m->dir == said->dir;
}

/* Of several direct ones at the address, that which is as its user says. Context: locked. */
static void find_as_said(const struct dma_mapping *said, struct dma_mapping *out)
{
    uint16_t i = table.chain[dma_bucket(phys_to_pfn(dma_to_phys(said->dma)))];

    while (i != 0 && !is_as_said(out, said)) {
        if (is_as_said(&table.entry[i - 1], said))
            *out = table.entry[i - 1];
        i = table.entry[i - 1].next;
    }
}

bool dma_track_take(const struct dma_mapping *said, struct dma_mapping *out)
{
    uint32_t flags = dma_lock_take(&table.lock);
    bool found = find_at(said->dev, said->dma, true, out), fits;

    if (found && !inject(dma_take_any, dma_bounce))
        find_as_said(said, out);
    fits = found && out->kind == said->kind;
    if (fits && !inject(dma_leak_mapping, dma_bounce))
        found = fits = end(out, said->caller);
    dma_lock_release(&table.lock, flags);
    if (!found)
        report_missing(said->dev, said->dma, said->caller);
    else if (!fits)
        dma_report(said->dev, DMA_FINDING_WRONG_KIND, "0x%llx %s by %p", addr_number(said->dma),
                   said->kind == DMA_KIND_MAP ? "is coherent, unmapped" : "is a mapping, freed",
                   said->caller);
    return fits;
}

static bool holds(const struct dma_mapping *m, const struct device *dev, dma_addr_t addr,
                  uint32_t size)
{
    return m->dev == dev && addr >= m->dma && addr - m->dma < m->size &&
           size <= m->size - (addr - m->dma);
}

/*
 * The live mapping that all of this lies in. Of those within a page, it can only be in the bucket
 * of its own page, or of the page that owns its slot. Entries come first: between its claim and its
 * home a bucket seems to have the slot that it had last, which may be in the middle of an entry's
 * now. Context: locked.
 */
static bool find_holder(const struct device *dev, dma_addr_t addr, uint32_t size,
                        struct dma_mapping *out)
{
    const struct bounce_area *area = bounce_area_of_dma(addr);
    uint32_t bucket = dma_bucket(area ? *bounce_owner(area, addr) : phys_to_pfn(dma_to_phys(addr)));

    if (find_at(dev, addr, true, out) && holds(out, dev, addr, size))
        return true;
    for (uint32_t i = 0; i < table.nr_live; i++) {
        *out = table.entry[table.live[i]];
        if (holds(out, dev, addr, size))
            return true;
    }
    *out = bucket_mapping(bucket);
    return bucket_is_live(bucket) && holds(out, dev, addr, size);
}

bool dma_track_find(struct device *dev, dma_addr_t addr, uint32_t size, const void *caller,
                    struct dma_mapping *out)
{
    uint32_t flags = dma_lock_take(&table.lock);
    bool found = find_holder(dev, addr, size, out) || find_holder(dev, addr, 1, out);

    dma_lock_release(&table.lock, flags);
    if (!found)
        report_missing(dev, addr, caller);
    return found;
}

/* Moves a mapping from its bucket to an entry, which can hold more. Context: locked. */
static bool move_to_entry(const struct dma_mapping *mapping)
{
    struct dma_mapping *m = entry_get();
    bool crowded;

    if (!m)
        return false;
    touch(mapping, &crowded);
    entry_fill(m, mapping);
    dma_release(mapping->place & ~IN_BUCKET);
    return true;
}

bool dma_track_update(const struct dma_mapping *mapping)
{
    bool whole =
        mapping->nr_cpu == 1 && mapping->cpu[0].from == 0 && mapping->cpu[0].to == mapping->size;
    uint32_t flags = dma_lock_take(&table.lock);
    bool kept = true;

    if (!(mapping->place & IN_BUCKET)) {
        struct dma_mapping *m = &table.entry[mapping->place];

        m->checksum = mapping->checksum;
        m->intruder = mapping->intruder;
        m->nr_cpu = mapping->nr_cpu;
        for (unsigned i = 0; i < DMA_CPU_PARTS; i++)
            m->cpu[i] = mapping->cpu[i];
    } else if (whole || mapping->nr_cpu == 0) {
        atomic_half_t *word = (atomic_half_t *)&dma_bucket_key[mapping->place & ~IN_BUCKET];

        if (whole)
            __atomic_fetch_or(word, DMA_PIECE_CPU, __ATOMIC_RELAXED);
        else
            __atomic_fetch_and(word, ~DMA_PIECE_CPU, __ATOMIC_RELAXED);
    } else {
        kept = move_to_entry(mapping);
    }
    dma_lock_release(&table.lock, flags);
    return kept;
}

/* True if the entry is in use. Context: locked. */
static bool is_live(const struct dma_mapping *m)
{
    return m->live_slot < table.nr_live && table.live[m->live_slot] == index_of(m);
}

void dma_track_intruder(uint32_t place, phys_addr_t at, bool write, const void *intruder)
{
    uint32_t flags = dma_lock_take(&table.lock);
    struct dma_mapping *m = &table.entry[place % DMA_NR_ENTRIES];

    if (is_live(m) && at >= m->phys && at - m->phys < m->size) {
        m->intruder = intruder;
        m->intruder_wrote = write;
    }
    dma_lock_release(&table.lock, flags);
}

bool dma_track_take_any(const struct device *dev, enum dma_kind kind, struct dma_mapping *out)
{
    uint32_t flags = dma_lock_take(&table.lock);
    bool found = false;

    for (uint32_t bucket = 0; !found && bucket < DMA_NR_BUCKETS; bucket++) {
        if (kind != DMA_KIND_MAP || !bucket_is_live(bucket) ||
            (dev && dma_bucket_who[bucket].dev != dev))
            continue;
        *out = bucket_mapping(bucket);
        found = end(out, out->caller);
    }
    for (uint32_t i = 0; !found && i < table.nr_live; i++) {
        const struct dma_mapping *m = &table.entry[table.live[i]];

        if (m->kind != kind || (dev && m->dev != dev) || inject(dma_lose_coherent, dma_lists))
            continue;
        *out = *m;
        found = end(out, out->caller);
    }
    dma_lock_release(&table.lock, flags);
    return found;
}

unsigned dma_live_mappings(const struct device *dev)
{
    uint32_t flags = dma_lock_take(&table.lock);
    unsigned count = 0;

    for (uint32_t bucket = 0; bucket < DMA_NR_BUCKETS; bucket++) {
        if (bucket_is_live(bucket) && (!dev || dma_bucket_who[bucket].dev == dev))
            count++;
    }
    for (uint32_t i = 0; i < table.nr_live; i++) {
        const struct dma_mapping *m = &table.entry[table.live[i]];

        if (m->kind == DMA_KIND_MAP && (!dev || m->dev == dev))
            count++;
    }
    dma_lock_release(&table.lock, flags);
    return count;
}
