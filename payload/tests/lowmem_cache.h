/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAYLOAD_TESTS_LOWMEM_CACHE_H
#define PAYLOAD_TESTS_LOWMEM_CACHE_H

/*
 * A page cache as Linux 2.4 had it: pages of highmem, and for each page the heads of its blocks,
 * 128 bytes of lowmem each, that say where on the disk they are.
 *
 *         oldest                     hand                       next
 *           │ stripped of their heads,   │ with heads               │
 *           │ but for dirty ones         │                          │
 *     ──────┴────────────────────────────┴──────────────────────────┴─────► pages read in
 *
 * Pages are kept in the order in which they were read. When the cache is as large as it may be, the
 * oldest one makes place. Now and then somebody writes to a page, which is dirty for a while; its
 * heads are needed to write it back. The shrinker (with LAB_RECLAIM) strips pages of their heads,
 * the oldest first, and gives back what is left without one: what is dirty it must let be.
 *
 * The pages are movable (paging/page_owner.h). Not all are touched, since memory that is not costs
 * an emulator's host nothing: one in CACHE_STAMP_EVERY carries a stamp, which is looked at when it
 * is dropped. Every head carries its block's number at both ends.
 *
 * Context of all: thread, preemption on. There may be several.
 */

#include "paging/shrinker.h"
#include "paging/slab.h"
#include "payload/tests/lowmem_lab.h"

#define CACHE_HEAD_BYTES 128u
#define CACHE_HEADS_1K 4u /* for each page, with blocks of 1 KiB */
#define CACHE_HEADS_4K 1u
#define CACHE_STAMP_EVERY 64u
#define CACHE_DIRTY_ONE_IN 8u
#define CACHE_DIRTY_PAGES 512u /* then the first is written back */

struct cache_head {
    uint32_t block;
    uint32_t size;
    struct cache_head *next; /* of the same page */
    uint32_t rest[(CACHE_HEAD_BYTES - 12 - sizeof(struct cache_head *)) / sizeof(uint32_t)];
    uint32_t last; /* ~block */
};

struct cache_slot {
    uint32_t pfn_and_dirty;
    struct cache_head *heads; /* NULL: stripped */
};

struct lowmem_cache {
    struct lab *lab;
    struct page_owner owner;
    struct shrinker shrinker;
    bool shrinks;
    struct kmem_cache *heads;
    struct cache_slot *slot; /* a ring of nr_slots, a power of two */
    uint32_t nr_slots, most; /* the cache is full with `most` pages */
    unsigned heads_per_page;
    uint32_t oldest, next, hand;       /* counts of pages; modulo nr_slots: their slots */
    uint32_t nr_heads;                 /* that are out */
    uint32_t dirty[CACHE_DIRTY_PAGES]; /* a ring: places of pages, dropped ones among them */
    uint32_t nr_dirtied;
    uint32_t dropped, written;
    uint32_t said, freed; /* pages that the shrinker freed: what it says, and what is free since */
};

/* Gets ready, for begin(). NULL, or what is lacking; lowmem_cache_close() is fine in both cases. */
const char *lowmem_cache_open(struct lowmem_cache *cache, struct lab *lab, unsigned heads_per_page);

/* Says how many pages it may have; fewer than asked for if its table has no more places. */
void lowmem_cache_limit(struct lowmem_cache *cache, uint32_t most);

/* Reads a page in. LAB_WEDGED: no memory for it, or for its heads. */
enum lab_step lowmem_cache_read(struct lowmem_cache *cache);

static inline uint32_t lowmem_cache_pages(const struct lowmem_cache *cache)
{
    return cache->next - cache->oldest;
}

/* Looks at everything that it has: counts, heads, stamps. What is wrong is a failure. */
void lowmem_cache_check(struct lowmem_cache *cache);

/* Gives all back. */
void lowmem_cache_close(struct lowmem_cache *cache);

#endif
