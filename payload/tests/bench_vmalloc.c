/* SPDX-License-Identifier: BSD-2-Clause */
/* A row of the bench: areas of vmalloc(), one after the other, as large as a thread's stack. */
#include "paging/vmalloc.h"
#include "payload/tests/bench.h"

#define AREA_BYTES (2 * PAGE_SIZE)
#define AREAS 1024u /* in a run */

static uint32_t areas_touched;

static const char *prepare_areas(struct bench *b)
{
    (void)b;
    areas_touched = 0;
    return NULL;
}

/* One area after the other: the hand goes round the region. */
static void run_vmalloc(struct bench *b)
{
    (void)b;
    for (unsigned i = 0; i < AREAS; i++) {
        volatile uint32_t *area = vmalloc(AREA_BYTES);

        area[0] = i;
        area[AREA_BYTES / sizeof(*area) - 1] = i;
        areas_touched += area[0] == i;
        vfree((const void *)area);
    }
}

static void check_areas(struct bench *b, struct test *t)
{
    uint32_t wanted = b->runs * AREAS;

    TEST_CHECK(t, areas_touched == wanted, "%u areas were used, %u wanted", areas_touched, wanted);
}

TABLE_ENTRY(bench_row, struct bench_row) = {
    .name = "vmalloc_8k",
    .operations = AREAS,
    .prepare = prepare_areas,
    .run = run_vmalloc,
    .check = check_areas,
};
