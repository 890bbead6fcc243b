/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAYLOAD_TESTS_TORTURE_ARENA_H
#define PAYLOAD_TESTS_TORTURE_ARENA_H

/*
 * A small machine inside of a large one: all memory but some pages of each zone is taken away, and
 * when it is given back, the free lists must be what they were before.
 *
 * What is taken needs no table: its descriptors have an owner. Some of it, all over the zones, is
 * stamped, to see that nobody writes there; not all of it, for an emulator may have to find 2 MiB
 * of its host's memory for each page that is touched. Context: thread.
 */

#include "paging/page_alloc.h"

struct torture_arena {
    struct page_alloc_tuning tuning; /* before */
    struct buddy_counts before[MAX_NR_ZONES];
    uint32_t pages[MAX_NR_ZONES]; /* that were left free */
    uint32_t stamp_every;         /* blocks, by their address */
    bool is_open;
};

/*
 * Takes all but `leave[zone]` pages of each zone, with an allocator that has no remedies. False,
 * and nothing is taken, if no owner's number is free.
 */
bool torture_arena_open(struct torture_arena *arena, const uint32_t *leave);

/*
 * Gives all back, and the tuning. All that was allocated since must be free. Returns NULL, or what
 * is wrong, in words; *where is then the physical address, or a count of pages or blocks.
 */
const char *torture_arena_close(struct torture_arena *arena, uint64_t *where);

#endif
