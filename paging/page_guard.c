/* SPDX-License-Identifier: BSD-2-Clause */
#include "paging/page_guard.h"
#include "lib/inject.h"
#include "lib/x86/cpu.h"
#include "lib/x86/percpu.h"
#include "paging/kmap.h"
#include "paging/kmap_local_mask.h"
#include "paging/page_alloc.h"
#include "paging/pgtable.h"
#include "paging/tlb.h"

#define PTE_RIGHTS (PTE_PRESENT | PTE_WRITE)

struct guard {
    pfn_t pfn;
    uint32_t owner;
    bool may_read;
};

/* All changed with interrupts off. */
static struct guard guards[PAGE_GUARDS_MAX]; /* in no order */
static unsigned nr_guards, nr_high;
static page_guard_fn hook;

/* A 2 MiB page of the direct map that has a table now. */
static struct split {
    pte_t *directory; /* NULL: unused */
    pte_t large;      /* what was there */
    struct page *table;
} splits[PAGE_GUARD_SPLITS_MAX];

void page_guard_set_hook(page_guard_fn fn)
{
    hook = fn;
}

static pte_t rights_of(pfn_t pfn)
{
    pte_t rights = PTE_RIGHTS;

    for (unsigned i = 0; i < nr_guards; i++) {
        if (guards[i].pfn == pfn)
            rights &= guards[i].may_read ? PTE_PRESENT : 0;
    }
    return rights;
}

/* Gives an entry the rights that its page has now. The frame stays, so no step in between. */
static void update_entry(pte_t *entry, virt_t addr, pfn_t pfn)
{
    pte_t rights = rights_of(pfn);
    pte_t kept = pte_get(entry) & ~(PTE_RIGHTS | PTE_GUARD);

    pte_set(entry, kept | rights | (rights == PTE_RIGHTS ? 0 : PTE_GUARD));
    tlb_flush_page(addr);
}

static bool may_be_guarded(pte_t entry)
{
    return (entry & PTE_RIGHTS) == PTE_RIGHTS || (entry & PTE_GUARD);
}

/* Wherever the page is mapped for good, or NULL: in the direct map, or by kmap(). */
static pte_t *lasting_entry(pfn_t pfn, virt_t *addr)
{
    const struct page *page = pfn_to_page(pfn);

    if (!PageHighMem(page)) {
        *addr = (virt_t)lowmem_page_address(page);
        return pgtable_entry(*addr);
    }
    if (page->free || page->kmap == 0)
        return NULL;
    *addr = pkmap_addr(page->kmap - 1);
    return pgtable_entry(*addr);
}

static void update_page(pfn_t pfn)
{
    virt_t addr;
    pte_t *entry = lasting_entry(pfn, &addr);

    if (entry && may_be_guarded(pte_get(entry)))
        update_entry(entry, addr, pfn);
}

static struct split *unused_split(void)
{
    for (unsigned i = 0; i < PAGE_GUARD_SPLITS_MAX; i++) {
        if (!splits[i].directory)
            return &splits[i];
    }
    return NULL;
}

/*
 * Puts a table with the same translations in the place of a 2 MiB page. Nothing that the processor
 * could have read before, in between or after differs in more than the size, so the entry need not
 * be cleared first, and must not be: our stack may be in there. Context: thread.
 */
static bool split_large(virt_t addr)
{
    pte_t *directory = pgtable_directory(addr);
    struct split *split = unused_split();
    struct page *table;
    pte_t *entries;
    uint32_t flags;

    if (this_cpu()->irq_depth > 0 || !directory || !(pte_get(directory) & PTE_LARGE) || !split)
        return false;
    table = alloc_page(GFP_KERNEL);
    if (!table)
        return false;
    entries = lowmem_page_address(table);
    flags = irq_save();
    *split = (struct split){directory, pte_get(directory), table};
    for (unsigned i = 0; i < PTRS_PER_TABLE; i++)
        pte_set(&entries[i], (split->large & ~PTE_LARGE) + (pte_t)i * PAGE_SIZE);
    pte_set(directory, pte_make(page_to_phys(table), PTE_RIGHTS));
    tlb_flush_page(addr);
    irq_restore(flags);
    return true;
}

static bool is_needed(const struct split *split)
{
    pfn_t first = phys_to_pfn(pte_phys(split->large));

    for (unsigned i = 0; i < nr_guards; i++) {
        if (guards[i].pfn - first < PTRS_PER_TABLE)
            return true;
    }
    return false;
}

