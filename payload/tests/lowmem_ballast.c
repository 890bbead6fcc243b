/* SPDX-License-Identifier: BSD-2-Clause */
#include "payload/tests/lowmem_ballast.h"
#include "lib/inject.h"
#include "paging/page_owner.h"
#include "paging/pgtable.h"
#include "paging/vmalloc.h"
#include "payload/tests/zone_state.h"

#define ORDER_SHIFT 28u
#define PFN_MASK (BIT(ORDER_SHIFT) - 1)
#define ENTRIES_SPARE 256u /* blocks that the table itself breaks into pieces */

static struct page_owner owner = {.name = "ballast", .letter = 'b'};

static struct {
    uint32_t *entry; /* frame and order in a word */
    uint32_t count, max;
} held;

static struct zone_state before;

static uint32_t count_blocks(void)
{
    uint32_t blocks = 0;

    for (unsigned z = 0; z < MAX_NR_ZONES; z++)
        for (unsigned order = 0; order < NR_ORDERS; order++)
            blocks += zone_get((enum zone_type)z)->free_area[order].nr_free;
    return blocks;
}

bool ballast_open(void)
{
    held.count = 0;
    held.max = count_blocks() + ENTRIES_SPARE;
    held.entry = vmalloc(held.max * sizeof(uint32_t));
    if (!held.entry)
        return false;
    if (page_owner_register(&owner) == 0)
        return true;
    ballast_close();
    return false;
}

static bool take_block(enum zone_type zone, unsigned order)
{
    struct page *page =
        held.count < held.max ? alloc_pages((gfp_t)zone | __GFP_THISZONE, order) : NULL;

    if (!page)
        return false;
    page_set_owner(page, owner.id, 0);
    held.entry[held.count++] = page_to_pfn(page) | order << ORDER_SHIFT;
    return true;
}

uint32_t ballast_take(enum zone_type zone, uint32_t left)
{
    const struct zone *z = zone_get(zone);

    for (unsigned order = 0; order < NR_ORDERS; order++)
        while (z->free_area[order].nr_free && nr_free_pages(zone) >= left + (1u << order))
            if (!take_block(zone, order))
                break;
    return nr_free_pages(zone);
}

bool is_ballast(const struct page *page)
{
    return owner.id != PAGE_OWNER_NONE && page->owner == owner.id;
}

void ballast_close(void)
{
    if (!held.entry)
        return;
    if (held.count && inject(lab_forget_ballast, lowmem_dmazone))
        held.count--;
    while (held.count > 0) {
        uint32_t entry = held.entry[--held.count];

        __free_pages(pfn_to_page(entry & PFN_MASK), entry >> ORDER_SHIFT);
    }
    vfree(held.entry);
    held.entry = NULL;
    page_owner_unregister(&owner);
}

static void make_page_tables(void)
{
    for (virt_t at = layout.vmalloc_start; at < layout.vmalloc_end; at += LARGE_PAGE_SIZE)
        pgtable_pte(at, true);
}

void lists_remember(void)
{
    make_page_tables();
    zone_state_remember(&before);
}

void lists_check(struct test *t)
{
    zone_state_compare(t, &before);
}
