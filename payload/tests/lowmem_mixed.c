/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lowmem_mixed: a busy file server, with all that fills lowmem or breaks it into pieces, at once.
 *
 * A step is a request. It reads some pages of a file into the cache, and now and then somebody
 * writes to one; a frame comes in for it, and its buffer is replaced; a handful of small objects
 * (directory entries, inodes, open files, sockets) come and go. With every fourth request a thread
 * begins or ends, with every eighth a process, with every 64th a device on the ISA bus gets a
 * buffer or gives one back. How many of each there are swings with how busy it is, which changes
 * every few hundred requests, between half and all of what the server was built for:
 *
 *     percent of lowmem                                    allocation
 *     18   small objects                                   slabs of 128 bytes to 2 KiB
 *     15   directories and inode tables of the disks       single pages, movable
 *     14   stacks of threads                               order 1
 *      8   page tables and directories of processes        single pages, and 32 bytes for CR3
 *      3   buffers of the receiver                         order 1, without waiting
 *      3   the same for jumbo frames                       order 2, without waiting
 *      1   ISA buffers                                     order 3 from ZONE_DMA
 *     the rest: heads of the page cache                    slabs of 128 bytes
 *
 * The proportions are an estimate of ours, for a server with a few hundred clients that reads more
 * than it keeps open: for each thread a stack, for each file an inode and some directory entries,
 * for each client a process or a thread and a socket, for the network a few rings. What grows
 * without end is the cache, and its heads take what the others leave.
 *
 * It is wedged when one of these can't be had; of the receiver, when its ring is empty.
 *
 *     none                nothing helps: the heads take what is left
 *     all                 watermarks, mobility, per-CPU lists, compaction, reclaim, page tables in
 *                         highmem: it goes on for ever
 *     reclaim             by itself: heads are given back, but hardly ever eight pages in a row
 *     watermarks          by themselves: a reserve for the ISA bus, and the end comes earlier
 *     without_*           all but one, to show what that is worth
 *
 * size=mixed:N makes all of these but the cache N percent of what they are above, up to 150.
 *
 * With time= the case "all" goes on for half of what is left of that time, and fails if it is
 * wedged however late; unless size= or lowmem= makes the machine another than it was tried on.
 *
 * Why it can break: whatever can go wrong in the other workloads, and what one of them does to the
 * others: a page moved while its heads are being stripped, a page table from where a stack was. All
 * contents that matter carry stamps. A break shows as what it is, where, what was found and wanted.
 */
#include "drivers/clock.h"
#include "paging/compaction.h"
#include "lib/format.h"
#include "payload/setup.h"
#include "payload/tests/lowmem_cache.h"
#include "payload/tests/lowmem_held.h"
#include "payload/tests/lowmem_objects.h"
#include "payload/tests/lowmem_spaces.h"

#define LOWMEM_DIVISOR 8u
#define LOWMEM_LEAST (MIB(4) / PAGE_SIZE)
#define PROMISE 10u
#define SEGMENT_BLOCKS 2u     /* 8 MiB: what processes share, four page tables */
#define PAGES_OF_A_PROCESS 8u /* page tables and directories, about */
#define READS 4u
#define OBJECTS_A_STEP 6u
#define BUSY_STEPS 512u
#define COMPACT_STEPS 4096u
#define SCALE_MOST 150u /* percent: then there is hardly a page left for a head */
#define BUSY_LEAST 50u  /* percent */
#define ISA_ORDER 3u
#define ISA_MOST 4u
#define ISA_PART 4u /* of ZONE_DMA is kept for the ISA bus, in pieces that are large enough */
#define RISE                                                                            \
    75u /* percent of the times that a level below the wanted one rises, or above falls \
         */

enum part { OBJECTS, META, STACKS, PROCESSES, FRAMES, JUMBO, ISA, NR_PARTS };

/* Static so that the abandon hook finds it. */
static struct {
    struct lowmem_cache cache;
    struct lowmem_spaces spaces;
    struct lowmem_objects objects;
    struct held meta, stacks, frames, jumbo, isa;
    uint32_t most[NR_PARTS], want[NR_PARTS];
    uint32_t scale; /* percent of what a server of this size has of each part */
    uint32_t dropped_frames, moved;
    const char *lacked; /* what it was wedged by */
    uint64_t started_ns;
} state;

