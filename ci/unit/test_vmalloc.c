/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The region of vmalloc(), vmap() and ioremap() on a processor whose TLB keeps every translation
 * that was ever used until it is told not to. The model knows who owns each page of the region, and
 * what it should show.
 */
#include "ci/unit/unit.h"
#include "lib/finding.h"
#include "lib/inject.h"
#include "paging/cache_type.h"
#include "paging/ioremap.h"
#include "paging/page_alloc.h"
#include "paging/pgtable.h"
#include "paging/vmalloc.h"

#include "paging/vm_area.c"

#include <sys/mman.h>

#define REGION_BYTES MIB(16)
#define NR_PTES (REGION_BYTES / PAGE_SIZE)
#define AREAS_MAX 1500u
#define LOW_PFN 1000u
#define NR_PFN 9000u
#define NOBODY (-1)
#define GUARD (-2)

enum kind { REMAP_UC, REMAP_WC, REMAP_CACHED, MAPPED, ALLOCATED, KINDS };

static struct {
    pte_t ptes[NR_PTES], tlb[NR_PTES];
    int owner[NR_PTES]; /* an area's number, or one of the above */
    struct area {
        void *addr;
        phys_addr_t phys; /* of what ioremap() shows */
        size_t size;
        enum kind kind;
        unsigned first, pages;
        struct page *page[64]; /* of what vmap() shows */
    } area[AREAS_MAX];
    unsigned nr_areas;
    unsigned findings, flushes, cache_flushes;
    unsigned tables_left; /* calls of pgtable_pte() that succeed */
    unsigned blocks_left; /* and of alloc_pages() */
    unsigned largest_order;
    uint8_t taken[NR_PFN];
    unsigned nr_taken;
} m;

static struct page map[NR_PFN];
struct page *mem_map = map;
pfn_t max_pfn = NR_PFN;
pfn_t max_low_pfn = LOW_PFN;
struct page *highmem_map = map + LOW_PFN;
static uint8_t *region;

void finding(const char *fmt, ...)
{
    m.findings++;
}

void tlb_flush_all(void)
{
    memset(m.tlb, 0, sizeof(m.tlb));
    m.flushes++;
}

void cache_flush_all(void)
{
    m.cache_flushes++;
}

pte_t *pgtable_pte(virt_t addr, bool create)
{
    size_t page = (addr - layout.vmalloc_start) / PAGE_SIZE;

    assert_true(addr >= layout.vmalloc_start && addr < layout.vmalloc_end);
    if (create && m.tables_left-- == 0) {
        m.tables_left = 0;
        return NULL;
    }
    return &m.ptes[page];
}

/* The lowest free block of the zone, high memory from LOW_PFN on. */
struct page *alloc_pages(gfp_t gfp, unsigned order)
{
    bool high = (gfp & __GFP_ZONE_MASK) == ZONE_HIGHMEM;
    pfn_t end = high ? NR_PFN : LOW_PFN;

    assert_true(!high || (gfp & __GFP_THISZONE));
    if (order > m.largest_order || m.blocks_left == 0)
        return NULL;
    for (pfn_t pfn = ALIGN_UP(high ? LOW_PFN : 1, 1u << order); pfn + (1u << order) <= end;
         pfn += 1u << order) {
        if (memchr(m.taken + pfn, 1, 1u << order))
            continue;
        memset(m.taken + pfn, 1, 1u << order);
        m.nr_taken += 1u << order;
        m.blocks_left--;
        map[pfn] = (struct page){.order = order & 0xf, .allocated = 1};
        return &map[pfn];
    }
    return NULL;
}

void __free_pages(struct page *page, unsigned order)
{
    pfn_t pfn = page_to_pfn(page);

    assert_true(page->allocated && page->order == order);
    page->allocated = 0;
    memset(m.taken + pfn, 0, 1u << order);
    m.nr_taken -= 1u << order;
}

