/* SPDX-License-Identifier: BSD-2-Clause */
#include "payload/tests/torture_arena.h"
#include "lib/inject.h"
#include "lib/prng.h"
#include "paging/kmap_local.h"
#include "paging/page_owner.h"

#define STAMPS 128u /* about as many blocks are stamped, however many there are */

/* Registered while an arena is open. */
static struct page_owner ballast = {.name = "ballast", .letter = 'b'};

static bool is_stamped(const struct torture_arena *arena, pfn_t pfn, unsigned order)
{
    return (pfn >> order) % arena->stamp_every == 0;
}

static uint32_t stamp_of(pfn_t pfn, unsigned order)
{
    return hash32(pfn ^ hash32(order ^ 0x62616c6c));
}

static void stamp(struct page *page, unsigned order)
{
    uint32_t *window = kmap_local_page(page);

    *window =
        inject(torture_ballast_written, lowmem_torture) ? 0 : stamp_of(page_to_pfn(page), order);
    kunmap_local(window);
}

static bool holds_stamp(struct page *page, unsigned order)
{
    const volatile uint32_t *window = kmap_local_page(page);
    bool holds = *window == stamp_of(page_to_pfn(page), order);

    kunmap_local((const void *)window);
    return holds;
}

static void take_zone(struct torture_arena *arena, unsigned zone, uint32_t leave)
{
    for (unsigned order = NR_ORDERS; order-- > 0;) {
        while (nr_free_pages((enum zone_type)zone) >= leave + (1u << order)) {
            struct page *page = alloc_pages(zone | __GFP_THISZONE, order);

            if (!page)
                break;
            page_set_owner(page, ballast.id, 0);
            if (is_stamped(arena, page_to_pfn(page), order))
                stamp(page, order);
        }
    }
    arena->pages[zone] = nr_free_pages((enum zone_type)zone);
}

bool torture_arena_open(struct torture_arena *arena, const uint32_t *leave)
{
    uint32_t blocks = 0;

    *arena = (struct torture_arena){.tuning = *page_alloc_tuning()};
    if (page_owner_register(&ballast))
        return false;
    arena->is_open = true;
    page_alloc_tune(&page_alloc_plain);
    drain_all_pages();
    for (unsigned zone = 0; zone < MAX_NR_ZONES; zone++) {
        zone_buddy_counts(zone_get((enum zone_type)zone), &arena->before[zone]);
        blocks += arena->before[zone].nr_free[MAX_ORDER];
    }
    arena->stamp_every = blocks / STAMPS + 1;
    for (unsigned zone = 0; zone < MAX_NR_ZONES; zone++)
        take_zone(arena, zone, leave[zone]);
    return true;
}

/* Gives the ballast of a zone back. Returns the first page of a block that was written to, or NULL.
 */
static const struct page *give_zone(const struct torture_arena *arena, const struct zone *zone)
{
    const struct page *wrong = NULL;
    unsigned order;

    for (pfn_t pfn = zone->start_pfn; pfn < zone->end_pfn; pfn += 1u << order) {
        struct page *page = pfn_to_page(pfn);

        order = 0;
        if (page->free || !page->allocated || page->owner != ballast.id)
            continue;
        order = page->order;
        if (!wrong && is_stamped(arena, pfn, order) && !holds_stamp(page, order))
            wrong = page;
        __free_pages(page, order);
    }
    return wrong;
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
    const struct page *written = NULL;

    *where = 0;
    if (!arena->is_open)
        return NULL;
    arena->is_open = false;
    page_alloc_tune(&page_alloc_plain);
    for (unsigned zone = 0; zone < MAX_NR_ZONES; zone++) {
        const struct page *wrong = give_zone(arena, zone_get((enum zone_type)zone));

        written = written ? written : wrong;
    }
    page_owner_unregister(&ballast);
    page_alloc_tune(&arena->tuning);
    drain_all_pages();
    if (!written)
        return compare(arena, where);
    *where = addr_number(page_to_phys(written));
    return "a page that nobody but the arena had was written to";
}
