/* SPDX-License-Identifier: BSD-2-Clause */
#include "paging/kmap_range.h"
#include "lib/finding.h"
#include "lib/inject.h"
#include "paging/pgtable.h"
#include "paging/preempt.h"
#include "paging/tlb.h"
#include "paging/wait.h"

#define NO_WINDOW KMAP_RANGE_WINDOWS
#define DIRECTORY_STRIDE (KMAP_RANGE_STRIDE / LARGE_PAGE_SIZE)
#define FOUR_GIB_PAGES BIT(32 - PAGE_SHIFT)

/* Fresh: its directory entry is not present, and no translation of it is cached anywhere. */
enum window_state { WINDOW_FRESH, WINDOW_STALE, WINDOW_USED };

struct kmap_range_counters kmap_range_counters;

/* Guarded by preemption being off; the table of a window in use is its owner's. */
static struct {
    enum window_state state[KMAP_RANGE_WINDOWS];
    unsigned filled[KMAP_RANGE_WINDOWS]; /* entries of its table that may be present */
    unsigned hand;                       /* the window to look at next */
    unsigned used;
    unsigned waiting; /* threads asleep */
    unsigned kept;    /* windows for threads that were woken, and have not run yet */
} pool;

static struct wait_queue waiters = WAIT_QUEUE_INIT(waiters);

static pte_t *directory_entry_of(unsigned window)
{
    return &kmap_range_directory[window * DIRECTORY_STRIDE];
}

static pte_t *table_of_window(unsigned window)
{
    return &kmap_range_ptes[window * PTRS_PER_TABLE];
}

/* All windows that nobody uses are fresh from here on. */
static void start_over(void)
{
    bool any = false;

    pool.hand = 0;
    for (unsigned i = 0; i < KMAP_RANGE_WINDOWS; i++) {
        if (pool.state[i] != WINDOW_STALE)
            continue;
        pool.state[i] = WINDOW_FRESH;
        any = true;
    }
    if (!any)
        return;
    kmap_range_counters.flushes++;
    if (!inject(kmap_range_skip_flush, kmap_range))
        tlb_flush_all();
}

/* A fresh window, of which there is one after going round at the latest. */
static unsigned next_window(void)
{
    for (unsigned tries = 0; tries < 2 * KMAP_RANGE_WINDOWS; tries++) {
        if (pool.hand == KMAP_RANGE_WINDOWS)
            start_over();
        unsigned window = pool.hand++;
        if (pool.state[window] == WINDOW_FRESH)
            return window;
    }
    return NO_WINDOW;
}

/* Windows that are not in use are kept for who was woken; who sleeps comes before who does not. */
static bool none_to_spare(void)
{
    return pool.waiting || KMAP_RANGE_WINDOWS - pool.used <= pool.kept;
}

/* Sleeps until a window is kept for the caller. */
static bool wait_for_window(void)
{
    pool.waiting++;
    kmap_range_counters.slept++;
    if (wait_sleep(&waiters)) {
        pool.kept--; /* by whom it was woken, pool.waiting is right already */
        return true;
    }
    pool.waiting--;
    return false;
}

static inline unsigned take_window(bool may_sleep)
{
    unsigned window = NO_WINDOW;

    preempt_disable();
    if (!none_to_spare() || (may_sleep && wait_for_window()))
        window = next_window();
    if (window != NO_WINDOW) {
        pool.state[window] = WINDOW_USED;
        pool.used++;
        kmap_range_counters.maps++;
    } else {
        kmap_range_counters.exhausted++;
    }
    preempt_enable();
    return window;
}

/*
 * Entries for pages side by side. Nobody can look at a table that no directory entry shows, so they
 * are written in any order; the upper half changes only where 4 GiB are crossed.
 */
static void fill_run(pte_t *table, pfn_t pfn, unsigned nr_pages)
{
    uint32_t *half = (uint32_t *)table;

    while (nr_pages > 0) {
        unsigned part = MIN(nr_pages, FOUR_GIB_PAGES - pfn % FOUR_GIB_PAGES);
        pte_t entry = pte_make(pfn_to_phys(pfn), PTE_PRESENT | PTE_WRITE | layout.nx);
        uint32_t low = (uint32_t)entry, high = (uint32_t)(entry >> 32);

        if (inject(kmap_range_lose_carry, kmap_range))
            part = nr_pages;
        for (const uint32_t *end = half + 2 * part; half < end; half += 2) {
            half[0] = low;
            half[1] = high;
            low += PAGE_SIZE;
        }
        pfn += part;
        nr_pages -= part;
    }
}

/* Takes the entries after the first `count` away that the window's last user left. */
static void trim_table(unsigned window, unsigned count)
{
    pte_t *table = table_of_window(window);

    if (!inject(kmap_range_keep_tail, kmap_range))
        for (unsigned i = count; i < pool.filled[window]; i++)
            pte_clear(&table[i]);
    pool.filled[window] = count;
}

/* The window shows its table. What was written to that comes first. */
static void *open_table(unsigned window)
{
    phys_addr_t table = virt_to_phys(table_of_window(window));

    __asm__ volatile("" : : : "memory");
    pte_set(directory_entry_of(window), pte_make(table, PTE_PRESENT | PTE_WRITE));
    return (void *)kmap_range_addr(window);
}

