/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Page tables are built in an array that stands for physical memory, and then every page of the
 * address space is walked and compared with what the layout says.
 */
#include "ci/unit/unit.h"

/* The register is a variable here. */
#define LIB_X86_CPU_H
static uint32_t cr3_register;
static uint32_t cr3_read(void)
{
    return cr3_register;
}

static unsigned cr3_loads;
void tlb_flush_all(void)
{
    cr3_loads++;
}

#include "paging/belief.h"
#include "paging/ioremap.h"
#include "paging/kmap.h"
#include "paging/kmap_local.h"
#include "paging/pgtable.c"

#include <sys/mman.h>

#define RAM_BYTES MIB(80)
#define NR_PAGES (RAM_BYTES / PAGE_SIZE)
#define IMAGE (MIB64(4) - 0x2000) /* its text crosses a border of 2 MiB */

static struct {
    uint8_t *ram;
    bool usable[NR_PAGES]; /* before the tables took theirs */
    bool table[NR_PAGES];  /* seen as a table on a walk */
    struct memmap map;
    struct image_ranges image;
    phys_addr_t guards[2];
    uint32_t cr3, cr3_switch;
    unsigned large;
    unsigned pages_left; /* for alloc_pages() */
} m;

/* Tables that are added later come from the top of RAM, which the map never has. */
struct page *mem_map;

struct page *alloc_pages(gfp_t gfp, unsigned order)
{
    assert_int_equal(order, 0);
    if (m.pages_left == 0)
        return NULL;
    return mem_map + phys_to_pfn(layout.lowmem_end) - m.pages_left--;
}

static void add_ram(phys_addr_t start, phys_addr_t end)
{
    memmap_add(&m.map, start, end - start, MEM_USABLE, NULL);
    for (phys_addr_t at = ALIGN_UP(start, PAGE_SIZE); at + PAGE_SIZE <= end; at += PAGE_SIZE)
        if (at < RAM_BYTES)
            m.usable[at / PAGE_SIZE] = true;
}

static int build(virt_t page_offset, uint64_t nx, phys_addr_t ram_end)
{
    uint8_t *ram = m.ram;
    int error;

    memset(&m, 0, sizeof(m));
    m.ram = ram;
    memset(ram, 0xee, RAM_BYTES); /* tables must be cleared by who takes them */
    add_ram(0x1000, 0x9f400);
    add_ram(MIB64(1), MIB64(20) + 0x3000);
    add_ram(MIB64(22) + 0x5000, ram_end - MIB64(1));
    add_ram(GIB64(4), GIB64(6));
    memmap_sanitise(&m.map, NULL);
    m.guards[0] = IMAGE + 0x9000;
    m.guards[1] = IMAGE + 0xd000;
    m.image = (struct image_ranges){
        .text = IMAGE,
        .text_end = IMAGE + 0x4000,
        .rodata = IMAGE + 0x4000,
        .rodata_end = IMAGE + 0x6000,
        .data = IMAGE + 0x6000,
        .data_end = IMAGE + 0x12000,
        .guards = m.guards,
        .nr_guards = 2,
    };
    layout = (struct layout){.nx = nx, .global = nx ? PTE_GLOBAL : 0};
    layout_init(page_offset, ram_end);
    layout.direct_offset = (virt_t)ram; /* stands for the identity before paging */
    error = pgtable_build(&m.map, &m.image, &m.cr3, &m.cr3_switch);
    cr3_register = m.cr3;
    return error;
}

static bool page_is_usable(phys_addr_t phys)
{
    return phys < RAM_BYTES && m.usable[phys / PAGE_SIZE];
}

/* One page of the direct map is as the image and the memory map say. */
static bool direct_is_right(const struct page_walk *walk, phys_addr_t phys)
{
    bool text = phys >= m.image.text && phys < m.image.text_end;
    bool rodata = phys >= m.image.rodata && phys < m.image.rodata_end;
    pte_t leaf = walk->size == PAGE_SIZE ? walk->pte : walk->pde;

    if (walk->present && (leaf & PTE_GLOBAL) != layout.global)
        return false;
    if (!page_is_usable(phys) || phys == m.guards[0] || phys == m.guards[1])
        return !walk->present;
    return walk->present && walk->phys == phys && walk->writable == (!text && !rodata) &&
           walk->no_execute == (layout.nx && !text);
}

static void note_table(pte_t entry)
{
    m.table[pte_phys(entry) / PAGE_SIZE] = true;
}

