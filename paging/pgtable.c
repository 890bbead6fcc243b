/* SPDX-License-Identifier: BSD-2-Clause */
#include "paging/pgtable.h"
#include "lib/errno.h"
#include "lib/inject.h"
#include "lib/string.h"
#include "lib/x86/cpu.h"
#include "paging/page_alloc.h"
#include "paging/tlb.h"

#define FOUR_GIB GIB64(4)
#define CR3_PDPT_MASK 0xffffffe0u /* the pointer table is aligned to 32 bytes */

pte_t *pkmap_ptes;
pte_t *fixmap_ptes;
pte_t *kmap_range_ptes;
pte_t *kmap_range_directory;

/* Both are set while the tables are built, and only read afterwards. */
static struct direct_map direct;
static struct pgtable_top top;

static pte_t *table_of(pte_t entry)
{
    return phys_to_virt(pte_phys(entry));
}

/* The page tables of somebody else's address space may be highmem, which has no address here. */
static bool table_is_low(pte_t entry)
{
    return pte_phys(entry) < layout.lowmem_end;
}

/* Where builders get cleared pages for tables: the memory map before paging, the zones after. */
static phys_addr_t table_page(struct memmap *map)
{
    phys_addr_t phys = 0;

    if (map) {
        phys = memmap_take(map, PAGE_SIZE, PAGE_SIZE, layout.lowmem_end);
    } else {
        struct page *page = alloc_page(GFP_KERNEL);

        phys = page ? page_to_phys(page) : 0;
    }
    if (phys)
        memset(phys_to_virt(phys), 0, PAGE_SIZE);
    return phys;
}

/* Code notices no difference, only whoever looks at the entry. */
static uint64_t pointer_fault(void)
{
    return inject(paging_pointer_uncached, oracle) ? PTE_PCD : 0;
}

/*
 * Only the present bit and cache bits exist at this level (SDM vol. 3A, table 4-8). The processor
 * has all four entries in registers and sees a change only when CR3 is written (4.4.1), except
 * while paging is off.
 */
static void set_pointer(pte_t *pointer, phys_addr_t directory, bool live)
{
    if (directory)
        pte_set(pointer, pte_make(directory, PTE_PRESENT | pointer_fault()));
    else
        pte_clear(pointer);
    if (live && !inject(tlb_skip_pdpte_reload, tlb))
        tlb_flush_all();
}

/* The entry of `addr` in the directory, allocating that if need be. */
static pte_t *directory_entry(pte_t *pdpt, virt_t addr, struct memmap *map, bool create)
{
    pte_t *pointer = &pdpt[pdpt_index(addr)];

    if (!(*pointer & PTE_PRESENT)) {
        phys_addr_t directory = create ? table_page(map) : 0;

        if (!directory)
            return NULL;
        set_pointer(pointer, directory, !map);
        top.pdpte[pdpt_index(addr)] = pte_make(directory, PTE_PRESENT);
    }
    return &table_of(*pointer)[directory_index(addr)];
}

static pte_t *table_entry(pte_t *pdpt, virt_t addr, struct memmap *map, bool create)
{
    pte_t *directory = directory_entry(pdpt, addr, map, create);

    if (!directory || (*directory & PTE_LARGE))
        return NULL;
    if (!(*directory & PTE_PRESENT)) {
        phys_addr_t table = create ? table_page(map) : 0;

        if (!table)
            return NULL;
        pte_set(directory, pte_make(table, PTE_PRESENT | PTE_WRITE));
    }
    return &table_of(*directory)[table_index(addr)];
}

static bool within(phys_addr_t phys, phys_addr_t start, phys_addr_t end)
{
    return phys >= start && phys < end;
}

/* Flags of one page of the direct map: the payload's text and constants are not writable. */
static uint64_t direct_flags(const struct image_ranges *image, phys_addr_t phys)
{
    uint64_t nx = inject(paging_skip_nx, paging) ? 0 : layout.nx;
    uint64_t write = inject(paging_text_writable, paging) ? PTE_WRITE : 0;
    uint64_t common = PTE_PRESENT | (inject(tlb_direct_not_global, tlb) ? 0 : layout.global);

    for (unsigned i = 0; i < image->nr_guards; i++)
        if (phys == image->guards[i] && !inject(paging_guard_mapped, paging))
            return 0;
    if (within(phys, image->text, image->text_end))
        return common | write;
    if (within(phys, image->rodata, image->rodata_end))
        return common | nx;
    /* Neither makes a difference to code that stays in ring 0 and changes no mapping. */
    if (inject(paging_user, oracle))
        nx |= PTE_USER;
    if (inject(paging_global, oracle))
        common ^= PTE_GLOBAL;
    return common | PTE_WRITE | nx;
}

static bool large_page_fits(const struct image_ranges *image, phys_addr_t at, phys_addr_t end)
{
    phys_addr_t next = at + LARGE_PAGE_SIZE;

    if (at == 0 || !IS_ALIGNED(at, LARGE_PAGE_SIZE) || next > end)
        return false;
    return next <= image->text || at >= image->data_end;
}

