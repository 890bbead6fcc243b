/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Large windows on a processor that keeps whatever it may: translations of 4 KiB and 2 MiB, and
 * directory entries by themselves, each until it is told to flush. It looks at a translation before
 * it looks at the tables, and at a directory entry that it has kept before the one in memory.
 */
#include "ci/unit/unit.h"
#include "lib/finding.h"
#include "lib/inject.h"
#include "paging/pgtable.h"
#include "paging/preempt.h"
#include "paging/tlb.h"
#include "paging/wait.h"

#include "paging/kmap_range.c"

#define LOW_PFN 1000u
#define NR_PFN (FOUR_GIB_PAGES + 4096u)
#define PAGES KMAP_RANGE_PAGES
#define NO_PAGE UINT32_MAX
#define REGION_PAGES (KMAP_RANGE_WINDOWS * KMAP_RANGE_STRIDE / PAGE_SIZE)

static struct {
    pte_t directory[REGION_PAGES / PAGES];
    pte_t *tables; /* page-aligned */
    pte_t kept_directory[REGION_PAGES / PAGES];
    uint32_t tlb[REGION_PAGES]; /* frame number + 1 */
    unsigned findings, flushes;
    struct model {
        void *addr;
        pfn_t pfn[PAGES];
        unsigned count;
    } open[KMAP_RANGE_WINDOWS];
    unsigned nr_open;
    unsigned slept;
    void (*while_asleep)(void);
} m;

struct page *mem_map;
pfn_t max_pfn = NR_PFN;
pfn_t max_low_pfn = LOW_PFN;
struct page *highmem_map;
pte_t *kmap_range_ptes;
pte_t *kmap_range_directory = m.directory;

void finding(const char *fmt, ...)
{
    m.findings++;
}

void tlb_flush_all(void)
{
    memset(m.tlb, 0, sizeof(m.tlb));
    memset(m.kept_directory, 0, sizeof(m.kept_directory));
    m.flushes++;
}

static unsigned page_of(virt_t addr)
{
    return (unsigned)((addr - KMAP_RANGE_BASE) / PAGE_SIZE);
}

/* The frame that a read sees; NO_PAGE for a fault. */
static uint32_t read_at(virt_t addr)
{
    unsigned page = page_of(addr), slot = page / PAGES;
    const pte_t *table;

    if (addr < KMAP_RANGE_BASE || page >= REGION_PAGES)
        return NO_PAGE;
    if (m.tlb[page])
        return m.tlb[page] - 1;
    if (!(m.kept_directory[slot] & PTE_PRESENT))
        m.kept_directory[slot] = m.directory[slot];
    if (!(m.kept_directory[slot] & PTE_PRESENT))
        return NO_PAGE;
    if (m.kept_directory[slot] & PTE_LARGE) {
        assert_true(pte_phys(m.kept_directory[slot]) % LARGE_PAGE_SIZE == 0);
        m.tlb[page] = phys_to_pfn(pte_phys(m.kept_directory[slot])) + page % PAGES + 1;
    } else {
        table = phys_to_virt(pte_phys(m.kept_directory[slot]));
        if (!(table[page % PAGES] & PTE_PRESENT))
            return NO_PAGE;
        assert_true(table[page % PAGES] & PTE_NX);
        m.tlb[page] = phys_to_pfn(pte_phys(table[page % PAGES])) + 1;
    }
    return m.tlb[page] - 1;
}

static void start(void)
{
    pte_t *tables = m.tables;

    memset(&m, 0, sizeof(m));
    memset(tables, 0, KMAP_RANGE_WINDOWS * PAGE_SIZE);
    m.tables = tables;
    /* The tables' physical address is their place on the heap, shortened to what an entry can hold.
     */
    layout.direct_offset = (virt_t)tables - MIB(1);
    layout.high_memory = KMAP_RANGE_BASE - MIB(64);
    layout.nx = PTE_NX;
    layout.phys_bits = 36;
    memset(&pool, 0, sizeof(pool));
    memset(&kmap_range_counters, 0, sizeof(kmap_range_counters));
    list_init(&waiters.sleepers);
    wait_set_ops(NULL);
    max_pfn = NR_PFN;
}

static int setup(void **state)
{
    injected = NULL;
    start();
    return 0;
}

/* Descriptors for all of it: most are never touched. */
static int get_memory(void **state)
{
    mem_map = calloc(NR_PFN, sizeof(*mem_map));
    highmem_map = mem_map + LOW_PFN;
    m.tables = aligned_alloc(PAGE_SIZE, KMAP_RANGE_WINDOWS * PAGE_SIZE);
    kmap_range_ptes = m.tables;
    return !mem_map || !m.tables;
}

static int free_memory(void **state)
{
    free(mem_map);
    free(m.tables);
    return 0;
}

static bool window_is_right(const struct model *w)
{
    for (unsigned i = 0; i < w->count; i++)
        if (read_at((virt_t)w->addr + i * PAGE_SIZE) != w->pfn[i])
            return false;
    return read_at((virt_t)w->addr + w->count * PAGE_SIZE) == NO_PAGE &&
           read_at((virt_t)w->addr + LARGE_PAGE_SIZE) == NO_PAGE &&
           read_at((virt_t)w->addr - PAGE_SIZE) == NO_PAGE;
}

