/* SPDX-License-Identifier: BSD-2-Clause */
#include "payload/tests/lowmem_result.h"
#include "lib/format.h"
#include "lib/string.h"
#include "payload/tests/lowmem_samples.h"

#define METRIC_NAME_MAX 64
#define NUMBER_MAX 16
#define KIB_A_PAGE (PAGE_SIZE / 1024)

static const struct lab_workload *of_workload;
static struct lab_result results[LAB_USES_MAX + 1]; /* "none", then the uses */
static uint64_t seed;

static const char *const verdict_names[] = {[VERDICT_WEDGED] = "wedged",
                                            [VERDICT_NEVER] = "never",
                                            [VERDICT_OVER] = "over",
                                            [VERDICT_STOPPED] = "stopped"};

void results_clear(const struct lab_workload *workload, uint64_t new_seed)
{
    memset(results, 0, sizeof(results));
    of_workload = workload;
    seed = new_seed;
}

uint64_t results_seed(void)
{
    return seed;
}

static bool is_none_there(const struct lab_workload *workload)
{
    return of_workload == workload && results[0].is_there;
}

const struct lab_result *results_none(const struct lab_workload *workload)
{
    if (!is_none_there(workload) || results[0].verdict != VERDICT_WEDGED || results[0].done == 0)
        return NULL;
    return &results[0];
}

const char *results_why_none(const struct lab_workload *workload)
{
    if (!is_none_there(workload))
        return "\"none\" was skipped";
    if (results[0].verdict == VERDICT_STOPPED)
        return "\"none\" was stopped";
    return results[0].verdict == VERDICT_WEDGED ? "\"none\" was wedged by the first step"
                                                : "\"none\" did not wedge";
}

bool results_stand_alone(const struct lab_workload *workload)
{
    return workload->stands_alone && is_none_there(workload) &&
           (results[0].verdict == VERDICT_NEVER || results[0].verdict == VERDICT_OVER);
}

/* `count` in so many of `part` of what "none" did. */
static uint64_t times_of_none(const struct lab_result *result, uint32_t part)
{
    return results[0].done ? result->done * part / results[0].done : 0;
}

static void metric(struct lab *lab, const char *what, uint64_t value, const char *unit)
{
    char name[METRIC_NAME_MAX];

    format(name, sizeof(name), "%s_%s", test_case_name(lab->t), what);
    test_metric(lab->t, name, value, unit);
}

static void metric_of_order(struct lab *lab, unsigned order, const char *what, uint32_t counts)
{
    char name[METRIC_NAME_MAX];

    format(name, sizeof(name), "alloc%u_%s", order, what);
    metric(lab, name, counts, spent_unit());
}

/*
 * Costs of different orders don't compare, so all cases tell that of one: the least that "none"
 * allocated, which is what most of a kernel asks for.
 */
static unsigned order_compared(const struct lab *lab)
{
    struct spent spent;

    if (lab->use >= 0)
        return results[0].order;
    for (unsigned order = 0; order < NR_ORDERS; order++)
        if (spent_get(SPENT_ALLOC, order, &spent))
            return order;
    return 0;
}

static void tell_events(const struct lab *lab)
{
    const struct page_alloc_events *e = page_alloc_events();
    const struct {
        const char *name;
        uint32_t count;
    } events[] = {
        {"fell_back_to_dma", e->fell_back[ZONE_DMA]},
        {"fell_back_to_normal", e->fell_back[ZONE_NORMAL]},
        {"stolen_unmovable", e->stolen[MIGRATE_UNMOVABLE]},
        {"stolen_movable", e->stolen[MIGRATE_MOVABLE]},
        {"stolen_reclaimable", e->stolen[MIGRATE_RECLAIMABLE]},
        {"pageblocks_stolen", e->pageblocks_stolen},
        {"drained", e->drained},
        {"compactions", e->compactions},
        {"pages_moved", e->pages_moved},
        {"pages_pinned", e->pages_pinned},
        {"reclaims", e->reclaims},
        {"pages_reclaimed", e->pages_reclaimed},
    };

    for (unsigned order = 0; order < NR_ORDERS; order++)
        if (e->failed[order])
            test_record(lab->t, "lab failed %u %u", order, e->failed[order]);
    for (unsigned z = 0; z < MAX_NR_ZONES; z++)
        if (e->below[z][WMARK_MIN] | e->below[z][WMARK_LOW] | e->below[z][WMARK_HIGH])
            test_record(lab->t, "lab below %s %u %u %u", zone_get((enum zone_type)z)->name,
                        e->below[z][WMARK_MIN], e->below[z][WMARK_LOW], e->below[z][WMARK_HIGH]);
    for (unsigned i = 0; i < ARRAY_SIZE(events); i++)
        if (events[i].count)
            test_record(lab->t, "lab events %s %u", events[i].name, events[i].count);
}