static int map_direct(pte_t *pdpt, struct memmap *map, const struct image_ranges *image,
                      phys_addr_t start, phys_addr_t end)
{
    for (phys_addr_t at = start; at < end;) {
        virt_t virt = layout.page_offset + (uintptr_t)addr_number(at);
        phys_addr_t target = at;

        /* One 2 MiB page of the direct map shows the one below it. */
        if (inject(paging_wrong_frame, paging) &&
            at == ALIGN_DOWN(start + (end - start) / 2, LARGE_PAGE_SIZE))
            target = at - LARGE_PAGE_SIZE;
        if (large_page_fits(image, at, end)) {
            pte_t *entry = directory_entry(pdpt, virt, map, true);

            if (!entry)
                return -ENOMEM;
            pte_set(entry, pte_make(target, direct_flags(image, at) | PTE_LARGE));
            at += LARGE_PAGE_SIZE;
            continue;
        }
        pte_t *entry = table_entry(pdpt, virt, map, true);
        uint64_t flags = direct_flags(image, at);

        if (!entry)
            return -ENOMEM;
        if (flags)
            pte_set(entry, pte_make(at, flags));
        at += PAGE_SIZE;
    }
    return 0;
}

/* A page table that stands by itself, so that its entries can be used as an array. */
static int reserve_tables(pte_t *pdpt, struct memmap *map, virt_t start, unsigned tables)
{
    phys_addr_t phys = memmap_take(map, (uint64_t)tables * PAGE_SIZE, PAGE_SIZE, layout.lowmem_end);

    if (!phys)
        return -ENOMEM;
    memset(phys_to_virt(phys), 0, tables * PAGE_SIZE);
    for (unsigned i = 0; i < tables; i++) {
        pte_t *entry = directory_entry(pdpt, start + i * LARGE_PAGE_SIZE, map, true);

        if (!entry)
            return -ENOMEM;
        pte_set(entry, pte_make(phys + (uint64_t)i * PAGE_SIZE, PTE_PRESENT | PTE_WRITE));
    }
    return 0;
}

/*
 * A table for each of the large windows, one behind the other. The windows are closed: their
 * directory entries are not present, and only remember where the tables are.
 */
static int reserve_range_tables(pte_t *pdpt, struct memmap *map)
{
    size_t size = KMAP_RANGE_WINDOWS * PAGE_SIZE;
    phys_addr_t phys = memmap_take(map, size, PAGE_SIZE, layout.lowmem_end);

    if (!phys)
        return -ENOMEM;
    memset(phys_to_virt(phys), 0, size);
    pte_set(directory_entry(pdpt, KMAP_RANGE_BASE, map, true), pte_make(phys, 0));
    return 0;
}

/* Every directory exists from the start: a pointer entry that never changes needs no CR3 reload. */
static int reserve_directories(pte_t *pdpt, struct memmap *map)
{
    for (uint64_t addr = (uintptr_t)layout.page_offset; addr < FOUR_GIB; addr += BIT(PDPT_SHIFT))
        if (!directory_entry(pdpt, (virt_t)(uintptr_t)addr, map, true))
            return -ENOMEM;
    return 0;
}

/* The guards are copied: what the pointer names moves with the image, and the pointer does not. */
static int keep_image(const struct image_ranges *image)
{
    if (image->nr_guards > DIRECT_GUARDS_MAX)
        return -EINVAL;
    direct.image = *image;
    direct.image.guards = NULL;
    for (unsigned i = 0; i < image->nr_guards; i++)
        direct.guard[i] = image->guards[i];
    return 0;
}

static int map_lowmem(pte_t *pdpt, struct memmap *map, const struct image_ranges *image)
{
    /* Taking table pages edits the map: walk a copy. What is taken is memory all the same. */
    struct mem_range range;

    direct.ram = *map;
    for (unsigned cursor = 0; memmap_next_ram(&direct.ram, &cursor, &range);) {
        phys_addr_t end = MIN(range.end, layout.lowmem_end);
        int error = range.start < end ? map_direct(pdpt, map, image, range.start, end) : 0;

        if (error)
            return error;
    }
    return 0;
}

/* The same tables, with the first GiB one to one in 2 MiB pages instead of what is there. */
static int build_switch_tables(pte_t *pdpt, pte_t *switch_pdpt, struct memmap *map)
{
    phys_addr_t directory = table_page(map);

    if (!directory)
        return -ENOMEM;
    memcpy(switch_pdpt, pdpt, PTRS_PER_PDPT * sizeof(pte_t));
    for (unsigned i = 0; i < PTRS_PER_TABLE; i++)
        pte_set(&((pte_t *)phys_to_virt(directory))[i],
                pte_make(phys_make((uint64_t)i << LARGE_PAGE_SHIFT),
                         PTE_PRESENT | PTE_WRITE | PTE_LARGE));
    pte_set(&switch_pdpt[0], pte_make(directory, PTE_PRESENT));
    if (inject(paging_keep_identity, paging))
        pte_set(&pdpt[0], pte_make(directory, PTE_PRESENT));
    return 0;
}

