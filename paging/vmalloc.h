/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAGING_VMALLOC_H
#define PAGING_VMALLOC_H

/*
 * Memory that is contiguous for the processor and scattered in the machine: pages from anywhere,
 * high memory first, side by side in an area of their own (paging/vm_area.h) with an unmapped page
 * before and after it.
 *
 * Context of all: thread.
 */

#include "paging/cache_type.h"
#include "paging/page.h"

/* What an area's entries allow; add cache_type_flags() for another type than WB. Never executable.
 */
#define PAGE_KERNEL (PTE_PRESENT | PTE_WRITE)
#define PAGE_KERNEL_RO PTE_PRESENT

/*
 * `size` bytes, rounded up to pages, contents undefined; page-aligned. NULL: size 0, no memory, or
 * no room. The pages are high memory as long as there is any in whatever pieces, then lowmem; large
 * blocks before small ones.
 */
void *vmalloc(size_t size);

/* The same, filled with zeroes. */
void *vzalloc(size_t size);

/* Gives it back, its pages too. NULL is fine; what is not vmalloc()'s is a finding. */
void vfree(const void *addr);

/*
 * A window to `count` pages, in this order; they stay the caller's. prot: PAGE_KERNEL or
 * PAGE_KERNEL_RO, with cache_type_flags(). NULL: count 0, or no room.
 *
 * With a type other than WB, caches and TLB are flushed first, as the rule is when the type of a
 * page changes (SDM vol. 3A, 12.12.4), and the caches again when vunmap() ends it; no other window
 * to the pages may be used in between.
 */
void *vmap(struct page *const *pages, unsigned count, uint64_t prot);

/* Ends a window of vmap(). NULL is fine; what is none is a finding. */
void vunmap(const void *addr);

/* The page that an address of an area shows; NULL if it shows none. */
struct page *vmalloc_to_page(const void *addr);

#endif
