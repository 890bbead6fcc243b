/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ioremap: a window by physical address shows that address, all 64 bits of it, with the cache type
 * that was asked for.
 *
 * Entries are read back through a walk of the tables, and their bits looked up in the processor's
 * own IA32_PAT. Pages are written through one type of window and read through another, by the
 * rules.
 *
 * Why it can break: an address or a size cut to 32 bits on its way; a PAT that firmware left
 * otherwise, or an emulator that ignores it; two types for one page at once. A break shows as the
 * entry, or as the word that was seen and the one wanted.
 */
#include "paging/ioremap.h"
#include "lib/prng.h"
#include "lib/x86/cpu.h"
#include "paging/kmap_local.h"
#include "paging/pgtable.h"
#include "paging/vmalloc.h"
#include "payload/cpu_facts.h"
#include "payload/tests/highmem_set.h"
#include "payload/traps.h"

#define FOUR_GIB phys_make(GIB64(4))
#define ALIAS_ROUNDS 200u
#define FAR_PAGES 16u
#define OPCODE_RET 0xc3u

static struct page_set set;
static struct page *taken;

static void abandon(void)
{
    page_set_give_back(&set);
    if (taken)
        __free_page(taken);
    taken = NULL;
}

static struct page *take_page(struct test *t)
{
    taken = alloc_page(GFP_HIGHUSER);
    if (!taken)
        test_error(t, "no memory for a page");
    return taken;
}

static void walk_to(const void *addr, struct page_walk *walk)
{
    pgtable_walk(cr3_read(), (virt_t)addr, walk);
}

static bool has_pat(void)
{
    return cpu_facts.features & CPUID1_EDX_PAT;
}

/* Types as the processor decides: by its PAT, or as ever since the 486 (SDM vol. 3A, table 12-6).
 */
static unsigned type_of_entry(pte_t entry)
{
    static const uint8_t without_pat[] = {PAT_WB, PAT_WB, PAT_UC_MINUS, PAT_UC};
    unsigned index = ((entry & PTE_PWT) ? 1 : 0) | ((entry & PTE_PCD) ? 2 : 0);

    return has_pat() ? rdmsr(MSR_PAT) >> (8 * index) & 0xff : without_pat[index];
}

static const struct {
    const char *name;
    enum cache_type type;
    unsigned pat;
} types[] = {
    {"write-back", CACHE_WB, PAT_WB},
    {"write-combining", CACHE_WC, PAT_WC},
    {"uncached unless an MTRR says otherwise", CACHE_UC_MINUS, PAT_UC_MINUS},
    {"uncached", CACHE_UC, PAT_UC},
};

static unsigned wanted_pat(unsigned index)
{
    return types[index].type == CACHE_WC && !has_pat() ? PAT_UC_MINUS : types[index].pat;
}

static void check_type(struct test *t, const char *what, const void *addr, unsigned index)
{
    struct page_walk walk;

    walk_to(addr, &walk);
    TEST_CHECK(t, walk.present && type_of_entry(walk.pte) == wanted_pat(index),
               "%s %s: entry 0x%016llx has type %u, %u wanted", types[index].name, what,
               (unsigned long long)walk.pte, type_of_entry(walk.pte), wanted_pat(index));
}

/*
 * All that ioremap() and its like give, in one shape: what it is made of is looked at here, not
 * what is behind it. NULL for the type that none of them gives.
 */
static void *remap(enum cache_type type, phys_addr_t phys, size_t size)
{
    if (type == CACHE_WB)
        return ioremap_cache(phys, size);
    if (type == CACHE_WC)
        return (__force void *)ioremap_wc(phys, size);
    return type == CACHE_UC ? (__force void *)ioremap(phys, size) : NULL;
}

static void end_remap(enum cache_type type, const void *addr)
{
    if (type == CACHE_WB)
        iounmap_cache(addr);
    else
        iounmap((__force const void __iomem *)addr);
}

