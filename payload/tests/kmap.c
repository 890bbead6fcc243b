/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kmap: a window shows its own page, and nothing else, for as long as it is open.
 *
 * Every highmem page is written through one kind of window and read through another. The pool of
 * kmap() is filled to its end and wrapped over and over while some windows stay open, and a slot is
 * looked at right after it was given to another page, when a translation that should have been
 * flushed would still show the old one. Short windows are nested to their limit, and taken by a
 * timer interrupt in the middle of code that holds some.
 *
 * Why it can break: TLBs of emulators and processors that keep a translation after INVLPG or a CR3
 * write; a physical address cut to 32 bits on the way through an entry; interrupts that lose a
 * register. A break shows as the page's physical address, what the window showed and what was
 * wanted.
 */
#include "drivers/clock.h"
#include "drivers/irq.h"
#include "drivers/pit.h"
#include "lib/permute.h"
#include "lib/string.h"
#include "lib/x86/cpu.h"
#include "paging/ioremap.h"
#include "paging/kmap.h"
#include "paging/kmap_local.h"
#include "payload/oracle.h"
#include "payload/tests/highmem_set.h"
#include "payload/traps.h"

#define WORDS_PER_PAGE (PAGE_SIZE / sizeof(uint32_t))
#define WRAPS_WANTED 2000u
#define WRAPS_WANTED_SPARSE 200u
#define HELD_MAX 64u
#define STALE_ROUNDS 8u
#define STALE_SLOTS 4u
#define TIMER_HZ 4000u
#define TIMER_INTERRUPTS_WANTED 500u
#define TIMER_INTERRUPTS_LEAST 8u /* one of them at least must have found windows open */
#define TIMER_LIMIT_MS 4000u
#define TIMER_WINDOWS 3u
#define TIMER_PAGES_MIN (16 * TIMER_WINDOWS)

static struct page_set set;

static struct page *set_page(uint32_t index)
{
    return pfn_to_page(page_set_pfn(&set, index));
}

static struct page *random_page(struct test *t)
{
    return set_page(prng_below(test_prng(t), set.nr_visited));
}

/* What a page is marked with, and in which of its words: both follow from its number. */
static uint32_t tag_of(pfn_t pfn)
{
    return hash32(pfn ^ highmem_salt());
}

static volatile uint32_t *tag_word(void *window, pfn_t pfn)
{
    return (volatile uint32_t *)window + hash32(pfn) % WORDS_PER_PAGE;
}

static void write_tag(struct page *page)
{
    pfn_t pfn = page_to_pfn(page);
    void *window = kmap_local_page(page);

    *tag_word(window, pfn) = tag_of(pfn);
    kunmap_local(window);
}

static void check_tag(struct test *t, void *window, pfn_t pfn, const char *kind)
{
    uint32_t value = *tag_word(window, pfn);

    TEST_CHECK(t, value == tag_of(pfn), "%s window %p to physical 0x%09llx: 0x%08x, 0x%08x wanted",
               kind, window, addr_number(pfn_to_phys(pfn)), value, tag_of(pfn));
}

/* One way of looking at a page. */
struct window_kind {
    const char *name;
    void *(*open)(struct page *page);
    void (*close)(struct page *page, void *window);
};

static void *open_kmap(struct page *page)
{
    return kmap(page);
}

static void close_kmap(struct page *page, void *window)
{
    (void)window;
    kunmap(page);
}

static void *open_local(struct page *page)
{
    return kmap_local_page(page);
}

static void close_local(struct page *page, void *window)
{
    (void)page;
    kunmap_local(window);
}

static void *open_remap(struct page *page)
{
    return ioremap_cache(page_to_phys(page), PAGE_SIZE);
}

static void close_remap(struct page *page, void *window)
{
    (void)page;
    iounmap_cache(window);
}

static const struct window_kind kinds[] = {
    {"kmap", open_kmap, close_kmap},
    {"kmap_local", open_local, close_local},
    {"ioremap", open_remap, close_remap},
};
enum { KIND_KMAP, KIND_LOCAL, KIND_REMAP };

