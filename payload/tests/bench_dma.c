/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rows of the bench: mapping for DMA and unmapping, with a device of 32 address bits that is not
 * there; tracking is on, as it always is.
 */
#include "lib/string.h"
#include "paging/highmem.h"
#include "payload/tests/bench.h"

#define SMALL_BYTES 512u

static const char *prepare_far(struct bench *b)
{
    return b->is_far ? NULL : "no memory above 4 GiB";
}

/* By here the compiler knows no more of the address than a driver that has given it to its device.
 */
#define GIVE_TO_DEVICE(addr) __asm__ volatile("" : "+A"(addr))

static void map_and_unmap(struct bench *b, uint32_t bytes, enum dma_data_direction dir)
{
    for (unsigned i = 0; i < BENCH_PAGES; i++) {
        dma_addr_t addr = dma_map_page(&b->dev, b->page[i], 0, bytes, dir);

        GIVE_TO_DEVICE(addr);
        dma_unmap_page(&b->dev, addr, bytes, dir);
    }
}

static void run_direct(struct bench *b)
{
    for (unsigned i = 0; i < BENCH_PAGES; i++) {
        dma_addr_t addr = dma_map_page(&b->dev, b->low, 0, PAGE_SIZE, DMA_TO_DEVICE);

        GIVE_TO_DEVICE(addr);
        dma_unmap_page(&b->dev, addr, PAGE_SIZE, DMA_TO_DEVICE);
    }
}

static void run_to_4k(struct bench *b)
{
    map_and_unmap(b, PAGE_SIZE, DMA_TO_DEVICE);
}

/* What the device does, and is not counted: it writes all of the page. */
static void deliver(phys_addr_t phys)
{
    memset(phys_to_virt(phys), 0, PAGE_SIZE);
}

static void run_from_4k(struct bench *b)
{
    for (unsigned i = 0; i < BENCH_PAGES; i++) {
        dma_addr_t addr = dma_map_page(&b->dev, b->page[i], 0, PAGE_SIZE, DMA_FROM_DEVICE);

        GIVE_TO_DEVICE(addr);
        deliver(dma_to_phys(addr));
        dma_unmap_page(&b->dev, addr, PAGE_SIZE, DMA_FROM_DEVICE);
    }
}

static void run_deliver_only(struct bench *b)
{
    phys_addr_t phys = page_to_phys(b->low);

    for (unsigned i = 0; i < BENCH_PAGES; i++) {
        GIVE_TO_DEVICE(phys);
        deliver(phys);
    }
}

static void run_to_512(struct bench *b)
{
    map_and_unmap(b, SMALL_BYTES, DMA_TO_DEVICE);
}

static void check_counters(struct bench *b, struct test *t, uint32_t direct, uint32_t bounced)
{
    const struct dma_counters *found = &b->dev.counters;

    TEST_CHECK(t, found->direct == direct && found->bounced == bounced,
               "%u mappings direct and %u bounced, %u and %u wanted", found->direct, found->bounced,
               direct, bounced);
    TEST_CHECK(t, found->unmaps == direct + bounced && found->errors == 0, "%u unmapped, %u errors",
               found->unmaps, found->errors);
}

static void check_direct(struct bench *b, struct test *t)
{
    check_counters(b, t, b->runs * b->operations, 0);
}

static void check_bounced(struct bench *b, struct test *t)
{
    check_counters(b, t, 0, b->runs * b->operations);
}

TABLE_ENTRY(bench_row, struct bench_row) = {
    .name = "dma_direct",
    .operations = BENCH_PAGES,
    .run = run_direct,
    .check = check_direct,
};

TABLE_ENTRY(bench_row, struct bench_row) = {
    .name = "dma_bounce_to_4k",
    .operations = BENCH_PAGES,
    .prepare = prepare_far,
    .run = run_to_4k,
    .check = check_bounced,
};

TABLE_ENTRY(bench_row, struct bench_row) = {
    .name = "dma_bounce_from_4k",
    .operations = BENCH_PAGES,
    .prepare = prepare_far,
    .run = run_from_4k,
    .without = run_deliver_only,
    .check = check_bounced,
};

TABLE_ENTRY(bench_row, struct bench_row) = {
    .name = "dma_bounce_to_512",
    .operations = BENCH_PAGES,
    .prepare = prepare_far,
    .run = run_to_512,
    .check = check_bounced,
};
