/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What another thread does in the middle of an operation. It comes in before any access to memory
 * that the allocators make while preemption is on, as a tick of the timer could; while it is off it
 * must find nothing to disturb.
 */
#include "ci/model/access.h"
#include "ci/model/page_slab.h"
#include "ci/model/slab_calls.h"
#include "lib/x86/percpu.h"

/* Operations that somebody may come in the middle of: with the others the model looks too closely.
 */
static const bool may_be_disturbed[NR_OP_KINDS] = {
    [OP_ALLOC] = true,   [OP_FILL] = true,  [OP_FREE] = true,
    [OP_KMALLOC] = true, [OP_KFREE] = true, [OP_OBJECT_ALLOC] = true,
};

#define ACCESSES 64u /* at most, until somebody comes */

static struct {
    struct op op, disturbed; /* by op */
    uint32_t armed, left;    /* accesses until then, between calls and in one; 0: nobody comes */
} others;

void do_disturb(const struct op *op)
{
    others.op = *op;
    others.armed = op->more % ACCESSES + 1u;
}

void others_start(void)
{
    others.armed = others.left = 0;
}

void others_before(const struct op *op)
{
    others.disturbed = *op;
}

void call_begin(void)
{
    others.left = may_be_disturbed[others.disturbed.kind] ? others.armed : 0;
}

void call_end(void)
{
    if (may_be_disturbed[others.disturbed.kind])
        others.armed = others.left;
    others.left = 0;
}

static void disturb(void)
{
    struct op op = others.disturbed;

    op.more = 0; /* once */
    op.at = others.op.at;
    switch (others.op.order % 5) {
    case 0:
        op.kind = op.kind == OP_ALLOC || op.kind == OP_FILL ? OP_ALLOC : OP_KMALLOC;
        break;
    case 1:
        op.kind = OP_FREE;
        break;
    case 2:
        op.kind = op.kind == OP_KMALLOC ? OP_KMALLOC : OP_OBJECT_ALLOC;
        op.more = others.disturbed.more % 32;
        break;
    case 3:
        op.kind = OP_KFREE;
        break;
    default:
        slab_shrink_all();
        return;
    }
    actions[op.kind](&op);
}

void model_before_access(void)
{
    if (!others.left || this_cpu()->preempt_count || --others.left)
        return;
    others.armed = 0;
    m.disturbed = true;
    model_now->count[COUNT_DISTURBED]++;
    disturb();
}
