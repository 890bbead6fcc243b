/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DRIVERS_DMA_H
#define DRIVERS_DMA_H

/*
 * The DMA mapping API: between a driver that has a buffer and a device that wants a bus address.
 *
 * A device reaches only what its mask lets it reach, and many may not cross a boundary within one
 * transfer. dma_map_*() decides, for [phys, phys + size), whether the device can work on the buffer
 * itself:
 *
 *     0        16 MiB     256 MiB                4 GiB                    2^36
 *     |--low----|--wide----|-----------------------|------------------------|
 *       pool       pool                                  buffer (HIGHMEM)
 *          ^          ^                                     |
 *          |          +-------- copied page by page --------+   mask of 28 to 35 bits
 *          +------------------- copied page by page --------+   mask of 24 bits (ISA)
 *
 * If it can, the mapping is direct: the DMA address is the physical address and nothing is copied.
 * If not, the mapping bounces: the device gets a run of slots of a page in a pool under its mask
 * that does not cross its boundary, and contents are copied as the direction asks:
 *
 *                       map, sync for device          unmap, sync for CPU
 *     TO_DEVICE         buffer to slots               -
 *     FROM_DEVICE       marks into the slots          slots to buffer
 *     BIDIRECTIONAL     buffer to slots               slots to buffer
 *
 * Copies are exact to the byte: what lies beside the buffer in its first and last cache line is
 * neither read into the slots nor written. The buffer may be HIGHMEM; copies go through
 * kmap_local_page().
 *
 * Rules for drivers:
 *
 * - The device owns a mapped buffer from map to unmap, except the parts between a
 *   dma_sync_single_for_cpu() and the dma_sync_single_for_device() of the same part. Several parts
 *   may be the CPU's at a time, as long as they lie side by side or are no more than
 *   DMA_CPU_PARTS. What the CPU still owns at the unmap is not copied: it is as the CPU left it.
 *
 * - What is mapped DMA_FROM_DEVICE and is handed to the CPU, by unmap or sync, has been written by
 *   the device, wholly. A driver whose device delivered less, or failed, syncs the part that came
 *   and ends the mapping with DMA_ATTR_SKIP_CPU_SYNC. So that what a slot held before never passes
 *   for data, marks that differ from boot to boot stand in it, every KiB and at its end; a
 *   mark that is still there when its place is handed to the CPU is DMA_FINDING_UNWRITTEN, and the
 *   bytes from it to the next mark are not copied. A sync is judged by the marks that lie wholly in
 *   its part: one of a few bytes between two places has none, and copies what is there. (Mappings
 * of less than 8 bytes have no marks: their slot starts out with the buffer's contents.)
 *
 * Every mapping is tracked in tables of fixed size, with the address it was made from. What breaks
 * a rule is a finding (lib/finding.h) that names the caller's address, and is counted by kind in
 * the device's counters. It never stops the work: an unmap goes by the tracked truth (size,
 * direction) instead of what the caller claimed, and a sync that claims what is not so moves
 * nothing.
 *
 * Names and meanings are those of Linux (Documentation/core-api/dma-api.rst), except that sizes are
 * 32 bits, and that dma_alloc_coherent() picks the zone from the mask itself.
 *
 * Context: unless said otherwise all functions may be called in interrupts too. Paged phase only.
 */

#include "lib/x86/atomic.h"
#include "paging/page.h"

#define DMA_BIT_MASK(n) dma_make((n) >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << (n)) - 1)

/*
 * segment_boundary_mask of a device whose address counter has 32 bits, and of one that may not
 * cross 64 KiB (the 8237, an IDE bus master).
 */
#define DMA_BOUNDARY_4G UINT32_C(0xffffffff)
#define DMA_BOUNDARY_64K UINT32_C(0xffff)

/* On a PC the bus numbers memory as the memory controller does. */
static inline dma_addr_t phys_to_dma(phys_addr_t phys)
{
    return dma_make(addr_number(phys));
}

static inline phys_addr_t dma_to_phys(dma_addr_t addr)
{
    return phys_make(addr_number(addr));
}

/* What a failed mapping returns; ask with dma_mapping_error(). */
#define DMA_MAPPING_ERROR dma_make(~UINT64_C(0))

enum dma_data_direction {
    DMA_BIDIRECTIONAL,
    DMA_TO_DEVICE,   /* the device reads memory */
    DMA_FROM_DEVICE, /* the device writes memory */
};

