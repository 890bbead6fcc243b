/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kmap_bugs: what has gone wrong with highmem windows in the field, a case each.
 *
 * The faults are made here on purpose, as kernels and drivers made them by mistake, mostly because
 * they had been written on machines where every page has an address. Each must be stopped: by a
 * fault, by a finding that names who did it, or by there being no way to another page's contents.
 */
#include "drivers/dma.h"
#include "lib/finding.h"
#include "lib/string.h"
#include "lib/x86/cpu.h"
#include "paging/highmem.h"
#include "paging/kmap.h"
#include "paging/kmap_local.h"
#include "paging/page_alloc.h"
#include "paging/pgtable.h"
#include "payload/symbols.h"
#include "payload/tests/highmem_set.h"
#include "payload/thread.h"
#include "payload/traps.h"

#define FOUR_GIB_PFN (1u << (32 - PAGE_SHIFT))
#define FINDING_BYTES 112u

static struct page_set set;
static bool set_taken;

static struct page *set_page(uint32_t index)
{
    return pfn_to_page(page_set_pfn(&set, index));
}

static uint32_t mark_of(const struct page *page)
{
    return hash32(page_to_pfn(page) ^ highmem_salt());
}

static void mark(struct page *page)
{
    uint32_t value = mark_of(page);

    memcpy_to_page(page, 0, &value, sizeof(value));
}

/* All of high memory, the first `count` pages of it marked. */
static bool begin(struct test *t, uint32_t count)
{
    if (!highmem_set_take(t, &set))
        return false;
    set_taken = true;
    if (set.nr_visited < count) {
        test_skip(t, "less than %u pages of high memory", count);
        page_set_give_back(&set);
        return false;
    }
    for (uint32_t i = 0; i < count; i++)
        mark(set_page(i));
    return true;
}

/* The frame that the tables have for an address; 0 if it would fault. */
static pfn_t frame_at(const void *addr)
{
    struct page_walk walk;

    pgtable_walk(cr3_read(), (virt_t)addr, &walk);
    return walk.present ? phys_to_pfn(walk.phys) : 0;
}

static bool shows(const void *window, const struct page *page)
{
    uint32_t value;

    return probe_read32(window, &value, NULL) && value == mark_of(page) &&
           frame_at(window) == page_to_pfn(page);
}

/*
 * A window is one page, whatever lies behind that page in memory. ZFS on Linux copied bvecs of
 * several pages through the window of their first (openzfs issue 15668, 2023); what lay behind it
 * was read and written instead.
 */
static void case_past_the_end(struct test *t)
{
    struct page *page[3];
    char *window[3];

    if (!begin(t, ARRAY_SIZE(page)))
        return;
    for (unsigned i = 0; i < ARRAY_SIZE(page); i++) {
        page[i] = set_page(i);
        window[i] = i < 2 ? kmap(page[i]) : kmap_local_page(page[i]);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(page); i++) {
        TEST_CHECK(t, !probe_write32(window[i] + PAGE_SIZE, 0, NULL),
                   "a write behind window %u is done", i);
        TEST_CHECK(t, !probe_write32(window[i] + PAGE_SIZE - 2, 0, NULL),
                   "a write over the end of window %u is done", i);
        TEST_CHECK(t, !probe_read32(window[i] - sizeof(uint32_t), NULL, NULL),
                   "a word before window %u is read", i);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(page); i++)
        TEST_CHECK(t, shows(window[i], page[i]), "window %u was overwritten from outside", i);
    kunmap_local(window[2]);
    kunmap(page[1]);
    kunmap(page[0]);
    page_set_give_back(&set);
}

/*
 * An address made from a frame number by arithmetic. Linux had to teach kmap_to_page() about short
 * windows (Ira Weiny, 2022): by arithmetic they gave a page, another one.
 */
