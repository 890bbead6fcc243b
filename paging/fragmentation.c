/* SPDX-License-Identifier: BSD-2-Clause */
#include "paging/fragmentation.h"

uint32_t buddy_free_pages(const struct buddy_counts *counts)
{
    uint32_t pages = 0;

    for (unsigned order = 0; order < NR_ORDERS; order++)
        pages += counts->nr_free[order] << order;
    return pages;
}

int buddy_largest_order(const struct buddy_counts *counts)
{
    for (unsigned order = NR_ORDERS; order-- > 0;) {
        if (counts->nr_free[order])
            return (int)order;
    }
    return -1;
}

uint32_t unusable_index(const struct buddy_counts *counts, unsigned order)
{
    uint32_t free = buddy_free_pages(counts), usable = 0;

    if (free == 0)
        return 1000;
    for (unsigned o = order; o < NR_ORDERS; o++)
        usable += counts->nr_free[o] << o;
    return (uint32_t)((uint64_t)(free - usable) * 1000 / free);
}

/* 1 - (1 + free pages / pages wanted) / free blocks */
int fragmentation_index(const struct buddy_counts *counts, unsigned order)
{
    uint64_t blocks = 0;

    for (unsigned o = 0; o < NR_ORDERS; o++) {
        if (o >= order && counts->nr_free[o])
            return FRAGMENTATION_FITS;
        blocks += counts->nr_free[o];
    }
    if (blocks == 0)
        return 0;
    return 1000 - (int)((1000 + ((uint64_t)buddy_free_pages(counts) * 1000 >> order)) / blocks);
}
