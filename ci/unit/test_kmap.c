/* SPDX-License-Identifier: BSD-2-Clause */
#define KMAP_LOCAL_UNDER_TEST

#include "ci/unit/unit.h"
#include "lib/finding.h"
#include "lib/inject.h"
#include "lib/x86/percpu.h"
#include "paging/kmap.h"
#include "paging/kmap_local.h"
#include "paging/page_alloc.h"
#include "paging/pgtable.h"
#include "paging/tlb.h"

/*
 * A processor made of three arrays: page tables, and a TLB that keeps every translation that was
 * ever used until it is told not to, as a real one may. Reading through a window gives the number
 * of the page that the TLB has for it.
 */

#define LOW_PFN 100u
#define NR_PFN 3000u
#define NR_PTES 1024u
#define WINDOW_PAGE_MASK (~(virt_t)PAGE_MASK)
#define NO_PAGE UINT32_MAX

static struct {
    struct page map[NR_PFN];
    pte_t pkmap[NR_PTES];
    pte_t fixmap[NR_PTES];
    pte_t tlb[2 * NR_PTES]; /* pkmap's, then the fixmap's */
    uint32_t uses[NR_PFN];  /* the model: kmap() without kunmap() */
    void *window[NR_PFN];   /* where those are */
    unsigned nr_used;       /* pages with uses */
    unsigned nr_findings;
    unsigned full_flushes, page_flushes;
    struct cpu cpu;
} m;

struct page *mem_map = m.map;
pfn_t max_pfn = NR_PFN;
pfn_t max_low_pfn = LOW_PFN;
struct page *highmem_map = m.map + LOW_PFN;
pte_t *pkmap_ptes = m.pkmap;
pte_t *fixmap_ptes = m.fixmap;

struct cpu *this_cpu(void)
{
    return &m.cpu;
}

void finding(const char *fmt, ...)
{
    m.nr_findings++;
}

void tlb_flush_all(void)
{
    memset(m.tlb, 0, sizeof(m.tlb));
    m.full_flushes++;
}

static pte_t *tlb_entry(virt_t addr, pte_t **entry)
{
    bool fixed = addr >= FIXADDR_START;
    size_t index = (addr - (fixed ? FIXADDR_START : PKMAP_BASE)) >> PAGE_SHIFT;

    assert_true(index < NR_PTES);
    *entry = fixed ? &m.fixmap[index] : &m.pkmap[index];
    return &m.tlb[index + (fixed ? NR_PTES : 0)];
}

void tlb_flush_page(virt_t addr)
{
    pte_t *entry;

    *tlb_entry(addr, &entry) = 0;
    m.page_flushes++;
}

/* Which page a read at this address sees; NO_PAGE if it would fault. */
static uint32_t read_at(virt_t addr)
{
    pte_t *entry, *cached;

    if (addr < PKMAP_BASE)
        return (uint32_t)((addr - layout.direct_offset) >> PAGE_SHIFT);
    cached = tlb_entry(addr, &entry);
    if (!*cached && (*entry & PTE_PRESENT))
        *cached = *entry;
    return *cached ? phys_to_pfn(pte_phys(*cached)) : NO_PAGE;
}

static void start(void)
{
    kmap_reset();
    memset(&m, 0, sizeof(m));
    layout.direct_offset = SPLIT_3G;
    layout.nx = PTE_NX;
    kmap_local_init(&m.cpu);
}

static int setup(void **state)
{
    injected = NULL;
    start();
    return 0;
}

/* Both neighbours of a window must fault. */
static bool guarded(virt_t addr)
{
    virt_t page = addr & WINDOW_PAGE_MASK;

    return read_at(page + PAGE_SIZE) == NO_PAGE &&
           (page == PKMAP_BASE || read_at(page - PAGE_SIZE) == NO_PAGE);
}

/* One step of kmap() and kunmap(); returns false if a window shows a wrong page or is unguarded. */
static bool step(struct prng *prng, uint32_t working_set, uint32_t most_used)
{
    pfn_t pfn = LOW_PFN + prng_below(prng, working_set);
    struct page *page = pfn_to_page(pfn);

    if (m.nr_used >= most_used || one_in(prng, 2)) {
        if (!m.uses[pfn])
            return true;
        kunmap(page);
        if (--m.uses[pfn] == 0) {
            m.window[pfn] = NULL;
            m.nr_used--;
        }
        return true;
    }
    void *window = kmap(page);
    if (!window)
        return false;
    if (m.window[pfn] && m.window[pfn] != window)
        return false;
    m.window[pfn] = window;
    m.nr_used += m.uses[pfn]++ == 0;
    return page_address(page) == window && read_at((virt_t)window) == pfn &&
           guarded((virt_t)window);
}

