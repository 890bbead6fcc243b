/* SPDX-License-Identifier: BSD-2-Clause */
#include "payload/tests/client_transfer.h"

const char *operation_name(enum operation op)
{
    static const char *const names[NR_OPERATIONS] = {
        [OP_READ] = "read", [OP_WRITE] = "write",     [OP_LOOP] = "loop",
        [OP_SEND] = "send", [OP_CAPTURE] = "capture", [OP_WORK] = "work",
    };

    return names[op];
}

bool client_can(const struct dma_client *client, enum operation op)
{
    switch (op) {
    case OP_READ:
        return client->read;
    case OP_WRITE:
        return client->write;
    case OP_LOOP:
        return client->loop;
    case OP_SEND:
        return client->send;
    case OP_CAPTURE:
        return client->capture;
    default:
        return client->work;
    }
}

int client_transfer(struct dma_client *client, const struct client_transfer *p)
{
    uint32_t head = p->op == OP_LOOP ? MIN(client->loop_head, p->offset) : 0;
    struct dma_spot spot = dma_arena_spot(p->arena, p->offset - head), from;

    switch (p->op) {
    case OP_READ:
        return client_read(client, p->dev_offset, spot.page, spot.offset, p->bytes);
    case OP_WRITE:
        return client_write(client, p->dev_offset, spot.page, spot.offset, p->bytes);
    case OP_LOOP:
        from = dma_arena_spot(p->from, p->from_offset);
        return client_loop(client, from.page, from.offset, spot.page, spot.offset + head, p->bytes);
    case OP_SEND:
        return client_send(client, spot.page, spot.offset, p->bytes);
    case OP_CAPTURE:
        return client_capture(client, spot.page, spot.offset, p->bytes);
    default:
        return client_work(client, spot.page, spot.offset, p->bytes);
    }
}
