/* SPDX-License-Identifier: BSD-2-Clause */
#include "paging/page_alloc.h"
#include "payload/tests/dma_misuse.h"
#include "payload/thread.h"

/* A pool is filled with the largest first, and then with ever smaller ones. */
#define FULL_FIRST_BYTES KIB(64)
#define FULL_LAST_BYTES PAGE_SIZE /* a slot */
#define FULL_AREA_ORDER 5u        /* the smallest area that a pool grows by */
/* Mappings that it can take: all slots of both pools, one each, and more. */
#define FULL_MAX 2560u
#define FULL_PIECE_BYTES 64u /* of the mappings that fill the table */
#define FULL_MAX_PIECES (DMA_ARENA_BYTES / FULL_PIECE_BYTES)

/* The device whose mappings they are, with the limits of the one under test. */
static struct device full;

static uint32_t pools_used(void)
{
    struct bounce_pool_info pool;
    uint32_t used = 0;

    for (unsigned i = 0; bounce_pool_info(i, &pool); i++)
        used += pool.used_bytes;
    return used;
}

static uint32_t pools_in_reach(const struct device *dev)
{
    struct bounce_pool_info pool;
    uint32_t size = 0;

    for (unsigned i = 0; bounce_pool_info(i, &pool); i++) {
        if (pool.end - 1 <= dev->dma_mask)
            size += pool.size_bytes;
    }
    return size;
}

/*
 * With room for one mapping, of `bytes` at the arena's start, a list of two must fail as a whole:
 * what it had mapped by then is ended. The room is there after it.
 */
static void check_list_rolls_back(struct test *t, const struct dma_arena *arena, uint32_t bytes)
{
    uint32_t used = pools_used(), live = dma_live_mappings(&full);
    struct dma_counters was = full.counters;
    struct scatterlist list[] = {
        {.page = arena->page, .offset = 0, .length = bytes},
        {.page = arena->page, .offset = FULL_LAST_BYTES, .length = bytes},
    };
    unsigned mapped = dma_map_sg(&full, list, ARRAY_SIZE(list), DMA_TO_DEVICE);

    if (!TEST_CHECK(t, mapped == 0, "%u entries of a list mapped with room for one", mapped))
        dma_unmap_sg(&full, list, mapped, DMA_TO_DEVICE);
    TEST_CHECK(t, dma_live_mappings(&full) == live && pools_used() == used,
               "a list that failed left %u mappings and %u bytes of the pools",
               dma_live_mappings(&full) - live, pools_used() - used);
    TEST_CHECK(t,
               full.counters.direct + full.counters.bounced == was.direct + was.bounced + 1 &&
                   full.counters.unmaps == was.unmaps + 1 && full.counters.errors == was.errors + 1,
               "a list that failed counts %u maps, %u unmaps, %u errors, not 1 each",
               full.counters.direct + full.counters.bounced - was.direct - was.bounced,
               full.counters.unmaps - was.unmaps, full.counters.errors - was.errors);
}

/* Peaks are no lower than what is in use, and a full pool has grown if there was memory for it. */
static void check_grown(struct test *t)
{
    struct bounce_pool_info pool;

    for (unsigned i = 0; bounce_pool_info(i, &pool); i++) {
        struct page *page;

        TEST_CHECK(t, pool.peak_bytes >= pool.used_bytes && pool.used_bytes <= pool.size_bytes,
                   "pool %u: %u bytes used of %u, at most %u", i, pool.used_bytes, pool.size_bytes,
                   pool.peak_bytes);
        if (pool.used_bytes < pool.size_bytes || pool.size_bytes >= pool.limit_bytes)
            continue;
        page = alloc_pages_in(FULL_AREA_ORDER, phys_make(i ? MIB64(16) : MIB64(1)),
                              dma_to_phys(full.dma_mask) + 1);
        TEST_CHECK(t, !page || pool.areas > 1, "pool %u is full with %u bytes and did not grow", i,
                   pool.size_bytes);
        if (page)
            __free_pages(page, FULL_AREA_ORDER);
    }
}

