/* SPDX-License-Identifier: BSD-2-Clause */
#include "paging/kmap_local.h"
#include "lib/finding.h"
#include "lib/inject.h"
#include "lib/x86/percpu.h"
#include "paging/pgtable.h"
#include "paging/tlb.h"

#define FOUR_GIB_PFN (1u << (32 - PAGE_SHIFT))
#define DEAD_LINE_PFN BIT(24 - PAGE_SHIFT) /* address line 24 */

static unsigned local_slot(unsigned depth)
{
    return FIX_KMAP_LOCAL + (this_cpu()->index * KMAP_LOCAL_DEPTH + depth) * KMAP_LOCAL_STRIDE;
}

virt_t kmap_local_addr(unsigned index)
{
    return fix_to_virt(local_slot(index));
}

unsigned kmap_local_depth(void)
{
    return this_cpu()->kmap_local_depth;
}

/*
 * The depth is raised before the entry is written: an interrupt in between takes the slot above and
 * has given it back when we go on.
 */
void *kmap_local_pfn(pfn_t pfn)
{
    struct cpu *cpu = this_cpu();
    unsigned depth = cpu->kmap_local_depth;
    unsigned slot;

    if (unlikely(depth == KMAP_LOCAL_DEPTH)) {
        finding("kmap_local(pfn 0x%x): all %u windows of this CPU are in use", pfn,
                KMAP_LOCAL_DEPTH);
        return NULL;
    }
    if (!inject(kmap_local_share_slot, kmap))
        cpu->kmap_local_depth = depth + 1;
    __asm__ volatile("" : : : "memory");
    slot = local_slot(depth);
    if (inject(kmap_local_dead_line_32, highmem))
        pfn &= FOUR_GIB_PFN - 1;
    if (inject(kmap_local_dead_line, highmem) && pfn >= FOUR_GIB_PFN)
        pfn &= ~DEAD_LINE_PFN;
    pte_set(&fixmap_ptes[slot], pte_make(pfn_to_phys(pfn), PTE_PRESENT | PTE_WRITE | layout.nx));
    return (void *)fix_to_virt(slot);
}

void *kmap_local_page(struct page *page)
{
    if (!PageHighMem(page))
        return lowmem_page_address(page);
    return kmap_local_pfn(page_to_pfn(page));
}

static void close_top(struct cpu *cpu)
{
    unsigned slot = local_slot(cpu->kmap_local_depth - 1);

    pte_clear(&fixmap_ptes[slot]);
    if (!inject(kmap_local_skip_invlpg, kmap))
        tlb_flush_page(fix_to_virt(slot));
    __asm__ volatile("" : : : "memory");
    cpu->kmap_local_depth--;
}

void kunmap_local(const void *addr)
{
    virt_t page = ALIGN_DOWN((virt_t)addr, PAGE_SIZE);
    struct cpu *cpu = this_cpu();

    if (page < FIXADDR_START)
        return;
    if (cpu->kmap_local_depth == 0 || page != kmap_local_addr(cpu->kmap_local_depth - 1)) {
        finding("kunmap_local(0x%lx): not the window opened last (%u are open)",
                (unsigned long)addr, cpu->kmap_local_depth);
        return;
    }
    close_top(cpu);
}

void kmap_local_unwind(unsigned depth)
{
    struct cpu *cpu = this_cpu();

    while (cpu->kmap_local_depth > depth)
        close_top(cpu);
}
