/* SPDX-License-Identifier: BSD-2-Clause */
#include "drivers/dma_pool.h"
#include "drivers/dma_internal.h"
#include "drivers/dma_lock.h"
#include "drivers/dma_track.h"
#include "lib/inject.h"
#include "lib/string.h"
#include "paging/page_alloc.h"

#define CALLER() __builtin_return_address(0)

#define POISON_FREED 0xa7u
#define NR_BUCKETS 64u
#define MAX_BLOCK_BYTES (PAGE_SIZE << MAX_ORDER)

/* In records: the block is in use, or the free list ends here. */
#define IN_USE 0xffffu
#define NO_BLOCK 0xfffeu

/* One block: who has it or, if it is free, who freed it. */
struct record {
    const void *caller;
    uint16_t next_free; /* the next free block of the chunk, NO_BLOCK, or IN_USE */
};

/* A piece of coherent memory and its blocks, in lowmem of its own. */
struct chunk {
    uint8_t *base; /* a multiple of the size */
    dma_addr_t dma;
    struct chunk *next;      /* in its bucket */
    struct chunk *next_free; /* the next chunk with free blocks, if this one has any */
    uint16_t free;           /* first free block, or NO_BLOCK */
    struct record record[];
};

struct dma_pool {
    const char *name;
    struct device *dev;
    const void *caller; /* who made it */
    uint32_t size;      /* of a block */
    uint32_t stride;    /* of the boundary: `per_stride` blocks fit between two multiples */
    uint32_t per_stride;
    uint32_t chunk_bytes;  /* a power of two */
    uint32_t per_chunk;    /* blocks */
    unsigned record_order; /* pages for a chunk's records */
    uint32_t nr_blocks, nr_used;
    struct chunk *with_free;
    struct chunk *bucket[NR_BUCKETS]; /* chunks by address */
    struct dma_lock lock;             /* guards the last four, and all chunks' records */
};

_Static_assert(sizeof(struct dma_pool) <= PAGE_SIZE, "a pool is kept in a page");

/* A page's blocks have room for their records in a few pages, and a number below NO_BLOCK. */
_Static_assert(PAGE_SIZE / DMA_POOL_MIN_BYTES < NO_BLOCK, "blocks have 16-bit numbers");

static bool is_power_of_two(uint32_t number)
{
    return number != 0 && (number & (number - 1)) == 0;
}

static uint32_t offset_of(const struct dma_pool *pool, uint32_t block)
{
    return block / pool->per_stride * pool->stride + block % pool->per_stride * pool->size;
}

static struct chunk **bucket_of(struct dma_pool *pool, const uint8_t *base)
{
    return &pool->bucket[addr_number(virt_to_phys(base)) / PAGE_SIZE % NR_BUCKETS];
}

static void poison(const struct dma_pool *pool, uint8_t *bytes)
{
    if (pool->dev->check_ownership)
        memset(bytes, POISON_FREED, pool->size);
}

/* After a finding if somebody has written to what `freed_by` gave back. */
static void check_poison(const struct dma_pool *pool, const struct chunk *chunk, uint32_t block,
                         const void *freed_by, const void *caller)
{
    const uint8_t *bytes = chunk->base + offset_of(pool, block);
    uint32_t i = 0;

    if (!pool->dev->check_ownership)
        return;
    while (i < pool->size && (bytes[i] == POISON_FREED || inject_on_host(pool_skip_poison)))
        i++;
    if (i < pool->size)
        dma_report(pool->dev, DMA_FINDING_FREED_WRITTEN, "%.12s +%u, freed by %p, seen by %p",
                   pool->name, offset_of(pool, block) + i, freed_by, caller);
}

static void enter(struct dma_pool *pool, struct chunk *chunk)
{
    struct chunk **bucket = bucket_of(pool, chunk->base);
    uint32_t flags = dma_lock_take(&pool->lock);

    chunk->next = *bucket;
    *bucket = chunk;
    chunk->next_free = pool->with_free;
    pool->with_free = chunk;
    pool->nr_blocks += pool->per_chunk;
    dma_lock_release(&pool->lock, flags);
}

