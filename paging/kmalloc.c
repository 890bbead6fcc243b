/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/finding.h"
#include "paging/slab_internal.h"

static const struct kmalloc_size {
    const char *name, *dma_name; /* dma_name NULL: none of this size */
    size_t size;
} kmalloc_sizes[KMALLOC_SIZES] = {
    {"kmalloc-8", NULL, 8},
    {"kmalloc-16", NULL, 16},
    {"kmalloc-32", NULL, 32},
    {"kmalloc-64", "dma-kmalloc-64", 64},
    {"kmalloc-96", NULL, 96},
    {"kmalloc-128", "dma-kmalloc-128", 128},
    {"kmalloc-192", NULL, 192},
    {"kmalloc-256", "dma-kmalloc-256", 256},
    {"kmalloc-512", "dma-kmalloc-512", 512},
    {"kmalloc-1k", "dma-kmalloc-1k", 1024},
    {"kmalloc-2k", "dma-kmalloc-2k", 2048},
    {"kmalloc-4k", "dma-kmalloc-4k", 4096},
};

/* The lowest power of two in a size: what its objects are aligned to. */
static size_t natural_align(size_t size)
{
    return size & -size;
}

void kmalloc_init(unsigned flags)
{
    unsigned number = KMALLOC_SIZES;

    for (unsigned i = 0; i < KMALLOC_SIZES; i++) {
        const struct kmalloc_size *s = &kmalloc_sizes[i];

        slab_cache_init(i + 1, s->name, s->size, natural_align(s->size), flags);
        if (s->dma_name)
            slab_cache_init(++number, s->dma_name, s->size, natural_align(s->size),
                            flags | SLAB_CACHE_DMA);
    }
}

bool kmalloc_set_debug(unsigned flags)
{
    bool is_empty = true;

    preempt_disable();
    for (unsigned number = 1; number <= KMALLOC_CACHES; number++) {
        kmem_cache_shrink(&slab_caches[number]);
        is_empty &= slab_caches[number].slabs == 0;
    }
    if (is_empty)
        kmalloc_init(flags & SLAB_DEBUG_FLAGS);
    preempt_enable();
    return is_empty;
}

/* Number of the DMA cache for a size of 1..PAGE_SIZE. */
static unsigned dma_number(size_t size)
{
    unsigned number = KMALLOC_SIZES + 1;

    while (slab_caches[number].size < size)
        number++;
    return number;
}

/* The page keeps its order by itself. */
static void *pages_for(size_t size, gfp_t gfp)
{
    unsigned order = 0;
    void *memory;

    while (PAGE_SIZE << order < size)
        order++;
    memory = __get_free_pages(gfp, order);
    if (memory)
        page_set_owner(virt_to_page(memory), PAGE_OWNER_SLAB, SLAB_INDEX_KMALLOC);
    return memory;
}

void *kmalloc_any(size_t size, gfp_t gfp)
{
    unsigned zone = gfp & __GFP_ZONE_MASK;

    if (size == 0 || size > KMALLOC_MAX_SIZE)
        return NULL;
    if (zone > ZONE_NORMAL) {
        finding("kmalloc(%lu): from zone %u, which has no addresses", (unsigned long)size, zone);
        return NULL;
    }
    gfp &= ~__GFP_MOVABLE;
    if (size > PAGE_SIZE)
        return pages_for(size, gfp);
    return slab_alloc_any(zone == ZONE_DMA ? dma_number(size) : kmalloc_number(size), gfp);
}

/* The first page of a block of kmalloc()'s; NULL if there is none at this address. */
static struct page *kmalloc_block(const void *block)
{
    pfn_t pfn = phys_to_pfn(virt_to_phys(block));
    struct page *page;

    if (pfn >= max_low_pfn || !IS_ALIGNED((uintptr_t)block, PAGE_SIZE))
        return NULL;
    page = pfn_to_page(pfn);
    if (page->free || !page->allocated || page->owner != PAGE_OWNER_SLAB ||
        page->index != SLAB_INDEX_KMALLOC)
        return NULL;
    return page;
}

bool kmalloc_free_pages(const void *block)
{
    struct page *page = kmalloc_block(block);

    if (!page)
        return false;
    page_set_owner(page, PAGE_OWNER_NONE, 0);
    __free_pages(page, page->order);
    return true;
}

size_t ksize(const void *object)
{
    const struct slab *slab = slab_of(object);
    const struct page *page;

    if (!object)
        return 0;
    if (slab)
        return slab_cache(slab)->size;
    page = kmalloc_block(object);
    if (page)
        return PAGE_SIZE << page->order;
    finding("ksize(%p): not from kmalloc()", object);
    return 0;
}
