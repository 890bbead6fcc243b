/* SPDX-License-Identifier: BSD-2-Clause */
/* Rows of the bench: the page allocator, and what booting cost. */
#include "payload/memory.h"
#include "payload/setup.h"
#include "payload/tests/bench.h"

#define ALLOCATIONS 4096u
#define LIST_ORDER 2u  /* ALLOCATIONS pointers */
#define ORDER_ORDER 1u /* as many places */
#define POINTER_BYTES 4u

_Static_assert((PAGE_SIZE << LIST_ORDER) == ALLOCATIONS * POINTER_BYTES, "");
_Static_assert((PAGE_SIZE << ORDER_ORDER) == ALLOCATIONS * sizeof(uint16_t), "");

static struct {
    uint32_t free_before;
    struct page **list;
    uint16_t *order; /* in which the list is freed: its places, shuffled */
} memory;

static uint32_t free_lowmem(void)
{
    return nr_free_pages(ZONE_DMA) + nr_free_pages(ZONE_NORMAL);
}

static const char *prepare_noted(struct bench *b)
{
    (void)b;
    memory.free_before = free_lowmem();
    return NULL;
}

/* Allocator and rows agree on what is free; a double free would be a finding besides. */
static void check_free(struct bench *b, struct test *t)
{
    uint32_t now = free_lowmem();

    (void)b;
    TEST_CHECK(t, now == memory.free_before, "%u pages of lowmem are free, %u were before", now,
               memory.free_before);
}

static void run_alloc0(struct bench *b)
{
    (void)b;
    for (unsigned i = 0; i < ALLOCATIONS; i++)
        __free_pages(alloc_pages(GFP_KERNEL, 0), 0);
}

static void run_alloc1(struct bench *b)
{
    (void)b;
    for (unsigned i = 0; i < ALLOCATIONS; i++)
        __free_pages(alloc_pages(GFP_KERNEL, 1), 1);
}

static const char *prepare_list(struct bench *b)
{
    memory.list = __get_free_pages(GFP_KERNEL | __GFP_ZERO, LIST_ORDER);
    prepare_noted(b);
    if (!memory.list || memory.free_before < 2 * ALLOCATIONS)
        return "no 8192 pages of lowmem";
    return NULL;
}

static void finish_list(struct bench *b)
{
    (void)b;
    if (memory.list)
        free_pages(memory.list, LIST_ORDER);
    memory.list = NULL;
}

static void run_batch(struct bench *b)
{
    struct page **list = memory.list;

    (void)b;
    for (unsigned i = 0; i < ALLOCATIONS; i++)
        list[i] = alloc_pages(GFP_KERNEL, 0);
    for (unsigned i = 0; i < ALLOCATIONS; i++)
        __free_pages(list[i], 0);
}

static const char *prepare_random(struct bench *b)
{
    memory.order = __get_free_pages(GFP_KERNEL, ORDER_ORDER);
    if (!memory.order)
        return "no 2 pages of lowmem";
    for (unsigned i = 0; i < ALLOCATIONS; i++) {
        unsigned other = prng_below(&b->prng, i + 1);

        memory.order[i] = memory.order[other];
        memory.order[other] = (uint16_t)i;
    }
    return prepare_list(b);
}

static void finish_random(struct bench *b)
{
    finish_list(b);
    if (memory.order)
        free_pages(memory.order, ORDER_ORDER);
    memory.order = NULL;
}

/* As when the pages of many owners come back: hardly two neighbours one after the other. */
static void run_random(struct bench *b)
{
    const uint16_t *order = memory.order;
    struct page **list = memory.list;

    (void)b;
    for (unsigned i = 0; i < ALLOCATIONS; i++)
        list[i] = alloc_pages(GFP_KERNEL, 0);
    for (unsigned i = 0; i < ALLOCATIONS; i++)
        __free_pages(list[order[i]], 0);
}

static void check_batch(struct bench *b, struct test *t)
{
    check_free(b, t);
    for (unsigned i = 0; i < ALLOCATIONS; i++) {
        if (!TEST_CHECK(t, memory.list[i], "allocation %u of %u failed", i, ALLOCATIONS))
            return;
    }
}

TABLE_ENTRY(bench_row, struct bench_row) = {
    .name = "alloc0",
    .operations = ALLOCATIONS,
    .prepare = prepare_noted,
    .run = run_alloc0,
    .check = check_free,
};

TABLE_ENTRY(bench_row, struct bench_row) = {
    .name = "alloc1",
    .operations = ALLOCATIONS,
    .prepare = prepare_noted,
    .run = run_alloc1,
    .check = check_free,
};

TABLE_ENTRY(bench_row, struct bench_row) = {
    .name = "alloc0_batch",
    .operations = ALLOCATIONS,
    .prepare = prepare_list,
    .run = run_batch,
    .check = check_batch,
    .finish = finish_list,
};

TABLE_ENTRY(bench_row, struct bench_row) = {
    .name = "alloc0_random",
    .operations = ALLOCATIONS,
    .prepare = prepare_random,
    .run = run_random,
    .check = check_batch,
    .finish = finish_random,
};

static void recall_memory_init(struct bench_cost *cost)
{
    memory_init_cost(&cost->counts, &cost->operations);
}

static void recall_first_line(struct bench_cost *cost)
{
    cost->counts = setup.first_line_tsc;
    cost->operations = 1;
}

TABLE_ENTRY(bench_row, struct bench_row) = {
    .name = "memory_init_per_page",
    .recall = recall_memory_init,
};

TABLE_ENTRY(bench_row, struct bench_row) = {
    .name = "boot_first_line",
    .recall = recall_first_line,
};
