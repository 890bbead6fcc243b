/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAGING_SLAB_INTERNAL_H
#define PAGING_SLAB_INTERNAL_H

/*
 * What the files of the slab allocator share. All of it is called with preemption off, unless it
 * says otherwise.
 */

#include "lib/bitmap.h"
#include "lib/list.h"
#include "paging/page_owner.h"
#include "paging/slab.h"

/* A slab. Descriptors lie in pages of their own, at multiples of SLAB_DESCRIPTOR_BYTES. */
struct slab {
    struct list_head link; /* in its cache's list */
    pfn_t pfn;
    uint16_t number; /* of the cache */
    uint16_t free;   /* objects neither out nor on a stack */
    uint32_t map[];  /* a bit for each object: free */
};

#define SLAB_DESCRIPTOR_BYTES 64u
#define SLAB_DESCRIPTOR_SHIFT 6u
#define SLAB_OBJECTS_MAX (PAGE_SIZE / sizeof(uint32_t))

/* Numbers of page_owner.h for pages that are no slab's. */
#define SLAB_INDEX_KMALLOC 0u
#define SLAB_INDEX_DESCRIPTORS NR_SLAB_CACHES

/* paging/slab_descriptor.c. preemption on: room for a descriptor with so many bits, or NULL. */
struct slab *slab_descriptor_alloc(uint32_t objects, gfp_t gfp);
void slab_descriptor_free(struct slab *slab);

/* NULL, or what is wrong with the pages of descriptors. */
const char *slab_descriptor_check(virt_t *where);

/* The slab that the address is in; NULL if it is in none, or not in lowmem. */
struct slab *slab_of(const void *address);

static inline struct kmem_cache *slab_cache(const struct slab *slab)
{
    return &slab_caches[slab->number];
}

static inline char *slab_object(const struct slab *slab, uint32_t index)
{
    const struct kmem_cache *cache = slab_cache(slab);

    return (char *)lowmem_page_address(pfn_to_page(slab->pfn)) + cache->lead +
           index * cache->stride;
}

/* The cache with this number, set up and empty. Any context. */
void slab_cache_init(unsigned number, const char *name, size_t size, size_t align, unsigned flags,
                     enum zone_type zone);

/* The kmalloc caches, for slab_init(). */
void kmalloc_init(void);

#endif
