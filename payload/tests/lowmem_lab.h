/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAYLOAD_TESTS_LOWMEM_LAB_H
#define PAYLOAD_TESTS_LOWMEM_LAB_H

/*
 * The lowmem laboratory: failures that 32-bit systems died of, as workloads that run until they
 * can't go on, without and with what may help against it.
 *
 * A workload takes memory in steps, the way some part of a kernel does, until an allocation that it
 * can't do without fails: then it is wedged. How many steps that took is its result. A suite runs
 * it first on an allocator without any remedy (case "none"), then once for each remedy that may
 * help (a case each, named after it), and for each case the laboratory
 *
 *   - leaves as much lowmem free as the knob lowmem= says, the rest is ballast, so that the same
 *     failure comes within seconds, and after the same number of steps on a machine of any size;
 *   - sets the allocator up (page_alloc_tune()), and the workload by its remedies;
 *   - takes samples of the zones about every second, and a map of lowmem at start, wedge and end;
 *   - counts what every allocation took, and those that failed;
 *   - proves in the end that all memory is back, in blocks as large as before.
 *
 * A remedy with a promise (`promise` times as many steps as without, or never) fails its case if it
 * does not keep it. With size= or lowmem=SIZE it is only said: those knobs can make any load
 * harmless, or too hard. All cases of a suite draw the same random numbers. `none` always runs,
 * whatever remedies= says: all others are told in its terms.
 *
 * What a run tells, besides metrics, in lines that the host side draws pictures from. Numbers are
 * decimal, times in ms since the first step, DONE is the count of steps:
 *
 * # lab begin SUITE.CASE WORKLOAD UNIT LIMIT
 *                                           UNIT: what a step adds, one word ("threads")
 * # lab zone NAME FIRST END PRESENT         frames and pages, a line for each zone
 * # lab clock EMPTY NOISE UNIT              what reading the clock counts, which is taken off what
 *                                           was spent, and how much more it may: less than NOISE
 *                                           can't be told from nothing
 * # lab owner LETTER NAME                   who is in the maps
 * # lab sample MS DONE ZONE FREE N0 ... N10 a line for each zone: free pages, free blocks by order;
 *                                           left out where those before and after it say the same
 * # lab map WHEN FRAME STEP CELLS           WHEN: start, wedge (or, where there was none, the last
 *                                           step), end; a cell is STEP frames, from
 *                                           FRAME on, up to 64 in a line; 4 MiB that are all
 *                                           ballast have no cells. A cell is
 *                                             -  not memory of the allocator
 *                                             .  all free
 *                                             ?  used, by an owner that is gone
 *                                             a letter: who has most of what is used; lower case if
 *                                                less than half is used, upper case otherwise
 * # lab failed ORDER COUNT                  allocations that failed, where there were any
 *                                           (here, below and in events what start() did counts
 *                                           as well; in spent only the steps)
 * # lab below ZONE MIN LOW HIGH             times that free pages fell below the watermarks
 * # lab spent WHAT ORDER COUNT P50 P90 P99 MAX UNIT
 *                                           what the steps took, in instructions or cycles; WHAT:
 *                                           alloc, free: blocks; slab: objects, ORDER is 0
 * # lab events NAME COUNT                   other events, see struct page_alloc_events
 * # lab end DONE VERDICT ORDER ZONE FREE_DMA FREE_NORMAL FREE_HIGH LARGEST
 *                                           VERDICT: wedged; never, in LIMIT steps; over, there was
 *                                           no more to do; or stopped (test_should_stop()).
 *                                           At which order, wanted from which zone, with how many
 *                                           pages free in each, and the largest order there (-1:
 *                                           nothing is free); where it is not wedged the order and
 *                                           zone are 0 and "-"
 * # lab result WORKLOAD REMEDY DONE VERDICT TIMES P50 ORDER
 *                                           TIMES: steps, in percent of those of "none"; P50: of
 *                                           allocations of ORDER, the least that "none" has, or -
 *                                           if this case has none of it
 */

#include "lib/prng.h"
#include "paging/page_alloc.h"
#include "paging/page_owner.h"
#include "paging/slab.h"
#include "payload/suite.h"

/* Remedies, each a bit; option_remedy_names[] has their names in this order. */
enum lab_remedy {
    /* The allocator's. */
    LAB_WATERMARKS = BIT(0), /* "watermarks" and lowmem reserve */
    LAB_MOBILITY = BIT(1),   /* "mobility": pages grouped by it */
    LAB_PCP = BIT(2),        /* "pcp": per-CPU lists */
    LAB_COMPACTION = BIT(3), /* "compaction", with movable pages */
    LAB_RECLAIM = BIT(4),    /* "reclaim" of the page cache */
    /* The workloads' own. */
    LAB_HIGHPTE = BIT(5),    /* "highpte": page tables in highmem */
    LAB_POOL = BIT(6),       /* "pool": a reserve of buffers, taken at the start */
    LAB_SMALLER = BIT(7),    /* "smaller": what the workload wants is smaller by itself */
    LAB_CLUSTERING = BIT(8), /* "clustering": a descriptor stands for several frames */
    NR_LAB_REMEDIES = NR_OPTION_REMEDIES,
};

enum lab_step {
    LAB_GOES_ON,
    LAB_WEDGED, /* an allocation failed that the workload can't do without */
    LAB_OVER,   /* there is no more of what it needs besides lowmem */
};

