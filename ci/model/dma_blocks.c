/* SPDX-License-Identifier: BSD-2-Clause */
/* Coherent memory and pools of it: what nobody else may touch while it is given out. */
#include <string.h>

#include "ci/model/dma_state.h"
#include "drivers/dma_pool.h"
#include "drivers/dma_track.h"

#define NOWHERE MIB64(4) /* lowmem of nobody's */
#define POISON_BYTE 0xa7u
#define SCRIBBLE_BYTE 0x11u

static bool is_filled(const uint8_t *at, uint8_t fill, uint32_t size)
{
    return at[0] == fill && !memcmp(at, at + 1, size - 1);
}

static void check_filled(const uint8_t *at, uint8_t fill, uint32_t size)
{
    CHECK(is_filled(at, fill, size), "coherent memory at %p+%u was changed", (const void *)at,
          size);
}

/* The next byte to fill memory with: none that the layer uses itself. */
static uint8_t next_fill(void)
{
    return (uint8_t)(0x20u + m.fill++ % 64u);
}

/* Both ends see the same memory, where the device's rules allow. */
static void check_seen(unsigned dev, const uint8_t *at, dma_addr_t dma, uint32_t size)
{
    const char *why;
    const uint8_t *bus = machine_bus(&m.dev[dev], dma, size, &why);

    CHECK(bus && bus == at && machine_region(dma_to_phys(dma), size)->kind == REGION_COHERENT,
          "coherent memory at 0x%llx+%u: %s", (unsigned long long)dma, size,
          bus ? "other memory than the processor's" : why);
}

/* A call failed; it counts an error, unless it was memory of another kind that was missing. */
static void expect_no_memory(unsigned dev)
{
    if (m.dev[dev].counters.errors == m.want[dev].errors + 1)
        m.want[dev].errors++;
}

/* Coherent memory */

static struct coherent *pick_coherent(unsigned which)
{
    unsigned count = 0;

    for (unsigned i = 0; i < MAX_COHERENT; i++)
        count += m.coherent[i].at != NULL;
    for (unsigned i = 0, left = count ? which % count : 0; i < MAX_COHERENT && count; i++) {
        if (m.coherent[i].at && left-- == 0)
            return &m.coherent[i];
    }
    return NULL;
}

void do_coherent(const struct op *op)
{
    struct coherent *c = m.coherent;
    bool room = table_used() < DMA_NR_ENTRIES;

    while (c < m.coherent + MAX_COHERENT && c->at)
        c++;
    if (c == m.coherent + MAX_COHERENT)
        return;
    c->at = dma_alloc_coherent(&m.dev[op->dev], op->size, &c->dma);
    if (!c->at) {
        m.want[op->dev].errors++;
        CHECK(!room || machine.coherent_out || !reaches(&m.dev[op->dev], 0, op->size),
              "no coherent memory, and all is free");
        return;
    }
    c->dev = op->dev;
    c->size = op->size;
    check_seen(op->dev, c->at, c->dma, c->size);
    CHECK(is_filled(c->at, 0, c->size), "coherent memory is not zero");
    c->fill = next_fill();
    memset(c->at, c->fill, c->size);
}

static void free_coherent(struct coherent *c, uint32_t size)
{
    check_filled(c->at, c->fill, c->size);
    dma_free_coherent(&m.dev[c->dev], size, c->at, c->dma);
    c->at = NULL;
}

void do_free_coherent(const struct op *op)
{
    struct coherent *c = pick_coherent(op->arg);

    if (c)
        free_coherent(c, c->size);
}

void do_coherent_wrong(const struct op *op)
{
    struct coherent *c = pick_coherent(op->arg);
    const struct mapping *map = pick_mapping(op->arg, mapping_is_any);

    if (op->more % 3 == 0 && c) {
        want_finding(c->dev, DMA_FINDING_WRONG_SIZE);
        free_coherent(c, c->size + 1 + op->offset % 9000);
    } else if (op->more % 3 == 1 && c) {
        want_finding(c->dev, DMA_FINDING_WRONG_KIND);
        call_unmap_page(&m.dev[c->dev], c->dma, c->size, DMA_BIDIRECTIONAL);
    } else if (op->more % 3 == 2 && map) {
        want_finding(map->dev, DMA_FINDING_WRONG_KIND);
        dma_free_coherent(&m.dev[map->dev], map->size, (uint8_t *)layout.direct_offset + MIB64(4),
                          map->dma);
    }
}

