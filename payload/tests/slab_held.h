/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAYLOAD_TESTS_SLAB_HELD_H
#define PAYLOAD_TESTS_SLAB_HELD_H

/*
 * Objects that a case holds, each filled with a stamp that is looked at when it is freed; and what
 * is free in the page allocator before and after. There is one set of the latter at a time.
 */

#include "paging/slab.h"
#include "payload/suite.h"

struct slab_held_entry {
    void *object;
    struct kmem_cache *cache; /* NULL: kmalloc() */
    uint32_t size, stamp;
};

struct slab_held {
    struct slab_held_entry *entry;
    uint32_t count, max, serial;
};

/* What was changed, and where. */
struct slab_damage {
    const void *object;
    uint32_t size, offset;
    uint8_t found;
};

/* A table for `max` objects. False if there is no memory. */
bool slab_held_open(struct slab_held *held, uint32_t max);

/* Frees all objects without a look at them, the table, and the ballast. */
void slab_held_close(struct slab_held *held);

/* Stamps the object, which is not NULL; a place in the table must be left. */
void slab_held_add(struct slab_held *held, void *object, uint32_t size, struct kmem_cache *cache);

/* Frees object `index`; the last one takes its number. False if it was changed. */
bool slab_held_give(struct slab_held *held, uint32_t index, struct slab_damage *damage);

/* Fills memory with a stamp; the offset of the first byte that is none, `size` if all are. */
void slab_stamp(void *object, uint32_t size, uint32_t stamp);
uint32_t slab_stamp_end(const void *object, uint32_t size, uint32_t stamp);

/* Remembers which blocks are free, and fails the case if there are others now. */
void slab_held_remember(void);
void slab_held_check_pages(struct test *t);

/* Takes lowmem but for about so many pages, in the largest blocks; gives all of that back. */
void slab_ballast_take(uint32_t keep_pages);
void slab_ballast_give(void);
uint32_t slab_ballast_free_pages(void);

#endif
