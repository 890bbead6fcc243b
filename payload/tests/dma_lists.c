/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dma_lists: what drivers build on single DMA mappings, lists of scattered pieces and pools of
 * descriptors, for devices that are nothing but their rules.
 *
 * A block of pages is cut into pieces, and the lists of them are mapped for devices whose largest
 * segment and boundary lie at places that the pieces meet: the segments that come out must be those
 * that the case computes by itself. Blocks of a pool are filled, each with its own number, and
 * looked at again. Coherent memory that nobody gives back has to be told.
 *
 * Why it can break: segments that grow over a boundary, so that the device's address counter wraps;
 * a list that failed half-way and left mappings; a block that two drivers have. A break shows as
 * the segment with its place and its length, or as the block.
 */
#include "drivers/dma_pool.h"
#include "lib/string.h"
#include "paging/page_alloc.h"
#include "payload/suite.h"

#define BLOCK_ORDER 5u /* 128 KiB, aligned to that: with a boundary of 64 KiB in the middle */
#define BLOCK_BYTES (PAGE_SIZE << BLOCK_ORDER)
#define MIDDLE KIB(64)
#define PIECE 1024u
#define NR_PIECES 8u
#define NR_BLOCKS 300u /* more than a page of 16 bytes each has */
#define POOL_BYTES 48u
#define POOL_BOUNDARY 256u

static struct device dev;
static struct page *block;
static struct dma_pool *pool;

static void prepare(void)
{
    dev = (struct device){.name = "lists", .dma_mask = DMA_BIT_MASK(64)};
    block = alloc_pages(GFP_HIGHUSER, BLOCK_ORDER);
}

static void give_back(void)
{
    dma_check_leaks(&dev);
    dma_pool_destroy(pool);
    pool = NULL;
    if (block)
        __free_pages(block, BLOCK_ORDER);
    block = NULL;
}

static bool has_block(struct test *t)
{
    if (!block)
        test_error(t, "no block of %u bytes", BLOCK_BYTES);
    return block;
}

/* Pieces that follow each other from `offset` into the block on. */
static void build(struct scatterlist *list, uint32_t offset)
{
    for (unsigned i = 0; i < NR_PIECES; i++)
        list[i] =
            (struct scatterlist){.page = block, .offset = offset + i * PIECE, .length = PIECE};
}

/* Maps the list, and compares with what it has to become: pieces for each segment, up to a 0. */
static void check_segments(struct test *t, const char *rules, uint32_t offset,
                           const uint8_t *pieces)
{
    struct scatterlist list[NR_PIECES];
    dma_addr_t next = phys_to_dma(page_to_phys(block)) + offset;
    unsigned segments, count = 0;

    build(list, offset);
    segments = dma_map_sg(&dev, list, NR_PIECES, DMA_TO_DEVICE);
    while (pieces[count] != 0)
        count++;
    TEST_CHECK(t, segments == count, "%s: %u segments, not %u", rules, segments, count);
    for (unsigned i = 0; i < segments && i < count; i++) {
        TEST_CHECK(t, sg_dma_address(&list[i]) == next && sg_dma_len(&list[i]) == pieces[i] * PIECE,
                   "%s: segment %u is 0x%llx+%u, not 0x%llx+%u", rules, i,
                   addr_number(sg_dma_address(&list[i])), sg_dma_len(&list[i]), addr_number(next),
                   pieces[i] * PIECE);
        next += (uint64_t)pieces[i] * PIECE;
    }
    if (segments != 0)
        dma_unmap_sg(&dev, list, NR_PIECES, DMA_TO_DEVICE);
    TEST_CHECK(t, dma_live_mappings(&dev) == 0, "%s: %u mappings are left", rules,
               dma_live_mappings(&dev));
    dma_check_leaks(&dev);
}

static void case_merge(struct test *t)
{
    static const uint8_t one[] = {8, 0}, by_3[] = {3, 3, 2, 0}, at_middle[] = {2, 6, 0};

    if (!has_block(t))
        return;
    check_segments(t, "no limits", MIDDLE - 2 * PIECE, one);
    dev.max_segment_bytes = 3 * PIECE + PIECE / 2;
    check_segments(t, "largest segment", MIDDLE - 2 * PIECE, by_3);
    dev.max_segment_bytes = 0;
    dev.segment_boundary_mask = DMA_BOUNDARY_64K;
    check_segments(t, "boundary", MIDDLE - 2 * PIECE, at_middle);
    dev.segment_boundary_mask = 0;
}

/* A list whose last piece is larger than a segment may be: the others must be ended again. */
static void case_rollback(struct test *t)
{
    struct scatterlist list[NR_PIECES];
    unsigned segments;

    if (!has_block(t))
        return;
    build(list, 0);
    list[NR_PIECES - 1].length = 5 * PIECE;
    dev.max_segment_bytes = 4 * PIECE;
    test_findings_begin(t);
    segments = dma_map_sg(&dev, list, NR_PIECES, DMA_TO_DEVICE);
    test_findings_end(t, 1, "a piece beyond the largest segment");
    dev.max_segment_bytes = 0;
    TEST_CHECK(t, segments == 0 && dma_live_mappings(&dev) == 0,
               "a list that can't be mapped has %u segments, %u mappings are left", segments,
               dma_live_mappings(&dev));
    test_findings_begin(t);
    test_findings_end(t, dma_check_leaks(&dev), "mappings left");
}

