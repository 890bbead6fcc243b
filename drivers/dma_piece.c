/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The quick paths of mapping and unmapping: a buffer within one page, nothing unusual. What does
 * not fit goes on in drivers/dma_map.c from the beginning, so nothing may have been done by then.
 *
 * The long ways are tail calls with the same arguments, so that CALLER() is the driver there too,
 * and the short ones need no frame of their own.
 */
#include "drivers/bounce.h"
#include "drivers/bounce_copy.h"
#include "drivers/dma_internal.h"
#include "drivers/dma_track.h"
#include "lib/bitmap.h"
#include "lib/inject.h"
#include "lib/string.h"
#include "paging/kmap_local.h"

#define CALLER() __builtin_return_address(0)
#define NOINLINE __attribute__((noinline))

static uint32_t piece_offset(uint32_t piece)
{
    return piece >> DMA_PIECE_OFFSET_SHIFT;
}

static uint32_t piece_size(uint32_t piece)
{
    return piece >> DMA_PIECE_SIZE_SHIFT & DMA_PIECE_SIZE_MASK;
}

static enum dma_data_direction piece_dir(uint32_t piece)
{
    return (enum dma_data_direction)(piece & DMA_PIECE_DIR_MASK);
}

NOINLINE dma_addr_t dma_map_slowly(struct device *dev, struct page *page, uint32_t piece)
{
    return dma_map_one(dev, page_to_phys(page) + piece_offset(piece), piece_size(piece),
                       piece_dir(piece), 0, CALLER());
}

static NOINLINE void unmap_slowly(struct device *dev, pfn_t pfn, uint32_t piece)
{
    dma_unmap_one(dev, phys_to_dma(pfn_to_phys(pfn)) + piece_offset(piece), piece_size(piece),
                  piece_dir(piece), 0, CALLER());
}

#define NO_SLOT UINT32_MAX

/* Takes the first free slot of the area from `hand` on, or before it. */
static NOINLINE uint32_t search_slot(struct bounce_area *area, uint32_t hand)
{
    for (unsigned rounds = 0; rounds < 2; rounds++) {
        uint32_t free = bitmap_next_clear(area->taken, hand, area->nr_slots);

        while (free < area->nr_slots) {
            if (!atomic_bit_set(area->taken, free))
                return free;
            free = bitmap_next_clear(area->taken, free, area->nr_slots);
        }
        hand = 0;
    }
    return NO_SLOT;
}

static inline void put_slot(struct bounce_area *area, uint32_t number)
{
    if (inject(bounce_keep_slots, dma_bounce))
        return;
    atomic_bit_clear(area->taken, number);
    bounce_count_given(area->pool, 1);
}

/* Whole pages have their marks at constant places. */
#define LAST_MARK (PAGE_SIZE - BOUNCE_MARK_BYTES)
_Static_assert(PAGE_SIZE == 4 * BOUNCE_MARK_STEP, "a page has four marks, and the last");

static inline atomic_half_t *mark_at(uint8_t *slot, uint32_t place)
{
    return (atomic_half_t *)(slot + place);
}

static inline void write_mark(atomic_half_t *mark, uint32_t low, uint32_t high)
{
    mark[0] = low;
    mark[1] = high;
}

static inline void mark_page(uint8_t *slot)
{
    uint32_t low = bounce_marks[0], high = bounce_marks[1];

    if (inject(bounce_skip_marks, dma_bounce))
        return;
    write_mark(mark_at(slot, 0), low, high);
    write_mark(mark_at(slot, BOUNCE_MARK_STEP), low, high);
    write_mark(mark_at(slot, 2 * BOUNCE_MARK_STEP), low, high);
    write_mark(mark_at(slot, 3 * BOUNCE_MARK_STEP), low, high);
    write_mark(mark_at(slot, LAST_MARK), low, high);
}

/* True if one may be there: half of a mark is enough for the long way to look again. */
static inline bool page_may_have_mark(uint8_t *slot)
{
    uint32_t low = bounce_marks[0];

    return *mark_at(slot, 0) == low || *mark_at(slot, BOUNCE_MARK_STEP) == low ||
           *mark_at(slot, 2 * BOUNCE_MARK_STEP) == low ||
           *mark_at(slot, 3 * BOUNCE_MARK_STEP) == low || *mark_at(slot, LAST_MARK) == low;
}

static struct bounced bounced_of(struct device *dev, uint8_t *slot, pfn_t pfn, uint32_t piece)
{
    return (struct bounced){.dev = dev,
                            .phys = pfn_to_phys(pfn) + piece_offset(piece),
                            .slot = slot,
                            .size = piece_size(piece)};
}