/* Pools */

void do_pool_create(const struct op *op)
{
    static const uint32_t sizes[] = {16, 24, 48, 64, 100, 500, 2000, 4096, 6000};
    static const uint32_t aligns[] = {0, 4, 16, 64};
    static const uint32_t boundaries[] = {0, 64, 256, 4096, 8192};
    struct pool *pool = &m.pool[op->arg % MODEL_POOLS];
    uint32_t size = sizes[op->size % ARRAY_SIZE(sizes)];
    uint32_t align = aligns[op->more % 4], boundary = boundaries[op->more / 4 % 5];
    uint32_t rounded = ALIGN_UP(size, MAX(align, DMA_POOL_MIN_BYTES));

    if (pool->pool)
        return;
    memset(pool, 0, sizeof(*pool));
    pool->pool = dma_pool_create("pool", &m.dev[op->dev], size, align, boundary);
    pool->dev = op->dev;
    pool->size = rounded;
    pool->align = MAX(align, DMA_POOL_MIN_BYTES);
    pool->boundary = boundary;
    if (boundary && boundary < rounded) {
        want_finding(op->dev, DMA_FINDING_BAD_ARGUMENT);
        CHECK(!pool->pool, "a pool of %u bytes within %u", rounded, boundary);
    } else if (!pool->pool) {
        expect_no_memory(op->dev);
    }
}

static struct block *pick_block(struct pool *pool, unsigned which, bool freed)
{
    unsigned count = 0;

    for (unsigned i = 0; i < MAX_BLOCKS; i++)
        count += pool->block[i].at && pool->block[i].freed == freed;
    for (unsigned i = 0, left = count ? which % count : 0; i < MAX_BLOCKS && count; i++) {
        if (pool->block[i].at && pool->block[i].freed == freed && left-- == 0)
            return &pool->block[i];
    }
    return NULL;
}

static bool overlap(const uint8_t *a, uint32_t a_size, const uint8_t *b, uint32_t b_size)
{
    return b && a < b + b_size && b < a + a_size;
}

static void check_alone(const struct pool *pool, const struct block *block)
{
    for (unsigned i = 0; i < MAX_COHERENT; i++)
        CHECK(!overlap(block->at, pool->size, m.coherent[i].at, m.coherent[i].size),
              "a block shares bytes with coherent memory");
    for (unsigned i = 0; i < MODEL_POOLS; i++) {
        for (unsigned j = 0; j < MAX_BLOCKS; j++) {
            const struct block *other = &m.pool[i].block[j];

            CHECK(other == block || other->freed ||
                      !overlap(block->at, pool->size, other->at, m.pool[i].size),
                  "a block shares bytes with another");
        }
    }
}

/* A place for one block more: an empty one, or what was freed and is unharmed. */
static struct block *new_block(struct pool *pool)
{
    for (unsigned i = 0; i < MAX_BLOCKS; i++) {
        if (!pool->block[i].at)
            return &pool->block[i];
    }
    for (unsigned i = 0; i < MAX_BLOCKS; i++) {
        if (pool->block[i].freed && !pool->block[i].scribbled)
            return &pool->block[i];
    }
    return NULL;
}

/* The block at this address was freed before: it is no free one any more. */
static void forget_freed(struct pool *pool, const uint8_t *at)
{
    for (unsigned i = 0; i < MAX_BLOCKS; i++) {
        struct block *block = &pool->block[i];

        if (block->at != at || !block->freed)
            continue;
        if (block->scribbled && m.dev[pool->dev].check_ownership)
            want_finding(pool->dev, DMA_FINDING_FREED_WRITTEN);
        *block = (struct block){0};
    }
}

