/* SPDX-License-Identifier: BSD-2-Clause */
#include "payload/tests/stress_copies.h"

/* Without marks, such a slot starts out with the buffer's contents (drivers/dma.h). */
#define UNMARKED_BYTES 8u

/* By the device's limits alone; the layer is not asked about itself. */
static bool is_beyond(const struct device *dev, dma_addr_t addr, uint32_t bytes)
{
    return addr + bytes - 1 > dev->dma_mask;
}

static bool crosses(const struct device *dev, dma_addr_t addr, uint32_t bytes)
{
    uint64_t block = ~(uint64_t)dev->segment_boundary_mask;

    return dev->segment_boundary_mask &&
           (addr_number(addr) & block) != (addr_number(addr + (bytes - 1)) & block);
}

void stress_copies_expect(struct stress_copies *c, const struct dma_client *client,
                          const struct dma_arena *arena, uint32_t offset, uint32_t bytes,
                          enum dma_data_direction dir)
{
    const struct device *dev = client->dev;
    dma_addr_t addr = phys_to_dma(arena->phys + offset);
    uint32_t moved = dir == DMA_BIDIRECTIONAL ? 2 * bytes : bytes;
    uint32_t filled = dir == DMA_FROM_DEVICE && bytes < UNMARKED_BYTES ? bytes : 0;

    c->all += moved;
    if (is_beyond(dev, addr, bytes)) {
        c->least += moved;
        c->most += moved + filled;
    } else if (crosses(dev, addr, bytes) && !client->splits_boundary) {
        c->most += moved + filled;
    }
}

void stress_copies_add(struct stress_copies *to, const struct stress_copies *c)
{
    to->all += c->all;
    to->least += c->least;
    to->most += c->most;
    to->again |= c->again;
}

bool stress_copies_fit(const struct stress_copies *c, uint64_t copied)
{
    return copied >= c->least && (c->again || copied <= c->most);
}