/* A slot for the device to write to, but not to all of it. */
static NOINLINE bool prepare_slot(struct device *dev, uint8_t *slot, pfn_t pfn, uint32_t piece)
{
    struct bounced b = bounced_of(dev, slot, pfn, piece);

    bounce_guard(&b);
    if (piece_dir(piece) == DMA_BIDIRECTIONAL || b.size < BOUNCE_MARK_BYTES)
        return bounce_copy_in(&b, 0, b.size);
    bounce_mark(&b, 0, b.size);
    return true;
}

/* True if such a slot is as it should be after the device wrote to it. */
static NOINLINE bool slot_is_fine(struct device *dev, uint8_t *slot, pfn_t pfn, uint32_t piece)
{
    struct bounced b = bounced_of(dev, slot, pfn, piece);

    if (!bounce_guards_intact(&b))
        return false;
    return piece_dir(piece) == DMA_BIDIRECTIONAL || bounce_find_mark(&b, 0, b.size) == b.size;
}

static inline bool is_page_from_device(uint32_t piece)
{
    return (piece | DMA_PIECE_BOUNCED) ==
           (dma_piece(0, PAGE_SIZE, DMA_FROM_DEVICE) | DMA_PIECE_BOUNCED);
}

/* Most pieces are whole words. */
static inline void copy_bytes(uint8_t *to, const uint8_t *from, uint32_t bytes)
{
#if !__STDC_HOSTED__
    uint32_t words = bytes / 4;

    if (likely(bytes % 4 == 0)) {
        __asm__ volatile("rep movsl" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
        return;
    }
#endif
    memcpy(to, from, bytes);
}

/* The long way with a window: lowmem, which has none, or all of them in use. */
static NOINLINE bool copy_in_slowly(struct device *dev, uint8_t *slot, pfn_t pfn, uint32_t piece)
{
    struct bounced b = bounced_of(dev, slot, pfn, piece);

    return bounce_copy_in(&b, 0, b.size);
}

static NOINLINE void copy_out_slowly(struct device *dev, uint8_t *slot, pfn_t pfn, uint32_t piece)
{
    struct bounced b = bounced_of(dev, slot, pfn, piece);

    if (!bounce_copy_out(&b, 0, b.size))
        __atomic_add_fetch(&dev->counters.errors, 1, __ATOMIC_RELAXED);
}

static inline bool copy_in(struct device *dev, uint8_t *slot, pfn_t pfn, uint32_t piece)
{
    uint8_t *window;

    if (unlikely(pfn < max_low_pfn || inject(bounce_skip_copy_to, dma_bounce)))
        return copy_in_slowly(dev, slot, pfn, piece);
    window = kmap_local_begin(pfn);
    if (unlikely(!window))
        return false;
    copy_bytes(slot, window + piece_offset(piece), piece_size(piece));
    kmap_local_end(window);
    atomic64_add(&dev->counters.bounced_bytes, piece_size(piece));
    return true;
}

static inline void copy_out(struct device *dev, uint8_t *slot, pfn_t pfn, uint32_t piece)
{
    uint8_t *window;

    if (unlikely(pfn < max_low_pfn || inject(bounce_skip_copy_from, dma_bounce))) {
        copy_out_slowly(dev, slot, pfn, piece);
        return;
    }
    window = kmap_local_begin(pfn);
    if (unlikely(!window)) {
        copy_out_slowly(dev, slot, pfn, piece);
        return;
    }
    copy_bytes(window + piece_offset(piece), slot, piece_size(piece));
    kmap_local_end(window);
    atomic64_add(&dev->counters.bounced_bytes, piece_size(piece));
}

/* What has its bucket and its slot after all had no window to its page. */
static NOINLINE dma_addr_t map_again(struct device *dev, struct page *page, uint32_t piece)
{
    uint32_t bucket = dma_bucket(page_to_pfn(page));
    uint32_t number;
    struct bounce_area *area = bounce_area_near(dma_bucket_home[bucket], &number);

    __atomic_sub_fetch(&dev->counters.bounced, 1, __ATOMIC_RELAXED);
    dma_release(bucket);
    put_slot(area, number);
    return dma_map_slowly(dev, page, piece);
}

/* Where a page of a pool is: in the lowest 256 MiB. Shorter than by way of phys_addr_t. */
static inline uint8_t *slot_virt(pfn_t home, uint32_t piece)
{
    return (uint8_t *)((home << PAGE_SHIFT | piece_offset(piece)) + layout.direct_offset);
}

/* Gives the slot what the device is to read, or marks where it is to write. */
static inline bool fill_slot(struct device *dev, uint8_t *slot, pfn_t pfn, uint32_t piece,
                             bool is_read)
{
    if (is_read)
        return copy_in(dev, slot, pfn, piece);
    if (unlikely(!is_page_from_device(piece)))
        return prepare_slot(dev, slot, pfn, piece);
    mark_page(slot);
    return true;
}

DMA_INLINE dma_addr_t map_piece(struct device *dev, struct page *page, uint32_t piece, bool is_read)
{
    struct bounce_pool *pool = dev->quick_pool;
    pfn_t pfn = page_to_pfn(page), home;
    uint32_t bucket = dma_bucket(pfn), number;
    struct bounce_area *area;

    if (unlikely(!pool || !dma_claim(bucket, pfn, piece | DMA_PIECE_BOUNCED)))
        return dma_map_slowly(dev, page, piece);
    area = pool->current;
    number = pool->hand;
    if (unlikely(atomic_bit_set(area->taken, number))) {
        number = search_slot(area, number);
        if (number == NO_SLOT) {
            dma_release(bucket);
            return dma_map_slowly(dev, page, piece);
        }
    }
    pool->hand = number + 1;
    bounce_count_taken(pool, 1);
    area->owner[number] = pfn;
    home = area->first + number;
    dma_bucket_home[bucket] = home;
    dma_bucket_who[bucket].dev = dev;
    dma_bucket_who[bucket].caller = CALLER();
    __atomic_add_fetch(&dev->counters.bounced, 1, __ATOMIC_RELAXED);
    if (unlikely(!fill_slot(dev, slot_virt(home, piece), pfn, piece, is_read)))
        return map_again(dev, page, piece);
    return dma_make(home << PAGE_SHIFT | piece_offset(piece));
}

dma_addr_t dma_map_to_piece(struct device *dev, struct page *page, uint32_t piece)
{
    return map_piece(dev, page, piece, true);
}

dma_addr_t dma_map_from_piece(struct device *dev, struct page *page, uint32_t piece)
{
    return map_piece(dev, page, piece, false);
}

/* True if no guard is damaged and no mark may be left. */
static inline bool is_written(struct device *dev, pfn_t home, pfn_t pfn, uint32_t piece)
{
    uint8_t *slot = slot_virt(home, piece);

    if (likely(is_page_from_device(piece)))
        return !page_may_have_mark(slot);
    return slot_is_fine(dev, slot, pfn, piece);
}

/*
 * A live mapping with the slot as its home is the only one that has it, and was the last to become
 * its owner. So the bucket that the owner leads to need not be compared with the owner.
 */
DMA_INLINE void unmap_piece(struct device *dev, pfn_t home, uint32_t piece, bool is_read)
{
    uint32_t bucket, number;
    struct bounce_area *area = bounce_area_near(home, &number);
    pfn_t pfn;

    if (unlikely(number >= area->quick_slots)) {
        unmap_slowly(dev, home, piece);
        return;
    }
    pfn = area->owner[number];
    bucket = dma_bucket(pfn);
    if (unlikely(dma_bucket_home[bucket] != home || dma_bucket_who[bucket].dev != dev ||
                 atomic64_low(&dma_bucket_key[bucket]) != (piece | DMA_PIECE_BOUNCED) ||
                 (!is_read && !is_written(dev, home, pfn, piece)))) {
        unmap_slowly(dev, home, piece);
        return;
    }
    dma_bucket_who[bucket].caller = CALLER();
    if (unlikely(!dma_release(bucket))) {
        unmap_slowly(dev, home, piece);
        return;
    }
    /* Said twice, because all is constant in the first. */
    if (!is_read && likely(is_page_from_device(piece)))
        copy_out(dev, slot_virt(home, 0), pfn, dma_piece(0, PAGE_SIZE, DMA_FROM_DEVICE));
    else if (!is_read)
        copy_out(dev, slot_virt(home, piece), pfn, piece);
    put_slot(area, number);
    __atomic_add_fetch(&dev->counters.unmaps, 1, __ATOMIC_RELAXED);
}

void dma_unmap_to_piece(struct device *dev, pfn_t home, uint32_t piece)
{
    unmap_piece(dev, home, piece, true);
}

void dma_unmap_from_piece(struct device *dev, pfn_t home, uint32_t piece)
{
    unmap_piece(dev, home, piece, false);
}

#if __STDC_HOSTED__
dma_addr_t dma_map_page(struct device *dev, struct page *page, uint32_t offset, uint32_t size,
                        enum dma_data_direction dir)
{
    return dma_map_quickly(dev, page, offset, size, dir);
}

void dma_unmap_page(struct device *dev, dma_addr_t addr, uint32_t size, enum dma_data_direction dir)
{
    dma_unmap_quickly(dev, addr, size, dir);
}
#endif
