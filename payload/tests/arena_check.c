/* SPDX-License-Identifier: BSD-2-Clause */
#include "payload/tests/arena_check.h"

bool arena_check_guards(struct test *t, const struct dma_arena *arena, uint32_t offset,
                        uint32_t bytes)
{
    int32_t damage = dma_arena_find_damage_around(arena, offset, bytes);

    return TEST_CHECK(t, damage < 0, "%s: 0x%llx, outside of the buffer 0x%llx+%u, was overwritten",
                      dma_arena_name(arena), addr_number(arena->phys + (uint32_t)MAX(damage, 0)),
                      addr_number(arena->phys + offset), bytes);
}

bool arena_check_contents(struct test *t, const struct dma_arena *arena, uint32_t offset,
                          const uint8_t *wanted, uint32_t bytes, const char *what)
{
    int32_t at = dma_arena_find_difference(arena, offset, wanted, bytes);
    uint32_t wrong = at < 0 ? 0 : (uint32_t)at - offset;

    return TEST_CHECK(t, at < 0, "%s: %s: buffer 0x%llx+%u: byte %u is 0x%02x, not 0x%02x",
                      dma_arena_name(arena), what, addr_number(arena->phys + offset), bytes, wrong,
                      dma_arena_byte(arena, offset + wrong), wanted[wrong]);
}

void arenas_check_whole(struct test *t, const struct dma_arena *arenas)
{
    for (unsigned i = 0; i < DMA_NR_ARENAS; i++) {
        const struct dma_arena *arena = &arenas[i];
        int32_t damage = arena->page ? dma_arena_find_damage(arena, 0, DMA_ARENA_BYTES) : -1;

        TEST_CHECK(t, damage < 0, "%s: 0x%llx, in no buffer, was overwritten",
                   dma_arena_name(arena), addr_number(arena->phys + (uint32_t)MAX(damage, 0)));
    }
}
