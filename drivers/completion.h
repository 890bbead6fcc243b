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
 * A PCI line may be shared with other devices. So service() may be called at any time between
 * begin and end, before the device is started too. That it is done is believed in an interrupt only
 * if the interrupt was the device's own; a driver that can't tell notes for service(), with
 * interrupts off, that it has started the device. And a device whose interrupt nobody wants must
 * not ask for one: while c->requested is false, the driver leaves the device's interrupt switched
 * off, or sets PCI_COMMAND_INTX_DISABLE.
 *
 * An interrupt may never come. That is told from a device that is not done by asking once more at
 * the end: c.interrupt_lost. From then on the device is asked (c.lost is not 0). And a device may
 * not take its request back: after COMPLETION_STORM interrupts in one wait the line is declared
 * stuck, and c.storm set. All who wait for a line that is stuck, whoever did it, go on by asking.
 */

#include "lib/types.h"

#define COMPLETION_NO_LINE 0xffu /* what configuration space says, too, where there is none */
#define COMPLETION_STORM 1000u   /* far more than a transfer has; no more than a few ms */

struct completion {
    /*
     * Takes from the device what it has to say, and withdraws its interrupt request. Sets c->done
     * when the transfer has come to its end, good or bad; what came out is for the driver to keep.
     * Returns true if the device had a request. Context: interrupts off.
     */
    bool (*service)(struct completion *c);
    const char *name;      /* of the device, for the list of handlers; not copied */
    uint8_t line;          /* 8259 line, or COMPLETION_NO_LINE */
    bool by_interrupt;     /* how the next transfer is to be waited for; ignored without a line */
    bool interrupt_lost;   /* of the last wait: done, but no interrupt said so */
    volatile bool done;    /* set by service() */
    volatile bool storm;   /* the device did not take its request back */
    uint32_t interrupts;   /* that the device owned, since it is there */
    uint32_t by_line;      /* waits that were by interrupt */
    uint32_t lost;         /* waits that ended with interrupt_lost */
    uint32_t in_this_wait; /* interrupts, of the device */
    bool requested;        /* the line is ours now */
    /* For mutations: nobody learns of the end, and the wait is given up at once, in the middle of
     * the transfer. So a device that works is one that hangs. */
    bool deaf;
};

/*
 * Before the device is started: done is cleared and, if the wait is to be by interrupt, a handler
 * set. Where the line is stuck or has no room for one, or an interrupt of this device was lost
 * before, the wait is by asking. Context: thread.
 */
void completion_begin(struct completion *c);

/*
 * Waits until service() has set done. With threads, others run meanwhile; without, the processor
 * spins, for if the interrupt is lost there is nothing that would wake it from a halt. By
 * interrupt, the device is asked by its interrupt alone, until the time is over or the line stuck.
 *   limit_ms: after how many milliseconds, by the clock, it is given up
 * Returns 0, or -ETIMEDOUT: not done, or (with c->interrupt_lost) done without a word. In the
 * latter case what the device did is valid. Context: thread, interrupts on if by interrupt.
 */
int completion_wait(struct completion *c, uint32_t limit_ms);

/* Takes the handler back. Context: thread. */
void completion_end(struct completion *c);

/* Forgets lost interrupts and storms: interrupts are tried again. Context: thread, between waits.
 */
void completion_forgive(struct completion *c);

#endif
