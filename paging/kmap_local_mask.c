/* SPDX-License-Identifier: BSD-2-Clause */
#include "paging/kmap_local_mask.h"
#include "lib/x86/cpu.h"
#include "paging/kmap_local.h"
#include "paging/page_guard.h"

void *kmap_local_open_masked(pfn_t pfn, bool guarded)
{
    uint32_t flags = irq_save();
    struct cpu *cpu = this_cpu();
    virt_t window = kmap_local_top(cpu);
    pte_t *entry = kmap_local_pte(window);

    if (window == cpu->kmap_local_end) {
        irq_restore(flags);
        return NULL;
    }
    cpu->kmap_local_hidden = window + KMAP_LOCAL_STRIDE_BYTES;
    cpu->kmap_local_next = cpu->kmap_local_end;
    pte_set_pfn(entry, pfn);
    if (guarded)
        page_guard_window(entry, window, pfn);
    irq_restore(flags);
    return (void *)window;
}

bool kmap_local_close_masked(virt_t window)
{
    uint32_t flags = irq_save();
    struct cpu *cpu = this_cpu();
    bool last = window == kmap_local_top(cpu) - KMAP_LOCAL_STRIDE_BYTES &&
                window >= KMAP_LOCAL_ADDR(cpu->index, 0);

    if (last) {
        kmap_local_close(cpu, window);
        cpu->kmap_local_hidden = window;
        cpu->kmap_local_next = cpu->kmap_local_end;
    }
    irq_restore(flags);
    return last;
}
