/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DRIVERS_EDU_H
#define DRIVERS_EDU_H

/*
 * What QEMU's educational device can do for a test, besides being a DMA client: it asserts its
 * interrupt line when it is told to, and its driver can make it break in some ways.
 *
 * Context of all: thread, with no transfer of that client under way.
 */

#include "drivers/transfer.h"

/* The n-th edu device in use, from 0, or NULL. */
struct dma_client *edu_at(unsigned n);

/* Asserts the line, which stays so until edu_withdraw(). */
void edu_raise(struct dma_client *client);
void edu_withdraw(struct dma_client *client);

enum edu_fault {
    EDU_WORKS,
    EDU_SILENT, /* done without an interrupt; limits are short, so that it is soon noticed */
    EDU_HANGS,  /* is never started; limits are short */
    EDU_STUCK,  /* its request is not taken back when it is served */
    EDU_GONE,   /* falls off the bus in the middle of a transfer */
};

/* From the next transfer on. EDU_WORKS withdraws what is left asserted. */
void edu_set_fault(struct dma_client *client, enum edu_fault fault);

#endif
