/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAGING_PAGE_OWNER_H
#define PAGING_PAGE_OWNER_H

/*
 * Who has a page, and how it finds it again.
 *
 * An allocated block belongs to nobody in particular (0: the payload itself) until somebody says
 * page_set_owner(). The owner's number for it, `index`, is what the owner looks the page up by: its
 * place in a table of struct page pointers, say. An owner with the hooks isolate() and moved() has
 * movable pages: compaction may take such a page (order 0, allocated with __GFP_MOVABLE) from under
 * it, copy what it holds, and say where it is now; as with the movable_operations of Linux.
 *
 * The bits stand in the page's descriptor and cost no memory. alloc_pages() sets the owner to 0.
 */

#include "lib/list.h"
#include "paging/page.h"

#define NR_PAGE_OWNERS (1u << PAGE_OWNER_BITS)
#define PAGE_INDEX_MAX ((1u << PAGE_INDEX_BITS) - 1)

/* Ids that are always there. */
enum { PAGE_OWNER_NONE, PAGE_OWNER_SLAB, PAGE_OWNER_FIRST_FREE };

struct page_owner {
    const char *name; /* as maps of memory show it */
    char letter;      /* a lower-case letter for the same; 'k' and 's' (slab) are taken */
    /*
     * Is about to be moved: true if nobody uses the page now, nor will until moved() or kept();
     * false keeps it where it is. NULL: the owner's pages never move.
     * Context: thread, preemption off.
     */
    bool (*isolate)(struct page_owner *owner, uint32_t index, struct page *page);
    /* All it held is in `to` now, which has owner and index already; `from` is gone after this. */
    void (*moved)(struct page_owner *owner, uint32_t index, struct page *from, struct page *to);
    /* It was isolated, and stays where it is after all. May be NULL. */
    void (*kept)(struct page_owner *owner, uint32_t index, struct page *page);
    unsigned id; /* set by page_owner_register() */
};

/*
 * Gives the owner an id, PAGE_OWNER_FIRST_FREE..NR_PAGE_OWNERS-1, and keeps a pointer to it.
 * Returns 0, or -ENOSPC. Context: thread.
 */
int page_owner_register(struct page_owner *owner);

/* The id may be another's then: no page may have it any more. Fine if it is not registered. */
void page_owner_unregister(struct page_owner *owner);

/* The owner of this id; NULL if nobody has it. Ids 0 and 1 have one without hooks. */
struct page_owner *page_owner_of_id(unsigned id);

/* For the first page of an allocated block. index: 0..PAGE_INDEX_MAX. */
static inline void page_set_owner(struct page *page, unsigned id, uint32_t index)
{
    page->owner = id & (NR_PAGE_OWNERS - 1);
    page->index = index & PAGE_INDEX_MAX;
}

static inline struct page_owner *page_owner(const struct page *page)
{
    return page_owner_of_id(page->owner);
}

#endif
