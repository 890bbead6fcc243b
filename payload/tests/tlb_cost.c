/* SPDX-License-Identifier: BSD-2-Clause */
#include "payload/tests/tlb_cost.h"
#include "drivers/clock.h"
#include "lib/format.h"
#include "lib/string.h"
#include "lib/x86/cpu.h"
#include "paging/pgtable.h"
#include "paging/tlb.h"
#include "payload/cpu_facts.h"
#include "payload/tests/tlb_area.h"

#define SIZES_MAX 13u /* powers of two up to 4096 */
#define SPARSE_SHIFT 2u
#define REPETITIONS 3u
#define ACCESSES_MIN 2048u /* timed at once */
#define FLUSHES 64u        /* timed at once */
#define KEPT_PAGES 256u    /* that are in use beside a range */
#define STEP_PERCENT 25u
#define NAME_MAX 48
#define TEXT_MAX 100
#define PERMILLE 1000u

/* A full turn of it visits each page of a power of two once, in an order that nothing prefetches.
 */
#define TURN_FACTOR 1021u
#define TURN_STEP 97u

#define LINE_BYTES 64u

struct page_kind {
    const char *name; /* in metrics */
    const char *text;
    unsigned shift;
    unsigned sizes; /* working sets of 1 << 0 .. 1 << (sizes - 1) pages */
};

static const struct page_kind kinds[] = {
    {"4k", "4 KiB", PAGE_SHIFT, 13},
    {"2m", "2 MiB", LARGE_PAGE_SHIFT, 9},
};

_Static_assert(1u << 12 == TLB_AREA_PAGES && 1u << 8 == TLB_AREA_LARGE_PAGES, "");

static void flush_each(const struct page_kind *kind, unsigned pages)
{
    for (unsigned i = 0; i < pages; i++)
        tlb_flush_page(TLB_AREA + (i << kind->shift));
}

static void flush_all(const struct page_kind *kind, unsigned pages)
{
    (void)kind;
    (void)pages;
    tlb_flush_all();
}

static void flush_global(const struct page_kind *kind, unsigned pages)
{
    (void)kind;
    (void)pages;
    tlb_flush_global();
}

static const struct {
    const char *refill, *flush; /* parts of metric names */
    void (*flush_pages)(const struct page_kind *kind, unsigned pages);
} ways[] = {
    {"refill", "flush_all", flush_all},
    {"refill_page", "flush_page", flush_each},
    {"refill_global", "flush_global", flush_global},
};
enum { WAY_ALL, WAY_PAGE };

/*
 * Reads each page of the set in turn. Each address depends on what was read at the one before
 * (always 0), so that no two accesses are under way at once.
 */
static __attribute__((noinline)) void sweep(unsigned shift, unsigned pages, unsigned accesses)
{
    uint32_t at = 0;

    for (unsigned i = 0; i < accesses; i++) {
        uint32_t line = (at % (PAGE_SIZE / LINE_BYTES - 1) + 1) * LINE_BYTES;
        uint32_t zero;

        __asm__ volatile("movl (%1), %0" : "=r"(zero) : "r"(TLB_AREA + (at << shift) + line));
        at = (at * TURN_FACTOR + TURN_STEP + zero) & (pages - 1);
    }
}

/* Thousandths of a count for an access to a set that is swept over and over. */
static uint64_t time_access(unsigned shift, unsigned pages)
{
    unsigned accesses = MAX(ACCESSES_MIN, pages);
    uint64_t least = UINT64_MAX;

    sweep(shift, pages, pages);
    for (unsigned i = 0; i < REPETITIONS; i++) {
        uint64_t start = rdtsc();

        sweep(shift, pages, accesses);
        least = MIN(least, rdtsc() - start);
    }
    return least * PERMILLE / accesses;
}

/* Counts of one sweep after a flush; of one more sweep if there is none. */
static uint64_t time_sweep(const struct page_kind *kind, unsigned pages,
                           void (*flush_pages)(const struct page_kind *, unsigned))
{
    uint64_t least = UINT64_MAX;

    for (unsigned i = 0; i < REPETITIONS; i++) {
        uint64_t start;

        if (flush_pages)
            flush_pages(kind, pages);
        start = rdtsc();
        sweep(kind->shift, pages, pages);
        least = MIN(least, rdtsc() - start);
    }
    return least;
}

/* Thousandths of a count that an access costs more right after a flush. */
static uint64_t time_refill(const struct page_kind *kind, unsigned pages, unsigned way)
{
    uint64_t without = time_sweep(kind, pages, NULL);
    uint64_t with = time_sweep(kind, pages, ways[way].flush_pages);

    return (with - MIN(with, without)) * PERMILLE / pages;
}

static const char *unit(void)
{
    return clock_tsc_counts_instructions() ? "instructions" : "cycles";
}

