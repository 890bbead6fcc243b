/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/inject.h"
#include "lib/x86/cpu.h"
#include "paging/kmap_local.h"
#include "paging/page_alloc.h"
#include "paging/preempt.h"
#include "paging/tlb.h"
#include "payload/tests/lowmem_spaces.h"
#include "payload/traps.h"

#define KEPT_BITS (~(PTE_ACCESSED | PTE_DIRTY)) /* the processor sets the others by itself */
#define PROBES_SEGMENT 20u
#define PROBES_OTHER 8u
#define SPARSE_STEP 8u /* entries; that of SPACE_PROGRAM is among them */
#define PROGRAM_REGION ALIGN_DOWN(SPACE_PROGRAM, LARGE_PAGE_SIZE)

static unsigned number_of(const struct lowmem_spaces *spaces, const struct lowmem_space *space)
{
    return (unsigned)(space - spaces->space);
}

/* The page behind an entry of a directory must be one that its owner knows by this number. */
static bool is_table(struct lowmem_spaces *spaces, const struct lowmem_space *space, virt_t addr,
                     pte_t entry)
{
    pfn_t pfn = phys_to_pfn(pte_phys(entry));
    uint32_t wanted = lowmem_space_table_index(spaces, space, addr);
    const struct page *page = pfn_valid(pfn) ? pfn_to_page(pfn) : NULL;

    if (page && page->owner == spaces->owner.id && page->index == wanted)
        return true;
    test_fail(spaces->lab->t,
              "space %u, 0x%08lx: physical 0x%llx is no page table of it: owner %u, number 0x%x, "
              "%u and 0x%x wanted",
              number_of(spaces, space), (unsigned long)addr, addr_number(pte_phys(entry)),
              page ? page->owner : 0, page ? page->index : 0, spaces->owner.id, wanted);
    return false;
}

static void entry_is_wrong(struct lowmem_spaces *spaces, const struct lowmem_space *space,
                           virt_t addr, pte_t found, pte_t wanted)
{
    test_fail(spaces->lab->t, "space %u, 0x%08lx: entry 0x%llx, 0x%llx wanted",
              number_of(spaces, space), (unsigned long)addr, (unsigned long long)found,
              (unsigned long long)wanted);
}

static pte_t table_entry_wanted(const struct lowmem_spaces *spaces,
                                const struct lowmem_space *space, virt_t addr, pte_t first)
{
    /* Within 2 MiB frames follow each other. */
    if (first)
        return first + (pte_t)table_index(addr) * PAGE_SIZE;
    return lowmem_space_entry(spaces, space, addr);
}

/* Every so many, and the last one. */
static unsigned next_entry(unsigned i, unsigned step)
{
    return i + step < PTRS_PER_TABLE || i == PTRS_PER_TABLE - 1 ? i + step : PTRS_PER_TABLE - 1;
}

static void check_table(struct lowmem_spaces *spaces, const struct lowmem_space *space,
                        virt_t first, pte_t directory)
{
    bool sparse = test_depth(spaces->lab->t) == DEPTH_SPARSE;
    unsigned step = sparse ? SPARSE_STEP : 1;
    pte_t first_wanted = lowmem_space_entry(spaces, space, first);
    const pte_t *table = kmap_local_page(phys_to_page(pte_phys(directory)));

    for (unsigned i = 0; i < PTRS_PER_TABLE; i = next_entry(i, step)) {
        virt_t addr = first + i * PAGE_SIZE;
        pte_t found = pte_get(&table[i]) & KEPT_BITS;
        pte_t wanted = table_entry_wanted(spaces, space, addr, first_wanted);

        spaces->entries_checked++;
        if (found != wanted) {
            entry_is_wrong(spaces, space, addr, found, wanted);
            break;
        }
    }
    kunmap_local(table);
}

static void check_large(struct lowmem_spaces *spaces, const struct lowmem_space *space, virt_t addr,
                        pte_t entry)
{
    pte_t wanted = lowmem_space_entry(spaces, space, addr) | PTE_LARGE;

    if ((entry & KEPT_BITS) != wanted)
        entry_is_wrong(spaces, space, addr, entry, wanted);
    spaces->entries_checked++;
}

static bool wants_table(const struct lowmem_space *space, virt_t addr)
{
    if (addr == PROGRAM_REGION)
        return true;
    return addr >= space->segment && addr - space->segment < space->tables * LARGE_PAGE_SIZE;
}

