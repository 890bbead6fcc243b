/* SPDX-License-Identifier: BSD-2-Clause */
#include "paging/vmalloc.h"
#include "lib/finding.h"
#include "lib/inject.h"
#include "lib/string.h"
#include "paging/page_alloc.h"
#include "paging/pgtable.h"
#include "paging/tlb.h"
#include "paging/vm_area.h"

static bool is_vmalloc_addr(virt_t addr)
{
    return addr >= layout.vmalloc_start && addr < layout.vmalloc_end;
}

/* The entry of an address of an area; 0 if nothing is mapped. */
static pte_t entry_at(virt_t addr)
{
    const pte_t *entry = pgtable_pte(addr, false);

    return entry ? pte_get(entry) : 0;
}

struct page *vmalloc_to_page(const void *addr)
{
    pte_t entry = is_vmalloc_addr((virt_t)addr) ? entry_at((virt_t)addr) : 0;

    if (!(entry & PTE_PRESENT) || pte_phys(entry) >= pfn_to_phys(max_pfn))
        return NULL;
    return phys_to_page(pte_phys(entry));
}

/* Where the next block comes from: as large as can be had, high memory to its last page first. */
struct source {
    gfp_t gfp;
    unsigned order;
};

static struct page *next_block(struct source *source, unsigned pages_left, unsigned *order)
{
    for (;;) {
        unsigned largest = 31 - (unsigned)__builtin_clz(pages_left);
        struct page *block;

        *order = MIN(source->order, largest);
        block = alloc_pages(source->gfp, *order);
        if (block)
            return block;
        if (*order > 0) {
            source->order = *order - 1;
        } else if (source->gfp != GFP_KERNEL) {
            *source = (struct source){GFP_KERNEL, MAX_ORDER};
        } else {
            return NULL;
        }
    }
}

/* Blocks are mapped one after the other, so each starts with a page that has its order. */
static void free_blocks(virt_t at, unsigned pages)
{
    for (unsigned done = 0; done < pages;) {
        struct page *block = vmalloc_to_page((void *)(at + done * PAGE_SIZE));
        unsigned order;

        if (!block)
            return; /* not filled to its end */
        order = block->order;
        vm_area_unmap(at + done * PAGE_SIZE, 1u << order);
        if (!inject(vmalloc_keep_pages, vmalloc))
            __free_pages(block, order);
        done += 1u << order;
    }
}

static bool fill_area(virt_t at, unsigned pages)
{
    struct source source = {GFP_HIGHUSER | __GFP_THISZONE, MAX_ORDER};
    unsigned order;

    for (unsigned done = 0; done < pages; done += 1u << order) {
        struct page *block = next_block(&source, pages - done, &order);
        virt_t start = at + done * PAGE_SIZE;

        if (!block)
            return false;
        if (!vm_area_map(start, page_to_phys(block), 1u << order, PAGE_KERNEL | layout.nx)) {
            vm_area_unmap(start, 1u << order);
            __free_pages(block, order);
            return false;
        }
    }
    return true;
}

/* Pages in `size` bytes; 0 for none, or for more than there could be room for. */
static unsigned pages_in(size_t size)
{
    return size > VMALLOC_MAX_BYTES ? 0 : (unsigned)((size + PAGE_MASK) >> PAGE_SHIFT);
}

void *vmalloc(size_t size)
{
    unsigned pages = pages_in(size);
    virt_t start = pages ? vm_area_take(pages, VM_ALLOC) : 0;

    if (!start)
        return NULL;
    if (fill_area(start, pages))
        return (void *)start;
    vm_area_claim(start, VM_ALLOC);
    free_blocks(start, pages);
    vm_area_release(start, pages);
    return NULL;
}

void *vzalloc(size_t size)
{
    void *addr = vmalloc(size);

    if (addr && !inject(vzalloc_skip_clear, vmalloc))
        memset(addr, 0, ALIGN_UP(size, PAGE_SIZE));
    return addr;
}

void vfree(const void *addr)
{
    unsigned pages;

    if (!addr)
        return;
    pages = vm_area_claim((virt_t)addr, VM_ALLOC);
    if (!pages) {
        finding("vfree(0x%lx): no such area", (unsigned long)addr);
        return;
    }
    free_blocks((virt_t)addr, pages);
    vm_area_release((virt_t)addr, pages);
}

static bool is_other_type(uint64_t flags)
{
    return flags & CACHE_TYPE_MASK;
}

void *vmap(struct page *const *pages, unsigned count, uint64_t prot)
{
    virt_t start = vm_area_take(count, VM_MAP);

    if (!start)
        return NULL;
    if (is_other_type(prot)) {
        tlb_flush_all();
        cache_flush_all();
    }
    for (unsigned i = 0; i < count; i++) {
        unsigned from = inject(vmap_lose_last, vmalloc) && i + 1 == count ? 0 : i;

        if (vm_area_map(start + i * PAGE_SIZE, page_to_phys(pages[from]), 1, prot | layout.nx))
            continue;
        vm_area_claim(start, VM_MAP);
        vm_area_release(start, count);
        return NULL;
    }
    return (void *)start;
}

void vunmap(const void *addr)
{
    bool other_type = is_vmalloc_addr((virt_t)addr) && is_other_type(entry_at((virt_t)addr));
    unsigned pages;

    if (!addr)
        return;
    pages = vm_area_claim((virt_t)addr, VM_MAP);
    if (!pages) {
        finding("vunmap(0x%lx): no such window", (unsigned long)addr);
        return;
    }
    vm_area_release((virt_t)addr, pages);
    if (other_type)
        cache_flush_all();
}
