/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAGING_PTE_H
#define PAGING_PTE_H

/*
 * Entries of PAE page tables (SDM vol. 3A, 4.4): 8 bytes at each of three levels.
 *
 *     31 30 29      21 20      12 11       0
 *     PDPT  directory  table      offset
 *
 * CR3 points to 4 page-directory-pointer entries, each of which covers 1 GiB and is cached by the
 * processor until CR3 is written. A directory entry covers 2 MiB, by a page table or as one page;
 * a table entry covers 4 KiB.
 */

#include "lib/types.h"

#define PAGE_SHIFT 12
#define PAGE_SIZE 4096u
#define PAGE_MASK (PAGE_SIZE - 1)

/* Of any kind of address: the bytes from the start of its page. */
#define offset_in_page(address) ((uint32_t)addr_number(address) & PAGE_MASK)

#define LARGE_PAGE_SHIFT 21
#define LARGE_PAGE_SIZE (1u << LARGE_PAGE_SHIFT)
#define PDPT_SHIFT 30

#define PTRS_PER_TABLE 512u
#define PTRS_PER_PDPT 4u

typedef uint64_t pte_t;

/* SDM vol. 3A, tables 4-8 to 4-11 */
#define PTE_PRESENT BIT64(0)
#define PTE_WRITE BIT64(1)
#define PTE_USER BIT64(2)
#define PTE_PWT BIT64(3)
#define PTE_PCD BIT64(4)
#define PTE_ACCESSED BIT64(5)
#define PTE_DIRTY BIT64(6)
#define PTE_LARGE BIT64(7) /* in a directory entry: a 2 MiB page */
#define PTE_GLOBAL BIT64(8)
#define PTE_NX BIT64(63) /* reserved, and so a fault, while EFER.NXE is off */

#define PTE_PHYS_MASK UINT64_C(0x000ffffffffff000)

/* Page-fault error code, SDM vol. 3A, 4.7 */
#define PF_PRESENT BIT(0)
#define PF_WRITE BIT(1)
#define PF_USER BIT(2)
#define PF_RESERVED BIT(3)
#define PF_FETCH BIT(4)

static inline pte_t pte_make(phys_addr_t phys, uint64_t flags)
{
    return addr_number(phys) | flags;
}

static inline phys_addr_t pte_phys(pte_t pte)
{
    return phys_make(pte & PTE_PHYS_MASK);
}

/*
 * An entry is 8 bytes and the processor's walker may read it between two 4-byte writes, so the half
 * with the present bit is written last when an entry comes and first when it goes. Changing a
 * present entry into another goes through pte_clear() (SDM vol. 3A, 4.10.2.3 and 8.1.1).
 */
static inline void pte_set(pte_t *entry, pte_t value)
{
    volatile uint32_t *half = (volatile uint32_t *)entry;

    half[1] = (uint32_t)(value >> 32);
    half[0] = (uint32_t)value;
}

/* As it is now: the processor sets A and D behind the compiler's back. */
static inline pte_t pte_get(const pte_t *entry)
{
    return *(const volatile pte_t *)entry;
}

/* What is left in the other half means nothing (SDM vol. 3A, table 4-11, last line). */
static inline void pte_clear(pte_t *entry)
{
    *(volatile uint32_t *)entry = 0;
}

static inline unsigned pdpt_index(virt_t addr)
{
    return (unsigned)((uintptr_t)addr >> PDPT_SHIFT) & (PTRS_PER_PDPT - 1);
}

static inline unsigned directory_index(virt_t addr)
{
    return (unsigned)((uintptr_t)addr >> LARGE_PAGE_SHIFT) & (PTRS_PER_TABLE - 1);
}

static inline unsigned table_index(virt_t addr)
{
    return (unsigned)((uintptr_t)addr >> PAGE_SHIFT) & (PTRS_PER_TABLE - 1);
}

#endif
