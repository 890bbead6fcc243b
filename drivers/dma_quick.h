/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DRIVERS_DMA_QUICK_H
#define DRIVERS_DMA_QUICK_H

/*
 * The quick paths, for drivers/dma.h alone, which includes this: mapping and unmapping a buffer
 * that lies in one page and that the device reaches, as inline code. Everything else takes the long
 * way, which can do all of it.
 *
 * A mapping within one page goes into the bucket of that page, by one compare and exchange of its
 * key: no lock, so interrupts and other processors may do so at any time. Overlap with another
 * mapping like it is then impossible without somebody noticing, because that one is in the same
 * bucket. A mapping that was ended keeps its key without DMA_KEY_LIVE until the bucket is used
 * again, and with it the address of who ended it.
 */

#include "lib/inject.h"
#include "lib/x86/atomic.h"

#ifndef DMA_NR_BUCKETS /* the host's model has few */
#define DMA_NR_BUCKETS 2048u
#endif

/*
 * A key: all that is to be said of a mapping within a page, in 64 bits that change hands at once.
 * The high word is the number of its page, the low one is called a piece:
 *
 *     63             32 31     20 19      7 6       0
 *     |      page      |  offset |   size  |  flags  |
 */
#define DMA_PIECE_OFFSET_SHIFT 20u
#define DMA_PIECE_SIZE_SHIFT 7u
#define DMA_PIECE_SIZE_MASK (2 * PAGE_SIZE - 1)
#define DMA_PIECE_DIR_MASK UINT32_C(0x03) /* enum dma_data_direction */
#define DMA_PIECE_LIVE UINT32_C(0x04)     /* mapped now; without it, what was mapped here last */
#define DMA_PIECE_BOUNCED UINT32_C(0x08)
#define DMA_PIECE_OTHERS                                                                      \
    UINT32_C(0x10)                   /* mappings in the table of entries touch such pages too \
                                      */
#define DMA_PIECE_CPU UINT32_C(0x20) /* all of it is synced for the CPU */

/* Addresses above have pages whose numbers do not fit. */
#define DMA_KEY_ADDR_BITS 44u

DMA_INLINE uint32_t dma_piece(uint32_t offset, uint32_t size, enum dma_data_direction dir)
{
    return offset << DMA_PIECE_OFFSET_SHIFT | size << DMA_PIECE_SIZE_SHIFT | (uint32_t)dir |
           DMA_PIECE_LIVE;
}

/* The buckets: who made the mapping or, once it has ended, who ended it. */
struct dma_who {
    struct device *dev;
    const void *caller;
};

/* Arrays by themselves, so that one index serves all without more arithmetic. */
extern atomic64_t dma_bucket_key[DMA_NR_BUCKETS];
extern struct dma_who dma_bucket_who[DMA_NR_BUCKETS];
extern pfn_t dma_bucket_home[DMA_NR_BUCKETS]; /* of what bounced: its page of the bus */

/* Buffers side by side have buckets of their own. */
DMA_INLINE uint32_t dma_bucket(pfn_t pfn)
{
    return pfn % DMA_NR_BUCKETS;
}

/* Puts a live key into its bucket. False if that is not free. */
DMA_INLINE bool dma_claim(uint32_t bucket, pfn_t pfn, uint32_t piece)
{
    atomic64_t *key = &dma_bucket_key[bucket];

    return atomic64_change(key, atomic64_high(key),
                           atomic64_low(key) & ~(DMA_PIECE_LIVE | DMA_PIECE_OTHERS), pfn, piece);
}

/* From here on the key is that of an ended mapping. False if it was that before. */
DMA_INLINE bool dma_release(uint32_t bucket)
{
    return atomic64_bit_clear(&dma_bucket_key[bucket], DMA_PIECE_LIVE);
}

/* Keeps where in the driver we are. */
#if __STDC_HOSTED__
#define DMA_NOTE_CALLER(bucket) (dma_bucket_who[bucket].caller = __builtin_return_address(0))
#else
#define DMA_NOTE_CALLER(bucket) \
    __asm__ volatile("movl $., %0" : "=m"(dma_bucket_who[bucket].caller))
#endif

/* What finds its bucket taken, as long as it is no matter of bouncing. */
dma_addr_t dma_map_slowly(struct device *dev, struct page *page, uint32_t piece);

/*
 * What is not as simple as below: if it bounces, that is quick, too, and depends on whether the
 * device only reads (to) or also writes (from). The page, and the page of the bus, are those that
 * the piece begins in.
 */