/* Attributes of a single map or unmap. */
/* Contents stay where they are: the caller syncs by itself what has to move. */
#define DMA_ATTR_SKIP_CPU_SYNC 1ul
/*
 * Of a map: with no slots free, sleep until another thread's unmap frees some, instead of failing
 * at once. It still fails if no other thread could. Context: thread.
 */
#define DMA_ATTR_MAY_SLEEP 2ul

/* Parts of one mapping that the CPU can own apart from each other. One more, and the unmap
 * overwrites the oldest with what is in the slots. */
#define DMA_CPU_PARTS 2u

/* The rules that a user of the API, or a device, can break. */
enum dma_finding {
    DMA_FINDING_BAD_ARGUMENT,    /* no size, too large for a segment, no such direction */
    DMA_FINDING_UNKNOWN,         /* unmap or sync of what was never mapped for this device */
    DMA_FINDING_DOUBLE_UNMAP,    /* unmap of what was unmapped already */
    DMA_FINDING_WRONG_SIZE,      /* unmap with another size, sync past the end */
    DMA_FINDING_WRONG_DIRECTION, /* unmap or sync with another direction */
    DMA_FINDING_WRONG_KIND,      /* dma_free_coherent() of a mapping, unmap of coherent memory */
    DMA_FINDING_OVERLAP,         /* two live mappings share bytes and a device may write one */
    DMA_FINDING_LEAK,            /* still mapped when dma_check_leaks() looked */
    DMA_FINDING_CPU_ACCESS,      /* the CPU was in a page that the device owned */
    DMA_FINDING_NOT_SYNCED,      /* the CPU changed a buffer that the device owned */
    DMA_FINDING_OVERRUN,         /* the device wrote next to a bounced buffer */
    DMA_FINDING_UNWRITTEN,       /* handed to the CPU, but the device has not written it */
    DMA_FINDING_FREED_WRITTEN,   /* a block was written after it had gone back to its pool */
    DMA_NR_FINDINGS
};

/* Of successful maps of every kind but coherent: direct + bounced. */
struct dma_counters {
    uint32_t direct;          /* maps that needed no copy */
    uint32_t bounced;         /* maps that went through a pool */
    uint32_t unmaps;          /* that found their mapping */
    uint32_t errors;          /* what failed: no slots, no table entry, no window, out of reach */
    atomic64_t bounced_bytes; /* copied, both directions */
    uint32_t findings;        /* of all kinds */
    uint32_t finding[DMA_NR_FINDINGS];
};

/* For functions whose callers' addresses must stay those of the driver. */
#define DMA_INLINE static inline __attribute__((always_inline))

struct bounce_pool;

/*
 * What the API has to know of a device. Drivers fill the first part in before the first mapping and
 * leave the rest 0; later changes are made by dma_set_mask() and its like.
 */
struct device {
    const char *name;
    dma_addr_t dma_mask;            /* highest address it can put on the bus, 2^n - 1 */
    uint32_t max_segment_bytes;     /* largest single mapping, 0: no limit */
    uint32_t segment_boundary_mask; /* a mapping lies in one (mask + 1)-byte block, 0: no limit */
    /*
     * Notice the CPU at a buffer that the device owns (a sync forgotten). Of whole pages the
     * first access that the direction does not allow is noticed with the code that made it, by a
     * page fault, and told at the next sync or the unmap (drivers/dma_guard.h). What is read and
     * written through windows to HIGHMEM is noticed in those of kmap(), and in those of
     * kmap_local_page() opened after the map; nothing in kmap_range(). Writes to the rest, pages in
     * part, are noticed afterwards by comparing checksums: of what bounces, and of what the device
     * only reads. Costs a pass over the buffer for each map, sync and unmap, the quick paths, and
     * while such a HIGHMEM buffer is mapped, quick windows.
     */
    bool check_ownership;
    struct dma_counters counters;
    /* The API's own, both NULL until it has seen the device. What is in one page in front of the
     * first is mapped quickly and directly, what is behind it bounces quickly into the second. */
    const struct page *quick_end;
    struct bounce_pool *quick_pool;
    /* The same function of the bus, where a driver describes it twice; else NULL. */
    const struct device *parent;
};

/*
 * One piece of a scattered buffer: `page` to `length` are the caller's. In the rest dma_map_sg()
 * notes its segments, the first ones in the first entries.
 */
struct scatterlist {
    struct page *page;
    uint32_t offset; /* from the start of `page`; may be larger than a page in an order > 0 block */
    uint32_t length; /* bytes, all physically contiguous */
    dma_addr_t dma_address;
    uint32_t dma_length;
};

#define sg_dma_address(sg) ((sg)->dma_address)
#define sg_dma_len(sg) ((sg)->dma_length)

