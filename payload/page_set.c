/* SPDX-License-Identifier: BSD-2-Clause */
#include "payload/page_set.h"
#include "lib/errno.h"
#include "lib/prng.h"
#include "lib/string.h"

/* With depth=sparse: four pages in every 2 MiB. */
#define SPARSE_STRIDE (LARGE_PAGE_SIZE / PAGE_SIZE / 4)

/* Highest order first, so that the table has few rows; the last block of a round is the lowest. */
static struct page *take_largest(enum zone_type zone, unsigned *order)
{
    for (unsigned o = *order + 1; o > 0; o--) {
        struct page *page = alloc_pages((gfp_t)zone | __GFP_THISZONE, o - 1);

        if (page) {
            *order = o - 1;
            return page;
        }
    }
    return NULL;
}

static uint32_t count_blocks(enum zone_type zone)
{
    uint32_t count = 0;

    for (unsigned order = 0; order < NR_ORDERS; order++)
        count += zone_get(zone)->free_area[order].nr_free;
    return count;
}

/* The order of a block is kept by the allocator: it is allocated. */
static unsigned block_order(const struct page_block *block)
{
    return pfn_to_page(block->pfn)->order;
}

/* Heapsort: no recursion, no further memory, and lists that come sorted backwards don't matter. */
static void sift_down(struct page_block *blocks, uint32_t root, uint32_t count)
{
    for (uint32_t child; (child = 2 * root + 1) < count; root = child) {
        if (child + 1 < count && blocks[child + 1].pfn > blocks[child].pfn)
            child++;
        if (blocks[root].pfn >= blocks[child].pfn)
            return;
        struct page_block swap = blocks[root];
        blocks[root] = blocks[child];
        blocks[child] = swap;
    }
}

static void sort_blocks(struct page_block *blocks, uint32_t count)
{
    for (uint32_t i = count / 2; i > 0; i--)
        sift_down(blocks, i - 1, count);
    for (uint32_t end = count; end > 1; end--) {
        struct page_block swap = blocks[0];

        blocks[0] = blocks[end - 1];
        blocks[end - 1] = swap;
        sift_down(blocks, 0, end - 1);
    }
}

static void number_pages(struct page_set *set, enum depth depth)
{
    sort_blocks(set->blocks, set->nr_blocks);
    for (uint32_t i = 0; i < set->nr_blocks; i++) {
        set->blocks[i].first = set->nr_pages;
        set->nr_pages += 1u << block_order(&set->blocks[i]);
    }
    set->stride = depth == DEPTH_SPARSE ? MIN(SPARSE_STRIDE, set->nr_pages) : 1;
    set->nr_visited = (set->nr_pages + set->stride - 1) / set->stride;
}

int page_set_take(struct page_set *set, enum zone_type zone, enum depth depth)
{
    unsigned order = MAX_ORDER;
    struct page *page;
    uint32_t wanted;

    memset(set, 0, sizeof(*set));
    drain_all_pages();
    wanted = count_blocks(zone);
    if (wanted == 0)
        return -ENODEV;
    while ((PAGE_SIZE << set->table_order) / sizeof(struct page_block) < wanted)
        if (++set->table_order > MAX_ORDER)
            return -ENOMEM;
    set->blocks = __get_free_pages(GFP_KERNEL, set->table_order);
    if (!set->blocks)
        return -ENOMEM;
    set->max_blocks = (PAGE_SIZE << set->table_order) / sizeof(struct page_block);
    while (set->nr_blocks < set->max_blocks && (page = take_largest(zone, &order)) != NULL)
        set->blocks[set->nr_blocks++].pfn = page_to_pfn(page);
    number_pages(set, depth);
    return 0;
}

void page_set_give_back(struct page_set *set)
{
    for (uint32_t i = 0; i < set->nr_blocks; i++)
        __free_pages(pfn_to_page(set->blocks[i].pfn), block_order(&set->blocks[i]));
    if (set->blocks)
        free_pages(set->blocks, set->table_order);
    drain_all_pages();
    memset(set, 0, sizeof(*set));
}

pfn_t page_set_pfn(const struct page_set *set, uint32_t index)
{
    uint32_t low = 0, high = set->nr_blocks;

    /* Which page of a stride is visited varies, so that no alignment is left out; the last is the
     * end of RAM. */
    if (set->stride > 1 && index + 1 == set->nr_visited)
        index = set->nr_pages - 1;
    else if (set->stride > 1)
        index = index * set->stride + hash32(index) % set->stride;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;

        if (set->blocks[middle].first <= index)
            low = middle;
        else
            high = middle;
    }
    return set->blocks[low].pfn + (index - set->blocks[low].first);
}

bool page_set_holds(const struct page_set *set, pfn_t pfn)
{
    uint32_t low = 0, high = set->nr_blocks;

    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;

        if (set->blocks[middle].pfn <= pfn)
            low = middle;
        else
            high = middle;
    }
    return set->nr_blocks && pfn >= set->blocks[low].pfn &&
           pfn - set->blocks[low].pfn < 1u << block_order(&set->blocks[low]);
}
