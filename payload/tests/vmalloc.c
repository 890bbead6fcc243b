/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vmalloc: an area shows its own pages, in order, and nothing else, from when it is made until its
 * addresses are somebody else's.
 *
 * Areas of all sizes are made, marked, and looked at again through the area and through short
 * windows to each of their pages. The region is filled to its end, by big areas and by thousands of
 * small ones, and holes in it are used again. Addresses go from one owner to the next while their
 * last translation is young, so that one that was not flushed would show the last owner's page.
 * Threads do all that at once, preempted anywhere.
 *
 * Why it can break: a TLB that keeps a translation over the one flush for all that was given back;
 * a search that hands out a page twice; an entry whose upper half is lost. A break shows as the
 * address, the physical address it should show, what was seen and what was wanted.
 */
#include "lib/prng.h"
#include "lib/string.h"
#include "lib/x86/cpu.h"
#include "paging/ioremap.h"
#include "paging/kmap_local.h"
#include "paging/pgtable.h"
#include "paging/vm_area.h"
#include "paging/vmalloc.h"
#include "payload/tests/highmem_set.h"
#include "payload/tests/workers.h"
#include "payload/traps.h"

#define AREAS 48u
#define AREA_PAGES_MAX 300u
#define PAGES 32u
#define RECYCLE_ROUNDS 64u
#define BIG_PAGES 1024u
#define WORKERS 6u
#define WORKER_ROUNDS 60u
#define WORKER_AREAS 6u
#define TICK_HZ 2000u
#define LIST_ORDER 5u
#define LIST_MAX ((PAGE_SIZE << LIST_ORDER) / sizeof(virt_t))

/* What a case holds, so that a fault loses nothing. */
static struct {
    void *area[AREAS];
    struct page *page[PAGES];
    virt_t *list; /* of windows by vmap() */
    unsigned nr_list;
    uint32_t salt;
} held;

static void give_back(void)
{
    for (unsigned i = 0; i < AREAS; i++)
        vfree(held.area[i]);
    for (unsigned i = 0; i < held.nr_list; i++)
        vunmap((void *)held.list[i]);
    free_pages(held.list, LIST_ORDER);
    for (unsigned i = 0; i < PAGES; i++)
        if (held.page[i])
            __free_page(held.page[i]);
    memset(&held, 0, sizeof(held));
}

static uint32_t mark_of(const struct page *page)
{
    return hash32(page_to_pfn(page) ^ held.salt) | 1;
}

static void mark(struct page *page)
{
    volatile uint32_t *window = kmap_local_page(page);

    *window = mark_of(page);
    kunmap_local((const void *)window);
}

/* Sees that high memory is where it seems to be, and takes some pages. */
static bool begin(struct test *t)
{
    static struct page_set set;

    if (nr_free_pages(ZONE_HIGHMEM)) {
        if (!highmem_set_take(t, &set))
            return false;
        page_set_give_back(&set);
    }
    held.salt = prng_u32(test_prng(t));
    for (unsigned i = 0; i < PAGES; i++) {
        held.page[i] = alloc_page(GFP_HIGHUSER);
        if (!held.page[i]) {
            test_error(t, "no memory for %u pages", PAGES);
            give_back();
            return false;
        }
        mark(held.page[i]);
    }
    return true;
}

static uint32_t nr_free(void)
{
    return nr_free_pages(ZONE_DMA) + nr_free_pages(ZONE_NORMAL) + nr_free_pages(ZONE_HIGHMEM);
}

/* Page tables are made when they are first needed, and stay: so that no count is off by them. */
static void make_tables(void)
{
    for (virt_t at = layout.vmalloc_start; at < layout.vmalloc_end; at += LARGE_PAGE_SIZE)
        pgtable_pte(at, true);
}

static virt_t page_at(const void *area, unsigned index)
{
    return (virt_t)area + index * PAGE_SIZE;
}

/* Each page of the area holds its mark, through the area and through a window of its own. */
static void check_area(struct test *t, const void *area, unsigned pages)
{
    for (unsigned i = 0; i < pages && !test_should_stop(t); i++) {
        struct page *page = vmalloc_to_page((void *)page_at(area, i));
        uint32_t seen = *(volatile uint32_t *)page_at(area, i), own;
        volatile uint32_t *window;

        if (!TEST_CHECK(t, page != NULL, "0x%08lx shows no page", (unsigned long)page_at(area, i)))
            continue;
        window = kmap_local_page(page);
        own = *window;
        kunmap_local((const void *)window);
        TEST_CHECK(t, seen == mark_of(page) && own == seen,
                   "0x%08lx to physical 0x%09llx: 0x%08x, the page holds 0x%08x, 0x%08x wanted",
                   (unsigned long)page_at(area, i), addr_number(page_to_phys(page)), seen, own,
                   mark_of(page));
    }
}

