/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <setjmp.h>

#include <cmocka.h>

#include "ci/model/dma_model.h"
#include "ci/model/model_test.h"
#include "lib/types.h"

#ifndef MODEL_OPS
#define MODEL_OPS 120000u
#endif

static const struct model_mutation mutations[] = {
    {"bounce_believe_unwritten", 2},
    {"bounce_forget_last_mark", 2},
    {"bounce_free_twice", 2},
    {"bounce_keep_peak", 2},
    {"bounce_keep_slots", 2},
    {"bounce_lose_offset", 1},
    {"bounce_lose_wakeup", 12},
    {"bounce_never_grow", 8},
    {"bounce_repeat_page", 2},
    {"bounce_run_anywhere", 3},
    {"bounce_run_forget", 14},
    {"bounce_skip_copy_from", 2},
    {"bounce_skip_copy_to", 1},
    {"bounce_skip_marks", 2},
    {"bounce_wrong_way", 2},
    {"dma_boundary_off_by_one", 2},
    {"dma_cross_boundary", 1},
    {"dma_forget_parts", 4},
    {"dma_give_whole", 14},
    {"dma_ignore_mask", 1},
    {"dma_keep_checksum", 4},
    {"dma_keep_part", 4},
    {"dma_leak_mapping", 2},
    {"dma_mask_off_by_one", 2},
    {"dma_miss_overlap", 2},
    {"dma_quick_past_mask", 3},
    {"dma_skip_buckets", 2},
    {"dma_skip_checksum", 4},
    {"dma_skip_sync", 3},
    {"pool_forget_boundary", 3},
    {"pool_free_inside", 3},
    {"pool_free_twice", 6},
    {"pool_give_twice", 4},
    {"pool_skip_poison", 5},
    {"pool_skip_zero", 2},
    {"sg_fit_apart", 1},
    {"sg_fit_over_boundary", 1},
    {"sg_fit_over_mask", 1},
    {"sg_forget_last", 2},
    {"sg_keep_failed", 24},
    {"sg_merge_over_boundary", 1},
    {"sg_merge_over_segment", 1},
    {"sg_never_merge", 1},
    {"sg_no_end", 2},
};

/* Some of it is rare. */
static bool has_come_to_all(const struct search *search)
{
    return search->total[COUNT_DIRECT] > search->done / 20 &&
           search->total[COUNT_BOUNCED] > search->done / 20 &&
           search->total[COUNT_FULL] > search->done / 200 &&
           (search->total[COUNT_SLEPT] > 0 || search->done < 100000) &&
           search->total[COUNT_MERGED] > search->done / 100 &&
           search->total[COUNT_INTERRUPTED] > search->done / 100 &&
           search->total[COUNT_FINDINGS] > search->done / 20 &&
           search->total[COUNT_BLOCKS] > search->done / 100;
}

static struct model_test test = {
    .ops = MODEL_OPS,
    .has_come_to_all = has_come_to_all,
    .mutations = mutations,
    .nr_mutations = ARRAY_SIZE(mutations),
};

static void lines_are_read_again(void **state)
{
    struct op op;

    (void)state;
    assert_true(model_parse_op(
        "    {OP_SYNC_SG_CPU, 3, 200, 2, 255, EVENT_IRQ, 900, 16383, 9000},\n", &op));
    assert_int_equal(op.kind, OP_SYNC_SG_CPU);
    assert_int_equal(op.dev, 3);
    assert_int_equal(op.arg, 200);
    assert_int_equal(op.dir, 2);
    assert_int_equal(op.more, 255);
    assert_int_equal(op.event, EVENT_IRQ);
    assert_int_equal(op.at, 900);
    assert_int_equal(op.offset, 16383);
    assert_int_equal(op.size, 9000);
    assert_false(model_parse_op("    {OP_NONSENSE, 3, 9, 0, 0, EVENT_NONE, 0, 0, 0},\n", &op));
    assert_false(model_parse_op("    {OP_MAP, 256, 9, 0, 0, EVENT_NONE, 0, 0, 0},\n", &op));
    assert_false(model_parse_op("    {OP_MAP, 3, 9, 0, 0, EVENT_NONE, 0, 0},\n", &op));
    assert_false(model_parse_op("    /* seed 1: broken */\n", &op));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_read_again),
        cmocka_unit_test_prestate(random_sequences, &test),
        cmocka_unit_test_prestate(mutations_are_found_and_shrunk, &test),
    };

    return cmocka_run_group_tests_name("dma_model", tests, NULL, NULL);
}