static void say_metric(struct test *t, const char *what, const struct page_kind *kind,
                       unsigned pages, uint64_t permille)
{
    char name[NAME_MAX];

    format(name, sizeof(name), "%s_%s_%u", what, kind->name, pages);
    test_metric(t, name, (permille + PERMILLE / 2) / PERMILLE, unit());
}

static void say_steps(struct test *t, const struct page_kind *kind, const uint64_t *access,
                      unsigned sizes)
{
    char text[TEXT_MAX];
    size_t used = 0;

    text[0] = '\0';
    for (unsigned i = 1; i < sizes; i++) {
        if (access[i] * 100 <= access[i - 1] * (100 + STEP_PERCENT) || used + 24 > sizeof(text))
            continue;
        used += (size_t)format(text + used, sizeof(text) - used, "%s%u (%llu to %llu)",
                               used ? ", " : "", 1u << (i - 1),
                               (unsigned long long)(access[i - 1] / PERMILLE),
                               (unsigned long long)(access[i] / PERMILLE));
    }
    test_log(t, "%s pages, an access costs over %u %% more past: %s", kind->text, STEP_PERCENT,
             used ? text : "no size");
}

/* Every page of the kind shows the first of block A. */
static void map_all(const struct tlb_area *area, const struct page_kind *kind)
{
    const uint64_t flags = PTE_PRESENT | layout.nx;

    memset((char *)phys_to_virt(area->block[0]) + LINE_BYTES, 0, PAGE_SIZE - LINE_BYTES);
    for (unsigned i = 0; i < 1u << (kind->sizes - 1); i++) {
        if (kind->shift == PAGE_SHIFT) {
            pte_set(&area->table_entry[i], pte_make(area->block[0], flags));
        } else {
            pte_clear(&area->directory_entry[i]);
            pte_set(&area->directory_entry[i], pte_make(area->block[0], flags | PTE_LARGE));
        }
    }
    tlb_flush_global();
}

/* Returns the refill of KEPT_PAGES after a CR3 write, in thousandths a page. */
static uint64_t measure_sets(struct test *t, const struct page_kind *kind, unsigned sizes)
{
    uint64_t access[SIZES_MAX], kept = 0;

    for (unsigned i = 0; i < sizes; i++) {
        unsigned pages = 1u << i;

        access[i] = time_access(kind->shift, pages);
        say_metric(t, "access", kind, pages, access[i]);
        for (unsigned way = 0; way < ARRAY_SIZE(ways); way++) {
            uint64_t refill = time_refill(kind, pages, way);

            say_metric(t, ways[way].refill, kind, pages, refill);
            if (way == WAY_ALL && pages == KEPT_PAGES)
                kept = refill;
        }
    }
    say_steps(t, kind, access, sizes);
    return kept;
}

/* Thousandths of a count for one flush by itself: of one page, or of all. */
static uint64_t time_flush(unsigned way)
{
    uint64_t least = UINT64_MAX;

    for (unsigned i = 0; i < REPETITIONS; i++) {
        uint64_t start;

        sweep(PAGE_SHIFT, FLUSHES, FLUSHES);
        start = rdtsc();
        if (way == WAY_PAGE) {
            flush_each(&kinds[0], FLUSHES);
        } else {
            for (unsigned n = 0; n < FLUSHES; n++)
                ways[way].flush_pages(&kinds[0], 0);
        }
        least = MIN(least, rdtsc() - start);
    }
    return least * PERMILLE / FLUSHES;
}

static void measure_flushes(struct test *t, uint64_t kept_refill)
{
    uint64_t cost[ARRAY_SIZE(ways)];

    for (unsigned way = 0; way < ARRAY_SIZE(ways); way++) {
        cost[way] = time_flush(way);
        test_metric(t, ways[way].flush, (cost[way] + PERMILLE / 2) / PERMILLE, unit());
    }
    if (cost[WAY_PAGE] && !clock_tsc_counts_instructions())
        test_metric(t, "range_break_even",
                    (cost[WAY_ALL] + kept_refill * KEPT_PAGES) / cost[WAY_PAGE], "pages");
}

void tlb_case_costs(struct test *t)
{
    const struct tlb_area *area = tlb_area_open(t);

    if (!area)
        return;
    if (clock_tsc_counts_instructions())
        test_log(t, "the TSC counts instructions here, and no refill takes one");
    else if (cpu_facts.is_tcg)
        test_log(t, "costs under QEMU's TCG are those of its own tables, not of a processor");
    map_all(area, &kinds[0]);
    for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) {
        unsigned sizes = kinds[i].sizes;
        uint64_t kept;

        map_all(area, &kinds[i]);
        if (test_depth(t) == DEPTH_SPARSE)
            sizes -= SPARSE_SHIFT;
        kept = measure_sets(t, &kinds[i], sizes);
        if (i == 0)
            measure_flushes(t, kept);
    }
    tlb_area_close();
}