static void case_arithmetic(struct test *t)
{
    struct page *page;
    void *window;

    if (!begin(t, 2))
        return;
    for (uint32_t i = 0; i < set.nr_visited && !test_should_stop(t); i++) {
        page = set_page(i);
        TEST_CHECK(t, frame_at(lowmem_page_address(page)) != page_to_pfn(page),
                   "physical 0x%09llx can be had at %p without a window",
                   addr_number(page_to_phys(page)), lowmem_page_address(page));
    }
    page = set_page(1);
    window = kmap(page);
    TEST_CHECK(t, virt_to_page(window) != page, "the window's address is the page's by arithmetic");
    test_findings_begin(t);
    free_pages(window, 0);
    test_findings_end(t, 1, "free_pages() of a kmap() window");
    kunmap(page);
    window = kmap_local_page(page);
    test_findings_begin(t);
    free_pages(window, 0);
    test_findings_end(t, 1, "free_pages() of a kmap_local_page() window");
    kunmap_local(window);
    page_set_give_back(&set);
}

/* The highest page of the set. */
static struct page *highest_page(void)
{
    uint32_t best = 0;

    for (uint32_t i = 1; i < set.nr_visited; i++)
        if (page_set_pfn(&set, i) > page_set_pfn(&set, best))
            best = i;
    return set_page(best);
}

static void check_device_reach(struct test *t, struct page *page, dma_addr_t mask)
{
    dma_addr_t start = phys_to_dma(page_to_phys(page));
    struct device dev = {.name = "bugs", .dma_mask = mask};
    dma_addr_t addr = dma_map_page(&dev, page, 1, PAGE_SIZE - 1, DMA_TO_DEVICE);

    if (dma_mapping_error(&dev, addr)) {
        test_log(t, "no bounce pool below 0x%llx", addr_number(mask));
        return;
    }
    TEST_CHECK(t, addr + (PAGE_SIZE - 2) <= mask, "mask 0x%llx: a device was given 0x%llx",
               addr_number(mask), addr_number(addr));
    TEST_CHECK(t, (addr == start + 1) == (start + PAGE_MASK <= mask),
               "mask 0x%llx: physical 0x%llx was bounced without need, or cut to 0x%llx",
               addr_number(mask), addr_number(page_to_phys(page)), addr_number(addr));
    dma_unmap_page(&dev, addr, PAGE_SIZE - 1, DMA_TO_DEVICE);
}

#define BOUNCES_MAX MIB(64) /* far more than any pool holds */

/* A size that takes the end of the range out of reach, and in 32 bits back below its start. */
static void check_long_range(struct test *t, struct page *page)
{
    struct device dev = {.name = "bugs", .dma_mask = phys_to_dma(page_to_phys(page) + PAGE_MASK)};
    uint32_t size = 2 * PAGE_SIZE - (uint32_t)addr_number(page_to_phys(page)) - 1;
    dma_addr_t addr;

    /* Near the end of its 4 GiB it is so small that it could bounce, and would. */
    if (size < BOUNCES_MAX)
        return;
    addr = dma_map_page(&dev, page, 0, size, DMA_TO_DEVICE);
    TEST_CHECK(t, dma_mapping_error(&dev, addr),
               "a range of 0x%x bytes at physical 0x%llx is said to be in reach below 0x%llx", size,
               addr_number(page_to_phys(page)), addr_number(dev.dma_mask));
    if (!dma_mapping_error(&dev, addr))
        dma_unmap_page(&dev, addr, size, DMA_TO_DEVICE);
}

/*
 * Physical addresses cut to 32 bits. sg_phys() did it, and a machine with 5 GiB could not start a
 * program (Hugh Dickins, 2007); the end of a DMA mapping that overflowed was taken for one in reach
 * (Nicolas Saenz Julienne, 2019).
 */