void do_pool_alloc(const struct op *op)
{
    struct pool *pool = &m.pool[op->arg % MODEL_POOLS];
    struct block *block = pool->pool ? new_block(pool) : NULL;
    bool zeroed = op->more % 2;
    dma_addr_t dma = 0;
    uint8_t *at;

    if (!block)
        return;
    at = zeroed ? dma_pool_zalloc(pool->pool, &dma) : dma_pool_alloc(pool->pool, &dma);
    if (!at) {
        expect_no_memory(pool->dev);
        return;
    }
    *block = (struct block){0};
    forget_freed(pool, at);
    model_now->count[COUNT_BLOCKS]++;
    *block = (struct block){.at = at, .dma = dma, .fill = next_fill()};
    check_seen(pool->dev, at, dma, pool->size);
    check_alone(pool, block);
    CHECK(dma % pool->align == 0, "a block at 0x%llx is not aligned to %u", (unsigned long long)dma,
          pool->align);
    CHECK(!pool->boundary || dma / pool->boundary == (dma + pool->size - 1) / pool->boundary,
          "a block at 0x%llx+%u crosses a multiple of %u", (unsigned long long)dma, pool->size,
          pool->boundary);
    if (zeroed)
        CHECK(is_filled(at, 0, pool->size), "a zeroed block is not zero");
    memset(at, block->fill, pool->size);
}

static void free_block(struct pool *pool, struct block *block, dma_addr_t dma)
{
    check_filled(block->at, block->fill, pool->size);
    dma_pool_free(pool->pool, block->at, dma);
    block->freed = true;
    if (m.dev[pool->dev].check_ownership)
        CHECK(is_filled(block->at, POISON_BYTE, pool->size), "a freed block has no pattern");
}

void do_pool_free(const struct op *op)
{
    struct pool *pool = &m.pool[op->arg % MODEL_POOLS];
    struct block *block = pick_block(pool, op->more, false);

    if (block)
        free_block(pool, block, block->dma);
}

void do_pool_wrong(const struct op *op)
{
    struct pool *pool = &m.pool[op->arg % MODEL_POOLS];
    struct block *block = pick_block(pool, op->more / 4, false);
    struct block *freed = pick_block(pool, op->more / 4, true);

    if (!pool->pool)
        return;
    if (op->more % 4 == 0 && freed) {
        want_finding(pool->dev, DMA_FINDING_DOUBLE_UNMAP);
        dma_pool_free(pool->pool, freed->at, freed->dma);
    } else if (op->more % 4 == 1 && block) {
        want_finding(pool->dev, DMA_FINDING_UNKNOWN);
        dma_pool_free(pool->pool, block->at + 8, block->dma + 8);
    } else if (op->more % 4 == 2 && block) {
        want_finding(pool->dev, DMA_FINDING_BAD_ARGUMENT);
        free_block(pool, block, block->dma + 8);
    } else if (op->more % 4 == 3) {
        want_finding(pool->dev, DMA_FINDING_UNKNOWN);
        dma_pool_free(pool->pool, (uint8_t *)layout.direct_offset + NOWHERE, dma_make(NOWHERE));
    }
}

void do_pool_scribble(const struct op *op)
{
    struct pool *pool = &m.pool[op->arg % MODEL_POOLS];
    struct block *freed = pick_block(pool, op->more, true);

    if (!freed)
        return;
    freed->at[op->offset % pool->size] = SCRIBBLE_BYTE;
    freed->scribbled = true;
}

static void destroy(struct pool *pool)
{
    for (unsigned i = 0; i < MAX_BLOCKS; i++) {
        const struct block *block = &pool->block[i];

        if (block->at && !block->freed)
            want_finding(pool->dev, DMA_FINDING_LEAK);
        else if (block->scribbled && m.dev[pool->dev].check_ownership)
            want_finding(pool->dev, DMA_FINDING_FREED_WRITTEN);
    }
    dma_pool_destroy(pool->pool);
    memset(pool, 0, sizeof(*pool));
}

void do_pool_destroy(const struct op *op)
{
    if (m.pool[op->arg % MODEL_POOLS].pool)
        destroy(&m.pool[op->arg % MODEL_POOLS]);
}

void check_blocks(void)
{
    const struct coherent *c = &m.coherent[model_now->done % MAX_COHERENT];

    if (c->at)
        check_filled(c->at, c->fill, c->size);
    for (unsigned i = 0; i < MODEL_POOLS; i++) {
        const struct block *block = &m.pool[i].block[model_now->done % MAX_BLOCKS];

        if (block->at && !block->freed)
            check_filled(block->at, block->fill, m.pool[i].size);
    }
}

void end_blocks(void)
{
    for (unsigned i = 0; i < MAX_COHERENT; i++) {
        if (m.coherent[i].at)
            free_coherent(&m.coherent[i], m.coherent[i].size);
    }
    for (unsigned i = 0; i < MODEL_POOLS; i++) {
        if (m.pool[i].pool)
            destroy(&m.pool[i]);
    }
}