static const struct {
    const char *name;
    uint32_t percent;    /* of lowmem */
    uint32_t unit_bytes; /* of one */
} parts[NR_PARTS] = {
    [OBJECTS] = {"a small object", 18, OBJECT_BYTES_MEAN},
    [META] = {"a page of a directory", 15, PAGE_SIZE},
    [STACKS] = {"a stack", 14, 2 * PAGE_SIZE},
    [PROCESSES] = {"a page table", 8, PAGES_OF_A_PROCESS *PAGE_SIZE},
    [FRAMES] = {"a frame's buffer", 3, 2 * PAGE_SIZE},
    [JUMBO] = {"a jumbo frame's buffer", 3, 4 * PAGE_SIZE},
    [ISA] = {"an ISA buffer", 1, PAGE_SIZE << ISA_ORDER},
};

/* Held blocks, by part; NULL for what is kept otherwise. */
static struct held *const held_parts[NR_PARTS] = {
    [META] = &state.meta,   [STACKS] = &state.stacks, [FRAMES] = &state.frames,
    [JUMBO] = &state.jumbo, [ISA] = &state.isa,
};

static uint32_t units_of(enum part part, uint32_t lowmem_pages)
{
    uint64_t bytes =
        (uint64_t)lowmem_pages * PAGE_SIZE / 100 * parts[part].percent / 100 * state.scale;

    return MAX((uint32_t)(bytes / parts[part].unit_bytes), 1u);
}

/* Tables are for all the lowmem that there is: what is left of it is not known yet. */
static const char *open_held(struct lab *lab, uint32_t pages)
{
    static const struct {
        enum part part;
        const char *name;
        char letter;
        gfp_t gfp;
        unsigned order;
    } kinds[] = {
        {META, "metadata", 'm', GFP_KERNEL | __GFP_MOVABLE, 0},
        {STACKS, "stacks", 't', GFP_KERNEL, 1},
        {FRAMES, "frames", 'f', GFP_ATOMIC, 1},
        {JUMBO, "jumbo_frames", 'j', GFP_ATOMIC, 2},
        {ISA, "isa_buffers", 'i', GFP_DMA | __GFP_DIRECT_RECLAIM, ISA_ORDER},
    };
    const char *lack = NULL;

    for (unsigned i = 0; i < ARRAY_SIZE(kinds) && !lack; i++)
        lack = held_open(held_parts[kinds[i].part], lab, kinds[i].name, kinds[i].letter,
                         kinds[i].gfp, kinds[i].order, units_of(kinds[i].part, pages) + 1);
    return lack;
}

static const char *mixed_begin(struct lab *lab)
{
    uint32_t pages = nr_free_pages(ZONE_DMA) + nr_free_pages(ZONE_NORMAL);
    const char *lack = lowmem_cache_open(&state.cache, lab, CACHE_HEADS_1K);

    lab->state = &state;
    state.lacked = NULL;
    state.dropped_frames = state.moved = 0;
    state.scale = lab->size ? (uint32_t)MIN(lab->size, SCALE_MOST) : 100;
    if (!lack)
        lack = lowmem_spaces_open(&state.spaces, lab, SEGMENT_BLOCKS);
    if (!lack)
        lack = lowmem_objects_open(&state.objects, lab, units_of(OBJECTS, pages) + 1);
    return lack ? lack : open_held(lab, pages);
}

static uint32_t count_of(enum part part)
{
    if (part == OBJECTS)
        return state.objects.count;
    return part == PROCESSES ? state.spaces.nr_spaces : held_parts[part]->count;
}

/* A process is there when it has all its page tables. */
static bool start_process(void)
{
    do {
        if (lowmem_spaces_grow(&state.spaces) == LAB_WEDGED)
            return false;
    } while (!lowmem_spaces_whole(&state.spaces));
    return true;
}

static bool add(enum part part)
{
    if (part == OBJECTS)
        return lowmem_objects_take(&state.objects) != LAB_WEDGED;
    if (part == PROCESSES)
        return start_process();
    return held_parts[part]->count == held_parts[part]->max || held_take(held_parts[part]);
}

static void end_process(struct lab *lab)
{
    struct lowmem_space *space = lowmem_spaces_any(&state.spaces, lab->prng);

    if (space)
        lowmem_space_exit(&state.spaces, space);
}

