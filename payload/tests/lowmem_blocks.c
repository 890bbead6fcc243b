/* SPDX-License-Identifier: BSD-2-Clause */
#include "payload/tests/lowmem_blocks.h"
#include "lib/permute.h"
#include "paging/page_alloc.h"

#define ORDER_SHIFT 28u
#define PFN_MASK (BIT(ORDER_SHIFT) - 1)

/* What lies in lowmem. The order says what it costs to get, the weight how often it is wanted. */
static const struct kind {
    const char *name;
    unsigned order;
    unsigned weight;
} mix[] = {
    {"heads", 0, 40}, {"page tables", 0, 20}, {"stacks", 1, 20},
    {"slab", 0, 10},  {"slab-1", 1, 6},       {"slab-3", 3, 4},
};

unsigned lowmem_mix_order(struct prng *prng)
{
    unsigned total = 0, draw;

    for (unsigned i = 0; i < ARRAY_SIZE(mix); i++)
        total += mix[i].weight;
    draw = prng_below(prng, total);
    for (unsigned i = 0; i < ARRAY_SIZE(mix); i++) {
        if (draw < mix[i].weight)
            return mix[i].order;
        draw -= mix[i].weight;
    }
    return mix[0].order;
}

uint32_t lowmem_free_pages(void)
{
    return nr_free_pages(ZONE_DMA) + nr_free_pages(ZONE_NORMAL);
}

bool lowmem_blocks_open(struct lowmem_blocks *blocks, uint32_t max)
{
    *blocks = (struct lowmem_blocks){.entry = NULL};
    while ((PAGE_SIZE << blocks->table_order) / sizeof(uint32_t) < max &&
           blocks->table_order < MAX_ORDER)
        blocks->table_order++;
    blocks->max = (PAGE_SIZE << blocks->table_order) / sizeof(uint32_t);
    blocks->entry = __get_free_pages(GFP_KERNEL, blocks->table_order);
    return blocks->entry != NULL;
}

void lowmem_blocks_close(struct lowmem_blocks *blocks)
{
    if (!blocks->entry)
        return;
    while (blocks->count > 0) {
        blocks->count--;
        __free_pages(lowmem_block_page(blocks, blocks->count),
                     lowmem_block_order(blocks, blocks->count));
    }
    free_pages(blocks->entry, blocks->table_order);
    blocks->entry = NULL;
}

struct page *lowmem_block_page(const struct lowmem_blocks *blocks, uint32_t index)
{
    return pfn_to_page(blocks->entry[index] & PFN_MASK);
}

unsigned lowmem_block_order(const struct lowmem_blocks *blocks, uint32_t index)
{
    return blocks->entry[index] >> ORDER_SHIFT;
}

/* A word that only its owner would write. */
static uint32_t stamp_of(const struct page *page)
{
    return hash32(page_to_pfn(page) ^ 0x66726167);
}

static void stamp(struct page *page, unsigned order)
{
    for (pfn_t i = 0; i < 1u << order; i++) {
        volatile uint32_t *words = lowmem_page_address(page + i);

        words[0] = stamp_of(page + i);
        words[PAGE_SIZE / sizeof(uint32_t) - 1] = ~words[0];
    }
}

void lowmem_block_stamp(const struct lowmem_blocks *blocks, uint32_t index)
{
    stamp(lowmem_block_page(blocks, index), lowmem_block_order(blocks, index));
}

static bool is_stamped(struct page *page, struct lowmem_damage *damage)
{
    volatile uint32_t *words = lowmem_page_address(page);

    *damage = (struct lowmem_damage){
        .phys = page_to_phys(page),
        .found = {words[0], words[PAGE_SIZE / sizeof(uint32_t) - 1]},
        .wanted = stamp_of(page),
    };
    return damage->found[0] == damage->wanted && damage->found[1] == ~damage->wanted;
}

bool lowmem_blocks_take(struct lowmem_blocks *blocks, unsigned order)
{
    struct page *page = blocks->count < blocks->max ? alloc_pages(GFP_KERNEL, order) : NULL;

    if (!page)
        return false;
    stamp(page, order);
    blocks->entry[blocks->count++] = page_to_pfn(page) | order << ORDER_SHIFT;
    return true;
}

bool lowmem_blocks_give(struct lowmem_blocks *blocks, uint32_t index, struct lowmem_damage *damage)
{
    struct page *page = lowmem_block_page(blocks, index);
    unsigned order = lowmem_block_order(blocks, index);
    bool whole = true;

    for (pfn_t i = 0; i < 1u << order && whole; i++)
        whole = is_stamped(page + i, damage);
    blocks->entry[index] = blocks->entry[--blocks->count];
    __free_pages(page, order);
    return whole;
}
