/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAGING_KMAP_LOCAL_H
#define PAGING_KMAP_LOCAL_H

/*
 * kmap_local_page(): a short window to a highmem page, for this processor only.
 *
 * Each CPU has a stack of KMAP_LOCAL_DEPTH slots in the fixmap, an unmapped guard page after each.
 * Windows are given back in the opposite order; an interrupt handler takes the slots above those of
 * the code that it interrupted, and gives all of them back. A slot is flushed by INVLPG when it is
 * given back, so a fresh window needs none.
 *
 * Context: any. A lowmem page needs no slot and gives its direct-map address.
 */

#include "lib/inject.h"
#include "lib/x86/percpu.h"
#include "paging/page.h"
#include "paging/pgtable.h"
#include "paging/tlb.h"

#define KMAP_LOCAL_STRIDE_BYTES (KMAP_LOCAL_STRIDE * PAGE_SIZE)

/*
 * Address of slot `index`, 0..KMAP_LOCAL_DEPTH, of processor `cpu`. The last one is no slot, but
 * keeps processors apart.
 */
#define KMAP_LOCAL_ADDR(cpu, index)               \
    (FIXADDR_START + FIX_KMAP_LOCAL * PAGE_SIZE + \
     ((cpu) * (KMAP_LOCAL_DEPTH + 1) + (index)) * KMAP_LOCAL_STRIDE_BYTES)

/* For the functions below, not for others. */
void *kmap_local_exhausted(pfn_t pfn);
void kunmap_local_wrong(const void *addr);
void kmap_local_spoil_close(virt_t window);

static inline pte_t *kmap_local_pte(virt_t window)
{
    return &fixmap_ptes[(window - FIXADDR_START) >> PAGE_SHIFT];
}

/*
 * Takes the next slot, of which there is one. It is taken before its entry is written: an interrupt
 * in between takes the one above, and has given it back when we go on.
 */
static inline virt_t kmap_local_take(struct cpu *cpu)
{
    virt_t window = cpu->kmap_local_next;

    if (!inject(kmap_local_share_slot, kmap) && !inject_on_host(kmap_local_late_depth))
        cpu->kmap_local_next = window + (uintptr_t)KMAP_LOCAL_STRIDE_BYTES;
    __asm__ volatile("" : : : "memory");
    return window;
}

/* Gives back the slot at `window`, the last one taken. */
static inline void kmap_local_close(struct cpu *cpu, virt_t window)
{
    if (inject_any2(kmap, kmap_local_skip_invlpg, kmap_local_keep_entry)) {
        kmap_local_spoil_close(window);
    } else {
        pte_clear(kmap_local_pte(window));
        tlb_invlpg(window);
    }
    __asm__ volatile("" : : : "memory");
    cpu->kmap_local_next = window;
}

#if __STDC_HOSTED__ && !defined(KMAP_LOCAL_UNDER_TEST)
void *kmap_local_page(struct page *page); /* a unit test has its own */
void kunmap_local(const void *addr);

static inline void *kmap_local_begin(pfn_t pfn)
{
    return kmap_local_page(pfn_to_page(pfn));
}

static inline void kmap_local_end(void *window)
{
    kunmap_local(window);
}
#else

/* A window to the page, or NULL (and a finding) if all slots of this CPU are in use. */
static inline void *kmap_local_page(struct page *page)
{
    struct cpu *cpu;
    virt_t window;

    if (!PageHighMem(page))
        return lowmem_page_address(page);
    cpu = this_cpu();
    if (unlikely(cpu->kmap_local_next == cpu->kmap_local_end))
        return kmap_local_exhausted(page_to_pfn(page));
    window = kmap_local_take(cpu);
    pte_set_page(kmap_local_pte(window), page);
    if (inject_on_host(kmap_local_late_depth))
        cpu->kmap_local_next = window + KMAP_LOCAL_STRIDE_BYTES;
    return (void *)window;
}

/*
 * Gives back the window that was opened last; `addr` may point anywhere into it. Another window, or
 * an address that is none, is a finding and changes nothing; a direct-map address is fine.
 */
static inline void kunmap_local(const void *addr)
{
    struct cpu *cpu;
    virt_t window;

    if ((virt_t)addr < FIXADDR_START)
        return;
    cpu = this_cpu();
    window = ALIGN_DOWN((virt_t)addr, PAGE_SIZE);
    if (unlikely(window != cpu->kmap_local_next - KMAP_LOCAL_STRIDE_BYTES))
        kunmap_local_wrong(addr);
    else
        kmap_local_close(cpu, window);
}

/*
 * The same two for a frame that is highmem for certain, and for a function that begins and ends a
 * window by itself, with none other in between. NULL, and no finding, if no slot is to be had so
 * quickly: kmap_local_page() knows more.
 */
static inline void *kmap_local_begin(pfn_t pfn)
{
    virt_t window = this_cpu_get(kmap_local_next);

    if (unlikely(window == this_cpu_get(kmap_local_end)))
        return NULL;
    if (window < FIXADDR_START)
        __builtin_unreachable();
    this_cpu_set(kmap_local_next, window + (uintptr_t)KMAP_LOCAL_STRIDE_BYTES);
    pte_set_pfn(kmap_local_pte(window), pfn);
    return (void *)window;
}

static inline void kmap_local_end(void *window)
{
    pte_clear(kmap_local_pte((virt_t)window));
    tlb_invlpg((virt_t)window);
    this_cpu_set(kmap_local_next, (virt_t)window);
}

#endif

/* A window by number, for frames without a descriptor as well, and guarded or not. */
void *kmap_local_pfn(pfn_t pfn);

/* Gets a processor's slots ready. Context: once for each, before it opens any. */
void kmap_local_init(struct cpu *cpu);

/*
 * What a thread that does not run keeps of its windows. They are closed when it stops running, and
 * opened again at the same addresses before it goes on, so that it never notices.
 */
struct kmap_local_saved {
    unsigned count;
    pte_t entry[KMAP_LOCAL_DEPTH];
};

static inline void kmap_local_saved_init(struct kmap_local_saved *saved)
{
    saved->count = 0;
}

/* Closes this CPU's windows into *out, and opens those of *in. Context: interrupts off. */
void kmap_local_switch(struct kmap_local_saved *out, const struct kmap_local_saved *in);

/* Windows that this CPU holds. */
unsigned kmap_local_depth(void);

/* Gives back all windows above `depth`, for the framework, after a case that faulted. */
void kmap_local_unwind(unsigned depth);

/* Address of this CPU's slot `index`, 0..KMAP_LOCAL_DEPTH-1; for suites that look at guards. */
virt_t kmap_local_addr(unsigned index);

#endif
