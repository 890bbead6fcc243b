/* SPDX-License-Identifier: BSD-2-Clause */
#include "payload/tests/lowmem_samples.h"
#include "drivers/clock.h"
#include "lib/format.h"
#include "lib/string.h"
#include "lib/x86/cpu.h"

#define KEPT_MAX 64u
#define WRITE_EVERY_S 10u   /* or what a hang or reset leaves of a run would have no curves */
#define FIRST_PART 1024u    /* of a second */
#define SAMPLES_A_STEP 8u   /* then half as often */
#define COUNTS_TEXT_MAX 100 /* "FREE N0 ... N10" */

struct sample {
    uint32_t ms;
    uint64_t done;
    uint32_t free[MAX_NR_ZONES];
    struct buddy_counts counts[MAX_NR_ZONES];
};

uint64_t samples_due_tsc;

static struct sample kept[KEPT_MAX];
static unsigned nr_kept;
static uint64_t start_tsc, paused_tsc, cost_tsc, end_tsc, written_tsc;
static unsigned taken, part; /* a sample every 1/part seconds */

static uint32_t ms_since_start(uint64_t tsc)
{
    return (uint32_t)((tsc - start_tsc - paused_tsc) * 1000 / clock_tsc_hz());
}

static void write_zone(const struct lab *lab, const struct sample *sample, unsigned z)
{
    char text[COUNTS_TEXT_MAX];
    int at = format(text, sizeof(text), "%u", sample->free[z]);

    for (unsigned order = 0; order < NR_ORDERS && at > 0 && at < COUNTS_TEXT_MAX; order++)
        at += format(text + at, sizeof(text) - (size_t)at, " %u", sample->counts[z].nr_free[order]);
    test_record(lab->t, "lab sample %u %llu %s %s", sample->ms, (unsigned long long)sample->done,
                zone_get((enum zone_type)z)->name, text);
}

/* Both neighbours say the same: the line from one to the other runs through it. */
static bool says_nothing(unsigned i, unsigned z)
{
    if (i == 0 || i + 1 == nr_kept)
        return false;
    for (unsigned near = i - 1; near <= i + 1; near += 2)
        if (kept[near].free[z] != kept[i].free[z] ||
            memcmp(&kept[near].counts[z], &kept[i].counts[z], sizeof(kept[i].counts[z])) != 0)
            return false;
    return true;
}

static void write_kept(const struct lab *lab)
{
    uint64_t start = rdtsc();

    for (unsigned i = 0; i < nr_kept; i++)
        for (unsigned z = 0; z < MAX_NR_ZONES; z++)
            if (zone_get((enum zone_type)z)->present_pages && !says_nothing(i, z))
                write_zone(lab, &kept[i], z);
    nr_kept = 0;
    written_tsc = rdtsc();
    paused_tsc += written_tsc - start;
}

void samples_take(const struct lab *lab)
{
    uint64_t start = rdtsc();
    struct sample *sample = &kept[nr_kept++];

    sample->ms = ms_since_start(start);
    sample->done = lab->done;
    for (unsigned z = 0; z < MAX_NR_ZONES; z++) {
        sample->free[z] = nr_free_pages((enum zone_type)z);
        zone_buddy_counts(zone_get((enum zone_type)z), &sample->counts[z]);
    }
    if (++taken % SAMPLES_A_STEP == 0 && part > 1)
        part /= 2;
    cost_tsc += rdtsc() - start;
    if (nr_kept == KEPT_MAX || start - written_tsc >= WRITE_EVERY_S * clock_tsc_hz())
        write_kept(lab);
    samples_due_tsc = rdtsc() + clock_tsc_hz() / part;
}

void samples_begin(const struct lab *lab)
{
    nr_kept = taken = 0;
    part = FIRST_PART;
    paused_tsc = cost_tsc = 0;
    start_tsc = written_tsc = rdtsc();
    samples_take(lab);
}

void samples_end(const struct lab *lab)
{
    samples_take(lab);
    end_tsc = rdtsc() - paused_tsc;
    write_kept(lab);
}

uint32_t samples_run_ms(void)
{
    return (uint32_t)((end_tsc - start_tsc) * 1000 / clock_tsc_hz());
}

uint32_t samples_cost_permille(void)
{
    return (uint32_t)(cost_tsc * 1000 / MAX(end_tsc - start_tsc, UINT64_C(1)));
}
