/* SPDX-License-Identifier: BSD-2-Clause */
/* Operations as text, at random, and simpler ones. */
#include <stdio.h>
#include <string.h>

#include "ci/model/choice.h"
#include "ci/model/model.h"

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

void model_print(const struct op *ops, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct op *op = &ops[i];

        printf("    {%u, %s, %u, %s, %u},\n", op->thread % MODEL_THREADS,
               kinds[op->kind % NR_OP_KINDS], op->page % MODEL_PAGES, events[op->event % NR_EVENTS],
               op->at);
    }
}

bool model_parse_op(const char *line, struct op *op)
{
    char kind[32], event[32];
    unsigned thread, page, at;
    int kind_number, event_number;

    if (sscanf(line, " {%u, %31[A-Z_], %u, %31[A-Z_], %u}", &thread, kind, &page, event, &at) != 5)
        return false;
    kind_number = choice_by_name(kind, kinds, NR_OP_KINDS);
    event_number = choice_by_name(event, events, NR_EVENTS);
    if (kind_number < 0 || event_number < 0)
        return false;
    *op = (struct op){(uint8_t)thread, (uint8_t)kind_number, (uint8_t)page, (uint8_t)event_number,
                      (uint8_t)at};
    return true;
}

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

bool model_simplify(struct op *op, unsigned way)
{
    struct op was = *op;

    switch (way) {
    case 0:
        op->event = EVENT_NONE;
        op->at = 0;
        break;
    case 1:
        op->at = 0;
        break;
    case 2:
        op->at /= 2;
        break;
    case 3:
        op->at -= op->at > 0;
        break;
    case 4:
        op->thread = 0;
        break;
    case 5:
        if (op->page > MODEL_LOW_PAGES)
            op->page--;
        break;
    }
    return memcmp(&was, op, sizeof(was)) != 0;
}
