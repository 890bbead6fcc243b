/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <setjmp.h>

#include <cmocka.h>

#include "ci/model/page_model.h"
#include "ci/model/model_test.h"
#include "lib/types.h"

#ifndef MODEL_OPS
#define MODEL_OPS 8000u
#endif

static const struct model_mutation mutations[] = {
    {"buddy_list_own_half", 1},
    {"buddy_skip_merge", 1},
    {"compaction_copy_neighbour", 2},
    {"compaction_fill_all", 3},
    {"compaction_keep_old", 2},
    {"compaction_keep_window", 8},
    {"compaction_keep_listed", 3},
    {"compaction_lose_index", 2},
    {"compaction_move_mapped", 8},
    {"compaction_move_refused", 5},
    {"compaction_run_over", 5},
    {"compaction_skip_copy", 2},
    {"compaction_tell_nobody", 2},
    {"page_free_mapped", 8},
    {"page_free_quiet", 1},
    {"page_free_slab", 12},
    {"page_free_wrong_zone", 3},
    {"page_list_astray", 2},
    {"page_list_forget", 1},
    {"page_list_pop_preemptible", 12},
    {"page_list_push_preemptible", 12},
    {"page_lists_keep", 3},
    {"page_lists_uncounted", 1},
    {"page_run_short", 1},
    {"pageblock_keep_type", 2},
    {"pageblock_odd_stays", 4},
    {"pageblock_stays", 2},
    {"reclaim_unless_compacted", 12},
    {"reserve_ignored", 12},
    {"shrink_without_measure", 2},
    {"thiszone_ignored", 4},
    {"watermark_ignored", 8},
};

static const struct model_mutation wild_mutations[] = {
    {"buddy_lists_preemptible", 12}, {"slab_preemptible", 12},
    {"slab_counts_whole_stacks", 8}, {"slab_dma_anywhere", 8},
    {"slab_double_free_unseen", 8},  {"slab_flush_loses", 8},
    {"slab_forget_zero", 8},         {"slab_given_twice", 8},
    {"slab_keep_descriptors", 8},    {"slab_keep_empty", 8},
    {"slab_marks_first_page", 8},    {"slab_misaligned", 8},
    {"slab_pad_unseen", 8},          {"slab_poison_unseen", 8},
    {"slab_red_unseen", 8},          {"slab_release_in_use", 8},
    {"slab_wrong_number", 8},
};

/* Some of it is rare. */
static bool has_come_to_all(const struct search *search)
{
    return search->total[COUNT_ALLOCATED] > search->done &&
           search->total[COUNT_FAILED] > search->done / 50 &&
           search->total[COUNT_FELL_BACK] > search->done / 50 &&
           search->total[COUNT_DISTURBED] > search->done / 100 &&
           search->total[COUNT_FINDINGS] > search->done / 100 &&
           search->total[COUNT_MOVED] > search->done / 200 &&
           search->total[COUNT_OBJECTS] > search->done / 10 &&
           (search->total[COUNT_PINNED] > 0 || search->done < 10000) &&
           search->total[COUNT_RECLAIMED] > search->done / 50 &&
           search->total[COUNT_SLABS] > search->done / 50 &&
           search->total[COUNT_SLABS_RECLAIMED] > search->done / 200 &&
           search->total[COUNT_STOLEN] > search->done / 50;
}

static struct model_test test = {
    .ops = MODEL_OPS,
    .has_come_to_all = has_come_to_all,
    .mutations = mutations,
    .nr_mutations = ARRAY_SIZE(mutations),
    .wild_mutations = wild_mutations,
    .nr_wild_mutations = ARRAY_SIZE(wild_mutations),
};

static void lines_are_read_again(void **state)
{
    struct op op;

    (void)state;
    assert_true(model_parse_op("    {OP_ALLOC_IN, 3, 200, 0x1f6, 65535},\n", &op));
    assert_int_equal(op.kind, OP_ALLOC_IN);
    assert_int_equal(op.order, 3);
    assert_int_equal(op.more, 200);
    assert_int_equal(op.gfp, 0x1f6);
    assert_int_equal(op.at, 65535);
    assert_false(model_parse_op("    {OP_NONSENSE, 3, 9, 0x0, 0},\n", &op));
    assert_false(model_parse_op("    /* seed 1: broken */\n", &op));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_read_again),
        cmocka_unit_test_prestate(random_sequences, &test),
        cmocka_unit_test_prestate(mutations_are_found_and_shrunk, &test),
    };

    return cmocka_run_group_tests_name("page_model", tests, NULL, NULL);
}
