/* SPDX-License-Identifier: BSD-2-Clause */
#include "paging/kmap.h"
#include "lib/finding.h"
#include "lib/inject.h"
#include "paging/page_alloc.h"
#include "paging/pgtable.h"
#include "paging/tlb.h"

/* Of a slot's count: see the header. */
#define SLOT_FREE 0u
#define SLOT_STALE 1u
#define SLOT_FIRST_USE 2u
#define SLOT_COUNT_MAX UINT16_MAX

#define PTES_PER_SLOT (PKMAP_STRIDE / PAGE_SIZE)

/* With a slot's frame: its page went free, and the descriptor is no longer about windows. */
#define PFN_FORGOTTEN BIT(31)

/* Guarded by being used in thread context of one processor only. */
static struct {
    uint16_t count[LAST_PKMAP];
    pfn_t pfn[LAST_PKMAP];
    unsigned hand; /* the slot to look at next */
} pool;

struct kmap_counters kmap_counters;

static void empty_slot(unsigned slot)
{
    if (slot != LAST_PKMAP / 2 || !inject(kmap_entry_left, oracle))
        pte_clear(&pkmap_ptes[slot * PTES_PER_SLOT]);
    if (!(pool.pfn[slot] & PFN_FORGOTTEN))
        pfn_to_page(pool.pfn[slot])->kmap_slot = 0;
    pool.count[slot] = SLOT_FREE;
}

/* Empties all slots that nobody uses. The one flush covers them all. */
static void flush_stale_slots(void)
{
    bool any = false;

    for (unsigned slot = 0; slot < LAST_PKMAP; slot++) {
        if (pool.count[slot] != SLOT_STALE)
            continue;
        empty_slot(slot);
        any = true;
    }
    if (any && !inject(kmap_skip_flush, kmap))
        tlb_flush_all();
}

/*
 * The next free slot after the last one given out, or LAST_PKMAP. Stale slots behind the hand are
 * free only after it has come round, so it may have to go round twice.
 */
static unsigned find_slot(void)
{
    for (unsigned tries = 0; tries < 2 * LAST_PKMAP; tries++) {
        if (pool.hand == LAST_PKMAP) {
            pool.hand = 0;
            kmap_counters.wraps++;
            flush_stale_slots();
        }
        unsigned slot = pool.hand++;
        if (pool.count[slot] == SLOT_FREE)
            return slot;
    }
    return LAST_PKMAP;
}

static void *map_new(struct page *page)
{
    unsigned slot;

    slot = find_slot();
    if (slot == LAST_PKMAP) {
        kmap_counters.exhausted++;
        return NULL;
    }
    kmap_counters.maps++;
    pool.pfn[slot] = page_to_pfn(page);
    pool.count[slot] = SLOT_FIRST_USE;
    page->kmap_slot = (slot + 1) & PFN_LINK_MASK;
    pte_set(&pkmap_ptes[slot * PTES_PER_SLOT],
            pte_make(page_to_phys(page), PTE_PRESENT | PTE_WRITE | layout.nx));
    if (inject(kmap_guard_mapped, kmap))
        pte_set(&pkmap_ptes[slot * PTES_PER_SLOT + 1],
                pte_make(page_to_phys(page), PTE_PRESENT | PTE_WRITE | layout.nx));
    return (void *)pkmap_addr(slot);
}

void *kmap(struct page *page)
{
    unsigned slot;

    if (!PageHighMem(page))
        return lowmem_page_address(page);
    /* The bits of the slot are a link of the free list there. */
    if (unlikely(page->state == PAGE_FREE)) {
        finding("kmap(pfn 0x%x): the page is free", page_to_pfn(page));
        return NULL;
    }
    if (!page->kmap_slot)
        return map_new(page);
    slot = page->kmap_slot - 1;
    kmap_counters.hits++;
    if (pool.count[slot] == SLOT_COUNT_MAX) {
        finding("kmap(pfn 0x%x): mapped %u times over, more than its count holds",
                page_to_pfn(page), SLOT_COUNT_MAX - SLOT_STALE);
        return NULL;
    }
    if (!inject(kmap_lose_count, kmap))
        pool.count[slot]++;
    return (void *)pkmap_addr(slot);
}

void kunmap(struct page *page)
{
    if (!PageHighMem(page))
        return;
    if (page->state == PAGE_FREE || !page->kmap_slot ||
        pool.count[page->kmap_slot - 1] < SLOT_FIRST_USE) {
        finding("kunmap(pfn 0x%x): the page is not mapped", page_to_pfn(page));
        return;
    }
    pool.count[page->kmap_slot - 1]--;
}

bool kmap_forget(struct page *page)
{
    unsigned slot = page->kmap_slot - 1;

    if (pool.count[slot] >= SLOT_FIRST_USE)
        return false;
    pool.pfn[slot] |= PFN_FORGOTTEN;
    page->kmap_slot = 0;
    return true;
}

void *page_address(const struct page *page)
{
    if (!PageHighMem(page))
        return lowmem_page_address(page);
    if (page->state == PAGE_FREE || !page->kmap_slot ||
        pool.count[page->kmap_slot - 1] < SLOT_FIRST_USE)
        return NULL;
    return (void *)pkmap_addr(page->kmap_slot - 1);
}

bool kmap_slot(unsigned slot, pfn_t *pfn, bool *in_use)
{
    *pfn = pool.pfn[slot] & ~PFN_FORGOTTEN;
    *in_use = pool.count[slot] >= SLOT_FIRST_USE;
    return pool.count[slot] != SLOT_FREE;
}

void kmap_usage(unsigned *free_slots, unsigned *used_slots)
{
    *free_slots = 0;
    *used_slots = 0;
    for (unsigned slot = 0; slot < LAST_PKMAP; slot++) {
        if (pool.count[slot] == SLOT_FREE)
            ++*free_slots;
        else if (pool.count[slot] >= SLOT_FIRST_USE)
            ++*used_slots;
    }
}

unsigned kmap_reset(void)
{
    unsigned used = 0;

    for (unsigned slot = 0; slot < LAST_PKMAP; slot++) {
        if (pool.count[slot] == SLOT_FREE)
            continue;
        if (pool.count[slot] >= SLOT_FIRST_USE)
            used++;
        empty_slot(slot);
    }
    tlb_flush_all();
    return used;
}