static bool grow(struct dma_pool *pool)
{
    struct chunk *chunk = __get_free_pages(GFP_KERNEL, pool->record_order);
    dma_addr_t dma;

    if (!chunk)
        return false;
    chunk->base = dma_coherent_alloc(pool->dev, pool->chunk_bytes, &dma, pool->caller);
    if (!chunk->base) {
        free_pages(chunk, pool->record_order);
        return false;
    }
    chunk->dma = dma;
    chunk->free = 0;
    for (uint32_t i = 0; i < pool->per_chunk; i++) {
        poison(pool, chunk->base + offset_of(pool, i));
        chunk->record[i].caller = NULL;
        chunk->record[i].next_free = (uint16_t)(i + 1 < pool->per_chunk ? i + 1 : NO_BLOCK);
    }
    enter(pool, chunk);
    return true;
}

/* The sizes that follow from size, alignment and boundary. */
static void lay_out(struct dma_pool *pool, uint32_t boundary)
{
    uint32_t record_bytes;

    pool->chunk_bytes = PAGE_SIZE;
    while (pool->chunk_bytes < pool->size)
        pool->chunk_bytes *= 2;
    pool->stride = boundary ? MIN(boundary, pool->chunk_bytes) : pool->chunk_bytes;
    if (inject_on_host(pool_forget_boundary))
        pool->stride = pool->chunk_bytes;
    pool->per_stride = pool->stride / pool->size;
    pool->per_chunk = pool->chunk_bytes / pool->stride * pool->per_stride;
    record_bytes = (uint32_t)(sizeof(struct chunk) + pool->per_chunk * sizeof(struct record));
    pool->record_order = 0;
    while (PAGE_SIZE << pool->record_order < record_bytes)
        pool->record_order++;
}

struct dma_pool *dma_pool_create(const char *name, struct device *dev, uint32_t size,
                                 uint32_t align, uint32_t boundary)
{
    struct dma_pool *pool;

    align = MAX(align, DMA_POOL_MIN_BYTES);
    if (size == 0 || size > MAX_BLOCK_BYTES || !is_power_of_two(align) || align > PAGE_SIZE ||
        (boundary && (!is_power_of_two(boundary) || boundary < ALIGN_UP(size, align)))) {
        dma_report(dev, DMA_FINDING_BAD_ARGUMENT, "pool of %u bytes, align %u, boundary %u, by %p",
                   size, align, boundary, CALLER());
        return NULL;
    }
    pool = __get_free_pages(GFP_KERNEL, 0);
    if (!pool)
        return NULL;
    memset(pool, 0, sizeof(*pool));
    pool->name = name;
    pool->dev = dev;
    pool->caller = CALLER();
    pool->size = ALIGN_UP(size, align);
    lay_out(pool, boundary);
    if (grow(pool))
        return pool;
    free_pages(pool, 0);
    return NULL;
}

/* Takes the first free block. NULL if there is none. *freed_by: who gave it back, NULL if nobody.
 */
static struct chunk *take(struct dma_pool *pool, const void *caller, uint32_t *block,
                          const void **freed_by)
{
    uint32_t flags = dma_lock_take(&pool->lock);
    struct chunk *chunk = pool->with_free;

    if (chunk) {
        struct record *record = &chunk->record[chunk->free];

        *block = chunk->free;
        *freed_by = record->caller;
        chunk->free = inject(pool_give_twice, dma_lists) ? chunk->free : record->next_free;
        record->next_free = IN_USE;
        record->caller = caller;
        pool->nr_used++;
        if (chunk->free == NO_BLOCK)
            pool->with_free = chunk->next_free;
    }
    dma_lock_release(&pool->lock, flags);
    return chunk;
}

static void *alloc(struct dma_pool *pool, dma_addr_t *handle, const void *caller)
{
    const void *freed_by;
    uint32_t block;
    struct chunk *chunk = take(pool, caller, &block, &freed_by);

    /* Another may be quicker with the new blocks. */
    while (!chunk) {
        if (!grow(pool))
            return NULL;
        chunk = take(pool, caller, &block, &freed_by);
    }
    check_poison(pool, chunk, block, freed_by, caller);
    *handle = chunk->dma + offset_of(pool, block);
    return chunk->base + offset_of(pool, block);
}

