/* SPDX-License-Identifier: BSD-2-Clause */
#include "paging/page_alloc.h"
#include "lib/finding.h"
#include "lib/inject.h"
#include "paging/buddy.h"
#include "paging/highmem.h"
#include "paging/kmap.h"
#include "paging/page_alloc_slow.h"
#include "paging/page_lists.h"
#include "paging/preempt.h"
#include "paging/watermark.h"

#define ZONE_DMA_PFN phys_to_pfn(ZONE_DMA_END)

struct page *mem_map;
pfn_t max_pfn;
pfn_t max_low_pfn;
struct page *highmem_map;

/* Of the descriptors: how far from mem_map a page may be. */
static uintptr_t map_bytes;

struct zone *buddy_zone(pfn_t pfn)
{
    if (pfn >= max_low_pfn)
        return &zones[ZONE_HIGHMEM];
    return &zones[pfn < ZONE_DMA_PFN ? ZONE_DMA : ZONE_NORMAL];
}

enum zone_type page_zonenum(const struct page *page)
{
    return (enum zone_type)(buddy_zone(page_to_pfn(page)) - zones);
}

const struct zone *zone_get(enum zone_type type)
{
    return &zones[type];
}

uint32_t nr_free_pages(enum zone_type type)
{
    uint32_t pages;

    preempt_disable();
    pages = zones[type].free_pages;
    if (!inject(page_lists_uncounted, page_alloc))
        pages += page_lists_pages(type);
    preempt_enable();
    return pages;
}

enum migratetype get_pageblock_migratetype(const struct page *page)
{
    return (enum migratetype)pfn_type(page_to_pfn(page));
}

void page_alloc_init(struct page *map, pfn_t nr_pfn, pfn_t low_pfn)
{
    const pfn_t border[MAX_NR_ZONES + 1] = {0, MIN(ZONE_DMA_PFN, low_pfn), low_pfn, nr_pfn};

    mem_map = map;
    max_pfn = nr_pfn;
    map_bytes = nr_pfn * sizeof(struct page);
    max_low_pfn = low_pfn;
    highmem_map = map + low_pfn;
    for (unsigned i = 0; i < MAX_NR_ZONES; i++) {
        zones[i] = (struct zone){
            .name = zones[i].name,
            .start_pfn = border[i],
            .end_pfn = MAX(border[i], border[i + 1]),
        };
    }
    page_alloc_start();
}

void page_alloc_add_range(pfn_t start, pfn_t end)
{
    /* Frame 0 stands for "none" in the lists. From the top down, so that low blocks come first. */
    start = MAX(start, 1u);
    end = MIN(end, max_pfn);
    while (start < end) {
        struct zone *zone = buddy_zone(end - 1);
        pfn_t low = MAX(start, zone->start_pfn);
        unsigned order = 0;

        while (order < MAX_ORDER && IS_ALIGNED(end, 2u << order) && end - low >= (2u << order))
            order++;
        end -= 1u << order;
        buddy_list_add(zone, end, order, pfn_type(end));
        zone->present_pages += 1u << order;
        zone->free_pages += 1u << order;
    }
    watermarks_set(zones, page_alloc_tuning());
}

static inline __attribute__((always_inline)) struct page *alloc_block(gfp_t gfp, unsigned order)
{
    struct page *page;

    if (unlikely(order >= LIST_ORDERS))
        return alloc_pages_slowly(gfp, order);
    preempt_disable();
    page = page_list_pop(page_list_of(order, gfp & page_alloc_kind_mask));
    preempt_enable();
    if (unlikely(!page))
        return alloc_pages_slowly(gfp, order);
    return page;
}

static __attribute__((noinline)) struct page *alloc_zeroed(gfp_t gfp, unsigned order)
{
    struct page *page = alloc_block(gfp, order);

    if (page)
        clear_highpages(page, 1u << order);
    return page;
}

struct page *alloc_pages(gfp_t gfp, unsigned order)
{
    if (unlikely(gfp & __GFP_ZERO))
        return alloc_zeroed(gfp, order);
    return alloc_block(gfp, order);
}

