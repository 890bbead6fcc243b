/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAYLOAD_TESTS_CLIENT_LOAN_H
#define PAYLOAD_TESTS_CLIENT_LOAN_H

/* A DMA client that a case works with, and what of it the case may change and gives back. */

#include "drivers/transfer.h"
#include "payload/suite.h"

struct client_loan {
    struct dma_client *client; /* NULL: none is borrowed */
    dma_addr_t mask;           /* as its driver set it */
    bool check_ownership, by_interrupt;
    struct dma_counters before; /* what its device and its line had counted */
    uint32_t interrupts_before, lost_before;
};

/* The index-th client of those that fit, or NULL; how many do. */
struct dma_client *client_that(bool (*fits)(const struct dma_client *client), unsigned index);
unsigned clients_that(bool (*fits)(const struct dma_client *client));

/* False, after a skip or an error, if the client is in quarantine or NULL, and not borrowed. */
bool client_borrow(struct test *t, struct client_loan *loan, struct dma_client *client);

/* Stops the device, and gives it back as it was. Fine if none is borrowed. */
void client_give_back(struct client_loan *loan);

/*
 * Checks that a transfer of one mapping was bounced exactly where the device can't reach, and left
 * no mapping. `was`: the device's counters before it.
 */
void client_check_reach(struct test *t, const struct dma_client *client,
                        const struct dma_counters *was, phys_addr_t phys, uint32_t bytes);

/* A metric of the suite whose name begins with the client's: "ide0_read_bytes". */
void client_metric(struct test *t, const struct dma_client *client, uint64_t value,
                   const char *unit, const char *fmt, ...) __printf(5, 6);

/* What was counted since the client was borrowed: HOW_direct, _bounced, _interrupts and so on. */
void client_loan_metrics(struct test *t, const struct client_loan *loan, const char *how);

/*
 * What an abandon hook begins with. A device may still be at work on memory of the case, so all of
 * them are stopped; what was mapped is told as leaked: that names who was in the middle of what.
 */
void clients_abandon(void);

#endif
