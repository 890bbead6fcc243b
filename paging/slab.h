/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAGING_SLAB_H
#define PAGING_SLAB_H

/*
 * Small objects in lowmem: kmalloc() and named caches, on top of the page allocator.
 *
 * A cache holds slabs, blocks of 2^order pages cut into objects of one size. In front of the slabs
 * stands a stack of free objects for each processor, so that most of the time kmem_cache_alloc()
 * and kmem_cache_free() are a pop and a push. A slab that is wholly free goes back to the page
 * allocator. Nothing about a slab is kept among its objects: a power of two stays aligned to
 * itself, and a write after free harms nobody's lists.
 *
 * For debugging, by cache or for those of kmalloc() with the boot option slab_debug: SLAB_POISON
 * fills free objects with a pattern and looks at it when they are given out again, and before their
 * slab goes; SLAB_RED_ZONE sets words at both ends of each object, and a pattern in the room up to
 * the next one's, that are looked at when it is freed. Such caches have no stack, and their slabs
 * stay until kmem_cache_shrink().
 *
 * What is a finding, and leaves the allocator as it was:
 *
 *                                           always              with debugging
 *   freed: not from here at all             at once             at once
 *   freed: another cache's (of              at once             at once
 *     kmem_cache_free(); kfree() takes any)
 *   freed: not where an object begins       at once, if bits    at once
 *                                           below its alignment
 *                                           are set; else late
 *   freed twice, one after the other        at once             at once
 *   freed twice                             late                at once
 *   written past its end, before its start  never               when it is freed (RED_ZONE)
 *   written after it was freed              never               when it is given out (POISON)
 *
 * "Late" is when the object leaves the stack for its slab; it may have been given out twice before.
 *
 * There is no colouring (objects of different slabs at different places, for the sake of the
 * processor's cache): sizes that are powers of two fill their pages and leave no room for it
 * without giving up their alignment, and the objects of one page fall into all sets of a cache
 * alike.
 *
 * The names are those of Linux. Context: thread. The slabs are guarded by preemption being off,
 * which is enough while one processor runs threads: a second one has stacks of its own from
 * slab_cpu_init(), but behind them there is no lock yet; and what creates, destroys, shrinks,
 * checks or counts, knows the stacks of its own processor only.
 */

#include "lib/list.h"
#include "paging/page_alloc.h"

#define SLAB_RED_ZONE BIT(0)
#define SLAB_POISON BIT(1)
#define SLAB_CACHE_DMA BIT(2) /* its objects lie in ZONE_DMA, whatever gfp says */

#define KMALLOC_MIN_SIZE 8u
#define KMALLOC_MAX_SIZE (PAGE_SIZE << MAX_ORDER)

struct kmem_cache;

/*
 * A cache of objects of `size` bytes (1..PAGE_SIZE * 2), aligned to `align` (a power of two up to
 * PAGE_SIZE; 0: to a word). name: not copied. NULL if there are too many caches (NR_SLAB_CACHES,
 * those of kmalloc() among them), or an argument is out of its range.
 */
struct kmem_cache *kmem_cache_create(const char *name, size_t size, size_t align, unsigned flags);

/*
 * Frees the cache, NULL is fine. Objects that are still allocated are a finding, which names how
 * many; their memory goes with the cache. Context: nobody uses it any more, or is about to.
 */
void kmem_cache_destroy(struct kmem_cache *cache);

/*
 * An object, not cleared unless gfp has __GFP_ZERO; NULL if there is no memory. gfp is for
 * the pages of a new slab, should it need one; those with __GFP_RECLAIMABLE are set apart as such.
 * A zone without addresses, or one below that of the cache's objects, is a finding, and gives NULL.
 */
static inline void *kmem_cache_alloc(struct kmem_cache *cache, gfp_t gfp);

/* Gives an object back to the cache that it came from. NULL is fine. Anything else is a finding. */
static inline void kmem_cache_free(struct kmem_cache *cache, void *object);

/*
 * Gives every slab that has no object in use, nor on another processor's stack, back to the page
 * allocator. Returns how many pages that were.
 */
uint32_t kmem_cache_shrink(struct kmem_cache *cache);

/*
 * Memory of at least `size` bytes, up to KMALLOC_MAX_SIZE; a power of two is aligned to itself.
 * NULL if there is none, or size is 0. Above PAGE_SIZE it is pages.
 * gfp: with GFP_DMA the memory lies in ZONE_DMA, in caches of its own whose objects share no
 * 64 bytes with others, as a device may write there. A zone without addresses is a finding.
 */
static inline void *kmalloc(size_t size, gfp_t gfp);

/* Gives back what kmalloc() or any cache gave. NULL is fine. Anything else is a finding. */
static inline void kfree(const void *object);

/* How many bytes may be used where kmalloc() gave `object`. */
size_t ksize(const void *object);

/* Shrinks all caches; the page allocator does so when it needs memory (paging/shrinker.h). */
uint32_t slab_shrink_all(void);

struct slab_info {
    const char *name;
    uint32_t object_bytes, objects_per_slab, slab_order;
    uint32_t slabs, in_use; /* objects that are out */
    unsigned flags;
};

/* Fills in what is known of a cache. */
void kmem_cache_info(const struct kmem_cache *cache, struct slab_info *info);

/* The cache of this number, 0..NR_SLAB_CACHES-1; NULL if there is none. */
struct kmem_cache *kmem_cache_of_number(unsigned number);

/*
 * Checks every rule of the cache: lists, counts, what stands in its pages' descriptors, free
 * objects within their slabs, poison and red zones. NULL, or what is wrong; *where is then the
 * object or slab.
 */
const char *kmem_cache_check(struct kmem_cache *cache, virt_t *where);

/*
 * The debugging flags of the kmalloc caches from now on; they must be empty. False if they are not,
 * or not at once. Context: no other thread is within kmalloc().
 */
bool kmalloc_set_debug(unsigned flags);

/*
 * Gets the kmalloc caches and this processor's stacks ready. False if there is no memory.
 * Context: once, when the page allocator works.
 */
bool slab_init(void);

/*
 * This processor's stacks alone, for the caches there are; it must not use one that is made later.
 * False if there is no memory. Context: once on every other processor.
 */
bool slab_cpu_init(void);

#include "paging/slab_quick.h"

#endif