static void start(void)
{
    memset(&m, 0, sizeof(m));
    memset(&space, 0, sizeof(space));
    memset(&vm_counters, 0, sizeof(vm_counters));
    memset(map, 0, sizeof(map));
    for (unsigned i = 0; i < NR_PTES; i++)
        m.owner[i] = NOBODY;
    m.tables_left = m.blocks_left = UINT32_MAX;
    m.largest_order = MAX_ORDER;
    layout.vmalloc_start = (virt_t)region;
    layout.vmalloc_end = (virt_t)region + REGION_BYTES;
    layout.phys_bits = 40;
    layout.nx = PTE_NX;
    layout.write_combining = WRITE_COMBINING_BY_PAT;
}

static int setup(void **state)
{
    injected = NULL;
    start();
    return 0;
}

static int get_region(void **state)
{
    void *mem = mmap(NULL, REGION_BYTES + LARGE_PAGE_SIZE, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    region = (uint8_t *)ALIGN_UP((uintptr_t)mem, LARGE_PAGE_SIZE);
    return mem == MAP_FAILED;
}

/* What the processor sees at a page of the region: an entry, or 0 for a fault. */
static pte_t look(unsigned page)
{
    if (!m.tlb[page] && (m.ptes[page] & PTE_PRESENT))
        m.tlb[page] = m.ptes[page];
    return m.tlb[page];
}

static pte_t wanted_entry(const struct area *a, unsigned i)
{
    static const uint64_t cache[KINDS] = {
        [REMAP_UC] = PTE_PCD | PTE_PWT,
        [REMAP_WC] = PTE_PWT,
    };
    pte_t flags = PTE_PRESENT | PTE_WRITE | PTE_NX | cache[a->kind];

    if (a->kind == MAPPED)
        return page_to_phys(a->page[i]) | flags;
    return (ALIGN_DOWN(a->phys, PAGE_SIZE) + i * PAGE_SIZE) | flags;
}

/* An area shows all of its pages and is guarded; pages of vmalloc() are its own. */
static bool area_is_right(const struct area *a)
{
    for (unsigned i = 0; i < a->pages; i++) {
        pte_t entry = look(a->first + i);

        if (a->kind != ALLOCATED) {
            if (entry != wanted_entry(a, i))
                return false;
            continue;
        }
        struct page *page = vmalloc_to_page((char *)a->addr + i * PAGE_SIZE);
        if (entry != (page_to_phys(page) | PTE_PRESENT | PTE_WRITE | PTE_NX) ||
            !m.taken[page_to_pfn(page)])
            return false;
    }
    return !look(a->first + a->pages) && (a->first == 0 || !look(a->first - 1));
}

static bool note_area(struct area *a)
{
    unsigned number = (unsigned)(a - m.area);

    a->first = (unsigned)(((virt_t)a->addr - layout.vmalloc_start) / PAGE_SIZE);
    if (a->first + a->pages >= NR_PTES)
        return false;
    for (unsigned i = 0; i <= a->pages; i++) {
        unsigned page = a->first + i;

        /* Nobody's, and in no TLB but by what is there now. */
        if (m.owner[page] != NOBODY || (m.tlb[page] && m.tlb[page] != m.ptes[page]))
            return false;
        m.owner[page] = i < a->pages ? (int)number : GUARD;
    }
    m.nr_areas++;
    return area_is_right(a);
}

static bool make_area(struct prng *prng)
{
    struct area *a = &m.area[m.nr_areas];

    a->kind = prng_below(prng, KINDS);
    a->size = one_in(prng, 8) ? between(prng, 1, MIB(1)) : between(prng, 1, 6 * PAGE_SIZE);
    a->phys = prng_u64(prng) >> 24 >> 1;
    if (a->kind == MAPPED || a->kind == ALLOCATED) {
        a->size = MIN(a->size, sizeof(a->page) / sizeof(a->page[0]) * PAGE_SIZE);
        a->phys = 0;
    }
    a->pages = (unsigned)((a->phys % PAGE_SIZE + a->size + PAGE_MASK) / PAGE_SIZE);
    for (unsigned i = 0; a->kind == MAPPED && i < a->pages; i++)
        a->page[i] = &map[prng_below(prng, NR_PFN)];
    switch (a->kind) {
    case REMAP_UC:
        a->addr = ioremap(a->phys, a->size);
        break;
    case REMAP_WC:
        a->addr = ioremap_wc(a->phys, a->size);
        break;
    case REMAP_CACHED:
        a->addr = ioremap_cache(a->phys, a->size);
        break;
    case MAPPED:
        a->addr = vmap(a->page, a->pages, PAGE_KERNEL);
        break;
    default:
        a->addr = vmalloc(a->size);
    }
    if (!a->addr)
        return true; /* no room; what is left is looked at by others */
    if ((virt_t)a->addr % PAGE_SIZE != a->phys % PAGE_SIZE)
        return false;
    return note_area(a);
}

static void end_area(unsigned index)
{
    struct area *a = &m.area[index];

    if (a->kind == ALLOCATED)
        vfree(a->addr);
    else if (a->kind == MAPPED)
        vunmap(a->addr);
    else
        iounmap(a->addr);
    for (unsigned i = 0; i <= a->pages; i++)
        m.owner[a->first + i] = NOBODY;
    *a = m.area[--m.nr_areas];
    for (unsigned i = 0; index < m.nr_areas && i < a->pages; i++)
        m.owner[a->first + i] = (int)index;
}

static bool all_is_right(void)
{
    unsigned pages = 0, allocated = 0;

    for (unsigned i = 0; i < m.nr_areas; i++) {
        if (!area_is_right(&m.area[i]))
            return false;
        pages += m.area[i].pages;
        allocated += m.area[i].kind == ALLOCATED ? m.area[i].pages : 0;
    }
    for (unsigned i = 0; i < NR_PTES; i++)
        if ((m.owner[i] < 0) == (m.ptes[i] & PTE_PRESENT))
            return false;
    return vm_counters.areas == m.nr_areas && vm_counters.pages == pages &&
           m.nr_taken == allocated && m.findings == 0;
}

/* The stress that must pass on sound code, and fail on broken code. */
static bool stress(uint64_t seed, unsigned steps)
{
    struct prng prng;

    prng_seed(&prng, seed);
    for (unsigned i = 0; i < steps; i++) {
        unsigned most = i / 2000 % 2 ? 30 : 400;

        if (m.nr_areas && (m.nr_areas > most || one_in(&prng, 3)))
            end_area(prng_below(&prng, m.nr_areas));
        else if (!make_area(&prng))
            return false;
        if (i % 500 == 0 && !all_is_right())
            return false;
    }
    while (m.nr_areas)
        end_area(prng_below(&prng, m.nr_areas));
    return all_is_right();
}

static void random_areas(void **state)
{
    for (uint64_t seed = 1; seed <= 4; seed++) {
        start();
        assert_true(stress(seed, 20000));
        assert_true(vm_counters.flushes > 20);
        assert_int_equal(m.flushes, vm_counters.flushes);
        /* Lazily: a flush for many areas. */
        assert_true(vm_counters.flushes < vm_counters.taken / 20);
    }
}

static void mutations_are_caught(void **state)
{
    static const char *const names[] = {
        "vmalloc_no_guard",   "vmalloc_skip_flush", "vmalloc_reuse_early", "vmalloc_keep_mapped",
        "vmalloc_keep_pages", "vmap_lose_last",     "ioremap_lose_high",   "ioremap_lose_type",
    };

    for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
        injected = names[i];
        start();
        if (stress(1, 20000))
            fail_msg("%s is not caught", names[i]);
    }
}

