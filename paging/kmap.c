/* SPDX-License-Identifier: BSD-2-Clause */
#include "paging/kmap.h"
#include "lib/finding.h"
#include "paging/page_alloc.h"
#include "paging/page_guard.h"
#include "paging/pgtable.h"
#include "paging/tlb.h"
#include "paging/wait.h"

#define PTES_PER_SLOT (PKMAP_STRIDE / PAGE_SIZE)

struct kmap_pool kmap_pool;

/* Guarded like kmap_pool. */
static struct slot {
    struct page *page;  /* whose window a slot that is not free is, or was */
    const void *caller; /* who asked for it first */
} slots[LAST_PKMAP];
static struct page forgotten;           /* stands for a page that lost its slot in between */
static pfn_t forgotten_pfn[LAST_PKMAP]; /* which page that was */

/* The slot to look at next; the quick one is LAST_PKMAP while somebody waits, or pages are
 * guarded: then nothing is quick. */
static unsigned hand, quick_hand;

/*
 * Who waits for a window. A window that comes free is kept for the first of them: until it has run,
 * nobody else takes it, not even by way of the page that it showed last. So while anybody waits, a
 * slot that nobody uses is no page's.
 */
static struct wait_queue waiters = WAIT_QUEUE_INIT(waiters);
static unsigned nr_kept;

/* Which page a slot that is not free shows, or showed. */
static pfn_t slot_pfn(unsigned slot)
{
    return slots[slot].page == &forgotten ? forgotten_pfn[slot] : page_to_pfn(slots[slot].page);
}

static __attribute__((noinline)) void spoil_emptied(unsigned slot, pte_t *entry)
{
    if (inject(kmap_keep_entry, kmap))
        pte_set_page(entry, slots[slot].page);
    if (inject(kmap_keep_link, kmap))
        slots[slot].page->kmap = slot + 1;
    if (inject(kmap_entry_left, oracle) && slot == LAST_PKMAP / 2)
        pte_set(entry, pte_make(pfn_to_phys(slot_pfn(slot)), PTE_PRESENT | PTE_WRITE | layout.nx));
}

static inline void empty_slot(unsigned slot, pte_t *entry)
{
    pte_clear(entry);
    slots[slot].page->kmap = 0;
    kmap_pool.count[slot] = KMAP_FREE;
    if (inject_any2(kmap, kmap_keep_entry, kmap_keep_link) || inject(kmap_entry_left, oracle))
        spoil_emptied(slot, entry);
}

/* Empties all slots that nobody uses. The one flush covers them all. */
static void flush_stale_slots(void)
{
    pte_t *entry = pkmap_ptes;
    unsigned emptied = 0;

    if (inject_on_host(kmap_flush_first))
        tlb_flush_all();
    for (unsigned slot = 0; slot < LAST_PKMAP; slot++, entry += PTES_PER_SLOT) {
        if (kmap_pool.count[slot] != KMAP_STALE &&
            (kmap_pool.count[slot] == KMAP_FREE || !inject(kmap_empty_used, kmap)))
            continue;
        empty_slot(slot, entry);
        emptied++;
    }
    if (emptied && !inject(kmap_skip_flush, kmap) && !inject_on_host(kmap_flush_first))
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
            hand = inject(kmap_skip_first, kmap) ? 1 : 0;
            kmap_counters.wraps++;
            flush_stale_slots();
        }
        unsigned slot = hand++;
        if (kmap_pool.count[slot] == KMAP_FREE ||
            (inject(kmap_reuse_stale, kmap) && kmap_pool.count[slot] == KMAP_STALE))
            return slot;
    }
    return LAST_PKMAP;
}

static void settle_quick_hand(void)
{
    quick_hand =
        (kmap_pool.waiting && !inject(kmap_quick_barge, kmap_wait)) || page_guard_has_high()
            ? LAST_PKMAP
            : hand;
}

