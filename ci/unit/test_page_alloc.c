/* SPDX-License-Identifier: BSD-2-Clause */
#include "ci/unit/unit.h"
#include "lib/finding.h"
#include "lib/inject.h"
#include "paging/buddy.h"
#include "paging/compaction.h"
#include "paging/highmem.h"
#include "paging/kmap.h"
#include "paging/pageblock.h"
#include "paging/shrinker.h"

/*
 * The model keeps for each page who has it. Since buddies always merge, which blocks are free
 * follows from which pages are free: the largest aligned blocks that hold no other page and cross
 * no zone. So the allocator's lists are compared with the model to the last block.
 */

#define LOW_PFN 9001u /* an odd place for the border of a zone: blocks may not reach across */
#define NR_PFN 20000u
#define DMA_PFN ((pfn_t)(ZONE_DMA_END / PAGE_SIZE))
#define BLOCKS_MAX NR_PFN

enum owner { NOBODY, FREE, TAKEN };

struct block {
    pfn_t pfn;
    unsigned order;
};

static struct {
    struct page *map;
    uint8_t owner[NR_PFN];
    struct block blocks[BLOCKS_MAX]; /* allocated */
    unsigned nr_blocks;
    unsigned nr_findings;
    unsigned cleared; /* pages */
    bool window_in_use;
    unsigned windows_forgotten;
} m;

/* What the allocator calls */

void finding(const char *fmt, ...)
{
    m.nr_findings++;
}

void clear_highpages(struct page *first, unsigned nr_pages)
{
    for (unsigned i = 0; i < nr_pages; i++)
        assert_int_equal(m.owner[page_to_pfn(first + i)], FREE); /* not yet told to the model */
    m.cleared += nr_pages;
}

bool kmap_forget(struct page *page)
{
    assert_true(PageHighMem(page) && page->kmap);
    if (m.window_in_use)
        return false;
    page->kmap = 0;
    m.windows_forgotten++;
    return true;
}

/* The model */

static enum zone_type zone_of(pfn_t pfn)
{
    return pfn < DMA_PFN ? ZONE_DMA : pfn < LOW_PFN ? ZONE_NORMAL : ZONE_HIGHMEM;
}

static bool all_are(pfn_t pfn, unsigned order, enum owner owner)
{
    for (pfn_t i = 0; i < 1u << order; i++)
        if (pfn + i >= NR_PFN || m.owner[pfn + i] != owner)
            return false;
    return true;
}

static bool block_is_free(pfn_t pfn, unsigned order)
{
    return pfn + (1u << order) <= NR_PFN && zone_of(pfn) == zone_of(pfn + (1u << order) - 1) &&
           all_are(pfn, order, FREE);
}

/* Order of the free block that begins at a free page, if all before it are accounted for. */
static unsigned free_order_at(pfn_t pfn)
{
    unsigned order = 0;

    while (order < MAX_ORDER && IS_ALIGNED(pfn, 2u << order) && block_is_free(pfn, order + 1))
        order++;
    return order;
}

static uint32_t listed(const struct zone *zone, unsigned order, pfn_t pfn)
{
    uint32_t found = 0, length = 0;

    for (pfn_t at = zone->free_area[order].first[0]; at; at = m.map[at].next) {
        found += at == pfn;
        assert_true(++length <= zone->free_area[order].nr_free);
    }
    return found;
}

