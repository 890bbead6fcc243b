/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAYLOAD_TESTS_STRESS_CLIENT_H
#define PAYLOAD_TESTS_STRESS_CLIENT_H

/*
 * A DMA client under stress: what one thread of dma_stress works with. It has buffers of its own in
 * every kind of memory, and knows what the first bytes of its device's memory or medium are, so
 * that every byte of each transfer can be compared.
 *
 * Which transfers are made, in which order, depends on the random numbers alone: the n-th one is
 * the same in each run with the same seed. How many there are depends on time.
 */

#include "drivers/transfer.h"
#include "lib/prng.h"
#include "payload/tests/dma_arena.h"
#include "payload/tests/stress_copies.h"

#define STRESS_REFERENCE_BYTES KIB(64)
#define STRESS_TEXT_BYTES 112
#define STRESS_PLANS_TOLD 4u

struct stress_client {
    struct dma_client *client;
    bool is_model; /* for the suite */
    struct prng prng;
    struct dma_arena arena[DMA_NR_ARENAS];
    uint8_t *reference; /* what the device's first bytes are */
    uint32_t reference_bytes;
    uint8_t *frame; /* what is looped or sent */
    uint32_t noise; /* what the contents of the transfer under way are made of */
    uint32_t transfers;
    uint32_t first_plans; /* checksum of the first STRESS_PLANS_TOLD: the same with the same seed */
    uint32_t no_room;     /* times that there was no bounce slot, and it was tried again */
    uint32_t wrong;
    char text[STRESS_TEXT_BYTES]; /* what was wrong first, or why it can't be opened */
    uint64_t bytes;               /* moved by DMA */
    struct stress_copies copies;  /* what these had to copy */
    uint64_t work_tsc;            /* the processor's part: of the thread, in transfers alone */
    uint64_t waited_tsc;          /* what it spent there in waiting for the device or for a turn */
    uint64_t ns;                  /* of its transfers, with all waiting */
};

/*
 * Gets buffers and the reference, which the device is read or filled for. False, with a text, if
 * the client can't be used. Context: thread, before others use the client.
 */
bool stress_client_open(struct stress_client *s, struct dma_client *client, uint64_t seed);

/* Gives the buffers back. Context: no transfer is under way. */
void stress_client_close(struct stress_client *s);

/* One transfer, checked. False if no more can be made. Context: thread. */
bool stress_client_turn(struct stress_client *s);

/* What lies outside of buffers must be whole at the end; counted as wrong if not. */
void stress_client_check_arenas(struct stress_client *s);

#endif
