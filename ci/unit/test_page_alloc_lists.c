/* SPDX-License-Identifier: BSD-2-Clause */
#include "ci/unit/unit.h"
#include "lib/finding.h"
#include "lib/inject.h"
#include "paging/buddy.h"
#include "paging/compaction.h"
#include "paging/highmem.h"
#include "paging/kmap.h"
#include "paging/page_lists.h"
#include "paging/shrinker.h"

/*
 * What stands in front of the buddy lists and around them: per-CPU lists, migratetypes, watermarks,
 * tuning. The model knows who has each page, and so how many are free in each zone; that free
 * blocks are right by themselves is zone_check()'s (test_page_alloc.c sees that it looks).
 */

#define LOW_PFN 12288u
#define NR_PFN 22000u
#define DMA_PFN 4096u
#define FRAGMENT_PAGES (NR_PFN % PAGEBLOCK_PAGES)
#define BLOCKS_MAX NR_PFN

static struct {
    struct page *map;
    bool taken[NR_PFN];
    struct page *blocks[BLOCKS_MAX];
    unsigned nr_blocks;
    uint32_t free[MAX_NR_ZONES];
    unsigned nr_findings;
    bool may_shrink;   /* a shrinker gives up blocks */
    bool shrinks_once; /* it has a single page */
    unsigned compacted;
    struct cpu cpu;
} m;

struct cpu *this_cpu(void)
{
    return &m.cpu;
}

void finding(const char *fmt, ...)
{
    m.nr_findings++;
}

void clear_highpages(struct page *first, unsigned nr_pages)
{
}

bool kmap_forget(struct page *page)
{
    page->kmap = 0;
    return true;
}

static void give(unsigned index)
{
    struct page *page = m.blocks[index];
    pfn_t pfn = page_to_pfn(page);
    unsigned order = page->order;

    m.blocks[index] = m.blocks[--m.nr_blocks];
    memset(m.taken + pfn, false, 1u << order);
    m.free[page_zonenum(page)] += 1u << order;
    __free_pages(page, order);
}

uint32_t shrink_pages(enum zone_type zone, uint32_t nr_pages)
{
    uint32_t freed = 0;

    nr_pages = m.shrinks_once ? 1 : nr_pages;
    for (unsigned i = m.nr_blocks;
         (m.may_shrink || m.shrinks_once) && i-- > 0 && freed < nr_pages;) {
        if (page_zonenum(m.blocks[i]) > zone)
            continue;
        freed += 1u << m.blocks[i]->order;
        give(i);
    }
    m.shrinks_once = false;
    return freed;
}

void shrink_reset(void)
{
}

bool compact_zone(enum zone_type zone, unsigned order, struct compact_result *result)
{
    *result = (struct compact_result){.moved = 3, .pinned = 2};
    m.compacted++;
    return false;
}

static void take(struct page *page)
{
    pfn_t pfn = page_to_pfn(page);
    unsigned order = page->order;

    assert_true(pfn && page->allocated && !page->kmap);
    assert_true(IS_ALIGNED(pfn, 1u << order));
    for (pfn_t i = 0; i < 1u << order; i++) {
        assert_false(m.taken[pfn + i]);
        m.taken[pfn + i] = true;
        assert_true(i == 0 || (page[i].use == 0 && page[i].kmap == 0));
    }
    m.free[page_zonenum(page)] -= 1u << order;
    m.blocks[m.nr_blocks++] = page;
}

static void check(void)
{
    pfn_t where;
    const char *wrong = page_lists_check(&where);

    if (wrong)
        fail_msg("%s at 0x%x", wrong, where);
    for (unsigned z = 0; z < MAX_NR_ZONES; z++) {
        wrong = zone_check(zone_get((enum zone_type)z), &where);
        if (wrong)
            fail_msg("%s at 0x%x", wrong, where);
        assert_int_equal(nr_free_pages((enum zone_type)z), m.free[z]);
    }
    assert_int_equal(m.nr_findings, 0);
}