/* Everything that can be asked about the free blocks. */
static void compare(bool lists)
{
    uint32_t blocks[MAX_NR_ZONES][NR_ORDERS] = {{0}}, pages[MAX_NR_ZONES] = {0};
    pfn_t where;

    for (pfn_t pfn = 0; pfn < NR_PFN;) {
        unsigned order;

        if (m.owner[pfn] != FREE) {
            pfn++;
            continue;
        }
        order = free_order_at(pfn);
        assert_int_equal(m.map[pfn].free, 1);
        assert_int_equal(m.map[pfn].order, order);
        if (lists)
            assert_int_equal(listed(zone_get(zone_of(pfn)), order, pfn), 1);
        for (pfn_t i = 1; i < 1u << order; i++)
            assert_int_equal(m.map[pfn + i].free || m.map[pfn + i].allocated, 0);
        blocks[zone_of(pfn)][order]++;
        pages[zone_of(pfn)] += 1u << order;
        pfn += 1u << order;
    }
    for (unsigned z = 0; z < MAX_NR_ZONES; z++) {
        const struct zone *zone = zone_get((enum zone_type)z);
        const char *wrong = zone_check(zone, &where);
        uint32_t unusable = pages[z];

        if (wrong)
            fail_msg("zone_check: %s at 0x%x", wrong, where);
        assert_int_equal(nr_free_pages((enum zone_type)z), pages[z]);
        for (unsigned order = 0; order <= MAX_ORDER; order++)
            assert_int_equal(zone->free_area[order].nr_free, blocks[z][order]);
        for (unsigned order = MAX_ORDER + 1; order-- > 0;) {
            unusable -= blocks[z][order] << order;
            assert_int_equal(zone_unusable_index(zone, order),
                             pages[z] ? unusable * 1000 / pages[z] : 1000);
        }
    }
}

static void give(pfn_t start, pfn_t end)
{
    page_alloc_add_range(start, end);
    for (pfn_t pfn = MAX(start, 1u); pfn < MIN(end, NR_PFN); pfn++)
        m.owner[pfn] = FREE;
}

static int start_machine(void **state)
{
    memset(&m, 0, sizeof(m));
    m.map = calloc(1, page_map_bytes(NR_PFN));
    page_alloc_init(m.map, NR_PFN, LOW_PFN);
    page_alloc_tune(&page_alloc_plain);
    give(12345, NR_PFN + 5); /* past the end: cut */
    give(6000, 12340);
    give(5998, 5999);
    give(256, 5000);
    give(0, 159);
    return 0;
}

static int stop_machine(void **state)
{
    free(m.map);
    return 0;
}

static void took(struct page *page, unsigned order)
{
    pfn_t pfn = page_to_pfn(page);

    assert_true(m.nr_blocks < BLOCKS_MAX);
    assert_true(pfn && IS_ALIGNED(pfn, 1u << order) && block_is_free(pfn, order));
    assert_int_equal(page->allocated, 1);
    assert_int_equal(page->kmap, 0);
    memset(m.owner + pfn, TAKEN, 1u << order);
    m.blocks[m.nr_blocks++] = (struct block){pfn, order};
}

static void give_back(unsigned index)
{
    struct block block = m.blocks[index];

    m.blocks[index] = m.blocks[--m.nr_blocks];
    __free_pages(pfn_to_page(block.pfn), block.order);
    memset(m.owner + block.pfn, FREE, 1u << block.order);
}

/* The smallest order >= wanted of which the zone has a free block, or NR_ORDERS. */
static unsigned smallest_order(enum zone_type zone, unsigned wanted)
{
    for (unsigned order = wanted; order <= MAX_ORDER; order++)
        if (zone_get(zone)->free_area[order].nr_free)
            return order;
    return NR_ORDERS;
}

/* Order of the free block that holds this free page. */
static unsigned order_around(pfn_t pfn)
{
    unsigned order = 0;

    while (order < MAX_ORDER && block_is_free(ALIGN_DOWN(pfn, 2u << order), order + 1))
        order++;
    return order;
}

static void checked_alloc(struct prng *prng)
{
    unsigned order = one_in(prng, 10) ? between(prng, 0, MAX_ORDER) : prng_below(prng, 4);
    enum zone_type top = (enum zone_type)prng_below(prng, MAX_NR_ZONES);
    bool only = one_in(prng, 4), zero = one_in(prng, 4);
    unsigned best = NR_ORDERS;
    int want = -1;
    struct page *page;

    for (int zone = (int)top; zone >= 0 && want < 0; zone--) {
        best = smallest_order((enum zone_type)zone, order);
        if (best < NR_ORDERS)
            want = zone;
        if (only)
            break;
    }
    m.cleared = 0;
    page = alloc_pages((gfp_t)top | (only ? __GFP_THISZONE : 0) | (zero ? __GFP_ZERO : 0), order);
    if (want < 0) {
        assert_null(page);
        return;
    }
    assert_non_null(page);
    assert_int_equal(page_zonenum(page), want);
    assert_int_equal(zone_of(page_to_pfn(page)), want);
    assert_int_equal(order_around(page_to_pfn(page)), best);
    assert_int_equal(m.cleared, zero ? 1u << order : 0);
    took(page, order);
}

