/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAGING_SLAB_INTERNAL_H
#define PAGING_SLAB_INTERNAL_H

/*
 * What the files of the slab allocator share. Functions are called with preemption off, unless it
 * says otherwise.
 *
 * An object is in one of three states: out; free, its bit in the slab's map set; or on a stack,
 * where it is neither. Caches that are debugged have stacks without room, so that all of their
 * objects are out or free.
 */

#include "lib/bitmap.h"
#include "paging/page_owner.h"
#include "paging/slab.h"

/* A slab. Descriptors lie in pages of their own, at multiples of SLAB_DESCRIPTOR_BYTES. */
struct slab {
    struct list_head link; /* in its cache's list */
    char *first;           /* object */
    uint16_t number;       /* of the cache */
    uint16_t free;         /* how many bits of the map are set */
    uint32_t map[];
};

#define SLAB_DESCRIPTOR_SHIFT 6u
#define SLAB_DESCRIPTOR_BYTES (1u << SLAB_DESCRIPTOR_SHIFT)
#define SLAB_PLACE_MASK (BIT(SLAB_NUMBER_SHIFT) - 1)

/* Numbers of paging/page_owner.h for pages that are no slab's. */
#define SLAB_INDEX_KMALLOC 0u
#define SLAB_INDEX_DESCRIPTORS NR_SLAB_CACHES

#define SLAB_DEBUG_FLAGS (SLAB_RED_ZONE | SLAB_POISON)

/* paging/slab_descriptor.c. Room for a descriptor with so many bits, or NULL. Preemption on. */
struct slab *slab_descriptor_alloc(uint32_t objects, gfp_t gfp);
void slab_descriptor_free(struct slab *slab, uint32_t objects);

/* NULL, or what is wrong with the pages of descriptors. */
const char *slab_descriptor_check(virt_t *where);

static inline struct kmem_cache *slab_cache(const struct slab *slab)
{
    return &slab_caches[slab->number];
}

static inline bool cache_is_debugged(const struct kmem_cache *cache)
{
    return (cache->flags & SLAB_DEBUG_FLAGS) != 0;
}

static inline struct page *slab_page(const struct slab *slab)
{
    return virt_to_page(slab->first - slab_cache(slab)->lead);
}

/* What stands in the second descriptor word of each of its pages. */
static inline uint32_t slab_word(const struct slab *slab)
{
    uintptr_t place = ((uintptr_t)slab - layout.direct_offset) >> SLAB_DESCRIPTOR_SHIFT;

    return (uint32_t)place | (uint32_t)slab->number << SLAB_NUMBER_SHIFT;
}

/* The same the other way. */
static inline struct slab *slab_of_word(uint32_t word)
{
    uintptr_t place = (uintptr_t)(word & SLAB_PLACE_MASK) << SLAB_DESCRIPTOR_SHIFT;

    return (struct slab *)(place + layout.direct_offset);
}

/* The slab that the address is in; NULL if it is in none. Any address. */
static inline struct slab *slab_of(const void *address)
{
    pfn_t pfn = phys_to_pfn(virt_to_phys(address));
    unsigned number = slab_number(address);

    return number && number < NR_SLAB_CACHES ? slab_of_word(pfn_to_page(pfn)->kmap) : NULL;
}

static inline char *slab_object(const struct kmem_cache *cache, const struct slab *slab,
                                uint32_t index)
{
    return slab->first + (size_t)index * cache->stride;
}

/* Which of the slab's objects this is; cache->objects or more if there is none at this address. */
static inline uint32_t slab_index(const struct kmem_cache *cache, const struct slab *slab,
                                  const void *object)
{
    uint32_t offset = (uint32_t)((const char *)object - slab->first);
    uint32_t index = (uint32_t)((uint64_t)offset * cache->inverse >> 32);

    return likely(index * cache->stride == offset) ? index : cache->objects;
}

/* This processor's stack of the cache. */
static inline struct slab_stack *slab_stack_of(unsigned number)
{
    return (struct slab_stack *)ALIGN_DOWN((uintptr_t)slab_top_get(number),
                                           sizeof(struct slab_stack));
}

/* How many objects are on it. */
static inline uint32_t slab_stack_count(const struct kmem_cache *cache)
{
    void **end = &slab_stack_of(cache->number)->slot[cache->capacity];

    return (uint32_t)(end - slab_top_get(cache->number));
}

/* paging/slab.c. Gives the oldest `count` objects of the stack to their slabs. */
void slab_flush(struct kmem_cache *cache, uint32_t count);

/* Gives the slab's memory back, whatever is out. */
void slab_release(struct kmem_cache *cache, struct slab *slab);

/* What speaks against giving `object` to the cache; NULL if nothing does. */
const char *slab_free_fault(const struct kmem_cache *cache, const void *object);

/* paging/slab_cache.c. Sets up the cache of this number, without any object. */
void slab_cache_init(unsigned number, const char *name, size_t size, size_t align, unsigned flags);

/* paging/slab_shrinker.c. Lets the page allocator ask for what the caches keep. */
void slab_shrinker_init(void);

/* paging/kmalloc.c. The caches of kmalloc(). */
void kmalloc_init(unsigned flags);

/* True if the block was kmalloc()'s, and is free now. */
bool kmalloc_free_pages(const void *block);

/*
 * paging/slab_debug.c, for caches that are debugged. What is wrong is a finding, and put right.
 * Makes an object free, without looking at what it was.
 */
void slab_debug_clear(const struct kmem_cache *cache, char *object);

/* A free object is given out, or one that was out is given back. */
void slab_debug_take(const struct kmem_cache *cache, char *object);
void slab_debug_give(const struct kmem_cache *cache, char *object);

/* Looks at all free objects of a slab. */
void slab_debug_look(const struct kmem_cache *cache, const struct slab *slab);

/* NULL, or what is wrong with the object; changes nothing. */
const char *slab_debug_check(const struct kmem_cache *cache, const char *object, bool is_free);

#endif
