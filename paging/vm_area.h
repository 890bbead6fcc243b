/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAGING_VM_AREA_H
#define PAGING_VM_AREA_H

/*
 * Areas of the address space between VMALLOC_START and VMALLOC_END: what vmalloc(), vmap() and
 * ioremap() are made of.
 *
 *     ...[ area ][guard][ area ][guard][ given back ][ guard ]......
 *                                                            ^ hand
 *
 * An area is a number of pages and an unmapped page after it; the one before it is another area's
 * guard, or free. Areas are looked for from the hand on. One that is given back is unmapped but not
 * flushed, and its addresses are not handed out: only when the hand finds no room in front of it
 * does one flush make all of them fresh together, and the hand starts over. So an address never
 * shows what its last owner mapped there, however long a processor keeps translations.
 *
 * Nothing is allocated for an area: all is in a few bitmaps with a bit a page. A search looks at
 * each word once, and at each gap that is too small. Context: thread; guarded by preemption being
 * off.
 */

#include "paging/layout.h"

/* Who made an area, and so who may end it. */
enum vm_kind { VM_IOREMAP, VM_MAP, VM_ALLOC, VM_KINDS };

/* Cumulative, but for the two about now. */
struct vm_counters {
    uint32_t taken;
    uint32_t flushes; /* the hand started over, and something had been given back */
    uint32_t failures;
    uint32_t areas, pages; /* now, guards not counted */
};

extern struct vm_counters vm_counters;

/* Address of a new area of `pages` pages, nothing mapped; 0 if there is no room. */
virt_t vm_area_take(unsigned pages, enum vm_kind kind);

/*
 * Takes the area that starts at `start` away from its owner, who is about to end it: nobody else
 * can do so any more. Returns its pages, 0 if there is no such area of this kind.
 */
unsigned vm_area_claim(virt_t start, enum vm_kind kind);

/* Unmaps all of an area that was claimed, and gives its addresses back. */
void vm_area_release(virt_t start, unsigned pages);

/*
 * Lets addresses of an area show physical memory. flags: of the entries, PTE_PRESENT and the like.
 * False if there is no memory for a page table: then some pages may have been mapped.
 */
bool vm_area_map(virt_t at, phys_addr_t phys, unsigned pages, uint64_t flags);

/* Lets them show nothing. What translations are cached stays until the next flush. */
void vm_area_unmap(virt_t at, unsigned pages);

#endif
