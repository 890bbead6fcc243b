/* SPDX-License-Identifier: BSD-2-Clause */
#include "ci/unit/unit.h"
#include "lib/finding.h"
#include "paging/ioremap.h"
#include "paging/layout.h"
#include "paging/pgtable.h"
#include "paging/tlb.h"

#define NR_PTES (VMALLOC_MAX_BYTES / PAGE_SIZE)
#define AREAS 300u /* more than there are */

static struct {
    pte_t ptes[NR_PTES];
    uint8_t owner[NR_PTES]; /* the model: 0, or 1 for a page that is mapped */
    struct {
        void *addr;
        phys_addr_t phys;
        size_t size;
    } area[AREAS];
    unsigned nr_areas;
    unsigned nr_findings;
    unsigned flushes;
    unsigned tables_left; /* calls of pgtable_pte() that succeed */
} m;

bool inject_host(const char *name)
{
    return false;
}

void finding(const char *fmt, ...)
{
    m.nr_findings++;
}

void tlb_flush_page(virt_t addr)
{
    size_t page = (addr - layout.vmalloc_start) / PAGE_SIZE;

    assert_true(page < NR_PTES);
    assert_false(m.ptes[page] & PTE_PRESENT); /* first the entry, then the flush */
    m.flushes++;
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

static int setup(void **state)
{
    memset(&m, 0, sizeof(m));
    m.tables_left = UINT32_MAX;
    layout_init(SPLIT_3G, GIB64(4));
    layout.phys_bits = 40;
    layout.nx = PTE_NX;
    return 0;
}

static void assert_like_model(void)
{
    for (size_t i = 0; i < NR_PTES; i++)
        assert_int_equal(m.ptes[i] & PTE_PRESENT, m.owner[i]);
}

static size_t pages_of(phys_addr_t phys, size_t size)
{
    return (size_t)((phys % PAGE_SIZE + size + PAGE_SIZE - 1) / PAGE_SIZE);
}

static void *mapped(phys_addr_t phys, size_t size, bool cached)
{
    void *addr = cached ? ioremap_cache(phys, size) : ioremap(phys, size);
    size_t first = ((virt_t)addr - layout.vmalloc_start) / PAGE_SIZE, count = pages_of(phys, size);

    if (!addr)
        return NULL;
    assert_true((virt_t)addr >= layout.vmalloc_start);
    assert_true((virt_t)addr + size <= layout.vmalloc_end - PAGE_SIZE); /* room for the guard */
    assert_int_equal((virt_t)addr % PAGE_SIZE, phys % PAGE_SIZE);
    for (size_t i = 0; i < count; i++) {
        uint64_t cache = cached ? 0 : PTE_PCD | PTE_PWT;

        assert_int_equal(m.owner[first + i], 0);
        assert_true(m.ptes[first + i] == ((ALIGN_DOWN(phys, PAGE_SIZE) + i * PAGE_SIZE) |
                                          PTE_PRESENT | PTE_WRITE | PTE_NX | cache));
        m.owner[first + i] = 1;
    }
    assert_int_equal(m.owner[first + count], 0); /* guards on both sides */
    assert_true(first == 0 || m.owner[first - 1] == 0);
    m.area[m.nr_areas].addr = addr;
    m.area[m.nr_areas].phys = phys;
    m.area[m.nr_areas++].size = size;
    return addr;
}

static void unmap(unsigned index)
{
    size_t first = ((virt_t)m.area[index].addr - layout.vmalloc_start) / PAGE_SIZE;
    size_t count = pages_of(m.area[index].phys, m.area[index].size);
    unsigned before = m.flushes;

    iounmap(m.area[index].addr);
    assert_int_equal(m.flushes, before + count);
    memset(m.owner + first, 0, count);
    m.area[index] = m.area[--m.nr_areas];
}

static void unmap_all(void)
{
    while (m.nr_areas)
        unmap(m.nr_areas / 2);
    assert_like_model();
    assert_int_equal(m.nr_findings, 0);
}

static void random_areas(void **state)
{
    struct prng prng;

    prng_seed(&prng, 1);
    for (int i = 0; i < 5000; i++) {
        if (m.nr_areas && one_in(&prng, m.nr_areas > 100 ? 1 : 3))
            unmap(prng_below(&prng, m.nr_areas));
        else
            mapped(prng_u64(&prng) >> 24 >> 1, between(&prng, 1, one_in(&prng, 8) ? MIB(8) : 20000),
                   one_in(&prng, 3));
        if (i % 100 == 0)
            assert_like_model();
    }
    unmap_all();
}

static void full_space(void **state)
{
    size_t room = layout.vmalloc_end - layout.vmalloc_start;

    assert_null(mapped(0, room, false)); /* no room for its guard */
    assert_non_null(mapped(0, room - PAGE_SIZE, false));
    assert_null(mapped(0, 1, false));
    unmap_all();
    for (unsigned i = 0; mapped(0xfee00000, 1, false); i++)
        assert_true(i < AREAS);
    assert_in_range(m.nr_areas, 100, AREAS - 1); /* the table of areas is full */
    unmap(7);
    assert_non_null(mapped(0xfee00ff0, 0x11, false));
    unmap_all();
}

static void what_can_not_be_mapped(void **state)
{
    assert_null(ioremap(0x1000, 0));
    assert_null(ioremap(BIT64(40), 1)); /* past MAXPHYADDR */
    assert_null(ioremap(BIT64(40) - 1, 2));
    assert_null(ioremap(UINT64_MAX, 2));
    assert_null(ioremap(0, SIZE_MAX));
    assert_null(ioremap(BIT64(63), MIB(1)));
    assert_non_null(mapped(BIT64(40) - 1, 1, false));
    unmap_all();
}

/* No memory for a page table in the middle of it: all is as before. */
static void out_of_memory(void **state)
{
    for (unsigned pages = 0; pages < 8; pages++) {
        m.tables_left = pages;
        assert_null(ioremap(0x123456, 8 * PAGE_SIZE));
        assert_like_model();
    }
    m.tables_left = UINT32_MAX;
    assert_non_null(mapped(0x123456, 8 * PAGE_SIZE, false));
    unmap_all();
}

static void bad_unmaps(void **state)
{
    void *addr = mapped(0xfebc0010, 0x3000, false);

    iounmap(NULL);
    assert_int_equal(m.nr_findings, 0);
    iounmap((char *)addr + PAGE_SIZE); /* not its first page */
    assert_int_equal(m.nr_findings, 1);
    iounmap((void *)16); /* page 0: not an area, and not a free place in the table of them */
    assert_int_equal(m.nr_findings, 2);
    iounmap((void *)0xc0000000);
    assert_int_equal(m.nr_findings, 3);
    assert_like_model();
    m.nr_findings = 0;
    unmap_all();
    iounmap(addr);
    assert_int_equal(m.nr_findings, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(random_areas, setup),
        cmocka_unit_test_setup(full_space, setup),
        cmocka_unit_test_setup(what_can_not_be_mapped, setup),
        cmocka_unit_test_setup(out_of_memory, setup),
        cmocka_unit_test_setup(bad_unmaps, setup),
    };

    return cmocka_run_group_tests_name("ioremap", tests, NULL, NULL);
}
