/* SPDX-License-Identifier: BSD-2-Clause */
#include "paging/ioremap.h"
#include "lib/bitmap.h"
#include "lib/finding.h"
#include "lib/inject.h"
#include "paging/layout.h"
#include "paging/pgtable.h"
#include "paging/preempt.h"
#include "paging/tlb.h"

#define VMALLOC_MAX_PAGES (VMALLOC_MAX_BYTES / PAGE_SIZE)
#define BITS_PER_WORD 32u

/* Guarded by preemption being off. */
static struct {
    uint32_t used[VMALLOC_MAX_PAGES / BITS_PER_WORD]; /* a bit a page, guards included */
    struct ioremap_area area[IOREMAP_AREAS];
} vmalloc;

static unsigned nr_vmalloc_pages(void)
{
    return (unsigned)((layout.vmalloc_end - layout.vmalloc_start) >> PAGE_SHIFT);
}

static bool map_pages(virt_t at, phys_addr_t phys, unsigned pages, uint64_t flags)
{
    for (unsigned i = 0; i < pages; i++) {
        pte_t *entry = pgtable_pte(at + i * PAGE_SIZE, true);

        if (!entry)
            return false;
        pte_set(entry, pte_make(phys + (uint64_t)i * PAGE_SIZE, flags));
    }
    return true;
}

static void unmap_pages(virt_t at, unsigned pages)
{
    for (unsigned i = 0; i < pages; i++) {
        pte_t *entry = pgtable_pte(at + i * PAGE_SIZE, false);

        if (!entry || !(*entry & PTE_PRESENT))
            continue;
        pte_clear(entry);
        tlb_flush_page(at + i * PAGE_SIZE);
    }
}

static void *map_free_area(phys_addr_t phys, size_t size, uint64_t cache_flags)
{
    size_t offset = offset_in_page(phys);
    unsigned pages = (unsigned)((offset + size + PAGE_MASK) >> PAGE_SHIFT);
    unsigned entry = 0;

    if (size == 0 || size > VMALLOC_MAX_BYTES ||
        addr_number(phys + size - 1) >> layout.phys_bits != 0 || phys + size < phys)
        return NULL;
    while (entry < IOREMAP_AREAS && vmalloc.area[entry].start)
        entry++;
    if (entry == IOREMAP_AREAS)
        return NULL;

    unsigned first = bitmap_find_free_run(vmalloc.used, nr_vmalloc_pages(), 0, pages + 1, 1);
    if (first >= nr_vmalloc_pages())
        return NULL;

    virt_t at = layout.vmalloc_start + first * PAGE_SIZE;
    uint64_t flags = PTE_PRESENT | PTE_WRITE | layout.nx;
    /* An emulator has no caches that could show it. */
    if (!inject(ioremap_cached, oracle))
        flags |= cache_flags;
    if (!map_pages(at, phys - offset, pages, flags)) {
        unmap_pages(at, pages);
        return NULL;
    }
    bitmap_set_range(vmalloc.used, first, pages + 1);
    vmalloc.area[entry] = (struct ioremap_area){at, phys - offset, pages, cache_flags};
    return (void *)(at + offset);
}

static void *map_area(phys_addr_t phys, size_t size, uint64_t cache_flags)
{
    void *window;

    preempt_disable();
    window = map_free_area(phys, size, cache_flags);
    preempt_enable();
    return window;
}

bool ioremap_area(unsigned index, struct ioremap_area *area)
{
    *area = vmalloc.area[index];
    return area->start != 0;
}

void __iomem *ioremap(phys_addr_t phys, size_t size)
{
    return (__force void __iomem *)map_area(phys, size, PTE_PCD | PTE_PWT);
}

void *ioremap_cache(phys_addr_t phys, size_t size)
{
    return map_area(phys, size, 0);
}

/* False if there is no such mapping. */
static bool unmap_area(virt_t start)
{
    for (unsigned i = 0; i < IOREMAP_AREAS; i++) {
        if (!start || vmalloc.area[i].start != start) /* 0 stands for a free entry */
            continue;
        unmap_pages(start, vmalloc.area[i].pages);
        bitmap_clear_range(vmalloc.used, (unsigned)((start - layout.vmalloc_start) >> PAGE_SHIFT),
                           vmalloc.area[i].pages + 1);
        vmalloc.area[i].start = 0;
        return true;
    }
    return false;
}

void iounmap_cache(const void *addr)
{
    bool found;

    if (!addr)
        return;
    preempt_disable();
    found = unmap_area(ALIGN_DOWN((virt_t)addr, PAGE_SIZE));
    preempt_enable();
    if (!found)
        finding("iounmap(0x%lx): no such mapping", (unsigned long)addr);
}

void iounmap(const volatile void __iomem *addr)
{
    iounmap_cache((__force const void *)addr);
}
