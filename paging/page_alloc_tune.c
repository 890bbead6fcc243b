/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/string.h"
#include "paging/buddy.h"
#include "paging/page_alloc_slow.h"
#include "paging/page_lists.h"
#include "paging/preempt.h"
#include "paging/watermark.h"

/* Linux' defaults; the last zone has none above it. */
#define RATIOS                               \
    {                                        \
        [ZONE_DMA] = 256, [ZONE_NORMAL] = 32 \
    }

const struct page_alloc_tuning page_alloc_default = {
    .mobility = true,
    .pcp = true,
    .lowmem_reserve_ratio = RATIOS,
};

const struct page_alloc_tuning page_alloc_plain = {.lowmem_reserve_ratio = RATIOS};

gfp_t page_alloc_kind_mask;

static struct page_alloc_tuning tuning_now;

const struct page_alloc_tuning *page_alloc_tuning(void)
{
    return &tuning_now;
}

static void set_tuning(const struct page_alloc_tuning *tuning)
{
    tuning_now = *tuning;
    page_alloc_kind_mask = __GFP_ZONE_MASK | (tuning->mobility ? __GFP_MOBILITY_MASK : 0);
    page_lists_init(tuning->pcp);
}

void page_alloc_start(void)
{
    page_lists_init_boot();
    set_tuning(&page_alloc_default);
    pageblocks_init(page_alloc_default.mobility);
    page_alloc_clear_events();
}

void page_alloc_tune(const struct page_alloc_tuning *tuning)
{
    preempt_disable();
    drain_all_pages(); /* nobody may come in between: a page on a list that starts anew is lost */
    set_tuning(tuning);
    pageblocks_settle(tuning->mobility);
    watermarks_set(zones, tuning);
    preempt_enable();
}

void drain_all_pages(void)
{
    preempt_disable();
    for (unsigned zone = 0; zone < MAX_NR_ZONES; zone++)
        page_lists_drain_zone((enum zone_type)zone);
    preempt_enable();
}

const struct page_alloc_events *page_alloc_events(void)
{
    return &page_alloc_counts;
}

void page_alloc_clear_events(void)
{
    preempt_disable();
    memset(&page_alloc_counts, 0, sizeof(page_alloc_counts));
    preempt_enable();
}