static void choose_pages(struct model *w, struct prng *prng)
{
    pfn_t first = one_in(prng, 2)
                      ? between(prng, FOUR_GIB_PAGES - 2 * PAGES, FOUR_GIB_PAGES + PAGES)
                      : between(prng, LOW_PFN, 20000);

    w->count = one_in(prng, 3) ? PAGES : between(prng, 1, PAGES);
    if (one_in(prng, 4))
        first = ALIGN_UP(first, PAGES);
    for (unsigned i = 0; i < w->count; i++)
        w->pfn[i] = first + i;
}

/* Two runs in one window: the model keeps the second like a hole, and it is looked at at once. */
static bool open_pair(struct model *w, struct prng *prng)
{
    pfn_t second = between(prng, LOW_PFN, NR_PFN - PAGES);
    char *behind;

    w->count = MIN(w->count, KMAP_PAIR_PAGES);
    w->addr = kmap_pair_try(mem_map + w->pfn[0], mem_map + second, w->count);
    behind = (char *)w->addr + kmap_pair_offset(w->count);
    if (w->count % 2 == 0 && read_at((virt_t)behind - PAGE_SIZE) != NO_PAGE)
        return false;
    for (unsigned i = 0; i < w->count; i++)
        if (read_at((virt_t)behind + i * PAGE_SIZE) != second + i)
            return false;
    if (read_at((virt_t)behind + w->count * PAGE_SIZE) != NO_PAGE)
        return false;
    if (w->count % 2) { /* no hole: one run in the eyes of the model */
        for (unsigned i = 0; i < w->count; i++)
            w->pfn[w->count + i] = second + i;
        w->count *= 2;
    }
    return true;
}

static bool open_window(struct prng *prng)
{
    struct model *w = &m.open[m.nr_open];

    choose_pages(w, prng);
    if (one_in(prng, 5)) {
        if (!open_pair(w, prng))
            return false;
    } else if (one_in(prng, 4)) {
        struct page *pages[PAGES];

        for (unsigned i = 0; i < w->count; i++) {
            w->pfn[i] = between(prng, 1, NR_PFN - 1);
            pages[i] = mem_map + w->pfn[i];
        }
        w->addr = kmap_pages(pages, w->count);
    } else {
        w->addr = kmap_range(mem_map + w->pfn[0], w->count);
    }
    if (!w->addr)
        return false;
    for (unsigned i = 0; i < m.nr_open; i++)
        if (m.open[i].addr == w->addr)
            return false;
    m.nr_open++;
    return window_is_right(w);
}

static void close_window(struct prng *prng)
{
    struct model *w = &m.open[prng_below(prng, m.nr_open)];

    kunmap_range((char *)w->addr + prng_below(prng, w->count * PAGE_SIZE));
    *w = m.open[--m.nr_open];
}

/* The stress that must pass on sound code, and fail on broken code. */
static bool stress(uint64_t seed)
{
    struct prng prng;
    unsigned fresh, used;

    prng_seed(&prng, seed);
    for (unsigned i = 0; i < 4000; i++) {
        if (m.nr_open == KMAP_RANGE_WINDOWS || (m.nr_open && one_in(&prng, 2)))
            close_window(&prng);
        else if (!open_window(&prng))
            return false;
        if (m.nr_open && !window_is_right(&m.open[prng_below(&prng, m.nr_open)]))
            return false;
        kmap_range_usage(&fresh, &used);
        if (used != m.nr_open || fresh + used > KMAP_RANGE_WINDOWS)
            return false;
    }
    return m.findings == 0 && kmap_range_reset() == m.nr_open;
}

static void random_use(void **state)
{
    for (uint64_t seed = 1; seed <= 4; seed++) {
        start();
        assert_true(stress(seed));
        assert_true(kmap_range_counters.large > 50);
        assert_true(kmap_range_counters.maps > 1500);
        assert_int_equal(m.flushes, kmap_range_counters.flushes + 1); /* and that of the reset */
    }
}

/* One flush for as many windows as there are. */
static void flushes(void **state)
{
    for (unsigned i = 0; i < 10 * KMAP_RANGE_WINDOWS; i++) {
        void *window = kmap_range(mem_map + 5 * PAGES, i % 2 ? PAGES : 3);

        assert_ptr_equal(window, (void *)kmap_range_addr(i % KMAP_RANGE_WINDOWS));
        assert_int_equal(read_at((virt_t)window), 5 * PAGES);
        kunmap_range(window);
        assert_int_equal(m.flushes, i / KMAP_RANGE_WINDOWS);
    }
}

static void mutations_are_caught(void **state)
{
    static const char *const names[] = {"kmap_range_skip_flush", "kmap_range_keep_tail",
                                        "kmap_range_lose_carry", "kmap_range_misaligned"};

    for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
        injected = names[i];
        start();
        if (stress(1))
            fail_msg("%s is not caught", names[i]);
    }
}

