/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lowmem_dmazone: no memory for the sound card, with all of it far away from being used up.
 *
 * ISA DMA reaches the first 16 MiB, and a buffer must not cross a 64 KiB boundary. Nobody else
 * needs that memory; but an allocation that finds ZONE_NORMAL full falls back to ZONE_DMA, and a
 * kernel's caches fill whatever there is. After that the floppy driver gets no buffer any more,
 * which is why Linux 2.4 was given a reserve per zone.
 *
 * A step is one ISA buffer of 4 to 64 KiB (floppy, sound, SCSI) and its release some steps later,
 * beside a cache of kernel pages that grows by a few, and gives some up when there are none. It is
 * wedged when a buffer can't be had.
 *
 * size=dmazone:N is how many buffers are held at a time, 8 unless told otherwise, up to 64.
 *
 * Why a remedy can break: watermarks must leave ZONE_DMA its reserve however long the cache presses
 * on, in pieces large enough; the pool must get its buffers back. A buffer that lies elsewhere, or
 * that another wrote to, fails the case with its physical address.
 */
#include "lib/inject.h"
#include "paging/layout.h"
#include "payload/tests/lowmem_lab.h"

#define BUFFERS_HELD 8u /* without size= */
#define BUFFERS_MOST 64u
#define BUFFER_ORDER_MAX 4u
#define CACHE_PAGES_A_STEP 4u
#define CACHE_GIVES_UP 64u /* pages when there are no more */
#define RESERVE_PAGES 64u  /* for each buffer held: four times what it has at most */
#define NORMAL_LEAST 256u
#define ISA_BOUNDARY 0x10000u

struct buffer {
    struct page *page;
    unsigned order;
    bool of_pool;
    uint32_t serial; /* no other buffer held has it */
};

static struct state {
    struct buffer held[BUFFERS_MOST]; /* a ring: the oldest goes first */
    unsigned nr_held;                 /* places in it that are used */
    struct page *pool[BUFFERS_MOST];  /* those that are not held */
    unsigned nr_pool;
    pfn_t *cache; /* the frames of its pages */
    uint32_t nr_cache, max_cache;
} state;

static struct page_owner isa_owner = {.name = "isa_buffers", .letter = 'i'};
static struct page_owner cache_owner = {.name = "kernel_cache", .letter = 'c'};

/* How often devices want which size: 2^i pages. */
static const uint8_t weight[BUFFER_ORDER_MAX + 1] = {40, 20, 15, 10, 15};

static unsigned draw_order(struct prng *prng)
{
    unsigned total = 0, draw;

    for (unsigned order = 0; order <= BUFFER_ORDER_MAX; order++)
        total += weight[order];
    draw = prng_below(prng, total);
    for (unsigned order = 0; order < BUFFER_ORDER_MAX; order++) {
        if (draw < weight[order])
            return order;
        draw -= weight[order];
    }
    return BUFFER_ORDER_MAX;
}

static const char *dmazone_begin(struct lab *lab)
{
    state = (struct state){
        .nr_held = lab->size ? (unsigned)MIN(lab->size, BUFFERS_MOST) : BUFFERS_HELD,
        .max_cache = nr_free_pages(ZONE_DMA) + nr_free_pages(ZONE_NORMAL),
    };
    state.cache = lab_table(lab, (uint64_t)state.max_cache * sizeof(*state.cache));
    if (!state.cache)
        return "there is no memory for a table of pages";
    if (page_owner_register(&isa_owner) != 0 || page_owner_register(&cache_owner) != 0)
        return "all owner ids are taken";
    return NULL;
}

/* The largest buffers, for whatever size is wanted. */
static const char *dmazone_start(struct lab *lab)
{
    if (!lab_has(lab, LAB_POOL) || inject(lab_pool_empty, lowmem_dmazone))
        return NULL;
    for (unsigned i = 0; i < state.nr_held; i++) {
        struct page *page = lab_alloc(lab, GFP_DMA, BUFFER_ORDER_MAX, isa_owner.id, 0);

        if (!page)
            return "ZONE_DMA has no room for the pool";
        state.pool[state.nr_pool++] = page;
    }
    return NULL;
}

/* What only the holder of this buffer would write to its page i. */
static uint32_t stamp_of(const struct buffer *buffer, unsigned i)
{
    return hash32(hash32(buffer->serial + 1) ^ (page_to_pfn(buffer->page) + i));
}

static void check_place(struct lab *lab, const struct buffer *buffer)
{
    uint64_t first = addr_number(page_to_phys(buffer->page));
    uint64_t last = first + (PAGE_SIZE << buffer->order) - 1;

    TEST_CHECK(lab->t, last < addr_number(ZONE_DMA_END), "ISA buffer at physical 0x%llx-0x%llx",
               first, last);
    TEST_CHECK(lab->t, first / ISA_BOUNDARY == last / ISA_BOUNDARY,
               "ISA buffer across 64 KiB at physical 0x%llx-0x%llx", first, last);
}

