/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAGING_LAYOUT_H
#define PAGING_LAYOUT_H

/*
 * The address space. Only PAGE_OFFSET depends on the split; the windows at the top stand at the
 * same place in each, so their addresses are constants.
 *
 *     0xfffff000  FIXADDR_TOP    (the last page is never mapped)
 *                 fixmap         kmap_local slots of every CPU, scratch slots; one page table
 *     0xffe00000  FIXADDR_START
 *                 pkmap          LAST_PKMAP windows of kmap(), a guard page after each
 *     0xffa00000  PKMAP_BASE
 *                 kmap_range     KMAP_RANGE_WINDOWS windows of 2 MiB, 2 MiB of nothing after each
 *     0xfe200000  KMAP_RANGE_BASE
 *                 VMALLOC_END    two guard pages below
 *                 vmalloc        areas of vmalloc(), vmap() and ioremap(), a guard page after each
 *                 VMALLOC_START  8 MiB above high_memory, so that a run-away pointer faults
 *                 high_memory    end of the direct map
 *                 direct map     lowmem at PAGE_OFFSET + physical address
 *     PAGE_OFFSET                0xc0000000 (split=3g), 0x80000000 (2g), 0x40000000 (1g)
 *                 nothing        no identity map, nothing at NULL
 *
 * Lowmem is what the direct map can hold: at most LOWMEM_VIRT_END - PAGE_OFFSET.
 */

#include "paging/pte.h"

#define FIXADDR_TOP ((virt_t)0xfffff000u)
#define FIXADDR_START ((virt_t)0xffe00000u)
#define PKMAP_BASE ((virt_t)0xffa00000u)
#ifndef LAST_PKMAP /* the model-based test has a smaller pool */
#define LAST_PKMAP 512u
#endif
#define PKMAP_STRIDE (2 * PAGE_SIZE) /* a window and its guard */
#define KMAP_RANGE_WINDOWS 6u
#define KMAP_RANGE_STRIDE (2 * LARGE_PAGE_SIZE) /* a window and its guard */
#define KMAP_RANGE_BASE (PKMAP_BASE - KMAP_RANGE_WINDOWS * KMAP_RANGE_STRIDE)
#define LOWMEM_VIRT_END ((virt_t)0xf8000000u)
#define VMALLOC_OFFSET MIB(8)
#define VMALLOC_MAX_BYTES MIB(128)

/* Slots of the fixmap, from FIXADDR_START up. */
#ifndef KMAP_LOCAL_DEPTH
#define KMAP_LOCAL_DEPTH 16u /* windows that one CPU can hold, interrupts included */
#endif
#define KMAP_LOCAL_STRIDE 2u /* pages: a window and its guard */
#define FIX_KMAP_LOCAL 1u    /* the slot before it is a guard as well */
#define FIX_SCRATCH 320u     /* FIX_SCRATCH_SLOTS pages that suites may map as they like */
#define FIX_SCRATCH_SLOTS 64u

#define SPLIT_3G 0xc0000000u
#define SPLIT_2G 0x80000000u
#define SPLIT_1G 0x40000000u

struct layout {
    virt_t page_offset;
    uintptr_t direct_offset; /* virtual minus physical: 0 until paging is on, then page_offset */
    phys_addr_t lowmem_end;  /* end of the direct map, physical; a multiple of the page size */
    virt_t high_memory;      /* the same, virtual */
    virt_t vmalloc_start;
    virt_t vmalloc_end;
    uint64_t nx;              /* PTE_NX, or 0 where the CPU has no such bit */
    uint64_t global;          /* PTE_GLOBAL, or 0 where the CPU has no such pages */
    uint64_t write_combining; /* what makes an entry so, see paging/cache_type.h */
    uint8_t phys_bits;        /* MAXPHYADDR */
};

extern struct layout layout;

/*
 * Decides the layout for a PAGE_OFFSET and the end of RAM below 4 GiB.
 * page_offset: one of SPLIT_*. ram_end: end of the highest usable page, physical.
 */
void layout_init(virt_t page_offset, phys_addr_t ram_end);

/* Address of the fixmap's slot `slot`, 0..511. */
static inline virt_t fix_to_virt(unsigned slot)
{
    return FIXADDR_START + (uintptr_t)slot * PAGE_SIZE;
}

/* Direct-map address of a physical address below lowmem_end; the physical address before paging. */
static inline void *phys_to_virt(phys_addr_t phys)
{
    return (void *)((uintptr_t)addr_number(phys) + layout.direct_offset);
}

/* Physical address of an address in the direct map. Wrong for any other: see pgtable_walk().
 */
static inline phys_addr_t virt_to_phys(const void *virt)
{
    return phys_make((uintptr_t)virt - layout.direct_offset);
}

#endif
