/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAGING_KMAP_H
#define PAGING_KMAP_H

/*
 * kmap(): a lasting window to a highmem page, shared by all who ask for the same page.
 *
 * LAST_PKMAP windows of one page stand from PKMAP_BASE up, an unmapped guard page after each. A
 * slot has a count: 0, free and in no TLB; 1, nobody's, but its translation may still be cached; n,
 * in use n - 1 times. kunmap() never flushes. Slots are handed out in turn, and only when the hand
 * comes round to the start are all slots of count 1 emptied together, with one flush for them all.
 *
 * A lowmem page never takes a slot. Context: thread.
 */

#include "lib/inject.h"
#include "paging/preempt.h"
#include "paging/page.h"

/* Of a slot's count. */
#define KMAP_FREE 0u
#define KMAP_STALE 1u
#define KMAP_FIRST_USE 2u

/* Cumulative, for reports. */
struct kmap_counters {
    uint32_t hits;  /* the page had a window */
    uint32_t maps;  /* a slot was taken */
    uint32_t wraps; /* the hand came round, one flush each */
    uint32_t exhausted;
};

/* Guarded by preemption being off. For the two functions below. */
extern struct kmap_pool {
    uint32_t count[LAST_PKMAP];
    uint32_t waiting; /* threads that sleep until a window is free, or have not taken it yet */
    struct kmap_counters counters;
} kmap_pool;

#define kmap_counters (kmap_pool.counters)

/* The parts that are not worth having at every call. Preemption is off; kmap_take_slot() ends that.
 */
void *kmap_take_slot(struct page *page);
void kunmap_slowly(struct page *page);

static inline virt_t pkmap_addr(unsigned slot)
{
    return PKMAP_BASE + slot * (uintptr_t)PKMAP_STRIDE;
}

/*
 * The page's window, or its direct-map address. With all windows in use it sleeps until kunmap()
 * frees one; who sleeps first is served first. NULL if there are no other threads that could do so.
 */
static inline void *kmap(struct page *page)
{
    unsigned slot;

    if (!PageHighMem(page))
        return lowmem_page_address(page);
    preempt_disable();
    slot = page->kmap - 1;
    if (unlikely(slot >= LAST_PKMAP))
        return kmap_take_slot(page);
    kmap_pool.counters.hits++;
    if (!inject(kmap_lose_count, kmap))
        kmap_pool.count[slot]++;
    preempt_enable();
    return (void *)pkmap_addr(slot);
}

/* Gives one use back. A page that is not mapped is a finding. */
static inline void kunmap(struct page *page)
{
    unsigned slot;

    if (!PageHighMem(page))
        return;
    preempt_disable();
    slot = page->kmap - 1;
    if (unlikely(slot >= LAST_PKMAP || kmap_pool.count[slot] < KMAP_FIRST_USE || kmap_pool.waiting))
        kunmap_slowly(page);
    else
        kmap_pool.count[slot]--;
    if (inject(kmap_unmap_to_free, kmap) && slot < LAST_PKMAP &&
        kmap_pool.count[slot] == KMAP_STALE)
        kmap_pool.count[slot] = KMAP_FREE;
    preempt_enable();
}

/*
 * The other way round from page_address(): the page that an address in a window in use shows, or
 * one in the direct map; `addr` may point anywhere into it. NULL for an address that is neither.
 * Context: any.
 */
struct page *kmap_to_page(const void *addr);

/*
 * For the page allocator: parts a page that goes free from its stale slot, whose translation then
 * belongs to nobody until the next flush. False if the window is in use. The page has a slot.
 */
bool kmap_forget(struct page *page);

/* How many slots have count 0, and how many are in use. */
void kmap_usage(unsigned *free_slots, unsigned *used_slots);

/* A window in use. */
struct kmap_open {
    struct page *page;
    unsigned uses;
    const void *caller; /* who asked for it when the page had none */
};

/*
 * Goes over the windows in use: first is 0, or what the last call returned. Returns 0 at the end,
 * and *open is then untouched.
 */
unsigned kmap_open_windows(unsigned first, struct kmap_open *open);

/*
 * What the books say of slot `slot`: false if it should be empty; else the frame that it shows, and
 * whether someone uses it. A slot that is not in use shows its page until the next flush, even a
 * page that went free.
 */
bool kmap_slot(unsigned slot, pfn_t *pfn, bool *in_use);

/*
 * Gives every use of every slot back, and flushes: for the framework, after a case that faulted
 * with windows open. Returns how many slots were in use.
 */
unsigned kmap_reset(void);

/* For paging/page_guard.c, when there are guarded highmem pages, or no more. */
void kmap_settle(void);

#endif