/* The model's answer: 0 if there is none. */
static pfn_t place_in(unsigned wanted, phys_addr_t min, phys_addr_t max)
{
    pfn_t best[NR_ORDERS] = {0};

    for (pfn_t pfn = 1; pfn < NR_PFN;) {
        unsigned order;

        if (m.owner[pfn] != FREE) {
            pfn++;
            continue;
        }
        order = free_order_at(pfn);
        for (pfn_t at = pfn; order >= wanted && at < pfn + (1u << order); at += 1u << wanted)
            if (!best[order] && pfn_to_phys(at) >= min && pfn_to_phys(at + (1u << wanted)) <= max)
                best[order] = at;
        pfn += 1u << order;
    }
    for (unsigned order = wanted; order <= MAX_ORDER; order++)
        if (best[order])
            return best[order];
    return 0;
}

static void checked_alloc_in(struct prng *prng)
{
    unsigned order = one_in(prng, 10) ? between(prng, 0, MAX_ORDER) : prng_below(prng, 5);
    phys_addr_t min = pfn_to_phys(prng_below(prng, NR_PFN)), max;
    struct page *page;
    pfn_t want;

    max = min + pfn_to_phys(prng_below(prng, one_in(prng, 2) ? 64 : NR_PFN));
    if (one_in(prng, 3)) {
        min += prng_below(prng, PAGE_SIZE);
        max += prng_below(prng, PAGE_SIZE);
    }
    if (one_in(prng, 5))
        max = UINT64_MAX;
    want = place_in(order, min, max);
    page = alloc_pages_in(order, min, max);
    if (!want) {
        assert_null(page);
        return;
    }
    assert_non_null(page);
    assert_int_equal(page_to_pfn(page), want);
    took(page, order);
}

/* What must not be freed: a finding, and nothing changes. */
static void bad_free(struct prng *prng)
{
    unsigned before = m.nr_findings, order = prng_below(prng, MAX_ORDER + 1);
    pfn_t pfn = prng_below(prng, NR_PFN + 10);

    if (m.nr_blocks && one_in(prng, 2)) {
        const struct block *block = &m.blocks[prng_below(prng, m.nr_blocks)];

        pfn = block->pfn;
        if (block->order && one_in(prng, 2))
            pfn += between(prng, 1, (1u << block->order) - 1); /* inside of it */
        else if (order == block->order)
            return;
    } else if (pfn < NR_PFN && m.owner[pfn] == TAKEN) {
        return;
    }
    __free_pages(m.map + pfn, order);
    assert_int_equal(m.nr_findings, before + 1);
}

static void fresh_zones(void **state)
{
    compare(true);
    assert_int_equal(zone_get(ZONE_DMA)->present_pages, 158 + DMA_PFN - 256);
    assert_int_equal(zone_get(ZONE_DMA)->start_pfn, 0);
    assert_int_equal(zone_get(ZONE_DMA)->end_pfn, DMA_PFN);
    assert_int_equal(zone_get(ZONE_NORMAL)->end_pfn, LOW_PFN);
    assert_int_equal(zone_get(ZONE_HIGHMEM)->end_pfn, NR_PFN);
    assert_int_equal(m.map[0].free || m.map[0].allocated, 0);
}

static void random_work(void **state)
{
    struct prng prng;
    uint32_t most_taken = 0;

    prng_seed(&prng, 1);
    for (int step = 0; step < 12000; step++) {
        /* Tides, so that memory runs out and comes back. */
        bool flood = step / 2000 % 2 == 0;

        if (m.nr_blocks && one_in(&prng, flood ? 4 : 2))
            give_back(prng_below(&prng, m.nr_blocks));
        else if (m.nr_blocks < BLOCKS_MAX && one_in(&prng, 8))
            checked_alloc_in(&prng);
        else if (m.nr_blocks < BLOCKS_MAX)
            checked_alloc(&prng);
        if (one_in(&prng, 4))
            bad_free(&prng);
        if (step % 64 == 0)
            compare(step % 1024 == 0);
        most_taken = MAX(most_taken, m.nr_blocks);
    }
    assert_true(most_taken > 1000);
    assert_int_equal(m.windows_forgotten, 0);
    while (m.nr_blocks)
        give_back(prng_below(&prng, m.nr_blocks));
    compare(true); /* all merged back */
}