static void take_away(struct lab *lab, enum part part)
{
    if (part == OBJECTS)
        lowmem_objects_give_any(&state.objects);
    else if (part == PROCESSES)
        end_process(lab);
    else if (held_parts[part]->count)
        held_give_any(held_parts[part]);
}

/* How busy it is from now on, each part for itself. */
static void draw_levels(struct lab *lab)
{
    for (unsigned i = 0; i < NR_PARTS; i++) {
        uint32_t percent = BUSY_LEAST + prng_below(lab->prng, 100 - BUSY_LEAST + 1);

        state.want[i] = MAX(state.most[i] * percent / 100, 1u);
    }
}

/* The server is up: everything but the cache is there. */
static const char *mixed_start(struct lab *lab)
{
    uint32_t pages = lab->left[ZONE_DMA] + lab->left[ZONE_NORMAL], high = lab->left[ZONE_HIGHMEM];

    for (unsigned i = 0; i < NR_PARTS; i++)
        state.most[i] = units_of(i, pages);
    state.most[ISA] = MIN(state.most[ISA], ISA_MOST);
    draw_levels(lab);
    for (unsigned i = 0; i < NR_PARTS; i++)
        while (count_of(i) < state.want[i])
            if (!add(i))
                return "there is less lowmem than what a file server begins with";
    lowmem_cache_limit(&state.cache, high - high / 8);
    state.started_ns = clock_ns();
    return NULL;
}

/* One comes or goes, so that there will be as many as are wanted. False: it can't be had. */
static bool turn_over(struct lab *lab, enum part part)
{
    bool below = count_of(part) < state.want[part];
    bool rises = (prng_below(lab->prng, 100) < RISE) == below;

    if (!rises) {
        take_away(lab, part);
        return true;
    }
    return add(part);
}

/* A frame is taken out of the ring, and a buffer put in its place, if there is one at once. */
static bool receive(struct lab *lab, enum part part)
{
    take_away(lab, part);
    while (count_of(part) < state.want[part]) {
        if (add(part))
            continue;
        state.dropped_frames++;
        return count_of(part) > 0;
    }
    return true;
}

/* How often each has its turn, in steps. */
static bool serve(struct lab *lab, enum part part, unsigned every)
{
    if ((uint32_t)lab->done % every)
        return true;
    if (part == FRAMES || part == JUMBO ? receive(lab, part) : turn_over(lab, part))
        return true;
    state.lacked = parts[part].name;
    return false;
}

/* In quiet moments, as somebody who writes to /proc/sys/vm/compact_memory. */
static void compact_all(void)
{
    for (unsigned z = 0; z < MAX_NR_ZONES; z++) {
        struct compact_result result = {0};

        compact_zone((enum zone_type)z, NR_ORDERS, &result);
        state.moved += result.moved;
    }
}

static enum lab_step mixed_step(struct lab *lab)
{
    static const unsigned every[NR_PARTS] = {
        [OBJECTS] = 1, [META] = 2,  [STACKS] = 4, [PROCESSES] = 8,
        [FRAMES] = 1,  [JUMBO] = 4, [ISA] = 64,
    };

    if ((uint32_t)lab->done % BUSY_STEPS == 0)
        draw_levels(lab);
    if ((uint32_t)lab->done % COMPACT_STEPS == COMPACT_STEPS - 1 && lab_has(lab, LAB_COMPACTION))
        compact_all();
    for (unsigned i = 0; i < READS; i++)
        if (lowmem_cache_read(&state.cache) != LAB_GOES_ON) {
            state.lacked = "a cached page's head";
            return LAB_WEDGED;
        }
    for (unsigned i = 1; i < OBJECTS_A_STEP; i++)
        if (!serve(lab, OBJECTS, 1))
            return LAB_WEDGED;
    for (unsigned i = 0; i < NR_PARTS; i++)
        if (!serve(lab, i, every[i]))
            return LAB_WEDGED;
    return LAB_GOES_ON;
}

