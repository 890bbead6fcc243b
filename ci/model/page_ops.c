/* SPDX-License-Identifier: BSD-2-Clause */
/* Operations: how they are written, which come at random and out of bytes, and simpler ones. */
#include "ci/model/page_model.h"
#include "ci/model/choice.h"
#include "ci/model/op.h"
#include "paging/page_alloc.h"

#define NAME(op) [op] = #op

static const char *const kinds[NR_OP_KINDS] = {
    NAME(OP_START),        NAME(OP_ALLOC),      NAME(OP_FILL),         NAME(OP_ALLOC_IN),
    NAME(OP_FREE),         NAME(OP_THIN),       NAME(OP_FREE_WRONG),   NAME(OP_DRAIN),
    NAME(OP_TUNE),         NAME(OP_OWN),        NAME(OP_PIN),          NAME(OP_CACHE),
    NAME(OP_SHRINK),       NAME(OP_COMPACT),    NAME(OP_KMAP),         NAME(OP_KUNMAP),
    NAME(OP_CLEAR_EVENTS), NAME(OP_KMALLOC),    NAME(OP_KFREE),        NAME(OP_OBJECT_ALLOC),
    NAME(OP_OBJECT_WRONG), NAME(OP_DAMAGE),     NAME(OP_CACHE_CREATE), NAME(OP_CACHE_END),
    NAME(OP_CACHE_SHRINK), NAME(OP_SLAB_DEBUG), NAME(OP_DISTURB),
};

/* How often each kind comes. */
static const uint8_t weights[NR_OP_KINDS] = {
    [OP_START] = 3,        [OP_ALLOC] = 90,     [OP_FILL] = 14,        [OP_ALLOC_IN] = 8,
    [OP_FREE] = 70,        [OP_THIN] = 2,       [OP_FREE_WRONG] = 8,   [OP_DRAIN] = 2,
    [OP_TUNE] = 6,         [OP_OWN] = 12,       [OP_PIN] = 6,          [OP_CACHE] = 5,
    [OP_SHRINK] = 3,       [OP_COMPACT] = 8,    [OP_KMAP] = 8,         [OP_KUNMAP] = 8,
    [OP_CLEAR_EVENTS] = 1, [OP_KMALLOC] = 45,   [OP_KFREE] = 45,       [OP_OBJECT_ALLOC] = 25,
    [OP_OBJECT_WRONG] = 6, [OP_DAMAGE] = 6,     [OP_CACHE_CREATE] = 6, [OP_CACHE_END] = 2,
    [OP_CACHE_SHRINK] = 4, [OP_SLAB_DEBUG] = 2, [OP_DISTURB] = 20,
};

const char *const model_count_names[MODEL_NR_COUNTS] = {
    [COUNT_ALLOCATED] = "allocated",
    [COUNT_DISTURBED] = "disturbed",
    [COUNT_FAILED] = "failed",
    [COUNT_FREED] = "freed",
    [COUNT_FELL_BACK] = "fell back",
    [COUNT_FINDINGS] = "findings",
    [COUNT_MOVED] = "moved",
    [COUNT_PINNED] = "pinned",
    [COUNT_OBJECTS] = "objects",
    [COUNT_SLABS] = "slabs",
    [COUNT_SLABS_RECLAIMED] = "pages of slabs reclaimed",
    [COUNT_RECLAIMED] = "reclaimed",
    [COUNT_STOLEN] = "stolen",
};

const struct op_field model_fields[MODEL_NR_FIELDS] = {
    {OP_NAMED(kind, NR_OP_KINDS, kinds)},
    {OP_NUMBER(order)},
    {OP_NUMBER(more)},
    {OP_HEX(gfp)},
    {OP_NUMBER(at)},
};

static uint16_t without_highest_flag(uint16_t gfp)
{
    uint16_t bit = 0x8000;

    while (bit && !(gfp & bit))
        bit >>= 1;
    return gfp & (uint16_t)~bit;
}

static uint16_t one_for_many(uint16_t kind)
{
    return kind == OP_FILL ? OP_ALLOC : kind;
}

const struct op_way model_ways[MODEL_NR_WAYS] = {
    {OP_WAY(order, op_half)},
    {OP_WAY(order, op_less)},
    {OP_WAY(more, op_half)},
    {OP_WAY(more, op_less)},
    {OP_WAY(at, op_half)},
    {OP_WAY(at, op_less)},
    {OP_WAY(gfp, without_highest_flag)},
    {OP_WAY(kind, one_for_many)},
};

/* Mostly those that a kernel uses. */
static uint16_t random_gfp(uint32_t (*draw)(void *ctx, uint32_t n), void *ctx)
{
    static const uint16_t usual[] = {
        GFP_DMA,
        GFP_KERNEL,
        GFP_KERNEL | __GFP_RECLAIMABLE,
        GFP_NOWAIT,
        GFP_ATOMIC,
        GFP_HIGHUSER,
        GFP_HIGHUSER_MOVABLE,
        GFP_HIGHUSER_MOVABLE,
        GFP_HIGHUSER_MOVABLE,
        GFP_KERNEL | __GFP_MOVABLE,
        ZONE_HIGHMEM | __GFP_HIGH,
        ZONE_HIGHMEM | __GFP_MOVABLE,
    };

    if (draw(ctx, 4) == 0)
        return (uint16_t)draw(ctx, 512);
    return (uint16_t)(usual[draw(ctx, ARRAY_SIZE(usual))] |
                      (draw(ctx, 8) ? 0 : __GFP_THISZONE << draw(ctx, 4)));
}

struct op model_random_op(uint32_t (*draw)(void *ctx, uint32_t n), void *ctx)
{
    struct op op = {.more = (uint8_t)draw(ctx, 256), .gfp = random_gfp(draw, ctx)};

    op.at = (uint16_t)draw(ctx, 65536);
    while (op.order < NR_ORDERS && draw(ctx, 2))
        op.order++;
    op.kind = choice_by_weight(draw, ctx, weights, NR_OP_KINDS);
    return op;
}

struct op model_decode(const uint8_t *bytes)
{
    return (struct op){
        .kind = bytes[0] % NR_OP_KINDS,
        .order = bytes[1],
        .more = bytes[2],
        .gfp = (uint16_t)(bytes[3] | bytes[4] << 8),
        .at = (uint16_t)(bytes[5] | bytes[6] << 8),
    };
}
