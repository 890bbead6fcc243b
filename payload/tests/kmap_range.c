/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kmap_range: a window to many pages shows each of them at its place, and nothing before or after.
 *
 * All of high memory is written through windows as large as can be, and read through others of any
 * length that begin anywhere. Windows are used again at once, a large page where a table was and
 * the other way round, while their last translation is young. Threads share the few windows there
 * are, asleep and preempted.
 *
 * Why it can break: a directory entry that changes from table to page, of which a processor may
 * keep the old one, or both (SDM vol. 3A, 4.10.2.4 and 4.10.3); a run whose addresses pass 4 GiB; a
 * window that still shows the end of its last, longer run. A break shows as the physical address,
 * what the window showed and what was wanted.
 */
#include "lib/string.h"
#include "lib/x86/cpu.h"
#include "paging/highmem.h"
#include "paging/kmap_local.h"
#include "paging/kmap_range.h"
#include "paging/pgtable.h"
#include "paging/vmalloc.h"
#include "payload/tests/highmem_set.h"
#include "payload/traps.h"

#define BLOCKS 4u
#define BLOCK_PAGES (1u << MAX_ORDER)
#define RUNS 400u
#define RUNS_SPARSE 100u
#define ROUNDS_RECYCLED 600u
#define FOUR_GIB_PFN (1u << (32 - PAGE_SHIFT))
#define SPARSE_STRIDE 128u

static struct {
    struct page_set set;
    struct page *block[BLOCKS];
    unsigned nr_blocks;
    uint32_t salt;
} held;

static void give_back(void)
{
    for (unsigned i = 0; i < held.nr_blocks; i++)
        __free_pages(held.block[i], MAX_ORDER);
    page_set_give_back(&held.set);
    memset(&held, 0, sizeof(held));
}

static uint32_t mark_of(pfn_t pfn)
{
    return hash32(pfn ^ held.salt) | 1;
}

static char *at_page(const void *window, unsigned index)
{
    return (char *)window + index * PAGE_SIZE;
}

static uint32_t word_at(const void *window, unsigned index)
{
    return *(const volatile uint32_t *)at_page(window, index);
}

static bool check_page(struct test *t, const void *window, unsigned index, const struct page *page)
{
    pfn_t pfn = page_to_pfn(page);
    uint32_t seen = word_at(window, index);

    return TEST_CHECK(t, seen == mark_of(pfn),
                      "page %u of window %p, physical 0x%09llx: 0x%08x, 0x%08x wanted", index,
                      window, addr_number(pfn_to_phys(pfn)), seen, mark_of(pfn));
}

static bool check_run(struct test *t, const void *window, const struct page *first, unsigned count)
{
    bool right = true;

    for (unsigned i = 0; i < count && !test_should_stop(t); i++)
        right &= check_page(t, window, i, first + i);
    return right;
}

static void check_faults(struct test *t, const char *addr, const char *what)
{
    TEST_CHECK(t, !probe_read32(addr, NULL, NULL), "%p, %s, can be read", addr, what);
}

/* Blocks of high memory, each page marked. */
static bool begin(struct test *t)
{
    if (!highmem_set_take(t, &held.set))
        return false;
    page_set_give_back(&held.set);
    held.salt = highmem_salt();
    while (held.nr_blocks < BLOCKS) {
        struct page *block = alloc_pages(GFP_HIGHUSER | __GFP_THISZONE, MAX_ORDER);

        if (!block)
            break;
        held.block[held.nr_blocks++] = block;
        for (unsigned i = 0; i < BLOCK_PAGES; i++) {
            volatile uint32_t *window = kmap_local_page(block + i);

            *window = mark_of(page_to_pfn(block + i));
            kunmap_local((const void *)window);
        }
    }
    if (held.nr_blocks < BLOCKS)
        test_skip(t, "no %u blocks of %u pages in high memory", BLOCKS, BLOCK_PAGES);
    else
        return true;
    give_back();
    return false;
}

