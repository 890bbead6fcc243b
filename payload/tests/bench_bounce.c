/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rows of the bench: a run of bounce slots, found and given back in pools that are empty, and as
 * large and as fragmented as they can be. Nothing is copied, and the tracking is taken off.
 */
#include "paging/highmem.h"
#include "payload/tests/bench.h"

#define RUN_SLOTS 16u
#define RUN_BYTES (RUN_SLOTS * PAGE_SIZE)
#define RUN_BLOCKS (BENCH_PAGES / RUN_SLOTS)
#define MAX_SLOTS 2560u /* more than all pools have */
#define TO_DEVICE DMA_TO_DEVICE, DMA_ATTR_SKIP_CPU_SYNC

/* Who has the other slots. */
static struct {
    struct device dev;
    dma_addr_t addr[MAX_SLOTS];
    unsigned count;
} filler;

static uint32_t slot_of(unsigned i)
{
    return (uint32_t)(addr_number(filler.addr[i]) >> PAGE_SHIFT);
}

static void give_back(unsigned i)
{
    dma_unmap_page_attrs(&filler.dev, filler.addr[i], PAGE_SIZE, TO_DEVICE);
    filler.addr[i] = DMA_MAPPING_ERROR;
}

/* Takes all slots, one by one. What lacks, or NULL. */
static const char *fill(struct bench *b)
{
    filler.dev = (struct device){.name = "filler", .dma_mask = b->dev.dma_mask};
    for (filler.count = 0; filler.count < MAX_SLOTS; filler.count++) {
        dma_addr_t addr =
            dma_map_page_attrs(&filler.dev, b->page[filler.count], 0, PAGE_SIZE, TO_DEVICE);

        filler.addr[filler.count] = addr;
        if (dma_mapping_error(&filler.dev, addr))
            return NULL;
    }
    return "the pools do not become full";
}

/* Every second slot comes free: half of the pools, and no run anywhere. */
static const char *prepare_full(struct bench *b)
{
    const char *lacks = b->is_far ? fill(b) : "no memory above 4 GiB";

    for (unsigned i = 0; i < filler.count && !lacks; i++) {
        if (slot_of(i) % 2)
            give_back(i);
    }
    return lacks;
}

/* And the last run of all does. */
static const char *prepare_worst(struct bench *b)
{
    const char *lacks = prepare_full(b);
    uint32_t last = 0;

    for (unsigned i = 0; i < filler.count && !lacks; i++) {
        if (!dma_mapping_error(&filler.dev, filler.addr[i]))
            last = MAX(last, slot_of(i) / RUN_SLOTS);
    }
    for (unsigned i = 0; i < filler.count && !lacks; i++) {
        if (!dma_mapping_error(&filler.dev, filler.addr[i]) && slot_of(i) / RUN_SLOTS == last)
            give_back(i);
    }
    return lacks;
}

static const char *prepare_empty(struct bench *b)
{
    return b->is_far ? NULL : "no memory above 4 GiB";
}

static void finish_fill(struct bench *b)
{
    while (filler.count > 0) {
        filler.count--;
        if (!dma_mapping_error(&filler.dev, filler.addr[filler.count]))
            give_back(filler.count);
    }
}

static void map_and_unmap(struct bench *b, struct device *dev)
{
    for (unsigned i = 0; i < RUN_BLOCKS; i++) {
        struct page *page = b->page[i * RUN_SLOTS];
        dma_addr_t addr = dma_map_page_attrs(dev, page, 0, RUN_BYTES, TO_DEVICE);

        if (!dma_mapping_error(dev, addr))
            dma_unmap_page_attrs(dev, addr, RUN_BYTES, TO_DEVICE);
    }
}

static void run_runs(struct bench *b)
{
    map_and_unmap(b, &b->dev);
}

/* The mappings without their slots: of a device that needs none. */
static void run_direct_runs(struct bench *b)
{
    struct device dev = {.name = "direct", .dma_mask = DMA_BIT_MASK(64)};

    map_and_unmap(b, &dev);
}

static void check_runs(struct bench *b, struct test *t, uint32_t bounced, uint32_t errors)
{
    const struct dma_counters *found = &b->dev.counters;

    TEST_CHECK(t,
               found->bounced == bounced && found->unmaps == bounced && found->errors == errors &&
                   found->direct == 0,
               "%u runs taken, %u given back, %u refused, %u direct, not %u, %u, %u and 0",
               found->bounced, found->unmaps, found->errors, found->direct, bounced, bounced,
               errors);
}

static void check_taken(struct bench *b, struct test *t)
{
    check_runs(b, t, b->runs * b->operations, 0);
}

static void check_refused(struct bench *b, struct test *t)
{
    check_runs(b, t, 0, b->runs * b->operations);
}

TABLE_ENTRY(bench_row, struct bench_row) = {
    .name = "dma_bounce_run",
    .operations = RUN_BLOCKS,
    .prepare = prepare_empty,
    .run = run_runs,
    .without = run_direct_runs,
    .check = check_taken,
};

TABLE_ENTRY(bench_row, struct bench_row) = {
    .name = "dma_bounce_run_worst",
    .operations = RUN_BLOCKS,
    .prepare = prepare_worst,
    .run = run_runs,
    .without = run_direct_runs,
    .check = check_taken,
    .finish = finish_fill,
};

TABLE_ENTRY(bench_row, struct bench_row) = {
    .name = "dma_bounce_run_full",
    .operations = RUN_BLOCKS,
    .prepare = prepare_full,
    .run = run_runs,
    .check = check_refused,
    .finish = finish_fill,
};