static void fill_area(void *area, unsigned pages)
{
    for (unsigned i = 0; i < pages; i++) {
        struct page *page = vmalloc_to_page((void *)page_at(area, i));

        if (page)
            *(volatile uint32_t *)page_at(area, i) = mark_of(page);
    }
}

static void case_own_pages(struct test *t)
{
    unsigned pages[AREAS], nr_areas = test_depth(t) == DEPTH_SPARSE ? AREAS / 4 : AREAS;
    uint32_t before, high = 0, all = 0;

    make_tables();
    before = nr_free();
    if (!begin(t))
        return;
    for (unsigned i = 0; i < nr_areas; i++) {
        pages[i] = 1 + prng_below(test_prng(t), AREA_PAGES_MAX);
        held.area[i] = vmalloc(pages[i] * PAGE_SIZE - prng_below(test_prng(t), PAGE_SIZE));
        if (!TEST_CHECK(t, held.area[i] != NULL, "no area of %u pages", pages[i]))
            pages[i] = 0;
        fill_area(held.area[i], pages[i]);
    }
    for (unsigned i = 0; i < nr_areas; i++) {
        check_area(t, held.area[i], pages[i]);
        for (unsigned n = 0; n < pages[i]; n++)
            high += PageHighMem(vmalloc_to_page((void *)page_at(held.area[i], n)));
        all += pages[i];
    }
    TEST_CHECK(t, high == all || nr_free_pages(ZONE_HIGHMEM) == 0,
               "%u pages of lowmem with %u of high memory free", all - high,
               nr_free_pages(ZONE_HIGHMEM));
    test_metric(t, "pages", all, "pages");
    give_back();
    TEST_CHECK(t, nr_free() == before, "%u pages free afterwards, %u before", nr_free(), before);
}

static void case_zeroed(struct test *t)
{
    const size_t size = 16 * PAGE_SIZE;
    uint32_t *area = vmalloc(size), wrong = 0;

    if (area)
        memset(area, 0xa5, size);
    vfree(area);
    area = vzalloc(size);
    for (size_t i = 0; area && i < size / sizeof(*area); i++)
        wrong += area[i] != 0;
    TEST_CHECK(t, area && !wrong, "%u words of vzalloc() are not zero", wrong);
    vfree(area);
}

static void check_edges(struct test *t, const char *kind, const void *area, unsigned pages)
{
    virt_t start = (virt_t)area, end = page_at(area, pages);

    TEST_CHECK(t, !probe_read32((void *)(start - sizeof(uint32_t)), NULL, NULL),
               "the word before %s area 0x%08lx can be read", kind, (unsigned long)start);
    TEST_CHECK(t, !probe_read32((void *)end, NULL, NULL),
               "the word after %s area 0x%08lx can be read", kind, (unsigned long)start);
    TEST_CHECK(t, !probe_read32((void *)(end - 2), NULL, NULL),
               "a word over the end of %s area 0x%08lx can be read", kind, (unsigned long)start);
}

/* Side by side, as they come when the region is fresh: the neighbour is as near as can be. */
static void case_guards(struct test *t)
{
    if (!begin(t))
        return;
    for (unsigned pages = 1; pages <= PAGES && !test_should_stop(t); pages += 5) {
        void *alloc = vmalloc(pages * PAGE_SIZE), *window = vmap(held.page, pages, PAGE_KERNEL);
        void *remap = ioremap_cache(page_to_phys(held.page[0]), 1), *last = vmalloc(1);

        if (TEST_CHECK(t, alloc && window && remap && last, "no room for four areas")) {
            check_edges(t, "vmalloc", alloc, pages);
            check_edges(t, "vmap", window, pages);
            check_edges(t, "ioremap", (void *)ALIGN_DOWN((virt_t)remap, PAGE_SIZE), 1);
            check_edges(t, "vmalloc", last, 1);
        }
        vfree(last);
        iounmap_cache(remap);
        vunmap(window);
        vfree(alloc);
    }
    give_back();
}

