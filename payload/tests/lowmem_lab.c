/* SPDX-License-Identifier: BSD-2-Clause */
#include "payload/tests/lowmem_lab.h"
#include "drivers/clock.h"
#include "lib/inject.h"
#include "lib/string.h"
#include "lib/x86/cpu.h"
#include "paging/vmalloc.h"
#include "payload/setup.h"
#include "payload/tests/lowmem_ballast.h"
#include "payload/tests/lowmem_failure.h"
#include "payload/tests/lowmem_map.h"
#include "payload/tests/lowmem_result.h"
#include "payload/tests/lowmem_samples.h"
#include "payload/tests/lowmem_spent.h"

#define TABLES_MAX 8u
#define NS_PER_S UINT64_C(1000000000)
#define PAGES_OF_MIB(mib) ((uint32_t)((mib) << (20 - PAGE_SHIFT)))
#define DMA_LEFT PAGES_OF_MIB(8) /* two whole blocks, which any machine has */
#define NEVER_TIMES 12u          /* a remedy that lasts so many times as long lasts */
#define REFUSED_AT 100u          /* the step that a mutation breaks */
#define EMPTY_TRIES 256u
#define STEPS_A_PAGE 64u /* without a wedge by then, "none" is given up */

static struct {
    struct lab lab;
    struct prng prng;
    bool is_open;
    void *tables[TABLES_MAX];
    unsigned nr_tables;
    struct page_alloc_tuning tuning_before;
    uint32_t clock_empty, clock_noise; /* counts of the TSC */
} run;

void *lab_table(struct lab *lab, uint64_t bytes)
{
    void *table = NULL;

    (void)lab;
    if (run.nr_tables < TABLES_MAX && bytes <= SIZE_MAX)
        table = vzalloc((size_t)bytes);
    if (table)
        run.tables[run.nr_tables++] = table;
    return table;
}

static bool is_refused(const struct lab *lab)
{
    return lab->done == REFUSED_AT && inject(lab_refuse, lowmem_dmazone);
}

struct page *lab_alloc(struct lab *lab, gfp_t gfp, unsigned order, unsigned owner, uint32_t index)
{
    struct page *page = NULL;

    if (!is_refused(lab)) {
        uint64_t start = rdtsc();

        page = alloc_pages(gfp, order);
        spent_add(SPENT_ALLOC, order, rdtsc() - start);
    }
    if (!page)
        lab_note_failure(lab, gfp, order);
    else if (owner)
        page_set_owner(page, owner, index);
    return page;
}

void lab_free(struct lab *lab, struct page *page, unsigned order)
{
    uint64_t start = rdtsc();

    (void)lab;
    __free_pages(page, order);
    spent_add(SPENT_FREE, order, rdtsc() - start);
}

void *lab_kmem_alloc(struct lab *lab, struct kmem_cache *cache, gfp_t gfp)
{
    uint64_t start = rdtsc();
    void *object = kmem_cache_alloc(cache, gfp);

    (void)lab;
    spent_add(SPENT_SLAB, 0, rdtsc() - start);
    return object;
}

static uint64_t size_option(const struct lab_workload *workload)
{
    uint64_t size = 0;

    for (unsigned i = 0; i < setup.options.nr_sizes; i++)
        if (strcmp(setup.options.sizes[i].name, workload->name) == 0)
            size = setup.options.sizes[i].value;
    return size;
}

/* All of lowmem is what any machine has; less of it is as large as somebody says. */
static bool is_told(const struct lab_workload *workload)
{
    return size_option(workload) ||
           (setup.options.lowmem && setup.options.lowmem != OPTION_LOWMEM_ALL);
}

/* Pages of ZONE_NORMAL to leave, by lowmem=, or else by what the workload and depth= want. */
static uint32_t lowmem_option(const struct lab_workload *workload)
{
    static const uint32_t by_depth[] = {
        [DEPTH_SPARSE] = PAGES_OF_MIB(16), [DEPTH_SMOKE] = PAGES_OF_MIB(64), [DEPTH_FULL] = 0};
    uint32_t pages = by_depth[setup.options.depth];

    if (workload->lowmem_divisor)
        pages /= workload->lowmem_divisor;
    if (setup.options.lowmem == OPTION_LOWMEM_ALL)
        return UINT32_MAX;
    if (setup.options.lowmem)
        return (uint32_t)(setup.options.lowmem >> PAGE_SHIFT);
    return pages && !workload->whole_lowmem ? pages : UINT32_MAX;
}