static void log_parts(struct lab *lab)
{
    uint64_t ms = (clock_ns() - state.started_ns) / 1000000;
    char name[40];

    test_log(lab->t, "%u objects, %u metadata, %u stacks, %u processes, %u and %u frames, %u ISA",
             count_of(OBJECTS), count_of(META), count_of(STACKS), count_of(PROCESSES),
             count_of(FRAMES), count_of(JUMBO), count_of(ISA));
    test_log(lab->t, "%u pages cached, with %u heads, %u pages of them reclaimed, %u pages moved",
             lowmem_cache_pages(&state.cache), state.cache.nr_heads, state.cache.freed,
             page_alloc_events()->pages_moved + state.moved);
    test_log(lab->t, "%u refills of the rings found no buffer", state.dropped_frames);
    if (state.lacked)
        test_log(lab->t, "wedged for lack of %s", state.lacked);
    if (ms) {
        format(name, sizeof(name), "%s_steps_per_second", test_case_name(lab->t));
        test_metric(lab->t, name, lab->done * 1000 / ms, "count");
    }
}

/* What is kept of ZONE_DMA, where the ballast left little of what would be above it. */
static void mixed_tune(const struct lab *lab, struct page_alloc_tuning *tuning)
{
    uint32_t wanted = lab->left[ZONE_DMA] / ISA_PART;

    if (tuning->watermarks)
        tuning->lowmem_reserve_ratio[ZONE_DMA] =
            zone_get(ZONE_NORMAL)->present_pages / MAX(wanted, 1u);
}

/* A promise of ten times is not all where there was time for more. */
static void judge_to_the_end(struct lab *lab)
{
    if (lab->use < 0 || !lab->workload->uses[lab->use].promise || !setup.options.time_s)
        return;
    if (!lab->as_told)
        TEST_CHECK(lab->t, !state.lacked, "wedged after %llu requests, with time= for more",
                   (unsigned long long)lab->done);
}

static void mixed_verify(struct lab *lab)
{
    struct lowmem_space *space = lowmem_spaces_any(&state.spaces, lab->prng);

    log_parts(lab);
    judge_to_the_end(lab);
    lowmem_cache_check(&state.cache);
    lowmem_objects_check(&state.objects);
    lowmem_spaces_check(&state.spaces);
    if (space)
        lowmem_space_visit(&state.spaces, space, NULL);
}

static void mixed_end(struct lab *lab)
{
    (void)lab;
    for (unsigned i = 0; i < NR_PARTS; i++)
        if (held_parts[i])
            held_close(held_parts[i]);
    lowmem_objects_close(&state.objects);
    lowmem_spaces_close(&state.spaces);
    lowmem_cache_close(&state.cache);
}

#define ALL (LAB_WATERMARKS | LAB_MOBILITY | LAB_PCP | LAB_COMPACTION | LAB_RECLAIM | LAB_HIGHPTE)

static const struct lab_remedy_use uses[] = {
    {ALL, PROMISE, "all remedies together"},          {LAB_RECLAIM, 0, "reclaim by itself"},
    {LAB_WATERMARKS, 0, "watermarks by themselves"},  {ALL & ~LAB_RECLAIM, 0, "all but reclaim"},
    {ALL & ~LAB_WATERMARKS, 0, "all but watermarks"},
};

static const struct lab_workload workload = {
    .name = "mixed",
    .unit = "requests",
    .uses = uses,
    .nr_uses = ARRAY_SIZE(uses),
    .begin = mixed_begin,
    .start = mixed_start,
    .step = mixed_step,
    .verify = mixed_verify,
    .tune = mixed_tune,
    .end = mixed_end,
    .lowmem_least = LOWMEM_LEAST,
    .highmem_per_low = LAB_HIGHMEM_OF_16_GIB,
    .lowmem_divisor = LOWMEM_DIVISOR,
    .must_wedge = true,
    .until_time = true,
};

LAB_CASE(none, &workload, -1)
LAB_CASE(all, &workload, 0)
LAB_CASE(reclaim, &workload, 1)
LAB_CASE(watermarks, &workload, 2)
LAB_CASE(without_reclaim, &workload, 3)
LAB_CASE(without_watermarks, &workload, 4)

static const struct test_case cases[] = {
    {"none", case_none},
    {"all", case_all},
    {"reclaim", case_reclaim},
    {"watermarks", case_watermarks},
    {"without_reclaim", case_without_reclaim},
    {"without_watermarks", case_without_watermarks},
};

SUITE(lowmem_mixed) = {
    .name = "lowmem_mixed",
    .about = "a busy file server, with all that fills lowmem at once",
    .rank = SUITE_RANK_STRESS,
    .cases = cases,
    .nr_cases = ARRAY_SIZE(cases),
    .sizes = "mixed",
    .abandon = lab_abandon,
};