/*
 * Takes all that is left of the region in front of the hand, and gives it back, until the next area
 * makes the hand start over. False if it never does.
 */
static bool use_up_region(void)
{
    uint32_t flushes = vm_counters.flushes,
             left = (layout.vmalloc_end - layout.vmalloc_start) / PAGE_SIZE;

    for (unsigned pages = BIG_PAGES; pages > 0; pages /= 2) {
        for (virt_t start; left > pages && (start = vm_area_take(pages, VM_MAP)) != 0;) {
            vm_area_claim(start, VM_MAP);
            vm_area_release(start, pages);
            left -= pages;
            if (vm_counters.flushes != flushes)
                return true;
        }
    }
    return false;
}

/* What an address that was given back shows must be its last owner's page, if it shows anything. */
static void check_given_back(struct test *t, const void *window, struct page *const *pages,
                             unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        uint32_t seen;

        if (probe_read32((void *)page_at(window, i), &seen, NULL))
            TEST_CHECK(t, seen == mark_of(pages[i]),
                       "0x%08lx, given back, shows 0x%08x and not its last owner's 0x%08x",
                       (unsigned long)page_at(window, i), seen, mark_of(pages[i]));
    }
}

/* After the flush there is nothing. */
static void check_unmapped(struct test *t, const void *window, unsigned count)
{
    for (unsigned i = 0; window && i < count; i++)
        TEST_CHECK(t, !probe_read32((void *)page_at(window, i), NULL, NULL),
                   "0x%08lx, given back and flushed, can be read",
                   (unsigned long)page_at(window, i));
}

static bool check_window(struct test *t, const void *window, struct page *const *pages,
                         unsigned count)
{
    bool right = true;

    for (unsigned i = 0; i < count && !test_should_stop(t); i++) {
        uint32_t seen = *(volatile uint32_t *)page_at(window, i);

        right &= TEST_CHECK(t, seen == mark_of(pages[i]),
                            "0x%08lx to physical 0x%09llx: 0x%08x, 0x%08x wanted",
                            (unsigned long)page_at(window, i), addr_number(page_to_phys(pages[i])),
                            seen, mark_of(pages[i]));
    }
    return right;
}

static void shuffle_pages(struct test *t)
{
    for (unsigned i = PAGES - 1; i > 0; i--) {
        unsigned other = prng_below(test_prng(t), i + 1);
        struct page *page = held.page[i];

        held.page[i] = held.page[other];
        held.page[other] = page;
    }
}

/*
 * The region is handed round as fast as can be. A mapping used after its slot was recycled is a bug
 * of its user; that the next owner sees the last one's page would be ours (Linux frees lazily since
 * 2.6.28, with the same promise).
 */
static void case_recycled(struct test *t)
{
    unsigned rounds = test_depth(t) == DEPTH_SPARSE ? RECYCLE_ROUNDS / 4 : RECYCLE_ROUNDS,
             again = 0;
    uint32_t flushes;
    virt_t before = 0;

    if (!begin(t))
        return;
    use_up_region();
    flushes = vm_counters.flushes;
    for (unsigned round = 0; round < rounds && !test_should_stop(t); round++) {
        struct page *old[PAGES];
        void *window = vmap(held.page, PAGES, PAGE_KERNEL), *second;

        if (!TEST_CHECK(t, window != NULL, "no room for a window of %u pages", PAGES))
            break;
        again += (virt_t)window == before;
        before = (virt_t)window;
        check_window(t, window, held.page, PAGES);
        vunmap(window);
        memcpy(old, held.page, sizeof(old));
        check_given_back(t, window, old, PAGES);
        shuffle_pages(t);
        second = vmap(held.page, PAGES, PAGE_KERNEL); /* no flush in between: other addresses */
        if (second)
            check_window(t, second, held.page, PAGES);
        check_given_back(t, window, old, PAGES);
        vunmap(second);
        if (!TEST_CHECK(t, use_up_region(), "the region never comes to its end"))
            break;
        check_unmapped(t, window, PAGES);
        check_unmapped(t, second, PAGES);
    }
    flushes = vm_counters.flushes - flushes;
    TEST_CHECK(t, again > 0 || test_should_stop(t), "no address was handed out a second time");
    TEST_CHECK(t, flushes <= 2 * rounds, "%u flushes in %u rounds", flushes, rounds);
    test_metric(t, "flushes", flushes, "count");
    give_back();
}