void kmap_settle(void)
{
    settle_quick_hand();
}

static void wake_next(void)
{
    if (inject(kmap_lose_wakeup, kmap_threads) || wait_is_empty(&waiters))
        return;
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
        nr_kept -= inject(kmap_keep_kept, kmap_wait) ? 0 : 1;
        if (!page->kmap)
            slot = search_slot();
        else if (!inject(kmap_keep_for_none, kmap_wait))
            wake_next(); /* what was kept goes to the next */
    }
    kmap_pool.waiting -= inject(kmap_keep_waiting, kmap_wait) ? 0 : 1;
    settle_quick_hand();
    return page->kmap && !page->free ? page->kmap - 1 : slot;
}

/* While threads wait there is no slot that is not kept for one of them. */
static bool have_to_wait(void)
{
    unsigned free_slots, used_slots;

    if (inject(kmap_barge, kmap_wait))
        return false;
    if (!wait_is_empty(&waiters))
        return true;
    kmap_usage(&free_slots, &used_slots);
    return LAST_PKMAP - used_slots <= nr_kept;
}

/*
 * For a mutation that loses all above 4 GiB of an address: what is hit instead must be nobody's, or
 * the payload destroys itself before its suite can notice. The third 256 MiB of lowmem are free on
 * the machine that the mutations run on. A host has nothing to lose.
 */
static bool loses_harmlessly(const struct page *page)
{
    phys_addr_t low = phys_make((uint32_t)addr_number(page_to_phys(page)));

    return __STDC_HOSTED__ || (low >= phys_make(MIB64(512)) && low < phys_make(MIB64(768)));
}

static __attribute__((noinline)) void spoil_filled(unsigned slot, struct page *page)
{
    pte_t *entry = &pkmap_ptes[slot * PTES_PER_SLOT];

    if (inject(kmap_guard_mapped, kmap))
        pte_set_page(entry + 1, page);
    if (inject(kmap_lose_high, kmap) && loses_harmlessly(page))
        pte_set(entry, (uint32_t)pte_get(entry) | layout.nx);
    if (inject(kmap_lose_owner, kmap))
        slots[slot].page = &forgotten;
    if (inject(kmap_lose_enable, kmap))
        preempt_disable();
}

static inline void fill_slot(unsigned slot, struct page *page, const void *caller)
{
    kmap_counters.maps++;
    slots[slot].page = page;
    slots[slot].caller = caller;
    kmap_pool.count[slot] = KMAP_FIRST_USE;
    page->kmap = slot + 1;
    pte_set_page(&pkmap_ptes[slot * PTES_PER_SLOT], page);
    if (inject_any4(kmap, kmap_guard_mapped, kmap_lose_high, kmap_lose_owner, kmap_lose_enable))
        spoil_filled(slot, page);
}

/* The rest of kmap_take_slot(), for when it is not as simple as that. */
static __attribute__((noinline)) void *take_slot_slowly(struct page *page, const void *caller)
{
    unsigned slot = LAST_PKMAP;

    if (!page->free) {
        slot = kmap_pool.waiting && have_to_wait() ? LAST_PKMAP : search_slot();
        if (slot == LAST_PKMAP)
            slot = wait_for_slot(page);
    }
    /* It may have gone free while the caller slept for it. */
    if (page->free) {
        if (!inject(kmap_quiet_free, kmap_bugs))
            finding("kmap(pfn 0x%x) by %p: the page is free", page_to_pfn(page), caller);
        return NULL;
    }
    if (slot == LAST_PKMAP) {
        kmap_counters.exhausted++;
        return NULL;
    }
    settle_quick_hand();
    if (page->kmap) {
        kmap_pool.count[slot]++;
    } else {
        fill_slot(slot, page, caller);
        page_guard_window(&pkmap_ptes[slot * PTES_PER_SLOT], pkmap_addr(slot), page_to_pfn(page));
    }
    return (void *)pkmap_addr(slot);
}

