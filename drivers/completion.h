/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DRIVERS_COMPLETION_H
#define DRIVERS_COMPLETION_H

/*
 * How a driver learns that its device is done: by the device's interrupt, or by asking it. The
 * driver writes one function that asks; who calls it is decided here, so that each transfer can be
 * made both ways.
 *
 *     completion_begin(&c)            the line is requested, if the wait is to be by interrupt
 *     ... start the device ...
 *     err = completion_wait(&c, ms)   0, or -ETIMEDOUT
 *     completion_end(&c)              the line is given back
 *
 * A PCI line may be shared with other devices, and an interrupt may never come. That is told from a
 * device that is not done by asking once more at the end: c.interrupt_lost.
 */

#include "lib/types.h"

#define COMPLETION_NO_LINE 0xffu /* what configuration space says, too, where there is none */

struct completion {
    /*
     * Takes from the device what it has to say, and withdraws its interrupt request. Sets c->done
     * when the transfer has come to its end, good or bad; what came out is for the driver to keep.
     * Returns true if the device had a request. Context: interrupts off.
     */
    bool (*service)(struct completion *c);
    const char *name;    /* of the device, for the list of handlers; not copied */
    uint8_t line;        /* 8259 line, or COMPLETION_NO_LINE */
    bool by_interrupt;   /* how the next transfer is to be waited for; ignored without a line */
    bool interrupt_lost; /* of the last wait: done, but no interrupt said so */
    volatile bool done;  /* set by service() */
    uint32_t interrupts; /* that the device owned, since it is there */
    uint32_t lost;       /* waits that ended with interrupt_lost */
    bool requested;      /* the line is ours now */
};

/*
 * Before the device is started: done is cleared and, if the wait is to be by interrupt, a handler
 * set. Where the line has no room for one, the wait is by asking. Context: thread.
 */
void completion_begin(struct completion *c);

/*
 * Waits until service() has set done. With threads, others run meanwhile. By interrupt, the device
 * is asked by its interrupt alone, until the time is over.
 *   limit_ms: after how many milliseconds it is given up
 * Returns 0, or -ETIMEDOUT: not done, or (with c->interrupt_lost) done without a word. In the
 * latter case what the device did is valid. Context: thread, interrupts on if by interrupt.
 */
int completion_wait(struct completion *c, uint32_t limit_ms);

/* Takes the handler back. Context: thread. */
void completion_end(struct completion *c);

#endif