static void full_region(void **state)
{
    unsigned count = 0;
    void *area;

    assert_null(ioremap(0, REGION_BYTES)); /* no room for its guard */
    area = ioremap(0, REGION_BYTES - PAGE_SIZE);
    assert_non_null(area);
    assert_null(ioremap(0, 1));
    iounmap(area);
    assert_int_equal(m.flushes, 0);
    /* Thousands of small ones, and all are had again. */
    for (unsigned round = 0; round < 2; round++) {
        static void *all[NR_PTES];

        for (count = 0; (all[count] = ioremap(count * MIB64(1), 1)) != NULL; count++)
            ;
        assert_int_equal(count, NR_PTES / 2);
        assert_int_equal(m.flushes, round + 1);
        assert_int_equal(vm_counters.areas, count);
        while (count)
            iounmap(all[--count]);
    }
    assert_true(vm_counters.failures > 0);
    assert_int_equal(m.findings, 0);
}

static void what_can_not_be_mapped(void **state)
{
    struct page *page = &map[5];

    assert_null(ioremap(0x1000, 0));
    assert_null(ioremap(BIT64(40), 1)); /* past MAXPHYADDR */
    assert_null(ioremap(BIT64(40) - 1, 2));
    assert_null(ioremap(UINT64_MAX, 1));
    assert_null(ioremap(UINT64_MAX, 2));
    assert_null(ioremap(0, SIZE_MAX));
    assert_null(ioremap(BIT64(63), MIB(1)));
    assert_non_null(ioremap(BIT64(40) - 1, 1));
    assert_null(vmalloc(0));
    assert_null(vmalloc(SIZE_MAX));
    assert_null(vmalloc(SIZE_MAX - PAGE_MASK));
    assert_null(vmalloc(REGION_BYTES));
    assert_null(vmap(&page, 0, PAGE_KERNEL));
    assert_int_equal(m.nr_taken, 0);
}