void *kmap_take_slot(struct page *page)
{
    unsigned slot = quick_hand;
    void *window;

    if (unlikely(slot == LAST_PKMAP || kmap_pool.count[slot] != KMAP_FREE || page->free)) {
        window = take_slot_slowly(page, __builtin_return_address(0));
    } else {
        hand = quick_hand = slot + 1;
        fill_slot(slot, page, __builtin_return_address(0));
        window = (void *)pkmap_addr(slot);
    }
    preempt_enable();
    return window;
}

/* From here on the slot, which nobody uses, is not the page's any more. */
static void part(unsigned slot)
{
    forgotten_pfn[slot] = page_to_pfn(slots[slot].page);
    slots[slot].page->kmap = 0;
    slots[slot].page = &forgotten;
}

void kunmap_slowly(struct page *page)
{
    unsigned slot = page->kmap - 1;

    if (slot >= LAST_PKMAP || kmap_pool.count[slot] < KMAP_FIRST_USE) {
        if (!inject(kmap_quiet_kunmap, kmap))
            finding("kunmap(pfn 0x%x) by %p: the page is not mapped", page_to_pfn(page),
                    __builtin_return_address(0));
        return;
    }
    if (--kmap_pool.count[slot] != KMAP_STALE || !kmap_pool.waiting)
        return;
    if (!inject(kmap_skip_part, kmap_wait))
        part(slot);
    wake_next();
}

bool kmap_forget(struct page *page)
{
    unsigned slot = page->kmap - 1;

    if (kmap_pool.count[slot] >= KMAP_FIRST_USE && !inject(kmap_forget_used, kmap_bugs))
        return false;
    if (!inject(kmap_skip_forget, kmap_bugs))
        part(slot);
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

struct page *kmap_to_page(const void *addr)
{
    virt_t at = (virt_t)addr;
    uint32_t offset;

    if (at >= layout.page_offset && at < layout.high_memory)
        return virt_to_page(addr);
    if (at < PKMAP_BASE || at >= pkmap_addr(LAST_PKMAP))
        return NULL;
    offset = (uint32_t)(at - PKMAP_BASE);
    /* Behind each window is its guard. */
    if (offset % PKMAP_STRIDE >= PAGE_SIZE)
        return NULL;
    if (kmap_pool.count[offset / PKMAP_STRIDE] < KMAP_FIRST_USE && !inject(kmap_find_stale, kmap))
        return NULL;
    return slots[offset / PKMAP_STRIDE].page;
}

bool kmap_slot(unsigned slot, pfn_t *pfn, bool *in_use)
{
    if (kmap_pool.count[slot] == KMAP_FREE)
        return false;
    *pfn = slot_pfn(slot);
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

unsigned kmap_open_windows(unsigned first, struct kmap_open *open)
{
    for (unsigned slot = first; slot < LAST_PKMAP; slot++) {
        if (kmap_pool.count[slot] < KMAP_FIRST_USE)
            continue;
        *open = (struct kmap_open){.page = slots[slot].page,
                                   .uses = kmap_pool.count[slot] - KMAP_STALE,
                                   .caller = slots[slot].caller};
        return slot + 1;
    }
    return 0;
}

unsigned kmap_reset(void)
{
    unsigned used = 0;

    for (unsigned slot = 0; slot < LAST_PKMAP; slot++) {
        if (kmap_pool.count[slot] == KMAP_FREE)
            continue;
        if (kmap_pool.count[slot] >= KMAP_FIRST_USE)
            used++;
        empty_slot(slot, &pkmap_ptes[slot * PTES_PER_SLOT]);
    }
    if (!inject(kmap_reset_skip_flush, kmap))
        tlb_flush_all();
    hand = 0;
    kmap_pool.waiting = 0;
    nr_kept = 0;
    settle_quick_hand();
    list_init(&waiters.sleepers);
    return used;
}