static void tell_spent(const struct lab *lab)
{
    static const char *const names[NR_SPENT] = {
        [SPENT_ALLOC] = "alloc", [SPENT_FREE] = "free", [SPENT_SLAB] = "slab"};

    for (unsigned i = 0; i < NR_SPENT * NR_ORDERS; i++) {
        unsigned what = i / NR_ORDERS, order = i % NR_ORDERS;
        struct spent s;

        if (spent_get((enum spent_what)what, order, &s))
            test_record(lab->t, "lab spent %s %u %u %u %u %u %u %s", names[what], order, s.count,
                        s.p50, s.p90, s.p99, s.max, spent_unit());
    }
}

static const char *wanted_zone(const struct lab_failure *failure)
{
    return zone_get((enum zone_type)(failure->gfp & __GFP_ZONE_MASK))->name;
}

static void tell_end(const struct lab *lab, enum lab_verdict verdict)
{
    const struct lab_failure *f = &lab->failure;
    bool wedged = verdict == VERDICT_WEDGED;

    test_record(lab->t, "lab end %llu %s %u %s %u %u %u %d", (unsigned long long)lab->done,
                verdict_names[verdict], wedged ? f->order : 0, wedged ? wanted_zone(f) : "-",
                f->free[ZONE_DMA], f->free[ZONE_NORMAL], f->free[ZONE_HIGHMEM], f->largest);
}

static const char *why_stopped(void)
{
    return test_out_of_time() ? "time= was over" : "it was stopped";
}

/* The same for people. */
static void say_end(const struct lab *lab, enum lab_verdict verdict)
{
    const struct lab_failure *f = &lab->failure;
    const char *name = test_case_name(lab->t), *unit = lab->workload->unit;
    uint32_t free_kib = f->free[f->gfp & __GFP_ZONE_MASK] * KIB_A_PAGE;
    unsigned long long done = lab->done;

    if (verdict == VERDICT_STOPPED)
        test_log(lab->t, "%s: not wedged by %llu %s when %s", name, done, unit, why_stopped());
    else if (verdict == VERDICT_OVER)
        test_log(lab->t, "%s: not wedged by %llu %s, and then there was no more to do", name, done,
                 unit);
    else if (verdict == VERDICT_NEVER)
        test_log(lab->t, "%s: not wedged by %llu %s", name, done, unit);
    else
        test_log(
            lab->t,
            "%s: wedged after %llu %s: order %u from %s, %u %s of it free, largest block %u KiB",
            name, done, unit, f->order, wanted_zone(f),
            free_kib < 10240 ? free_kib : free_kib / 1024, free_kib < 10240 ? "KiB" : "MiB",
            f->largest < 0 ? 0 : KIB_A_PAGE << f->largest);
    if (verdict == VERDICT_WEDGED && f->fragmentation != FRAGMENTATION_FITS)
        test_log(lab->t, "%s: for order %u, unusable index %u, fragmentation index %d permille",
                 name, f->order, f->unusable, f->fragmentation);
}

static void tell_metrics(struct lab *lab, const struct lab_result *result)
{
    const struct spent *spent = &result->spent;
    bool wedged = result->verdict == VERDICT_WEDGED;
    const struct lab_failure *f = &lab->failure;

    if (wedged) {
        metric(lab, "wedge", lab->done, "count");
        metric(lab, "free_dma", (uint64_t)f->free[ZONE_DMA] * KIB_A_PAGE, "KiB");
        metric(lab, "free_normal", (uint64_t)f->free[ZONE_NORMAL] * KIB_A_PAGE, "KiB");
        metric(lab, "free_high", (uint64_t)f->free[ZONE_HIGHMEM] * KIB_A_PAGE, "KiB");
        metric(lab, "unusable", f->unusable, "permille");
    }
    if (wedged && f->fragmentation != FRAGMENTATION_FITS)
        metric(lab, "fragmentation", (uint64_t)MAX(f->fragmentation, 0), "permille");
    if (spent->count) {
        metric_of_order(lab, result->order, "p50", spent->p50);
        metric_of_order(lab, result->order, "p99", spent->p99);
        metric_of_order(lab, result->order, "max", spent->max);
    }
    metric(lab, "run", samples_run_ms(), "ms");
    metric(lab, "sampling", samples_cost_permille(), "permille");
}