/* ioremap searches for its place each time: one page in so many is enough of it. */
#define REMAP_EVERY 64u

static const struct window_kind *kind_for(uint32_t turn)
{
    if (turn % REMAP_EVERY == 0)
        return &kinds[KIND_REMAP];
    return &kinds[turn & 1 ? KIND_LOCAL : KIND_KMAP];
}

static void visit_all(struct test *t, uint32_t turn, bool write)
{
    struct permutation order;

    permute_init(&order, set.nr_visited, prng_u64(test_prng(t)));
    for (uint32_t i = 0; i < set.nr_visited && !test_should_stop(t); i++) {
        pfn_t pfn = page_set_pfn(&set, permute_at(&order, i));
        struct page *page = pfn_to_page(pfn);
        const struct window_kind *kind = kind_for(i + turn);
        void *window = kind->open(page);

        if (!TEST_CHECK(t, window != NULL, "no %s window to physical 0x%09llx", kind->name,
                        addr_number(pfn_to_phys(pfn))))
            continue;
        if (write) {
            *tag_word(window, pfn) = tag_of(pfn);
            kind->close(page, window);
            continue;
        }
        check_tag(t, window, pfn, kind->name);
        kind->close(page, window);
        /* The other kind of window must agree. */
        kind = &kinds[kind == &kinds[KIND_KMAP] ? KIND_LOCAL : KIND_KMAP];
        window = kind->open(page);
        if (window)
            check_tag(t, window, pfn, kind->name);
        kind->close(page, window);
        if (i % 1024 == 0)
            test_progress(t, (write ? 0 : set.nr_visited) + i, 2 * set.nr_visited);
    }
}

static void case_own_contents(struct test *t)
{
    if (!highmem_set_take(t, &set))
        return;
    visit_all(t, 0, true);
    visit_all(t, 1, false);
    test_metric(t, "pages", set.nr_visited, "pages");
    page_set_give_back(&set);
}

/* What a free page's descriptor says is not about windows. */
static void check_free_page(struct test *t)
{
    struct page *page = set_page(0);
    unsigned order = page->order;

    __free_pages(page, order);
    test_findings_begin(t);
    TEST_CHECK(t, kmap(page) == NULL, "a free page can be mapped");
    kunmap(page);
    test_findings_end(t, 2, "kmap() and kunmap() of a free page");
    TEST_CHECK(t,
               alloc_pages_in(order, page_to_phys(page),
                              page_to_phys(page) + (PAGE_SIZE << order)) == page,
               "the block just freed is not to be had");
}

/* From any address in a window to its page, from its guard and from nowhere to none. */
static void check_way_back(struct test *t, const char *window, const struct page *page)
{
    uint32_t offset = prng_below(test_prng(t), PAGE_SIZE);
    const struct page *found = kmap_to_page(window + offset);

    TEST_CHECK(t, found == page, "window %p leads to page %p, %p wanted", window + offset, found,
               page);
    TEST_CHECK(t, !kmap_to_page(window + PAGE_SIZE + offset), "the guard of window %p has a page",
               window);
    TEST_CHECK(t, !kmap_to_page(NULL), "NULL has a page");
}