/* Makes the machine as small as the workload wants it. NULL, or what the machine lacks. */
static const char *take_ballast(struct lab *lab)
{
    const struct lab_workload *w = lab->workload;
    uint32_t normal = nr_free_pages(ZONE_NORMAL), dma = nr_free_pages(ZONE_DMA);
    uint32_t high = nr_free_pages(ZONE_HIGHMEM), wanted = lowmem_option(w);

    if (wanted != UINT32_MAX) {
        dma = MIN(dma, DMA_LEFT);
        normal = MIN(normal, MAX(wanted, w->lowmem_least));
    }
    if (normal < w->lowmem_least)
        return "this machine has less of ZONE_NORMAL than the workload needs";
    if (w->highmem_per_low) {
        /* Too little highmem: then less lowmem too, so that the proportion is kept. */
        normal = MIN(normal, high / w->highmem_per_low);
        if (normal == 0 || normal < w->lowmem_least)
            return zone_get(ZONE_HIGHMEM)->present_pages
                       ? "this machine has less highmem than the workload needs"
                       : "this machine has no highmem, where most of the workload's pages lie";
        dma = MIN(dma, normal / 2);
    }
    lab->left[ZONE_DMA] = ballast_take(ZONE_DMA, dma);
    lab->left[ZONE_NORMAL] = ballast_take(ZONE_NORMAL, normal);
    /* Of lowmem up to a block more is left than was wanted: what is there counts. */
    if (w->highmem_per_low)
        high = MIN(high, (lab->left[ZONE_DMA] + lab->left[ZONE_NORMAL]) * w->highmem_per_low);
    lab->left[ZONE_HIGHMEM] = ballast_take(ZONE_HIGHMEM, high);
    return NULL;
}

static uint32_t square_root(uint32_t n)
{
    uint32_t root = 0;

    for (uint32_t bit = BIT(15); bit; bit /= 2)
        if ((root + bit) * (root + bit) <= n)
            root += bit;
    return root;
}

/* What a ratio of Linux comes to where only `left` of the zone's pages are left. */
static uint32_t scaled_ratio(const struct lab *lab, uint32_t ratio, enum zone_type kept_from)
{
    uint64_t present = zone_get(kept_from)->present_pages;

    return (uint32_t)(ratio * present / MAX(lab->left[kept_from], 1u));
}

/* The allocator's remedies, in proportion to what the ballast left. */
static void tune(const struct lab *lab)
{
    uint32_t lowmem_kib = (lab->left[ZONE_DMA] + lab->left[ZONE_NORMAL]) * (PAGE_SIZE / 1024);
    struct page_alloc_tuning tuning = {
        .watermarks = lab_has(lab, LAB_WATERMARKS),
        .mobility = lab_has(lab, LAB_MOBILITY),
        .pcp = lab_has(lab, LAB_PCP),
        .compaction = lab_has(lab, LAB_COMPACTION),
        .reclaim = lab_has(lab, LAB_RECLAIM),
        .min_free_kbytes = 4 * square_root(lowmem_kib),
        .lowmem_reserve_ratio = {[ZONE_DMA] = scaled_ratio(lab, 256, ZONE_NORMAL),
                                 [ZONE_NORMAL] = scaled_ratio(lab, 32, ZONE_HIGHMEM)},
    };

    if (lab->workload->tune)
        lab->workload->tune(lab, &tuning);
    page_alloc_tune(&tuning);
}

static const char *begin_workload(struct lab *lab)
{
    return lab->workload->begin ? lab->workload->begin(lab) : NULL;
}

static const char *start_workload(struct lab *lab)
{
    return lab->workload->start ? lab->workload->start(lab) : NULL;
}

/*
 * What reading the counter twice counts by itself, and by how much more it may: nine of ten
 * readings lie within that. Emulators get quicker at it only after some.
 */