/* False if one is wrong; with `entries` those of the page tables are looked at as well. */
static bool check_directory(struct lowmem_spaces *spaces, const struct lowmem_space *space,
                            virt_t first, const pte_t *directory, bool entries)
{
    bool right = true;

    for (unsigned i = 0; i < PTRS_PER_TABLE && !test_should_stop(spaces->lab->t); i++) {
        virt_t addr = first + i * LARGE_PAGE_SIZE;
        pte_t entry = pte_get(&directory[i]);
        bool wanted = wants_table(space, addr);

        if (wanted != ((entry & PTE_PRESENT) != 0)) {
            test_fail(spaces->lab->t, "space %u, 0x%08lx: directory entry 0x%llx, %s wanted",
                      number_of(spaces, space), (unsigned long)addr, (unsigned long long)entry,
                      wanted ? "a page table" : "none");
            right = false;
        } else if (wanted && spaces->large && addr != PROGRAM_REGION) {
            check_large(spaces, space, addr, entry);
        } else if (wanted) {
            right &= is_table(spaces, space, addr, entry);
            if (right && entries)
                check_table(spaces, space, addr, entry);
        }
    }
    return right;
}

static bool check_space(struct lowmem_spaces *spaces, const struct lowmem_space *space,
                        bool entries)
{
    unsigned kernel = pdpt_index(layout.page_offset);
    bool right = true;

    for (unsigned i = 0; i < PTRS_PER_PDPT; i++) {
        /* QEMU sets the accessed bit here too. */
        pte_t pointer = pte_get(&space->pointers[i]) & ~PTE_ACCESSED,
              wanted = pgtable_top()->pdpte[i];
        virt_t first = (virt_t)(i << PDPT_SHIFT);

        if (i < kernel && pointer & PTE_PRESENT)
            right &=
                check_directory(spaces, space, first, phys_to_virt(pte_phys(pointer)), entries);
        if (i >= kernel)
            right &= TEST_CHECK(spaces->lab->t, pointer == wanted,
                                "space %u, 0x%08lx: pointer 0x%llx, the payload has 0x%llx",
                                number_of(spaces, space), (unsigned long)first,
                                (unsigned long long)pointer, (unsigned long long)wanted);
    }
    return right;
}

void lowmem_space_check(struct lowmem_spaces *spaces, const struct lowmem_space *space)
{
    check_space(spaces, space, true);
}

void lowmem_spaces_check(struct lowmem_spaces *spaces)
{
    for (uint32_t i = 0; i < spaces->nr_slots && !test_should_stop(spaces->lab->t); i++)
        if (spaces->space[i].pointers)
            lowmem_space_check(spaces, &spaces->space[i]);
}

static void add_probe(struct lowmem_spaces *spaces, virt_t addr, bool mapped, uint32_t wanted)
{
    if (spaces->nr_probes < SPACE_PROBES)
        spaces->probe[spaces->nr_probes++] =
            (struct space_probe){.addr = addr, .mapped = mapped, .wanted = wanted};
}

/* A page of the segment that is stamped, and that the space has. UINT32_MAX: it has none. */
static uint32_t any_stamped(struct lowmem_spaces *spaces, const struct lowmem_space *space)
{
    uint32_t pages = space->tables * PTRS_PER_TABLE;

    if (!pages)
        return UINT32_MAX;
    return prng_below(spaces->lab->prng, pages / spaces->stamp_every) * spaces->stamp_every;
}

/* What the space shows at an address: only what is stamped can be told. */
static void add_own(struct lowmem_spaces *spaces, const struct lowmem_space *space, uint32_t index)
{
    size_t offset;
    uint32_t stamp = lowmem_segment_stamp(spaces, index, &offset);

    add_probe(spaces, space->segment + index * PAGE_SIZE + offset, true, stamp);
}

/* Where the space visited before had a page: what is there now is ours, or nothing. */
static void add_other(struct lowmem_spaces *spaces, const struct lowmem_space *space,
                      const struct lowmem_space *other)
{
    uint32_t index = any_stamped(spaces, other);
    virt_t addr = other->segment + index * PAGE_SIZE;

    if (index == UINT32_MAX)
        return;
    if (addr >= space->segment && addr - space->segment < space->tables * LARGE_PAGE_SIZE)
        add_own(spaces, space, (uint32_t)(addr - space->segment) / PAGE_SIZE);
    else
        add_probe(spaces, addr, false, 0);
}

static void choose_probes(struct lowmem_spaces *spaces, const struct lowmem_space *space,
                          const struct lowmem_space *other)
{
    spaces->nr_probes = 0;
    add_probe(spaces, SPACE_PROGRAM, space->program != NULL, lowmem_space_stamp(spaces, space));
    add_probe(spaces, 0, false, 0);
    add_probe(spaces, space->segment - sizeof(uint32_t), false, 0);
    add_probe(spaces, space->segment + space->tables * LARGE_PAGE_SIZE, false, 0);
    for (unsigned i = 0; i < PROBES_SEGMENT && space->tables; i++)
        add_own(spaces, space, any_stamped(spaces, space));
    for (unsigned i = 0; other && i < PROBES_OTHER; i++)
        add_other(spaces, space, other);
}

