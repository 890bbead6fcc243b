/* SPDX-License-Identifier: BSD-2-Clause */
#include "paging/vm_area.h"
#include "lib/bitmap.h"
#include "lib/inject.h"
#include "lib/string.h"
#include "paging/pgtable.h"
#include "paging/preempt.h"
#include "paging/tlb.h"

#define MAX_PAGES (VMALLOC_MAX_BYTES / PAGE_SIZE)

struct vm_counters vm_counters;

/* A bit for each page of the region. Guarded by preemption being off. */
static struct {
    BITMAP(taken, MAX_PAGES); /* not to be had: areas, their guards, and what is dirty */
    BITMAP(dirty, MAX_PAGES); /* given back, and may still be in a TLB */
    BITMAP(last, MAX_PAGES);  /* the last page of an area */
    uint32_t first[VM_KINDS][BITMAP_WORDS(MAX_PAGES)];
    unsigned nr_dirty;
    unsigned hand; /* where to look next */
} space;

static unsigned nr_pages_of_region(void)
{
    return (unsigned)((layout.vmalloc_end - layout.vmalloc_start) >> PAGE_SHIFT);
}

/* Behind each area. */
static unsigned nr_guards(void)
{
    return inject(vmalloc_no_guard, vmalloc) ? 0 : 1;
}

static unsigned index_of(virt_t addr)
{
    return (unsigned)((addr - layout.vmalloc_start) >> PAGE_SHIFT);
}

/* One flush for all that was given back. */
static void start_over(void)
{
    space.hand = 0;
    if (!space.nr_dirty)
        return;
    if (!inject(vmalloc_skip_flush, vmalloc))
        tlb_flush_all();
    for (unsigned i = 0; i < ARRAY_SIZE(space.taken); i++)
        space.taken[i] &= ~space.dirty[i];
    memset(space.dirty, 0, sizeof(space.dirty));
    space.nr_dirty = 0;
    vm_counters.flushes++;
}

/* `pages` free pages side by side; the number of pages of the region if there are none. */
static unsigned search_space(unsigned pages)
{
    unsigned end = nr_pages_of_region();
    unsigned first = bitmap_find_free_run(space.taken, end, space.hand, pages);

    if (first < end)
        return first;
    start_over();
    return bitmap_find_free_run(space.taken, end, 0, pages);
}

static virt_t take_area(unsigned pages, enum vm_kind kind)
{
    unsigned first;

    if (pages == 0 || pages >= nr_pages_of_region())
        return 0;
    first = search_space(pages + nr_guards());
    if (first == nr_pages_of_region())
        return 0;
    space.hand = first + pages + nr_guards();
    bitmap_set_range(space.taken, first, pages + nr_guards());
    bitmap_set(space.first[kind], first);
    bitmap_set(space.last, first + pages - 1);
    vm_counters.taken++;
    vm_counters.areas++;
    vm_counters.pages += pages;
    return layout.vmalloc_start + first * PAGE_SIZE;
}

virt_t vm_area_take(unsigned pages, enum vm_kind kind)
{
    virt_t start;

    preempt_disable();
    start = take_area(pages, kind);
    if (!start)
        vm_counters.failures++;
    preempt_enable();
    return start;
}

static unsigned claim_area(unsigned first, enum vm_kind kind)
{
    unsigned last;

    if (!bitmap_test(space.first[kind], first))
        return 0;
    last = bitmap_next_set(space.last, first, nr_pages_of_region());
    bitmap_clear(space.first[kind], first);
    bitmap_clear(space.last, last);
    vm_counters.areas--;
    vm_counters.pages -= last - first + 1;
    return last - first + 1;
}

unsigned vm_area_claim(virt_t start, enum vm_kind kind)
{
    unsigned pages;

    if (start < layout.vmalloc_start || start >= layout.vmalloc_end || offset_in_page(start))
        return 0;
    preempt_disable();
    pages = claim_area(index_of(start), kind);
    preempt_enable();
    return pages;
}

void vm_area_release(virt_t start, unsigned pages)
{
    unsigned first = index_of(start);

    vm_area_unmap(start, pages);
    pages += nr_guards();
    preempt_disable();
    if (inject(vmalloc_reuse_early, vmalloc)) {
        bitmap_clear_range(space.taken, first, pages);
        space.hand = first;
    } else {
        bitmap_set_range(space.dirty, first, pages);
        space.nr_dirty += pages;
    }
    preempt_enable();
}

/* Tables are made once and stay. Two threads may need the same new one. */
static pte_t *entry_of(virt_t at, bool create)
{
    pte_t *entry;

    preempt_disable();
    entry = pgtable_pte(at, create);
    preempt_enable();
    return entry;
}

bool vm_area_map(virt_t at, phys_addr_t phys, unsigned pages, uint64_t flags)
{
    pte_t *entry = NULL;

    for (; pages > 0; pages--, at += PAGE_SIZE, phys += PAGE_SIZE) {
        entry = entry && !IS_ALIGNED(at, LARGE_PAGE_SIZE) ? entry + 1 : entry_of(at, true);
        if (!entry)
            return false;
        pte_set(entry, pte_make(phys, flags));
    }
    return true;
}

void vm_area_unmap(virt_t at, unsigned pages)
{
    if (inject(vmalloc_keep_mapped, vmalloc))
        return;
    while (pages > 0) {
        unsigned part = MIN(pages, PTRS_PER_TABLE - table_index(at));
        pte_t *entry = entry_of(at, false);

        for (unsigned i = 0; entry && i < part; i++)
            pte_clear(entry + i);
        at += part * PAGE_SIZE;
        pages -= part;
    }
}