static void *open_large(unsigned window, pfn_t pfn)
{
    phys_addr_t phys = ALIGN_DOWN(pfn_to_phys(pfn), LARGE_PAGE_SIZE);

    kmap_range_counters.large++;
    pte_set(directory_entry_of(window),
            pte_make(phys, PTE_PRESENT | PTE_WRITE | PTE_LARGE | layout.nx));
    return (void *)kmap_range_addr(window);
}

static bool is_large_run(pfn_t pfn, unsigned nr_pages)
{
    return nr_pages == KMAP_RANGE_PAGES &&
           (pfn % KMAP_RANGE_PAGES == 0 || inject(kmap_range_misaligned, kmap_range));
}

static inline bool check_run(const struct page *first, unsigned nr_pages, unsigned most)
{
    pfn_t pfn = page_to_pfn(first);

    if (likely(nr_pages - 1 < most && pfn < max_pfn && nr_pages <= max_pfn - pfn && !first->free))
        return true;
    finding("kmap_range(pfn 0x%x, %u pages): free, no pages, or not 1..%u", pfn, nr_pages, most);
    return false;
}

static void *map_run(struct page *first, unsigned nr_pages, bool may_sleep)
{
    pfn_t pfn = page_to_pfn(first);
    unsigned window;

    if (!check_run(first, nr_pages, KMAP_RANGE_PAGES))
        return NULL;
    if (!PageHighMem(first + nr_pages - 1))
        return lowmem_page_address(first);
    window = take_window(may_sleep);
    if (window == NO_WINDOW)
        return NULL;
    if (is_large_run(pfn, nr_pages))
        return open_large(window, pfn);
    fill_run(table_of_window(window), pfn, nr_pages);
    trim_table(window, nr_pages);
    return open_table(window);
}

void *kmap_range(struct page *first, unsigned nr_pages)
{
    return map_run(first, nr_pages, true);
}

void *kmap_range_try(struct page *first, unsigned nr_pages)
{
    return map_run(first, nr_pages, false);
}

void *kmap_pair_try(struct page *first, struct page *second, unsigned nr_pages)
{
    unsigned behind = (unsigned)(kmap_pair_offset(nr_pages) / PAGE_SIZE), window;
    pte_t *table;

    if (!check_run(first, nr_pages, KMAP_PAIR_PAGES) ||
        !check_run(second, nr_pages, KMAP_PAIR_PAGES))
        return NULL;
    window = take_window(false);
    if (window == NO_WINDOW)
        return NULL;
    table = table_of_window(window);
    fill_run(table, page_to_pfn(first), nr_pages);
    pte_clear(&table[nr_pages]); /* between them, if there is anything */
    fill_run(table + behind, page_to_pfn(second), nr_pages);
    trim_table(window, behind + nr_pages);
    return open_table(window);
}

void *kmap_pages(struct page *const *pages, unsigned nr_pages)
{
    unsigned window;
    pte_t *table;

    if (nr_pages - 1 >= KMAP_RANGE_PAGES) {
        finding("kmap_pages(%u pages): not 1..%u", nr_pages, KMAP_RANGE_PAGES);
        return NULL;
    }
    window = take_window(true);
    if (window == NO_WINDOW)
        return NULL;
    table = table_of_window(window);
    for (unsigned i = 0; i < nr_pages; i++)
        pte_set_page(&table[i], pages[i]);
    trim_table(window, nr_pages);
    return open_table(window);
}

static void wake_next(void)
{
    if (inject(kmap_range_lose_wakeup, kmap_range_threads) || wait_is_empty(&waiters))
        return;
    pool.waiting--;
    pool.kept++;
    wait_wake(&waiters);
}

/* The window that shows the address; NO_WINDOW if that is none's, or its window is not in use. */
static unsigned window_at(virt_t addr)
{
    uintptr_t offset = addr - KMAP_RANGE_BASE;
    unsigned window = (unsigned)(offset / KMAP_RANGE_STRIDE);

    if (addr < KMAP_RANGE_BASE || window >= KMAP_RANGE_WINDOWS ||
        offset % KMAP_RANGE_STRIDE >= LARGE_PAGE_SIZE || pool.state[window] != WINDOW_USED)
        return NO_WINDOW;
    return window;
}

void kunmap_range(const void *addr)
{
    unsigned window;

    if ((virt_t)addr < layout.high_memory)
        return;
    preempt_disable();
    window = window_at((virt_t)addr);
    if (likely(window != NO_WINDOW)) {
        pte_clear(directory_entry_of(window));
        pool.state[window] = WINDOW_STALE;
        pool.used--;
        wake_next();
    }
    preempt_enable();
    if (window == NO_WINDOW)
        finding("kunmap_range(0x%lx): no open window", (unsigned long)addr);
}

void kmap_range_usage(unsigned *fresh, unsigned *used)
{
    *fresh = 0;
    *used = pool.used;
    for (unsigned i = 0; i < KMAP_RANGE_WINDOWS; i++)
        *fresh += pool.state[i] == WINDOW_FRESH;
}

unsigned kmap_range_reset(void)
{
    unsigned used = pool.used;

    for (unsigned i = 0; i < KMAP_RANGE_WINDOWS; i++) {
        pte_clear(directory_entry_of(i));
        pool.state[i] = WINDOW_FRESH;
    }
    tlb_flush_all();
    pool.hand = pool.used = pool.waiting = pool.kept = 0;
    list_init(&waiters.sleepers);
    return used;
}
