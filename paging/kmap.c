/* SPDX-License-Identifier: BSD-2-Clause */
#include "paging/kmap.h"
#include "lib/finding.h"
#include "paging/page_alloc.h"
#include "paging/pgtable.h"
#include "paging/tlb.h"
#include "paging/wait.h"

#define PTES_PER_SLOT (PKMAP_STRIDE / PAGE_SIZE)

struct kmap_pool kmap_pool;

/* Guarded like kmap_pool. */
static struct page *slot_page[LAST_PKMAP]; /* whose window a slot that is not free is, or was */
static struct page forgotten;              /* stands for a page that went free in between */
/* Which page that was: its descriptor is no longer about windows. */
static pfn_t forgotten_pfn[LAST_PKMAP];

/* The slot to look at next; the quick one is LAST_PKMAP while somebody waits: then nothing is
 * quick. */
static unsigned hand, quick_hand;

/*
 * Who waits for a window. A window that comes free is kept for the first of them: until it has run,
 * nobody else takes one.
 */
static struct wait_queue waiters = WAIT_QUEUE_INIT(waiters);
static unsigned nr_kept;

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

static bool is_contended(void)
{
    return kmap_pool.waiting || nr_kept;
}

static void settle_quick_hand(void)
{
    quick_hand = is_contended() ? LAST_PKMAP : hand;
}

static void wake_next(void)
{
    if (inject(kmap_lose_wakeup, kmap_threads) || wait_is_empty(&waiters))
        return;
    kmap_pool.waiting--;
    nr_kept++;
    wait_wake(&waiters);
}

/*
 * Sleeps until a slot is kept for the caller, and takes it, unless the page has got a window
 * meanwhile. Returns LAST_PKMAP if nobody could ever free one.
 */
static unsigned wait_for_slot(struct page *page)
{
    unsigned slot = LAST_PKMAP;

    kmap_pool.waiting++;
    settle_quick_hand();
    if (wait_sleep(&waiters)) {
        nr_kept--;
        if (page->kmap)
            wake_next(); /* what was kept goes to the next */
        else
            slot = search_slot();
    } else {
        kmap_pool.waiting--;
    }
    settle_quick_hand();
    return page->kmap ? page->kmap - 1 : slot;
}

/* While threads wait there is no slot that is not kept for one of them. */
static bool have_to_wait(void)
{
    unsigned free_slots, used_slots;

    if (kmap_pool.waiting)
        return true;
    kmap_usage(&free_slots, &used_slots);
    return LAST_PKMAP - used_slots <= nr_kept;
}

static inline void fill_slot(unsigned slot, struct page *page)
{
    kmap_counters.maps++;
    slot_page[slot] = page;
    kmap_pool.count[slot] = KMAP_FIRST_USE;
    page->kmap = slot + 1;
    pte_set_page(&pkmap_ptes[slot * PTES_PER_SLOT], page);
    if (inject(kmap_guard_mapped, kmap))
        pte_set_page(&pkmap_ptes[slot * PTES_PER_SLOT + 1], page);
}

/* The rest of kmap_take_slot(), for when it is not as simple as that. */
static __attribute__((noinline)) void *take_slot_slowly(struct page *page)
{
    unsigned slot;

    if (page->free) {
        finding("kmap(pfn 0x%x): the page is free", page_to_pfn(page));
        return NULL;
    }
    slot = is_contended() && have_to_wait() ? LAST_PKMAP : search_slot();
    if (slot == LAST_PKMAP)
        slot = wait_for_slot(page);
    if (slot == LAST_PKMAP) {
        kmap_counters.exhausted++;
        return NULL;
    }
    settle_quick_hand();
    if (page->kmap)
        kmap_pool.count[slot]++;
    else
        fill_slot(slot, page);
    return (void *)pkmap_addr(slot);
}

void *kmap_take_slot(struct page *page)
{
    unsigned slot = quick_hand;
    void *window;

    if (unlikely(slot == LAST_PKMAP || kmap_pool.count[slot] != KMAP_FREE || page->free)) {
        window = take_slot_slowly(page);
    } else {
        hand = quick_hand = slot + 1;
        fill_slot(slot, page);
        window = (void *)pkmap_addr(slot);
    }
    preempt_enable();
    return window;
}

void kunmap_slowly(struct page *page)
{
    unsigned slot = page->kmap - 1;

    if (slot >= LAST_PKMAP || kmap_pool.count[slot] < KMAP_FIRST_USE) {
        finding("kunmap(pfn 0x%x): the page is not mapped", page_to_pfn(page));
        return;
    }
    if (--kmap_pool.count[slot] == KMAP_STALE)
        wake_next();
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
    kmap_pool.waiting = 0;
    nr_kept = 0;
    settle_quick_hand();
    list_init(&waiters.sleepers);
    return used;
}
