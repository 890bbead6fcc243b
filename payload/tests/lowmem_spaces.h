/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAYLOAD_TESTS_LOWMEM_SPACES_H
#define PAYLOAD_TESTS_LOWMEM_SPACES_H

/*
 * Address spaces, as the processes of a database have them: each has a page of its own (its
 * program), and has attached the segment of highmem pages that all of them share, at an address
 * that the seed chose, so that the same address shows something else in each of them.
 *
 *     PAGE_OFFSET..4 GiB   the payload's own directories
 *     somewhere below      the segment: a page table for each 2 MiB of it, in every space
 *     SPACE_PROGRAM        a page of the space's own
 *
 * The tables are those that the processor walks. CR3 has 32 bits, and points to 32 bytes: a PDPT is
 * an object of a cache in lowmem. A directory is a page of lowmem. A page table is a page of
 * lowmem; 256 MiB shared by a hundred processes cost 50 MiB of it for nothing but tables. With
 * LAB_HIGHPTE it is a page of highmem, filled and read through kmap_local_page() alone, as with
 * CONFIG_HIGHPTE of Linux. With LAB_SMALLER the segment is attached in 2 MiB pages, as with
 * hugetlbfs, and there are no page tables for it.
 *
 * Context of all: thread, preemption on. There is one at a time.
 */

#include "paging/pgtable.h"
#include "paging/slab.h"
#include "payload/tests/lowmem_lab.h"

#define SPACES_MAX 32768u
#define SPACE_PROGRAM ((virt_t)0x08048000u) /* where i386 programs begin */
#define SEGMENT_BLOCKS_MAX 64u              /* of the largest order: 4 MiB, two tables */
#define SEGMENT_BLOCK_TABLES 2u
#define SPACE_PROBES 32u

/* One process. */
struct lowmem_space {
    pte_t *pointers;      /* its PDPT; NULL: there is no such process */
    struct page *program; /* its own page, at SPACE_PROGRAM */
    virt_t segment;       /* where it has the segment */
    uint32_t tables;      /* how much of that is there: page tables */
};

/* An access in another address space: what it should show, and what it did. */
struct space_probe {
    virt_t addr;
    bool mapped, done;
    uint32_t wanted, found;
};

struct lowmem_spaces {
    struct lab *lab;
    bool highpte; /* LAB_HIGHPTE */
    bool large;   /* LAB_SMALLER */
    struct page_owner owner, segment_owner;
    struct kmem_cache *pointers;
    struct lowmem_space *space;   /* SPACES_MAX of them */
    uint32_t nr_spaces, nr_slots; /* processes; places up to the last one ever used */
    uint32_t newest, ended;       /* places of the last one that began, and that ended */
    struct page *block[SEGMENT_BLOCKS_MAX];
    unsigned nr_blocks;
    uint32_t salt, stamp_every;
    uint32_t tables; /* page tables, of all spaces */
    uint32_t nr_probes;
    struct space_probe probe[SPACE_PROBES];
    uint32_t entries_checked, visits; /* what was proved */
};

/*
 * Gets ready, with a segment of `blocks` times 4 MiB, for begin() of a workload, with the remedies
 * LAB_HIGHPTE and LAB_SMALLER as that has them. NULL, or what the
 * machine lacks; lowmem_spaces_close() is fine in both cases.
 */
const char *lowmem_spaces_open(struct lowmem_spaces *spaces, struct lab *lab, unsigned blocks);

/*
 * 2 MiB more with their page table: for the newest process, or the first of a new one if that has
 * all of the segment. LAB_WEDGED: there is no memory; LAB_OVER: there are SPACES_MAX of them.
 */
enum lab_step lowmem_spaces_grow(struct lowmem_spaces *spaces);

/* True if the newest process has all of the segment, or there is none. */
bool lowmem_spaces_whole(const struct lowmem_spaces *spaces);

/* A process chosen at random, never the newest; NULL if there is no other. */
struct lowmem_space *lowmem_spaces_any(struct lowmem_spaces *spaces, struct prng *prng);

/* The process ends: its tables and its page are free. */
void lowmem_space_exit(struct lowmem_spaces *spaces, struct lowmem_space *space);

/* It gives back so many page tables of what it has of the segment, from the end. */
void lowmem_space_detach(struct lowmem_spaces *spaces, struct lowmem_space *space, uint32_t tables);

/* Reads every entry of its tables; one that is not as it should be is a failure. */
void lowmem_space_check(struct lowmem_spaces *spaces, const struct lowmem_space *space);

/* The same for all of them. */
void lowmem_spaces_check(struct lowmem_spaces *spaces);

/*
 * Goes there: loads CR3 with its tables, reads its own page and some of the segment, and addresses
 * where nothing must be, or where `other` (may be NULL), the space visited before, has something;
 * changes an entry while it is live, and back. What is not as it should be is a failure. CR3 is the
 * payload's own again in the end.
 */
void lowmem_space_visit(struct lowmem_spaces *spaces, struct lowmem_space *space,
                        const struct lowmem_space *other);

/* Gives all back, also after a fault that happened in another address space. */
void lowmem_spaces_close(struct lowmem_spaces *spaces);

/* For the parts of this unit. */

/* The entry that belongs at `addr` of the space: 0 where there is nothing. */
pte_t lowmem_space_entry(const struct lowmem_spaces *spaces, const struct lowmem_space *space,
                         virt_t addr);

/* Page `index` of the segment, and the word that is in it at `*offset` if it is stamped. */
struct page *lowmem_segment_page(const struct lowmem_spaces *spaces, uint32_t index);
uint32_t lowmem_segment_stamp(const struct lowmem_spaces *spaces, uint32_t index, size_t *offset);
uint32_t lowmem_space_stamp(const struct lowmem_spaces *spaces, const struct lowmem_space *space);

/* The number that the page of a table, or of a directory, has with its owner. */
uint32_t lowmem_space_table_index(const struct lowmem_spaces *spaces,
                                  const struct lowmem_space *space, virt_t addr);

static inline uint32_t lowmem_segment_tables(const struct lowmem_spaces *spaces)
{
    return spaces->nr_blocks * SEGMENT_BLOCK_TABLES;
}

#endif
