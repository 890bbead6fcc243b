/* SPDX-License-Identifier: BSD-2-Clause */
#include "drivers/bounce.h"
#include "drivers/bounce_copy.h"
#include "drivers/dma_lock.h"
#include "lib/errno.h"
#include "lib/inject.h"
#include "lib/string.h"
#include "lib/x86/percpu.h"
#include "paging/page_alloc.h"
#include "paging/preempt.h"
#include "paging/wait.h"

enum { POOL_LOW, POOL_WIDE, NR_POOLS };

/* Where a pool's areas may lie, and how large and how many they are. */
struct pool_place {
    phys_addr_t min;
    phys_addr_t ends[3]; /* tried from the lowest on: a low area serves the narrowest masks */
    unsigned max_order, min_order;
    uint32_t limit_slots;
};

static const struct pool_place places[NR_POOLS] = {
    /* 24 bits, for ISA; from 1 MiB on, to leave the scarce first MiB alone */
    [POOL_LOW] = {phys_make(MIB64(1)),
                  {phys_make(MIB64(16))},
                  BOUNCE_LOW_ORDER,
                  BOUNCE_MIN_ORDER,
                  BOUNCE_LOW_LIMIT / BOUNCE_SLOT_BYTES},
    /* 28 bits and wider */
    [POOL_WIDE] = {phys_make(MIB64(16)),
                   {phys_make(MIB64(32)), phys_make(MIB64(64)), phys_make(BOUNCE_END)},
                   BOUNCE_WIDE_ORDER,
                   BOUNCE_MIN_ORDER,
                   BOUNCE_WIDE_LIMIT / BOUNCE_SLOT_BYTES},
};

static struct bounce_area no_area;
struct bounce_area *bounce_area_at[BOUNCE_GRANULES];
static struct bounce_area areas[BOUNCE_MAX_AREAS];
static unsigned nr_areas;

static struct bounce_pool pools[NR_POOLS];
static uint32_t pool_slots[NR_POOLS]; /* of all areas */

/* Growing, and runs. Single slots of a quick area are taken and given back without it. */
static struct dma_lock lock;

/* Threads that sleep for slots of any pool. */
static struct wait_queue sleepers = WAIT_QUEUE_INIT(sleepers);

static struct page *area_block(const struct pool_place *place, unsigned order)
{
    for (unsigned i = 0; i < ARRAY_SIZE(place->ends) && place->ends[i]; i++) {
        struct page *page = alloc_pages_in(order, place->min, place->ends[i]);

        if (page)
            return page;
    }
    return NULL;
}

static unsigned owner_order(unsigned order)
{
    uint32_t bytes = sizeof(uint32_t) << order;
    unsigned pages = 0;

    while (PAGE_SIZE << pages < bytes)
        pages++;
    return pages;
}

/* Whether one more area is within the pool's limit, and has a place in the table. */
static bool may_open(unsigned pool, unsigned order)
{
    return nr_areas < BOUNCE_MAX_AREAS &&
           pool_slots[pool] + (1u << order) <= places[pool].limit_slots;
}

/*
 * Enters a block as an area of the pool. False if another thread took the place for it while this
 * one was in the page allocator. Context: thread.
 */
static bool area_open(unsigned pool, struct page *page, unsigned order, uint32_t *owners)
{
    uint32_t flags = dma_lock_take(&lock);
    struct bounce_area *area = &areas[nr_areas];

    if (!may_open(pool, order)) {
        dma_lock_release(&lock, flags);
        return false;
    }
    area->first = page_to_pfn(page);
    area->nr_slots = 1u << order;
    area->pool = &pools[pool];
    area->virt = page_address(page);
    area->owner = owners;
    if (!pools[pool].current && order <= places[pool].max_order)
        area->quick_slots = area->nr_slots;
    memset(area->taken, UINT8_MAX, sizeof(area->taken));
    memset(area->taken, 0, area->nr_slots / 8);
    pool_slots[pool] += area->nr_slots;
    nr_areas++;
    for (uint32_t at = 0; at < area->nr_slots; at += BOUNCE_GRANULE_PAGES)
        bounce_area_at[(area->first + at) / BOUNCE_GRANULE_PAGES] = area;
    bounce_run_add(area);
    if (area->quick_slots > 0)
        pools[pool].current = area;
    dma_lock_release(&lock, flags);
    return true;
}

/*
 * Gives the pool one more area, with room for a run of `count` slots, if another thread has not
 * done so meanwhile. Returns false where there is no memory, the pool is as large as it may be, or
 * the caller has interrupted somebody who may be at work in the page allocator.
 */