int pgtable_build(struct memmap *map, const struct image_ranges *image, uint32_t *cr3,
                  uint32_t *cr3_switch)
{
    phys_addr_t pointers = table_page(map);
    pte_t *pdpt = phys_to_virt(pointers);
    pte_t *switch_pdpt = pdpt + PTRS_PER_PDPT;
    int error;

    if (!pointers)
        return -ENOMEM;
    top = (struct pgtable_top){0};
    error = keep_image(image);
    if (!error)
        error = reserve_directories(pdpt, map);
    if (!error)
        error = reserve_tables(pdpt, map, PKMAP_BASE, LAST_PKMAP * PKMAP_STRIDE / LARGE_PAGE_SIZE);
    if (!error)
        error = reserve_tables(pdpt, map, FIXADDR_START, 1);
    if (!error)
        error = reserve_range_tables(pdpt, map);
    if (!error)
        error = map_lowmem(pdpt, map, image);
    if (!error)
        error = build_switch_tables(pdpt, switch_pdpt, map);
    if (error)
        return error;
    *cr3 = top.cr3 = (uint32_t)addr_number(pointers);
    *cr3_switch = top.cr3 + PTRS_PER_PDPT * sizeof(pte_t);
    return 0;
}

const struct direct_map *pgtable_direct_map(void)
{
    return &direct;
}

const struct pgtable_top *pgtable_top(void)
{
    return &top;
}

void pgtable_walk(uint32_t cr3, virt_t addr, struct page_walk *walk)
{
    const pte_t *pdpt = phys_to_virt(phys_make(cr3 & CR3_PDPT_MASK));
    uint64_t all;

    *walk = (struct page_walk){.levels = 1, .pdpte = pdpt[pdpt_index(addr)]};
    if (!(walk->pdpte & PTE_PRESENT))
        return;
    walk->levels = 2;
    walk->pde = table_of(walk->pdpte)[directory_index(addr)];
    if (!(walk->pde & PTE_PRESENT))
        return;
    if (walk->pde & PTE_LARGE) {
        walk->size = LARGE_PAGE_SIZE;
        walk->phys = ALIGN_DOWN(pte_phys(walk->pde), LARGE_PAGE_SIZE) +
                     ((uintptr_t)addr & (LARGE_PAGE_SIZE - 1));
        all = walk->pde;
        walk->no_execute = walk->pde & PTE_NX;
    } else {
        if (!table_is_low(walk->pde))
            return;
        walk->levels = 3;
        walk->pte = table_of(walk->pde)[table_index(addr)];
        if (!(walk->pte & PTE_PRESENT))
            return;
        walk->size = PAGE_SIZE;
        walk->phys = pte_phys(walk->pte) + offset_in_page(addr);
        all = walk->pde & walk->pte;
        walk->no_execute = (walk->pde | walk->pte) & PTE_NX;
    }
    walk->present = true;
    walk->writable = all & PTE_WRITE;
}

static pte_t *live_pdpt(void)
{
    return phys_to_virt(phys_make(cr3_read() & CR3_PDPT_MASK));
}

pte_t *pgtable_pte(virt_t addr, bool create)
{
    return table_entry(live_pdpt(), addr, NULL, create);
}

pte_t *pgtable_directory(virt_t addr)
{
    const pte_t *pointer = &live_pdpt()[pdpt_index(addr)];

    return (*pointer & PTE_PRESENT) ? &table_of(*pointer)[directory_index(addr)] : NULL;
}

pte_t *pgtable_entry(virt_t addr)
{
    const pte_t *directory = pgtable_directory(addr);

    if (!directory || (*directory & (PTE_PRESENT | PTE_LARGE)) != PTE_PRESENT ||
        !table_is_low(*directory))
        return NULL;
    return &table_of(*directory)[table_index(addr)];
}

void pgtable_set_directory(virt_t addr, phys_addr_t directory)
{
    set_pointer(&live_pdpt()[pdpt_index(addr)], directory, true);
    top.pdpte[pdpt_index(addr)] = directory ? pte_make(directory, PTE_PRESENT) : 0;
}

void pgtable_enter_paging(void)
{
    pkmap_ptes = table_entry(live_pdpt(), PKMAP_BASE, NULL, false);
    fixmap_ptes = table_entry(live_pdpt(), FIXADDR_START, NULL, false);
    kmap_range_directory = directory_entry(live_pdpt(), KMAP_RANGE_BASE, NULL, false);
    if (kmap_range_directory) /* as pgtable_build() made it */
        kmap_range_ptes = table_of(*kmap_range_directory);
}
