/* SPDX-License-Identifier: BSD-2-Clause */
#include "paging/ioremap.h"
#include "lib/finding.h"
#include "lib/inject.h"
#include "paging/cache_type.h"
#include "paging/layout.h"
#include "paging/preempt.h"
#include "paging/vm_area.h"

/* What is mapped, for who asks what is believed of the tables. Guarded by preemption being off. */
static struct ioremap_area areas[IOREMAP_AREAS];

/* The entry of the area that starts there; of a free one, for 0. NULL if there is none. */
static struct ioremap_area *find_area(virt_t start)
{
    for (unsigned i = 0; i < IOREMAP_AREAS; i++) {
        if (areas[i].start == start)
            return &areas[i];
    }
    return NULL;
}

/* Writes an area down. One too many for the book is mapped all the same, and nobody believes it. */
static void note_area(virt_t start, phys_addr_t phys, unsigned pages, uint64_t cache_flags)
{
    struct ioremap_area *area;

    preempt_disable();
    area = find_area(0);
    if (area)
        *area = (struct ioremap_area){start, phys, pages, cache_flags};
    preempt_enable();
}

static void forget_area(virt_t start)
{
    struct ioremap_area *area;

    preempt_disable();
    area = find_area(start);
    if (area)
        area->start = 0;
    preempt_enable();
}

bool ioremap_area(unsigned index, struct ioremap_area *area)
{
    *area = areas[index];
    return area->start != 0;
}

/* What the entries of a mapping get, unless a mutation loses it: no emulator has caches. */
static uint64_t entry_flags(enum cache_type type)
{
    uint64_t flags = PTE_PRESENT | PTE_WRITE | layout.nx;

    if (inject(ioremap_lose_type, ioremap) && type == CACHE_WC)
        return flags;
    if (inject(ioremap_cached, oracle))
        return flags;
    return flags | cache_type_flags(type);
}

/* All in 64 bits: a range may begin below 4 GiB and end above. */
static void *map_range(phys_addr_t phys, size_t size, enum cache_type type)
{
    phys_addr_t first = ALIGN_DOWN(phys, PAGE_SIZE), end = phys + size;
    unsigned pages;
    virt_t start;

    if (size == 0 || size > VMALLOC_MAX_BYTES || end < phys ||
        addr_number(end - 1) >> layout.phys_bits != 0)
        return NULL;
    pages = (unsigned)((end - first + PAGE_MASK) >> PAGE_SHIFT);
    start = vm_area_take(pages, VM_IOREMAP);
    if (!start)
        return NULL;
    if (inject(ioremap_lose_high, ioremap))
        first = phys_make((uint32_t)addr_number(first));
    if (vm_area_map(start, first, pages, entry_flags(type))) {
        note_area(start, first, pages, cache_type_flags(type));
        return (void *)(start + offset_in_page(phys));
    }
    vm_area_claim(start, VM_IOREMAP);
    vm_area_release(start, pages);
    return NULL;
}

void __iomem *ioremap(phys_addr_t phys, size_t size)
{
    return (__force void __iomem *)map_range(phys, size, CACHE_UC);
}

void __iomem *ioremap_wc(phys_addr_t phys, size_t size)
{
    return (__force void __iomem *)map_range(phys, size, CACHE_WC);
}

void *ioremap_cache(phys_addr_t phys, size_t size)
{
    return map_range(phys, size, CACHE_WB);
}

void iounmap_cache(const void *addr)
{
    virt_t start = ALIGN_DOWN((virt_t)addr, PAGE_SIZE);
    unsigned pages;

    if (!addr)
        return;
    pages = vm_area_claim(start, VM_IOREMAP);
    if (!pages) {
        finding("iounmap(0x%lx): no such mapping", (unsigned long)addr);
        return;
    }
    forget_area(start);
    vm_area_release(start, pages);
}

void iounmap(const volatile void __iomem *addr)
{
    iounmap_cache((__force const void *)addr);
}
