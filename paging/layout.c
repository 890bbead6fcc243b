/* SPDX-License-Identifier: BSD-2-Clause */
#include "paging/layout.h"

#define VMALLOC_LIMIT (KMAP_RANGE_BASE - 2 * PAGE_SIZE)

struct layout layout;

void layout_init(virt_t page_offset, phys_addr_t ram_end)
{
    uint64_t room = LOWMEM_VIRT_END - page_offset;

    layout.page_offset = page_offset;
    layout.lowmem_end = MIN(ALIGN_DOWN(ram_end, PAGE_SIZE), phys_make(room));
    layout.high_memory = page_offset + (uintptr_t)addr_number(layout.lowmem_end);
    layout.vmalloc_start = ALIGN_UP(layout.high_memory + VMALLOC_OFFSET, LARGE_PAGE_SIZE);
    layout.vmalloc_end =
        layout.vmalloc_start + MIN(VMALLOC_LIMIT - layout.vmalloc_start, VMALLOC_MAX_BYTES);
}