static int start(void **state)
{
    memset(&m, 0, sizeof(m));
    m.map = calloc(1, page_map_bytes(NR_PFN));
    page_alloc_init(m.map, NR_PFN, LOW_PFN);
    memset(m.taken, true, sizeof(m.taken));
    page_alloc_add_range(LOW_PFN - 100, NR_PFN);
    page_alloc_add_range(300, LOW_PFN - 200);
    for (pfn_t pfn = 300; pfn < NR_PFN; pfn++) {
        if (pfn >= LOW_PFN - 200 && pfn < LOW_PFN - 100)
            continue;
        m.taken[pfn] = false;
        m.free[page_zonenum(m.map + pfn)]++;
    }
    return 0;
}

static int stop(void **state)
{
    free(m.map);
    return 0;
}

/* All lists drained, what is free is in the largest blocks there can be. */
static void check_merged(void)
{
    drain_all_pages();
    check();
    for (unsigned z = 0; z < MAX_NR_ZONES; z++)
        assert_int_equal(zone_get((enum zone_type)z)->free_pages, m.free[z]);
}

static void random_tuning(struct prng *prng)
{
    struct page_alloc_tuning tuning = one_in(prng, 3) ? page_alloc_plain : page_alloc_default;

    tuning.watermarks = one_in(prng, 3);
    if (one_in(prng, 4))
        tuning.pcp = !tuning.pcp;
    if (one_in(prng, 4))
        tuning.mobility = !tuning.mobility;
    tuning.reclaim = one_in(prng, 4);
    tuning.compaction = one_in(prng, 4);
    page_alloc_tune(&tuning);
}

static void random_work(void **state)
{
    struct prng prng;

    prng_seed(&prng, 3);
    m.may_shrink = true;
    for (int step = 0; step < 60000; step++) {
        bool flood = step / 8000 % 2 == 0;

        if (one_in(&prng, 3000))
            random_tuning(&prng);
        if (m.nr_blocks && one_in(&prng, flood ? 5 : 2)) {
            /* Often the last, so that lists fill with neighbours. */
            give(one_in(&prng, 2) ? m.nr_blocks - 1 : prng_below(&prng, m.nr_blocks));
        } else if (m.nr_blocks < BLOCKS_MAX) {
            gfp_t gfp = prng_below(&prng, MAX_NR_ZONES) | prng_below(&prng, 3) << 2;
            unsigned order =
                one_in(&prng, 20) ? prng_below(&prng, NR_ORDERS) : prng_below(&prng, 4);
            struct page *page;

            gfp |= one_in(&prng, 4) ? __GFP_DIRECT_RECLAIM : 0;
            gfp |= one_in(&prng, 8) ? __GFP_THISZONE : 0;
            page = alloc_pages(gfp, order);
            if (page) {
                assert_int_equal(page->order, order);
                take(page);
            }
        }
        if (step % 128 == 0)
            check();
    }
    assert_true(m.nr_blocks > 100);
    while (m.nr_blocks)
        give(prng_below(&prng, m.nr_blocks));
    check();
    page_alloc_tune(&page_alloc_default);
    check_merged();
    for (pfn_t pfn = DMA_PFN; pfn < LOW_PFN - 1024; pfn += PAGEBLOCK_PAGES)
        assert_int_equal(get_pageblock_migratetype(m.map + pfn), MIGRATE_MOVABLE);
}

/* Neighbours go out upwards, and come back as the blocks that they were, in whatever order. */
static void runs(void **state)
{
    for (unsigned order = 0; order < LIST_ORDERS; order++) {
        for (int backwards = 0; backwards < 2; backwards++) {
            struct zone before;
            unsigned odd = FRAGMENT_PAGES >> order;

            drain_all_pages();
            before = *zone_get(ZONE_HIGHMEM);
            /* The small blocks at the end of memory go first. */
            for (unsigned i = 0; i < odd + (64u >> order); i++) {
                take(alloc_pages(ZONE_HIGHMEM | __GFP_MOVABLE, order));
                if (i > odd)
                    assert_ptr_equal(m.blocks[i], m.blocks[i - 1] + (1u << order));
            }
            while (m.nr_blocks)
                give(backwards ? m.nr_blocks - 1 : 0);
            check();
            check_merged();
            assert_memory_equal(before.free_area, zone_get(ZONE_HIGHMEM)->free_area,
                                sizeof(before.free_area));
        }
    }
}

