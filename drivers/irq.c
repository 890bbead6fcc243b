/* SPDX-License-Identifier: BSD-2-Clause */
#include "drivers/irq.h"

#include "drivers/apic.h"
#include "lib/errno.h"
#include "lib/inject.h"
#include "lib/string.h"
#include "lib/x86/cpu.h"
#include "lib/x86/io.h"

#define PIC1_COMMAND 0x20
#define PIC1_DATA 0x21
#define PIC2_COMMAND 0xa0
#define PIC2_DATA 0xa1

/* 8259A data sheet: initialisation and operation command words */
#define ICW1_INIT 0x11u    /* cascaded, edge triggered unless the ELCR says level, ICW4 follows */
#define ICW3_CASCADE 0x04u /* of the first: a second hangs on line 2 */
#define ICW3_SLAVE_ID 2u   /* of the second: which line that is */
#define ICW4_8086 0x01u
#define OCW2_SPECIFIC_EOI 0x60u
#define OCW3_READ_ISR 0x0bu /* the next read of the command port gives the lines in service */

/* Edge/level control: a bit set for a line is level */
#define ELCR1 0x4d0
#define ELCR2 0x4d1
#define ELCR_ALWAYS_EDGE 0x2107u /* the timer, the keyboard, the cascade, the clock, the FPU */

#define CASCADE_LINE 2u
#define LINES_PER_PIC 8u
#define LAST_OF_PIC 7u /* what an 8259A answers for a request that went away */

#define MAX_HANDLERS 32u
#define STUCK_AFTER 10000u /* interrupts in a row that nobody owned */

struct irq_action {
    irq_handler_t handler; /* NULL: unused entry */
    void *ctx;
    const char *name;
    unsigned line;
};

struct irq_line {
    uint32_t count;
    uint32_t unowned; /* in a row */
    bool stuck;
    bool untold;       /* irq_take_stuck() has it to tell */
    uint32_t stuck_at; /* what the count was then */
    const char *suspects[IRQ_SUSPECTS];
};

/* Changed with interrupts off only; read by irq_dispatch(). */
static struct {
    struct irq_action actions[MAX_HANDLERS];
    struct irq_line lines[NR_IRQ_LINES];
    uint16_t mask; /* a bit set: line masked */
    uint32_t spurious;
} irq;

static void write_masks(void)
{
    outb(PIC1_DATA, (uint8_t)irq.mask);
    outb(PIC2_DATA, (uint8_t)(irq.mask >> LINES_PER_PIC));
}

/* The cascade is open as long as a line behind it is. */
static void set_masked(unsigned line, bool masked)
{
    irq.mask = (uint16_t)(masked ? irq.mask | BIT(line) : irq.mask & ~BIT(line));
    if (irq.mask >> LINES_PER_PIC == UINT8_MAX)
        irq.mask |= BIT(CASCADE_LINE);
    else
        irq.mask &= (uint16_t)~BIT(CASCADE_LINE);
    write_masks();
}

void irq_init(void)
{
    irq.mask = UINT16_MAX;
    write_masks();
    outb(PIC1_COMMAND, ICW1_INIT);
    io_delay();
    outb(PIC2_COMMAND, ICW1_INIT);
    io_delay();
    outb(PIC1_DATA, IRQ_BASE_VECTOR);
    io_delay();
    outb(PIC2_DATA, IRQ_BASE_VECTOR + LINES_PER_PIC);
    io_delay();
    outb(PIC1_DATA, ICW3_CASCADE);
    io_delay();
    outb(PIC2_DATA, ICW3_SLAVE_ID);
    io_delay();
    outb(PIC1_DATA, ICW4_8086);
    io_delay();
    outb(PIC2_DATA, ICW4_8086);
    io_delay();
    write_masks(); /* initialisation cleared them */
    apic_set_virtual_wire();
}

void irq_set_level(unsigned line)
{
    uint32_t flags = irq_save();
    unsigned levels = inb(ELCR1) | (unsigned)inb(ELCR2) << LINES_PER_PIC;

    /* One that says so of the timer's line is none. */
    if (line < NR_IRQ_LINES && !(levels & ELCR_ALWAYS_EDGE) && !(ELCR_ALWAYS_EDGE & BIT(line)) &&
        !(levels & BIT(line))) {
        levels |= BIT(line);
        outb(ELCR1, (uint8_t)levels);
        outb(ELCR2, (uint8_t)(levels >> LINES_PER_PIC));
    }
    irq_restore(flags);
}

static bool line_is_valid(unsigned line)
{
    return line < NR_IRQ_LINES && line != CASCADE_LINE;
}

int irq_request(unsigned line, irq_handler_t handler, void *ctx, const char *name)
{
    if (!line_is_valid(line))
        return -EINVAL;

    uint32_t flags = irq_save();
    bool stuck = irq.lines[line].stuck;
    int error = stuck ? -EIO : -ENOSPC;

    for (unsigned i = 0; i < MAX_HANDLERS && !stuck; i++) {
        struct irq_action *action = &irq.actions[i];

        if (action->handler)
            continue;
        *action = (struct irq_action){handler, ctx, name, line};
        irq.lines[line].unowned = 0;
        set_masked(line, false);
        error = 0;
        break;
    }
    irq_restore(flags);
    return error;
}

