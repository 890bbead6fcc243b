/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAYLOAD_TESTS_LOWMEM_OBJECTS_H
#define PAYLOAD_TESTS_LOWMEM_OBJECTS_H

/*
 * Small objects of a kernel at work, each kind from a cache of its own: directory entries, inodes,
 * open files, sockets, and what is sent through them. They come and go in no order. Each carries
 * its serial number at both ends, which is looked at when it goes.
 *
 * Context of all: thread, preemption on.
 */

#include "paging/slab.h"
#include "payload/tests/lowmem_lab.h"

#define OBJECT_KINDS 5u

struct lowmem_object {
    uint32_t *words;
    uint32_t serial; /* the kind is its lowest bits */
};

struct lowmem_objects {
    struct lab *lab;
    struct kmem_cache *kind[OBJECT_KINDS];
    struct lowmem_object *object; /* in no order */
    uint32_t count, max;
    uint32_t serial;
};

/* Gets ready for up to `max`, in begin(). NULL, or what is lacking. */
const char *lowmem_objects_open(struct lowmem_objects *objects, struct lab *lab, uint32_t max);

/* One more, of a kind drawn as often as a file server has it. LAB_WEDGED: no memory. */
enum lab_step lowmem_objects_take(struct lowmem_objects *objects);

/* One less, whichever. */
void lowmem_objects_give_any(struct lowmem_objects *objects);

/* Looks at all of them. */
void lowmem_objects_check(struct lowmem_objects *objects);

/* Bytes that an object has on average, its slab's unused rest included. */
#define OBJECT_BYTES_MEAN 470u

void lowmem_objects_close(struct lowmem_objects *objects);

#endif