/* Every page of the 4 GiB. */
static bool all_is_right(uint32_t cr3, bool identity)
{
    for (uint64_t addr = 0; addr < FOUR_GIB; addr += PAGE_SIZE) {
        phys_addr_t phys = addr - layout.page_offset;
        struct page_walk walk;

        pgtable_walk(cr3, (virt_t)addr, &walk);
        if (walk.levels > 1)
            note_table(walk.pdpte);
        if (walk.levels > 2)
            note_table(walk.pde);
        if (walk.pdpte & PTE_PRESENT && walk.pdpte & ~(PTE_PHYS_MASK | PTE_PRESENT))
            return false; /* reserved bits at this level */
        m.large += walk.present && walk.size == LARGE_PAGE_SIZE && addr % LARGE_PAGE_SIZE == 0;
        if (identity && addr < BIT(PDPT_SHIFT)) {
            if (!walk.present || walk.phys != addr || !walk.writable || walk.no_execute ||
                walk.pde & PTE_GLOBAL)
                return false;
        } else if (addr >= layout.page_offset && phys < layout.lowmem_end) {
            if (!direct_is_right(&walk, phys))
                return false;
        } else if (walk.present) {
            return false;
        }
    }
    return true;
}

static int get_ram(void **state)
{
    m.ram = mmap(NULL, RAM_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mem_map = calloc(NR_PAGES, sizeof(*mem_map));
    return m.ram == MAP_FAILED || !mem_map;
}

static int free_ram(void **state)
{
    free(mem_map);
    return munmap(m.ram, RAM_BYTES);
}

static void every_page(void **state)
{
    static const virt_t splits[] = {SPLIT_3G, SPLIT_2G, SPLIT_1G};

    for (unsigned i = 0; i < ARRAY_SIZE(splits); i++) {
        assert_int_equal(build(splits[i], i == 1 ? 0 : PTE_NX, MIB64(64) + 0x7000), 0);
        assert_true(all_is_right(m.cr3, false));
        /* 6..20 MiB and 24..62 MiB, in 2 MiB pages; not 2..6 MiB, where the image is */
        assert_int_equal(m.large, 7 + 19);
        assert_true(all_is_right(m.cr3_switch, true));
        assert_true(m.cr3_switch % 32 == 0 && m.cr3 % 32 == 0);
    }
}

/* Tables lie in lowmem that was free, and that nobody will take again. */
static void tables_are_taken(void **state)
{
    unsigned tables = 0;

    assert_int_equal(build(SPLIT_3G, PTE_NX, MIB64(64)), 0);
    assert_true(all_is_right(m.cr3, false));
    note_table(m.cr3 & ~PAGE_MASK);
    for (phys_addr_t phys = 0; phys < RAM_BYTES; phys += PAGE_SIZE) {
        if (!m.table[phys / PAGE_SIZE])
            continue;
        assert_true(page_is_usable(phys) && phys < layout.lowmem_end);
        assert_true(memmap_usable_bytes(&m.map, phys, phys + PAGE_SIZE) == 0);
        tables++;
    }
    /* Pointers, a directory, pkmap's two and fixmap's; and tables for the edges and the image */
    assert_in_range(tables, 8, 12);
}

static void window_tables(void **state)
{
    assert_int_equal(build(SPLIT_3G, PTE_NX, MIB64(64)), 0);
    pgtable_enter_paging();
    for (unsigned i = 0; i < LAST_PKMAP * 2; i++)
        assert_ptr_equal(&pkmap_ptes[i], pgtable_pte(PKMAP_BASE + i * PAGE_SIZE, false));
    for (unsigned i = 0; i < PTRS_PER_TABLE; i++)
        assert_ptr_equal(&fixmap_ptes[i], pgtable_pte(fix_to_virt(i), false));
    /* The large windows have their tables, and show nothing yet. */
    for (unsigned i = 0; i < KMAP_RANGE_WINDOWS; i++) {
        virt_t window = KMAP_RANGE_BASE + i * KMAP_RANGE_STRIDE;
        pte_t *directory = &kmap_range_directory[i * KMAP_RANGE_STRIDE / LARGE_PAGE_SIZE];
        phys_addr_t table = virt_to_phys(&kmap_range_ptes[i * PTRS_PER_TABLE]);

        assert_null(pgtable_pte(window, false));
        assert_true(table % PAGE_SIZE == 0 && page_is_usable(table));
        assert_true(memmap_usable_bytes(&m.map, table, table + PAGE_SIZE) == 0);
        pte_set(directory, pte_make(table, PTE_PRESENT | PTE_WRITE));
        for (unsigned n = 0; n < PTRS_PER_TABLE; n++) {
            pte_t *entry = pgtable_pte(window + n * PAGE_SIZE, false);

            assert_ptr_equal(entry, &kmap_range_ptes[i * PTRS_PER_TABLE + n]);
            assert_true(*entry == 0);
        }
        pte_clear(directory);
    }
}

static void entries_on_demand(void **state)
{
    virt_t at;
    pte_t *entry;
    struct page_walk walk;

    assert_int_equal(build(SPLIT_3G, PTE_NX, MIB64(64)), 0);
    at = layout.vmalloc_start + 5 * PAGE_SIZE;
    assert_null(pgtable_pte(at, false));
    assert_null(pgtable_pte(at, true)); /* no memory */
    m.pages_left = 1;
    entry = pgtable_pte(at, true);
    assert_non_null(entry);
    assert_true(*entry == 0);
    assert_ptr_equal(pgtable_pte(at, true), entry);
    pte_set(entry, pte_make(GIB64(40), PTE_PRESENT | PTE_NX));
    pgtable_walk(m.cr3, at + 0x123, &walk);
    assert_true(walk.present && walk.phys == GIB64(40) + 0x123);
    assert_true(walk.no_execute && !walk.writable);
    assert_int_equal(walk.levels, 3);
    pte_clear(entry);
    assert_true(all_is_right(m.cr3, false));
    assert_null(pgtable_pte(SPLIT_3G + MIB(8), true)); /* a 2 MiB page */
    assert_null(pgtable_pte(0x1000, false));
}

/* A top entry that changes under a processor that has all four in registers needs a CR3 write. */
static void top_entries_are_loaded(void **state)
{
    const virt_t below = 0x10000000;
    struct page_walk walk;

    assert_int_equal(build(SPLIT_3G, PTE_NX, MIB64(64)), 0);
    cr3_loads = 0;
    pgtable_set_directory(below, MIB64(10));
    pgtable_walk(m.cr3, below, &walk);
    assert_true(walk.pdpte == (MIB64(10) | PTE_PRESENT));
    assert_int_equal(cr3_loads, 1);
    pgtable_set_directory(below, 0);
    pgtable_walk(m.cr3, below, &walk);
    assert_false(walk.pdpte & PTE_PRESENT);
    assert_int_equal(cr3_loads, 2);
    m.pages_left = 2;
    assert_non_null(pgtable_pte(below, true)); /* a directory and a table */
    assert_int_equal(cr3_loads, 3);
    assert_non_null(pgtable_pte(below + PAGE_SIZE, true));
    assert_int_equal(cr3_loads, 3);
    injected = "tlb_skip_pdpte_reload";
    pgtable_set_directory(below, 0);
    assert_int_equal(cr3_loads, 3);
    injected = NULL;
}

/* At whatever allocation memory ends: an error, and no crash. */
static void too_little_memory(void **state)
{
    bool built = false;

    for (unsigned pages = 0; !built; pages++) {
        uint8_t *ram = m.ram;
        int error;

        assert_true(pages < 30);
        memset(&m, 0, sizeof(m));
        m.ram = ram;
        add_ram(MIB64(1), MIB64(1) + pages * (phys_addr_t)PAGE_SIZE);
        memmap_sanitise(&m.map, NULL);
        m.image = (struct image_ranges){.guards = m.guards};
        layout = (struct layout){.nx = 0};
        layout_init(SPLIT_3G, MIB64(64));
        layout.direct_offset = (virt_t)ram;
        error = pgtable_build(&m.map, &m.image, &m.cr3, &m.cr3_switch);
        assert_true(error == 0 || error == -ENOMEM);
        built = error == 0;
        assert_true(!built || pages >= 6);
    }
}

/* The first 2 MiB are never one page, even where they are all RAM: fixed-range MTRRs. */
static void memory_from_zero(void **state)
{
    struct page_walk walk;

    assert_int_equal(build(SPLIT_3G, 0, MIB64(64)), 0);
    add_ram(0, MIB64(2));
    memmap_sanitise(&m.map, NULL);
    assert_int_equal(pgtable_build(&m.map, &m.image, &m.cr3, &m.cr3_switch), 0);
    pgtable_walk(m.cr3, SPLIT_3G + 0x5000, &walk);
    assert_true(walk.present && walk.phys == 0x5000);
    assert_int_equal(walk.size, PAGE_SIZE);
}

static void mutations_are_caught(void **state)
{
    static const char *const names[] = {"paging_skip_nx",       "paging_text_writable",
                                        "paging_guard_mapped",  "paging_wrong_frame",
                                        "paging_keep_identity", "tlb_direct_not_global"};

    for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
        injected = names[i];
        assert_int_equal(build(SPLIT_3G, PTE_NX, MIB64(64)), 0);
        assert_false(all_is_right(m.cr3, false));
    }
    injected = NULL;
}