/* All windows in use still show their pages, none is shared, and the counts agree. */
static bool all_right(void)
{
    unsigned free_slots, used_slots, used = 0;
    static bool taken[LAST_PKMAP];

    memset(taken, 0, sizeof(taken));
    for (pfn_t pfn = LOW_PFN; pfn < NR_PFN; pfn++) {
        if (!m.uses[pfn]) {
            if (page_address(pfn_to_page(pfn)))
                return false;
            continue;
        }
        unsigned slot = (unsigned)(((virt_t)m.window[pfn] - PKMAP_BASE) / PKMAP_STRIDE);
        if (taken[slot] || read_at((virt_t)m.window[pfn]) != pfn)
            return false;
        taken[slot] = true;
        used++;
    }
    kmap_usage(&free_slots, &used_slots);
    return used_slots == used && free_slots + used_slots <= LAST_PKMAP;
}

/* The stress that must pass on sound code, and fail on broken code. */
static bool stress(uint64_t seed)
{
    struct prng prng;

    prng_seed(&prng, seed);
    for (int i = 0; i < 200000; i++) {
        uint32_t working_set = i / 5000 % 2 ? 2500 : 600;

        if (!step(&prng, working_set, i / 10000 % 2 ? LAST_PKMAP : 100))
            return false;
        if (i % 500 == 0 && !all_right())
            return false;
    }
    return m.nr_findings == 0;
}

static void random_use(void **state)
{
    memset(&kmap_counters, 0, sizeof(kmap_counters));
    assert_true(stress(1));
    assert_true(kmap_counters.wraps > 20);
    assert_true(kmap_counters.hits > 1000);
    assert_true(kmap_counters.maps > 10000);
    assert_int_equal(m.page_flushes, 0);
    assert_true(m.full_flushes <= kmap_counters.wraps); /* lazily: never more than one a wrap */
}

static void mutations_are_caught(void **state)
{
    static const char *const names[] = {"kmap_skip_flush", "kmap_lose_count", "kmap_guard_mapped"};

    for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
        injected = names[i];
        start();
        assert_false(stress(1));
    }
}

static void lowmem_takes_no_slot(void **state)
{
    unsigned free_slots, used_slots;

    for (pfn_t pfn = 1; pfn < LOW_PFN; pfn++) {
        struct page *page = pfn_to_page(pfn);

        assert_int_equal(read_at((virt_t)kmap(page)), pfn);
        assert_ptr_equal(page_address(page), kmap(page));
        kunmap(page);
        kunmap(page);
    }
    kmap_usage(&free_slots, &used_slots);
    assert_int_equal(free_slots, LAST_PKMAP);
    assert_int_equal(used_slots, 0);
    assert_int_equal(m.nr_findings, 0);
}

static void all_windows_in_use(void **state)
{
    uint32_t before = kmap_counters.exhausted;
    unsigned free_slots, used_slots;

    for (pfn_t i = 0; i < LAST_PKMAP; i++)
        assert_non_null(kmap(pfn_to_page(LOW_PFN + i)));
    assert_null(kmap(pfn_to_page(LOW_PFN + LAST_PKMAP)));
    assert_int_equal(kmap_counters.exhausted, before + 1);
    assert_non_null(kmap(pfn_to_page(LOW_PFN))); /* who has one gets it again */
    kunmap(pfn_to_page(LOW_PFN));
    for (pfn_t i = 0; i < LAST_PKMAP; i += 3) {
        void *old = page_address(pfn_to_page(LOW_PFN + i));

        kunmap(pfn_to_page(LOW_PFN + i));
        assert_null(page_address(pfn_to_page(LOW_PFN + i)));
        assert_ptr_equal(kmap(pfn_to_page(LOW_PFN + 1000 + i)), old);
        assert_int_equal(read_at((virt_t)old), LOW_PFN + 1000 + i);
        assert_null(kmap(pfn_to_page(LOW_PFN + 2000)));
    }
    kmap_usage(&free_slots, &used_slots);
    assert_int_equal(used_slots, LAST_PKMAP);
    assert_int_equal(kmap_reset(), LAST_PKMAP);
    kmap_usage(&free_slots, &used_slots);
    assert_int_equal(free_slots, LAST_PKMAP);
    for (pfn_t pfn = LOW_PFN; pfn < NR_PFN; pfn++)
        assert_int_equal(pfn_to_page(pfn)->kmap, 0);
}

static void bad_unmaps(void **state)
{
    struct page *page = pfn_to_page(LOW_PFN + 7);

    kunmap(page);
    assert_int_equal(m.nr_findings, 1);
    kmap(page);
    kunmap(page);
    kunmap(page); /* its slot is stale, not in use */
    assert_int_equal(m.nr_findings, 2);
}

/* A page goes free with a stale window, and its descriptor is used for something else. */
static void forgotten_windows(void **state)
{
    struct page *page = pfn_to_page(LOW_PFN + 5);
    struct page linked;

    kmap(page);
    assert_false(kmap_forget(page));
    kunmap(page);
    assert_true(kmap_forget(page));
    assert_int_equal(page->kmap, 0);
    page->prev = 77;
    page->free = 1;
    linked = *page;
    assert_null(page_address(page));
    for (pfn_t i = 0; i < 2 * LAST_PKMAP; i++) { /* a whole turn of the hand */
        assert_non_null(kmap(pfn_to_page(LOW_PFN + 1000 + i)));
        kunmap(pfn_to_page(LOW_PFN + 1000 + i));
    }
    assert_memory_equal(page, &linked, sizeof(linked));
}

