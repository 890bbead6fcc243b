/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <setjmp.h>

#include <cmocka.h>

#include "ci/model/model_test.h"
#include "ci/model/shrink.h"
#include "lib/types.h"

#ifndef MODEL_OPS
#define MODEL_OPS 2000000u
#endif

static const struct model_mutation mutations[] = {
    {"kmap_barge", 8},
    {"kmap_empty_used", 6},
    {"kmap_flush_first", 6},
    {"kmap_forget_used", 2},
    {"kmap_guard_mapped", 1},
    {"kmap_keep_entry", 8},
    {"kmap_keep_for_none", 11},
    {"kmap_keep_kept", 8},
    {"kmap_keep_waiting", 8},
    {"kmap_keep_link", 8},
    {"kmap_lose_count", 2},
    {"kmap_lose_enable", 1},
    {"kmap_lose_high", 1},
    {"kmap_lose_owner", 7},
    {"kmap_lose_wakeup", 6},
    {"kmap_quick_barge", 10},
    {"kmap_quiet_free", 2},
    {"kmap_quiet_kunmap", 1},
    {"kmap_reset_skip_flush", 6},
    {"kmap_reuse_stale", 8},
    {"kmap_skip_first", 7},
    {"kmap_skip_flush", 8},
    {"kmap_skip_forget", 8},
    {"kmap_skip_part", 8},
    {"kmap_unmap_to_free", 8},
    {"kmap_local_dead_line_32", 1},
    {"kmap_local_keep_cached", 2},
    {"kmap_local_keep_entry", 2},
    {"kmap_local_keep_open", 2},
    {"kmap_local_late_depth", 1},
    {"kmap_local_lose_half", 4},
    {"kmap_local_quiet_kunmap", 1},
    {"kmap_local_restore_flat", 3},
    {"kmap_local_save_reversed", 4},
    {"kmap_local_share_slot", 1},
    {"kmap_local_skip_invlpg", 2},
    {"kmap_local_skip_restore", 3},
};

static bool has_come_to_all(const struct search *search)
{
    return search->total[COUNT_SLEPT] > search->done / 100 &&
           search->total[COUNT_WRAPS] > search->done / 100 &&
           search->total[COUNT_CONTENDED] > search->done / 50 &&
           search->total[COUNT_PREEMPTED] > search->done / 1000 &&
           search->total[COUNT_INTERRUPTED] > search->done / 100;
}

static struct model_test test = {
    .ops = MODEL_OPS,
    .has_come_to_all = has_come_to_all,
    .mutations = mutations,
    .nr_mutations = ARRAY_SIZE(mutations),
};

/*
 * What the search has found in the code, kept for good: each is all right now.
 */
static const struct op stolen_by_a_hit[] = {
    {0, OP_KMAP, 4, EVENT_NONE, 0}, {0, OP_KMAP, 6, EVENT_NONE, 0},
    {0, OP_KMAP, 2, EVENT_NONE, 0}, {0, OP_KMAP, 7, EVENT_NONE, 0},
    {0, OP_KMAP, 5, EVENT_NONE, 0}, {1, OP_KUNMAP, 4, EVENT_NONE, 0},
    {1, OP_KMAP, 4, EVENT_NONE, 0},
};

static const struct op half_an_entry[] = {
    {2, OP_LOCAL, 6, EVENT_PREEMPT, 8},
    {0, OP_LOCAL, 2, EVENT_NONE, 0},
    {2, OP_UNLOCAL, 2, EVENT_NONE, 0},
};

static const struct op forsaken[] = {
    {0, OP_KMAP, 2, EVENT_NONE, 0}, {0, OP_KMAP, 3, EVENT_NONE, 0},
    {0, OP_KMAP, 4, EVENT_NONE, 0}, {0, OP_KMAP, 5, EVENT_NONE, 0},
    {0, OP_KMAP, 6, EVENT_NONE, 0}, {0, OP_FORSAKE, 0, EVENT_NONE, 0},
    {0, OP_KMAP, 7, EVENT_NONE, 0}, {1, OP_KUNMAP, 2, EVENT_NONE, 0},
    {0, OP_KMAP, 0, EVENT_NONE, 0},
};