static bool begin_list(struct test *t)
{
    make_tables();
    if (!begin(t))
        return false;
    held.list = __get_free_pages(GFP_KERNEL, LIST_ORDER);
    if (!held.list) {
        test_error(t, "no lowmem for a list of areas");
        give_back();
        return false;
    }
    return true;
}

/* One page as often as it takes: no memory is needed to fill the region. */
static void *map_page_often(struct page *page, unsigned count)
{
    static struct page *same[BIG_PAGES];

    for (unsigned i = 0; i < count; i++)
        same[i] = page;
    return vmap(same, count, PAGE_KERNEL);
}

static unsigned fill_region(unsigned pages_each)
{
    unsigned count = 0;

    while (held.nr_list < LIST_MAX) {
        void *window = map_page_often(held.page[held.nr_list % PAGES], pages_each);

        if (!window)
            break;
        held.list[held.nr_list++] = (virt_t)window;
        count++;
    }
    return count;
}

static void check_list(struct test *t)
{
    for (unsigned i = 0; i < held.nr_list && !test_should_stop(t); i++)
        check_window(t, (void *)held.list[i], &held.page[i % PAGES], 1);
}

static void case_exhaustion(struct test *t)
{
    size_t region = layout.vmalloc_end - layout.vmalloc_start;
    uint32_t before, areas = vm_counters.areas;
    unsigned count;
    void *area;

    if (!begin_list(t))
        return;
    before = nr_free();
    TEST_CHECK(t, !vmalloc(0) && !vmalloc(region) && !vmalloc(SIZE_MAX) && !vmalloc(~PAGE_MASK),
               "an area without pages, or over the region");
    TEST_CHECK(t, !vmap(held.page, 0, PAGE_KERNEL), "a window to no pages");
    count = fill_region(BIG_PAGES);
    check_list(t);
    TEST_CHECK(t, count >= MIB(32) / (BIG_PAGES * PAGE_SIZE), "only %u areas of %u pages", count,
               BIG_PAGES);
    /* One goes, and exactly one can come. */
    for (unsigned round = 0; round < 4 && count; round++) {
        unsigned victim = prng_below(test_prng(t), count);

        vunmap((void *)held.list[victim]);
        area = map_page_often(held.page[victim % PAGES], BIG_PAGES);
        if (!TEST_CHECK(t, area != NULL, "an area was given back, and none can be had")) {
            held.list[victim] = 0;
            break;
        }
        held.list[victim] = (virt_t)area;
        TEST_CHECK(t, !vmalloc(BIG_PAGES * PAGE_SIZE), "an area more than there is room for");
        check_list(t);
    }
    TEST_CHECK(t, nr_free() == before, "failures kept %d pages", (int)(before - nr_free()));
    while (held.nr_list)
        vunmap((void *)held.list[--held.nr_list]);
    TEST_CHECK(t, vm_counters.areas == areas, "%u areas afterwards, %u before", vm_counters.areas,
               areas);
    /* More than there is memory: what was had until then is given back. */
    if (nr_free() < region / PAGE_SIZE / 2)
        TEST_CHECK(t, !vmalloc(region / 2) && nr_free() == before,
                   "an area of more than all memory, or %u pages free of %u", nr_free(), before);
    area = vmalloc(MIB(1));
    TEST_CHECK(t, area != NULL, "no area of 1 MiB in an empty region");
    vfree(area);
    give_back();
}

/* The region full of the smallest areas; then holes in it, which must do for as many again. */
static void case_fragmented(struct test *t)
{
    unsigned holes = 0, filled;
    void *area;

    if (!begin_list(t))
        return;
    filled = fill_region(1);
    for (unsigned i = 0; i < held.nr_list; i++) {
        if (prng_below(test_prng(t), 3) == 0) {
            vunmap((void *)held.list[i]);
            held.list[i] = 0;
            holes++;
        }
    }
    area = vmalloc(BIG_PAGES * PAGE_SIZE);
    TEST_CHECK(t, area == NULL || filled == LIST_MAX, "an area of %u pages between small ones",
               BIG_PAGES);
    vfree(area);
    for (unsigned i = 0; i < held.nr_list && holes; i++) {
        if (held.list[i])
            continue;
        held.list[i] = (virt_t)map_page_often(held.page[i % PAGES], 1);
        if (!TEST_CHECK(t, held.list[i] != 0, "%u holes left, and no room for a page", holes))
            break;
        holes--;
    }
    for (unsigned i = 0; i < held.nr_list && !test_should_stop(t); i++)
        if (held.list[i])
            check_window(t, (void *)held.list[i], &held.page[i % PAGES], 1);
    test_metric(t, "areas", filled, "count");
    give_back();
}

