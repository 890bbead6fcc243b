/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DRIVERS_IRQ_H
#define DRIVERS_IRQ_H

/*
 * Interrupts of devices: the two 8259A controllers, the second cascaded into line 2 of the first.
 * They are moved to vectors 0x20 to 0x2f, off the processor's exceptions. The APICs, where there
 * are any, are set to pass the 8259's interrupts through (drivers/apic.h).
 *
 * Lines may be shared: every handler of a line is asked. A line whose interrupts nobody owns many
 * times in a row is stuck: it is masked, or a device that nobody serves would stop the machine, and
 * it stays so until irq_unstick(). Who waits for an interrupt of such a line has to ask instead.
 */

#include "lib/types.h"

#define IRQ_BASE_VECTOR 0x20u
#define NR_IRQ_LINES 16u

/*
 * Called with interrupts off. Returns true if the interrupt was its device's, which it has then
 * made to withdraw its request.
 */
typedef bool (*irq_handler_t)(void *ctx);

/*
 * Sets both controllers up with all lines masked, and quiets what firmware left in the APICs and
 * the HPET. Context: paged phase, interrupts off, after acpi_init() (without it, I/O APICs and the
 * HPET are not found and stay as they are).
 */
void irq_init(void);

/*
 * Adds a handler to a line, and unmasks the line.
 *   line: 0..15 without 2, the cascade
 *   ctx: passed to the handler
 *   name: of the device; not copied
 * Returns 0, -EINVAL for a line that is none, -ENOSPC if there are too many handlers, -EIO if the
 * line is stuck. Context: any.
 */
int irq_request(unsigned line, irq_handler_t handler, void *ctx, const char *name);

/*
 * A PCI device holds its request until it is served, and may share its line, so the line must be
 * level triggered, or one of two requests is lost. Firmware that uses the APIC leaves that undone
 * (the UEFI kind). Lines that PCs need as edges (0, 1, 2, 8, 13) stay so, and all do where there is
 * no edge/level control register (82371SB data sheet, 2.5.5). Context: any.
 */
void irq_set_level(unsigned line);

/* Takes back what irq_request() did with the same arguments; the last handler's line is masked. */
void irq_free(unsigned line, irq_handler_t handler, const void *ctx);

/*
 * For the framework, after a fault that may have ended a handler or the code that requested one:
 * all handlers are forgotten, all lines masked, and every interrupt in service is acknowledged.
 * Context: thread.
 */
void irq_abandon_all(void);

/*
 * For the trap code: handles one interrupt of vector IRQ_BASE_VECTOR + line and acknowledges it.
 * Context: interrupts off.
 */
void irq_dispatch(unsigned line);

/* Interrupts of this line that had a request behind them, whether a handler owned them or not. */
uint32_t irq_count(unsigned line);

/*
 * Interrupts 7 and 15 without a request: the 8259A answers so if the request is gone by the time
 * the processor asks (8259A data sheet, "Edge and level triggered modes").
 */
uint32_t irq_spurious_count(void);

/* True if the line was masked because nobody withdrew its interrupts. */
bool irq_is_stuck(unsigned line);

/*
 * For who knows that its own device will not be quiet: the line is stuck from now on. Context: any.
 */
void irq_declare_stuck(unsigned line);

/* Gives a stuck line another chance: open if it has a handler. Context: any. */
void irq_unstick(unsigned line);

/* A line that became stuck. */
#define IRQ_SUSPECTS 3u
struct irq_stuck {
    unsigned line;
    uint32_t count;                     /* of interrupts on it by then */
    const char *suspects[IRQ_SUSPECTS]; /* who had handlers there; NULL after the last */
};

/*
 * Takes what is to be reported: a line that became stuck since this was last asked, the lowest
 * first, even if it is not any more. False if there is none. Context: thread.
 */
bool irq_take_stuck(struct irq_stuck *stuck);

/* The lines that either controller has in service, a bit each: none, outside of interrupts. */
uint16_t irq_in_service(void);

/* Name given to the n-th handler of the line, or NULL. For messages. */
const char *irq_handler_name(unsigned line, unsigned n);

#endif
