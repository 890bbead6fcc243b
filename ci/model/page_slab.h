/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_MODEL_PAGE_SLAB_H
#define CI_MODEL_PAGE_SLAB_H

/*
 * What the model of the page allocator says of the slab allocator on top of it.
 *
 * Lowmem has memory of a page a frame for it. The model sees each page that the slab allocator
 * takes and gives back, and knows each object that is out: where it is, how long, and what it
 * holds.
 */

#include "ci/model/page_state.h"
#include "paging/slab.h"

#define NR_OBJECTS 1024u /* out at once, at most */
#define NR_NAMED 4u
#define NO_NAMED NR_NAMED
#define NR_USES (NR_SLAB_CACHES + 1) /* of its pages: kmalloc()'s, a cache's, descriptors */
#define USE_UNKNOWN NR_USES          /* it has not said yet */

struct object {
    char *at;
    uint32_t size, serial;
    uint8_t number; /* of its cache; 0: pages of kmalloc()'s */
    uint8_t named;  /* NO_NAMED: kmalloc() gave it */
};

struct slab_state {
    struct object objects[NR_OBJECTS];
    uint32_t nr_objects;
    uint32_t live[NR_SLAB_CACHES];  /* objects that are out */
    uint32_t blocks[NR_USES];       /* that it has for each use */
    uint32_t empty[NR_SLAB_CACHES]; /* of them, without an object that is out */
    struct {
        struct kmem_cache *cache; /* NULL: none */
        uint32_t size, align;
        unsigned flags;
    } named[NR_NAMED];
    unsigned debug;       /* flags of the caches of kmalloc() */
    uint32_t pages;       /* of it in all */
    uint32_t pages_given; /* of slabs, in this operation */
    bool refused;         /* the page allocator had nothing for it, in this operation */
    unsigned touched;     /* the cache that this operation was about; 0: none */
    unsigned looked_at;   /* the cache that was checked last */
};
extern struct slab_state slab_state;

/* page_slab.c. */
void slab_start(void);
void check_slabs(void);
uint32_t empty_pages(enum zone_type zone);
char *frame_memory(pfn_t pfn);

/* The block of the slab allocator's that this address is in; NULL if there is none. */
struct block *slab_block(const void *at);

/* page_objects.c: an object that was given to somebody is noted and stamped, or given back. */
struct object *object_enters(void *at, uint32_t size, gfp_t gfp, unsigned named);
void object_give(struct object *object);
struct object *pick_object(unsigned which);
void object_forget(struct object *object); /* it is somebody else's business from now on */
void objects_start(void);
void check_object(const struct object *object);
void check_objects(void);

/* page_slab_ops.c: what is left is given back. */
void slab_end(void);

#endif
