/* SPDX-License-Identifier: BSD-2-Clause */
#include "payload/tests/dma_arena.h"
#include "lib/string.h"
#include "paging/highmem.h"
#include "paging/kmap_local.h"
#include "paging/page_alloc.h"
#include "paging/preempt.h"

#define PLACES_TRIED 8u
#define CACHE_LINE 64u
#define BOUNDARY KIB(64)
#define SPOT_BY_BLOCK 4u      /* of so many pages one */
#define WORD_STEP 0x9e3779b1u /* 2^32 / golden ratio: neighbours differ in all bytes */

const char *dma_arena_name(const struct dma_arena *arena)
{
    static const char *const names[DMA_NR_ARENAS] = {
        [DMA_ARENA_DMA] = "DMA",
        [DMA_ARENA_NORMAL] = "NORMAL",
        [DMA_ARENA_HIGH] = "HIGHMEM",
        [DMA_ARENA_ABOVE_4GIB] = "above 4 GiB",
    };

    return names[arena->kind];
}

/* A free block somewhere in [start, end): from a random place on, or else from the start. */
static struct page *find_block(phys_addr_t start, phys_addr_t end, struct prng *prng)
{
    for (unsigned i = 0; start < end && i < PLACES_TRIED; i++) {
        uint32_t blocks = (uint32_t)((end - start) / DMA_ARENA_BYTES);
        phys_addr_t from = start;
        struct page *page;

        if (blocks > 1 && i < PLACES_TRIED - 1)
            from += (uint64_t)prng_below(prng, blocks) * DMA_ARENA_BYTES;
        page = alloc_pages_in(DMA_ARENA_ORDER, from, end);
        if (page)
            return page;
    }
    return NULL;
}

unsigned dma_arenas_open(struct dma_arena *arenas, struct prng *prng)
{
    phys_addr_t top = pfn_to_phys(max_pfn);
    phys_addr_t low_end = pfn_to_phys(max_low_pfn);
    const phys_addr_t ends[DMA_NR_ARENAS] = {
        [DMA_ARENA_DMA] = MIN(ZONE_DMA_END, low_end),
        [DMA_ARENA_NORMAL] = low_end,
        [DMA_ARENA_HIGH] = MIN(phys_make(GIB64(4)), top),
        [DMA_ARENA_ABOVE_4GIB] = top,
    };
    phys_addr_t start = 0;
    unsigned found = 0;

    for (unsigned i = 0; i < DMA_NR_ARENAS; i++) {
        struct dma_arena *arena = &arenas[i];

        arena->kind = (enum dma_arena_kind)i;
        arena->page = find_block(start, ends[i], prng);
        start = MAX(start, ends[i]);
        if (!arena->page)
            continue;
        arena->phys = page_to_phys(arena->page);
        arena->seed = prng_u32(prng);
        dma_arena_paint(arena, 0, DMA_ARENA_BYTES);
        found++;
    }
    return found;
}

void dma_arenas_close(struct dma_arena *arenas)
{
    for (unsigned i = 0; i < DMA_NR_ARENAS; i++) {
        if (arenas[i].page)
            __free_pages(arenas[i].page, DMA_ARENA_ORDER);
        arenas[i].page = NULL;
    }
}

uint32_t dma_arena_place(struct prng *prng, enum dma_placement where, uint32_t bytes,
                         uint32_t align)
{
    uint32_t first = ALIGN_UP(DMA_ARENA_GUARD, PAGE_SIZE);
    uint32_t room = DMA_ARENA_BYTES - first - DMA_ARENA_GUARD - bytes;
    uint32_t offset = first + prng_below(prng, room);
    uint32_t before; /* bytes of the buffer in front of the border that it crosses */

    switch (where) {
    case DMA_PLACE_LINE:
        offset = ALIGN_DOWN(offset, PAGE_SIZE) + prng_below(prng, CACHE_LINE);
        break;
    case DMA_PLACE_CROSS_PAGE:
        before = 1 + prng_below(prng, MIN(bytes, PAGE_SIZE - 1));
        offset = MAX(ALIGN_DOWN(offset, PAGE_SIZE), 2 * first) - before;
        break;
    case DMA_PLACE_CROSS_64K:
        before = 1 + prng_below(prng, MIN(bytes, BOUNDARY - first));
        offset = BOUNDARY - before;
        break;
    default:
        break;
    }
    return ALIGN_DOWN(offset, align);
}