/* The books of the windows, which are all shut. */
bool ioremap_area(unsigned index, struct ioremap_area *area)
{
    return false;
}

bool kmap_slot(unsigned slot, pfn_t *pfn, bool *in_use)
{
    return false;
}

unsigned kmap_local_depth(void)
{
    return 0;
}

virt_t kmap_local_addr(unsigned index)
{
    return 0;
}

/* What the comparison of a belief with the tables came to. */
struct agreement {
    bool right;
    unsigned long pages; /* of 4 KiB, believed */
};

static void compare_run(void *ctx, const struct belief *run)
{
    struct agreement *agreement = ctx;
    uint64_t bytes = run->flags & PTE_LARGE ? LARGE_PAGE_SIZE : PAGE_SIZE;

    for (uint32_t i = 0; i < run->pages; i++) {
        struct page_walk walk;

        pgtable_walk(m.cr3, run->virt + i * (virt_t)bytes, &walk);
        pte_t leaf = walk.levels == 3 ? walk.pte : walk.pde;
        agreement->right &= walk.present && walk.size == bytes &&
                            walk.phys == run->phys + i * bytes &&
                            (leaf & ~PTE_PHYS_MASK) == (run->flags | PTE_PRESENT);
    }
    agreement->pages += run->pages * (bytes / PAGE_SIZE);
}

