/* SPDX-License-Identifier: BSD-2-Clause */
#include "ci/model/processor.h"

#include <string.h>

#include "ci/model/access.h"
#include "lib/finding.h"
#include "lib/inject.h"
#include "paging/kmap_local.h"
#include "paging/pgtable.h"
#include "paging/tlb.h"

#define NR_PKMAP (LAST_PKMAP * PKMAP_STRIDE / PAGE_SIZE)
#define NR_FIXMAP (FIX_KMAP_LOCAL + (KMAP_LOCAL_DEPTH + 1) * KMAP_LOCAL_STRIDE)
#define NR_ENTRIES (NR_PKMAP + NR_FIXMAP)

struct processor processor;
void (*processor_on_access)(void);

static pte_t tables[NR_ENTRIES]; /* of the pool, then of the fixmap */
static pte_t tlb[NR_ENTRIES];

struct page *mem_map;
struct page *highmem_map = processor.map + MODEL_LOW_PAGES;
pfn_t max_pfn = MODEL_FIRST_PFN + MODEL_PAGES;
pfn_t max_low_pfn = MODEL_FIRST_PFN + MODEL_LOW_PAGES;
pte_t *pkmap_ptes = tables;
pte_t *fixmap_ptes = tables + NR_PKMAP;
struct tlb_counters tlb_counters;

struct cpu *this_cpu(void)
{
    return &processor.cpu;
}

bool inject_host(const char *name)
{
    return processor.broken && strcmp(processor.broken, name) == 0;
}

void finding(const char *fmt, ...)
{
    (void)fmt;
    processor.findings++;
}

void tlb_flush_all(void)
{
    processor.full_flushes++;
    memset(tlb, 0, sizeof(tlb));
}

/* Number of the entry for this address; NR_ENTRIES if no table has one. */
static size_t entry_of(virt_t addr)
{
    size_t index;

    if (addr >= FIXADDR_START) {
        index = NR_PKMAP + ((addr - FIXADDR_START) >> PAGE_SHIFT);
        return MIN(index, NR_ENTRIES);
    }
    index = (addr - PKMAP_BASE) >> PAGE_SHIFT;
    return addr >= PKMAP_BASE && index < NR_PKMAP ? index : NR_ENTRIES;
}

void tlb_flush_page(virt_t addr)
{
    size_t entry = entry_of(addr);

    processor.page_flushes++;
    if (entry < NR_ENTRIES)
        tlb[entry] = 0;
}

static void walk(size_t entry)
{
    if (!tlb[entry] && (tables[entry] & PTE_PRESENT))
        tlb[entry] = tables[entry];
}

void processor_walk_all(void)
{
    for (size_t i = 0; i < NR_ENTRIES; i++)
        walk(i);
}

uint32_t processor_frame_at(virt_t addr)
{
    size_t entry;

    if (addr < PKMAP_BASE)
        return (uint32_t)((addr - layout.direct_offset) >> PAGE_SHIFT);
    entry = entry_of(addr);
    if (entry == NR_ENTRIES)
        return NO_PAGE;
    walk(entry);
    return tlb[entry] ? phys_to_pfn(pte_phys(tlb[entry])) : NO_PAGE;
}

bool processor_entry_is_plain(virt_t addr)
{
    size_t entry = entry_of(addr);

    if (entry == NR_ENTRIES)
        return addr < PKMAP_BASE;
    return (tlb[entry] & ~PTE_PHYS_MASK) == (PTE_PRESENT | PTE_WRITE | PTE_NX);
}

void processor_start(const char *broken)
{
    processor = (struct processor){.broken = broken};
    memset(tables, 0, sizeof(tables));
    memset(tlb, 0, sizeof(tlb));
    mem_map = (struct page *)((uintptr_t)processor.map - MODEL_FIRST_PFN * sizeof(struct page));
    layout.nx = PTE_NX;
    layout.direct_offset = SPLIT_3G - ((virt_t)MODEL_FIRST_PFN << PAGE_SHIFT);
    processor.cpu.self = &processor.cpu;
    kmap_local_init(&processor.cpu);
}

void model_before_access(void)
{
    if (processor.greedy)
        processor_walk_all();
    if (processor_on_access)
        processor_on_access();
}
