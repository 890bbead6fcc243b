/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAYLOAD_TESTS_CLIENT_BENCH_H
#define PAYLOAD_TESTS_CLIENT_BENCH_H

/*
 * What a case of a DMA suite works with: a client on loan, memory of every kind for its buffers,
 * and pages for what should come. There is one bench at a time.
 *
 *     static void case_read(struct test *t)
 *     {
 *         struct dma_client *client = client_that(reads, test_instance(t));
 *         struct client_bench *b = client_bench_open(t, client, 1, 2);
 *
 *         if (!b)
 *             return;
 *         ...
 *         client_bench_check_end(b);
 *         client_bench_close(b);
 *     }
 *     ...
 *         .abandon = client_bench_abandon,
 */

#include "payload/suite.h"
#include "payload/tests/client_loan.h"
#include "payload/tests/dma_arena.h"

#define CLIENT_BENCH_SETS 2u

struct client_bench {
    struct test *t;
    struct dma_client *client;
    struct client_loan loan;
    struct dma_arena arena[CLIENT_BENCH_SETS][DMA_NR_ARENAS];
    uint8_t *wanted;
    unsigned sets, order;
};

/*
 * The bench with `client`, of which the caller may have found none.
 *   sets: of arenas, 1 or 2
 *   order: `wanted` has 2^order pages
 * Returns NULL after a skip or an error. Context: thread.
 */
struct client_bench *client_bench_open(struct test *t, struct dma_client *client, unsigned sets,
                                       unsigned order);

/* At the end of a case: no stray byte in any arena, no mapping left. */
void client_bench_check_end(struct client_bench *b);

/* Gives the client back as it was, and the memory. */
void client_bench_close(struct client_bench *b);

/* A suite's abandon hook: stops every device first. */
void client_bench_abandon(void);

#endif
