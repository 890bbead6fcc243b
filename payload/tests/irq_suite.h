/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAYLOAD_TESTS_IRQ_SUITE_H
#define PAYLOAD_TESTS_IRQ_SUITE_H

/*
 * Parts of the suite `irq` (payload/tests/irq.c), a file for each kind of case: those of any PC,
 * those of devices at work, and those that QEMU's edu makes fail.
 */

#include "drivers/transfer.h"
#include "payload/suite.h"

#define IRQ_SETTLE_US 2000u
#define IRQ_BYTES 64u /* of a transfer, where the device allows it */

/*
 * A handler of the suite's own: one of two, which owns what comes or not, and is counted. False,
 * after an error, if the line can't be had.
 */
#define IRQ_WATCHERS 2u
bool irq_watch(struct test *t, unsigned line, unsigned n, bool owns);
void irq_unwatch(unsigned line, unsigned n);
uint32_t irq_watched(unsigned n);

/* Fails if a line is in service. */
void irq_check_service(struct test *t, const char *when);

/*
 * Says what became of a request on `line` that was withdrawn with interrupts off; `spurious` and
 * `real` were the counts before it.
 */
void irq_judge_withdrawn(struct test *t, unsigned line, uint32_t spurious, uint32_t real);

/*
 * Pages for transfers, two for each of two devices; false after an error. Context: given back by
 * irq_give_buffer(), by the suite after a fault.
 */
struct page *irq_take_buffer(struct test *t);
void irq_give_buffer(void);

/*
 * The cheapest transfer that the client makes, with `page` and the one after it. Devices that can
 * be written are with an even n, and read with an odd one.
 */
int irq_transfer(struct dma_client *client, struct page *page, unsigned n);

/* Has it an interrupt line, and is it in use? */
bool irq_has_line(const struct dma_client *client);

/* One transfer, waited for as told; what the completion counted must fit. False if it failed. */
bool irq_check_transfer(struct test *t, struct dma_client *client, struct page *page, unsigned n,
                        bool by_interrupt);

void irq_case_devices(struct test *t);
void irq_case_shared_line(struct test *t);
void irq_case_counts(struct test *t);

void irq_case_withdrawn_device(struct test *t);
void irq_case_stale_request(struct test *t);
void irq_case_neighbours_storm(struct test *t);
void irq_case_never_withdrawn(struct test *t);
void irq_case_lost(struct test *t);
void irq_case_falls_off(struct test *t);

#endif
