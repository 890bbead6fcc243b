/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tlb: after the flush that should remove it, no translation is left; and what flushing costs.
 *
 * A mapping is a shape: its page size, what it shows, what it allows, global or not. Every shape is
 * turned into every other (which is remapping, unmapping, taking rights away, a 2 MiB page cut into
 * 4 KiB ones and back, global on and off, and all of these at once), with the old translation
 * cached by use, and then each kind of flush that SDM vol. 3A, 4.10.4.1 says is enough must show
 * the new shape to reads, writes and fetches. Further: ranges of each length, the top entries, that
 * the processor keeps in registers (4.4.1), and accessed and dirty bits, which come again when the
 * translation does (4.8).
 *
 * Why it can break: a range flushed one page too short, a page that is global and only CR3 written,
 * INVLPG on a 2 MiB page that was just cut; emulators that keep part of a 2 MiB translation after
 * an INVLPG in its middle (QEMU 7.2 does, for code); processors have errata about both. A break
 * shows as the two shapes, the flush, the address, what was found there and what was wanted.
 *
 * What a processor may keep is told, and never a failure: it is how much these checks are worth
 * here. Where nothing is kept without a flush, no stale translation can be found.
 */
#include "lib/x86/cpu.h"
#include "paging/ioremap.h"
#include "paging/kmap.h"
#include "paging/kmap_local.h"
#include "paging/page_alloc.h"
#include "paging/pgtable.h"
#include "paging/tlb.h"
#include "payload/cpu_facts.h"
#include "payload/tests/tlb_area.h"
#include "payload/tests/tlb_change.h"
#include "payload/tests/tlb_cost.h"
#include "payload/traps.h"

#define FOUR_GIB GIB64(4)
#define CR3_TABLE_MASK 0xffffffe0u

/* Ranges. The longest is well past the border between the two ways of tlb_flush_range(). */

#define RANGE_MAX (2 * TLB_RANGE_PAGES_MAX + 2)

struct range_place {
    const char *name;
    volatile char *start; /* of RANGE_MAX pages */
    uint64_t global;
};

static volatile uint32_t *range_word(const struct range_place *place, unsigned page)
{
    return (volatile uint32_t *)(place->start + page * PAGE_SIZE);
}

static void show_range(const struct tlb_area *area, const struct range_place *place, unsigned block,
                       unsigned pages)
{
    for (unsigned i = 0; i < pages; i++) {
        pte_t *entry = pgtable_pte((virt_t)place->start + i * PAGE_SIZE, false);

        pte_clear(entry);
        pte_set(entry, pte_make(area->block[block] + (uint64_t)i * PAGE_SIZE,
                                PTE_PRESENT | PTE_WRITE | layout.nx | place->global));
    }
}

static void try_range(struct test *t, const struct tlb_area *area, const struct range_place *place,
                      unsigned pages)
{
    show_range(area, place, 0, pages);
    tlb_flush_global();
    for (unsigned i = 0; i < pages; i++)
        (void)*range_word(place, i);
    show_range(area, place, 1, pages);
    tlb_flush_range((virt_t)place->start, pages);
    for (unsigned i = 0; i < pages; i++) {
        volatile uint32_t *addr = range_word(place, i);
        uint32_t value = *addr;

        TEST_CHECK(t, value == tlb_tag(1, i),
                   "%s, range of %u pages: page %u at %p shows 0x%08x, 0x%08x wanted", place->name,
                   pages, i, addr, value, tlb_tag(1, i));
    }
}

static bool is_border(unsigned pages)
{
    return pages <= 2 || pages - (TLB_RANGE_PAGES_MAX - 1) <= 2 || pages == RANGE_MAX;
}