/* No memory for a page table in the middle of it: all is as before. */
static void no_memory_for_tables(void **state)
{
    for (unsigned way = 0; way < 4; way++) {
        start();
        /* A table for each 2 MiB is asked for; the area begins in front of one. */
        assert_non_null(ioremap(0, LARGE_PAGE_SIZE - 4 * PAGE_SIZE));
        m.tables_left = way % 2;
        if (way < 2)
            assert_null(ioremap(0x123456, 8 * PAGE_SIZE));
        else
            assert_null(vmalloc(8 * PAGE_SIZE));
        assert_int_equal(m.nr_taken, 0);
        assert_int_equal(vm_counters.areas, 1);
        for (unsigned i = LARGE_PAGE_SIZE / PAGE_SIZE - 4; i < NR_PTES; i++)
            assert_false(m.ptes[i] & PTE_PRESENT);
        m.tables_left = UINT32_MAX;
        assert_non_null(vmalloc(8 * PAGE_SIZE));
    }
}

/* High memory to its last page, in pieces if need be; then lowmem; then nothing, and all is back.
 */
static void where_pages_come_from(void **state)
{
    for (unsigned largest = 0; largest <= MAX_ORDER; largest += 5) {
        size_t high = (NR_PFN - LOW_PFN) / 3 * PAGE_SIZE;
        char *area[3];

        start();
        layout.vmalloc_end = layout.vmalloc_start + REGION_BYTES;
        m.largest_order = largest;
        /* The region is smaller than this memory: leave a little. */
        memset(m.taken + LOW_PFN + 600, 1, NR_PFN - LOW_PFN - 600);
        high = 400 * PAGE_SIZE;
        area[0] = vmalloc(high);
        for (size_t at = 0; at < high; at += PAGE_SIZE)
            assert_true(PageHighMem(vmalloc_to_page(area[0] + at)));
        area[1] = vmalloc(high); /* 200 pages of it */
        assert_non_null(area[1]);
        assert_true(PageHighMem(vmalloc_to_page(area[1])));
        assert_false(PageHighMem(vmalloc_to_page(area[1] + high - PAGE_SIZE)));
        assert_int_equal(m.nr_taken, 800);
        area[2] = vmalloc(1200 * PAGE_SIZE); /* more than there is */
        assert_null(area[2]);
        assert_int_equal(m.nr_taken, 800);
        vfree(area[1]);
        vfree(area[0]);
        assert_int_equal(m.nr_taken, 0);
        assert_int_equal(m.findings, 0);
    }
}

/* Memory ends at every block in turn. */
static void no_memory_for_pages(void **state)
{
    m.largest_order = 1;
    for (unsigned blocks = 0; blocks < 6; blocks++) {
        m.blocks_left = blocks;
        assert_null(vmalloc(12 * PAGE_SIZE));
        assert_int_equal(m.nr_taken, 0);
    }
    m.blocks_left = 6;
    assert_non_null(vmalloc(12 * PAGE_SIZE));
}

