/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DRIVERS_BOUNCE_H
#define DRIVERS_BOUNCE_H

/*
 * The bounce pools, for the DMA mapping API alone: lowmem under a mask, in slots of a page.
 *
 * A pool consists of areas, each a block of the page allocator. It begins with one. When no run of
 * slots is free that a mapping needs, it gets another one, up to its limit, and keeps it.
 *
 *     pool "low"   |area|      |area|           below 16 MiB, for masks from 24 bits on
 *     pool "wide"       |  area  | |  area  |   below 256 MiB, for masks from 28 bits on
 *
 * A slot is taken by setting its bit in its area's map. In the pool's quick area, its first, that
 * is done at once, so that interrupts and other processors may take and give back at any time; what
 * is more than a slot in a page, and all in the other areas, is for drivers/bounce_run.h. Slots are
 * tried from behind the last one on: one that was given back is not used again at once, so that a
 * device that is late is more likely to be noticed.
 *
 * A bounced buffer lies at the same offset into its first slot as the original into its page, so
 * that a device sees the alignment that its driver chose.
 */

#include "drivers/bounce_run.h"
#include "drivers/dma.h"
#include "paging/page_alloc.h"

#define BOUNCE_SLOT_BYTES PAGE_SIZE
#define BOUNCE_MAX_SLOTS (1u << MAX_ORDER)
#define BOUNCE_MAX_AREAS 24u

/* All of the pools end here: an address above is of no pool. */
#define BOUNCE_END MIB(256)
#ifndef BOUNCE_GRANULE_PAGES     /* the host's model has small pools */
#define BOUNCE_GRANULE_PAGES 32u /* areas are multiples of it */
#define BOUNCE_LOW_ORDER 6u      /* largest areas */
#define BOUNCE_WIDE_ORDER 8u
#define BOUNCE_MIN_ORDER 5u
#define BOUNCE_LOW_LIMIT MIB(1)
#define BOUNCE_WIDE_LIMIT MIB(8)
#endif

struct bounce_area {
    pfn_t first; /* page of the direct map and of the bus */
    uint32_t nr_slots;
    uint32_t quick_slots; /* as many in the quick area, none in the others */
    uint32_t first_word;  /* number of its first one in the pool */
    uint8_t *virt;
    uint32_t *owner; /* one for each slot: whose mapping begins there, the tracker's */
    struct bounce_pool *pool;
    uint32_t taken[BOUNCE_MAX_SLOTS / 32 + 1]; /* what is behind nr_slots is never free */
};

/*
 * How many slots are in use is not counted by itself: below_peak says how many less than the most
 * ever, and so one step of it, and its sign, are all that taking a slot costs. While threads wait
 * for slots it is lower by BOUNCE_WAITED for each, so that giving one back sees a sign as well.
 */
#define BOUNCE_WAITED 0x10000

struct bounce_pool {
    struct bounce_area *current; /* the quick area, NULL if there is none */
    uint32_t hand;               /* the slot of it to try next */
    int32_t below_peak;
    uint32_t peak_slots;
    uint32_t waiting;
    struct bounce_runs runs;
};

/* The area that each granule of memory is in, or one with no slots. */
#define BOUNCE_GRANULES ((BOUNCE_END >> PAGE_SHIFT) / BOUNCE_GRANULE_PAGES)
extern struct bounce_area *bounce_area_at[BOUNCE_GRANULES];

/*
 * The area that a page of the bus is in, and the number of its slot. What is not in a pool comes to
 * an area as well, but its number is not below that area's nr_slots.
 */
static inline struct bounce_area *bounce_area_near(pfn_t pfn, uint32_t *number)
{
    struct bounce_area *area = bounce_area_at[pfn / BOUNCE_GRANULE_PAGES % BOUNCE_GRANULES];

    *number = pfn - area->first;
    return area;
}

/* The area that a page of the bus is in, or NULL. */
static inline struct bounce_area *bounce_area_of(pfn_t pfn)
{
    uint32_t number;
    struct bounce_area *area = bounce_area_near(pfn, &number);

    return number < area->nr_slots ? area : NULL;
}

/* The same of an address of the bus. */
static inline struct bounce_area *bounce_area_of_dma(dma_addr_t dma)
{
    return addr_number(dma) < BOUNCE_END ? bounce_area_of(phys_to_pfn(dma_to_phys(dma))) : NULL;
}

/* The owner of the slot that an address in the area is in. */
static inline uint32_t *bounce_owner(const struct bounce_area *area, dma_addr_t dma)
{
    return &area->owner[phys_to_pfn(dma_to_phys(dma)) - area->first];
}

/*
 * Wakes all threads that sleep for slots of the pool: what came free may be nothing for the first,
 * which wants more or has another mask, and enough for the next one.
 */
void bounce_wake(const struct bounce_pool *pool);

/* Who slept for slots is gone: a fault ended it. Context: thread, none sleeps. */
void bounce_forget_sleepers(void);

/* The slots that are in use are the most ever, or threads wait. */
void bounce_new_peak(struct bounce_pool *pool);

/* Counts slots that were taken, and slots that were given back. */
static inline void bounce_count_taken(struct bounce_pool *pool, int32_t slots)
{
    if (unlikely(__atomic_sub_fetch(&pool->below_peak, slots, __ATOMIC_RELAXED) < 0))
        bounce_new_peak(pool);
}

static inline void bounce_count_given(struct bounce_pool *pool, int32_t slots)
{
    if (unlikely(__atomic_add_fetch(&pool->below_peak, slots, __ATOMIC_RELAXED) < 0))
        bounce_wake(pool);
}

/* True if `size` bytes at `addr` do not lie in one block of the device's boundary. */
bool dma_crosses_boundary(const struct device *dev, dma_addr_t addr, uint32_t size);

/*
 * Finds the pool whose every area, of now and of later, the device reaches and has no boundary in
 * that a buffer within a page could cross. NULL if there is none.
 */
struct bounce_pool *bounce_quick_pool(const struct device *dev);

/*
 * Gets slots for `size` bytes under the device's mask, within its boundary, aligned like `phys`.
 * Returns 0, -ERANGE when no pool is under the mask or none could ever hold as much, -ENOSPC when
 * there are no slots. may_sleep: as in DMA_ATTR_MAY_SLEEP.
 */
int bounce_alloc(const struct device *dev, phys_addr_t phys, uint32_t size, bool may_sleep,
                 dma_addr_t *dma);

/* Gives the slots of the `size` bytes at `dma` back. */
void bounce_free(dma_addr_t dma, uint32_t size);

/* The most that a mapping of the device can ever bounce in one piece, 0 if it can't. */
uint32_t bounce_max_bytes(const struct device *dev);

#endif