static bool take_buffer(struct lab *lab, struct buffer *buffer)
{
    buffer->order = draw_order(lab->prng);
    buffer->of_pool = state.nr_pool > 0;
    if (buffer->of_pool)
        buffer->page = state.pool[--state.nr_pool];
    else
        buffer->page = lab_alloc(lab, GFP_DMA, buffer->order, isa_owner.id, 0);
    if (!buffer->page)
        return false;
    buffer->serial = (uint32_t)lab->done;
    check_place(lab, buffer);
    for (unsigned i = 0; i < 1u << buffer->order; i++)
        *(uint32_t *)lowmem_page_address(buffer->page + i) = stamp_of(buffer, i);
    return true;
}

static void check_stamps(struct lab *lab, const struct buffer *buffer)
{
    for (unsigned i = 0; i < 1u << buffer->order; i++) {
        uint32_t found = *(uint32_t *)lowmem_page_address(buffer->page + i);

        TEST_CHECK(lab->t, found == stamp_of(buffer, i),
                   "ISA buffer at physical 0x%llx holds 0x%08x, 0x%08x wanted",
                   addr_number(page_to_phys(buffer->page + i)), found, stamp_of(buffer, i));
    }
}

static void give_buffer(struct lab *lab, struct buffer *buffer)
{
    if (!buffer->page)
        return;
    if (buffer->of_pool)
        state.pool[state.nr_pool++] = buffer->page;
    else
        lab_free(lab, buffer->page, buffer->order);
    buffer->page = NULL;
}

/* The last takes the place of one chosen at random. */
static void shrink_cache(struct lab *lab, uint32_t count)
{
    for (; count && state.nr_cache; count--) {
        uint32_t index = prng_below(lab->prng, state.nr_cache);
        pfn_t pfn = state.cache[index];

        state.cache[index] = state.cache[--state.nr_cache];
        lab_free(lab, pfn_to_page(pfn), 0);
    }
}

static void grow_cache(struct lab *lab)
{
    for (unsigned i = 0; i < CACHE_PAGES_A_STEP && state.nr_cache < state.max_cache; i++) {
        struct page *page = lab_alloc(lab, GFP_KERNEL, 0, cache_owner.id, 0);

        if (!page) {
            shrink_cache(lab, CACHE_GIVES_UP);
            return;
        }
        *(uint32_t *)lowmem_page_address(page) = 0;
        state.cache[state.nr_cache++] = page_to_pfn(page);
    }
}

static enum lab_step dmazone_step(struct lab *lab)
{
    struct buffer *buffer = &state.held[lab->done % state.nr_held];

    if (buffer->page)
        check_stamps(lab, buffer);
    give_buffer(lab, buffer);
    grow_cache(lab);
    return take_buffer(lab, buffer) ? LAB_GOES_ON : LAB_WEDGED;
}

static void dmazone_end(struct lab *lab)
{
    for (unsigned i = 0; i < state.nr_held; i++)
        give_buffer(lab, &state.held[i]);
    if (state.nr_pool && inject(lab_keep_buffer, lowmem_dmazone))
        state.nr_pool--;
    while (state.nr_pool)
        lab_free(lab, state.pool[--state.nr_pool], BUFFER_ORDER_MAX);
    shrink_cache(lab, state.nr_cache);
    page_owner_unregister(&isa_owner);
    page_owner_unregister(&cache_owner);
}

/* The default reserve is a part of ZONE_NORMAL; devices want as much whatever its size. */
static void dmazone_tune(const struct lab *lab, struct page_alloc_tuning *tuning)
{
    uint32_t above = zone_get(ZONE_NORMAL)->present_pages;

    (void)lab;
    tuning->lowmem_reserve_ratio[ZONE_DMA] = MAX(above / (RESERVE_PAGES * state.nr_held), 1u);
}

static const struct lab_remedy_use uses[] = {
    {LAB_WATERMARKS, 10,
     "256 KiB of ZONE_DMA for each buffer held are kept from those who could have ZONE_NORMAL"},
    {LAB_POOL, 10, "a buffer of 64 KiB for each that is held is taken at the start"},
};

static const struct lab_workload dmazone = {
    .name = "dmazone",
    .unit = "buffers",
    .uses = uses,
    .nr_uses = ARRAY_SIZE(uses),
    .begin = dmazone_begin,
    .start = dmazone_start,
    .step = dmazone_step,
    .end = dmazone_end,
    .tune = dmazone_tune,
    .lowmem_least = NORMAL_LEAST,
    .must_wedge = true,
};

LAB_CASE(none, &dmazone, -1)
LAB_CASE(watermarks, &dmazone, 0)
LAB_CASE(pool, &dmazone, 1)

static const struct test_case cases[] = {
    {"none", case_none},
    {"watermarks", case_watermarks},
    {"pool", case_pool},
};

SUITE(lowmem_dmazone) = {
    .name = "lowmem_dmazone",
    .about = "ISA buffers, after fallback has filled the memory they need",
    .rank = SUITE_RANK_STRESS,
    .cases = cases,
    .nr_cases = ARRAY_SIZE(cases),
    .sizes = "dmazone",
    .abandon = lab_abandon,
};