static void measure_clock(void)
{
    uint32_t least = UINT32_MAX;
    struct spent spent;

    spent_begin(0);
    for (unsigned i = 0; i < EMPTY_TRIES; i++) {
        uint64_t start = rdtsc(), empty = rdtsc() - start;

        least = (uint32_t)MIN(empty, least);
        spent_add(SPENT_ALLOC, 0, empty);
    }
    spent_get(SPENT_ALLOC, 0, &spent);
    run.clock_empty = least;
    run.clock_noise = spent.p90 - least;
}

/* Everything up to the first step. NULL, or what the machine lacks. */
static const char *open_run(struct lab *lab)
{
    const char *lack;

    run.tuning_before = *page_alloc_tuning();
    page_alloc_tune(&page_alloc_plain);
    lists_remember();
    run.is_open = true;
    lack = begin_workload(lab);
    if (lack)
        return lack;
    if (!ballast_open())
        return "there is no memory for the ballast's table";
    lack = take_ballast(lab);
    if (lack)
        return lack;
    map_begin();
    tune(lab);
    page_alloc_clear_events();
    lack = start_workload(lab);
    /* What the steps spend is told, not what was there before them. */
    measure_clock();
    spent_begin(run.clock_empty);
    return lack;
}

static void end_workload(void)
{
    run.lab.workload->end(&run.lab);
    drain_all_pages();
}

static void give_all_back(void)
{
    page_alloc_tune(&page_alloc_plain);
    ballast_close();
    while (run.nr_tables > 0)
        vfree(run.tables[--run.nr_tables]);
    run.is_open = false;
}

static void close_run(struct test *t)
{
    give_all_back();
    lists_check(t);
    page_alloc_tune(&run.tuning_before);
}

void lab_abandon(void)
{
    if (!run.is_open)
        return;
    /* What the fault left of the workload may bring the next one. */
    ballast_close();
    end_workload();
    give_all_back();
    page_alloc_tune(&run.tuning_before);
}

static uint64_t limit_of(const struct lab *lab, const struct lab_result *none)
{
    if (none)
        return none->done * MAX(NEVER_TIMES, lab->workload->uses[lab->use].promise) + 1;
    if (lab->workload->limit_none)
        return lab->workload->limit_none;
    return (uint64_t)(lab->left[ZONE_DMA] + lab->left[ZONE_NORMAL]) * STEPS_A_PAGE;
}

/* Until when a case goes on that has kept its promise: for half of what is left of time=. */
static uint64_t deadline_of(const struct lab *lab)
{
    uint64_t now = clock_ns(), end = setup.options.time_s * NS_PER_S;

    if (lab->use < 0 || !lab->workload->until_time || !lab->workload->uses[lab->use].promise)
        return 0;
    return now < end ? now + (end - now) / 2 : 0;
}

static bool sample_is_due(const struct lab *lab)
{
    uint32_t steps = lab->workload->sample_steps;

    return steps ? lab->done % steps == 0 : rdtsc() >= samples_due_tsc;
}

static enum lab_verdict run_steps(struct lab *lab)
{
    uint64_t deadline = deadline_of(lab);

    while (lab->done < lab->limit || (deadline && clock_ns() < deadline)) {
        enum lab_step step;

        lab->failure.noted = false;
        step = lab->workload->step(lab);
        if (step == LAB_WEDGED) {
            if (!lab->failure.noted)
                test_error(lab->t, "wedged, and no allocation failed");
            return VERDICT_WEDGED;
        }
        if (step == LAB_OVER)
            return VERDICT_OVER;
        lab->done++;
        if (!sample_is_due(lab))
            continue;
        samples_take(lab);
        test_progress(lab->t, (uint32_t)MIN(lab->done * 1000 / lab->limit, 1000), 1000);
        if (test_should_stop(lab->t))
            return VERDICT_STOPPED;
    }
    return VERDICT_NEVER;
}