static void case_above_4_gib(struct test *t)
{
    uint8_t bytes[16], seen[16];
    struct page *page, *alias;

    if (!begin(t, 2))
        return;
    page = highest_page();
    if (page_to_pfn(page) < FOUR_GIB_PFN) {
        test_skip(t, "no RAM above 4 GiB");
        page_set_give_back(&set);
        return;
    }
    /* What it would be with the upper half cut off. */
    alias = pfn_to_page(page_to_pfn(page) & (FOUR_GIB_PFN - 1));
    memcpy_from_page(seen, alias, PAGE_SIZE - sizeof(seen), sizeof(seen));
    for (unsigned i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)~seen[i];
    memcpy_to_page(page, PAGE_SIZE - sizeof(bytes), bytes, sizeof(bytes));
    memcpy_from_page(seen, page, PAGE_SIZE - sizeof(seen), sizeof(seen));
    TEST_CHECK(t, memcmp(seen, bytes, sizeof(seen)) == 0,
               "the end of physical 0x%llx was not written", addr_number(page_to_phys(page)));
    memcpy_from_page(seen, alias, PAGE_SIZE - sizeof(seen), sizeof(seen));
    TEST_CHECK(t, memcmp(seen, bytes, sizeof(seen)) != 0,
               "physical 0x%llx was written instead of 0x%llx", addr_number(page_to_phys(alias)),
               addr_number(page_to_phys(page)));
    memset_page(page, PAGE_SIZE - sizeof(bytes), 0x5a, sizeof(bytes));
    memcpy_from_page(seen, page, PAGE_SIZE - 1, 1);
    TEST_CHECK(t, seen[0] == 0x5a, "memset_page() at the end of physical 0x%llx leaves 0x%02x",
               addr_number(page_to_phys(page)), seen[0]);
    check_device_reach(t, page, DMA_BIT_MASK(32));
    check_device_reach(t, page, phys_to_dma(page_to_phys(page) + PAGE_MASK));
    check_device_reach(t, page, phys_to_dma(page_to_phys(page) + PAGE_MASK - 1));
    check_device_reach(t, page, phys_to_dma(page_to_phys(page) - 1));
    check_long_range(t, page);
    page_set_give_back(&set);
}

/* A short window of one thread, and its address in the hands of another. */
static struct {
    struct test *t;
    volatile void *window;
    volatile bool done;
} shared;

static void thread_hold_window(void *arg)
{
    struct page *page = arg;
    void *window = kmap_local_page(page);

    TEST_CHECK(shared.t, shows(window, page), "a window does not show its page");
    shared.window = window;
    thread_yield();
    TEST_CHECK(shared.t, shows(window, page), "a window does not show its page after a switch");
    thread_yield();
    TEST_CHECK(shared.t, shows(window, page), "a window does not show its page after two switches");
    kunmap_local(window);
    shared.done = true;
}

/*
 * A short window held while other threads run, and its address given to one of them. Linux's
 * kmap_atomic() could not be held across a switch at all; when its slot was given up before the
 * entry was cleared, whoever came in between found the last user's page (Peter Zijlstra, 2010).
 * Since kmap_local (Thomas Gleixner, 2020) a window is its thread's own, and means nothing to
 * others.
 */
static void case_across_a_switch(struct test *t)
{
    struct page *mine, *theirs;
    struct thread *thread;
    void *window;

    if (!begin(t, 2))
        return;
    theirs = set_page(0);
    mine = set_page(1);
    shared.t = t;
    shared.done = false;
    if (threads_start(0) || !(thread = thread_create("holder", thread_hold_window, theirs))) {
        test_error(t, "no thread");
        goto out;
    }
    thread_yield();
    TEST_CHECK(t, !probe_read32((const void *)shared.window, NULL, NULL),
               "another thread's short window %p can be read", (void *)shared.window);
    test_findings_begin(t);
    kunmap_local((const void *)shared.window);
    test_findings_end(t, 1, "kunmap_local() of another thread's window");
    window = kmap_local_page(mine);
    TEST_CHECK(t, shows(window, mine), "a window shows another thread's page");
    thread_yield();
    TEST_CHECK(t, shows(window, mine), "a window shows another thread's page after a switch");
    TEST_CHECK(t, thread_join(thread) && shared.done, "the other thread did not end");
    TEST_CHECK(t, shows(window, mine), "a window is gone with the thread that had one like it");
    kunmap_local(window);
out:
    threads_stop();
    page_set_give_back(&set);
}

/*
 * A page that goes free while somebody looks at it. kmap() holds on to it: freeing is a finding,
 * and the page stays. A short window does not count as a use (its owner holds the page, as
 * everywhere): it shows the frame, whoever has it by then, until it is given back, and nothing
 * after that.
 */
