/* SPDX-License-Identifier: BSD-2-Clause */
#include "payload/tests/ballast.h"
#include "paging/page_owner.h"

/* Not registered while there is none. */
static struct page_owner ballast = {.name = "ballast", .letter = 'b'};

/* Movable, for the sake of the pageblock that it comes from, although nobody moves it. */
static struct page *take_block(enum zone_type zone)
{
    struct page *page =
        alloc_pages((gfp_t)zone | __GFP_THISZONE | __GFP_MOVABLE | __GFP_NORETRY, MAX_ORDER);

    if (page)
        page_set_owner(page, ballast.id, 0);
    return page;
}

unsigned ballast_take(enum zone_type zone, unsigned keep, struct prng *prng)
{
    uint32_t total;
    struct page *page, *kept[BALLAST_KEEP_MAX];
    unsigned nr_kept = 0;

    if (ballast.id == 0 && page_owner_register(&ballast))
        return 0;
    drain_all_pages();
    total = zone_get(zone)->free_area[MAX_ORDER].nr_free;
    keep = MIN(keep, BALLAST_KEEP_MAX);
    /* Each of those that are left is kept with the chance that makes it `keep` in the end. */
    for (uint32_t n = 0; n < total && (page = take_block(zone)) != NULL; n++)
        if (prng_below(prng, total - n) < keep - nr_kept)
            kept[nr_kept++] = page;
    for (unsigned i = 0; i < nr_kept; i++)
        __free_pages(kept[i], MAX_ORDER);
    drain_all_pages();
    return nr_kept;
}

void ballast_give_back(void)
{
    if (ballast.id == 0)
        return;
    for (pfn_t pfn = 0; pfn < max_pfn; pfn += 1u << MAX_ORDER) {
        struct page *page = pfn_to_page(pfn);

        if (page->allocated && !page->free && page->owner == ballast.id)
            __free_pages(page, MAX_ORDER);
    }
    page_owner_unregister(&ballast);
}
