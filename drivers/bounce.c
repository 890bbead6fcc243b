/* SPDX-License-Identifier: BSD-2-Clause */
#include "drivers/bounce.h"
#include "drivers/dma_lock.h"
#include "lib/bitmap.h"
#include "lib/errno.h"
#include "lib/inject.h"
#include "lib/string.h"
#include "paging/page_alloc.h"

#define GUARD_BYTES 32u
#define GUARD_PATTERN 0x9eu

/* The largest block that the page allocator gives is 4 MiB. */
#define POOL_MAX_ORDER 9u
#define POOL_MAX_SLOTS ((PAGE_SIZE << POOL_MAX_ORDER) / BOUNCE_SLOT_BYTES)

struct pool {
    dma_addr_t base;
    uint8_t *virt;
    uint32_t nr_slots; /* 0: there is no such pool */
    uint32_t used_slots;
    uint32_t peak_slots;
    uint32_t next_slot; /* where the search starts: a freed slot is not used again at once, so that
                           a device that is late is more likely to be noticed */
    uint32_t used[POOL_MAX_SLOTS / 32];
    struct dma_lock lock; /* guards all of the above but base, virt and nr_slots */
};

enum { POOL_LOW, POOL_WIDE, NR_POOLS };

static struct pool pools[NR_POOLS];

/* Where a pool may lie, tried from the lowest end on: a low pool serves the narrowest masks. */
struct pool_place {
    unsigned pool;
    unsigned max_order, min_order;
    phys_addr_t min, max;
};

static const struct pool_place places[] = {
#ifdef BOUNCE_MODEL_ORDER /* the host's model has small ones */
    {POOL_LOW, BOUNCE_MODEL_ORDER, BOUNCE_MODEL_ORDER, phys_make(MIB64(1)), phys_make(MIB64(16))},
    {POOL_WIDE, BOUNCE_MODEL_ORDER, BOUNCE_MODEL_ORDER, phys_make(MIB64(16)), phys_make(MIB64(32))},
#else
    /* 24 bits, for ISA; from 1 MiB on, to leave the scarce first MiB alone */
    {POOL_LOW, 7, 6, phys_make(MIB64(1)), phys_make(MIB64(16))},
    /* 28 bits and wider */
    {POOL_WIDE, 9, 7, phys_make(MIB64(16)), phys_make(MIB64(32))},
    {POOL_WIDE, 9, 7, phys_make(MIB64(16)), phys_make(MIB64(64))},
    {POOL_WIDE, 9, 7, phys_make(MIB64(16)), phys_make(MIB64(256))},
    {POOL_WIDE, 6, 5, phys_make(MIB64(16)), phys_make(MIB64(256))},
#endif
};

static bool pool_open(struct pool *pool, const struct pool_place *place)
{
    for (unsigned order = place->max_order; order >= place->min_order; order--) {
        struct page *page = alloc_pages_in(order, place->min, place->max);

        if (!page)
            continue;
        memset(pool, 0, sizeof(*pool));
        pool->base = phys_to_dma(page_to_phys(page));
        pool->virt = page_address(page);
        pool->nr_slots = (PAGE_SIZE << order) / BOUNCE_SLOT_BYTES;
        return true;
    }
    return false;
}

int dma_init(void)
{
    unsigned opened = 0;

    for (unsigned i = 0; i < ARRAY_SIZE(places); i++) {
        if (pools[places[i].pool].nr_slots == 0 && pool_open(&pools[places[i].pool], &places[i]))
            opened++;
    }
    return opened ? 0 : -ENOMEM;
}

bool dma_crosses_boundary(const struct device *dev, dma_addr_t addr, uint32_t size)
{
    uint64_t block_mask = dev->segment_boundary_mask;

    if (block_mask == 0 || inject(dma_cross_boundary, dma_bounce))
        return false;
    return (addr_number(addr) & block_mask) + size - 1 > block_mask;
}

/* How much of the original's alignment the bounced buffer can keep and still fit its boundary. */
static uint32_t kept_offset(const struct device *dev, phys_addr_t phys, uint32_t size)
{
    static const uint32_t keep_masks[] = {BOUNCE_SLOT_BYTES - 1, 63, 7};

    for (unsigned i = 0; i < ARRAY_SIZE(keep_masks); i++) {
        uint32_t offset = (uint32_t)addr_number(phys) & keep_masks[i];

        if (!dma_crosses_boundary(dev, dma_make(offset), size))
            return offset;
    }
    return 0;
}

static uint32_t slots_of(uint32_t offset, uint32_t size)
{
    return (uint32_t)(((uint64_t)offset + size + BOUNCE_SLOT_BYTES - 1) / BOUNCE_SLOT_BYTES);
}

/*
 * A free run of slots in [from, nr_slots) in which the buffer keeps its boundary, or nr_slots. A
 * run that crosses is not retried slot by slot: no start before the boundary can do.
 */
static uint32_t find_run(const struct pool *pool, const struct device *dev, uint32_t from,
                         uint32_t offset, uint32_t size)
{
    uint32_t count = slots_of(offset, size);

    while (from < pool->nr_slots) {
        uint32_t slot = bitmap_find_free_run(pool->used, pool->nr_slots, from, count, 1);
        dma_addr_t addr;

        if (slot >= pool->nr_slots)
            break;
        addr = pool->base + (uint64_t)slot * BOUNCE_SLOT_BYTES;
        if (!dma_crosses_boundary(dev, addr + offset, size))
            return slot;
        addr = dma_make(addr_number(addr) | dev->segment_boundary_mask) + 1;
        from = MAX(slot + 1, (uint32_t)((addr - pool->base) / BOUNCE_SLOT_BYTES));
    }
    return pool->nr_slots;
}

