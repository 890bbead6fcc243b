/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAYLOAD_TESTS_CLIENT_TRANSFER_H
#define PAYLOAD_TESTS_CLIENT_TRANSFER_H

/* One transfer by any operation of a DMA client (drivers/transfer.h), with buffers in arenas. */

#include "drivers/transfer.h"
#include "payload/tests/dma_arena.h"

enum operation { OP_READ, OP_WRITE, OP_LOOP, OP_SEND, OP_CAPTURE, OP_WORK, NR_OPERATIONS };

struct client_transfer {
    enum operation op;
    const struct dma_arena *arena, *from; /* from: of a loop, where it is sent from */
    uint32_t offset, from_offset;
    uint32_t bytes;
    uint64_t dev_offset; /* of a read or write */
};

/* "read" */
const char *operation_name(enum operation op);

bool client_can(const struct dma_client *client, enum operation op);

/* Returns what the operation does. Context: thread. */
int client_transfer(struct dma_client *client, const struct client_transfer *p);

#endif