struct sleeper {
    struct page *page;
    dma_addr_t addr;
    bool done;
};

static void thread_map(void *arg)
{
    struct sleeper *s = arg;

    s->addr = dma_map_page_attrs(&full, s->page, 0, PAGE_SIZE, DMA_TO_DEVICE, DMA_ATTR_MAY_SLEEP);
    s->done = true;
}

/* With no slot free, a thread that may sleep waits for the one at `addr`. */
static void check_sleep(struct test *t, struct page *page, dma_addr_t addr, uint32_t size)
{
    struct sleeper s = {.page = page, .addr = DMA_MAPPING_ERROR};
    struct thread *thread;

    thread_map(&s);
    if (!TEST_CHECK(t, dma_mapping_error(&full, s.addr),
                    "a mapping waited for nobody, and got 0x%llx", addr_number(s.addr))) {
        dma_unmap_page(&full, s.addr, PAGE_SIZE, DMA_TO_DEVICE);
        dma_unmap_page(&full, addr, size, DMA_TO_DEVICE);
        return;
    }
    s.done = false;
    if (threads_start(0) != 0)
        return;
    thread = thread_create("sleeper", thread_map, &s);
    if (!thread) {
        test_error(t, "no memory for a thread");
    } else {
        thread_yield();
        TEST_CHECK(t, !s.done, "a mapping that should sleep for slots has come to 0x%llx",
                   addr_number(s.addr));
        dma_unmap_page(&full, addr, size, DMA_TO_DEVICE);
        TEST_CHECK(t, thread_join(thread), "a mapping sleeps for ever with slots free");
        TEST_CHECK(t, s.done && !dma_mapping_error(&full, s.addr), "slots came free for nobody");
        if (s.done && !dma_mapping_error(&full, s.addr))
            dma_unmap_page(&full, s.addr, PAGE_SIZE, DMA_TO_DEVICE);
    }
    threads_stop();
}

/* All slots of the pools, from an arena that the device can't reach. */
static void fill_pools(struct test *t, const struct dma_arena *arena)
{
    static dma_addr_t addr[FULL_MAX];
    static uint32_t size[FULL_MAX];
    uint32_t used_before = pools_used();
    uint32_t limit = full.max_segment_bytes ? full.max_segment_bytes : FULL_FIRST_BYTES;
    uint32_t bytes = FULL_FIRST_BYTES;
    struct dma_counters was = full.counters;
    unsigned count = 0, failures = 0;

    while (bytes > limit)
        bytes /= 2;
    while (bytes >= FULL_LAST_BYTES && count < FULL_MAX) {
        /* One slot first, so that the last ones have no place but single slots. */
        size[count] = count == 0 ? FULL_LAST_BYTES : bytes;
        addr[count] = dma_map_page(&full, arena->page, 0, size[count], DMA_TO_DEVICE);
        if (!dma_mapping_error(&full, addr[count])) {
            count++;
        } else {
            failures++;
            bytes /= 2;
        }
    }
    TEST_CHECK(t, count > 0 && count < FULL_MAX, "%u mappings, and the pools are not full", count);
    TEST_CHECK(t, pools_used() == pools_in_reach(&full),
               "no slot to be had with %u of %u bytes in use", pools_used(), pools_in_reach(&full));
    TEST_CHECK(t,
               full.counters.errors == was.errors + failures &&
                   full.counters.bounced == was.bounced + count &&
                   dma_live_mappings(&full) == count,
               "%u mappings, %u failures: counted %u bounced, %u errors, %u live", count, failures,
               full.counters.bounced - was.bounced, full.counters.errors - was.errors,
               dma_live_mappings(&full));
    check_grown(t);
    if (count > 0) {
        count--;
        check_sleep(t, arena->page, addr[count], size[count]);
        if (size[count] == FULL_LAST_BYTES)
            check_list_rolls_back(t, arena, FULL_LAST_BYTES);
    }
    while (count-- > 0)
        dma_unmap_page(&full, addr[count], size[count], DMA_TO_DEVICE);
    TEST_CHECK(t, pools_used() == used_before, "%u bytes of the pools in use after all was ended",
               pools_used());
}

