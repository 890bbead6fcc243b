/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAGING_SLAB_H
#define PAGING_SLAB_H

/*
 * Small objects in lowmem: kmalloc() and named caches, on top of the page allocator.
 *
 * A cache holds slabs, blocks of 2^order pages cut into objects of one size. In front of the slabs
 * stands a per-CPU array of free objects, so that most of the time kmem_cache_alloc() and
 * kmem_cache_free() are a push and a pop. A slab that is wholly free goes back to the page
 * allocator. Nothing about a slab is kept among its objects: a power of two stays aligned to
 * itself.
 *
 * For debugging, by cache or for all of them with the boot option slab_debug: SLAB_POISON fills
 * free objects with a pattern and looks at it when they are given out again (a write after free is
 * a finding); SLAB_RED_ZONE sets words at both ends of each object that are looked at when it is
 * freed (a write past its end, a double free). Both take the slow path.
 *
 * The names are those of Linux. Context: thread; the slabs are guarded by preemption being off.
 */

#include "lib/list.h"
#include "paging/page_alloc.h"

#define SLAB_RED_ZONE BIT(0)
#define SLAB_POISON BIT(1)

#define KMALLOC_MIN_SIZE 8u
#define KMALLOC_MAX_SIZE (PAGE_SIZE << MAX_ORDER)

struct kmem_cache;

/*
 * A cache of objects of `size` bytes (1..PAGE_SIZE * 2), aligned to `align` (a power of two up to
 * PAGE_SIZE; 0: to a word). name: not copied. NULL if there is no memory.
 */
struct kmem_cache *kmem_cache_create(const char *name, size_t size, size_t align, unsigned flags);

/* Frees the cache. Objects that are still allocated are a finding, which names how many. */
void kmem_cache_destroy(struct kmem_cache *cache);

/* An object, not cleared unless gfp has __GFP_ZERO; NULL if there is no memory. */
static inline void *kmem_cache_alloc(struct kmem_cache *cache, gfp_t gfp);

/* Gives an object back to the cache that it came from. NULL is fine. Anything else is a finding. */
static inline void kmem_cache_free(struct kmem_cache *cache, void *object);

/* Gives every slab that has no object in use back to the page allocator; returns how many pages. */
uint32_t kmem_cache_shrink(struct kmem_cache *cache);

/*
 * Memory of at least `size` bytes, up to KMALLOC_MAX_SIZE; a power of two is aligned to itself.
 * NULL if there is none, or size is 0. Above PAGE_SIZE it is pages.
 */
static inline void *kmalloc(size_t size, gfp_t gfp);
static inline void kfree(const void *object);

/* How many bytes may be used where kmalloc() gave `object`. */
size_t ksize(const void *object);

/* Shrinks all caches. */
uint32_t slab_shrink_all(void);

struct slab_info {
    const char *name;
    uint32_t object_bytes, objects_per_slab, slab_order;
    uint32_t slabs, in_use; /* objects that are out */
};

/* Fills in what is known of a cache. */
void kmem_cache_info(const struct kmem_cache *cache, struct slab_info *info);

/*
 * Checks every rule of the cache: lists, counts, free lists within their slabs, poison. NULL, or
 * what is wrong; *where is then the object or slab.
 */
const char *kmem_cache_check(struct kmem_cache *cache, virt_t *where);

/* The debugging flags of the kmalloc caches from now on; they must be empty. False if they are not.
 */
bool kmalloc_set_debug(unsigned flags);

/*
 * Gets this processor's stacks and the kmalloc caches ready. False if there is no memory.
 * Context: once, when the page allocator works.
 */
bool slab_init(void);

#include "paging/slab_quick.h"

#endif
