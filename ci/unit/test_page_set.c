/* SPDX-License-Identifier: BSD-2-Clause */
/* All free pages of a zone at once, over the real page allocator. */
#include "ci/unit/unit.h"
#include "lib/errno.h"
#include "lib/finding.h"
#include "lib/inject.h"
#include "paging/compaction.h"
#include "paging/highmem.h"
#include "paging/kmap.h"
#include "paging/shrinker.h"
#include "payload/page_set.h"

#include <sys/mman.h>

#define LOW_PFN 7001u
#define NR_PFN 30000u

static struct page *map;
static void *lowmem;
static unsigned nr_findings;

void finding(const char *fmt, ...)
{
    nr_findings++;
}

void clear_highpages(struct page *page, unsigned nr_pages)
{
    fail();
}

bool kmap_forget(struct page *page)
{
    return false;
}

/* Holes and taken pages at random, so that there are blocks of every order. */
static int setup(void **state)
{
    struct prng prng;

    prng_seed(&prng, 1);
    nr_findings = 0;
    map = calloc(1, page_map_bytes(NR_PFN));
    lowmem = mmap(NULL, LOW_PFN * (size_t)PAGE_SIZE, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    layout.direct_offset = (virt_t)lowmem;
    page_alloc_init(map, NR_PFN, LOW_PFN);
    page_alloc_add_range(10000, NR_PFN);
    page_alloc_add_range(100, 9000);
    for (unsigned i = 0; i < 800; i++)
        alloc_pages(prng_below(&prng, MAX_NR_ZONES), prng_below(&prng, 4));
    drain_all_pages();
    return 0;
}

static int teardown(void **state)
{
    free(map);
    munmap(lowmem, LOW_PFN * (size_t)PAGE_SIZE);
    return 0;
}

static void take_and_give_back(void **state)
{
    for (unsigned z = 0; z < MAX_NR_ZONES; z++) {
        for (unsigned depth = DEPTH_SPARSE; depth <= DEPTH_FULL; depth++) {
            const struct zone *zone = zone_get((enum zone_type)z);
            struct zone before = *zone;
            uint32_t others = nr_free_pages(ZONE_NORMAL);
            bool seen[NR_PFN] = {false};
            struct page_set set;
            uint32_t count = 0;
            pfn_t last = 0, where;

            assert_int_equal(page_set_take(&set, (enum zone_type)z, (enum depth)depth), 0);
            if (z != ZONE_NORMAL)
                assert_int_equal(set.nr_pages, before.free_pages);
            assert_int_equal(zone->free_pages, 0);
            assert_int_equal(set.stride, depth == DEPTH_SPARSE ? 128 : 1);
            assert_int_equal(set.nr_visited, (set.nr_pages + set.stride - 1) / set.stride);
            assert_int_equal(page_set_pfn(&set, set.nr_visited - 1),
                             set.blocks[set.nr_blocks - 1].pfn + set.nr_pages - 1 -
                                 set.blocks[set.nr_blocks - 1].first);
            for (uint32_t i = 0; i < set.nr_visited; i++) {
                pfn_t pfn = page_set_pfn(&set, i);

                assert_true(pfn >= zone->start_pfn && pfn < zone->end_pfn);
                assert_true(i == 0 || pfn > last); /* in order, each once */
                assert_true(page_set_holds(&set, pfn));
                seen[pfn] = true;
                last = pfn;
            }
            for (pfn_t pfn = 0; pfn < NR_PFN; pfn++) {
                bool holds = page_set_holds(&set, pfn);

                count += holds;
                assert_true(holds || !seen[pfn]);
                if (depth == DEPTH_FULL)
                    assert_int_equal(holds, seen[pfn]);
            }
            assert_int_equal(count, set.nr_pages);
            page_set_give_back(&set);
            page_set_give_back(&set); /* fine */
            assert_int_equal(zone->free_pages, before.free_pages);
            for (unsigned order = 0; order <= MAX_ORDER; order++)
                assert_int_equal(zone->free_area[order].nr_free, before.free_area[order].nr_free);
            assert_null(zone_check(zone, &where));
            assert_int_equal(nr_free_pages(ZONE_NORMAL), others);
            assert_int_equal(nr_findings, 0);
        }
    }
}

static void nothing_to_take(void **state)
{
    struct page_set set, again;

    assert_int_equal(page_set_take(&set, ZONE_HIGHMEM, DEPTH_FULL), 0);
    assert_int_equal(page_set_take(&again, ZONE_HIGHMEM, DEPTH_FULL), -ENODEV);
    page_set_give_back(&again);
    page_set_give_back(&set);
    while (alloc_pages(GFP_KERNEL, 0))
        ;
    assert_int_equal(page_set_take(&set, ZONE_HIGHMEM, DEPTH_FULL), -ENOMEM);
    page_set_give_back(&set);
    assert_int_equal(nr_findings, 0);
}

/* With fewer pages than the sparse stride, one is still visited. */
static void few_pages(void **state)
{
    struct page *kept = NULL, *page;
    struct page_set set;

    while ((page = alloc_pages(GFP_HIGHUSER | __GFP_THISZONE, 0)))
        kept = page;
    __free_pages(kept, 0);
    assert_int_equal(page_set_take(&set, ZONE_HIGHMEM, DEPTH_SPARSE), 0);
    assert_int_equal(set.nr_visited, 1);
    assert_int_equal(page_set_pfn(&set, 0), page_to_pfn(kept));
    page_set_give_back(&set);
}

int main(void)
{
#define ON_MACHINE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        ON_MACHINE(take_and_give_back),
        ON_MACHINE(nothing_to_take),
        ON_MACHINE(few_pages),
    };

    return cmocka_run_group_tests_name("page_set", tests, NULL, NULL);
}