/* All entries of the table, from an arena that the device reaches. */
static void fill_table(struct test *t, const struct dma_arena *arena)
{
    struct dma_counters was = full.counters;
    uint32_t count = 0;

    while (count < FULL_MAX_PIECES &&
           !dma_mapping_error(&full, dma_map_page(&full, arena->page, count * FULL_PIECE_BYTES,
                                                  FULL_PIECE_BYTES, DMA_TO_DEVICE)))
        count++;
    TEST_CHECK(t, count > 1 && count < FULL_MAX_PIECES,
               "the table of mappings is not full with %u of them", count);
    TEST_CHECK(t,
               full.counters.direct == was.direct + count &&
                   full.counters.errors == was.errors + 1 && dma_live_mappings(&full) == count,
               "%u mappings fill the table: counted %u direct, %u errors, %u live", count,
               full.counters.direct - was.direct, full.counters.errors - was.errors,
               dma_live_mappings(&full));
    while (count-- > 0) {
        dma_unmap_page(&full, phys_to_dma(arena->phys) + (uint64_t)count * FULL_PIECE_BYTES,
                       FULL_PIECE_BYTES, DMA_TO_DEVICE);
        if (dma_live_mappings(&full) == count && full.counters.unmaps == was.unmaps + 1)
            check_list_rolls_back(t, arena, FULL_PIECE_BYTES);
    }
    TEST_CHECK(t, dma_live_mappings(&full) == 0, "%u mappings left", dma_live_mappings(&full));
}

/* In the table with no entry left a bounced mapping must give its slots back. */
static void bounce_with_full_table(struct test *t, const struct dma_arena *direct,
                                   const struct dma_arena *bounced)
{
    uint32_t used = pools_used(), count = 0;
    dma_addr_t addr;

    while (count < FULL_MAX_PIECES &&
           !dma_mapping_error(&full, dma_map_page(&full, direct->page, count * FULL_PIECE_BYTES,
                                                  FULL_PIECE_BYTES, DMA_TO_DEVICE)))
        count++;
    addr = dma_map_page(&full, bounced->page, 0, FULL_PIECE_BYTES, DMA_TO_DEVICE);
    TEST_CHECK(t, dma_mapping_error(&full, addr) && pools_used() == used,
               "mapping 0x%llx with a full table gave 0x%llx, and took %u bytes of the pools",
               addr_number(bounced->phys), addr_number(addr), pools_used() - used);
    if (!dma_mapping_error(&full, addr))
        dma_unmap_page(&full, addr, FULL_PIECE_BYTES, DMA_TO_DEVICE);
    while (count-- > 0)
        dma_unmap_page(&full, phys_to_dma(direct->phys) + (uint64_t)count * FULL_PIECE_BYTES,
                       FULL_PIECE_BYTES, DMA_TO_DEVICE);
}

void dma_check_full(struct test *t, const struct device *like, const struct dma_arena *arenas)
{
    const struct dma_arena *direct = NULL, *bounced = NULL;

    full = dma_device_like("full", like);
    for (unsigned i = 0; i < DMA_NR_ARENAS; i++) {
        if (!arenas[i].page)
            continue;
        if (phys_to_dma(arenas[i].phys) + DMA_ARENA_BYTES - 1 <= full.dma_mask)
            direct = &arenas[i];
        else if (phys_to_dma(arenas[i].phys) > full.dma_mask)
            bounced = &arenas[i];
    }
    if (bounced)
        fill_pools(t, bounced);
    if (direct)
        fill_table(t, direct);
    if (direct && bounced)
        bounce_with_full_table(t, direct, bounced);
    TEST_CHECK(t, full.counters.findings == 0, "%u findings with nothing broken",
               full.counters.findings);
}
