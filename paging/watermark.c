/* SPDX-License-Identifier: BSD-2-Clause */
#include "paging/watermark.h"
#include "lib/inject.h"
#include "lib/string.h"
#include "paging/buddy.h"

#define PAGE_KIB (PAGE_SIZE / KIB(1))

/* WMARK_MIN of HIGHMEM does not grow with it: nothing that can't wait depends on it. */
#define HIGHMEM_DIVISOR 1024u
#define HIGHMEM_LEAST 32u
#define HIGHMEM_MOST 128u

/* Of min_free_kbytes, where nobody says how much. */
#define MIN_FREE_LEAST 128u

/* From one mark to the next at least, of a zone: watermark_scale_factor as Linux has it. */
#define SCALE_FACTOR 10u
#define SCALE_WHOLE 10000u

static uint32_t square_root(uint32_t n)
{
    uint32_t root = 0;

    for (uint32_t bit = BIT(15); bit; bit >>= 1)
        if ((uint64_t)(root + bit) * (root + bit) <= n)
            root += bit;
    return root;
}

static uint32_t lowmem_pages(const struct zone *all)
{
    return all[ZONE_DMA].present_pages + all[ZONE_NORMAL].present_pages;
}

/* Of min_free_kbytes. HIGHMEM gets as much as if it were counted among the others. */
static uint32_t share_of(const struct zone *all, unsigned zone, uint32_t min_pages)
{
    uint32_t lowmem = lowmem_pages(all);

    return lowmem ? (uint32_t)((uint64_t)min_pages * all[zone].present_pages / lowmem) : 0;
}

static void set_marks(struct zone *zone, bool is_highmem, uint32_t share)
{
    uint32_t present = zone->present_pages, min = share;
    uint32_t step = MAX(share / 4, (uint32_t)((uint64_t)present * SCALE_FACTOR / SCALE_WHOLE));

    if (is_highmem)
        min = MIN(MAX(present / HIGHMEM_DIVISOR, HIGHMEM_LEAST), HIGHMEM_MOST);
    for (unsigned mark = 0; mark < NR_WMARK; mark++)
        zone->watermark[mark] = min + mark * step;
}

/* What zone `zone` keeps from requests that may use zone `top`. */
static uint32_t reserve_of(const struct zone *all, unsigned zone, unsigned top, uint32_t ratio)
{
    uint32_t above = 0;

    for (unsigned z = zone + 1; z <= top; z++)
        above += all[z].present_pages;
    return ratio ? above / ratio : 0;
}

void watermarks_set(struct zone *all, const struct page_alloc_tuning *tuning)
{
    uint32_t min_kbytes = tuning->min_free_kbytes;

    if (!min_kbytes)
        min_kbytes = MAX(square_root(16 * lowmem_pages(all) * PAGE_KIB), MIN_FREE_LEAST);
    for (unsigned z = 0; z < MAX_NR_ZONES; z++) {
        memset(all[z].watermark, 0, sizeof(all[z].watermark));
        if (tuning->watermarks)
            set_marks(&all[z], z == ZONE_HIGHMEM, share_of(all, z, min_kbytes / PAGE_KIB));
        for (unsigned top = 0; top < MAX_NR_ZONES; top++)
            all[z].lowmem_reserve[top] =
                tuning->watermarks ? reserve_of(all, z, top, tuning->lowmem_reserve_ratio[z]) : 0;
    }
}

static bool has_block(const struct zone *zone, unsigned order)
{
    while (order <= MAX_ORDER && !zone->free_area[order].nr_free)
        order++;
    return order <= MAX_ORDER;
}

uint32_t watermark_room(const struct zone *zone, gfp_t gfp, unsigned order)
{
    uint32_t kept = zone->watermark[WMARK_MIN];

    if (gfp & __GFP_HIGH)
        kept -= kept / 2;
    if (inject(watermark_ignored, page_alloc))
        kept = 0;
    if (!inject(reserve_ignored, page_alloc))
        kept += zone->lowmem_reserve[gfp & __GFP_ZONE_MASK];
    if (zone->free_pages < kept || zone->free_pages - kept < 1u << order)
        return 0;
    return has_block(zone, order) ? zone->free_pages - kept : 0;
}

void watermark_note_fall(const struct zone *zone, uint32_t before)
{
    for (unsigned mark = 0; mark < NR_WMARK; mark++)
        if (before >= zone->watermark[mark] && zone->free_pages < zone->watermark[mark])
            page_alloc_counts.below[zone - zones][mark]++;
}