static void case_ranges(struct test *t)
{
    const struct tlb_area *area = tlb_area_open(t);
    char *windows = area ? ioremap_cache(area->block[0], RANGE_MAX * PAGE_SIZE) : NULL;
    const struct range_place places[] = {
        {"pages", (volatile char *)TLB_AREA, 0},
        {"global pages", (volatile char *)TLB_AREA + LARGE_PAGE_SIZE, layout.global},
        {"windows", windows, 0},
    };

    if (area && !windows)
        test_error(t, "no room for %u windows", RANGE_MAX);
    for (unsigned pages = 1; windows && pages <= RANGE_MAX && !test_should_stop(t); pages++) {
        if (!is_border(pages) && tlb_is_left_out(t))
            continue;
        for (unsigned i = 0; i < ARRAY_SIZE(places); i++)
            try_range(t, area, &places[i], pages);
    }
    iounmap_cache(windows);
    tlb_area_close();
}

/*
 * The four top entries. The processor may obey a changed one only after CR3 is written, or CR4.PGE
 * changed (4.4.1); INVLPG takes the translation away that stands between, but not its register.
 */
static uint32_t read_area(void)
{
    uint32_t value = 0;

    probe_read32((void *)TLB_AREA, &value, NULL);
    return value;
}

static void check_shown(struct test *t, const char *after, uint32_t wanted)
{
    uint32_t value = read_area();

    TEST_CHECK(t, value == wanted, "after %s 0x%08x is shown, 0x%08x wanted", after, value, wanted);
}

static void say_top_entry_kind(struct test *t)
{
    uint32_t value = read_area();

    if (value == tlb_tag(0, 0))
        test_log(t, "top entries: in registers until CR3 is written, as on processors");
    else if (value == tlb_tag(1, 0))
        test_log(t, "top entries: read from memory in each walk, as emulators may");
    else
        test_fail(t, "a changed top entry shows neither the old page nor the new: 0x%08x", value);
}

static void case_top_entries(struct test *t)
{
    const struct tlb_area *area = tlb_area_open(t);
    const uint64_t flags = PTE_PRESENT | PTE_WRITE | layout.nx;
    pte_t *top, *spare;

    if (!area)
        return;
    top = (pte_t *)phys_to_virt(phys_make(cr3_read() & CR3_TABLE_MASK)) + pdpt_index(TLB_AREA);
    spare = phys_to_virt(area->spare_directory);
    pte_set(&area->table_entry[0], pte_make(area->block[0], flags));
    pte_set(&area->table_entry[PTRS_PER_TABLE], pte_make(area->block[1], flags));
    pte_set(&spare[directory_index(TLB_AREA)], area->directory_entry[1]);

    check_shown(t, "mapping", tlb_tag(0, 0));
    pte_set(top, pte_make(area->spare_directory, PTE_PRESENT));
    tlb_flush_page(TLB_AREA);
    say_top_entry_kind(t);
    tlb_flush_all();
    check_shown(t, "a CR3 write", tlb_tag(1, 0));
    pte_set(top, pte_make(area->directory, PTE_PRESENT));
    tlb_flush_global();
    check_shown(t, "CR4.PGE off and on", tlb_tag(0, 0));

    pgtable_set_directory(TLB_AREA, area->spare_directory);
    check_shown(t, "pgtable_set_directory()", tlb_tag(1, 0));
    pgtable_set_directory(TLB_AREA, 0);
    TEST_CHECK(t, !probe_read32((void *)TLB_AREA, NULL, NULL), "no directory, and no fault");
    pgtable_set_directory(TLB_AREA, area->directory);
    check_shown(t, "pgtable_set_directory() again", tlb_tag(0, 0));
    tlb_area_close();
}

/* What is global: the direct map with the image, nothing else, and CR4 says so. */

static void check_global(struct test *t, virt_t addr, const struct page_walk *walk)
{
    pte_t leaf = walk->size == PAGE_SIZE ? walk->pte : walk->pde;
    bool wanted = layout.global && addr < layout.high_memory;

    TEST_CHECK(t, !(leaf & PTE_GLOBAL) == !wanted, "0x%08lx is %s: entry 0x%llx",
               (unsigned long)addr, wanted ? "not global" : "global", (unsigned long long)leaf);
}