/*
 * Makes the bounce pools: one below 16 MiB, one as low as possible (below 256 MiB) for wider masks.
 * Context: thread, once, after the page allocator is up. Returns 0, or -ENOMEM if there is no pool
 * at all (direct mappings work even then).
 */
int dma_init(void);

/*
 * The device's limits. All are refused with -EBUSY while it has live mappings.
 *   mask: 2^n - 1, or -EINVAL; -EIO if there is memory beyond it and no bounce pool under it
 *   size: bytes, 0 for no limit
 *   boundary_mask: 2^n - 1, or -EINVAL; 0 for no limit
 */
int dma_set_mask(struct device *dev, dma_addr_t mask);
int dma_set_max_seg_size(struct device *dev, uint32_t size);
int dma_set_seg_boundary(struct device *dev, uint32_t boundary_mask);

/*
 * The most bytes that one mapping of the device can have, wherever the buffer lies: what its own
 * limits allow, and where it may have to bounce, what the pools can hold in one piece. That may
 * become less when a pool grows: what is left of its limit is an area's largest size.
 */
uint32_t dma_max_mapping_size(const struct device *dev);

/*
 * Maps `size` bytes from `offset` bytes into `page` on (a block of contiguous pages for more than
 * one page, HIGHMEM or not) for `dev`. Returns the address for the device, or DMA_MAPPING_ERROR:
 * no slots free, the table full, or a size that the device's rules can't hold.
 *   attrs: DMA_ATTR_* or 0
 */
dma_addr_t dma_map_page_attrs(struct device *dev, struct page *page, uint32_t offset, uint32_t size,
                              enum dma_data_direction dir, unsigned long attrs);

/*
 * Ends a mapping: the CPU owns the buffer again and sees what the device wrote. `size` and `dir`
 * as they were mapped, anything else is a finding.
 */
void dma_unmap_page_attrs(struct device *dev, dma_addr_t addr, uint32_t size,
                          enum dma_data_direction dir, unsigned long attrs);

/* The same for memory in the direct map of lowmem. */
DMA_INLINE dma_addr_t dma_map_single_attrs(struct device *dev, const void *ptr, uint32_t size,
                                           enum dma_data_direction dir, unsigned long attrs)
{
    return dma_map_page_attrs(dev, virt_to_page(ptr), (uint32_t)((virt_t)ptr & PAGE_MASK), size,
                              dir, attrs);
}

DMA_INLINE void dma_unmap_single_attrs(struct device *dev, dma_addr_t addr, uint32_t size,
                                       enum dma_data_direction dir, unsigned long attrs)
{
    dma_unmap_page_attrs(dev, addr, size, dir, attrs);
}

/* Without attributes: dma_map_page(), dma_map_single(), dma_unmap_page(), dma_unmap_single() in
 * drivers/dma_quick.h, which stands at the end of this file. */

/* True if `addr` is no address but a failure. */
static inline bool dma_mapping_error(const struct device *dev, dma_addr_t addr)
{
    (void)dev;
    return addr == DMA_MAPPING_ERROR;
}

/*
 * Hands a mapped buffer, or `size` bytes of it from `addr` on, to the CPU and back to the device
 * without ending the mapping. Only the part that is named changes hands. A mapping made
 * DMA_BIDIRECTIONAL may be synced in either direction.
 *
 * Syncs of one mapping, and its end, are one at a time: a driver that syncs parts of it both in a
 * thread and in its interrupt handler keeps them apart. A part of a bounced mapping needs an entry
 * in the tables; with none free its bytes move, but who owns the part is not kept, and the unmap
 * takes it for the device's. That is counted in errors.
 */
void dma_sync_single_for_cpu(struct device *dev, dma_addr_t addr, uint32_t size,
                             enum dma_data_direction dir);
void dma_sync_single_for_device(struct device *dev, dma_addr_t addr, uint32_t size,
                                enum dma_data_direction dir);

/* The same, for `size` bytes from `offset` bytes into the mapping at `addr` on. */
DMA_INLINE void dma_sync_single_range_for_cpu(struct device *dev, dma_addr_t addr, uint32_t offset,
                                              uint32_t size, enum dma_data_direction dir)
{
    dma_sync_single_for_cpu(dev, addr + offset, size, dir);
}

DMA_INLINE void dma_sync_single_range_for_device(struct device *dev, dma_addr_t addr,
                                                 uint32_t offset, uint32_t size,
                                                 enum dma_data_direction dir)
{
    dma_sync_single_for_device(dev, addr + offset, size, dir);
}

