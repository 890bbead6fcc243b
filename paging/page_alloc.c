/* SPDX-License-Identifier: BSD-2-Clause */
#include "paging/page_alloc.h"
#include "lib/finding.h"
#include "lib/inject.h"
#include "paging/highmem.h"
#include "paging/kmap.h"
#include "paging/preempt.h"

#define ZONE_DMA_PFN phys_to_pfn(ZONE_DMA_END)

struct page *mem_map;
pfn_t max_pfn;
pfn_t max_low_pfn;
struct page *highmem_map;

static struct zone zones[MAX_NR_ZONES] = {
    [ZONE_DMA] = {.name = "DMA"},
    [ZONE_NORMAL] = {.name = "Normal"},
    [ZONE_HIGHMEM] = {.name = "HighMem"},
};

static struct zone *pfn_zone(pfn_t pfn)
{
    if (pfn >= max_low_pfn)
        return &zones[ZONE_HIGHMEM];
    return &zones[pfn < ZONE_DMA_PFN ? ZONE_DMA : ZONE_NORMAL];
}

enum zone_type page_zonenum(const struct page *page)
{
    return (enum zone_type)(pfn_zone(page_to_pfn(page)) - zones);
}

const struct zone *zone_get(enum zone_type type)
{
    return &zones[type];
}

uint32_t nr_free_pages(enum zone_type type)
{
    return zones[type].free_pages;
}

static void list_push(struct zone *zone, pfn_t pfn, unsigned order)
{
    struct free_area *area = &zone->free_area[order];
    struct page *page = pfn_to_page(pfn);

    page->next = area->first[0] & PFN_LINK_MASK;
    page->order = order & 0xf;
    page->kmap = 0;
    page->free = 1;
    if (area->first[0])
        pfn_to_page(area->first[0])->prev = pfn & PFN_LINK_MASK;
    area->first[0] = pfn;
    area->nr_free++;
}

static void list_remove(struct zone *zone, pfn_t pfn, unsigned order)
{
    struct free_area *area = &zone->free_area[order];
    struct page *page = pfn_to_page(pfn);

    if (page->prev)
        pfn_to_page(page->prev)->next = page->next;
    else
        area->first[0] = page->next;
    if (page->next)
        pfn_to_page(page->next)->prev = page->prev;
    page->next = 0;
    page->kmap = 0;
    area->nr_free--;
}

void page_alloc_init(struct page *map, pfn_t nr_pfn, pfn_t low_pfn)
{
    const pfn_t border[MAX_NR_ZONES + 1] = {0, MIN(ZONE_DMA_PFN, low_pfn), low_pfn, nr_pfn};

    mem_map = map;
    max_pfn = nr_pfn;
    max_low_pfn = low_pfn;
    highmem_map = map + low_pfn;
    for (unsigned i = 0; i < MAX_NR_ZONES; i++) {
        zones[i] = (struct zone){
            .name = zones[i].name,
            .start_pfn = border[i],
            .end_pfn = MAX(border[i], border[i + 1]),
        };
    }
}

void page_alloc_add_range(pfn_t start, pfn_t end)
{
    /* Frame 0 stands for "none" in the lists. From the top down, so that low blocks come first. */
    start = MAX(start, 1u);
    end = MIN(end, max_pfn);
    while (start < end) {
        struct zone *zone = pfn_zone(end - 1);
        pfn_t low = MAX(start, zone->start_pfn);
        unsigned order = 0;

        while (order < MAX_ORDER && IS_ALIGNED(end, 2u << order) && end - low >= (2u << order))
            order++;
        end -= 1u << order;
        list_push(zone, end, order);
        zone->present_pages += 1u << order;
        zone->free_pages += 1u << order;
    }
}

/* Takes a free block of `order` off its list and gives back all but 2^wanted pages at its start. */
static struct page *take_block(struct zone *zone, pfn_t pfn, unsigned order, unsigned wanted)
{
    struct page *page = pfn_to_page(pfn);

    list_remove(zone, pfn, order);
    while (order > wanted) {
        order--;
        list_push(zone, pfn + (1u << order), order);
    }
    page->order = wanted & 0xf;
    page->allocated = 1;
    zone->free_pages -= 1u << wanted;
    return page;
}

static struct page *zone_alloc(struct zone *zone, unsigned wanted)
{
    for (unsigned order = wanted; order <= MAX_ORDER; order++) {
        pfn_t pfn = zone->free_area[order].first[0];

        if (pfn)
            return take_block(zone, pfn, order, wanted);
    }
    return NULL;
}

struct page *alloc_pages(gfp_t gfp, unsigned order)
{
    unsigned zone = gfp & __GFP_ZONE_MASK;
    struct page *page;

    if (unlikely(order > MAX_ORDER || zone >= MAX_NR_ZONES))
        return NULL;
    preempt_disable();
    page = zone_alloc(&zones[zone], order);
    while (!page && zone > 0 && !(gfp & __GFP_THISZONE))
        page = zone_alloc(&zones[--zone], order);
    preempt_enable();
    if (page && (gfp & __GFP_ZERO))
        clear_highpages(page, 1u << order);
    return page;
}

