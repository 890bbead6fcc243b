/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAGING_KMAP_RANGE_H
#define PAGING_KMAP_RANGE_H

/*
 * kmap_range(): a window to many pages at once, for scanning, clearing and copying.
 *
 *     KMAP_RANGE_BASE        [ 2 MiB window ][ 2 MiB of nothing ]  x KMAP_RANGE_WINDOWS
 *
 * A window has a page table of its own, of which it uses as many entries as there are pages; what
 * comes after them faults. A run of 512 pages that is aligned to 2 MiB is mapped by the directory
 * entry alone, as one large page.
 *
 * Windows are handed out in turn. One that is given back is not flushed: when the hand has passed
 * the last one, one flush makes all that nobody uses fresh together. Giving back takes the
 * directory entry away, and a fresh window has neither that nor anything in a TLB, so that going
 * from a table to a large page and back needs no more care than that (SDM vol.
 * 3A, 4.10.2.4, 4.10.4).
 *
 * Context of all: thread. A thread that holds a window and sleeps for another may wait for ever if
 * all do so: kmap_range_try() is for these.
 */

#include "paging/page.h"

#define KMAP_RANGE_PAGES PTRS_PER_TABLE /* that a window has room for */
#define KMAP_PAIR_PAGES (KMAP_RANGE_PAGES / 2 - 1)

/* Cumulative. */
struct kmap_range_counters {
    uint32_t maps;
    uint32_t large;   /* of these, by one entry */
    uint32_t flushes; /* one for all windows that nobody uses */
    uint32_t slept;
    uint32_t exhausted; /* no window, and nobody who could give one back, or a try that failed */
};

extern struct kmap_range_counters kmap_range_counters;

/*
 * A window to the pages first .. first + nr_pages - 1, physically side by side; nr_pages:
 * 1..KMAP_RANGE_PAGES. With all windows in use it sleeps until one is given back; who sleeps first
 * is served first. Pages that are all lowmem need no window. NULL if no other thread could give one
 * back; for pages that are none, or free, too, which is a finding.
 */
void *kmap_range(struct page *first, unsigned nr_pages);

/* The same, and NULL instead of sleeping. */
void *kmap_range_try(struct page *first, unsigned nr_pages);

/*
 * A window to two runs of nr_pages each, to copy from one to the other;
 * nr_pages: 1..KMAP_PAIR_PAGES. The second begins kmap_pair_offset(nr_pages) bytes behind the
 * first, an odd number of pages: of two windows at the same place, each page competes with its
 * partner for one place of a TLB that is not associative, and QEMU took ten times as long. NULL
 * instead of sleeping.
 */
void *kmap_pair_try(struct page *first, struct page *second, unsigned nr_pages);

/* A window to pages from anywhere, in this order. */
void *kmap_pages(struct page *const *pages, unsigned nr_pages);

/*
 * Gives a window back; addr: anywhere in it. A direct-map address is fine; one that is no open
 * window's is a finding.
 */
void kunmap_range(const void *addr);

/* How many windows are in no TLB, and how many are in use. */
void kmap_range_usage(unsigned *fresh, unsigned *used);

/* Gives all windows back, and flushes: for the framework. Returns how many were in use. */
unsigned kmap_range_reset(void);

static inline size_t kmap_pair_offset(unsigned nr_pages)
{
    return (nr_pages | 1) * PAGE_SIZE;
}

/* Address of window `index`, 0..KMAP_RANGE_WINDOWS-1. */
static inline virt_t kmap_range_addr(unsigned index)
{
    return KMAP_RANGE_BASE + index * KMAP_RANGE_STRIDE;
}

#endif
