/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_ORACLE_VIEW_H
#define CI_ORACLE_VIEW_H

/*
 * An address space as someone sees it: the payload, which believes it to be so (block.h), or an
 * emulator, which reads the page tables (judge.h). One entry is one page, of 4 KiB or of 2 MiB.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ci/runner/words.h"

#define VIEW_PAGE_BYTES 4096u
#define VIEW_LARGE_BYTES (2u << 20)
#define VIEW_PDPTES 4

/* In the order of the payload's letters, "wxugCTP". */
enum rights {
    RIGHT_WRITE = 1 << 0,
    RIGHT_EXECUTE = 1 << 1,
    RIGHT_USER = 1 << 2,
    RIGHT_GLOBAL = 1 << 3,
    RIGHT_PCD = 1 << 4,
    RIGHT_PWT = 1 << 5,
    RIGHT_PAT = 1 << 6,
};
#define RIGHTS_LETTERS "wxugCTP"
#define RIGHTS_ALL 0x7fu

#define WHAT_BYTES 16

struct mapping {
    uint32_t virt;
    uint32_t bytes; /* VIEW_PAGE_BYTES or VIEW_LARGE_BYTES */
    uint64_t phys;
    unsigned rights;       /* set of enum rights */
    bool any_phys;         /* believed: nobody knows where it shows */
    bool place_only;       /* seen: neither size nor rights were told */
    char what[WHAT_BYTES]; /* believed: its name */
};

struct view {
    struct mapping *at; /* sorted after view_sort() */
    size_t count;
    unsigned rights_told; /* those that this view knows of */
    struct {
        bool told;
        uint64_t cr3, pdpte[VIEW_PDPTES];
        unsigned pdptes; /* how many were told */
        bool pae, pge, nxe;
    } top;
};

void view_add(struct view *view, const struct mapping *mapping);

/* By virtual address. */
void view_sort(struct view *view);

/* The entry that covers `virt` in a sorted view, or NULL. */
struct mapping *view_find(const struct view *view, uint32_t virt);

void view_free(struct view *view);

/*
 * Compares both ways and adds to `findings` a line for each stretch of equal differences, each with
 * `name` in front, at most `limit` of them, and a line that counts the rest. Accessed and dirty are
 * the processor's and no part of a view. Returns how many differences there are. Sorts both.
 */
size_t view_compare(const char *name, struct view *believed, struct view *seen, size_t limit,
                    struct words *findings);

#endif
