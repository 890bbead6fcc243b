/* SPDX-License-Identifier: BSD-2-Clause */
#include "paging/kmap_local.h"
#include "lib/finding.h"

#define FOUR_GIB_PFN (1u << (32 - PAGE_SHIFT))
#define DEAD_LINE_PFN BIT(24 - PAGE_SHIFT) /* address line 24 */

void kmap_local_init(struct cpu *cpu)
{
    cpu->kmap_local_next = KMAP_LOCAL_ADDR(cpu->index, 0);
    cpu->kmap_local_end = KMAP_LOCAL_ADDR(cpu->index, KMAP_LOCAL_DEPTH);
}

virt_t kmap_local_addr(unsigned index)
{
    return KMAP_LOCAL_ADDR(this_cpu()->index, index);
}

unsigned kmap_local_depth(void)
{
    return (this_cpu()->kmap_local_next - kmap_local_addr(0)) / KMAP_LOCAL_STRIDE_BYTES;
}

void *kmap_local_exhausted(pfn_t pfn)
{
    finding("kmap_local(pfn 0x%x): all %u windows of this CPU are in use", pfn, KMAP_LOCAL_DEPTH);
    return NULL;
}

void *kmap_local_pfn(pfn_t pfn)
{
    struct cpu *cpu = this_cpu();
    virt_t window;

    if (unlikely(cpu->kmap_local_next == cpu->kmap_local_end))
        return kmap_local_exhausted(pfn);
    window = kmap_local_take(cpu);
    if (inject(kmap_local_dead_line_32, highmem))
        pfn &= FOUR_GIB_PFN - 1;
    if (inject(kmap_local_dead_line, highmem) && pfn >= FOUR_GIB_PFN)
        pfn &= ~DEAD_LINE_PFN;
    pte_set(kmap_local_pte(window),
            pte_make(pfn_to_phys(pfn), PTE_PRESENT | PTE_WRITE | layout.nx));
    return (void *)window;
}

void kunmap_local_wrong(const void *addr)
{
    finding("kunmap_local(0x%lx): not the window opened last (%u are open)", (unsigned long)addr,
            kmap_local_depth());
}

void kmap_local_unwind(unsigned depth)
{
    struct cpu *cpu = this_cpu();
    virt_t bottom = kmap_local_addr(depth);

    while (cpu->kmap_local_next > bottom)
        kmap_local_close(cpu, cpu->kmap_local_next - KMAP_LOCAL_STRIDE_BYTES);
}

void kmap_local_switch(struct kmap_local_saved *out, const struct kmap_local_saved *in)
{
    struct cpu *cpu = this_cpu();

    out->count = kmap_local_depth();
    for (unsigned i = out->count; i > 0; i--) {
        virt_t window = cpu->kmap_local_next - KMAP_LOCAL_STRIDE_BYTES;

        out->entry[i - 1] = pte_get(kmap_local_pte(window));
        kmap_local_close(cpu, window);
    }
    for (unsigned i = 0; i < in->count; i++) {
        /* An entry may not be there yet: its thread was switched away between taking and setting
         * it. */
        if ((in->entry[i] & PTE_PRESENT) && !inject(kmap_local_skip_restore, kmap_threads))
            pte_set(kmap_local_pte(cpu->kmap_local_next), in->entry[i]);
        cpu->kmap_local_next += KMAP_LOCAL_STRIDE_BYTES;
    }
}