/* Puts together what has no guards any more. Context: thread, else it is left for later. */
static void merge_unneeded(void)
{
    if (this_cpu()->irq_depth > 0)
        return;
    for (struct split *split = splits; split < splits + PAGE_GUARD_SPLITS_MAX; split++) {
        uint32_t flags = irq_save();
        struct page *table = NULL;

        if (split->directory && !is_needed(split) && !inject(guard_keep_split, dma_bounce)) {
            pte_set(split->directory, split->large);
            tlb_flush_global();
            table = split->table;
            split->directory = NULL;
        }
        irq_restore(flags);
        if (table)
            __free_page(table);
    }
}

/* From the first guard of a highmem page to the last, windows are opened with care. */
static void count_high(int change)
{
    bool before = nr_high > 0;

    nr_high += (unsigned)change;
    if ((nr_high > 0) == before)
        return;
    if (before)
        kmap_local_unmask(this_cpu());
    else
        kmap_local_mask(this_cpu());
    kmap_settle();
}

static bool is_high(pfn_t pfn)
{
    return PageHighMem(pfn_to_page(pfn));
}

/* Lowmem has an entry of its own then, that is ours to change. */
static bool has_own_entry(pfn_t pfn)
{
    virt_t addr = (virt_t)lowmem_page_address(pfn_to_page(pfn));
    const pte_t *entry = pgtable_entry(addr);

    if (!entry && split_large(addr))
        entry = pgtable_entry(addr);
    return entry && may_be_guarded(pte_get(entry));
}

bool page_guard(pfn_t pfn, uint32_t owner, bool may_read)
{
    uint32_t flags;
    bool room;

    if (!pfn_valid(pfn) || (!is_high(pfn) && !has_own_entry(pfn)))
        return false;
    flags = irq_save();
    room = nr_guards < PAGE_GUARDS_MAX;
    if (room) {
        guards[nr_guards++] = (struct guard){pfn, owner, may_read};
        if (is_high(pfn))
            count_high(1);
        update_page(pfn);
    }
    /* Closing the last slot has taken the mask off. */
    if (nr_high > 0)
        kmap_local_mask(this_cpu());
    irq_restore(flags);
    return room;
}

/* Context: interrupts off. */
static void drop(uint32_t owner)
{
    for (unsigned i = 0; i < nr_guards;) {
        pfn_t pfn = guards[i].pfn;

        if (guards[i].owner != owner) {
            i++;
            continue;
        }
        guards[i] = guards[--nr_guards];
        if (is_high(pfn))
            count_high(-1);
        update_page(pfn);
    }
}

void page_unguard(uint32_t owner)
{
    uint32_t flags = irq_save();

    drop(owner);
    irq_restore(flags);
    merge_unneeded();
}

/* A guard that forbids the access, or NULL. */
static const struct guard *forbidding(pfn_t pfn, bool write)
{
    for (unsigned i = 0; i < nr_guards; i++) {
        if (guards[i].pfn == pfn && (write || !guards[i].may_read))
            return &guards[i];
    }
    return NULL;
}

bool page_guard_fault(virt_t addr, bool write, const void *eip)
{
    pte_t *entry = pgtable_entry(addr);
    const struct guard *guard;
    pfn_t pfn;

    if (!entry || !(pte_get(entry) & PTE_GUARD))
        return false;
    pfn = phys_to_pfn(pte_phys(pte_get(entry)));
    while ((guard = forbidding(pfn, write)) != NULL) {
        uint32_t owner = guard->owner;

        drop(owner);
        if (hook)
            hook(owner, pfn_to_phys(pfn) + offset_in_page(addr), write, eip);
    }
    /* A short window, or one of a thread that did not run, learns only now what has changed. */
    update_entry(entry, addr, pfn);
    return true;
}

bool page_guard_has_high(void)
{
    return nr_high > 0;
}

void page_guard_window(pte_t *entry, virt_t window, pfn_t pfn)
{
    if (rights_of(pfn) != PTE_RIGHTS && !inject(guard_blind_window, dma_bounce))
        update_entry(entry, window, pfn);
}

unsigned page_guard_count(void)
{
    return nr_guards;
}

unsigned page_guard_splits(void)
{
    unsigned used = 0;

    for (unsigned i = 0; i < PAGE_GUARD_SPLITS_MAX; i++)
        used += splits[i].directory != NULL;
    return used;
}