void *dma_pool_alloc(struct dma_pool *pool, dma_addr_t *handle)
{
    return alloc(pool, handle, CALLER());
}

void *dma_pool_zalloc(struct dma_pool *pool, dma_addr_t *handle)
{
    void *block = alloc(pool, handle, CALLER());

    if (block && !inject(pool_skip_zero, dma_lists))
        memset(block, 0, pool->size);
    return block;
}

/* The chunk and number of a block by its address; NULL if there is no such block. */
static struct chunk *find(struct dma_pool *pool, uint8_t *bytes, uint32_t *block)
{
    uint32_t offset = (uint32_t)addr_number(virt_to_phys(bytes)) & (pool->chunk_bytes - 1);
    struct chunk *chunk = *bucket_of(pool, bytes - offset);

    while (chunk && chunk->base != bytes - offset)
        chunk = chunk->next;
    *block = offset / pool->stride * pool->per_stride + offset % pool->stride / pool->size;
    return chunk && *block < pool->per_chunk &&
                   (offset_of(pool, *block) == offset || inject_on_host(pool_free_inside))
               ? chunk
               : NULL;
}

/* Puts a block on the free list, poisoned already. */
static void put(struct dma_pool *pool, struct chunk *chunk, uint32_t block, const void *caller)
{
    struct record *record = &chunk->record[block];

    if (chunk->free == NO_BLOCK) {
        chunk->next_free = pool->with_free;
        pool->with_free = chunk;
    }
    record->caller = caller;
    record->next_free = chunk->free;
    chunk->free = (uint16_t)block;
    pool->nr_used--;
}

void dma_pool_free(struct dma_pool *pool, void *block, dma_addr_t handle)
{
    const void *caller = CALLER(), *first = NULL;
    uint32_t flags = dma_lock_take(&pool->lock);
    uint32_t number;
    struct chunk *chunk = find(pool, block, &number);
    bool in_use = chunk && chunk->record[number].next_free == IN_USE;
    bool fits = in_use && handle == chunk->dma + offset_of(pool, number);

    if (in_use || (chunk && inject_on_host(pool_free_twice))) {
        poison(pool, block);
        put(pool, chunk, number, caller);
    } else if (chunk) {
        first = chunk->record[number].caller;
    }
    dma_lock_release(&pool->lock, flags);
    if (!chunk)
        dma_report(pool->dev, DMA_FINDING_UNKNOWN, "%p is no block of %.12s, freed by %p", block,
                   pool->name, caller);
    else if (!in_use)
        dma_report(pool->dev, DMA_FINDING_DOUBLE_UNMAP, "%p of %.12s by %p, freed by %p", block,
                   pool->name, caller, first);
    else if (!fits)
        dma_report(pool->dev, DMA_FINDING_BAD_ARGUMENT, "%p of %.12s freed as 0x%llx by %p", block,
                   pool->name, addr_number(handle), caller);
}

static void drop(struct dma_pool *pool, struct chunk *chunk, const void *caller)
{
    for (uint32_t i = 0; i < pool->per_chunk; i++) {
        const struct record *record = &chunk->record[i];

        if (record->next_free == IN_USE)
            dma_report(pool->dev, DMA_FINDING_LEAK, "%.12s +%u allocated by %p, destroyed by %p",
                       pool->name, offset_of(pool, i), record->caller, caller);
        else
            check_poison(pool, chunk, i, record->caller, caller);
    }
    dma_free_coherent(pool->dev, pool->chunk_bytes, chunk->base, chunk->dma);
    free_pages(chunk, pool->record_order);
}

void dma_pool_destroy(struct dma_pool *pool)
{
    if (!pool)
        return;
    for (uint32_t i = 0; i < NR_BUCKETS; i++) {
        while (pool->bucket[i]) {
            struct chunk *chunk = pool->bucket[i];

            pool->bucket[i] = chunk->next;
            drop(pool, chunk, CALLER());
        }
    }
    free_pages(pool, 0);
}

uint32_t dma_pool_used(const struct dma_pool *pool)
{
    return pool->nr_used;
}

uint32_t dma_pool_blocks(const struct dma_pool *pool)
{
    return pool->nr_blocks;
}