static void zeroed(void **state)
{
    uint8_t *area = vmalloc(5 * PAGE_SIZE);

    memset(area, 0xff, 6 * PAGE_SIZE);
    vfree(area);
    memset(&space, 0, sizeof(space)); /* the same addresses again */
    assert_ptr_equal(vzalloc(5 * PAGE_SIZE - 100), area);
    for (unsigned i = 0; i < 5 * PAGE_SIZE; i++)
        assert_int_equal(area[i], 0);
    assert_int_equal(area[5 * PAGE_SIZE], 0xff);
}

/* What the other types need: flushes before and after, and none with WB. */
static void cache_types(void **state)
{
    static const uint64_t flags[] = {
        [CACHE_WB] = 0,
        [CACHE_WC] = PTE_PWT,
        [CACHE_UC_MINUS] = PTE_PCD,
        [CACHE_UC] = PTE_PCD | PTE_PWT,
    };
    struct page *page = &map[2000];

    for (unsigned i = 0; i < ARRAY_SIZE(flags); i++) {
        unsigned flushes = m.flushes, cache = m.cache_flushes, other = i != CACHE_WB;
        void *window = vmap(&page, 1, PAGE_KERNEL | cache_type_flags((enum cache_type)i));
        pte_t entry = look((unsigned)(((virt_t)window - layout.vmalloc_start) / PAGE_SIZE));

        assert_int_equal(entry & (PTE_PCD | PTE_PWT), flags[i]);
        assert_int_equal(m.flushes, flushes + other);
        assert_int_equal(m.cache_flushes, cache + other);
        vunmap(window);
        assert_int_equal(m.cache_flushes, cache + 2 * other);
    }
    layout.write_combining = WRITE_COMBINING_BY_MTRR;
    assert_true(cache_type_flags(CACHE_WC) == PTE_PCD);
    assert_true((PAT_ENTRIES >> 32) == (uint32_t)PAT_ENTRIES);
}

static void bad_ends(void **state)
{
    struct page *page = &map[7];
    char *remap = ioremap(0xfebc0010, 0x3000), *alloc = vmalloc(3 * PAGE_SIZE);
    char *window = vmap(&page, 1, PAGE_KERNEL);

    iounmap(NULL);
    vfree(NULL);
    vunmap(NULL);
    assert_int_equal(m.findings, 0);
    iounmap(remap + PAGE_SIZE); /* not its first page */
    iounmap((void *)16);
    iounmap((void *)(layout.vmalloc_end + PAGE_SIZE));
    iounmap(alloc);
    iounmap(window);
    vfree(alloc + PAGE_SIZE);
    vfree(alloc + 16);
    vfree(remap);
    vfree(window);
    vunmap(alloc);
    vunmap(remap);
    assert_int_equal(m.findings, 11);
    assert_int_equal(vm_counters.areas, 3);
    assert_null(vmalloc_to_page(remap)); /* no page of ours is there */
    assert_null(vmalloc_to_page((void *)16));
    assert_null(vmalloc_to_page(window + PAGE_SIZE));
    assert_ptr_equal(vmalloc_to_page(window + 99), page);
    iounmap(remap + 3);
    vfree(alloc);
    vunmap(window);
    assert_int_equal(m.findings, 11);
    iounmap(remap);
    vfree(alloc);
    vunmap(window);
    assert_int_equal(m.findings, 14);
}

int main(void)
{
#define FRESH(test) cmocka_unit_test_setup(test, setup)
    const struct CMUnitTest tests[] = {
        FRESH(random_areas),         FRESH(mutations_are_caught),
        FRESH(full_region),          FRESH(what_can_not_be_mapped),
        FRESH(no_memory_for_tables), FRESH(where_pages_come_from),
        FRESH(no_memory_for_pages),  FRESH(zeroed),
        FRESH(cache_types),          FRESH(bad_ends),
    };

    return cmocka_run_group_tests_name("vmalloc", tests, get_region, NULL);
}
