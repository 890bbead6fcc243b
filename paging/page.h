/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAGING_PAGE_H
#define PAGING_PAGE_H

/*
 * struct page: 8 bytes for each page frame from 0 to the end of RAM, so that 64 GiB cost 128 MiB of
 * lowmem. The same bits mean different things in the three states of a page:
 *
 *   zero                  no page of ours: a hole, firmware's, or inside a larger block
 *   state PAGE_FREE       first page of a free block: its order, and the neighbours in the free
 * list state PAGE_ALLOCATED  first page of an allocated block: its order
 *
 * A zeroed descriptor is therefore right for all but the first page of each free block, and
 * building the map of a machine is little more than clearing it. Which zone a page is in follows
 * from its number. The kmap window of a page is found by `kmap_slot`, which is kept by kmap.c
 * alone; it shares its bits with a link, which only free pages have.
 */

#include "paging/layout.h"

enum page_state { PAGE_NONE = 0, PAGE_FREE = 1, PAGE_ALLOCATED = 2 };

#define PFN_BITS 27u /* 512 GiB: more descriptors than lowmem can hold */
#define PFN_LINK_MASK (BIT(PFN_BITS) - 1)

struct page {
    uint32_t next : PFN_BITS; /* PAGE_FREE: next block in the list, 0 at its end */
    uint32_t order : 4;
    uint32_t spare : 1;
    union {
        struct {
            uint32_t prev : PFN_BITS; /* PAGE_FREE: previous block, 0 for the first */
            uint32_t state : 2;
            uint32_t spare_free : 3;
        };
        struct {
            uint32_t kmap_slot : PFN_BITS; /* mapped page: its kmap slot + 1, else 0 */
            uint32_t state_again : 2;
            uint32_t spare_mapped : 3;
        };
    };
};

_Static_assert(sizeof(struct page) == 8, "a page descriptor is 8 bytes");

extern struct page *mem_map; /* indexed by page frame number */
extern pfn_t max_pfn;        /* first frame without a descriptor */
extern pfn_t max_low_pfn;    /* first frame that is not in the direct map */

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

/* True if the page has no address in the direct map. */
static inline bool PageHighMem(const struct page *page)
{
    return page_to_pfn(page) >= max_low_pfn;
}

/* Direct-map address of a page that is not highmem. */
static inline void *lowmem_page_address(const struct page *page)
{
    return phys_to_virt(page_to_phys(page));
}

/*
 * Where the page can be read now: its direct-map address, or its kmap() window if it has one, or
 * NULL. Context: any.
 */
void *page_address(const struct page *page);

#endif