static void case_counts(struct test *t)
{
    struct page *page, *low = alloc_page(GFP_KERNEL);
    void *first, *again;

    if (!highmem_set_take(t, &set))
        goto out;
    page = random_page(t);
    TEST_CHECK(t, page_address(page) == NULL, "an unmapped page has the address %p",
               page_address(page));
    first = kmap(page);
    again = kmap(page);
    TEST_CHECK(t, first == again, "two windows %p and %p to one page", first, again);
    TEST_CHECK(t, page_address(page) == first, "page_address() is %p, the window %p",
               page_address(page), first);
    check_way_back(t, first, page);
    kunmap(page);
    TEST_CHECK(t, page_address(page) == first, "one of two uses given back, page_address() is %p",
               page_address(page));
    kunmap(page);
    TEST_CHECK(t, page_address(page) == NULL, "all uses given back, page_address() is %p",
               page_address(page));
    TEST_CHECK(t, !kmap_to_page(first), "a window that nobody uses has a page");
    TEST_CHECK(t, !low || kmap_to_page(lowmem_page_address(low)) == low,
               "a lowmem page is not found");
    test_findings_begin(t);
    kunmap(page);
    test_findings_end(t, 1, "kunmap() of a page that is not mapped");
    check_free_page(t);
    page_set_give_back(&set);
out:
    if (low) {
        uint32_t maps = kmap_counters.maps;

        TEST_CHECK(t, kmap(low) == lowmem_page_address(low) && kmap_counters.maps == maps,
                   "kmap() of a lowmem page took a slot");
        kunmap(low);
        __free_page(low);
    }
}

/* Maps `count` different pages of the set and remembers them. */
static unsigned hold_windows(struct test *t, struct page **held, unsigned count)
{
    uint32_t start = prng_below(test_prng(t), set.nr_visited);
    unsigned n = 0;

    for (uint32_t i = 0; n < count && i < set.nr_visited; i++) {
        struct page *page = set_page((start + i) % set.nr_visited);

        write_tag(page);
        if (!kmap(page))
            break;
        held[n++] = page;
    }
    return n;
}

static void check_held(struct test *t, struct page **held, unsigned count)
{
    for (unsigned i = 0; i < count && !test_should_stop(t); i++)
        check_tag(t, page_address(held[i]), page_to_pfn(held[i]), "held kmap");
}

static void case_exhaustion(struct test *t)
{
    static struct page *held[LAST_PKMAP + 1];
    unsigned count;

    if (!highmem_set_take(t, &set))
        return;
    if (set.nr_visited <= LAST_PKMAP) {
        test_skip(t, "%u pages of high memory, %u windows", set.nr_visited, LAST_PKMAP);
        goto out;
    }
    count = hold_windows(t, held, LAST_PKMAP + 1);
    TEST_CHECK(t, count == LAST_PKMAP, "%u windows open at once, %u wanted", count, LAST_PKMAP);
    check_held(t, held, count);
    oracle_point("kmap_full");

    /* One goes, and exactly one can come. */
    for (unsigned round = 0; round < STALE_ROUNDS && count == LAST_PKMAP; round++) {
        unsigned victim = prng_below(test_prng(t), LAST_PKMAP);
        void *before = page_address(held[victim]);
        struct page *page;

        do {
            page = random_page(t);
        } while (page_address(page));
        kunmap(held[victim]);
        write_tag(page);
        void *window = kmap(page);
        if (!TEST_CHECK(t, window == before, "the only free window is %p, got %p", before,
                        window)) {
            if (!window)
                kmap(held[victim]);
            else
                held[victim] = page;
            break;
        }
        held[victim] = page;
        check_held(t, held, count);
    }
    while (count)
        kunmap(held[--count]);
out:
    page_set_give_back(&set);
}

/* Random pages through the whole pool, thousands of times round, with some windows kept. */
static void case_wraps(struct test *t)
{
    static struct page *held[HELD_MAX];
    uint32_t first = kmap_counters.wraps, wanted, done = 0;
    unsigned count;

    wanted = test_depth(t) == DEPTH_SPARSE ? WRAPS_WANTED_SPARSE : WRAPS_WANTED;
    if (!highmem_set_take(t, &set))
        return;
    if (set.nr_visited < 4 * LAST_PKMAP) {
        test_skip(t, "only %u pages of high memory", set.nr_visited);
        goto out;
    }
    count = hold_windows(t, held, HELD_MAX);
    while (done < wanted && !test_should_stop(t)) {
        struct page *page = random_page(t);
        unsigned victim = prng_below(test_prng(t), HELD_MAX);
        void *window;

        write_tag(page);
        window = kmap(page);
        if (!TEST_CHECK(t, window != NULL, "no window, though only %u are in use", count))
            break;
        check_tag(t, window, page_to_pfn(page), "kmap");
        /* Now and then the new window is the one to keep. */
        if (victim < count && prng_below(test_prng(t), LAST_PKMAP) == 0) {
            check_tag(t, page_address(held[victim]), page_to_pfn(held[victim]), "held kmap");
            kunmap(held[victim]);
            held[victim] = page;
        } else {
            kunmap(page);
        }
        if (kmap_counters.wraps - first != done) {
            done = kmap_counters.wraps - first;
            check_held(t, held, count);
            test_progress(t, done, wanted);
            if (done == 1)
                oracle_point("kmap_wrapped");
        }
    }
    while (count)
        kunmap(held[--count]);
    test_metric(t, "wraps", done, "count");
out:
    page_set_give_back(&set);
}