/* A list that is full gives back no more than it must, and nothing is lost on the way. */
static void full_lists(void **state)
{
    struct prng prng;

    prng_seed(&prng, 5);
    for (int round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 3000; i++)
            take(alloc_pages(ZONE_HIGHMEM | __GFP_MOVABLE, 0));
        while (m.nr_blocks) {
            unsigned back = round == 2 ? 1 + prng_below(&prng, 9) : 1;

            give(round == 0 ? 0 : m.nr_blocks - MIN(m.nr_blocks, back));
            if (m.nr_blocks % 64 == 0)
                check();
        }
        assert_true(zone_get(ZONE_HIGHMEM)->free_pages >= m.free[ZONE_HIGHMEM] - 248);
        check_merged();
    }
}

static uint32_t take_all(gfp_t gfp, unsigned order)
{
    struct page *page;
    uint32_t n = 0;

    while ((page = alloc_pages(gfp, order))) {
        take(page);
        n++;
    }
    return n;
}

static void nothing_hidden(void **state)
{
    for (unsigned type = 0; type < MIGRATE_TYPES; type++)
        for (unsigned order = 0; order < LIST_ORDERS; order++)
            __free_pages(alloc_pages(ZONE_NORMAL | type << 2, order), order);
    assert_true(zone_get(ZONE_NORMAL)->free_pages < m.free[ZONE_NORMAL]);
    take_all(ZONE_NORMAL | __GFP_THISZONE, 0);
    assert_int_equal(m.free[ZONE_NORMAL], 0);
    assert_true(page_alloc_events()->drained > 0);
    assert_int_equal(page_alloc_events()->failed[0], 1);
    assert_true(page_alloc_events()->stolen[MIGRATE_MOVABLE] > 0);
    /* From DMA now, whose lists may be used. */
    take(alloc_pages(ZONE_NORMAL, 0));
    assert_int_equal(page_alloc_events()->fell_back[ZONE_DMA], 1);
    check();
}

static void watermarks(void **state)
{
    struct page_alloc_tuning tuning = page_alloc_default;
    const struct zone *dma = zone_get(ZONE_DMA), *normal = zone_get(ZONE_NORMAL);
    uint32_t lowmem = dma->present_pages + normal->present_pages, min, kept;

    tuning.watermarks = true;
    tuning.min_free_kbytes = 4000;
    page_alloc_tune(&tuning);
    assert_int_equal(normal->watermark[WMARK_MIN], 1000ull * normal->present_pages / lowmem);
    assert_int_equal(normal->watermark[WMARK_HIGH],
                     normal->watermark[WMARK_MIN] + normal->watermark[WMARK_MIN] / 4 * 2);
    /* HIGHMEM is some 9700 pages: a minimum of its own, steps of its share. */
    assert_int_equal(zone_get(ZONE_HIGHMEM)->watermark[WMARK_HIGH],
                     32 + 1000ull * zone_get(ZONE_HIGHMEM)->present_pages / lowmem / 4 * 2);
    assert_int_equal(zone_get(ZONE_HIGHMEM)->watermark[WMARK_MIN], 32);
    assert_int_equal(dma->lowmem_reserve[ZONE_DMA], 0);
    assert_int_equal(dma->lowmem_reserve[ZONE_NORMAL], normal->present_pages / 256);
    assert_int_equal(dma->lowmem_reserve[ZONE_HIGHMEM],
                     (normal->present_pages + zone_get(ZONE_HIGHMEM)->present_pages) / 256);
    assert_int_equal(normal->lowmem_reserve[ZONE_HIGHMEM],
                     zone_get(ZONE_HIGHMEM)->present_pages / 32);
    min = normal->watermark[WMARK_MIN];
    take_all(ZONE_NORMAL | __GFP_THISZONE, 0);
    assert_int_equal(m.free[ZONE_NORMAL], min);
    assert_int_equal(page_alloc_events()->below[ZONE_NORMAL][WMARK_LOW], 1);
    take_all(ZONE_NORMAL | __GFP_THISZONE | __GFP_HIGH, 0);
    assert_int_equal(m.free[ZONE_NORMAL], min - min / 2);
    assert_int_equal(page_alloc_events()->below[ZONE_NORMAL][WMARK_MIN], 1);
    kept = dma->watermark[WMARK_MIN] + dma->lowmem_reserve[ZONE_NORMAL];
    take_all(ZONE_NORMAL, 0);
    assert_int_equal(m.free[ZONE_DMA], kept);
    /* What lies on DMA's own lists is kept as well. */
    __free_pages(alloc_pages(ZONE_DMA, 0), 0);
    assert_null(alloc_pages(ZONE_NORMAL, 0));
    check();
    tuning.min_free_kbytes = 0;
    page_alloc_tune(&tuning);
    /* 11888 pages of lowmem are 47552 KiB, whose root is 218. */
    assert_int_equal(lowmem, 11888);
    assert_int_equal(dma->watermark[WMARK_MIN], 218ull * dma->present_pages / lowmem);
    page_alloc_tune(&page_alloc_plain);
    take_all(ZONE_NORMAL, 0);
    assert_int_equal(m.free[ZONE_DMA] + m.free[ZONE_NORMAL], 0);
}