struct dma_spot dma_arena_spot(const struct dma_arena *arena, uint32_t offset)
{
    uint32_t page = offset >> PAGE_SHIFT;

    if (page % SPOT_BY_BLOCK == 0)
        return (struct dma_spot){arena->page, offset};
    return (struct dma_spot){arena->page + page, offset & PAGE_MASK};
}

/* The pattern of the page that holds `offset`, in a place that all share. Context: preemption off.
 */
static const uint8_t *pattern_page(const struct dma_arena *arena, uint32_t offset)
{
    static uint32_t words[PAGE_SIZE / sizeof(uint32_t)];
    uint32_t value = arena->seed + (offset & ~PAGE_MASK) / 4 * WORD_STEP;

    for (unsigned i = 0; i < ARRAY_SIZE(words); i++) {
        words[i] = value ^ value >> 15;
        value += WORD_STEP;
    }
    return (const uint8_t *)words;
}

void dma_arena_paint(const struct dma_arena *arena, uint32_t offset, uint32_t bytes)
{
    while (bytes > 0) {
        uint32_t part = MIN(bytes, PAGE_SIZE - (offset & PAGE_MASK));

        preempt_disable();
        memcpy_to_page(arena->page, offset, pattern_page(arena, offset) + (offset & PAGE_MASK),
                       part);
        preempt_enable();
        offset += part;
        bytes -= part;
    }
}

/* memcmp() that says where. */
static uint32_t first_difference(const uint8_t *a, const uint8_t *b, uint32_t bytes)
{
    uint32_t i = 0;

    if (memcmp(a, b, bytes) == 0)
        return bytes;
    while (a[i] == b[i])
        i++;
    return i;
}

/* Compares with `wanted`, or with the pattern if that is NULL. */
static int32_t compare(const struct dma_arena *arena, uint32_t offset, const uint8_t *wanted,
                       uint32_t bytes)
{
    while (bytes > 0) {
        uint32_t in_page = offset & PAGE_MASK;
        uint32_t part = MIN(bytes, PAGE_SIZE - in_page);
        const uint8_t *expect = wanted, *window;
        uint32_t same;

        preempt_disable();
        if (!expect)
            expect = pattern_page(arena, offset) + in_page;
        window = kmap_local_page(arena->page + (offset >> PAGE_SHIFT));
        same = first_difference(window + in_page, expect, part);
        kunmap_local(window);
        preempt_enable();
        if (same < part)
            return (int32_t)(offset + same);
        if (wanted)
            wanted += part;
        offset += part;
        bytes -= part;
    }
    return -1;
}

int32_t dma_arena_find_damage(const struct dma_arena *arena, uint32_t offset, uint32_t bytes)
{
    return compare(arena, offset, NULL, bytes);
}

int32_t dma_arena_find_damage_around(const struct dma_arena *arena, uint32_t offset, uint32_t bytes)
{
    int32_t damage = dma_arena_find_damage(arena, offset - DMA_ARENA_GUARD, DMA_ARENA_GUARD);

    return damage >= 0 ? damage : dma_arena_find_damage(arena, offset + bytes, DMA_ARENA_GUARD);
}

int32_t dma_arena_find_difference(const struct dma_arena *arena, uint32_t offset,
                                  const uint8_t *wanted, uint32_t bytes)
{
    return compare(arena, offset, wanted, bytes);
}

uint8_t dma_arena_byte(const struct dma_arena *arena, uint32_t offset)
{
    uint8_t byte;

    memcpy_from_page(&byte, arena->page, offset, 1);
    return byte;
}