/* Every page that is mapped is believed, with its place, size and flags, and the other way round.
 */
static bool belief_is_right(void)
{
    const pte_t *pdpt = phys_to_virt(m.cr3);
    struct agreement agreement = {.right = true};
    unsigned long mapped = 0;

    for (uint64_t addr = 0; addr < FOUR_GIB; addr += PAGE_SIZE) {
        struct page_walk walk;

        pgtable_walk(m.cr3, (virt_t)addr, &walk);
        mapped += walk.present;
    }
    belief_tell(compare_run, &agreement);
    return agreement.right && agreement.pages == mapped && pgtable_top()->cr3 == m.cr3 &&
           memcmp(pgtable_top()->pdpte, pdpt, sizeof(pgtable_top()->pdpte)) == 0;
}

static void belief_and_tables_agree(void **state)
{
    static const virt_t splits[] = {SPLIT_3G, SPLIT_2G, SPLIT_1G};

    for (unsigned i = 0; i < ARRAY_SIZE(splits); i++) {
        assert_int_equal(build(splits[i], i == 1 ? 0 : PTE_NX, MIB64(64) + 0x7000), 0);
        assert_true(belief_is_right());
    }
}

static void belief_is_no_walk(void **state)
{
    static const char *const names[] = {"paging_skip_nx",          "paging_text_writable",
                                        "paging_guard_mapped",     "paging_wrong_frame",
                                        "paging_keep_identity",    "paging_user",
                                        "paging_pointer_uncached", "paging_global"};

    for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
        injected = names[i];
        assert_int_equal(build(SPLIT_3G, PTE_NX, MIB64(64)), 0);
        assert_false(belief_is_right());
    }
    injected = NULL;
}

static void layouts(void **state)
{
    static const virt_t splits[] = {SPLIT_3G, SPLIT_2G, SPLIT_1G};

    for (unsigned i = 0; i < ARRAY_SIZE(splits); i++) {
        for (phys_addr_t end = MIB64(16); end < GIB64(70); end += end / 3 + 0x1234) {
            layout_init(splits[i], end);
            assert_true(layout.lowmem_end <= end && layout.lowmem_end % PAGE_SIZE == 0);
            assert_true(layout.lowmem_end == ALIGN_DOWN(end, PAGE_SIZE) ||
                        layout.high_memory == LOWMEM_VIRT_END);
            assert_true(layout.high_memory == splits[i] + layout.lowmem_end);
            assert_true(layout.high_memory + VMALLOC_OFFSET <= layout.vmalloc_start);
            assert_true(layout.vmalloc_start + MIB(64) < layout.vmalloc_end);
            assert_true(layout.vmalloc_end + 2 * PAGE_SIZE <= KMAP_RANGE_BASE);
            assert_true(layout.vmalloc_end - layout.vmalloc_start <= VMALLOC_MAX_BYTES);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_page),
        cmocka_unit_test(tables_are_taken),
        cmocka_unit_test(window_tables),
        cmocka_unit_test(entries_on_demand),
        cmocka_unit_test(too_little_memory),
        cmocka_unit_test(memory_from_zero),
        cmocka_unit_test(mutations_are_caught),
        cmocka_unit_test(layouts),
        cmocka_unit_test(belief_and_tables_agree),
        cmocka_unit_test(belief_is_no_walk),
        cmocka_unit_test(top_entries_are_loaded),
    };

    return cmocka_run_group_tests_name("pgtable", tests, get_ram, free_ram);
}
