/* SPDX-License-Identifier: BSD-2-Clause */
/* The rules of paging/page_alloc.h, by brute force. */
#include <string.h>

#include "ci/model/page_slab.h"

#define COSTLY_ORDER 3u /* of larger blocks reclaim may despair */

enum zone_type zone_of(pfn_t pfn)
{
    if (pfn >= m.low_pfn)
        return ZONE_HIGHMEM;
    return pfn < phys_to_pfn(ZONE_DMA_END) ? ZONE_DMA : ZONE_NORMAL;
}

pfn_t zone_first(unsigned zone)
{
    const pfn_t first[] = {0, MIN(phys_to_pfn(ZONE_DMA_END), m.low_pfn), m.low_pfn};

    return first[zone];
}

pfn_t zone_end(unsigned zone)
{
    return zone == ZONE_HIGHMEM ? m.nr_pfn : zone_first(zone + 1);
}

/*
 * Cuts frames into the largest aligned blocks. A block of an order may start where two of the order
 * below lie side by side; where it does, these are none.
 */
void supply_count(struct supply *supply, const uint32_t *frames)
{
    static const uint32_t aligned[] = {~0u, 0x55555555, 0x11111111, 0x01010101, 0x00010001, 1};

    memset(supply, 0, sizeof(*supply));
    for (unsigned zone = 0; zone < MAX_NR_ZONES; zone++) {
        struct buddy_counts *counts = &supply->blocks[zone];
        pfn_t end = zone_end(zone);

        for (unsigned group = zone_first(zone) / GROUP_FRAMES; group * GROUP_FRAMES < end;
             group++) {
            uint32_t blocks = frames[group] & m.zone_bits[zone][group];

            supply->pages[zone] += (uint32_t)__builtin_popcount(blocks);
            for (unsigned order = 0; blocks && order < NR_ORDERS; order++) {
                uint32_t larger = 0;

                if (order < MAX_ORDER) {
                    larger = blocks & blocks >> (1u << order) & aligned[order + 1];
                    blocks &= ~(larger | larger << (1u << order));
                }
                supply->first[order][group] |= blocks;
                counts->nr_free[order] += (uint32_t)__builtin_popcount(blocks);
                blocks = larger;
            }
        }
    }
}

static bool has_block(const struct supply *supply, unsigned zone, unsigned order)
{
    for (unsigned o = order; o < NR_ORDERS; o++) {
        if (supply->blocks[zone].nr_free[o])
            return true;
    }
    return false;
}

/* Pages that this request has to leave free in the zone. */
static uint32_t kept_from(gfp_t gfp, unsigned zone, enum zone_watermarks which)
{
    const struct zone *z = zone_get((enum zone_type)zone);
    uint32_t mark = z->watermark[which];

    if (gfp & __GFP_HIGH)
        mark -= mark / 2;
    return m.tuning.watermarks ? mark + z->lowmem_reserve[gfp & __GFP_ZONE_MASK] : 0;
}

static bool could_give(const struct supply *supply, unsigned zone, gfp_t gfp, unsigned order)
{
    return has_block(supply, zone, order) &&
           m.free.pages[zone] >= kept_from(gfp, zone, WMARK_MIN) + (1u << order);
}

/* Whether the slow path has changed what was free, so that only the end can be judged. */
static bool was_slow(void)
{
    return m.moved || m.reclaimed || m.kept || m.slab_gave || m.disturbed;
}

/* With grouping by mobility: whether there was a block for this type in a pageblock of its own. */
static bool had_own(unsigned zone, unsigned type, unsigned order)
{
    for (unsigned o = order; o < NR_ORDERS; o++) {
        for (pfn_t pfn = ALIGN_DOWN(zone_first(zone), 1u << o); pfn < zone_end(zone);
             pfn += 1u << o) {
            /* What is free as a whole is movable, though it may lie on per-CPU lists still. */
            if (m.free.first[o][pfn / GROUP_FRAMES] & 1u << pfn % GROUP_FRAMES &&
                (o == MAX_ORDER ? MIGRATE_MOVABLE : m.type[pfn >> PAGEBLOCK_ORDER]) == type)
                return true;
        }
    }
    return false;
}