/* Half of a pageblock free: it is taken over. Less: only what is needed is taken. */
static void stealing(void **state)
{
    struct page *block;
    gfp_t movable = ZONE_NORMAL | __GFP_THISZONE | __GFP_MOVABLE;

    take_all(movable, 0);
    assert_int_equal(m.free[ZONE_NORMAL], 0);
    page_alloc_clear_events();
    /* Every third page, which merges to nothing. */
    for (unsigned i = 0; i < m.nr_blocks; i++)
        if (page_to_pfn(m.blocks[i]) % 3 == 0 && page_to_pfn(m.blocks[i]) / 1024 == 6)
            give(i--);
    drain_all_pages();
    block = alloc_pages(ZONE_NORMAL | __GFP_THISZONE, 0);
    take(block);
    assert_int_equal(get_pageblock_migratetype(block), MIGRATE_MOVABLE);
    assert_int_equal(page_alloc_events()->pageblocks_stolen, 0);
    assert_int_equal(page_alloc_events()->stolen[MIGRATE_MOVABLE], 1);
    for (unsigned i = 0; i < m.nr_blocks; i++)
        if (page_to_pfn(m.blocks[i]) % 3 == 1 && page_to_pfn(m.blocks[i]) / 1024 == 6)
            give(i--);
    drain_all_pages();
    block = alloc_pages(ZONE_NORMAL | __GFP_THISZONE | __GFP_RECLAIMABLE, 1);
    take(block);
    assert_int_equal(get_pageblock_migratetype(block), MIGRATE_RECLAIMABLE);
    assert_int_equal(page_alloc_events()->pageblocks_stolen, 1);
    check();
}

/* Gives 64 pages in a row back, at the start of this pageblock. */
static void give_row(pfn_t pageblock)
{
    for (unsigned i = 0; i < m.nr_blocks; i++)
        if (page_to_pfn(m.blocks[i]) - pageblock * BIT(PAGEBLOCK_ORDER) < 64)
            give(i--);
    drain_all_pages();
}

/*
 * Where most pages can't be moved, a large block is no reason for those that can to take over the
 * pageblock: they get a few at a time. Others take it over.
 */
static void borrowing(void **state)
{
    const struct zone *normal = zone_get(ZONE_NORMAL);
    struct page *page;

    take_all(ZONE_NORMAL | __GFP_THISZONE, 0);
    give_row(6);
    page_alloc_clear_events();
    page = alloc_pages(ZONE_NORMAL | __GFP_THISZONE | __GFP_MOVABLE, 0);
    take(page);
    assert_int_equal(get_pageblock_migratetype(page), MIGRATE_UNMOVABLE);
    assert_int_equal(page_alloc_events()->pageblocks_stolen, 0);
    assert_int_equal(page_alloc_events()->stolen[MIGRATE_UNMOVABLE], 1);
    assert_int_equal(normal->free_pages, 64 - 32);
    check();
    take_all(ZONE_NORMAL | __GFP_THISZONE, 0);
    give_row(7);
    page = alloc_pages(ZONE_NORMAL | __GFP_THISZONE | __GFP_RECLAIMABLE, 0);
    take(page);
    assert_int_equal(get_pageblock_migratetype(page), MIGRATE_RECLAIMABLE);
    assert_int_equal(page_alloc_events()->pageblocks_stolen, 1);
    assert_int_equal(normal->free_pages, 0);
    check();
}