/* A run anywhere in the blocks; one in four is as large as a window, one in eight aligned to that.
 */
static struct page *any_run(struct prng *prng, unsigned *count)
{
    struct page *block = held.block[prng_below(prng, BLOCKS)];
    uint32_t shape = prng_below(prng, 8);

    *count = shape < 2 ? KMAP_RANGE_PAGES : 1 + prng_below(prng, KMAP_RANGE_PAGES);
    if (shape == 0)
        return block + KMAP_RANGE_PAGES * prng_below(prng, BLOCK_PAGES / KMAP_RANGE_PAGES);
    return block + prng_below(prng, BLOCK_PAGES - *count + 1);
}

static unsigned nr_runs(struct test *t)
{
    return test_depth(t) == DEPTH_SPARSE ? RUNS_SPARSE : RUNS;
}

static bool is_visited(pfn_t pfn)
{
    return held.set.stride == 1 ||
           pfn % SPARSE_STRIDE == hash32(pfn / SPARSE_STRIDE) % SPARSE_STRIDE;
}

/* Blocks that are neighbours in the machine are one extent; true while there is another. */
static bool next_extent(uint32_t *block, pfn_t *start, pfn_t *end)
{
    if (*block == held.set.nr_blocks)
        return false;
    *start = *end = held.set.blocks[*block].pfn;
    for (; *block < held.set.nr_blocks && held.set.blocks[*block].pfn == *end; ++*block)
        *end += 1u << pfn_to_page(*end)->order;
    return true;
}

static void write_run(const void *window, pfn_t pfn, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (is_visited(pfn + i))
            *(volatile uint32_t *)at_page(window, i) = mark_of(pfn + i);
}

static void read_run(struct test *t, const void *window, pfn_t pfn, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (is_visited(pfn + i))
            check_page(t, window, i, pfn_to_page(pfn + i));
}

/* All of high memory, to be written by the largest windows, and read by any. */
static void visit_all(struct test *t, bool write)
{
    uint32_t block = 0;
    pfn_t pfn, end;

    while (next_extent(&block, &pfn, &end)) {
        for (unsigned count; pfn < end && !test_should_stop(t); pfn += count) {
            unsigned largest = KMAP_RANGE_PAGES - (write ? pfn % KMAP_RANGE_PAGES : 0);
            void *window;

            if (!write)
                largest = 1 + prng_below(test_prng(t), largest);
            count = MIN(largest, end - pfn);
            window = kmap_range(pfn_to_page(pfn), count);
            if (!TEST_CHECK(t, window != NULL, "no window to %u pages at 0x%09llx", count,
                            addr_number(pfn_to_phys(pfn))))
                return;
            if (write)
                write_run(window, pfn, count);
            else
                read_run(t, window, pfn, count);
            kunmap_range(window);
        }
    }
}

static void case_own_contents(struct test *t)
{
    struct kmap_range_counters before = kmap_range_counters;

    if (!highmem_set_take(t, &held.set))
        return;
    held.salt = highmem_salt();
    visit_all(t, true);
    TEST_CHECK(t, kmap_range_counters.large > before.large || held.set.nr_pages < BLOCK_PAGES,
               "no large page in %u windows", kmap_range_counters.maps - before.maps);
    visit_all(t, false);
    test_metric(t, "windows", kmap_range_counters.maps - before.maps, "count");
    test_metric(t, "flushes", kmap_range_counters.flushes - before.flushes, "count");
    give_back();
}

