/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAGING_BELIEF_H
#define PAGING_BELIEF_H

/*
 * What paging believes the address space to be: every mapping that should be there, told from the
 * books (the layout, the memory map, the image's borders, the pool of kmap(), the areas of
 * ioremap(), the depth of kmap_local), and never from the page tables. So a wrong entry in the
 * tables differs from it, and someone else who reads the tables can find that out.
 *
 * No book says which page a kmap_local window shows, since opening one has to be cheap: its place
 * and its rights are told, its physical address is not. The scratch slots of the fixmap belong to
 * whoever maps them; nothing is believed of them.
 *
 * Takes no window and changes nothing. Context: any, paged phase; interrupts off, or what is told
 * may be old before it is used.
 */

#include "paging/pgtable.h"

#define BELIEF_PHYS_UNKNOWN PHYS_ADDR_MAX

/* Pages side by side, virtual and physical, of one size and with equal rights. */
struct belief {
    virt_t virt;
    phys_addr_t phys; /* or BELIEF_PHYS_UNKNOWN */
    uint32_t pages;   /* of PAGE_SIZE, or of LARGE_PAGE_SIZE with PTE_LARGE */
    uint64_t flags;   /* PTE_* without accessed, dirty and present */
    const char *what; /* a word: "text", "kmap", ... */
};

typedef void (*belief_fn)(void *ctx, const struct belief *run);

/* Tells all of the address space, region by region upwards, ioremap() areas in any order. */
void belief_tell(belief_fn fn, void *ctx);

/* The part of it that is the direct map `direct`, laid out by `layout`. */
void belief_tell_direct(const struct direct_map *direct, belief_fn fn, void *ctx);

#endif
