/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAGING_SLAB_QUICK_H
#define PAGING_SLAB_QUICK_H

/*
 * The quick paths, for paging/slab.h alone, which includes this: an object is popped from a stack
 * of free ones, or pushed onto it. Everything else takes the slow path.
 *
 * Each cache has a number, 1..NR_SLAB_CACHES-1, and each processor a stack for each cache, which
 * grows down and lies at a multiple of its size. So neither of its ends needs to be known: below
 * the oldest entry stands a NULL, and the stack is full when the address of its top is such a
 * multiple. The number stands in the second descriptor word of every page of a slab:
 *
 *     31  30     26 25                                    0
 *     | 0 | number |  place of the slab's descriptor / 64  |
 *
 * so that freeing begins with the address alone. A page that is free has bit 31 set, one that is no
 * slab's has 0 there: both are numbers of no cache, whose mask of wrong address bits is all ones.
 */

#include "lib/x86/percpu.h"
#include "paging/preempt.h"

#define SLAB_NUMBER_SHIFT 26u
#define SLAB_STACK_SLOTS 32u /* one of them is the NULL */

struct slab_stack {
    void *slot[SLAB_STACK_SLOTS];
};

struct kmem_cache {
    uint32_t number;  /* 0: not in use */
    uint32_t size;    /* as asked for */
    uint32_t stride;  /* from one object to the next */
    uint32_t inverse; /* 2^32 divided by it */
    uint32_t lead;    /* from the slab's start to the first */
    uint32_t objects, order;
    uint32_t capacity,
        batch; /* of the stack; how many it takes from the slabs, or gives, at once */
    unsigned flags;
    enum zone_type zone;
    const char *name;
    struct list_head partial, full; /* slabs with and without a free object */
    uint32_t slabs, free;           /* slabs, and the free objects in them */
};

extern struct kmem_cache slab_caches[NR_SLAB_CACHES];

/* Address bits that no object of the cache has set. */
extern uint32_t slab_wrong_bits[2 * NR_SLAB_CACHES];

/* What the quick paths leave. */
void *slab_alloc_slow(unsigned number, gfp_t gfp);
void *slab_alloc_any(unsigned number, gfp_t gfp);
void *kmalloc_any(size_t size, gfp_t gfp);
void slab_free_slow(unsigned number, const void *object);

#if __STDC_HOSTED__
static inline void **slab_top_get(unsigned number)
{
    return this_cpu()->slab_top[number];
}

static inline void slab_top_move(unsigned number, int slots)
{
    this_cpu()->slab_top[number] += slots;
}
#else
static inline void **slab_top_get(unsigned number)
{
    void **top;

    if (__builtin_constant_p(number))
        __asm__ volatile("movl %%fs:%c1, %0"
                         : "=r"(top)
                         : "i"(offsetof(struct cpu, slab_top) + number * sizeof(top)));
    else
        __asm__ volatile("movl %%fs:%c1(,%2,4), %0"
                         : "=r"(top)
                         : "i"(offsetof(struct cpu, slab_top)), "r"(number));
    return top;
}

/* Of constants it needs no register. */
static inline void slab_top_move(unsigned number, int slots)
{
    if (__builtin_constant_p(number))
        __asm__ volatile("addl %1, %%fs:%c0"
                         :
                         : "i"(offsetof(struct cpu, slab_top) + number * sizeof(void **)),
                           "ri"(slots * (int)sizeof(void *))
                         : "memory", "cc");
    else
        __asm__ volatile("addl %2, %%fs:%c0(,%1,4)"
                         :
                         : "i"(offsetof(struct cpu, slab_top)), "r"(number),
                           "ri"(slots * (int)sizeof(void *))
                         : "memory", "cc");
}
#endif

/* Only what any object does for; the rest is looked at by slab_alloc_any(). */
static inline bool slab_gfp_is_quick(gfp_t gfp)
{
    return (gfp & (__GFP_ZONE_MASK | __GFP_ZERO)) == (gfp_t)ZONE_NORMAL;
}

static inline void *slab_alloc_quick(unsigned number, gfp_t gfp)
{
    void *object;

    preempt_disable();
    object = *slab_top_get(number);
    if (unlikely(!object)) {
        preempt_enable();
        return slab_alloc_slow(number, gfp);
    }
    slab_top_move(number, 1);
    preempt_enable();
    return object;
}

/* The number in the page's descriptor; none of a cache if the address is not lowmem's. */
static inline unsigned slab_number(const void *object)
{
    pfn_t pfn = phys_to_pfn(virt_to_phys(object));

    if (unlikely(pfn >= max_low_pfn))
        return 0;
    return pfn_to_page(pfn)->kmap >> SLAB_NUMBER_SHIFT;
}

static inline void slab_free_quick(unsigned number, const void *object)
{
    void **top;

    preempt_disable();
    top = slab_top_get(number);
    if (unlikely((uintptr_t)top % sizeof(struct slab_stack) == 0 || *top == object)) {
        preempt_enable();
        slab_free_slow(number, object);
        return;
    }
    top[-1] = (void *)(virt_t)object;
    slab_top_move(number, -1);
    preempt_enable();
}

static inline bool slab_is_no_object(unsigned number, const void *object)
{
    return ((uintptr_t)object & slab_wrong_bits[number]) != 0;
}

static inline void *kmem_cache_alloc(struct kmem_cache *cache, gfp_t gfp)
{
    if (!slab_gfp_is_quick(gfp))
        return slab_alloc_any(cache->number, gfp);
    return slab_alloc_quick(cache->number, gfp);
}

static inline void kmem_cache_free(struct kmem_cache *cache, void *object)
{
    unsigned number = slab_number(object);

    if (unlikely(number != cache->number || slab_is_no_object(number, object)))
        slab_free_slow(cache->number, object);
    else
        slab_free_quick(number, object);
}

/* Sizes of the first caches, by number - 1; the same again for DMA, from KMALLOC_DMA_MIN_SIZE up.
 */
#define KMALLOC_SIZES 12u
#define KMALLOC_DMA_SIZES 7u
#define KMALLOC_CACHES (KMALLOC_SIZES + KMALLOC_DMA_SIZES)

/* Number of the cache for a size of 1..PAGE_SIZE: 8, 16, 32, 64, 96, 128, 192, 256, 512, ... */
static inline unsigned kmalloc_number(size_t size)
{
    unsigned shift;

    if (size <= 8)
        return 1;
    shift = 32 - (unsigned)__builtin_clz((uint32_t)size - 1);
    if (size > 64 && size <= 96)
        return 5;
    if (size > 128 && size <= 192)
        return 7;
    if (shift <= 6)
        return shift - 2;
    return shift == 7 ? 6 : shift;
}

static inline void *kmalloc(size_t size, gfp_t gfp)
{
    if (__builtin_constant_p(size) && size - 1 < PAGE_SIZE && slab_gfp_is_quick(gfp))
        return slab_alloc_quick(kmalloc_number(size), gfp);
    return kmalloc_any(size, gfp);
}

static inline void kfree(const void *object)
{
    unsigned number = slab_number(object);

    if (unlikely(slab_is_no_object(number, object)))
        slab_free_slow(0, object);
    else
        slab_free_quick(number, object);
}

#endif