/* By the tables themselves: every page of a window, and none next to it. */
static void check_entries(struct test *t, const void *window, const struct page *first,
                          unsigned count)
{
    struct page_walk walk;

    for (unsigned i = 0; i < KMAP_RANGE_PAGES && !test_should_stop(t); i++) {
        phys_addr_t wanted = page_to_phys(first) + (uint64_t)i * PAGE_SIZE;

        pgtable_walk(cr3_read(), (virt_t)at_page(window, i), &walk);
        TEST_CHECK(
            t, walk.present == (i < count) && (i >= count || walk.phys == wanted),
            "page %u of a window to %u pages is physical 0x%llx (present: %u), 0x%llx wanted", i,
            count, addr_number(walk.phys), walk.present, addr_number(wanted));
    }
    pgtable_walk(cr3_read(), (virt_t)window, &walk);
    TEST_CHECK(t,
               (walk.size == LARGE_PAGE_SIZE) ==
                   (count == KMAP_RANGE_PAGES && IS_ALIGNED(page_to_pfn(first), KMAP_RANGE_PAGES)),
               "a run of %u pages at 0x%llx has pages of %u KiB", count,
               addr_number(page_to_phys(first)), (unsigned)(walk.size / 1024));
    TEST_CHECK(t, layout.nx == 0 || walk.no_execute, "a window is executable");
}

static void case_runs(struct test *t)
{
    if (!begin(t))
        return;
    for (unsigned n = nr_runs(t); n > 0 && !test_should_stop(t); n--) {
        unsigned count;
        struct page *first = any_run(test_prng(t), &count);
        char *window = kmap_range(first, count);

        if (!TEST_CHECK(t, window != NULL, "no window"))
            break;
        check_run(t, window, first, count);
        check_entries(t, window, first, count);
        check_faults(t, window - sizeof(uint32_t), "the word before a window");
        check_faults(t, at_page(window, count), "the word after a window");
        check_faults(t, at_page(window, count) - 2, "a word over the end of a window");
        check_faults(t, at_page(window, KMAP_RANGE_PAGES), "the guard after a window");
        kunmap_range(at_page(window, prng_below(test_prng(t), count)));
    }
    give_back();
}

static void case_scattered(struct test *t)
{
    static struct page *pages[KMAP_RANGE_PAGES];

    if (!begin(t))
        return;
    for (unsigned n = nr_runs(t) / 4; n > 0 && !test_should_stop(t); n--) {
        unsigned count = 1 + prng_below(test_prng(t), KMAP_RANGE_PAGES), one;
        char *window;

        for (unsigned i = 0; i < count; i++)
            pages[i] = any_run(test_prng(t), &one);
        window = kmap_pages(pages, count);
        if (!TEST_CHECK(t, window != NULL, "no window"))
            break;
        for (unsigned i = 0; i < count && !test_should_stop(t); i++)
            check_page(t, window, i, pages[i]);
        if (count < KMAP_RANGE_PAGES)
            check_faults(t, at_page(window, count), "the word after a window");
        kunmap_range(window);
    }
    give_back();
}

/*
 * Runs that begin below 4 GiB and end above. There is no RAM below, so only entries are looked at.
 * Loops that add to the lower half of an entry and not to the upper are as old as PAE.
 */
static void case_across_4g(struct test *t)
{
    if (max_pfn < FOUR_GIB_PFN + KMAP_RANGE_PAGES) {
        test_skip(t, "no memory above 4 GiB");
        return;
    }
    for (unsigned below = 1; below < KMAP_RANGE_PAGES && !test_should_stop(t); below += 30) {
        struct page *first = pfn_to_page(FOUR_GIB_PFN - below);
        unsigned count = KMAP_RANGE_PAGES - prng_below(test_prng(t), KMAP_RANGE_PAGES - below);
        void *window = kmap_range(first, count);

        if (!TEST_CHECK(t, window != NULL, "no window"))
            break;
        check_entries(t, window, first, count);
        kunmap_range(window);
    }
}

