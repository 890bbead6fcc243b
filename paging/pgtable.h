/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAGING_PGTABLE_H
#define PAGING_PGTABLE_H

/*
 * The kernel's page tables: built once before paging is on, by physical address, and edited
 * afterwards through the direct map. Both work by the same code, because phys_to_virt() is the
 * identity until layout.direct_offset is set.
 */

#include "paging/memmap.h"
#include "paging/pte.h"

/* Where the parts of the payload's own image lie, physical, page-aligned; [start, end). */
struct image_ranges {
    phys_addr_t text, text_end;     /* mapped read-only, executable */
    phys_addr_t rodata, rodata_end; /* read-only, not executable */
    phys_addr_t data, data_end;     /* writable, not executable */
    const phys_addr_t *guards;      /* pages of the image to leave unmapped */
    unsigned nr_guards;
};

/*
 * Builds the tables for `layout`: the direct map of all usable memory below lowmem_end, global
 * where the processor has that, of 2 MiB pages inside and of 4 KiB at the edges, in the first 2 MiB
 * (SDM vol. 3A, 12.11.9: fixed-range MTRRs) and round the image; empty tables for the fixmap, pkmap
 * and the windows of kmap_range(). Memory for tables is taken from `map`. *cr3: what to load for
 * good. *cr3_switch: the same with the first GiB mapped one to one as well, for the instructions
 * that turn paging on. Context: paging off. Errors: -ENOMEM; -EINVAL: more than DIRECT_GUARDS_MAX
 * guards.
 */
int pgtable_build(struct memmap *map, const struct image_ranges *image, uint32_t *cr3,
                  uint32_t *cr3_switch);

/* What the direct map was built from, kept for those who ask what should be mapped. */
#define DIRECT_GUARDS_MAX 8u
struct direct_map {
    struct memmap ram;         /* what was RAM then, ours or not */
    struct image_ranges image; /* without the guards, for it outlives them */
    phys_addr_t guard[DIRECT_GUARDS_MAX];
};

const struct direct_map *pgtable_direct_map(void);

/* The top of the tables as it was built: CR3 and the four entries that it points to. */
struct pgtable_top {
    uint32_t cr3;
    pte_t pdpte[PTRS_PER_PDPT];
};

const struct pgtable_top *pgtable_top(void);

/* What a walk found at each level, as the processor would see it. */
struct page_walk {
    pte_t pdpte, pde, pte; /* 0 where the walk did not get */
    unsigned levels;       /* entries read: 1..3 */
    bool present;          /* the address is mapped */
    uint64_t size;         /* PAGE_SIZE or LARGE_PAGE_SIZE */
    phys_addr_t phys;      /* of the address itself */
    bool writable, no_execute;
};

/*
 * Walks the tables that CR3 `cr3` names. A page table in highmem, as another address space may
 * have, is not followed: levels is 2 then. Context: any, paged phase.
 */
void pgtable_walk(uint32_t cr3, virt_t addr, struct page_walk *walk);

/*
 * The 4 KiB entry that maps `addr`; NULL if there is no table, or a 2 MiB page. With `create`, a
 * missing table is allocated (context: thread), and NULL means that there is no memory.
 */
pte_t *pgtable_pte(virt_t addr, bool create);

/* The directory entry that maps `addr`, or points to the table that does. NULL: no directory. */
pte_t *pgtable_directory(virt_t addr);

/* pgtable_pte() that creates nothing; NULL for a page table in highmem as well. Context: any. */
pte_t *pgtable_entry(virt_t addr);

/*
 * Puts another page directory (or none, 0) behind the GiB that holds `addr`, and writes CR3 so that
 * the processor obeys. Global translations below the old directory stay: have none there, or call
 * tlb_flush_global() afterwards. Not for GiBs from PAGE_OFFSET up. Context: thread.
 */
void pgtable_set_directory(virt_t addr, phys_addr_t directory);

/*
 * Page tables of the kmap windows and the fixmap, as arrays of entries: pkmap_ptes[i] maps
 * PKMAP_BASE + i * PAGE_SIZE, fixmap_ptes[i] maps fix_to_virt(i).
 */
extern pte_t *pkmap_ptes;
extern pte_t *fixmap_ptes;

/*
 * Of the windows of kmap_range(): window i has the table kmap_range_ptes[i * PTRS_PER_TABLE] and so
 * on, and the directory entry kmap_range_directory[i * KMAP_RANGE_STRIDE / LARGE_PAGE_SIZE].
 */
extern pte_t *kmap_range_ptes;
extern pte_t *kmap_range_directory;

/* Sets them from the live tables. Context: once, when paging is on. */
void pgtable_enter_paging(void);

#endif
