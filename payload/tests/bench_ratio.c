/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench_ratio: times alternatives against each other, by the wall clock and in one run.
 *
 * Counted instructions rank designs wrongly: a TLB flush is one instruction and dear, and what it
 * costs comes later, when translations have to be walked for again. So rows of the bench that do
 * the same job take turns here, several times over, and the least time of each is compared with the
 * first's, which stays meaningful on any machine, however fast and however busy. Of the ways to get
 * rid of translations each is paid in full: the flush, and the touching of all pages afterwards.
 *
 * Metrics are in permille of the first alternative's time: 2500 is two and a half times as long.
 */
#include "lib/format.h"
#include "lib/x86/cpu.h"
#include "paging/highmem.h"
#include "paging/kmap.h"
#include "paging/pgtable.h"
#include "paging/tlb.h"
#include "payload/tests/bench.h"

#define PERMILLE 1000u
#define NAME_MAX 48

/* How often they take turns. */
static const unsigned rounds[] = {[DEPTH_SPARSE] = 1, [DEPTH_SMOKE] = 3, [DEPTH_FULL] = 9};

/* Rows that do the same job. The first is what the others are compared with. */
static const char *const windows[] = {"lowmem_touch", "kmap_hit", "kmap_cold", "kmap_local",
                                      "kmap_range_64"};
static const char *const copies[] = {"copy_lowmem", "copy_highpage", "copy_highpages",
                                     "dma_bounce_to_4k", "dma_bounce_from_4k"};
static const char *const allocations[] = {"alloc0", "alloc1", "alloc0_batch"};

static void say_ratio(struct test *t, const char *row, const char *base, uint64_t counts,
                      uint64_t base_counts)
{
    char name[NAME_MAX];

    format(name, sizeof(name), "%s_over_%s", row, base);
    test_metric(t, name, counts * PERMILLE / MAX(base_counts, 1u), "permille");
}

/* The least time of an operation of the row, a thousandfold; 0 after a skip. */
static uint64_t time_row(struct bench *b, const struct bench_row *row, struct test *t,
                         uint64_t least)
{
    struct bench_cost cost;
    uint64_t each;

    if (!bench_prepare(b, row, t))
        return 0;
    bench_run(b, row, &cost); /* warms up */
    bench_run(b, row, &cost);
    bench_finish(b, row, t);
    each = cost.counts * PERMILLE / cost.operations;
    return least ? MIN(least, each) : each;
}

static void compare(struct test *t, const char *const *names, unsigned count)
{
    uint64_t least[ARRAY_SIZE(windows)] = {0};
    struct bench *b = bench_open(t);

    for (unsigned round = 0; b && round < rounds[b->depth]; round++) {
        for (unsigned i = 0; i < count; i++) {
            const struct bench_row *row = bench_row_find(names[i]);

            if (!row) {
                test_error(t, "there is no row %s", names[i]);
                bench_close();
                return;
            }
            least[i] = time_row(b, row, t, least[i]);
            if (!least[i]) {
                bench_close();
                return;
            }
        }
        test_progress(t, round + 1, rounds[b->depth]);
    }
    if (!b)
        return;
    for (unsigned i = 1; i < count; i++)
        say_ratio(t, names[i], names[0], least[i], least[0]);
    bench_close();
}

static void case_windows(struct test *t)
{
    compare(t, windows, ARRAY_SIZE(windows));
}

static void case_copies(struct test *t)
{
    _Static_assert(ARRAY_SIZE(copies) <= ARRAY_SIZE(windows), "");
    compare(t, copies, ARRAY_SIZE(copies));
}

static void case_allocations(struct test *t)
{
    _Static_assert(ARRAY_SIZE(allocations) <= ARRAY_SIZE(windows), "");
    compare(t, allocations, ARRAY_SIZE(allocations));
}