static void lowmem_takes_no_window(void **state)
{
    assert_ptr_equal(kmap_range(mem_map + 3, 40), lowmem_page_address(mem_map + 3));
    assert_int_equal(kmap_range_counters.maps, 0);
    /* One page of high memory in it is enough. */
    assert_ptr_equal(kmap_range(mem_map + LOW_PFN - 5, 6), (void *)kmap_range_addr(0));
    assert_int_equal(read_at(kmap_range_addr(0)), LOW_PFN - 5);
    assert_int_equal(read_at(kmap_range_addr(0) + 5 * PAGE_SIZE), LOW_PFN);
    kunmap_range((void *)kmap_range_addr(0));
    kunmap_range((void *)(layout.high_memory - 1)); /* the direct map */
    assert_int_equal(m.findings, 0);
}

static void bad_use(void **state)
{
    struct page *page = mem_map + 2 * PAGES;
    void *window = kmap_range(page, 5);

    assert_null(kmap_range(page, 0));
    assert_null(kmap_range(page, PAGES + 1));
    assert_null(kmap_range(page, UINT32_MAX));
    assert_null(kmap_range(mem_map + NR_PFN - 5, 6));
    assert_null(kmap_range(mem_map + NR_PFN, 1));
    assert_null(kmap_pair_try(page, page, 0));
    assert_null(kmap_pair_try(page, page, KMAP_PAIR_PAGES + 1));
    assert_null(kmap_pair_try(page, mem_map + NR_PFN, 1));
    assert_null(kmap_pages(&page, 0));
    assert_null(kmap_pages(&page, PAGES + 1));
    page[9].free = 1;
    assert_null(kmap_range(page + 9, 1));
    page[9].free = 0;
    assert_int_equal(m.findings, 11);
    kunmap_range((char *)window + LARGE_PAGE_SIZE); /* its guard */
    kunmap_range((void *)kmap_range_addr(1));
    kunmap_range((void *)(KMAP_RANGE_BASE - 1));
    kunmap_range((void *)kmap_range_addr(KMAP_RANGE_WINDOWS));
    assert_int_equal(m.findings, 15);
    kunmap_range((char *)window + LARGE_PAGE_SIZE - 1);
    assert_int_equal(m.findings, 15);
    kunmap_range(window);
    assert_int_equal(m.findings, 16);
}

/* Sleeping: what others do meanwhile is done by a function of the test. */

static bool sleep_in(struct wait_queue *queue)
{
    struct list_head self;
    bool woken;

    m.slept++;
    list_add_tail(&self, &queue->sleepers);
    if (m.while_asleep)
        m.while_asleep();
    woken = list_empty(&self); /* taken out of the queue */
    list_del(&self);
    return woken;
}

static void wake_first(struct wait_queue *queue)
{
    list_del(queue->sleepers.next);
}

static const struct wait_ops ops = {.sleep = sleep_in, .wake = wake_first};

static void give_one_back(void)
{
    kunmap_range((void *)kmap_range_addr(2));
    /* It is kept for the sleeper. */
    assert_null(kmap_range_try(mem_map + 3 * PAGES, 1));
    m.while_asleep = NULL;
    assert_null(kmap_range(mem_map + 3 * PAGES, 1));
}

static void sleepers(void **state)
{
    struct page *page = mem_map + 3 * PAGES;

    wait_set_ops(&ops);
    for (unsigned i = 0; i < KMAP_RANGE_WINDOWS; i++)
        assert_non_null(kmap_range_try(page + i, 7));
    assert_null(kmap_range_try(page, 1));
    assert_int_equal(m.slept, 0);
    assert_null(kmap_range(page, 1)); /* nobody could wake it */
    assert_int_equal(m.slept, 1);
    m.while_asleep = give_one_back;
    assert_ptr_equal(kmap_range(page + 50, 2), (void *)kmap_range_addr(2));
    assert_int_equal(read_at(kmap_range_addr(2)), 3 * PAGES + 50);
    assert_int_equal(m.slept, 3);
    assert_int_equal(pool.kept, 0);
    assert_int_equal(pool.waiting, 0);
    for (unsigned i = 0; i < KMAP_RANGE_WINDOWS; i++)
        kunmap_range((void *)kmap_range_addr(i));
    assert_non_null(kmap_range_try(page, 1));
    assert_int_equal(m.findings, 0);
}

static void place_of_windows(void **state)
{
    assert_true(KMAP_RANGE_BASE % LARGE_PAGE_SIZE == 0);
    assert_true(kmap_range_addr(KMAP_RANGE_WINDOWS - 1) + 2 * LARGE_PAGE_SIZE <= PKMAP_BASE);
}

int main(void)
{
#define FRESH(test) cmocka_unit_test_setup(test, setup)
    const struct CMUnitTest tests[] = {
        FRESH(random_use),
        FRESH(flushes),
        FRESH(mutations_are_caught),
        FRESH(lowmem_takes_no_window),
        FRESH(bad_use),
        FRESH(sleepers),
        FRESH(place_of_windows),
    };

    return cmocka_run_group_tests_name("kmap_range", tests, get_memory, free_memory);
}