dma_addr_t dma_map_to_piece(struct device *dev, struct page *page, uint32_t piece);
dma_addr_t dma_map_from_piece(struct device *dev, struct page *page, uint32_t piece);
void dma_unmap_to_piece(struct device *dev, pfn_t home, uint32_t piece);
void dma_unmap_from_piece(struct device *dev, pfn_t home, uint32_t piece);

DMA_INLINE dma_addr_t dma_map_piece(struct device *dev, struct page *page, uint32_t piece,
                                    enum dma_data_direction dir)
{
    return dir == DMA_TO_DEVICE ? dma_map_to_piece(dev, page, piece)
                                : dma_map_from_piece(dev, page, piece);
}

DMA_INLINE void dma_unmap_piece(struct device *dev, pfn_t pfn, uint32_t piece,
                                enum dma_data_direction dir)
{
    if (dir == DMA_TO_DEVICE)
        dma_unmap_to_piece(dev, pfn, piece);
    else
        dma_unmap_from_piece(dev, pfn, piece);
}

DMA_INLINE dma_addr_t dma_map_quickly(struct device *dev, struct page *page, uint32_t offset,
                                      uint32_t size, enum dma_data_direction dir)
{
    uint32_t piece = dma_piece(offset, size, dir), bucket;
    pfn_t pfn;

    if (offset >= PAGE_SIZE || size - 1 >= PAGE_SIZE - offset || (unsigned)dir > DMA_FROM_DEVICE)
        return dma_map_page_attrs(dev, page, offset, size, dir, 0);
    pfn = page_to_pfn(page);
    bucket = dma_bucket(pfn);
    if (unlikely(page >= dev->quick_end))
        return dma_map_piece(dev, page, piece, dir);
    if (unlikely(!dma_claim(bucket, pfn, piece)))
        return dma_map_slowly(dev, page, piece);
    dma_bucket_who[bucket].dev = dev;
    DMA_NOTE_CALLER(bucket);
    __atomic_add_fetch(&dev->counters.direct, 1, __ATOMIC_RELAXED);
    return phys_to_dma(pfn_to_phys(pfn) + offset);
}

DMA_INLINE void dma_unmap_quickly(struct device *dev, dma_addr_t addr, uint32_t size,
                                  enum dma_data_direction dir)
{
    uint32_t high = (uint32_t)(addr_number(addr) >> 32);
    uint32_t piece = dma_piece((uint32_t)addr_number(addr), size, dir);
    pfn_t pfn = (pfn_t)(addr_number(addr) >> PAGE_SHIFT);
    uint32_t bucket = dma_bucket(pfn);

    if (size - 1 >= PAGE_SIZE || (unsigned)dir > DMA_FROM_DEVICE ||
        unlikely(high >= BIT(DMA_KEY_ADDR_BITS - 32))) {
        dma_unmap_page_attrs(dev, addr, size, dir, 0);
        return;
    }
    if (unlikely(atomic64_high(&dma_bucket_key[bucket]) != pfn ||
                 atomic64_low(&dma_bucket_key[bucket]) != piece ||
                 dma_bucket_who[bucket].dev != dev || inject(dma_leak_mapping, dma_bounce))) {
        dma_unmap_piece(dev, pfn, piece, dir);
        return;
    }
    DMA_NOTE_CALLER(bucket);
    if (likely(dma_release(bucket)))
        __atomic_add_fetch(&dev->counters.unmaps, 1, __ATOMIC_RELAXED);
    else
        dma_unmap_piece(dev, pfn, piece, dir);
}

#if __STDC_HOSTED__
/* The unit test of a driver has its own. */
dma_addr_t dma_map_page(struct device *dev, struct page *page, uint32_t offset, uint32_t size,
                        enum dma_data_direction dir);
void dma_unmap_page(struct device *dev, dma_addr_t addr, uint32_t size,
                    enum dma_data_direction dir);
#else
DMA_INLINE dma_addr_t dma_map_page(struct device *dev, struct page *page, uint32_t offset,
                                   uint32_t size, enum dma_data_direction dir)
{
    return dma_map_quickly(dev, page, offset, size, dir);
}

DMA_INLINE void dma_unmap_page(struct device *dev, dma_addr_t addr, uint32_t size,
                               enum dma_data_direction dir)
{
    dma_unmap_quickly(dev, addr, size, dir);
}
#endif

DMA_INLINE dma_addr_t dma_map_single(struct device *dev, const void *ptr, uint32_t size,
                                     enum dma_data_direction dir)
{
    return dma_map_page(dev, virt_to_page(ptr), (uint32_t)((virt_t)ptr & PAGE_MASK), size, dir);
}

DMA_INLINE void dma_unmap_single(struct device *dev, dma_addr_t addr, uint32_t size,
                                 enum dma_data_direction dir)
{
    dma_unmap_page(dev, addr, size, dir);
}

#endif
