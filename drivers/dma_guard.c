/* SPDX-License-Identifier: BSD-2-Clause */
#include "drivers/dma_guard.h"
#include "lib/inject.h"
#include "paging/page_guard.h"

static bool is_cpus(const struct dma_mapping *m, uint32_t from, uint32_t to)
{
    for (unsigned i = 0; i < m->nr_cpu; i++) {
        if (m->cpu[i].from < to && from < m->cpu[i].to)
            return true;
    }
    return false;
}

void dma_guard(const struct dma_mapping *m)
{
    phys_addr_t first = ALIGN_UP(m->phys, PAGE_SIZE);
    bool may_read = m->dir == DMA_TO_DEVICE || inject(guard_readable, dma_bounce);

    if (!m->dev->check_ownership)
        return;
    page_guard_set_hook(dma_track_intruder);
    for (phys_addr_t at = first; at + PAGE_SIZE <= m->phys + m->size; at += PAGE_SIZE) {
        uint32_t from = (uint32_t)(at - m->phys);

        if (!is_cpus(m, from, from + PAGE_SIZE))
            page_guard(phys_to_pfn(at), m->place, may_read);
    }
}

void dma_unguard(const struct dma_mapping *m)
{
    if (!m->dev->check_ownership)
        return;
    page_unguard(m->place);
    if (m->intruder)
        dma_report(m->dev, DMA_FINDING_CPU_ACCESS, "0x%llx+%u %s by %p, mapped by %p",
                   addr_number(m->phys), m->size, m->intruder_wrote ? "written" : "read",
                   m->intruder, m->caller);
}