/* The page table of an address of the live space, as a window. */
static pte_t *open_table(const struct lowmem_space *space, virt_t addr)
{
    const pte_t *directory = phys_to_virt(pte_phys(space->pointers[pdpt_index(addr)]));

    return kmap_local_page(phys_to_page(pte_phys(directory[directory_index(addr)])));
}

/*
 * While it is live: the page at probe[which] goes, and another comes in its place, and the first
 * comes back. The processor must see each as soon as it is flushed. Fills in *gone and *changed.
 */
static void change_live(const struct lowmem_space *space, struct space_probe *gone,
                        struct space_probe *changed, pte_t other)
{
    pte_t *window = open_table(space, gone->addr), *entry = window + table_index(gone->addr);
    pte_t before = pte_get(entry);

    pte_clear(entry);
    tlb_flush_page(gone->addr);
    gone->done = probe_read32((void *)gone->addr, &gone->found, NULL);
    pte_set(entry, other);
    changed->done = probe_read32((void *)changed->addr, &changed->found, NULL);
    pte_clear(entry);
    tlb_flush_page(gone->addr);
    pte_set(entry, before & KEPT_BITS);
    kunmap_local(window);
}

static void run_probes(struct lowmem_spaces *spaces)
{
    for (unsigned i = 0; i < spaces->nr_probes; i++) {
        struct space_probe *probe = &spaces->probe[i];

        probe->done = probe_read32((void *)probe->addr, &probe->found, NULL);
    }
}

static void judge(struct lowmem_spaces *spaces, const struct lowmem_space *space,
                  const struct space_probe *probe)
{
    if (probe->done != probe->mapped)
        test_fail(spaces->lab->t, "space %u: 0x%08lx %s", number_of(spaces, space),
                  (unsigned long)probe->addr,
                  probe->done ? "can be read, and should not be there" : "can't be read");
    else if (probe->mapped)
        TEST_CHECK(spaces->lab->t, probe->found == probe->wanted,
                   "space %u: 0x%08lx shows 0x%08x, 0x%08x wanted", number_of(spaces, space),
                   (unsigned long)probe->addr, probe->found, probe->wanted);
}

/* Takes an address of the segment, which then shows page `shown` for a moment. */
static bool choose_change(struct lowmem_spaces *spaces, const struct lowmem_space *space,
                          struct space_probe *gone, struct space_probe *changed, pte_t *entry)
{
    uint32_t index = any_stamped(spaces, space), shown = any_stamped(spaces, space);
    size_t offset;

    if (index == UINT32_MAX || spaces->large)
        return false;
    changed->wanted = lowmem_segment_stamp(spaces, shown, &offset);
    changed->mapped = true;
    changed->addr = gone->addr = space->segment + index * PAGE_SIZE + offset;
    *entry = pte_make(page_to_phys(lowmem_segment_page(spaces, shown)),
                      PTE_PRESENT | PTE_WRITE | PTE_USER | layout.nx);
    return true;
}

void lowmem_space_visit(struct lowmem_spaces *spaces, struct lowmem_space *space,
                        const struct lowmem_space *other)
{
    struct space_probe gone = {.mapped = false}, changed = {.mapped = false};
    pte_t shown = 0;
    bool change;

    /* A processor that is sent over wrong tables sets bits in whatever they name. */
    if (!check_space(spaces, space, false) || (other && !check_space(spaces, other, false)))
        return;
    choose_probes(spaces, space, other);
    change = choose_change(spaces, space, &gone, &changed, &shown);
    preempt_disable();
    if (other)
        cr3_write((uint32_t)addr_number(virt_to_phys(other->pointers)));
    for (unsigned i = 0; other && i < spaces->nr_probes; i++)
        probe_read32((void *)spaces->probe[i].addr, NULL, NULL); /* so that its answer is cached */
    if (!inject(pagetables_stay, lowmem_pagetables))
        cr3_write((uint32_t)addr_number(virt_to_phys(space->pointers)));
    run_probes(spaces);
    if (change)
        change_live(space, &gone, &changed, shown);
    cr3_write(pgtable_top()->cr3);
    preempt_enable();
    for (unsigned i = 0; i < spaces->nr_probes; i++)
        judge(spaces, space, &spaces->probe[i]);
    if (change) {
        judge(spaces, space, &gone);
        judge(spaces, space, &changed);
    }
    spaces->visits++;
}