static const struct op freed_in_its_sleep[] = {
    {0, OP_KMAP, 2, EVENT_NONE, 0},   {0, OP_KMAP, 3, EVENT_NONE, 0},
    {0, OP_KMAP, 4, EVENT_NONE, 0},   {0, OP_KMAP, 5, EVENT_NONE, 0},
    {0, OP_KMAP, 6, EVENT_NONE, 0},   {1, OP_FREE, 6, EVENT_NONE, 0},
    {1, OP_KUNMAP, 2, EVENT_NONE, 0}, {0, OP_KMAP, 0, EVENT_NONE, 0},
};

static void regressions(void **state)
{
    static const struct {
        const struct op *ops;
        size_t count;
    } all[] = {
        {stolen_by_a_hit, ARRAY_SIZE(stolen_by_a_hit)},
        {half_an_entry, ARRAY_SIZE(half_an_entry)},
        {forsaken, ARRAY_SIZE(forsaken)},
        {freed_in_its_sleep, ARRAY_SIZE(freed_in_its_sleep)},
    };
    struct model_result result;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(all); i++)
        if (!model_run(all[i].ops, all[i].count, NULL, &result))
            fail_msg("regression %zu: %s", i, result.text);
    /* The first two are what a mutation brings back. */
    assert_false(
        model_run(stolen_by_a_hit, ARRAY_SIZE(stolen_by_a_hit), "kmap_skip_part", &result));
}

/* Fails if an OP_FREE stands somewhere before an OP_RESET that has an event. */
static bool free_then_reset(const struct op *ops, size_t count, void *ctx, size_t *done)
{
    bool freed = false;

    ++*(unsigned *)ctx;
    for (size_t i = 0; i < count; i++) {
        freed |= ops[i].kind == OP_FREE;
        *done = i + 1;
        if (freed && ops[i].kind == OP_RESET && ops[i].event != EVENT_NONE)
            return true;
    }
    return false;
}

static void shrinking(void **state)
{
    struct op ops[200];
    unsigned tries = 0;
    size_t count;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(ops); i++)
        ops[i] = (struct op){3,
                             (uint8_t)(i == 70    ? OP_FREE
                                       : i == 150 ? OP_RESET
                                                  : OP_KMAP),
                             9, EVENT_IRQ, 17};
    count = shrink(ops, ARRAY_SIZE(ops), free_then_reset, &tries);
    assert_int_equal(count, 2);
    assert_int_equal(ops[0].kind, OP_FREE);
    assert_int_equal(ops[0].event, EVENT_NONE);
    assert_int_equal(ops[0].thread, 0);
    assert_int_equal(ops[0].page, MODEL_LOW_PAGES);
    assert_int_equal(ops[1].kind, OP_RESET);
    assert_int_equal(ops[1].event, EVENT_IRQ);
    assert_int_equal(ops[1].at, 0);
    assert_true(tries < 300);
}

static void lines_are_read_again(void **state)
{
    struct op op;

    (void)state;
    assert_true(model_parse_op("    {3, OP_UNLOCAL_WRONG, 9, EVENT_WALK, 17},\n", &op));
    assert_int_equal(op.thread, 3);
    assert_int_equal(op.kind, OP_UNLOCAL_WRONG);
    assert_int_equal(op.page, 9);
    assert_int_equal(op.event, EVENT_WALK);
    assert_int_equal(op.at, 17);
    assert_false(model_parse_op("    {3, OP_NONSENSE, 9, EVENT_WALK, 17},\n", &op));
    assert_false(model_parse_op("    /* seed 1: broken */\n", &op));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_read_again),
        cmocka_unit_test(shrinking),
        cmocka_unit_test(regressions),
        cmocka_unit_test_prestate(random_sequences, &test),
        cmocka_unit_test_prestate(mutations_are_found_and_shrunk, &test),
    };

    return cmocka_run_group_tests_name("kmap_model", tests, NULL, NULL);
}