/*
 * Flushing: `doomed` windows must go, while `kept` others are in use and will be wanted again. One
 * INVLPG each leaves the others cached; one write to CR3 is quick, and all have to be walked for;
 * CR4.PGE off and on throws the direct map's away as well.
 */
#define KEPT_WINDOWS 256u
#define FLUSHES 64u /* timed at once */

static volatile uint32_t *kept[KEPT_WINDOWS];

static void touch_kept(void)
{
    for (unsigned i = 0; i < KEPT_WINDOWS; i++)
        ++*kept[i];
}

static void touch_doomed(unsigned doomed)
{
    for (unsigned i = 0; i < doomed; i++)
        ++*(volatile uint32_t *)fix_to_virt(FIX_SCRATCH + i);
}

static void flush_each(unsigned doomed)
{
    for (unsigned i = 0; i < doomed; i++)
        tlb_flush_page(fix_to_virt(FIX_SCRATCH + i));
}

static void flush_all(unsigned doomed)
{
    (void)doomed;
    tlb_flush_all();
}

static void flush_global(unsigned doomed)
{
    (void)doomed;
    tlb_flush_global();
}

static void flush_nothing(unsigned doomed)
{
    (void)doomed;
}

static uint64_t time_flushes(void (*flush)(unsigned), unsigned doomed)
{
    uint64_t start = rdtsc();

    for (unsigned i = 0; i < FLUSHES; i++) {
        flush(doomed);
        touch_doomed(doomed);
        touch_kept();
    }
    return rdtsc() - start;
}

static void compare_flushes(struct bench *b, struct test *t, unsigned doomed)
{
    static void (*const ways[])(unsigned) = {flush_nothing, flush_each, flush_all, flush_global};
    static const char *const names[] = {NULL, "invlpg", "cr3", "pge"};
    uint64_t least[ARRAY_SIZE(ways)] = {0};

    for (unsigned round = 0; round <= rounds[b->depth]; round++) {
        for (unsigned i = 0; i < ARRAY_SIZE(ways); i++) {
            uint64_t counts = time_flushes(ways[i], doomed);

            /* The first round warms up. */
            least[i] = round <= 1 ? counts : MIN(least[i], counts);
        }
    }
    for (unsigned i = 1; i < ARRAY_SIZE(ways); i++) {
        char name[NAME_MAX];

        format(name, sizeof(name), "%s_%u_windows", names[i], doomed);
        say_ratio(t, name, "no_flush", least[i], least[0]);
    }
}

static void case_flushes(struct test *t)
{
    static const unsigned sizes[] = {1, 8, FIX_SCRATCH_SLOTS};
    struct bench *b = bench_open(t);

    if (!b)
        return;
    for (unsigned i = 0; i < KEPT_WINDOWS; i++)
        kept[i] = kmap(b->page[i]);
    for (unsigned i = 0; i < FIX_SCRATCH_SLOTS; i++)
        pte_set(&fixmap_ptes[FIX_SCRATCH + i], pte_make(page_to_phys(b->page[KEPT_WINDOWS + i]),
                                                        PTE_PRESENT | PTE_WRITE | layout.nx));
    for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++)
        compare_flushes(b, t, sizes[i]);
    for (unsigned i = 0; i < FIX_SCRATCH_SLOTS; i++)
        pte_clear(&fixmap_ptes[FIX_SCRATCH + i]);
    for (unsigned i = 0; i < KEPT_WINDOWS; i++)
        kunmap(b->page[i]);
    tlb_flush_all();
    bench_close();
}

static const struct test_case cases[] = {
    {"windows", case_windows},
    {"copies", case_copies},
    {"allocations", case_allocations},
    {"flushes", case_flushes},
};

SUITE(bench_ratio) = {
    .name = "bench_ratio",
    .about = "times alternatives against each other",
    .rank = SUITE_RANK_MEASURE,
    .cases = cases,
    .nr_cases = ARRAY_SIZE(cases),
    .abandon = bench_close,
};
