/* SPDX-License-Identifier: BSD-2-Clause */
/* Operations: how they are written, which come at random and out of bytes, and simpler ones. */
#include "ci/model/dma_model.h"
#include "ci/model/choice.h"
#include "ci/model/op.h"

#define NAME(op) [op] = #op

static const char *const kinds[NR_OP_KINDS] = {
    NAME(OP_SETUP),
    NAME(OP_MAP),
    NAME(OP_MAP_SINGLE),
    NAME(OP_MAP_SG),
    NAME(OP_MAP_BAD),
    NAME(OP_UNMAP),
    NAME(OP_UNMAP_WRONG),
    NAME(OP_UNMAP_AGAIN),
    NAME(OP_UNMAP_UNKNOWN),
    NAME(OP_UNMAP_SG),
    NAME(OP_UNMAP_SG_SHORT),
    NAME(OP_SYNC_CPU),
    NAME(OP_SYNC_DEVICE),
    NAME(OP_SYNC_WRONG),
    NAME(OP_SYNC_SG_CPU),
    NAME(OP_SYNC_SG_DEVICE),
    NAME(OP_DEVICE_WRITE),
    NAME(OP_DEVICE_READ),
    NAME(OP_DEVICE_OVERRUN),
    NAME(OP_CPU_WRITE),
    NAME(OP_CPU_WRITE_MAPPED),
    NAME(OP_FIT),
    NAME(OP_COHERENT),
    NAME(OP_FREE_COHERENT),
    NAME(OP_COHERENT_WRONG),
    NAME(OP_POOL_CREATE),
    NAME(OP_POOL_ALLOC),
    NAME(OP_POOL_FREE),
    NAME(OP_POOL_WRONG),
    NAME(OP_POOL_SCRIBBLE),
    NAME(OP_POOL_DESTROY),
    NAME(OP_LEAKS),
};

static const char *const events[NR_EVENTS] = {NAME(EVENT_NONE), NAME(EVENT_IRQ)};

/* How often each kind comes, in about 256 of a random sequence. */
static const uint8_t weights[NR_OP_KINDS] = {
    [OP_SETUP] = 3,
    [OP_MAP] = 60,
    [OP_MAP_SINGLE] = 8,
    [OP_MAP_SG] = 20,
    [OP_MAP_BAD] = 2,
    [OP_UNMAP] = 34,
    [OP_UNMAP_WRONG] = 6,
    [OP_UNMAP_AGAIN] = 4,
    [OP_UNMAP_UNKNOWN] = 2,
    [OP_UNMAP_SG] = 14,
    [OP_UNMAP_SG_SHORT] = 1,
    [OP_SYNC_CPU] = 12,
    [OP_SYNC_DEVICE] = 12,
    [OP_SYNC_WRONG] = 4,
    [OP_SYNC_SG_CPU] = 3,
    [OP_SYNC_SG_DEVICE] = 3,
    [OP_DEVICE_WRITE] = 20,
    [OP_DEVICE_READ] = 16,
    [OP_DEVICE_OVERRUN] = 2,
    [OP_CPU_WRITE] = 8,
    [OP_CPU_WRITE_MAPPED] = 5,
    [OP_FIT] = 3,
    [OP_COHERENT] = 4,
    [OP_FREE_COHERENT] = 3,
    [OP_COHERENT_WRONG] = 2,
    [OP_POOL_CREATE] = 3,
    [OP_POOL_ALLOC] = 14,
    [OP_POOL_FREE] = 10,
    [OP_POOL_WRONG] = 2,
    [OP_POOL_SCRIBBLE] = 2,
    [OP_POOL_DESTROY] = 1,
    [OP_LEAKS] = 1,
};

const char *const model_count_names[MODEL_NR_COUNTS] = {
    [COUNT_DIRECT] = "direct",     [COUNT_BOUNCED] = "bounced",
    [COUNT_FULL] = "had no room",  [COUNT_MERGED] = "lists merged",
    [COUNT_SLEPT] = "slept",       [COUNT_INTERRUPTED] = "interrupted",
    [COUNT_FINDINGS] = "findings", [COUNT_BLOCKS] = "blocks",
};