/* Down to the last page, in every order. */
static void exhaustion(void **state)
{
    for (unsigned order = 0; order <= MAX_ORDER; order++) {
        struct page *page;
        uint32_t count = 0;

        while ((page = alloc_pages(GFP_HIGHUSER, order))) {
            took(page, order);
            count++;
        }
        for (unsigned z = 0; z < MAX_NR_ZONES; z++)
            for (unsigned o = order; o <= MAX_ORDER; o++)
                assert_int_equal(zone_get((enum zone_type)z)->free_area[o].nr_free, 0);
        assert_true(count > 0);
        compare(false);
        while (m.nr_blocks)
            give_back(m.nr_blocks / 2);
        compare(false);
    }
}

static void silly_requests(void **state)
{
    assert_null(alloc_pages(GFP_KERNEL, MAX_ORDER + 1));
    assert_null(alloc_pages(GFP_KERNEL, UINT32_MAX));
    assert_null(alloc_pages(MAX_NR_ZONES, 0));
    assert_null(alloc_pages_in(MAX_ORDER + 1, 0, UINT64_MAX));
    assert_null(alloc_pages_in(0, UINT64_MAX - PAGE_SIZE, UINT64_MAX));
    assert_null(alloc_pages_in(0, MIB64(4), MIB64(1)));
    assert_null(alloc_pages_in(0, MIB64(4), MIB64(4) + PAGE_SIZE - 1));
    assert_null(__get_free_pages(GFP_HIGHUSER, 0));
    compare(false);
}

static void by_address(void **state)
{
    void *addr;

    layout.direct_offset = 0xc0000000;
    addr = __get_free_pages(GFP_KERNEL, 3);
    assert_true((virt_t)addr == 0xc0000000 + (virt_t)page_to_phys(virt_to_page(addr)));
    took(virt_to_page(addr), 3);
    free_pages(addr, 3);
    memset(m.owner + m.blocks[0].pfn, FREE, 8);
    m.nr_blocks = 0;
    free_pages(NULL, 0);
    assert_int_equal(m.nr_findings, 0);
    compare(false);
}

static void windows_of_freed_pages(void **state)
{
    struct page *page = alloc_pages(GFP_HIGHUSER, 2);

    took(page, 2);
    assert_int_equal(page->kmap, 0);
    page[0].kmap = 5;
    page[3].kmap = 6;
    m.window_in_use = true;
    __free_pages(page, 2);
    assert_int_equal(m.nr_findings, 1);
    assert_int_equal(page->allocated, 1);
    m.window_in_use = false;
    give_back(0);
    assert_int_equal(m.nr_findings, 1);
    assert_int_equal(m.windows_forgotten, 2);
    compare(false);
}

/* zone_check() sees each kind of damage. */
static void damage_is_seen(void **state)
{
    struct zone *zone = (struct zone *)zone_get(ZONE_NORMAL);
    struct zone good = *zone;
    unsigned order = smallest_order(ZONE_NORMAL, 0);
    pfn_t pfn = zone->free_area[order].first[0], where;
    struct page saved = m.map[pfn];

    assert_null(zone_check(zone, &where));
    zone->free_pages++;
    assert_non_null(zone_check(zone, &where));
    *zone = good;
    zone->free_area[order].nr_free++;
    assert_non_null(zone_check(zone, &where));
    *zone = good;
    zone->free_area[order].nr_free--;
    assert_non_null(zone_check(zone, &where));
    *zone = good;
    zone->start_pfn = LOW_PFN - 1;
    assert_non_null(zone_check(zone, &where));
    *zone = good;
    m.map[pfn].allocated = 1;
    assert_non_null(zone_check(zone, &where));
    assert_int_equal(where, pfn);
    m.map[pfn] = saved;
    m.map[pfn].order++;
    assert_non_null(zone_check(zone, &where));
    m.map[pfn] = saved;
    m.map[pfn].prev = pfn;
    assert_non_null(zone_check(zone, &where));
    m.map[pfn] = saved;
    m.map[pfn].next = pfn; /* a ring */
    assert_non_null(zone_check(zone, &where));
    m.map[pfn] = saved;
    assert_null(zone_check(zone, &where));
}

