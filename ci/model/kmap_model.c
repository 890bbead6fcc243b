/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include "ci/model/kmap_state.h"
#include "ci/model/under_test.h"

struct model_state m;

static void do_reset(void)
{
    unsigned used;

    for (unsigned i = 0; i < MODEL_THREADS; i++)
        drop_thread(&m.thread[i]);
    processor.cpu.preempt_count = 0;
    kmap_local_unwind(0);
    used = kmap_reset();
    CHECK(used == m.used, "kmap_reset() has found %u windows in use, there were %u", used, m.used);
    m.used = 0;
    m.resets++;
    for (unsigned i = 0; i < MODEL_PAGES; i++)
        m.mapping[i].uses = 0;
}

static void forsake(struct thread *t)
{
    list_del(&t->link);
    switch_to(t);
    enter(t);
}

static void do_op(const struct op *op)
{
    struct thread *t = &m.thread[op->thread];

    if (op->kind == OP_RESET) {
        do_reset();
        return;
    }
    if (t->state == STATE_ASLEEP) {
        if (op->kind == OP_FORSAKE)
            forsake(t);
        return;
    }
    switch_to(t);
    if (t->state != STATE_IDLE) {
        enter(t);
        return;
    }
    if (op->kind == OP_FORSAKE)
        return;
    t->op = *op;
    /* Only short windows are looked into in the middle; the rest is under preempt_disable(). */
    if (op->event == EVENT_PREEMPT && op->kind != OP_LOCAL && op->kind != OP_LOCAL_PFN &&
        op->kind != OP_UNLOCAL)
        t->op.event = EVENT_NONE;
    if (t->op.event == EVENT_PREEMPT || (op->kind == OP_KMAP && must_sleep(op->page)))
        enter(t);
    else
        act(t);
}

static void start(const char *broken)
{
    memset(&m, 0, sizeof(m));
    for (unsigned i = 0; i < MODEL_THREADS; i++)
        list_init(&m.thread[i].link);
    m.current = &m.thread[0];
    processor_on_access = NULL;
    processor_start(broken);
    under_test_start();
    wait_set_ops(&model_wait_ops);
}

bool model_run(const struct op *sequence, size_t count, const char *broken,
               struct model_result *result)
{
    *result = (struct model_result){0};
    start(broken);
    model_now = result;
    while (result->done < count && !result->text[0]) {
        struct op op = sequence[result->done++];

        op.thread %= MODEL_THREADS;
        op.kind %= NR_OP_KINDS;
        op.page %= MODEL_PAGES;
        op.event %= NR_EVENTS;
        do_op(&op);
        check_all();
    }
    result->count[COUNT_WRAPS] = kmap_counters.wraps;
    return !result->text[0];
}
