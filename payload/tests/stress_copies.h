/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAYLOAD_TESTS_STRESS_COPIES_H
#define PAYLOAD_TESTS_STRESS_COPIES_H

/*
 * What the mapping layer says it copied, against what it had to copy.
 *
 * The layer counts for each device the bytes that it moved between buffers and bounce slots
 * (counters.bounced_bytes). What that must come to follows from where each buffer lies, what the
 * device reaches and which way the bytes went. Where a driver cuts a transfer that crosses the
 * device's boundary, only the pieces that cross it bounce, and which those are is the driver's to
 * know: there the count must lie between two numbers, else it must be exact.
 *
 * Several clients may be one device to the layer (two drives on a controller); so the counts of
 * all are added before they are compared.
 */

#include "drivers/transfer.h"
#include "payload/tests/dma_arena.h"

struct stress_copies {
    uint64_t all;         /* what would be copied if everything bounced, both ways */
    uint64_t least, most; /* what must be, and what may be */
    bool again;           /* transfers were made again, or failed: there may be more copies */
};

/* That `bytes` at `offset` of the arena were mapped and moved in that direction. */
void stress_copies_expect(struct stress_copies *c, const struct dma_client *client,
                          const struct dma_arena *arena, uint32_t offset, uint32_t bytes,
                          enum dma_data_direction dir);

/* Adds what another client of the same device expects. */
void stress_copies_add(struct stress_copies *to, const struct stress_copies *c);

/* Whether `copied` bytes are as expected. */
bool stress_copies_fit(const struct stress_copies *c, uint64_t copied);

#endif