static uint32_t all_stolen(const struct page_alloc_events *events)
{
    return events->stolen[0] + events->stolen[1] + events->stolen[2];
}

static void check_mobility(const struct page *page, gfp_t gfp, unsigned order)
{
    unsigned type = gfp >> __GFP_MOBILITY_SHIFT & 3, zone = zone_of(page_to_pfn(page));
    pfn_t pfn = page_to_pfn(page);
    bool is_stolen = all_stolen(page_alloc_events()) != all_stolen(&m.before);

    if (!m.tuning.mobility)
        return;
    if (is_stolen)
        CHECK(!had_own(zone, type, order),
              "gfp 0x%x, order %u took from another type, while zone %u had a block of type %u",
              gfp, order, zone, type);
    /* A pageblock that was free as a whole is taken over as a whole. */
    if (page_alloc_events()->pageblocks_stolen != m.before.pageblocks_stolen ||
        (is_stolen ? m.free.blocks[zone].nr_free[MAX_ORDER] > 0
                   : m.is_listed[pfn / GROUP_FRAMES] & 1u << pfn % GROUP_FRAMES))
        CHECK(get_pageblock_migratetype(page) == type,
              "gfp 0x%x, order %u gave frame %u, from a pageblock of type %u", gfp, order, pfn,
              get_pageblock_migratetype(page));
}

void check_given(const struct page *page, gfp_t gfp, unsigned order)
{
    unsigned highest = gfp & __GFP_ZONE_MASK, zone = zone_of(page_to_pfn(page));
    uint32_t left = zone_get((enum zone_type)zone)->free_pages;

    if (highest >= MAX_NR_ZONES || order > MAX_ORDER) {
        broke("gfp 0x%x, order %u gave frame %u", gfp, order, page_to_pfn(page));
        return;
    }
    CHECK(zone <= highest && (zone == highest || !(gfp & __GFP_THISZONE)),
          "gfp 0x%x gave frame %u, of zone %u", gfp, page_to_pfn(page), zone);
    if (zone < highest)
        model_now->count[COUNT_FELL_BACK]++;
    /* What is on the per-CPU lists has been taken already. */
    CHECK(m.disturbed || left >= m.listed.pages[zone] || left >= kept_from(gfp, zone, WMARK_MIN),
          "gfp 0x%x, order %u left %u pages in zone %u, which keeps %u", gfp, order, left, zone,
          kept_from(gfp, zone, WMARK_MIN));
    if (was_slow())
        return;
    for (unsigned z = zone + 1; z <= highest; z++)
        CHECK(!could_give(&m.free, z, gfp, order),
              "gfp 0x%x, order %u fell back to zone %u, while zone %u had a block", gfp, order,
              zone, z);
    check_mobility(page, gfp, order);
}

/* Who may wait was given all that reclaim and compaction can do. */
static void check_tried(gfp_t gfp, unsigned order)
{
    const struct page_alloc_events *now = page_alloc_events();

    if (!(gfp & __GFP_DIRECT_RECLAIM) || gfp & __GFP_NORETRY)
        return;
    CHECK(!m.tuning.reclaim || order > COSTLY_ORDER || gfp & __GFP_THISZONE ||
              cache_pages((enum zone_type)(gfp & __GFP_ZONE_MASK)) == 0,
          "gfp 0x%x, order %u found no block, with %u pages that could be reclaimed", gfp, order,
          cache_pages((enum zone_type)(gfp & __GFP_ZONE_MASK)));
    CHECK(!m.tuning.reclaim || order > COSTLY_ORDER || gfp & __GFP_THISZONE ||
              empty_pages((enum zone_type)(gfp & __GFP_ZONE_MASK)) == 0,
          "gfp 0x%x, order %u found no block, with %u pages of slabs that hold nothing", gfp, order,
          empty_pages((enum zone_type)(gfp & __GFP_ZONE_MASK)));
    CHECK(!m.tuning.reclaim || now->reclaims > m.before.reclaims,
          "gfp 0x%x, order %u failed without reclaim", gfp, order);
    CHECK(!m.tuning.compaction || !order || now->compactions > m.before.compactions,
          "gfp 0x%x, order %u failed without compaction", gfp, order);
}