/* kmap_local */

#define DEPTH KMAP_LOCAL_DEPTH

static bool local_stress(uint64_t seed)
{
    void *window[DEPTH];
    pfn_t pfn[DEPTH];
    unsigned depth = 0;
    struct prng prng;

    prng_seed(&prng, seed);
    m.cpu.index = prng_below(&prng, NR_CPUS);
    kmap_local_init(&m.cpu);
    for (int i = 0; i < 20000; i++) {
        if (depth == DEPTH || (depth && one_in(&prng, 2))) {
            depth--;
            kunmap_local((char *)window[depth] + prng_below(&prng, PAGE_SIZE));
            if (read_at((virt_t)window[depth]) != NO_PAGE)
                return false;
        } else {
            pfn[depth] = one_in(&prng, 2) ? between(&prng, LOW_PFN, NR_PFN - 1)
                                          : between(&prng, NR_PFN, UINT32_MAX >> 4);
            window[depth] = pfn[depth] < NR_PFN ? kmap_local_page(pfn_to_page(pfn[depth]))
                                                : kmap_local_pfn(pfn[depth]);
            if ((virt_t)window[depth] != kmap_local_addr(depth))
                return false;
            depth++;
        }
        if (kmap_local_depth() != depth)
            return false;
        for (unsigned d = 0; d < depth; d++)
            if (read_at((virt_t)window[d]) != pfn[d] || !guarded((virt_t)window[d]))
                return false;
    }
    kmap_local_unwind(0);
    return kmap_local_depth() == 0 && m.nr_findings == 0;
}

static void nesting(void **state)
{
    for (uint64_t seed = 0; seed < 4; seed++) {
        start();
        assert_true(local_stress(seed));
        assert_int_equal(m.full_flushes, 0);
    }
}

static void local_mutations_are_caught(void **state)
{
    static const char *const names[] = {"kmap_local_skip_invlpg", "kmap_local_share_slot"};

    for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
        injected = names[i];
        start();
        assert_false(local_stress(1));
    }
}

static void local_misuse(void **state)
{
    void *first = kmap_local_pfn(LOW_PFN), *second = kmap_local_pfn(LOW_PFN + 1);

    kunmap_local(first); /* not the last one */
    assert_int_equal(m.nr_findings, 1);
    assert_int_equal(kmap_local_depth(), 2);
    assert_int_equal(read_at((virt_t)first), LOW_PFN);
    kunmap_local(second);
    kunmap_local(second);
    assert_int_equal(m.nr_findings, 2);
    kunmap_local(first);
    kunmap_local(first);
    assert_int_equal(m.nr_findings, 3);
    kunmap_local(phys_to_virt(PAGE_SIZE)); /* lowmem: nothing to do */
    assert_int_equal(m.nr_findings, 3);
    for (unsigned i = 0; i < DEPTH; i++)
        assert_non_null(kmap_local_pfn(LOW_PFN + i));
    assert_null(kmap_local_pfn(LOW_PFN));
    assert_int_equal(m.nr_findings, 4);
    assert_int_equal(kmap_local_depth(), DEPTH);
    kmap_local_unwind(3);
    assert_int_equal(kmap_local_depth(), 3);
    assert_int_equal(read_at(kmap_local_addr(2)), LOW_PFN + 2);
    assert_int_equal(read_at(kmap_local_addr(3)), NO_PAGE);
    assert_int_equal(read_at((virt_t)kmap_local_page(pfn_to_page(3))), 3);
    assert_int_equal(kmap_local_depth(), 3);
}

/* No two processors share a slot or a guard, and none reaches the scratch slots or the end. */
static void slots_of_all_cpus(void **state)
{
    virt_t before = FIXADDR_START;

    for (m.cpu.index = 0; m.cpu.index < NR_CPUS; m.cpu.index++)
        for (unsigned d = 0; d < DEPTH; d++) {
            assert_true(kmap_local_addr(d) >= before + PAGE_SIZE);
            before = kmap_local_addr(d) + PAGE_SIZE;
        }
    assert_true(before + PAGE_SIZE <= fix_to_virt(FIX_SCRATCH));
    assert_true(fix_to_virt(FIX_SCRATCH + FIX_SCRATCH_SLOTS) <= FIXADDR_TOP);
    assert_true(pkmap_addr(LAST_PKMAP) <= FIXADDR_START);
}

int main(void)
{
#define FRESH(test) cmocka_unit_test_setup(test, setup)
    const struct CMUnitTest tests[] = {
        FRESH(random_use),
        FRESH(mutations_are_caught),
        FRESH(lowmem_takes_no_slot),
        FRESH(all_windows_in_use),
        FRESH(bad_unmaps),
        FRESH(forgotten_windows),
        FRESH(nesting),
        FRESH(local_mutations_are_caught),
        FRESH(local_misuse),
        FRESH(slots_of_all_cpus),
    };

    return cmocka_run_group_tests_name("kmap", tests, NULL, NULL);
}