/* What lowmem= comes to, once, where it is not what was asked for. */
static void say_lowmem(const struct lab *lab)
{
    uint32_t wanted = (uint32_t)(setup.options.lowmem / 1024);
    uint32_t least = lab->workload->lowmem_least * (uint32_t)(PAGE_SIZE / 1024);

    if (lab->use >= 0 || !setup.options.lowmem || setup.options.lowmem == OPTION_LOWMEM_ALL ||
        wanted == lab->left[ZONE_NORMAL] * (PAGE_SIZE / 1024))
        return;
    if (wanted < least)
        test_log(lab->t, "lowmem= is %u KiB: %s is nothing without %u KiB", wanted,
                 lab->workload->name, least);
    else if (wanted < lab->left[ZONE_NORMAL] * (PAGE_SIZE / 1024))
        test_log(lab->t, "lowmem= is %u KiB: ballast leaves whole blocks of 4 MiB", wanted);
    else
        test_log(lab->t, "lowmem= is %u KiB: the machine has less of it, or of highmem", wanted);
}

static void say_begin(const struct lab *lab)
{
    const char *about = lab->use < 0 ? NULL : lab->workload->uses[lab->use].about;

    test_record(lab->t, "lab begin %s.%s %s %s %llu", test_suite_name(lab->t),
                test_case_name(lab->t), lab->workload->name, lab->workload->unit,
                (unsigned long long)lab->limit);
    for (unsigned z = 0; z < MAX_NR_ZONES; z++) {
        const struct zone *zone = zone_get((enum zone_type)z);

        test_record(lab->t, "lab zone %s %u %u %u", zone->name, zone->start_pfn, zone->end_pfn,
                    zone->present_pages);
    }
    test_record(lab->t, "lab clock %u %u %s", run.clock_empty, run.clock_noise, spent_unit());
    if (about)
        test_log(lab->t, "%s: %s", test_case_name(lab->t), about);
    say_lowmem(lab);
    test_log(lab->t, "left free: %u KiB of DMA, %u of Normal, %llu of HighMem",
             lab->left[ZONE_DMA] * 4, lab->left[ZONE_NORMAL] * 4,
             (unsigned long long)lab->left[ZONE_HIGHMEM] * 4);
}

static void run_open(struct lab *lab)
{
    enum lab_verdict verdict;

    lab->limit = limit_of(lab, lab->use < 0 ? NULL : results_none(lab->workload));
    say_begin(lab);
    map_tell_owners(lab->t);
    drain_all_pages();
    map_write(lab->t, "start");
    samples_begin(lab);
    verdict = run_steps(lab);
    samples_end(lab);
    if (verdict != VERDICT_WEDGED)
        failure_note_state(&lab->failure, ZONE_NORMAL);
    drain_all_pages();
    map_write(lab->t, "wedge");
    result_tell(lab, verdict);
    if (lab->workload->verify)
        lab->workload->verify(lab);
    end_workload();
    map_write(lab->t, "end");
}

/* Is the case to be run at all? */
static bool is_wanted(struct test *t, const struct lab_workload *workload, int use)
{
    unsigned remedies = use < 0 ? 0 : workload->uses[use].remedies;

    if (remedies & ~setup.options.remedies) {
        test_skip(t, "remedies= leaves it out");
        return false;
    }
    if (use >= 0 && !results_none(workload) && !results_stand_alone(workload)) {
        test_skip(t, "nothing to compare with: %s", results_why_none(workload));
        return false;
    }
    return true;
}

void lab_run(struct test *t, const struct lab_workload *workload, int use)
{
    struct lab *lab = &run.lab;
    const char *lack;

    if (use < 0)
        results_clear(workload, prng_u64(test_prng(t)));
    if (is_wanted(t, workload, use)) {
        run.nr_tables = 0;
        prng_seed(&run.prng, results_seed());
        *lab = (struct lab){
            .t = t,
            .workload = workload,
            .use = use,
            .remedies = use < 0 ? 0 : workload->uses[use].remedies,
            .size = size_option(workload),
            .as_told = is_told(workload),
            .prng = &run.prng,
        };
        lack = open_run(lab);
        if (lack) {
            test_skip(t, "%s", lack);
            end_workload();
        } else {
            run_open(lab);
        }
        close_run(t);
    }
    if (use == (int)workload->nr_uses - 1)
        results_write(t);
}
