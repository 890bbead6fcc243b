/* SPDX-License-Identifier: BSD-2-Clause */
/* Rows of the bench: objects of 64 bytes, one by one and thousands at a time. */
#include "paging/slab.h"
#include "payload/tests/bench.h"

#define OBJECT_BYTES 64u
#define PAIRS 4096u
#define LIST_BYTES (PAIRS * 4u)

/*
 * Every object is written and read back; so the sum is right only if each pair got one and, where
 * many are out at once, no two got the same.
 */
static struct {
    volatile uint32_t **list;
    uint32_t free_before; /* pages of lowmem */
    uint32_t sum;
} made;

static uint32_t free_lowmem(void)
{
    return nr_free_pages(ZONE_DMA) + nr_free_pages(ZONE_NORMAL);
}

static const char *prepare_pairs(struct bench *b)
{
    (void)b;
    made.sum = 0;
    slab_shrink_all();
    made.free_before = free_lowmem();
    return NULL;
}

static void run_kmalloc64(struct bench *b)
{
    uint32_t sum = made.sum;

    (void)b;
    for (uint32_t i = 0; i < PAIRS; i++) {
        volatile uint32_t *object = kmalloc(OBJECT_BYTES, GFP_KERNEL);

        *object = i;
        sum += *object;
        kfree((const void *)object);
    }
    made.sum = sum;
}

static const char *prepare_list(struct bench *b)
{
    made.list = kmalloc(LIST_BYTES, GFP_KERNEL);
    if (!made.list)
        return "no lowmem for the list of objects";
    return prepare_pairs(b);
}

static void finish_list(struct bench *b)
{
    (void)b;
    kfree(made.list);
    made.list = NULL;
}

static void run_kmalloc64_batch(struct bench *b)
{
    volatile uint32_t **list = made.list;
    uint32_t sum = made.sum;

    (void)b;
    for (uint32_t i = 0; i < PAIRS; i++) {
        list[i] = kmalloc(OBJECT_BYTES, GFP_KERNEL);
        *list[i] = i;
    }
    for (uint32_t i = 0; i < PAIRS; i++) {
        sum += *list[i];
        kfree((const void *)list[i]);
    }
    made.sum = sum;
}

static void check_pairs(struct bench *b, struct test *t)
{
    uint32_t wanted = b->runs * (PAIRS * (PAIRS - 1) / 2), now;

    TEST_CHECK(t, made.sum == wanted, "the objects' sum is 0x%x, 0x%x wanted", made.sum, wanted);
    slab_shrink_all();
    now = free_lowmem();
    TEST_CHECK(t, now == made.free_before, "%u pages of lowmem are free, %u were before", now,
               made.free_before);
}

TABLE_ENTRY(bench_row, struct bench_row) = {
    .name = "kmalloc64",
    .operations = PAIRS,
    .prepare = prepare_pairs,
    .run = run_kmalloc64,
    .check = check_pairs,
};

TABLE_ENTRY(bench_row, struct bench_row) = {
    .name = "kmalloc64_batch",
    .operations = PAIRS,
    .prepare = prepare_list,
    .run = run_kmalloc64_batch,
    .check = check_pairs,
    .finish = finish_list,
};