/*
 * All windows but a few are held, so that the few are given out again and again while their last
 * translation is as young as can be: even a TLB of 32 entries still has it, unless it was flushed.
 */
static void case_stale_slots(struct test *t)
{
    static struct page *held[LAST_PKMAP];
    unsigned count;
    virt_t seen = 0;

    if (!highmem_set_take(t, &set))
        return;
    if (set.nr_visited < 4 * LAST_PKMAP) {
        test_skip(t, "only %u pages of high memory", set.nr_visited);
        goto out;
    }
    count = hold_windows(t, held, LAST_PKMAP - STALE_SLOTS);
    for (uint32_t i = 0; i < STALE_ROUNDS * LAST_PKMAP && !test_should_stop(t); i++) {
        struct page *page = random_page(t);

        if (page_address(page))
            continue;
        write_tag(page);
        seen = (virt_t)kmap(page);
        check_tag(t, (void *)seen, page_to_pfn(page), "recycled kmap");
        kunmap(page);
    }
    while (count)
        kunmap(held[--count]);
    /* Emptied and flushed, a slot must fault. */
    kmap_reset();
    TEST_CHECK(t, !probe_read32((void *)seen, NULL, NULL),
               "window 0x%08lx can be read after its slot was emptied", (unsigned long)seen);
out:
    page_set_give_back(&set);
}

static void check_edges(struct test *t, const char *kind, virt_t window)
{
    TEST_CHECK(t, !probe_read32((void *)(window - sizeof(uint32_t)), NULL, NULL),
               "the word before %s window 0x%08lx can be read", kind, (unsigned long)window);
    TEST_CHECK(t, !probe_read32((void *)(window + PAGE_SIZE), NULL, NULL),
               "the word after %s window 0x%08lx can be read", kind, (unsigned long)window);
    TEST_CHECK(t, !probe_read32((void *)(window + PAGE_SIZE - 2), NULL, NULL),
               "a word over the end of %s window 0x%08lx can be read", kind, (unsigned long)window);
}

static void case_guards(struct test *t)
{
    static struct page *held[LAST_PKMAP];
    void *local[KMAP_LOCAL_DEPTH];
    unsigned count;

    if (!highmem_set_take(t, &set))
        return;
    count = hold_windows(t, held, LAST_PKMAP);
    if (!count) {
        test_error(t, "no window to be had");
        goto out;
    }
    for (unsigned i = 0; i < count && !test_should_stop(t); i++)
        check_edges(t, "kmap", (virt_t)page_address(held[i]));
    for (unsigned i = 0; i < KMAP_LOCAL_DEPTH; i++)
        local[i] = kmap_local_page(held[i % count]);
    for (unsigned i = 0; i < KMAP_LOCAL_DEPTH; i++)
        check_edges(t, "kmap_local", (virt_t)local[i]);
    for (unsigned i = KMAP_LOCAL_DEPTH; i > 0; i--)
        kunmap_local(local[i - 1]);
    while (count)
        kunmap(held[--count]);
out:
    page_set_give_back(&set);
}