static void case_freed_while_mapped(struct test *t)
{
    struct page *page = alloc_pages(GFP_HIGHUSER | __GFP_THISZONE, 0);
    void *window;

    if (!page) {
        test_skip(t, "no high memory");
        return;
    }
    window = kmap(page);
    test_findings_begin(t);
    __free_pages(page, 0);
    test_findings_end(t, 1, "a page freed while kmap() has it in use");
    TEST_CHECK(
        t, page->allocated && page_address(page) == window && frame_at(window) == page_to_pfn(page),
        "a page freed in use does not stay as it is");
    kunmap(page);
    window = kmap_local_page(page);
    __free_pages(page, 0);
    TEST_CHECK(t, frame_at(window) == page_to_pfn(page),
               "a short window to a page that went free shows another frame");
    kunmap_local(window);
    TEST_CHECK(t, !probe_read32(window, NULL, NULL), "a short window given back can be read");
}

/*
 * A page that went free with a window that nobody uses any more: the page has other bits there
 * then, and emptying the slot must not touch them. (Our own first kmap.c did that.)
 */
static void case_freed_with_stale_slot(struct test *t)
{
    struct page *page, *copy = alloc_pages(GFP_HIGHUSER | __GFP_THISZONE, 0);
    struct page before;
    pfn_t where;
    const char *fault;

    page = copy;
    if (!page) {
        test_skip(t, "no high memory");
        return;
    }
    kmap(page);
    kunmap(page);
    __free_pages(page, 0);
    drain_all_pages();
    before = *page;
    kmap_reset(); /* empties and flushes all slots */
    TEST_CHECK(t, memcmp(page, &before, sizeof(before)) == 0,
               "emptying its last slot has written the descriptor of a free page");
    *page = before;
    fault = zone_check(zone_get(ZONE_HIGHMEM), &where);
    TEST_CHECK(t, !fault, "pfn 0x%x: %s", where, fault);
}

/*
 * A window used after it was given back. Lazy flushing leaves it open for a while, so that it can't
 * always fault; ARM's cache maintenance read pages of others through such windows, and had to pin
 * them (Nicolas Pitre, 2009). What is promised: it shows its old page until the flush, then it
 * faults, and then it is the window of the page that page_address() says, and of no third one.
 */
static void case_recycled_slot(struct test *t)
{
    struct page *old;
    uint32_t flushes = kmap_counters.wraps;
    unsigned i = 1;
    void *window;

    if (!begin(t, 2 * LAST_PKMAP))
        return;
    old = set_page(0);
    window = kmap(old);
    kunmap(old);
    TEST_CHECK(t, shows(window, old), "a window just given back shows another page");
    TEST_CHECK(t, page_address(old) == NULL, "a page whose window was given back has an address");
    for (; i < 2 * LAST_PKMAP && !test_should_stop(t); i++) {
        void *now;

        if (kmap_counters.wraps == flushes)
            TEST_CHECK(t, shows(window, old), "a window shows another page before the flush");
        now = kmap(set_page(i));
        if (now == window)
            TEST_CHECK(t, shows(window, set_page(i)), "a slot shows another page than its own");
        else if (kmap_counters.wraps != flushes)
            TEST_CHECK(t, !probe_read32(window, NULL, NULL) || !shows(window, old),
                       "a window shows its old page after the flush");
        kunmap(set_page(i));
        if (now == window)
            break;
    }
    TEST_CHECK(t, i < 2 * LAST_PKMAP, "the slot was never used again");
    page_set_give_back(&set);
}

/* The thread of the next case. */
static void thread_want_page(void *arg)
{
    struct page **page = arg;
    void *window = kmap(*page);

    shared.done = window == NULL;
    if (window)
        kunmap(*page);
}

/*
 * A page that goes free while a thread sleeps for a window to it. (Our own kmap() then counted a
 * use of a slot far outside its table: found by the model-based test.)
 */