/*
 * Maps a list: neighbours that follow each other in memory become one segment as far as the
 * device's largest segment and its boundary allow, and as long as it reaches them; what has to
 * bounce stays entry by entry. Returns the number of segments, which is at most `nents`, or 0, with
 * nothing mapped, if one of them could not be. The device's list is sg_dma_address() and
 * sg_dma_len() of the first entries, as many as there are segments; all entries stay the caller's
 * in the rest.
 *
 * The other functions get `nents` as it was mapped, not the number of segments.
 */
unsigned dma_map_sg(struct device *dev, struct scatterlist *sg, unsigned nents,
                    enum dma_data_direction dir);
void dma_unmap_sg(struct device *dev, struct scatterlist *sg, unsigned nents,
                  enum dma_data_direction dir);
unsigned dma_map_sg_attrs(struct device *dev, struct scatterlist *sg, unsigned nents,
                          enum dma_data_direction dir, unsigned long attrs);
void dma_unmap_sg_attrs(struct device *dev, struct scatterlist *sg, unsigned nents,
                        enum dma_data_direction dir, unsigned long attrs);
void dma_sync_sg_for_cpu(struct device *dev, struct scatterlist *sg, unsigned nents,
                         enum dma_data_direction dir);
void dma_sync_sg_for_device(struct device *dev, struct scatterlist *sg, unsigned nents,
                            enum dma_data_direction dir);

/*
 * Cuts the list `in` anew for a device with a gather list, into at most `max_entries` of `out`, so
 * that no entry needs to bounce for its size or its place, and none is smaller than it has to be:
 * each respects the device's boundary and largest segment, ends at the last byte that the device
 * reaches, and takes in what follows it in memory. Returns the number of entries used, or 0 if
 * max_entries are too few. `out` is another array than `in`.
 */
unsigned dma_fit_sg(const struct device *dev, const struct scatterlist *in, unsigned nents,
                    struct scatterlist *out, unsigned max_entries);

/* The same for one contiguous buffer. */
unsigned dma_split_sg(const struct device *dev, struct scatterlist *sg, unsigned max_entries,
                      struct page *page, uint32_t offset, uint32_t size);

/*
 * Zeroed lowmem that both CPU and device may use at any time, aligned to its size rounded up to a
 * power of two (at least a page). It comes from anywhere in the direct map, from below the device's
 * mask, or from the first 16 MiB, in this order. Returns its lowmem address and sets *handle to the
 * device's, or NULL, as always for a size above the device's boundary. To be freed with the same
 * size and handle. Context: thread.
 */
void *dma_alloc_coherent(struct device *dev, uint32_t size, dma_addr_t *handle);
void dma_free_coherent(struct device *dev, uint32_t size, void *ptr, dma_addr_t handle);

/*
 * Makes a finding of every live mapping of `dev` (NULL: of any device) and forgets it, its bounce
 * slots too. Coherent memory does not count here. Returns how many there were. With NULL, no thread
 * may be at work with the API: any that slept for slots are taken for gone.
 */
unsigned dma_check_leaks(struct device *dev);

/*
 * The same for the coherent memory of `dev`, which no driver may still use, and goes back to where
 * it came from: a pool that was never destroyed is told by its chunks, each with who made the pool.
 * Drivers keep theirs, so this is for devices of a test's own. Returns how many pieces there were.
 */
unsigned dma_check_coherent(struct device *dev);

/* Live mappings of `dev` (NULL: of any device), coherent memory left out. Looks at all tables. */
unsigned dma_live_mappings(const struct device *dev);

/* A finding's short name: "double unmap". */
const char *dma_finding_name(enum dma_finding kind);

/*
 * True if [phys, phys + size) is within the mask and within one boundary block: what a map decides
 * on. The suite compares it with its own arithmetic.
 */
bool dma_reaches(const struct device *dev, phys_addr_t phys, uint32_t size);

/* The bounce pools, for reports and tests. `index` from 0; false if there is no such pool. */
struct bounce_pool_info {
    dma_addr_t base;      /* of its lowest area */
    dma_addr_t end;       /* of its highest */
    unsigned areas;       /* it begins with one, and gets more when it is full */
    uint32_t size_bytes;  /* of all areas */
    uint32_t used_bytes;  /* now */
    uint32_t peak_bytes;  /* most ever in use at once */
    uint32_t limit_bytes; /* it grows no further */
};
bool bounce_pool_info(unsigned index, struct bounce_pool_info *info);

#include "drivers/dma_quick.h"

#endif