static void case_misuse(struct test *t)
{
    char *area = vmalloc(3 * PAGE_SIZE), *remap = ioremap_cache(0, PAGE_SIZE);
    struct page *low = alloc_page(GFP_KERNEL);
    void *window = low ? vmap(&low, 1, PAGE_KERNEL) : NULL;

    if (!area || !remap || !window) {
        test_error(t, "no memory");
        return;
    }
    test_findings_begin(t);
    vfree(area + PAGE_SIZE);
    vfree(area + 1);
    vfree(remap);
    vfree(window);
    vunmap(area);
    vunmap(remap);
    iounmap_cache(area);
    vfree(lowmem_page_address(low));
    test_findings_end(t, 8, "areas ended by others than their owners");
    TEST_CHECK(t, !vmalloc_to_page(lowmem_page_address(low)) && vmalloc_to_page(window) == low,
               "vmalloc_to_page() of a direct-map address, or of a window");
    vfree(area);
    vunmap(window);
    iounmap_cache(remap);
    test_findings_begin(t);
    vfree(area);
    vunmap(window);
    iounmap_cache(remap);
    test_findings_end(t, 3, "areas ended twice");
    __free_page(low);
}

/* Areas of its own, looked at again after others have run. */
static void thread_use_areas(void *arg)
{
    struct worker *w = arg;
    uint32_t rounds = test_depth(w->t) == DEPTH_SPARSE ? WORKER_ROUNDS / 3 : WORKER_ROUNDS;
    uint32_t *area[WORKER_AREAS] = {NULL}, value[WORKER_AREAS] = {0};
    unsigned words[WORKER_AREAS] = {0};

    for (; w->rounds < rounds * WORKER_AREAS; w->rounds++) {
        unsigned i = prng_below(&w->prng, WORKER_AREAS);

        if (area[i]) {
            w->wrong += area[i][0] != value[i] || area[i][words[i] - 1] != ~value[i];
            vfree(area[i]);
        }
        words[i] = 2 + prng_below(&w->prng, 40 * PAGE_SIZE / sizeof(uint32_t));
        area[i] = vzalloc(words[i] * sizeof(uint32_t));
        if (!area[i]) {
            w->wrong++;
            continue;
        }
        w->wrong += area[i][words[i] / 2] != 0;
        value[i] = prng_u32(&w->prng);
        area[i][0] = value[i];
        area[i][words[i] - 1] = ~value[i];
    }
    for (unsigned i = 0; i < WORKER_AREAS; i++) {
        w->wrong += area[i] && (area[i][0] != value[i] || area[i][words[i] - 1] != ~value[i]);
        vfree(area[i]);
    }
}

static void case_threads(struct test *t)
{
    uint32_t areas = vm_counters.areas, pages;

    make_tables();
    pages = nr_free();
    if (!begin(t))
        return;
    give_back();
    if (threads_start(TICK_HZ)) {
        test_error(t, "the timer's interrupt line has no room");
        return;
    }
    if (workers_start(t, WORKERS, thread_use_areas))
        workers_join(t, "no area, or another's contents,");
    test_metric(t, "preemptions", thread_preemptions(), "count");
    threads_stop();
    TEST_CHECK(t, vm_counters.areas == areas && nr_free() == pages,
               "%u areas and %u free pages afterwards, %u and %u before", vm_counters.areas,
               nr_free(), areas, pages);
}

static const struct test_case cases[] = {
    {"own_pages", case_own_pages}, {"zeroed", case_zeroed},         {"guards", case_guards},
    {"recycled", case_recycled},   {"exhaustion", case_exhaustion}, {"fragmented", case_fragmented},
    {"misuse", case_misuse},       {"threads", case_threads},
};

SUITE(vmalloc) = {
    .name = "vmalloc",
    .about = "an area shows its own pages and nothing else",
    .rank = SUITE_RANK_WINDOWS,
    .cases = cases,
    .nr_cases = ARRAY_SIZE(cases),
    .abandon = give_back,
};