static void case_local_nesting(struct test *t)
{
    void *window[KMAP_LOCAL_DEPTH];
    struct page *page[KMAP_LOCAL_DEPTH];
    void *remapped;

    if (!highmem_set_take(t, &set))
        return;
    remapped = ioremap_cache(page_to_phys(set_page(0)), PAGE_SIZE);
    for (unsigned i = 0; i < KMAP_LOCAL_DEPTH; i++) {
        page[i] = random_page(t);
        window[i] = kmap_local_page(page[i]);
        *tag_word(window[i], page_to_pfn(page[i])) = tag_of(page_to_pfn(page[i]));
        oracle_window(window[i], page_to_phys(page[i]));
    }
    oracle_point("kmap_local_full");
    iounmap_cache(remapped);
    for (unsigned i = 0; i < KMAP_LOCAL_DEPTH; i++)
        check_tag(t, window[i], page_to_pfn(page[i]), "nested kmap_local");
    test_findings_begin(t);
    TEST_CHECK(t, kmap_local_page(page[0]) == NULL, "a window more than there are");
    test_findings_end(t, 1, "kmap_local_page() with all windows in use");
    test_findings_begin(t);
    kunmap_local(window[0]);
    test_findings_end(t, 1, "kunmap_local() in the wrong order");
    for (unsigned i = KMAP_LOCAL_DEPTH; i > 0; i--) {
        check_tag(t, window[i - 1], page_to_pfn(page[i - 1]), "nested kmap_local");
        kunmap_local((char *)window[i - 1] + prng_below(test_prng(t), PAGE_SIZE));
    }
    TEST_CHECK(t, kmap_local_depth() == 0, "%u windows left of %u given back", kmap_local_depth(),
               KMAP_LOCAL_DEPTH);
    page_set_give_back(&set);
}

/* A window that was given back must be gone, and the next page in its slot must be seen. */
static void case_local_stale(struct test *t)
{
    if (!highmem_set_take(t, &set))
        return;
    for (unsigned i = 0; i < LAST_PKMAP && !test_should_stop(t); i++) {
        struct page *first = random_page(t), *second = random_page(t);
        void *window, *next;

        write_tag(first);
        write_tag(second);
        window = kmap_local_page(first);
        check_tag(t, window, page_to_pfn(first), "kmap_local");
        kunmap_local(window);
        TEST_CHECK(t, !probe_read32(window, NULL, NULL),
                   "kmap_local window %p can be read after it was given back", window);
        next = kmap_local_page(second);
        check_tag(t, next, page_to_pfn(second), "reused kmap_local");
        kunmap_local(next);
    }
    page_set_give_back(&set);
}

/* The interrupt's side: its own pages, so that what it finds wrong is not the thread's doing. */
static struct {
    struct page *page[TIMER_WINDOWS];
    volatile uint32_t interrupts;
    volatile uint32_t wrong;
    volatile uint32_t while_held; /* came while the interrupted code held a window */
} timer;

static bool on_timer(void *ctx)
{
    void *window[TIMER_WINDOWS];
    (void)ctx;

    timer.interrupts++;
    if (kmap_local_depth())
        timer.while_held++;
    for (unsigned i = 0; i < TIMER_WINDOWS; i++) {
        window[i] = kmap_local_page(timer.page[i]);
        (*(volatile uint32_t *)window[i])++;
    }
    for (unsigned i = TIMER_WINDOWS; i > 0; i--) {
        if (*(volatile uint32_t *)window[i - 1] != timer.interrupts)
            timer.wrong++;
        kunmap_local(window[i - 1]);
    }
    return true;
}