/* The lowest block of 2^wanted pages in [min, max) inside the free block at `pfn`; 0 if none. */
static pfn_t fit_in_block(pfn_t pfn, unsigned order, unsigned wanted, pfn_t min, pfn_t max)
{
    pfn_t at = MAX(pfn, ALIGN_UP(min, 1u << wanted));

    if (at + (1u << wanted) > MIN(max, pfn + (1u << order)))
        return 0;
    return at;
}

static struct page *take_lowest_in(unsigned wanted, phys_addr_t min, phys_addr_t max)
{
    pfn_t min_pfn = phys_to_pfn(MIN(min + PAGE_MASK, pfn_to_phys(max_pfn)));
    pfn_t end_pfn = phys_to_pfn(MIN(max, pfn_to_phys(max_pfn)));

    if (wanted > MAX_ORDER)
        return NULL;
    for (unsigned order = wanted; order <= MAX_ORDER; order++) {
        struct zone *best_zone = NULL;
        pfn_t best = 0, best_block = 0;

        for (struct zone *zone = zones; zone < zones + MAX_NR_ZONES; zone++) {
            for (pfn_t pfn = zone->free_area[order].first[0]; pfn; pfn = pfn_to_page(pfn)->next) {
                pfn_t at = fit_in_block(pfn, order, wanted, min_pfn, end_pfn);

                if (at && (!best || at < best)) {
                    best = at;
                    best_block = pfn;
                    best_zone = zone;
                }
            }
        }
        if (!best)
            continue;
        /* Halve the block, keeping the half with the wanted pages, until it is all that is left. */
        list_remove(best_zone, best_block, order);
        while (order > wanted) {
            pfn_t upper = best_block + (1u << --order);

            if (best >= upper) {
                list_push(best_zone, best_block, order);
                best_block = upper;
            } else {
                list_push(best_zone, upper, order);
            }
        }
        pfn_to_page(best)->order = wanted & 0xf;
        pfn_to_page(best)->allocated = 1;
        best_zone->free_pages -= 1u << wanted;
        return pfn_to_page(best);
    }
    return NULL;
}

struct page *alloc_pages_in(unsigned order, phys_addr_t min, phys_addr_t max)
{
    struct page *page;

    preempt_disable();
    page = take_lowest_in(order, min, max);
    preempt_enable();
    return page;
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
    if (PageHighMem(page) && !forget_windows(page, order))
        return "is still in use by kmap";
    return NULL;
}

static void give_back(struct page *page, unsigned order)
{
    pfn_t pfn = page_to_pfn(page);
    const char *fault = pfn < max_pfn ? free_fault(page, order) : "has no descriptor";
    struct zone *zone;

    if (unlikely(fault != NULL)) {
        finding("free_pages(pfn 0x%x, order %u): the page %s", pfn, order, fault);
        return;
    }
    zone = pfn_zone(pfn);
    zone->free_pages += 1u << order;
    page->allocated = 0;
    while (order < MAX_ORDER) {
        pfn_t buddy = pfn ^ (1u << order);

        if (buddy < zone->start_pfn || buddy + (1u << order) > zone->end_pfn ||
            !pfn_to_page(buddy)->free || pfn_to_page(buddy)->order != order)
            break;
        if (inject(buddy_skip_merge, lowmem_frag))
            break;
        list_remove(zone, buddy, order);
        pfn &= ~(1u << order);
        order++;
    }
    list_push(zone, pfn, order);
}

void __free_pages(struct page *page, unsigned order)
{
    preempt_disable();
    give_back(page, order);
    preempt_enable();
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
    else
        __free_pages(virt_to_page(addr), order);
}

uint32_t zone_unusable_index(const struct zone *zone, unsigned order)
{
    uint64_t usable = 0;

    if (zone->free_pages == 0)
        return 1000;
    for (unsigned o = order; o <= MAX_ORDER; o++)
        usable += (uint64_t)zone->free_area[o].nr_free << o;
    return (uint32_t)((zone->free_pages - usable) * 1000 / zone->free_pages);
}

const char *zone_check(const struct zone *zone, pfn_t *where)
{
    uint32_t pages = 0;

    for (unsigned order = 0; order <= MAX_ORDER; order++) {
        const struct free_area *area = &zone->free_area[order];
        uint32_t blocks = 0;
        pfn_t before = 0;

        for (pfn_t pfn = area->first[0]; pfn; before = pfn, pfn = pfn_to_page(pfn)->next) {
            const struct page *page = &mem_map[pfn];
            pfn_t buddy = pfn ^ (1u << order);

            *where = pfn;
            if (pfn < zone->start_pfn || pfn + (1u << order) > zone->end_pfn)
                return "a free block reaches out of its zone";
            if (!IS_ALIGNED(pfn, 1u << order))
                return "a free block is not aligned to its size";
            if (!page->free || page->allocated || page->order != order)
                return "a listed block is not marked free with its order";
            if (page->prev != before)
                return "a free block's backward link is wrong";
            if (order < MAX_ORDER && buddy >= zone->start_pfn &&
                buddy + (1u << order) <= zone->end_pfn && mem_map[buddy].free &&
                mem_map[buddy].order == order)
                return "two buddies are free side by side";
            if (++blocks > area->nr_free)
                return "a free list is longer than its count, or a ring";
            pages += 1u << order;
        }
        if (blocks != area->nr_free)
            return "a free list is shorter than its count";
    }
    *where = zone->start_pfn;
    return pages == zone->free_pages ? NULL : "the zone's free count is not the sum of its lists";
}