void check_refused(gfp_t gfp, unsigned order)
{
    unsigned highest = gfp & __GFP_ZONE_MASK;

    model_now->count[COUNT_FAILED]++;
    if (m.disturbed || highest >= MAX_NR_ZONES || order > MAX_ORDER)
        return;
    supply_count(&m.free, m.is_free);
    for (unsigned zone = gfp & __GFP_THISZONE ? highest : 0; zone <= highest; zone++)
        CHECK(!could_give(&m.free, zone, gfp, order),
              "gfp 0x%x, order %u failed, while zone %u had a block", gfp, order, zone);
    check_tried(gfp, order);
    CHECK(page_alloc_events()->failed[order] == m.before.failed[order] + 1,
          "an allocation of order %u failed, and was not counted", order);
}

/* The best block for alloc_pages_in(): the smallest that has room, and of these the lowest place.
 */
pfn_t supply_lowest(const struct supply *supply, unsigned order, pfn_t min, pfn_t end)
{
    for (unsigned o = order; o < NR_ORDERS; o++) {
        for (pfn_t pfn = 0; pfn < m.nr_pfn; pfn += 1u << o) {
            pfn_t at = MAX(pfn, ALIGN_UP(min, 1u << order));

            if (supply->first[o][pfn / GROUP_FRAMES] & 1u << pfn % GROUP_FRAMES &&
                at + (1u << order) <= MIN(end, pfn + (1u << o)))
                return at;
        }
    }
    return 0;
}

static uint32_t min_free_pages(void)
{
    uint64_t lowmem = zone_get(ZONE_DMA)->present_pages + zone_get(ZONE_NORMAL)->present_pages;
    uint32_t kbytes = m.tuning.min_free_kbytes;

    if (!kbytes) {
        while ((kbytes + 1ull) * (kbytes + 1ull) <= 64 * lowmem)
            kbytes++;
        kbytes = MAX(kbytes, 128u);
    }
    return kbytes / 4;
}

static uint32_t wanted_mark(const struct zone *zone, unsigned mark)
{
    uint32_t lowmem = zone_get(ZONE_DMA)->present_pages + zone_get(ZONE_NORMAL)->present_pages;
    uint32_t share = lowmem ? min_free_pages() * zone->present_pages / lowmem : 0, min = share;

    if (zone == zone_get(ZONE_HIGHMEM))
        min = 32; /* it is small */
    return m.tuning.watermarks ? min + mark * MAX(share / 4, zone->present_pages / 1000) : 0;
}

/* What the tuning must have come to. */
void check_tuning(void)
{
    for (unsigned i = 0; i < MAX_NR_ZONES; i++) {
        const struct zone *zone = zone_get((enum zone_type)i);
        uint32_t above = 0, ratio = m.tuning.lowmem_reserve_ratio[i];

        for (unsigned j = 0; j < MAX_NR_ZONES; j++) {
            uint32_t wanted;

            above += j > i ? zone_get((enum zone_type)j)->present_pages : 0;
            wanted = m.tuning.watermarks && ratio ? above / ratio : 0;
            CHECK(zone->lowmem_reserve[j] == wanted,
                  "zone %u reserves %u pages from requests for zone %u, %u wanted", i,
                  zone->lowmem_reserve[j], j, wanted);
        }
        for (unsigned mark = 0; mark < NR_WMARK; mark++)
            CHECK(zone->watermark[mark] == wanted_mark(zone, mark),
                  "zone %u: watermark %u is %u, %u wanted", i, mark, zone->watermark[mark],
                  wanted_mark(zone, mark));
    }
}