/* After it was given back: its own pages, or nothing. */
static void check_given_back(struct test *t, const void *window, const struct page *first,
                             unsigned count)
{
    const unsigned places[] = {0, count / 2, count - 1};

    for (unsigned i = 0; i < ARRAY_SIZE(places); i++) {
        uint32_t wanted = mark_of(page_to_pfn(first + places[i])), seen;

        if (probe_read32(at_page(window, places[i]), &seen, NULL))
            TEST_CHECK(t, seen == wanted, "%p, given back, shows 0x%08x, and its run had 0x%08x",
                       at_page(window, places[i]), seen, wanted);
    }
}

/* All windows but one are held, so that the one is used over and over. */
static void case_recycled(struct test *t)
{
    void *other[KMAP_RANGE_WINDOWS - 1], *before = NULL;
    struct page *other_first[KMAP_RANGE_WINDOWS - 1];
    unsigned other_count[KMAP_RANGE_WINDOWS - 1];
    uint32_t flushes;

    if (!begin(t))
        return;
    for (unsigned i = 0; i < ARRAY_SIZE(other); i++) {
        other_first[i] = any_run(test_prng(t), &other_count[i]);
        other[i] = kmap_range(other_first[i], other_count[i]);
    }
    flushes = kmap_range_counters.flushes;
    for (unsigned n = 0; n < ROUNDS_RECYCLED && !test_should_stop(t); n++) {
        unsigned count, i = prng_below(test_prng(t), ARRAY_SIZE(other));
        struct page *first = any_run(test_prng(t), &count);
        char *window = kmap_range(first, count);

        if (!TEST_CHECK(t, window && (!before || window == before), "window %p, and %p before",
                        window, before))
            break;
        before = window;
        check_run(t, window, first, count);
        if (count < KMAP_RANGE_PAGES)
            check_faults(t, at_page(window, count), "behind a shorter run");
        check_page(t, other[i], other_count[i] - 1, other_first[i] + other_count[i] - 1);
        kunmap_range(window);
        check_given_back(t, window, first, count);
    }
    flushes = kmap_range_counters.flushes - flushes;
    TEST_CHECK(t, flushes <= ROUNDS_RECYCLED, "%u flushes for %u windows", flushes,
               ROUNDS_RECYCLED);
    for (unsigned i = 0; i < ARRAY_SIZE(other); i++) {
        check_run(t, other[i], other_first[i], other_count[i]);
        kunmap_range(other[i]);
    }
    give_back();
}

/* With all windows free, one flush does for as many as there are. */
static void case_flushes(struct test *t)
{
    struct kmap_range_counters before = kmap_range_counters;
    uint32_t maps, flushes;

    if (!begin(t))
        return;
    for (unsigned n = nr_runs(t); n > 0 && !test_should_stop(t); n--) {
        unsigned count;
        struct page *first = any_run(test_prng(t), &count);
        void *window = kmap_range(first, count);

        check_run(t, window, first, count);
        kunmap_range(window);
        check_given_back(t, window, first, count);
    }
    maps = kmap_range_counters.maps - before.maps;
    flushes = kmap_range_counters.flushes - before.flushes;
    TEST_CHECK(t, flushes <= maps / KMAP_RANGE_WINDOWS + 1, "%u flushes for %u windows", flushes,
               maps);
    give_back();
}