static bool pool_grow(unsigned pool, uint32_t count)
{
    const struct pool_place *place = &places[pool];
    unsigned least = MAX(place->min_order, bounce_order(count));

    if (!may_open(pool, least) || this_cpu()->irq_depth > 0 ||
        (pool_slots[pool] && inject(bounce_never_grow, dma_bounce)))
        return false;
    for (unsigned order = MAX(least, place->max_order); order + 1 > least; order--) {
        struct page *page;
        uint32_t *owners;

        if (!may_open(pool, order))
            continue;
        page = area_block(place, order);
        if (!page)
            continue;
        owners = __get_free_pages(GFP_KERNEL | __GFP_ZERO, owner_order(order));
        if (owners && area_open(pool, page, order, owners))
            return true;
        __free_pages(page, order);
        if (owners) {
            free_pages(owners, owner_order(order));
            return true;
        }
    }
    return false;
}

int dma_init(void)
{
    unsigned opened = 0;

    bounce_copy_init();
    for (unsigned i = 0; i < BOUNCE_GRANULES; i++)
        bounce_area_at[i] = &no_area;
    for (unsigned i = 0; i < NR_POOLS; i++) {
        if (pool_grow(i, 1))
            opened++;
    }
    return opened ? 0 : -ENOMEM;
}

bool dma_crosses_boundary(const struct device *dev, dma_addr_t addr, uint32_t size)
{
    uint64_t block_mask = dev->segment_boundary_mask;

    if (block_mask == 0 || inject(dma_cross_boundary, dma_bounce))
        return false;
    if (inject(dma_boundary_off_by_one, dma_bounce))
        size--;
    return (addr_number(addr) & block_mask) + size - 1 > block_mask;
}

static phys_addr_t pool_end(unsigned pool)
{
    phys_addr_t end = 0;

    for (unsigned i = 0; i < ARRAY_SIZE(places[pool].ends); i++)
        end = MAX(end, places[pool].ends[i]);
    return end;
}

struct bounce_pool *bounce_quick_pool(const struct device *dev)
{
    if (dev->segment_boundary_mask && dev->segment_boundary_mask < PAGE_MASK)
        return NULL;
    for (unsigned i = NR_POOLS; i-- > 0;) {
        if (pools[i].current &&
            (phys_to_dma(pool_end(i)) - 1 <= dev->dma_mask || inject(bounce_quick_any, dma_bounce)))
            return &pools[i];
    }
    return NULL;
}

/* How much of the original's alignment the bounced buffer can keep and still fit its boundary. */
static uint32_t kept_offset(const struct device *dev, phys_addr_t phys, uint32_t size)
{
    static const uint32_t keep_masks[] = {BOUNCE_SLOT_BYTES - 1, 63, 7};

    for (unsigned i = 0; i < ARRAY_SIZE(keep_masks); i++) {
        uint32_t offset = (uint32_t)addr_number(phys) & keep_masks[i];

        if (!inject_on_host(bounce_lose_offset) &&
            !dma_crosses_boundary(dev, dma_make(offset), size))
            return offset;
    }
    return 0;
}

static uint32_t slots_of(uint32_t offset, uint32_t size)
{
    return (uint32_t)(((uint64_t)offset + size + BOUNCE_SLOT_BYTES - 1) / BOUNCE_SLOT_BYTES);
}

/*
 * Takes slots in an area of the pool for what is to be at `offset` in the first of them. Returns 0,
 * -ENOSPC, or -ERANGE if no area is under the mask.
 */
static int take_in_pool(struct bounce_pool *pool, const struct device *dev, uint32_t offset,
                        uint32_t size, dma_addr_t *dma)
{
    uint32_t count = slots_of(offset, size);
    uint32_t flags = dma_lock_take(&lock);
    pfn_t first;
    int err = bounce_run_take(pool, dev->dma_mask, count, &first);

    dma_lock_release(&lock, flags);
    if (err)
        return err;
    bounce_count_taken(pool, (int32_t)count);
    *dma = phys_to_dma(pfn_to_phys(first)) + offset;
    return 0;
}

static int try_alloc(const struct device *dev, phys_addr_t phys, uint32_t size, dma_addr_t *dma)
{
    uint32_t offset = kept_offset(dev, phys, size);
    int result = -ERANGE;

    /* A run has no boundary in it that it does not begin at. */
    if (dma_crosses_boundary(dev, dma_make(offset), size))
        return -ERANGE;
    /* The wide pool first: what it serves leaves the low one to those who have nothing else. */
    for (unsigned i = NR_POOLS; i-- > 0;) {
        int err = take_in_pool(&pools[i], dev, offset, size, dma);

        /* An area that is new is tried once; where it came to lie was not for us to choose. */
        if (err && phys_to_dma(pool_end(i)) - 1 <= dev->dma_mask &&
            pool_grow(i, slots_of(offset, size)))
            err = take_in_pool(&pools[i], dev, offset, size, dma);
        if (!err)
            return 0;
        if (err != -ERANGE)
            result = err;
    }
    return size > bounce_max_bytes(dev) ? -ERANGE : result;
}

static void count_waiting(struct bounce_pool *pool, int threads)
{
    pool->waiting += (uint32_t)threads;
    __atomic_sub_fetch(&pool->below_peak, threads * BOUNCE_WAITED, __ATOMIC_SEQ_CST);
}