/* The bytes of the first and last slot next to the buffer, at most GUARD_BYTES each. */
struct guards {
    uint8_t *before, *after;
    uint32_t nr_before, nr_after;
};

static struct guards guards_of(const struct pool *pool, dma_addr_t dma, uint32_t size)
{
    uint32_t start = (uint32_t)(dma - pool->base);
    uint32_t end = start + size;
    struct guards g;

    g.nr_before = MIN(start % BOUNCE_SLOT_BYTES, GUARD_BYTES);
    g.nr_after = MIN(ALIGN_UP(end, BOUNCE_SLOT_BYTES) - end, GUARD_BYTES);
    g.before = pool->virt + start - g.nr_before;
    g.after = pool->virt + end;
    return g;
}

static bool is_pattern(const uint8_t *bytes, uint32_t count)
{
    while (count > 0) {
        if (bytes[--count] != GUARD_PATTERN)
            return false;
    }
    return true;
}

static int alloc_from(struct pool *pool, const struct device *dev, phys_addr_t phys, uint32_t size,
                      struct bounce_room *bounce)
{
    uint32_t offset = kept_offset(dev, phys, size);
    uint32_t count = slots_of(offset, size);
    uint32_t flags = dma_lock_take(&pool->lock);
    uint32_t slot = find_run(pool, dev, pool->next_slot, offset, size);
    struct guards g;

    if (slot == pool->nr_slots)
        slot = find_run(pool, dev, 0, offset, size);
    if (slot == pool->nr_slots) {
        dma_lock_release(&pool->lock, flags);
        return -ENOSPC;
    }
    bitmap_set_range(pool->used, slot, count);
    pool->used_slots += count;
    pool->peak_slots = MAX(pool->peak_slots, pool->used_slots);
    pool->next_slot = (slot + count) % pool->nr_slots;
    dma_lock_release(&pool->lock, flags);

    bounce->dma = pool->base + (uint64_t)slot * BOUNCE_SLOT_BYTES + offset;
    bounce->virt = pool->virt + slot * BOUNCE_SLOT_BYTES + offset;
    g = guards_of(pool, bounce->dma, size);
    memset(g.before, GUARD_PATTERN, g.nr_before);
    memset(g.after, GUARD_PATTERN, g.nr_after);
    return 0;
}

int bounce_alloc(const struct device *dev, phys_addr_t phys, uint32_t size,
                 struct bounce_room *bounce)
{
    int err = -ERANGE;

    /* The wide pool first: what it serves leaves the low one to those who have nothing else. */
    for (unsigned i = NR_POOLS; i-- > 0;) {
        struct pool *pool = &pools[i];

        if (pool->nr_slots == 0 ||
            pool->base + (uint64_t)pool->nr_slots * BOUNCE_SLOT_BYTES - 1 > dev->dma_mask)
            continue;
        err = alloc_from(pool, dev, phys, size, bounce);
        if (!err)
            return 0;
    }
    return err;
}

static bool pool_holds(const struct pool *pool, dma_addr_t dma)
{
    return dma >= pool->base && dma - pool->base < (uint64_t)pool->nr_slots * BOUNCE_SLOT_BYTES;
}

/* Whose `dma` is: what bounce_alloc() gave out, so if no other pool holds it, the last one does.
 */
static struct pool *pool_of(dma_addr_t dma)
{
    struct pool *pool = pools;

    while (pool < &pools[NR_POOLS - 1] && !pool_holds(pool, dma))
        pool++;
    return pool;
}

void *bounce_virt(dma_addr_t dma)
{
    struct pool *pool = pool_of(dma);

    return pool->virt + (uint32_t)(dma - pool->base);
}

bool bounce_guards_intact(dma_addr_t dma, uint32_t size)
{
    struct guards g = guards_of(pool_of(dma), dma, size);

    return is_pattern(g.before, g.nr_before) && is_pattern(g.after, g.nr_after);
}

void bounce_free(dma_addr_t dma, uint32_t size)
{
    struct pool *pool = pool_of(dma);
    uint32_t start = (uint32_t)(dma - pool->base);
    uint32_t count = slots_of(start % BOUNCE_SLOT_BYTES, size);
    uint32_t flags;

    if (inject(bounce_keep_slots, dma_bounce))
        return;
    flags = dma_lock_take(&pool->lock);
    bitmap_clear_range(pool->used, start / BOUNCE_SLOT_BYTES, count);
    pool->used_slots -= count;
    dma_lock_release(&pool->lock, flags);
}

bool bounce_pool_info(unsigned index, struct bounce_pool_info *info)
{
    if (index >= NR_POOLS || pools[index].nr_slots == 0)
        return false;
    info->base = pools[index].base;
    info->size_bytes = pools[index].nr_slots * BOUNCE_SLOT_BYTES;
    info->used_bytes = pools[index].used_slots * BOUNCE_SLOT_BYTES;
    info->peak_bytes = pools[index].peak_slots * BOUNCE_SLOT_BYTES;
    return true;
}