const struct op_field model_fields[MODEL_NR_FIELDS] = {
    {OP_NAMED(kind, NR_OP_KINDS, kinds)},
    {OP_BELOW(dev, MODEL_DEVICES)},
    {OP_NUMBER(arg)},
    {OP_BELOW(dir, MODEL_DIRECTIONS)},
    {OP_NUMBER(more)},
    {OP_NAMED(event, NR_EVENTS, events)},
    {OP_NUMBER(at)},
    {OP_NUMBER(offset)},
    {OP_NUMBER(size)},
};

static uint16_t without_single(uint16_t kind)
{
    return kind == OP_MAP_SINGLE ? OP_MAP : kind;
}

const struct op_way model_ways[MODEL_NR_WAYS] = {
    {OP_WAY(event, op_none)}, /* EVENT_NONE */
    {OP_WAY(at, op_none)},     {OP_WAY(at, op_half)},   {OP_WAY(at, op_less)},
    {OP_WAY(dev, op_none)},    {OP_WAY(arg, op_half)},  {OP_WAY(arg, op_less)},
    {OP_WAY(dir, op_less)},    {OP_WAY(more, op_half)}, {OP_WAY(more, op_less)},
    {OP_WAY(offset, op_half)}, {OP_WAY(size, op_half)}, {OP_WAY(kind, without_single)},
};

/* Small sizes are as likely as large ones; so are offsets near where the masks end. */
static uint16_t random_size(uint32_t (*draw)(void *ctx, uint32_t n), void *ctx)
{
    static const uint16_t limits[] = {8, 64, 300, 1000, 5000, 12000};

    return (uint16_t)draw(ctx, limits[draw(ctx, sizeof(limits) / sizeof(limits[0]))]);
}

static uint16_t random_offset(uint32_t (*draw)(void *ctx, uint32_t n), void *ctx)
{
    switch (draw(ctx, 4)) {
    case 0:
        return (uint16_t)(MODEL_PLACE_BYTES / 2 - draw(ctx, 600));
    case 1:
        return (uint16_t)(4096u * draw(ctx, 4) + draw(ctx, 3) * 64u);
    case 2:
        return (uint16_t)(512u * draw(ctx, 32));
    default:
        return (uint16_t)draw(ctx, MODEL_PLACE_BYTES);
    }
}

struct op model_random_op(uint32_t (*draw)(void *ctx, uint32_t n), void *ctx)
{
    struct op op = {
        .dev = (uint8_t)draw(ctx, MODEL_DEVICES),
        .arg = (uint8_t)draw(ctx, 256),
        .dir = (uint8_t)draw(ctx, MODEL_DIRECTIONS),
        .more = (uint8_t)draw(ctx, 256),
        .offset = random_offset(draw, ctx),
        .size = random_size(draw, ctx),
    };

    op.kind = choice_by_weight(draw, ctx, weights, NR_OP_KINDS);
    if (draw(ctx, 8) == 0) {
        op.event = EVENT_IRQ;
        op.at = (uint16_t)draw(ctx, 1u << (3 + draw(ctx, 7)));
    }
    return op;
}

struct op model_decode(const uint8_t *bytes)
{
    return (struct op){
        .kind = bytes[0] % NR_OP_KINDS,
        .event = bytes[0] / NR_OP_KINDS % NR_EVENTS,
        .dev = bytes[1] % MODEL_DEVICES,
        .dir = bytes[1] / MODEL_DEVICES % MODEL_DIRECTIONS,
        .arg = bytes[2],
        .more = bytes[3],
        .at = bytes[4],
        .offset = (uint16_t)(bytes[5] | bytes[6] << 8),
        .size = (uint16_t)(bytes[7] | bytes[8] << 8),
    };
}