static void case_freed_while_waited_for(struct test *t)
{
    static struct page *page;
    struct thread *thread;
    unsigned held = 0;

    page = alloc_pages(GFP_HIGHUSER | __GFP_THISZONE, 0);
    if (!page) {
        test_skip(t, "no high memory");
        return;
    }
    if (!begin(t, LAST_PKMAP)) {
        __free_pages(page, 0);
        return;
    }
    if (threads_start(0) || !(thread = thread_create("wanter", thread_want_page, &page))) {
        test_error(t, "no thread");
        goto out;
    }
    while (held < LAST_PKMAP && kmap(set_page(held)))
        held++;
    shared.done = false;
    thread_yield(); /* it sleeps */
    __free_pages(page, 0);
    test_findings_begin(t);
    kunmap(set_page(--held));
    TEST_CHECK(t, thread_join(thread), "the thread sleeps for ever");
    test_findings_end(t, 1, "kmap() of a page that went free meanwhile");
    TEST_CHECK(t, shared.done, "a window to a free page");
out:
    while (held)
        kunmap(set_page(--held));
    threads_stop();
    page_set_give_back(&set);
}

/* What the last finding said. */
static char last_finding[FINDING_BYTES];

static void keep_finding(const char *text)
{
    symbol_name_callers(text, last_finding, sizeof(last_finding));
}

static __attribute__((noinline)) void culprit(struct page *page, void (*act)(struct page *page))
{
    act(page);
    __asm__ volatile(""); /* no tail call */
}

static __attribute__((noinline)) void unmap_twice(struct page *page)
{
    kunmap(page);
    __asm__ volatile("");
}

static __attribute__((noinline)) void map_and_forget(struct page *page)
{
    kmap(page);
    __asm__ volatile("");
}

static __attribute__((noinline)) void unmap_wrong_local(struct page *page)
{
    kunmap_local((void *)kmap_local_addr(3));
    __asm__ volatile("");
}

static void check_names(struct test *t, const char *name, struct page *page,
                        void (*act)(struct page *page))
{
    finding_hook_t hook;

    last_finding[0] = '\0';
    hook = finding_set_hook(keep_finding);
    culprit(page, act);
    finding_set_hook(hook);
    TEST_CHECK(t, strstr(last_finding, name) != NULL, "\"%s\" does not name %s", last_finding,
               name);
}

/*
 * Who did it. A kunmap() too many takes another user's window away, and a forgotten one a slot for
 * ever; drivers had plenty of both, and kunmap_atomic() of an address that was not the window's own
 * went unnoticed for years (Minchan Kim on zsmalloc, 2014).
 */
static void case_culprits(struct test *t)
{
    struct page *page = alloc_pages(GFP_HIGHUSER | __GFP_THISZONE, 0);
    struct symbol_place place = {.name = "nobody"};
    struct kmap_open open = {0};

    if (!page) {
        test_skip(t, "no high memory");
        return;
    }
    check_names(t, "by unmap_twice", page, unmap_twice);
    check_names(t, "by unmap_wrong_local", page, unmap_wrong_local);
    culprit(page, map_and_forget);
    if (TEST_CHECK(t, kmap_open_windows(0, &open) != 0 && open.page == page && open.uses == 1,
                   "a window left open is not to be found")) {
        symbol_find((uint32_t)open.caller, &place);
        TEST_CHECK(t, strcmp(place.name, "map_and_forget") == 0,
                   "a window of map_and_forget is said to be %s's", place.name);
    }
    kunmap(page);
    __free_pages(page, 0);
}

static void abandon(void)
{
    if (set_taken)
        page_set_give_back(&set);
}

static const struct test_case cases[] = {
    {"past_the_end", case_past_the_end},
    {"arithmetic", case_arithmetic},
    {"above_4_gib", case_above_4_gib},
    {"across_a_switch", case_across_a_switch},
    {"freed_while_mapped", case_freed_while_mapped},
    {"freed_with_stale_slot", case_freed_with_stale_slot},
    {"recycled_slot", case_recycled_slot},
    {"freed_while_waited_for", case_freed_while_waited_for},
    {"culprits", case_culprits},
};

SUITE(kmap_bugs) = {
    .name = "kmap_bugs",
    .about = "what went wrong with windows in the field is stopped here",
    .rank = SUITE_RANK_WINDOWS,
    .cases = cases,
    .nr_cases = ARRAY_SIZE(cases),
    .abandon = abandon,
};