/* The entries alone; memory that is in use is not touched through another type. */
static void case_types(struct test *t)
{
    struct page *page = take_page(t);
    const uint64_t pat = has_pat() ? rdmsr(MSR_PAT) : 0;

    if (!page)
        return;
    for (unsigned i = 0; i < ARRAY_SIZE(types); i++) {
        void *window = vmap(&page, 1, PAGE_KERNEL | cache_type_flags(types[i].type));
        void *remapped = remap(types[i].type, page_to_phys(page) + 5, PAGE_SIZE);

        check_type(t, "vmap", window, i);
        if (types[i].type != CACHE_UC_MINUS)
            check_type(t, "ioremap", remapped, i);
        end_remap(types[i].type, remapped);
        vunmap(window);
    }
    /* For the entries that have the PAT bit on processors that ignore it. */
    TEST_CHECK(t, pat >> 32 == (uint32_t)pat, "the halves of IA32_PAT differ: 0x%016llx",
               (unsigned long long)pat);
    if (!has_pat())
        test_log(t, "this CPU has no PAT: write-combining is what MTRRs make it");
    abandon();
}

static uint32_t word_of(struct page *page)
{
    const volatile uint32_t *window = kmap_local_page(page);
    uint32_t word = *window;

    kunmap_local((const void *)window);
    return word;
}

static void set_word_of(struct page *page, uint32_t word)
{
    volatile uint32_t *window = kmap_local_page(page);

    *window = word;
    kunmap_local((const void *)window);
}

/*
 * One page through windows of different types, one after the other. With both in use at once it is
 * a well-known way to lose data: in January 2002 the Athlon, which may write a cache line back that
 * it only fetched on speculation, destroyed what graphics cards had written through the AGP
 * aperture, since Linux and Windows still had the same pages cached in large pages of their direct
 * map. Linux got change_page_attr() of it (SDM vol. 3A, 12.12.4 has today's rule). By the rule,
 * nothing is lost.
 */
static void case_aliases(struct test *t)
{
    struct page *page = take_page(t);

    for (unsigned round = 0; page && round < ALIAS_ROUNDS && !test_should_stop(t); round++) {
        unsigned i = prng_below(test_prng(t), ARRAY_SIZE(types));
        uint32_t before = prng_u32(test_prng(t)), after = prng_u32(test_prng(t)), seen;
        volatile uint32_t *window;

        set_word_of(page, before);
        window = vmap(&page, 1, PAGE_KERNEL | cache_type_flags(types[i].type));
        if (!TEST_CHECK(t, window != NULL, "no room for a window"))
            break;
        seen = *window;
        TEST_CHECK(t, seen == before, "%s window to 0x%09llx: 0x%08x, 0x%08x wanted", types[i].name,
                   addr_number(page_to_phys(page)), seen, before);
        *window = after;
        vunmap((const void *)window);
        seen = word_of(page);
        TEST_CHECK(t, seen == after, "0x%09llx after a %s window: 0x%08x, 0x%08x wanted",
                   addr_number(page_to_phys(page)), types[i].name, seen, after);
    }
    abandon();
}

static void case_protection(struct test *t)
{
    struct page *page = take_page(t);
    struct fault_record fault;
    uint32_t *window;

    if (!page)
        return;
    set_word_of(page, OPCODE_RET);
    window = vmap(&page, 1, PAGE_KERNEL_RO);
    if (TEST_CHECK(t, window != NULL, "no room for a window")) {
        TEST_CHECK(t,
                   !probe_write32(window, 1, &fault) && fault.vector == VECTOR_PF &&
                       fault.error_code == (PF_PRESENT | PF_WRITE),
                   "a read-only window can be written");
        TEST_CHECK(t, word_of(page) == OPCODE_RET, "the page behind a read-only window changed");
        if (layout.nx)
            TEST_CHECK(t, !probe_exec(window, &fault), "code ran in a window of vmap()");
    }
    vunmap(window);
    abandon();
}

static void check_physical(struct test *t, const char *window, phys_addr_t phys, size_t size)
{
    for (size_t at = 0; at < size; at += PAGE_SIZE) {
        struct page_walk walk;

        walk_to(window + at, &walk);
        if (!TEST_CHECK(t, walk.present && walk.phys == phys + at,
                        "%p shows physical 0x%llx, 0x%llx wanted", window + at,
                        addr_number(walk.phys), addr_number(phys + at)))
            return;
    }
}