static int32_t below_peak(const struct bounce_pool *pool)
{
    return pool->below_peak + (int32_t)pool->waiting * BOUNCE_WAITED;
}

void bounce_new_peak(struct bounce_pool *pool)
{
    int32_t now = __atomic_load_n(&pool->below_peak, __ATOMIC_RELAXED);
    int32_t zero = -(int32_t)pool->waiting * BOUNCE_WAITED;

    while (now < zero && !inject(bounce_keep_peak, dma_bounce)) {
        if (!__atomic_compare_exchange_n(&pool->below_peak, &now, zero, false, __ATOMIC_RELAXED,
                                         __ATOMIC_RELAXED))
            continue;
        __atomic_add_fetch(&pool->peak_slots, (uint32_t)(zero - now), __ATOMIC_RELAXED);
        return;
    }
}

int bounce_alloc(const struct device *dev, phys_addr_t phys, uint32_t size, bool may_sleep,
                 dma_addr_t *dma)
{
    int err = try_alloc(dev, phys, size, dma);
    uint32_t flags;

    if (err != -ENOSPC || !may_sleep)
        return err;
    /* From here on whoever gives slots back wakes a sleeper, and so nobody may until we sleep. */
    preempt_disable();
    flags = irq_save();
    for (unsigned i = 0; i < NR_POOLS; i++)
        count_waiting(&pools[i], 1);
    do {
        err = try_alloc(dev, phys, size, dma);
    } while (err == -ENOSPC && wait_sleep(&sleepers));
    for (unsigned i = 0; i < NR_POOLS; i++)
        count_waiting(&pools[i], -1);
    irq_restore(flags);
    preempt_enable();
    return err;
}

void bounce_wake(const struct bounce_pool *pool)
{
    uint32_t left = pool->waiting;

    for (; left > 0 && !inject(bounce_lose_wakeup, dma_bounce); left--)
        wait_wake(&sleepers);
}

void bounce_forget_sleepers(void)
{
    for (unsigned i = 0; i < NR_POOLS; i++)
        count_waiting(&pools[i], -(int)pools[i].waiting);
}

void bounce_free(dma_addr_t dma, uint32_t size)
{
    struct bounce_area *area = bounce_area_of_dma(dma);
    uint32_t count = slots_of(offset_in_page(dma), size);
    uint32_t flags;

    if (!area || inject(bounce_keep_slots, dma_bounce))
        return;
    flags = dma_lock_take(&lock);
    bounce_run_give(area, phys_to_pfn(dma_to_phys(dma)) - area->first, count);
    dma_lock_release(&lock, flags);
    if (inject(bounce_free_twice, dma_bounce))
        bounce_count_given(area->pool, (int32_t)count);
    bounce_count_given(area->pool, (int32_t)count);
}

/* Slots of the largest area that the pool could still get, 0 if it gets none. */
static uint32_t largest_to_come(unsigned pool)
{
    unsigned order = MAX_ORDER;

    while (order >= places[pool].min_order && !may_open(pool, order))
        order--;
    return order < places[pool].min_order ? 0 : 1u << order;
}

uint32_t bounce_max_bytes(const struct device *dev)
{
    uint64_t boundary = (uint64_t)dev->segment_boundary_mask + 1;
    uint32_t slots = 0, bytes;

    for (unsigned i = 0; i < NR_POOLS; i++) {
        slots = MAX(slots, bounce_reach(&pools[i], dev->dma_mask)->slots);
        if (pool_slots[i] && phys_to_dma(pool_end(i)) - 1 <= dev->dma_mask)
            slots = MAX(slots, largest_to_come(i));
    }
    if (slots == 0)
        return 0;
    /* A buffer that is not at the start of a slot takes one more. */
    bytes = (slots - 1) * BOUNCE_SLOT_BYTES;
    return boundary > 1 && boundary < bytes ? (uint32_t)boundary : bytes;
}

bool bounce_pool_info(unsigned index, struct bounce_pool_info *info)
{
    if (index >= NR_POOLS || pool_slots[index] == 0)
        return false;
    *info = (struct bounce_pool_info){
        .base = DMA_MAPPING_ERROR,
        .size_bytes = pool_slots[index] * BOUNCE_SLOT_BYTES,
        .used_bytes =
            (pools[index].peak_slots - (uint32_t)below_peak(&pools[index])) * BOUNCE_SLOT_BYTES,
        .peak_bytes = pools[index].peak_slots * BOUNCE_SLOT_BYTES,
        .limit_bytes = places[index].limit_slots * BOUNCE_SLOT_BYTES,
    };
    for (unsigned i = 0; i < nr_areas; i++) {
        const struct bounce_area *area = &areas[i];
        dma_addr_t base = phys_to_dma(pfn_to_phys(area->first));
        dma_addr_t end = base + (uint64_t)area->nr_slots * BOUNCE_SLOT_BYTES;

        if (area->pool != &pools[index])
            continue;
        info->areas++;
        info->base = MIN(info->base, base);
        info->end = MAX(info->end, end);
    }
    return true;
}