static void case_fit(struct test *t)
{
    struct scatterlist list[NR_PIECES], fitted[NR_PIECES];
    unsigned used;

    if (!has_block(t))
        return;
    build(list, MIDDLE - 2 * PIECE - 100);
    dev.segment_boundary_mask = DMA_BOUNDARY_64K;
    used = dma_fit_sg(&dev, list, NR_PIECES, fitted, NR_PIECES);
    dev.segment_boundary_mask = 0;
    TEST_CHECK(t, used == 2 && fitted[0].length == 2 * PIECE + 100,
               "cut at 64 KiB it is %u entries, the first of %u bytes, not 2 and %u", used,
               fitted[0].length, 2 * PIECE + 100);
    TEST_CHECK(t, dma_fit_sg(&dev, list, NR_PIECES, fitted, 0) == 0, "a list of no entries");
}

/* Blocks of a pool, each filled with its number. */
static uint8_t *given[NR_BLOCKS];
static dma_addr_t handles[NR_BLOCKS];

static bool is_filled(const uint8_t *bytes, uint8_t value)
{
    for (unsigned i = 0; i < POOL_BYTES; i++) {
        if (bytes[i] != value)
            return false;
    }
    return true;
}

static void take_blocks(struct test *t)
{
    for (unsigned i = 0; i < NR_BLOCKS && !test_should_stop(t); i++) {
        given[i] = dma_pool_zalloc(pool, &handles[i]);
        if (!TEST_CHECK(t, given[i], "no memory for block %u", i))
            return;
        TEST_CHECK(t, handles[i] == phys_to_dma(virt_to_phys(given[i])),
                   "block %u at %p has the handle 0x%llx", i, (void *)given[i],
                   addr_number(handles[i]));
        TEST_CHECK(t, (addr_number(handles[i]) & (POOL_BOUNDARY - 1)) + POOL_BYTES <= POOL_BOUNDARY,
                   "block %u at 0x%llx crosses its boundary", i, addr_number(handles[i]));
        TEST_CHECK(t, is_filled(given[i], 0), "block %u is not zero", i);
        memset(given[i], (uint8_t)(i + 1), POOL_BYTES);
    }
}

static void case_pool(struct test *t)
{
    pool = dma_pool_create("test", &dev, POOL_BYTES, 16, POOL_BOUNDARY);
    if (!pool) {
        test_error(t, "no memory for a pool");
        return;
    }
    for (unsigned round = 0; round < 2; round++) {
        take_blocks(t);
        for (unsigned i = 0; i < NR_BLOCKS && given[i]; i++) {
            TEST_CHECK(t, is_filled(given[i], (uint8_t)(i + 1)), "block %u was overwritten", i);
            dma_pool_free(pool, given[i], handles[i]);
            given[i] = NULL;
        }
        TEST_CHECK(t, dma_pool_used(pool) == 0, "%u blocks in use", dma_pool_used(pool));
    }
    dma_pool_destroy(pool);
    pool = NULL;
}

static void case_pool_misuse(struct test *t)
{
    dma_addr_t handle, lost;
    uint8_t *bytes;

    dev.check_ownership = true;
    pool = dma_pool_create("test", &dev, POOL_BYTES, 16, 0);
    bytes = pool ? dma_pool_alloc(pool, &handle) : NULL;
    if (!bytes || !dma_pool_alloc(pool, &lost)) {
        test_error(t, "no memory for a pool");
        return;
    }
    test_findings_begin(t);
    dma_pool_free(pool, bytes + DMA_POOL_MIN_BYTES, handle + DMA_POOL_MIN_BYTES);
    test_findings_end(t, 1, "what is no block freed");
    test_findings_name(t, 1, "what is no block freed");
    dma_pool_free(pool, bytes, handle);
    test_findings_begin(t);
    dma_pool_free(pool, bytes, handle);
    test_findings_end(t, 1, "a block freed twice");
    test_findings_name(t, 2, "a block freed twice");
    bytes[POOL_BYTES - 1]++;
    test_findings_begin(t);
    dma_pool_destroy(pool);
    test_findings_end(t, 2, "a block lost, and one written after it was freed");
    test_findings_name(t, 4, "a block lost, and one written after it was freed");
    pool = NULL;
    dev.check_ownership = false;
}

/* A piece, and a pool with two chunks, that nobody gives back. */
static void case_lost(struct test *t)
{
    dma_addr_t handle;
    uint8_t *piece = dma_alloc_coherent(&dev, PAGE_SIZE, &handle);
    struct dma_pool *lost = dma_pool_create("lost", &dev, PAGE_SIZE, 0, 0);

    if (!piece || !lost || !dma_pool_alloc(lost, &handle) || !dma_pool_alloc(lost, &handle))
        test_error(t, "no memory for coherent pages");
    test_findings_begin(t);
    TEST_CHECK(t, dma_check_leaks(&dev) == 0, "coherent memory is told as mappings");
    TEST_CHECK(t, dma_check_coherent(&dev) == 3, "not all of 3 lost pieces are told");
    TEST_CHECK(t, dma_check_coherent(&dev) == 0, "they are told again");
    test_findings_end(t, 3, "coherent memory lost");
    test_findings_name(t, 3, "coherent memory lost");
    /* Its two blocks are in use, and its two chunks gone. */
    test_findings_begin(t);
    dma_pool_destroy(lost);
    test_findings_end(t, lost ? 4 : 0, "a pool destroyed that was taken for lost");
}

static const struct test_case cases[] = {
    {"merge", case_merge}, {"rollback", case_rollback},       {"fit", case_fit},
    {"pool", case_pool},   {"pool_misuse", case_pool_misuse}, {"lost", case_lost},
};

SUITE(dma_lists) = {
    .name = "dma_lists",
    .about = "DMA lists are merged and cut as devices need, pools keep their blocks apart",
    .cases = cases,
    .nr_cases = ARRAY_SIZE(cases),
    .rank = SUITE_RANK_STRESS,
    .setup = prepare,
    .teardown = give_back,
    .abandon = give_back,
};
