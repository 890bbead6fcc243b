/* SPDX-License-Identifier: BSD-2-Clause */
#include "paging/kmap.h"
#include "lib/finding.h"
#include "paging/page_alloc.h"
#include "paging/pgtable.h"
#include "paging/tlb.h"

#define PTES_PER_SLOT (PKMAP_STRIDE / PAGE_SIZE)

struct kmap_pool kmap_pool;

/* Guarded like kmap_pool. */
static struct page *slot_page[LAST_PKMAP]; /* whose window a slot that is not free is, or was */
static struct page forgotten;              /* stands for a page that went free in between */
static pfn_t
    forgotten_pfn[LAST_PKMAP]; /* which page that was; its descriptor is no longer about windows */
static unsigned hand;          /* the slot to look at next */

static void empty_slot(unsigned slot)
{
    if (slot != LAST_PKMAP / 2 || !inject(kmap_entry_left, oracle))
        pte_clear(&pkmap_ptes[slot * PTES_PER_SLOT]);
    slot_page[slot]->kmap = 0;
    kmap_pool.count[slot] = KMAP_FREE;
}

/* Empties all slots that nobody uses. The one flush covers them all. */
static void flush_stale_slots(void)
{
    bool any = false;

    for (unsigned slot = 0; slot < LAST_PKMAP; slot++) {
        if (kmap_pool.count[slot] != KMAP_STALE)
            continue;
        empty_slot(slot);
        any = true;
    }
    if (any && !inject(kmap_skip_flush, kmap))
        tlb_flush_all();
}

/*
 * The next free slot, or LAST_PKMAP. Stale slots behind the hand are free only after it has come
 * round, so it may have to go round twice.
 */
static unsigned search_slot(void)
{
    for (unsigned tries = 0; tries < 2 * LAST_PKMAP; tries++) {
        if (hand == LAST_PKMAP) {
            hand = 0;
            kmap_counters.wraps++;
            flush_stale_slots();
        }
        unsigned slot = hand++;
        if (kmap_pool.count[slot] == KMAP_FREE)
            return slot;
    }
    return LAST_PKMAP;
}

void *kmap_take_slot(struct page *page)
{
    unsigned slot;

    if (unlikely(page->free)) {
        finding("kmap(pfn 0x%x): the page is free", page_to_pfn(page));
        return NULL;
    }
    slot = hand;
    if (likely(slot < LAST_PKMAP && kmap_pool.count[slot] == KMAP_FREE))
        hand++;
    else
        slot = search_slot();
    if (unlikely(slot == LAST_PKMAP)) {
        kmap_counters.exhausted++;
        return NULL;
    }
    kmap_counters.maps++;
    slot_page[slot] = page;
    kmap_pool.count[slot] = KMAP_FIRST_USE;
    page->kmap = slot + 1;
    pte_set_page(&pkmap_ptes[slot * PTES_PER_SLOT], page);
    if (inject(kmap_guard_mapped, kmap))
        pte_set_page(&pkmap_ptes[slot * PTES_PER_SLOT + 1], page);
    return (void *)pkmap_addr(slot);
}

void kunmap_unmapped(struct page *page)
{
    finding("kunmap(pfn 0x%x): the page is not mapped", page_to_pfn(page));
}

bool kmap_forget(struct page *page)
{
    unsigned slot = page->kmap - 1;

    if (kmap_pool.count[slot] >= KMAP_FIRST_USE)
        return false;
    slot_page[slot] = &forgotten;
    forgotten_pfn[slot] = page_to_pfn(page);
    page->kmap = 0;
    return true;
}

void *page_address(const struct page *page)
{
    unsigned slot = page->kmap - 1;

    if (!PageHighMem(page))
        return lowmem_page_address(page);
    if (slot >= LAST_PKMAP || kmap_pool.count[slot] < KMAP_FIRST_USE)
        return NULL;
    return (void *)pkmap_addr(slot);
}

bool kmap_slot(unsigned slot, pfn_t *pfn, bool *in_use)
{
    if (kmap_pool.count[slot] == KMAP_FREE)
        return false;
    *pfn = slot_page[slot] == &forgotten ? forgotten_pfn[slot] : page_to_pfn(slot_page[slot]);
    *in_use = kmap_pool.count[slot] >= KMAP_FIRST_USE;
    return true;
}

void kmap_usage(unsigned *free_slots, unsigned *used_slots)
{
    *free_slots = 0;
    *used_slots = 0;
    for (unsigned slot = 0; slot < LAST_PKMAP; slot++) {
        if (kmap_pool.count[slot] == KMAP_FREE)
            ++*free_slots;
        else if (kmap_pool.count[slot] >= KMAP_FIRST_USE)
            ++*used_slots;
    }
}

unsigned kmap_reset(void)
{
    unsigned used = 0;

    for (unsigned slot = 0; slot < LAST_PKMAP; slot++) {
        if (kmap_pool.count[slot] == KMAP_FREE)
            continue;
        if (kmap_pool.count[slot] >= KMAP_FIRST_USE)
            used++;
        empty_slot(slot);
    }
    tlb_flush_all();
    return used;
}
