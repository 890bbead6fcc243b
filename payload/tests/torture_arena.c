/* SPDX-License-Identifier: BSD-2-Clause */
#include "payload/tests/torture_arena.h"
#include "lib/prng.h"
#include "paging/kmap_local.h"

#define ORDER_SHIFT PFN_BITS
#define CHAIN_ORDER(link) ((link) >> ORDER_SHIFT)
#define CHAIN_PFN(link) ((link)&PFN_LINK_MASK)

/* At the start of each block that is taken. */
struct chain_link {
    uint32_t next;  /* frame and order, or 0 */
    uint32_t check; /* of it and of the frame that it stands in */
};

static uint32_t check_of(pfn_t pfn, uint32_t next)
{
    return hash32(next ^ hash32(pfn ^ 0x62616c6c));
}

static void chain_push(struct torture_arena *arena, struct page *page, unsigned order)
{
    pfn_t pfn = page_to_pfn(page);
    struct chain_link *link = kmap_local_page(page);

    *link = (struct chain_link){.next = arena->first, .check = check_of(pfn, arena->first)};
    kunmap_local(link);
    arena->first = pfn | order << ORDER_SHIFT;
}

/* Takes the first block off the chain. False if its link was changed: the rest is lost. */
static bool chain_pop(struct torture_arena *arena, struct page **page, unsigned *order)
{
    struct chain_link *window, link;

    *page = pfn_to_page(CHAIN_PFN(arena->first));
    *order = CHAIN_ORDER(arena->first);
    window = kmap_local_page(*page);
    link = *window;
    kunmap_local(window);
    arena->first = link.next;
    return link.check == check_of(page_to_pfn(*page), link.next);
}

static void take_zone(struct torture_arena *arena, unsigned zone, uint32_t leave)
{
    for (unsigned order = NR_ORDERS; order-- > 0;) {
        while (nr_free_pages((enum zone_type)zone) >= leave + (1u << order)) {
            struct page *page = alloc_pages(zone | __GFP_THISZONE, order);

            if (!page)
                break;
            chain_push(arena, page, order);
        }
    }
    arena->pages[zone] = nr_free_pages((enum zone_type)zone);
}

void torture_arena_open(struct torture_arena *arena, const uint32_t *leave)
{
    *arena = (struct torture_arena){.tuning = *page_alloc_tuning(), .is_open = true};
    page_alloc_tune(&page_alloc_plain);
    drain_all_pages();
    for (unsigned zone = 0; zone < MAX_NR_ZONES; zone++)
        zone_buddy_counts(zone_get((enum zone_type)zone), &arena->before[zone]);
    for (unsigned zone = 0; zone < MAX_NR_ZONES; zone++)
        take_zone(arena, zone, leave[zone]);
}

/* Free buddies never stay apart, so equal free memory means equal lists, block for block. */
static const char *compare(const struct torture_arena *arena, uint64_t *where)
{
    for (unsigned zone = 0; zone < MAX_NR_ZONES; zone++) {
        struct buddy_counts now;
        pfn_t pfn = 0;
        const char *wrong = zone_check(zone_get((enum zone_type)zone), &pfn);

        *where = addr_number(pfn_to_phys(pfn));
        if (wrong)
            return wrong;
        zone_buddy_counts(zone_get((enum zone_type)zone), &now);
        *where = buddy_free_pages(&now);
        if (*where != buddy_free_pages(&arena->before[zone]))
            return "a zone has not as many free pages as before";
        for (unsigned order = 0; order < NR_ORDERS; order++) {
            *where = now.nr_free[order];
            if (now.nr_free[order] != arena->before[zone].nr_free[order])
                return "a zone's free pages are in other blocks than before: not all merged";
        }
    }
    return NULL;
}

const char *torture_arena_close(struct torture_arena *arena, uint64_t *where)
{
    const char *wrong = NULL;

    *where = 0;
    if (!arena->is_open)
        return NULL;
    arena->is_open = false;
    page_alloc_tune(&page_alloc_plain);
    while (arena->first && !wrong) {
        struct page *page;
        unsigned order;

        if (!chain_pop(arena, &page, &order)) {
            *where = addr_number(page_to_phys(page));
            wrong = "a page that nobody but the arena had was written to";
        }
        __free_pages(page, order);
    }
    page_alloc_tune(&arena->tuning);
    drain_all_pages();
    return wrong ? wrong : compare(arena, where);
}
