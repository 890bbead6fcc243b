/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAYLOAD_TESTS_DMA_ARENA_H
#define PAYLOAD_TESTS_DMA_ARENA_H

/*
 * Where test buffers lie: a block in each kind of memory, at a random place in it, aligned to its
 * size so that it holds 64 KiB boundaries. All of a block that is not a buffer right now carries a
 * pattern that depends on the place, so that a stray write is noticed wherever in the block it
 * went.
 */

#include "lib/prng.h"
#include "paging/page.h"

#define DMA_ARENA_ORDER 6u
#define DMA_ARENA_BYTES (PAGE_SIZE << DMA_ARENA_ORDER)
#define DMA_ARENA_GUARD 1024u /* bytes of pattern that are kept on each side of a buffer */

enum dma_arena_kind {
    DMA_ARENA_DMA,        /* below 16 MiB */
    DMA_ARENA_NORMAL,     /* the rest of the direct map */
    DMA_ARENA_HIGH,       /* highmem below 4 GiB */
    DMA_ARENA_ABOVE_4GIB, /* highmem from 4 GiB on */
    DMA_NR_ARENAS
};

struct dma_arena {
    struct page *page; /* NULL: this machine has no such memory, or none that is free */
    phys_addr_t phys;
    uint32_t seed;
    enum dma_arena_kind kind;
};

/* Opens all that there are. Returns how many. Context: thread. */
unsigned dma_arenas_open(struct dma_arena *arenas, struct prng *prng);
void dma_arenas_close(struct dma_arena *arenas);

/* "HIGHMEM" */
const char *dma_arena_name(const struct dma_arena *arena);

/* Classes of alignment that a buffer can have. */
enum dma_placement {
    DMA_PLACE_LINE,       /* from any byte of the first cache line of a page */
    DMA_PLACE_IN_PAGE,    /* anywhere */
    DMA_PLACE_CROSS_PAGE, /* over the end of a page */
    DMA_PLACE_CROSS_64K,  /* over a 64 KiB boundary */
    DMA_NR_PLACEMENTS
};

/*
 * A random offset into an arena for a buffer of `bytes` in that class, rounded down to a multiple
 * of `align`. A page in front of it and DMA_ARENA_GUARD behind it are the arena's as well.
 */
uint32_t dma_arena_place(struct prng *prng, enum dma_placement where, uint32_t bytes,
                         uint32_t align);

/*
 * A buffer as a driver is told of it: most often by the page that it begins in, without which the
 * quick paths of drivers/dma_quick.h would never be taken; where that page's number in the arena is
 * a multiple of 4, by the block's first page and an offset of more than a page.
 */
struct dma_spot {
    struct page *page;
    uint32_t offset;
};
struct dma_spot dma_arena_spot(const struct dma_arena *arena, uint32_t offset);

/* Writes the pattern to `bytes` at `offset`. */
void dma_arena_paint(const struct dma_arena *arena, uint32_t offset, uint32_t bytes);

/* The offset of the first byte in [offset, offset + bytes) that lost the pattern, else -1. */
int32_t dma_arena_find_damage(const struct dma_arena *arena, uint32_t offset, uint32_t bytes);

/* The same of the two guards of the buffer at `offset`, DMA_ARENA_GUARD bytes on each side. */
int32_t dma_arena_find_damage_around(const struct dma_arena *arena, uint32_t offset,
                                     uint32_t bytes);

/* The offset in [offset, offset + bytes) of the first byte that differs from `wanted`, else -1. */
int32_t dma_arena_find_difference(const struct dma_arena *arena, uint32_t offset,
                                  const uint8_t *wanted, uint32_t bytes);

/* One byte, for messages. */
uint8_t dma_arena_byte(const struct dma_arena *arena, uint32_t offset);

#endif