static void check_all_mappings(struct test *t)
{
    for (uint64_t addr = 0; addr < FOUR_GIB && !test_should_stop(t);) {
        struct page_walk walk;

        pgtable_walk(cr3_read(), (virt_t)addr, &walk);
        if (walk.present)
            check_global(t, (virt_t)addr, &walk);
        if (walk.levels == 1)
            addr += BIT64(PDPT_SHIFT);
        else
            addr += walk.levels == 2 ? LARGE_PAGE_SIZE : PAGE_SIZE;
    }
}

static void case_what_is_global(struct test *t)
{
    bool has_pge = cpu_facts.features & CPUID1_EDX_PGE;
    struct page *page = alloc_page(GFP_HIGHUSER);

    TEST_CHECK(t, !(cr4_read() & CR4_PGE) == !has_pge, "CR4 is 0x%08x, and the CPU has %sPGE",
               cr4_read(), has_pge ? "" : "no ");
    if (page) {
        void *window = kmap(page), *local = kmap_local_page(page);
        void *by_number = kmap_local_pfn(page_to_pfn(page));
        void *remapped = ioremap_cache(page_to_phys(page), PAGE_SIZE);

        check_all_mappings(t);
        iounmap_cache(remapped);
        kunmap_local(by_number);
        kunmap_local(local);
        (void)window;
        kunmap(page);
        __free_page(page);
    } else {
        check_all_mappings(t);
    }
    tlb_flush_global();
    TEST_CHECK(t, !(cr4_read() & CR4_PGE) == !has_pge, "after a global flush CR4 is 0x%08x",
               cr4_read());
}

/* What the machine keeps of KEPT_PAGES translations that all could be stale. */

#define KEPT_PAGES 16u

static void flush_nothing(void)
{
}

static void flush_page_behind(void)
{
    tlb_flush_page(TLB_AREA + KEPT_PAGES * PAGE_SIZE);
}

static void flush_all(void)
{
    tlb_flush_all();
}

static const struct kept_row {
    const char *what;
    bool global;
    void (*flush)(void);
} kept_rows[] = {
    {"without a flush", false, flush_nothing},
    {"INVLPG of the page behind them", false, flush_page_behind},
    {"a CR3 write, of global pages", true, flush_all},
};

static unsigned count_kept(const struct tlb_area *area, const struct kept_row *row)
{
    const struct range_place place = {"pages", (volatile char *)TLB_AREA,
                                      row->global ? layout.global : 0};
    unsigned kept = 0;

    show_range(area, &place, 0, KEPT_PAGES + 1);
    tlb_flush_global();
    for (unsigned i = 0; i < KEPT_PAGES + 1; i++)
        (void)*range_word(&place, i);
    show_range(area, &place, 1, KEPT_PAGES + 1);
    row->flush();
    for (unsigned i = 0; i < KEPT_PAGES; i++)
        kept += *range_word(&place, i) == tlb_tag(0, i);
    return kept;
}

static void case_what_is_kept(struct test *t)
{
    const struct tlb_area *area = tlb_area_open(t);

    for (unsigned i = 0; area && i < ARRAY_SIZE(kept_rows); i++) {
        const struct kept_row *row = &kept_rows[i];

        if (!row->global || layout.global)
            test_log(t, "kept: %s, %u of %u translations", row->what, count_kept(area, row),
                     KEPT_PAGES);
    }
    tlb_area_close();
}

static const struct test_case cases[] = {
    {"what_is_global", case_what_is_global},
    {"what_is_kept", case_what_is_kept},
    {"changes", tlb_case_changes},
    {"ranges", case_ranges},
    {"top_entries", case_top_entries},
    {"accessed_dirty", tlb_case_accessed_dirty},
    {"costs", tlb_case_costs},
};

SUITE(tlb) = {
    .name = "tlb",
    .about = "after the flush that should remove it, no translation is left",
    .rank = SUITE_RANK_FOUNDATION,
    .cases = cases,
    .nr_cases = ARRAY_SIZE(cases),
    .abandon = tlb_area_close,
};