static void hold_and_check(struct test *t)
{
    unsigned depth = 1 + prng_below(test_prng(t), KMAP_LOCAL_DEPTH - TIMER_WINDOWS);
    struct page *page[KMAP_LOCAL_DEPTH];
    void *window[KMAP_LOCAL_DEPTH];

    for (unsigned i = 0; i < depth; i++) {
        page[i] = random_page(t);
        /* The timer's pages are its own. */
        while (page[i] == timer.page[0] || page[i] == timer.page[1] || page[i] == timer.page[2])
            page[i] = random_page(t);
        window[i] = kmap_local_page(page[i]);
        *tag_word(window[i], page_to_pfn(page[i])) = tag_of(page_to_pfn(page[i]));
    }
    for (unsigned i = depth; i > 0; i--) {
        check_tag(t, window[i - 1], page_to_pfn(page[i - 1]), "interrupted kmap_local");
        kunmap_local(window[i - 1]);
    }
}

static void case_interrupts(struct test *t)
{
    deadline_t limit = deadline_in_ms(TIMER_LIMIT_MS);

    if (!highmem_set_take(t, &set))
        return;
    if (set.nr_visited < TIMER_PAGES_MIN) {
        test_skip(t, "only %u pages of high memory", set.nr_visited);
        goto out;
    }
    memset(&timer, 0, sizeof(timer));
    for (unsigned i = 0; i < TIMER_WINDOWS; i++) {
        timer.page[i] = set_page(i * (set.nr_visited / TIMER_WINDOWS));
        void *window = kmap_local_page(timer.page[i]);
        *(volatile uint32_t *)window = 0;
        kunmap_local(window);
    }
    if (irq_request(PIT_IRQ_LINE, on_timer, NULL, "kmap suite") != 0) {
        test_error(t, "the timer's line can't be had");
        goto out;
    }
    pit_start(TIMER_HZ);
    while (timer.interrupts < TIMER_INTERRUPTS_WANTED && !deadline_passed(limit) &&
           !test_should_stop(t))
        hold_and_check(t);
    pit_stop();
    irq_free(PIT_IRQ_LINE, on_timer, NULL);
    TEST_CHECK(t, timer.wrong == 0, "%u of the interrupt's windows showed another page",
               timer.wrong);
    if (timer.interrupts < TIMER_INTERRUPTS_LEAST)
        test_skip(t, "the timer interrupted %u times only, which says nothing", timer.interrupts);
    else
        TEST_CHECK(t, timer.while_held > 0, "of %u interrupts none came while windows were open",
                   timer.interrupts);
    test_metric(t, "interrupts_in_windows", timer.while_held, "count");
out:
    page_set_give_back(&set);
}

/* A page that goes free and comes back must not be seen through the window it had before. */
static void case_freed_page(struct test *t)
{
    if (zone_get(ZONE_HIGHMEM)->free_pages == 0) {
        test_skip(t, "no high memory: all RAM is in the direct map");
        return;
    }
    for (unsigned i = 0; i < LAST_PKMAP / 2 && !test_should_stop(t); i++) {
        struct page *page = alloc_page(GFP_HIGHUSER | __GFP_THISZONE);

        if (!page) {
            test_error(t, "no highmem page to try");
            return;
        }
        write_tag(page);
        check_tag(t, kmap(page), page_to_pfn(page), "kmap");
        test_findings_begin(t);
        __free_page(page);
        test_findings_end(t, 1, "freeing a page that is mapped");
        kunmap(page);
        __free_page(page);
        TEST_CHECK(t, page_address(page) == NULL, "a free page has the address %p",
                   page_address(page));
    }
}

static void abandon(void)
{
    page_set_give_back(&set);
}

static const struct test_case cases[] = {
    {"own_contents", case_own_contents},   {"counts", case_counts},
    {"exhaustion", case_exhaustion},       {"wraps", case_wraps},
    {"stale_slots", case_stale_slots},     {"guards", case_guards},
    {"local_nesting", case_local_nesting}, {"local_stale", case_local_stale},
    {"interrupts", case_interrupts},       {"freed_page", case_freed_page},
};

SUITE(kmap) = {
    .name = "kmap",
    .about = "a window shows its own page, and nothing else, for as long as it is open",
    .rank = SUITE_RANK_WINDOWS,
    .cases = cases,
    .nr_cases = ARRAY_SIZE(cases),
    .abandon = abandon,
};