static void case_exhaustion(struct test *t)
{
    void *window[KMAP_RANGE_WINDOWS], *area;
    uint32_t before = kmap_range_counters.exhausted;
    struct page *low = alloc_page(GFP_KERNEL);

    if (!begin(t))
        goto out;
    for (unsigned i = 0; i < KMAP_RANGE_WINDOWS; i++) {
        window[i] = kmap_range(held.block[0] + i, KMAP_RANGE_PAGES);
        if (!TEST_CHECK(t, window[i] != NULL, "only %u windows", i))
            goto give_back;
    }
    TEST_CHECK(t,
               !kmap_range(held.block[0], 1) && !kmap_range_try(held.block[0], 1) &&
                   !kmap_pages(held.block, 1),
               "a window more than there are");
    TEST_CHECK(t, kmap_range_counters.exhausted == before + 3, "%u of 3 failures counted",
               kmap_range_counters.exhausted - before);
    TEST_CHECK(t, kmap_range(low, 1) == lowmem_page_address(low), "a lowmem page takes a window");
    kunmap_range(lowmem_page_address(low));
    copy_highpages(held.block[2], held.block[1], 10); /* without a window to be had */
    clear_highpages(held.block[3], 10);
    for (unsigned i = 0; i < KMAP_RANGE_WINDOWS; i++) {
        check_run(t, window[i], held.block[0] + i, KMAP_RANGE_PAGES);
        kunmap_range(window[i]);
    }
    area = vmalloc(1);
    test_findings_begin(t);
    kunmap_range(window[0]);
    kunmap_range((void *)(kmap_range_addr(1) - 1));
    kunmap_range((void *)(PKMAP_BASE - 1));
    kunmap_range((void *)PKMAP_BASE);
    kunmap_range(area);
    test_findings_end(t, 5, "windows given back that are none");
    test_findings_begin(t);
    TEST_CHECK(t,
               !kmap_range(held.block[0], 0) && !kmap_range(held.block[0], KMAP_RANGE_PAGES + 1) &&
                   !kmap_range(pfn_to_page(max_pfn - 1), 2) && !kmap_pages(held.block, 0),
               "a window to no pages, too many, or to what is none");
    test_findings_end(t, 4, "windows that can't be");
    vfree(area);
give_back:
    give_back();
out:
    if (low)
        __free_page(low);
}

/* Random runs of two blocks copied and cleared; the model is a number for each page. */
static void case_copy_and_clear(struct test *t)
{
    static uint32_t model[2 * BLOCK_PAGES];

    if (!begin(t))
        return;
    for (unsigned i = 0; i < 2 * BLOCK_PAGES; i++)
        model[i] = mark_of(page_to_pfn(held.block[i / BLOCK_PAGES] + i % BLOCK_PAGES));
    for (unsigned n = nr_runs(t) / 8; n > 0; n--) {
        unsigned count = 1 + prng_below(test_prng(t), BLOCK_PAGES);
        unsigned from = prng_below(test_prng(t), BLOCK_PAGES - count + 1);
        unsigned to = prng_below(test_prng(t), BLOCK_PAGES - count + 1);

        if (prng_below(test_prng(t), 4) == 0) {
            count = 1 + count / 8;
            clear_highpages(held.block[1] + to, count);
            memset(model + BLOCK_PAGES + to, 0, count * sizeof(model[0]));
        } else {
            copy_highpages(held.block[1] + to, held.block[0] + from, count);
            memcpy(model + BLOCK_PAGES + to, model + from, count * sizeof(model[0]));
        }
    }
    for (unsigned i = 0; i < 2 * BLOCK_PAGES && !test_should_stop(t); i++) {
        struct page *page = held.block[i / BLOCK_PAGES] + i % BLOCK_PAGES;
        volatile uint32_t *window = kmap_local_page(page);

        TEST_CHECK(t, *window == model[i], "physical 0x%09llx holds 0x%08x, 0x%08x wanted",
                   addr_number(page_to_phys(page)), *window, model[i]);
        kunmap_local((const void *)window);
    }
    give_back();
}

static const struct test_case cases[] = {
    {"own_contents", case_own_contents}, {"runs", case_runs},
    {"scattered", case_scattered},       {"across_4g", case_across_4g},
    {"recycled", case_recycled},         {"flushes", case_flushes},
    {"exhaustion", case_exhaustion},     {"copy_and_clear", case_copy_and_clear},
};

SUITE(kmap_range) = {
    .name = "kmap_range",
    .about = "a window to many pages shows each at its place, and nothing next to them",
    .rank = SUITE_RANK_WINDOWS,
    .cases = cases,
    .nr_cases = ARRAY_SIZE(cases),
    .abandon = give_back,
};