struct lab;

struct lab_remedy_use {
    unsigned remedies; /* LAB_*, usually one */
    unsigned promise;  /* it wedges that many times as late, or never; 0: shown, not promised */
    const char *about; /* what the workload does otherwise, for the log; NULL: nothing */
};

#define LAB_USES_MAX 12u

struct lab_workload {
    const char *name; /* as in size=NAME:NUMBER, without "lowmem_" */
    const char *unit; /* what a step adds: "threads" */
    const struct lab_remedy_use *uses;
    unsigned nr_uses; /* at most LAB_USES_MAX; cases are in this order, after "none" */
    /* Gets ready: tables, owners. Returns NULL, or in a sentence what is lacking. May be NULL. */
    const char *(*begin)(struct lab *lab);
    /*
     * Takes what is there from the start, with ballast and remedies in place: a pool of buffers,
     * say. Returns NULL, or in a sentence what is lacking. May be NULL.
     */
    const char *(*start)(struct lab *lab);
    /* One step more. */
    enum lab_step (*step)(struct lab *lab);
    /* After the last step: looks at all it holds, and fails the case. Not after a fault. May be
     * NULL. */
    void (*verify)(struct lab *lab);
    /* Gives everything back, whatever state it is in; called after a fault as well. */
    void (*end)(struct lab *lab);

    /* How the machine is made smaller. All may be 0. */
    bool whole_lowmem;        /* all of it unless lowmem= is given: absolute figures count */
    uint32_t lowmem_least;    /* pages of ZONE_NORMAL without which it means nothing */
    uint32_t highmem_per_low; /* pages of highmem left for each page of lowmem; 0: all of it */
    uint32_t lowmem_divisor;  /* steps cost much: of what depth= leaves, only that part; 0: all */
    /* More changes to the allocator's tuning for this run. May be NULL. */
    void (*tune)(const struct lab *lab, struct page_alloc_tuning *tuning);

    /* The uses say something even if "none" does not wedge. */
    bool stands_alone;

    uint32_t limit_none;   /* steps after which "none" will not wedge any more; 0: by lowmem */
    uint32_t sample_steps; /* a sample after so many steps, instead of by time; 0: by time */
    bool must_wedge; /* if "none" does not, the case fails (unless as_told); else it is skipped */
    bool until_time; /* with time=, a use with a promise goes on for half of what is left of it */
};

/* The last allocation that failed. */
struct lab_failure {
    bool noted; /* in this step */
    gfp_t gfp;
    unsigned order;
    uint32_t free[MAX_NR_ZONES];
    /* In the zone that it was wanted from. */
    int largest;       /* order; -1: nothing */
    uint32_t unusable; /* paging/fragmentation.h, permille */
    int fragmentation; /* the same, or FRAGMENTATION_FITS */
};

/*
 * One run of a workload. There is one at a time.
 */
struct lab {
    struct test *t;
    const struct lab_workload *workload;
    int use;              /* index in workload->uses; -1: "none" */
    unsigned remedies;    /* LAB_* of this run */
    uint64_t size;        /* what size= says for the workload; 0: its own choice */
    bool as_told;         /* size= or lowmem=SIZE chose: nothing is promised then */
    uint64_t done, limit; /* steps */
    struct prng *prng;
    void *state; /* the workload's */
    /* From start() on: pages that the ballast left free. */
    uint32_t left[MAX_NR_ZONES];
    struct lab_failure failure;
};

/* A proportion to keep: how much highmem a 16 GiB machine has for each page of its lowmem. */
#define LAB_HIGHMEM_OF_16_GIB 17u

/*
 * Cases of a suite: which use of the workload, -1 for "none". Skips what remedies= leaves out.
 * Context: boot thread of a case.
 */
void lab_run(struct test *t, const struct lab_workload *workload, int use);

/* case_NAME, which runs that. */
#define LAB_CASE(case_name, workload, use)       \
    static void case_##case_name(struct test *t) \
    {                                            \
        lab_run(t, workload, use);               \
    }

/* The suite's abandon hook: gives back what a faulted run held. */
void lab_abandon(void);

static inline bool lab_has(const struct lab *lab, unsigned remedy)
{
    return (lab->remedies & remedy) != 0;
}

/*
 * alloc_pages(), measured, counted, and given to an owner (an id of page_owner.h; 0: nobody). The
 * workload's memory, but for its own small state, comes from here.
 */
struct page *lab_alloc(struct lab *lab, gfp_t gfp, unsigned order, unsigned owner, uint32_t index);
/* __free_pages(), measured. */
void lab_free(struct lab *lab, struct page *page, unsigned order);

/*
 * kmem_cache_alloc(), measured. Does not note a failure: whoever may try again knows when it is
 * one.
 */
void *lab_kmem_alloc(struct lab *lab, struct kmem_cache *cache, gfp_t gfp);

/* Tells at which allocation a step wedged, for the report; lab_alloc() does so by itself. */
void lab_note_failure(struct lab *lab, gfp_t gfp, unsigned order);

/*
 * A table for the workload's own book-keeping: `bytes`, zeroed, from highmem through vmalloc where
 * there is any, so that it does not change what is measured. It is taken before the ballast, and
 * freed by the laboratory at the end of the run. NULL if there is no memory. Context: begin().
 */
void *lab_table(struct lab *lab, uint64_t bytes);

#endif
