/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which translations are left after each kind of flush. The processor is a model of a TLB that
 * keeps all it may: whatever was used stays until INVLPG names its page, CR3 is written (global
 * ones stay), or CR4.PGE changes.
 */
#define TLB_UNDER_TEST
#define LIB_X86_CPU_H
#include "ci/unit/unit.h"

#define CR4_PAE BIT(5)
#define CR4_PGE BIT(7)

#define CACHED_MAX 1024u
#define HIGH_MEMORY 0xd0000000u
#define BORDER (HIGH_MEMORY - 4 * PAGE_SIZE)

static struct {
    struct {
        virt_t page;
        bool global;
    } cached[CACHED_MAX];
    unsigned nr_cached;
    uint32_t cr4;
    unsigned invlpgs, cr3_writes, pge_changes;
} m;

static uint32_t cr3_read(void)
{
    return 0x1000;
}

static uint32_t cr4_read(void)
{
    return m.cr4;
}

static void drop(bool (*goes)(unsigned i, virt_t page), virt_t page)
{
    unsigned left = 0;

    for (unsigned i = 0; i < m.nr_cached; i++) {
        if (!goes(i, page))
            m.cached[left++] = m.cached[i];
    }
    m.nr_cached = left;
}

static bool is_page(unsigned i, virt_t page)
{
    return m.cached[i].page == page;
}

static bool is_not_global(unsigned i, virt_t page)
{
    (void)page;
    return !m.cached[i].global;
}

static void invlpg(virt_t addr)
{
    m.invlpgs++;
    drop(is_page, addr & ~(virt_t)0xfff);
}

static void cr3_write(uint32_t value)
{
    assert_int_equal(value, 0x1000);
    m.cr3_writes++;
    drop(is_not_global, 0);
}

static void cr4_write(uint32_t value)
{
    assert_true(value & CR4_PAE); /* nothing else may change */
    if ((value ^ m.cr4) & CR4_PGE) {
        m.pge_changes++;
        m.nr_cached = 0;
    }
    m.cr4 = value;
}

#include "paging/tlb.c"

static void cache(virt_t addr, bool global)
{
    assert_true(m.nr_cached < CACHED_MAX);
    m.cached[m.nr_cached].page = addr & ~(virt_t)PAGE_MASK;
    m.cached[m.nr_cached++].global = global && layout.global && m.cr4 & CR4_PGE;
}

static bool is_cached(virt_t page)
{
    for (unsigned i = 0; i < m.nr_cached; i++)
        if (m.cached[i].page == page)
            return true;
    return false;
}

static void boot(bool has_pge)
{
    memset(&m, 0, sizeof(m));
    m.cr4 = CR4_PAE;
    memset(&tlb_counters, 0, sizeof(tlb_counters));
    layout = (struct layout){.high_memory = HIGH_MEMORY, .global = has_pge ? PTE_GLOBAL : 0};
    tlb_init();
}

/* Translations of a range and of its neighbours, of the direct map global and of windows not. */
static void fill(virt_t start, unsigned pages)
{
    m.nr_cached = 0;
    for (unsigned i = 0; i < pages + 2; i++) {
        virt_t page = start + (i - 1) * PAGE_SIZE;

        cache(page, page < layout.high_memory);
    }
}

/* Flushes ranges of all sizes up to well past the border between the two ways. */
static bool ranges_are_flushed(bool has_pge, virt_t start)
{
    for (unsigned pages = 0; pages < 3 * TLB_RANGE_PAGES_MAX; pages++) {
        boot(has_pge);
        fill(start, pages);
        tlb_flush_range(start + pages % PAGE_SIZE, pages);
        for (unsigned i = 0; i < pages; i++)
            if (is_cached(start + i * PAGE_SIZE))
                return false;
        if (!(m.cr4 & CR4_PGE) != !has_pge)
            return false;
    }
    return true;
}

static const virt_t places[] = {
    0x10000000,                              /* below everything: a test's own */
    SPLIT_3G,                                /* the direct map */
    BORDER,                                  /* its end, and what is after it */
    HIGH_MEMORY,                             /* the first that is not global */
    PKMAP_BASE,                              /* windows */
    0u - 3 * TLB_RANGE_PAGES_MAX *PAGE_SIZE, /* up to the end of the address space */
};

