/* SPDX-License-Identifier: BSD-2-Clause */
/* Operations: how they are written, which come at random and out of bytes, and simpler ones. */
#include "ci/model/choice.h"
#include "ci/model/op.h"

static const char *const kinds[NR_OP_KINDS] = {
    [OP_KMAP] = "OP_KMAP",       [OP_KUNMAP] = "OP_KUNMAP",
    [OP_LOCAL] = "OP_LOCAL",     [OP_LOCAL_PFN] = "OP_LOCAL_PFN",
    [OP_UNLOCAL] = "OP_UNLOCAL", [OP_UNLOCAL_WRONG] = "OP_UNLOCAL_WRONG",
    [OP_FREE] = "OP_FREE",       [OP_ALLOC] = "OP_ALLOC",
    [OP_FORSAKE] = "OP_FORSAKE", [OP_RESET] = "OP_RESET",
};

static const char *const events[NR_EVENTS] = {
    [EVENT_NONE] = "EVENT_NONE",
    [EVENT_IRQ] = "EVENT_IRQ",
    [EVENT_PREEMPT] = "EVENT_PREEMPT",
    [EVENT_WALK] = "EVENT_WALK",
};

/* How often each kind comes, in 256 of a random sequence. */
static const uint8_t weights[NR_OP_KINDS] = {
    [OP_KMAP] = 88,    [OP_KUNMAP] = 72,       [OP_LOCAL] = 28, [OP_LOCAL_PFN] = 8,
    [OP_UNLOCAL] = 34, [OP_UNLOCAL_WRONG] = 4, [OP_FREE] = 8,   [OP_ALLOC] = 10,
    [OP_FORSAKE] = 3,  [OP_RESET] = 1,
};

const char *const model_count_names[MODEL_NR_COUNTS] = {
    [COUNT_SLEPT] = "slept",
    [COUNT_WRAPS] = "wraps",
    [COUNT_PREEMPTED] = "preempted",
    [COUNT_INTERRUPTED] = "interrupted",
    [COUNT_CONTENDED] = "maps while others waited",
};

const struct op_field model_fields[MODEL_NR_FIELDS] = {
    {OP_BELOW(thread, MODEL_THREADS)},
    {OP_NAMED(kind, NR_OP_KINDS, kinds)},
    {OP_BELOW(page, MODEL_PAGES)},
    {OP_NAMED(event, NR_EVENTS, events)},
    {OP_NUMBER(at)},
};

static uint16_t lower_high_page(uint16_t page)
{
    return page > MODEL_LOW_PAGES ? page - 1 : page;
}

const struct op_way model_ways[MODEL_NR_WAYS] = {
    {OP_WAY(event, op_none)}, /* EVENT_NONE */
    {OP_WAY(at, op_none)},     {OP_WAY(at, op_half)},           {OP_WAY(at, op_less)},
    {OP_WAY(thread, op_none)}, {OP_WAY(page, lower_high_page)},
};

struct op model_random_op(uint32_t (*draw)(void *ctx, uint32_t n), void *ctx)
{
    struct op op = {.thread = (uint8_t)draw(ctx, MODEL_THREADS),
                    .page = (uint8_t)draw(ctx, MODEL_PAGES)};

    op.kind = choice_by_weight(draw, ctx, weights, NR_OP_KINDS);
    if (draw(ctx, 3) == 0) {
        op.event = (uint8_t)draw(ctx, NR_EVENTS);
        op.at = (uint8_t)draw(ctx, 20);
    }
    return op;
}

/* thread and event, kind and page, at */
struct op model_decode(const uint8_t *bytes)
{
    return (struct op){
        .thread = bytes[0] % MODEL_THREADS,
        .event = bytes[0] / MODEL_THREADS % NR_EVENTS,
        .kind = bytes[1] % NR_OP_KINDS,
        .page = (uint8_t)(bytes[1] / NR_OP_KINDS % MODEL_PAGES),
        .at = bytes[2] % 32u,
    };
}