static void reclaim_and_compaction(void **state)
{
    struct page_alloc_tuning tuning = page_alloc_default;
    struct page *page;

    tuning.reclaim = tuning.compaction = true;
    page_alloc_tune(&tuning);
    take_all(ZONE_NORMAL, 0);
    page_alloc_clear_events();
    assert_null(alloc_pages(GFP_KERNEL | __GFP_NORETRY, 2));
    m.cpu.preempt_count = 2; /* preempt_disable() does nothing on the host */
    assert_null(alloc_pages(GFP_KERNEL, 2));
    m.cpu.preempt_count = 0;
    assert_int_equal(m.compacted, 0);
    assert_null(alloc_pages(GFP_KERNEL, 2));
    assert_int_equal(page_alloc_events()->compactions, 2);
    assert_int_equal(page_alloc_events()->pages_moved, 6);
    assert_int_equal(page_alloc_events()->pages_pinned, 4);
    assert_int_equal(page_alloc_events()->reclaims, 1);
    /* What came free since, though too little, makes it worth while once more; the DMA zone got
     * none. */
    m.shrinks_once = true;
    assert_null(alloc_pages(GFP_KERNEL, 2));
    assert_int_equal(page_alloc_events()->compactions, 5);
    assert_int_equal(page_alloc_events()->pages_reclaimed, 1);
    m.may_shrink = true;
    page = alloc_pages(GFP_KERNEL, 2);
    assert_non_null(page);
    take(page);
    assert_true(page_alloc_events()->pages_reclaimed > 4);
    assert_int_equal(page_alloc_events()->failed[2], 4);
    check();
}

static void by_frame(void **state)
{
    unsigned order;
    struct page *page;

    assert_int_equal(buddy_block_of(8192 + 77, &order), 8192);
    assert_int_equal(order, MAX_ORDER);
    page = buddy_take_page(8192 + 77);
    assert_ptr_equal(page, m.map + 8192 + 77);
    take(page);
    check();
    assert_null(buddy_take_page(8192 + 77));
    assert_int_equal(buddy_block_of(8192 + 76, &order), 8192 + 76);
    assert_int_equal(order, 0);
    m.nr_blocks = 0;
    m.taken[8192 + 77] = false;
    m.free[ZONE_NORMAL]++;
    buddy_free(page, 0);
    check();
    assert_int_equal(buddy_block_of(8192 + 77, &order), 8192);
    assert_null(buddy_take_page(100));
    assert_null(buddy_take_page(NR_PFN));
}

/* page_lists_check() sees each kind of damage. */
static void damage_is_seen(void **state)
{
    struct page *page = alloc_pages(ZONE_NORMAL, 0), *other = alloc_pages(ZONE_DMA, 0);
    struct page_list *list = page_list_of(0, make_kind(ZONE_NORMAL, MIGRATE_UNMOVABLE));
    pfn_t where;

    __free_pages(page, 0);
    assert_null(page_lists_check(&where));
    page->kmap = 0;
    assert_non_null(page_lists_check(&where));
    assert_int_equal(where, page_to_pfn(page));
    page->kmap = PAGE_STATE(PAGE_LISTED);
    page->use = PAGE_STATE(0);
    assert_non_null(page_lists_check(&where));
    page->use = 0;
    *list->top++ = page;
    assert_non_null(page_lists_check(&where));
    list->top[-1] = other;
    assert_non_null(page_lists_check(&where));
    list->top--;
    __free_pages(other, 0);
    check_merged();
}

int main(void)
{
#define ON_MACHINE(test) cmocka_unit_test_setup_teardown(test, start, stop)
    const struct CMUnitTest tests[] = {
        ON_MACHINE(random_work), ON_MACHINE(runs),
        ON_MACHINE(full_lists),  ON_MACHINE(nothing_hidden),
        ON_MACHINE(watermarks),  ON_MACHINE(stealing),
        ON_MACHINE(borrowing),   ON_MACHINE(reclaim_and_compaction),
        ON_MACHINE(by_frame),    ON_MACHINE(damage_is_seen),
    };

    return cmocka_run_group_tests_name("page_alloc_lists", tests, NULL, NULL);
}