/*
 * Ranges about 4 GiB and at the end of what the processor can address: only their entries are
 * looked at, for there may be anything. In 32 bits they end before they begin, or are empty: Linux
 * took the pages below 4 GiB to be none on 32-bit machines until 2020 ("x86/dma: Fix max PFN
 * arithmetic overflow on 32 bit systems"), and its mask of a page, 32 bits wide, has taken the
 * upper half of many an address away on PAE.
 */
static void case_over_4g(struct test *t)
{
    const phys_addr_t end = phys_make(BIT64(layout.phys_bits));
    const struct {
        phys_addr_t phys;
        size_t size;
    } good[] =
        {
            {FOUR_GIB - PAGE_SIZE, 2 * PAGE_SIZE},
            {FOUR_GIB - 1, 2},
            {FOUR_GIB - MIB(2), MIB(4)},
            {FOUR_GIB - PAGE_SIZE, PAGE_SIZE},
            {FOUR_GIB, PAGE_SIZE},
            {FOUR_GIB + 0xfffff000, 3 * PAGE_SIZE},
            {end - PAGE_SIZE, PAGE_SIZE},
            {end - MIB(2), MIB(2)},
        },
      bad[] = {
          {end, 1},
          {end - 1, 2},
          {PHYS_ADDR_MAX, 1},
          {PHYS_ADDR_MAX, 2},
          {0, SIZE_MAX},
          {FOUR_GIB - 1, SIZE_MAX},
          {phys_make(BIT64(63)), 4096},
          {FOUR_GIB, 0},
          {PHYS_ADDR_MAX - PAGE_MASK, PAGE_SIZE},
      };

    for (unsigned i = 0; i < ARRAY_SIZE(good); i++) {
        bool possible = good[i].phys + good[i].size <= end;
        const char *window = remap(CACHE_UC, good[i].phys, good[i].size);

        if (!TEST_CHECK(t, (window != NULL) == possible, "ioremap(0x%llx, 0x%x) is %p",
                        addr_number(good[i].phys), (unsigned)good[i].size, window) ||
            !window)
            continue;
        check_physical(t, window, good[i].phys, good[i].size);
        TEST_CHECK(
            t, !probe_read32(window + ALIGN_UP(good[i].size, PAGE_SIZE) + PAGE_SIZE, NULL, NULL),
            "the guard after 0x%llx can be read", addr_number(good[i].phys));
        end_remap(CACHE_UC, window);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++)
        TEST_CHECK(t, !ioremap(bad[i].phys, bad[i].size), "ioremap(0x%llx, 0x%x) can be had",
                   addr_number(bad[i].phys), (unsigned)bad[i].size);
}

/* Memory above 4 GiB, by its physical address. */
static void case_far_memory(struct test *t)
{
    uint32_t found = 0;

    if (!highmem_set_take(t, &set))
        return;
    for (uint32_t n = 0; n < set.nr_visited && found < FAR_PAGES; n++) {
        uint32_t index = set.nr_visited - 1 - n * MAX(set.nr_visited / FAR_PAGES, 1u);
        struct page *page;
        volatile uint32_t *window;
        uint32_t word = prng_u32(test_prng(t));

        if (index >= set.nr_visited)
            break;
        page = pfn_to_page(page_set_pfn(&set, index));
        if (page_to_phys(page) < FOUR_GIB)
            break;
        set_word_of(page, word);
        window = ioremap_cache(page_to_phys(page), PAGE_SIZE);
        if (!TEST_CHECK(t, window != NULL, "no room for a window"))
            break;
        TEST_CHECK(t, *window == word, "window to 0x%09llx: 0x%08x, 0x%08x wanted",
                   addr_number(page_to_phys(page)), *window, word);
        iounmap_cache((const void *)window);
        found++;
    }
    if (!found)
        test_skip(t, "no memory above 4 GiB");
    page_set_give_back(&set);
}

static const struct test_case cases[] = {
    {"types", case_types},     {"aliases", case_aliases},       {"protection", case_protection},
    {"over_4g", case_over_4g}, {"far_memory", case_far_memory},
};

SUITE(ioremap) = {
    .name = "ioremap",
    .about = "a window by physical address shows it, with the cache type asked for",
    .rank = SUITE_RANK_WINDOWS,
    .cases = cases,
    .nr_cases = ARRAY_SIZE(cases),
    .abandon = abandon,
};