/*
 * A page that leaves takes its stale kmap window's bits with it, for the links of the free list.
 * Only highmem pages have windows. Returns false if a window is in use.
 */
static bool forget_windows(struct page *page, unsigned order)
{
    for (pfn_t i = 0; i < 1u << order; i++)
        if (page[i].kmap && !kmap_forget(page + i))
            return false;
    return true;
}

/* What is wrong with giving this block back; NULL if nothing is. */
static const char *free_fault(struct page *page, unsigned order)
{
    if (page->free)
        return "is free already";
    if (!page->allocated)
        return "is not the first page of an allocated block";
    if (page->order != order)
        return "was allocated with another order";
    if (!PageHighMem(page) && page->kmap && !inject(page_free_slab, page_alloc))
        return "is a slab's";
    if (PageHighMem(page) && !forget_windows(page, order) &&
        !inject(page_free_mapped, lowmem_torture))
        return "is still in use by kmap";
    return NULL;
}

static void give_back(struct page *page, unsigned order)
{
    pfn_t pfn = page_to_pfn(page);
    const char *fault = pfn < max_pfn ? free_fault(page, order) : "has no descriptor";
    unsigned kind;

    if (unlikely(fault != NULL)) {
        if (!inject(page_free_quiet, page_alloc))
            finding("free_pages(pfn 0x%x, order %u): the page %s", pfn, order, fault);
        return;
    }
    kind = pfn_kind(pfn);
    if (inject(page_list_astray, page_alloc) && !PageHighMem(page))
        kind ^= ZONE_DMA ^ ZONE_NORMAL;
    if (order >= LIST_ORDERS || !page_list_is_used(order, kind)) {
        buddy_free(page, order);
        return;
    }
    if (page_list_count(order, kind) == LIST_ENTRIES(order))
        page_list_drain(order, kind, PAGES_REFILLED(order) >> order);
    page_list_push(page_list_of(order, kind), page);
}

/* The rest of __free_pages(), for when the block is not simply put on its list. */
static __attribute__((noinline)) void free_slowly(struct page *page, unsigned order)
{
    give_back(page, order);
    preempt_enable();
}

void __free_pages(struct page *page, unsigned order)
{
    uintptr_t place = (uintptr_t)page - (uintptr_t)mem_map;

    preempt_disable();
    if (likely(place < map_bytes && order < LIST_ORDERS)) {
        unsigned kind = pageblock_kind[place >> (PAGEBLOCK_ORDER + PAGE_BYTES_SHIFT)];
        struct page_list __percpu *list = page_list_of(order, kind);

        /* Of a larger block each page may have a slot, if it is highmem. */
        if (likely((((page->use & ~PFN_LINK_MASK) ^ list->use) | page->kmap) == 0 &&
                   list->top != list->end &&
                   (order == 0 || !PageHighMem(page) || (order == 1 && page[1].kmap == 0)))) {
            page_list_push(list, page);
            preempt_enable();
            return;
        }
    }
    free_slowly(page, order);
}

void *__get_free_pages(gfp_t gfp, unsigned order)
{
    struct page *page;

    if ((gfp & __GFP_ZONE_MASK) == ZONE_HIGHMEM)
        return NULL;
    page = alloc_pages(gfp, order);
    return page ? lowmem_page_address(page) : NULL;
}

void free_pages(const void *addr, unsigned order)
{
    if (!addr)
        return;
    /* An address in a window is no number of a frame, but looks like one. */
    if ((uintptr_t)addr < layout.direct_offset || virt_to_phys(addr) >= pfn_to_phys(max_low_pfn))
        finding("free_pages(%p, order %u): not in the direct map", addr, order);
    else if (!IS_ALIGNED((uintptr_t)addr, PAGE_SIZE))
        finding("free_pages(%p, order %u): not the start of a page", addr, order);
    else
        __free_pages(virt_to_page(addr), order);
}