void irq_free(unsigned line, irq_handler_t handler, const void *ctx)
{
    if (!line_is_valid(line))
        return;

    uint32_t flags = irq_save();
    bool used = false;

    for (unsigned i = 0; i < MAX_HANDLERS; i++) {
        struct irq_action *action = &irq.actions[i];

        if (action->line != line || !action->handler)
            continue;
        if (action->handler == handler && action->ctx == ctx)
            action->handler = NULL;
        else
            used = true;
    }
    if (!used)
        set_masked(line, true);
    irq_restore(flags);
}

static uint8_t read_in_service(uint16_t command)
{
    outb(command, OCW3_READ_ISR);
    return inb(command);
}

static bool is_in_service(unsigned line)
{
    return read_in_service(line < LINES_PER_PIC ? PIC1_COMMAND : PIC2_COMMAND) &
           BIT(line % LINES_PER_PIC);
}

static void end_of_interrupt(unsigned line)
{
    if (line >= LINES_PER_PIC) {
        outb(PIC2_COMMAND, (uint8_t)(OCW2_SPECIFIC_EOI | (line - LINES_PER_PIC)));
        line = CASCADE_LINE;
    }
    outb(PIC1_COMMAND, (uint8_t)(OCW2_SPECIFIC_EOI | line));
}

/*
 * An interrupt without a request is not in service and must not be acknowledged, or the
 * acknowledgement would hit another one. But if the second controller made it, the first one knows
 * nothing of that, and wants one for the cascade.
 */
static bool is_spurious(unsigned line)
{
    if (line % LINES_PER_PIC != LAST_OF_PIC || is_in_service(line) ||
        inject(irq_trust_spurious, irq))
        return false;
    if (line >= LINES_PER_PIC && is_in_service(CASCADE_LINE) && !inject(irq_keep_cascade, irq))
        end_of_interrupt(CASCADE_LINE);
    irq.spurious++;
    return true;
}

void irq_dispatch(unsigned line)
{
    if (!line_is_valid(line) || is_spurious(line))
        return;

    struct irq_line *state = &irq.lines[line];
    bool owned = false;

    state->count++;
    for (unsigned i = 0; i < MAX_HANDLERS; i++) {
        struct irq_action *action = &irq.actions[i];

        if (action->handler && action->line == line)
            owned |= action->handler(action->ctx);
        if (owned && inject(irq_first_handler_only, irq))
            break;
    }

    state->unowned = owned ? 0 : state->unowned + 1;
    if (state->unowned >= STUCK_AFTER)
        irq_declare_stuck(line);
    end_of_interrupt(line);
}

uint32_t irq_count(unsigned line)
{
    return line < NR_IRQ_LINES ? irq.lines[line].count : 0;
}

uint32_t irq_spurious_count(void)
{
    return irq.spurious;
}

bool irq_is_stuck(unsigned line)
{
    return line < NR_IRQ_LINES && irq.lines[line].stuck;
}

void irq_declare_stuck(unsigned line)
{
    struct irq_line *state;
    uint32_t flags;

    if (!line_is_valid(line) || irq_is_stuck(line))
        return;
    flags = irq_save();
    state = &irq.lines[line];
    state->stuck = state->untold = true;
    state->stuck_at = state->count;
    for (unsigned i = 0; i < IRQ_SUSPECTS; i++)
        state->suspects[i] = irq_handler_name(line, i);
    set_masked(line, true);
    irq_restore(flags);
}

void irq_unstick(unsigned line)
{
    uint32_t flags;

    if (!irq_is_stuck(line))
        return;
    flags = irq_save();
    irq.lines[line].stuck = false;
    irq.lines[line].unowned = 0;
    set_masked(line, !irq_handler_name(line, 0));
    irq_restore(flags);
}

bool irq_take_stuck(struct irq_stuck *stuck)
{
    for (unsigned i = 0; i < NR_IRQ_LINES; i++) {
        struct irq_line *state = &irq.lines[i];

        if (!state->untold)
            continue;
        state->untold = false;
        *stuck = (struct irq_stuck){.line = i, .count = state->stuck_at};
        memcpy(stuck->suspects, state->suspects, sizeof(stuck->suspects));
        return true;
    }
    return false;
}

uint16_t irq_in_service(void)
{
    uint32_t flags = irq_save();
    uint8_t first = read_in_service(PIC1_COMMAND), second = read_in_service(PIC2_COMMAND);

    irq_restore(flags);
    return (uint16_t)(first | second << LINES_PER_PIC);
}

const char *irq_handler_name(unsigned line, unsigned n)
{
    for (unsigned i = 0; i < MAX_HANDLERS; i++) {
        if (irq.actions[i].handler && irq.actions[i].line == line && n-- == 0)
            return irq.actions[i].name;
    }
    return NULL;
}

void irq_abandon_all(void)
{
    uint32_t flags = irq_save();
    uint8_t first = read_in_service(PIC1_COMMAND), second = read_in_service(PIC2_COMMAND);

    for (unsigned i = 0; i < MAX_HANDLERS; i++)
        irq.actions[i].handler = NULL;
    irq.mask = UINT16_MAX;
    write_masks();
    for (uint8_t line = 0; line < LINES_PER_PIC; line++) {
        if (second & BIT(line))
            outb(PIC2_COMMAND, (uint8_t)(OCW2_SPECIFIC_EOI | line));
        if (first & BIT(line))
            outb(PIC1_COMMAND, (uint8_t)(OCW2_SPECIFIC_EOI | line));
    }
    irq_restore(flags);
}
