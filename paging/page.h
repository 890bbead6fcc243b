/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAGING_PAGE_H
#define PAGING_PAGE_H

/*
 * struct page: 8 bytes for each page frame from 0 to the end of RAM, so that 64 GiB cost 128 MiB of
 * lowmem. The same bits mean different things in the three states of a page:
 *
 *   zero       no page of ours: a hole, firmware's, or inside a larger block
 *   free       first page of a free block: its order, and the neighbours in the free list, unless
 *              it lies on a per-CPU list
 *   allocated  first page of an allocated block: its order, who owns it and by what number
 *              (paging/page_owner.h)
 *
 * A zeroed descriptor is therefore right for all but the first page of each free block, and
 * building the map of a machine is little more than clearing it. Which zone a page is in follows
 * from its number.
 *
 * A highmem page that is not free may have a kmap window. Then the second word is its slot + 1, and
 * nothing else: the mark of a free page is in that word, so that one comparison tells kmap()
 * whether the page has a window. kmap.c alone keeps it. Of a lowmem page that is a slab's, the
 * first one or not, the same word leads to the slab (paging/slab_quick.h), and is 0 again before it
 * is freed.
 */

#include "paging/layout.h"

#define PFN_BITS 27u /* 512 GiB: more descriptors than lowmem can hold */
#define PFN_LINK_MASK (BIT(PFN_BITS) - 1)
#define PAGE_OWNER_BITS 5u
#define PAGE_INDEX_BITS (PFN_BITS - PAGE_OWNER_BITS) /* 4 Mi pages of one owner: 16 GiB */

struct page {
    union {
        struct {
            uint32_t next : PFN_BITS; /* free: next block in the list, 0 at its end */
            uint32_t order : 4;
            uint32_t allocated : 1;
        };
        struct {
            uint32_t index : PAGE_INDEX_BITS; /* allocated: the owner's number for it */
            uint32_t owner : PAGE_OWNER_BITS; /* allocated: 0, or an id of paging/page_owner.h */
            uint32_t order_and_state : 5;
        };
        uint32_t use; /* all of it */
    };
    union {
        struct {
            uint32_t prev : PFN_BITS; /* free: previous block, 0 for the first */
            uint32_t free_order : 4;  /* free: order once more, or PAGE_LISTED */
            uint32_t free : 1;
        };
        uint32_t kmap; /* not free: its kmap slot + 1, or what slab.c keeps; or 0 */
    };
};

/*
 * The five bits above a frame number, in place: `use` of an allocated page of this order without an
 * owner, `kmap` of a free one without a neighbour.
 */
#define PAGE_STATE_SHIFT PFN_BITS
#define PAGE_STATE(order) ((BIT(4) + (order)) << PAGE_STATE_SHIFT)
#define PAGE_LISTED 15u /* in place of an order: on a per-CPU list, not in the buddy lists */

#define PAGE_BYTES_SHIFT 3u
_Static_assert(sizeof(struct page) == 1u << PAGE_BYTES_SHIFT, "a page descriptor is 8 bytes");

extern struct page *mem_map;     /* indexed by page frame number */
extern pfn_t max_pfn;            /* first frame without a descriptor */
extern pfn_t max_low_pfn;        /* first frame that is not in the direct map */
extern struct page *highmem_map; /* descriptor of frame max_low_pfn */

static inline bool pfn_valid(pfn_t pfn)
{
    return pfn < max_pfn;
}

static inline struct page *pfn_to_page(pfn_t pfn)
{
    return &mem_map[pfn];
}

static inline pfn_t page_to_pfn(const struct page *page)
{
    return (pfn_t)(page - mem_map);
}

static inline phys_addr_t pfn_to_phys(pfn_t pfn)
{
    return phys_make((uint64_t)pfn << PAGE_SHIFT);
}

static inline pfn_t phys_to_pfn(phys_addr_t phys)
{
    return (pfn_t)(addr_number(phys) >> PAGE_SHIFT);
}

static inline phys_addr_t page_to_phys(const struct page *page)
{
    return pfn_to_phys(page_to_pfn(page));
}

static inline struct page *phys_to_page(phys_addr_t phys)
{
    return pfn_to_page(phys_to_pfn(phys));
}

/* Page of an address in the direct map. */
static inline struct page *virt_to_page(const void *virt)
{
    return phys_to_page(virt_to_phys(virt));
}

/*
 * Lets an entry show the page, writable and never executed. Equal to a pte_set() of pte_make(), in
 * half the instructions: a descriptor's place in the array is its frame number times its size, so
 * that two shifts make both halves of the entry.
 */
static inline void pte_set_page(pte_t *entry, const struct page *page)
{
    uint32_t place = (uint32_t)((const char *)page - (const char *)mem_map);
    volatile uint32_t *half = (volatile uint32_t *)entry;

    half[1] = place >> (32 - PAGE_SHIFT + PAGE_BYTES_SHIFT) | (uint32_t)(layout.nx >> 32);
    half[0] = place << (PAGE_SHIFT - PAGE_BYTES_SHIFT) | (uint32_t)(PTE_PRESENT | PTE_WRITE);
}

/* The same for a frame by number, in as few. */
static inline void pte_set_pfn(pte_t *entry, pfn_t pfn)
{
    volatile uint32_t *half = (volatile uint32_t *)entry;

    half[1] = pfn >> (32 - PAGE_SHIFT) | (uint32_t)(layout.nx >> 32);
    half[0] = pfn << PAGE_SHIFT | (uint32_t)(PTE_PRESENT | PTE_WRITE);
}

/* True if the page has no address in the direct map. */
static inline bool PageHighMem(const struct page *page)
{
    return page >= highmem_map;
}

/* Direct-map address of a page that is not highmem. */
static inline void *lowmem_page_address(const struct page *page)
{
    uint32_t place = (uint32_t)((const char *)page - (const char *)mem_map);

    return (void *)((place << (PAGE_SHIFT - PAGE_BYTES_SHIFT)) + layout.direct_offset);
}

/*
 * Where the page can be read now: its direct-map address, or its kmap() window if it has one, or
 * NULL. Context: any.
 */
void *page_address(const struct page *page);

#endif