static void judge_none(struct lab *lab, enum lab_verdict verdict)
{
    if (verdict == VERDICT_WEDGED && lab->done == 0)
        test_skip(lab->t, "wedged by the first step");
    if (verdict == VERDICT_STOPPED)
        test_skip(lab->t, "%s after %llu %s, without a wedge", why_stopped(),
                  (unsigned long long)lab->done, lab->workload->unit);
    if (verdict == VERDICT_WEDGED || verdict == VERDICT_STOPPED)
        return;
    if (lab->workload->must_wedge && !lab->as_told)
        test_fail(lab->t, "not wedged by %llu %s, as it must be", (unsigned long long)lab->done,
                  lab->workload->unit);
    else
        test_skip(lab->t, "this machine is not wedged by %llu %s", (unsigned long long)lab->done,
                  lab->workload->unit);
}

static void judge_remedy(struct lab *lab, const struct lab_result *result)
{
    unsigned promise = lab->workload->uses[lab->use].promise;
    uint64_t times = times_of_none(result, 10);

    if (results_none(lab->workload))
        metric(lab, "times", times_of_none(result, 1000), "permille");
    if (result->verdict == VERDICT_NEVER || result->verdict == VERDICT_OVER ||
        result->done >= results[0].done * promise)
        return;
    if (result->verdict == VERDICT_STOPPED)
        test_skip(lab->t, "%s at %llu.%llu times, %u are promised", why_stopped(),
                  (unsigned long long)(times / 10), (unsigned long long)(times % 10), promise);
    else if (lab->as_told)
        test_log(lab->t, "%s: %u times as many were promised, but not with this size= or lowmem=",
                 result->name, promise);
    else
        test_fail(lab->t,
                  "wedged after %llu %s, %llu without: %llu.%llu times, at least %u promised",
                  (unsigned long long)result->done, lab->workload->unit,
                  (unsigned long long)results[0].done, (unsigned long long)(times / 10),
                  (unsigned long long)(times % 10), promise);
}

/* The median, or "-" where there was no allocation of the order. */
static const char *median(const struct lab_result *result, char text[NUMBER_MAX])
{
    if (result->spent.count)
        format(text, NUMBER_MAX, "%u", result->spent.p50);
    else
        format(text, NUMBER_MAX, "-");
    return text;
}

static void tell_result(const struct lab *lab, const struct lab_result *result)
{
    char text[NUMBER_MAX];

    test_record(lab->t, "lab result %s %s %llu %s %llu %s %u", lab->workload->name, result->name,
                (unsigned long long)result->done, verdict_names[result->verdict],
                (unsigned long long)times_of_none(result, 100), median(result, text),
                result->order);
}

void result_tell(struct lab *lab, enum lab_verdict verdict)
{
    struct lab_result *result = &results[lab->use + 1];

    *result = (struct lab_result){
        .is_there = true, .name = test_case_name(lab->t), .done = lab->done, .verdict = verdict};
    result->order = order_compared(lab);
    spent_get(SPENT_ALLOC, result->order, &result->spent);
    tell_events(lab);
    tell_spent(lab);
    tell_end(lab, verdict);
    tell_result(lab, result);
    tell_metrics(lab, result);
    say_end(lab, verdict);
    if (lab->use < 0)
        judge_none(lab, verdict);
    else
        judge_remedy(lab, result);
}

void results_write(struct test *t)
{
    char text[NUMBER_MAX];

    if (!results[0].is_there)
        return;
    format(text, sizeof(text), "alloc%u p50", results[0].order);
    test_log(t, "%-16s %-8s %12s %8s %10s", of_workload->name, "", of_workload->unit, "times",
             text);
    for (unsigned i = 0; i <= of_workload->nr_uses; i++) {
        const struct lab_result *r = &results[i];
        uint64_t times = times_of_none(r, 10);

        if (r->is_there)
            test_log(t, "%-16s %-8s %12llu %6llu.%llu %10s", r->name, verdict_names[r->verdict],
                     (unsigned long long)r->done, (unsigned long long)(times / 10),
                     (unsigned long long)(times % 10), median(r, text));
    }
}