static bool all_ranges(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(places); i++)
        if (!ranges_are_flushed(true, places[i]) || !ranges_are_flushed(false, places[i]))
            return false;
    return true;
}

static void ranges(void **state)
{
    assert_true(all_ranges());
}

/* The cheapest way that is right, and the neighbours kept where it can. */
static void ways(void **state)
{
    static const struct {
        bool has_pge;
        virt_t start;
        unsigned pages;
        unsigned invlpgs, cr3_writes, pge_changes;
    } table[] = {
        {true, PKMAP_BASE, 0, 0, 0, 0},
        {true, PKMAP_BASE, 1, 1, 0, 0},
        {true, PKMAP_BASE, TLB_RANGE_PAGES_MAX, TLB_RANGE_PAGES_MAX, 0, 0},
        {true, PKMAP_BASE, TLB_RANGE_PAGES_MAX + 1, 0, 1, 0},
        {true, SPLIT_3G, 1, 1, 0, 0},
        {true, SPLIT_3G, TLB_RANGE_PAGES_MAX, TLB_RANGE_PAGES_MAX, 0, 0},
        {true, SPLIT_3G, TLB_RANGE_PAGES_MAX + 1, 0, 0, 2},
        {true, BORDER, TLB_RANGE_PAGES_MAX + 1, 0, 0, 2},
        {true, HIGH_MEMORY, TLB_RANGE_PAGES_MAX + 1, 0, 1, 0},
        {false, SPLIT_3G, TLB_RANGE_PAGES_MAX, TLB_RANGE_PAGES_MAX, 0, 0},
        {false, SPLIT_3G, TLB_RANGE_PAGES_MAX + 1, 0, 1, 0},
    };

    for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
        boot(table[i].has_pge);
        m.pge_changes = 0;
        fill(table[i].start, table[i].pages);
        tlb_flush_range(table[i].start, table[i].pages);
        assert_int_equal(m.invlpgs, table[i].invlpgs);
        assert_int_equal(m.cr3_writes, table[i].cr3_writes);
        assert_int_equal(m.pge_changes, table[i].pge_changes);
        assert_int_equal(tlb_counters.page, m.invlpgs);
        assert_int_equal(tlb_counters.full, m.cr3_writes);
        assert_int_equal(tlb_counters.global, m.pge_changes / 2);
        if (table[i].pages <= TLB_RANGE_PAGES_MAX)
            assert_int_equal(m.nr_cached, 2); /* the neighbours */
    }
}

/* What each flush leaves of a global and of an ordinary translation. */
static void kinds(void **state)
{
    const virt_t direct = SPLIT_3G, window = PKMAP_BASE;

    for (int has_pge = 0; has_pge <= 1; has_pge++) {
        boot(has_pge);
        assert_int_equal(!!(m.cr4 & CR4_PGE), has_pge);
        fill(direct, 1);
        fill(window, 1);
        cache(direct, true);
        tlb_flush_all();
        assert_false(is_cached(window));
        assert_int_equal(is_cached(direct), has_pge);
        cache(direct, true);
        cache(window, false);
        tlb_flush_page(direct + 0x123);
        assert_false(is_cached(direct));
        assert_true(is_cached(window));
        cache(direct, true);
        tlb_flush_global();
        assert_int_equal(m.nr_cached, 0);
        assert_int_equal(!!(m.cr4 & CR4_PGE), has_pge);
        tlb_flush_global(); /* and again: PGE was left as it was */
        assert_int_equal(tlb_counters.global, has_pge ? 2 : 0);
        assert_int_equal(tlb_counters.full, has_pge ? 1 : 3);
    }
}

static void mutations_are_caught(void **state)
{
    static const char *const names[] = {"tlb_skip_all",
                                        "tlb_skip_page",
                                        "tlb_skip_global",
                                        "tlb_leave_pge_off",
                                        "tlb_range_ends_early",
                                        "tlb_range_skip_big",
                                        "tlb_range_forgets_global",
                                        "tlb_global_by_cr3"};

    for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
        injected = names[i];
        assert_false(all_ranges());
    }
    injected = "tlb_pge_never_on";
    boot(true);
    assert_false(m.cr4 & CR4_PGE);
    injected = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges),
        cmocka_unit_test(ways),
        cmocka_unit_test(kinds),
        cmocka_unit_test(mutations_are_caught),
    };

    return cmocka_run_group_tests_name("tlb", tests, NULL, NULL);
}
