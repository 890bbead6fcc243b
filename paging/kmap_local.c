/* SPDX-License-Identifier: BSD-2-Clause */
#include "paging/kmap_local.h"
#include "lib/finding.h"
#include "lib/x86/cpu.h"
#include "paging/kmap_local_mask.h"

#define FOUR_GIB_PFN (1u << (32 - PAGE_SHIFT))
#define DEAD_LINE_PFN BIT(24 - PAGE_SHIFT) /* address line 24 */

void kmap_local_init(struct cpu *cpu)
{
    cpu->kmap_local_next = KMAP_LOCAL_ADDR(cpu->index, 0);
    cpu->kmap_local_end = KMAP_LOCAL_ADDR(cpu->index, KMAP_LOCAL_DEPTH);
    cpu->kmap_local_hidden = 0;
}

virt_t kmap_local_addr(unsigned index)
{
    return KMAP_LOCAL_ADDR(this_cpu()->index, index);
}

unsigned kmap_local_depth(void)
{
    return (kmap_local_top(this_cpu()) - kmap_local_addr(0)) / KMAP_LOCAL_STRIDE_BYTES;
}

void *kmap_local_exhausted(pfn_t pfn)
{
    void *window = this_cpu()->kmap_local_hidden ? kmap_local_open_masked(pfn, true) : NULL;

    if (window)
        return window;
    finding("kmap_local(pfn 0x%x) by %p: all %u windows of this CPU are in use", pfn,
            __builtin_return_address(0), KMAP_LOCAL_DEPTH);
    return NULL;
}

static void *open_slowly(pfn_t pfn)
{
    void *window = this_cpu()->kmap_local_hidden ? kmap_local_open_masked(pfn, false) : NULL;

    return window ? window : kmap_local_exhausted(pfn);
}

void *kmap_local_pfn(pfn_t pfn)
{
    struct cpu *cpu = this_cpu();
    uint64_t flags = PTE_PRESENT | PTE_WRITE | layout.nx;
    virt_t window;

    if (unlikely(cpu->kmap_local_next == cpu->kmap_local_end))
        return open_slowly(pfn);
    window = kmap_local_take(cpu);
    if (inject(kmap_local_dead_line_32, highmem))
        pfn &= FOUR_GIB_PFN - 1;
    if (inject(kmap_local_dead_line, highmem) && pfn >= FOUR_GIB_PFN)
        pfn &= ~DEAD_LINE_PFN;
    if (inject(tlb_window_global, tlb))
        flags |= PTE_GLOBAL;
    pte_set(kmap_local_pte(window), pte_make(pfn_to_phys(pfn), flags));
    if (inject_on_host(kmap_local_late_depth))
        cpu->kmap_local_next = window + KMAP_LOCAL_STRIDE_BYTES;
    return (void *)window;
}

void kunmap_local_wrong(const void *addr)
{
    if (this_cpu()->kmap_local_hidden &&
        kmap_local_close_masked(ALIGN_DOWN((virt_t)addr, PAGE_SIZE)))
        return;
    if (!inject(kmap_local_quiet_kunmap, kmap))
        finding("kunmap_local(0x%lx) by %p: not the window opened last (%u are open)",
                (unsigned long)addr, __builtin_return_address(0), kmap_local_depth());
}

void kmap_local_spoil_close(virt_t window)
{
    if (!inject(kmap_local_keep_entry, kmap))
        pte_clear(kmap_local_pte(window));
    if (!inject(kmap_local_skip_invlpg, kmap))
        tlb_flush_page(window);
}

void kmap_local_unwind(unsigned depth)
{
    struct cpu *cpu = this_cpu();
    virt_t bottom = kmap_local_addr(depth);
    bool masked = cpu->kmap_local_hidden;
    uint32_t flags = irq_save();

    kmap_local_unmask(cpu);
    while (cpu->kmap_local_next > bottom)
        kmap_local_close(cpu, cpu->kmap_local_next - KMAP_LOCAL_STRIDE_BYTES);
    if (masked)
        kmap_local_mask(cpu);
    irq_restore(flags);
}

static void spoil_switch(struct cpu *cpu, virt_t window)
{
    if (!inject(kmap_local_keep_open, kmap_bugs))
        pte_clear(kmap_local_pte(window));
    cpu->kmap_local_next = window;
}

void kmap_local_switch(struct kmap_local_saved *out, const struct kmap_local_saved *in)
{
    struct cpu *cpu = this_cpu();
    bool masked = cpu->kmap_local_hidden;

    if (unlikely(masked))
        kmap_local_unmask(cpu);
    out->count = kmap_local_depth();
    for (unsigned i = out->count; i > 0; i--) {
        virt_t window = cpu->kmap_local_next - KMAP_LOCAL_STRIDE_BYTES;

        unsigned place = inject(kmap_local_save_reversed, kmap_threads) ? out->count - i : i - 1;

        out->entry[place] = pte_get(kmap_local_pte(window));
        if (inject_any2(kmap_bugs, kmap_local_keep_open, kmap_local_keep_cached))
            spoil_switch(cpu, window);
        else
            kmap_local_close(cpu, window);
    }
    for (unsigned i = 0; i < in->count; i++) {
        /* One that is not present too: its thread may stand between the writes of the two halves.
         */
        if (!inject(kmap_local_skip_restore, kmap_threads) &&
            !(inject_on_host(kmap_local_lose_half) && !(in->entry[i] & PTE_PRESENT)))
            pte_set(kmap_local_pte(cpu->kmap_local_next), in->entry[i]);
        if (!inject(kmap_local_restore_flat, kmap_threads))
            cpu->kmap_local_next += KMAP_LOCAL_STRIDE_BYTES;
    }
    if (unlikely(masked))
        kmap_local_mask(cpu);
}
