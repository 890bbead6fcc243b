/* SPDX-License-Identifier: BSD-2-Clause */
#include "payload/tests/lowmem_spent.h"
#include "drivers/clock.h"
#include "lib/string.h"
#include "paging/fragmentation.h"

#define PARTS_SHIFT 4u
#define NR_BUCKETS ((32u - PARTS_SHIFT + 1u) * SPENT_PARTS)

_Static_assert(SPENT_PARTS == 1u << PARTS_SHIFT, "parts are a power of two");

static struct distribution {
    uint32_t bucket[NR_BUCKETS];
    uint32_t count, max;
} spent_by_order[NR_SPENT][NR_ORDERS];

static uint64_t empty_counts;

void spent_begin(uint64_t empty)
{
    memset(spent_by_order, 0, sizeof(spent_by_order));
    empty_counts = empty;
}

/* The first SPENT_PARTS values have a bucket each, then each power of two has as many. */
static unsigned bucket_of(uint32_t value)
{
    unsigned shift;

    if (value < SPENT_PARTS)
        return value;
    shift = 31u - (unsigned)__builtin_clz(value) - PARTS_SHIFT;
    return (shift + 1) * SPENT_PARTS + ((value >> shift) & (SPENT_PARTS - 1));
}

/* The largest value that falls into it. */
static uint32_t bucket_last(unsigned bucket)
{
    unsigned shift;

    if (bucket < SPENT_PARTS)
        return bucket;
    shift = bucket / SPENT_PARTS - 1;
    return (uint32_t)(((uint64_t)(SPENT_PARTS + bucket % SPENT_PARTS + 1) << shift) - 1);
}

void spent_add(enum spent_what what, unsigned order, uint64_t counts)
{
    struct distribution *of_order;
    uint32_t value =
        (uint32_t)MIN(counts > empty_counts ? counts - empty_counts : 0, (uint64_t)UINT32_MAX);

    if (order >= NR_ORDERS)
        return;
    of_order = &spent_by_order[what][order];
    of_order->bucket[bucket_of(value)]++;
    of_order->count++;
    of_order->max = MAX(of_order->max, value);
}

static uint32_t percentile(const struct distribution *of_order, unsigned percent)
{
    uint32_t wanted = (uint32_t)(((uint64_t)of_order->count * percent + 99) / 100);
    uint32_t seen = 0;

    for (unsigned bucket = 0; bucket < NR_BUCKETS; bucket++) {
        seen += of_order->bucket[bucket];
        if (seen >= wanted)
            return MIN(bucket_last(bucket), of_order->max);
    }
    return of_order->max;
}

bool spent_get(enum spent_what what, unsigned order, struct spent *spent)
{
    const struct distribution *of_order = &spent_by_order[what][MIN(order, MAX_ORDER)];

    if (order >= NR_ORDERS || of_order->count == 0)
        return false;
    *spent = (struct spent){
        .count = of_order->count,
        .p50 = percentile(of_order, 50),
        .p90 = percentile(of_order, 90),
        .p99 = percentile(of_order, 99),
        .max = of_order->max,
    };
    return true;
}

const char *spent_unit(void)
{
    return clock_tsc_counts_instructions() ? "instructions" : "cycles";
}