static void expect_wrong(const struct zone *zone, const char *wanted)
{
    pfn_t where;
    const char *wrong = zone_check(zone, &where);

    assert_non_null(wrong);
    assert_string_equal(wrong, wanted);
}

/* Links and counts are right; a block is where, or what, none may be. */
static void wrong_blocks_are_seen(void **state)
{
    struct zone *zone = (struct zone *)zone_get(ZONE_NORMAL);
    unsigned order = smallest_order(ZONE_NORMAL, 2), half = order - 1;
    pfn_t pfn = page_to_pfn(buddy_take_first(zone, 0, order, order)), other = pfn + (1u << half),
          where;

    zone->free_pages += 1u << order;
    buddy_list_add(zone, pfn, half, 0);
    buddy_list_add(zone, other, half, 0);
    expect_wrong(zone, "two buddies are free side by side");
    buddy_list_remove(zone, pfn, half, 0);
    buddy_list_remove(zone, other, half, 0);
    buddy_list_add(zone, pfn + 1, 1, 0);
    expect_wrong(zone, "a free block is not aligned to its size");
    buddy_list_remove(zone, pfn + 1, 1, 0);
    buddy_list_add(zone, pfn, order, MIGRATE_MOVABLE);
    expect_wrong(zone, "a free block is on a list of another type than its pageblock");
    buddy_list_remove(zone, pfn, order, MIGRATE_MOVABLE);
    buddy_list_add(zone, pfn, order, 0);
    assert_null(zone_check(zone, &where));
    page_alloc_tune(&page_alloc_default);
    pfn = zone->free_area[MAX_ORDER].first[MIGRATE_MOVABLE];
    buddy_list_remove(zone, pfn, MAX_ORDER, MIGRATE_MOVABLE);
    pageblock_kind[pfn >> PAGEBLOCK_ORDER] = (uint8_t)make_kind(ZONE_NORMAL, MIGRATE_UNMOVABLE);
    buddy_list_add(zone, pfn, MAX_ORDER, MIGRATE_UNMOVABLE);
    expect_wrong(zone, "a pageblock that is free as a whole is not movable");
}

/* A machine so small that its last zones are empty. */
static void small_machine(void **state)
{
    struct page *map = calloc(1, page_map_bytes(1000)), *page;
    pfn_t where;

    page_alloc_init(map, 1000, 1000);
    page_alloc_add_range(100, 1000);
    for (unsigned z = 0; z < MAX_NR_ZONES; z++)
        assert_null(zone_check(zone_get((enum zone_type)z), &where));
    assert_int_equal(nr_free_pages(ZONE_DMA), 900);
    assert_int_equal(nr_free_pages(ZONE_NORMAL), 0);
    assert_int_equal(nr_free_pages(ZONE_HIGHMEM), 0);
    assert_int_equal(zone_unusable_index(zone_get(ZONE_HIGHMEM), 0), 1000);
    assert_null(alloc_pages(GFP_HIGHUSER | __GFP_THISZONE, 0));
    page = alloc_pages(GFP_HIGHUSER, 0);
    assert_non_null(page);
    __free_pages(page, 0);
    assert_int_equal(nr_free_pages(ZONE_DMA), 900);
    free(map);
}

int main(void)
{
#define ON_MACHINE(test) cmocka_unit_test_setup_teardown(test, start_machine, stop_machine)
    const struct CMUnitTest tests[] = {
        ON_MACHINE(fresh_zones),         ON_MACHINE(random_work),
        ON_MACHINE(exhaustion),          ON_MACHINE(silly_requests),
        ON_MACHINE(by_address),          ON_MACHINE(windows_of_freed_pages),
        ON_MACHINE(damage_is_seen),      ON_MACHINE(wrong_blocks_are_seen),
        cmocka_unit_test(small_machine),
    };

    return cmocka_run_group_tests_name("page_alloc", tests, NULL, NULL);
}
