/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_TRACE_PROFILE_H
#define CI_TRACE_PROFILE_H

/*
 * Who called whom, and what it cost: a shadow of the traced program's stack, made from the
 * instructions alone.
 *
 * A CALL opens a frame. A RET closes the frame whose return address stood at the stack address that
 * the RET read (without memory accesses in the trace: that has the same return address), and all
 * frames above it: so a longjmp is no trouble, and neither is recursion. An exception or interrupt
 * opens a frame that IRET closes, wherever IRET goes. A jump into another function opens a frame
 * too, which closes together with the one under it; a jump back to a function of such a chain
 * closes those above. A RET that fits no frame leaves the function in which tracing began, or is a
 * jump.
 *
 * Inclusive costs count the outermost activation of a function only, so that recursion does not
 * count twice. What an interrupt costs is its own, and is in no inclusive cost of those whom it
 * interrupted; an exception belongs to the code that caused it.
 */

#include "ci/trace/bochs_output.h"
#include "ci/trace/sites.h"

enum frame_kind { FRAME_BASE, FRAME_CALL, FRAME_JUMP, FRAME_EVENT };

struct frame {
    enum frame_kind kind;
    uint32_t function;
    struct site *from; /* the instruction that opened it, or NULL */
    uint32_t return_to, slot;
    bool has_slot, outermost, is_interrupt;
    struct cost start;
};

/* All calls from one site to one function. */
struct arc {
    struct site *from;
    uint32_t callee;
    uint64_t calls;
    struct cost inclusive;
};

struct function_cost {
    struct cost inclusive;
    uint64_t calls;
    unsigned active; /* frames open now */
};

struct profile {
    struct sites *sites;
    struct cost total;
    struct cost excluded; /* by interrupts that are over */
    struct frame *stack;
    size_t depth, stack_room;
    uint64_t lost_frames;
    struct arc *arcs; /* a hash table; from NULL: empty */
    size_t nr_arcs, arcs_room;
    struct function_cost *functions; /* by number */
    size_t functions_room;
    struct site *current; /* the newest instruction, and what stood there when it ran */
    enum site_kind current_kind;
    uint8_t current_length;
    bool current_read, current_wrote;
    uint32_t first_read, last_write; /* its accesses */
    struct {
        bool is_pending, has_gate, has_return;
        unsigned vector, writes;
        uint32_t handler, return_to;
    } event;
    /* Where an event's handler seems to be called from: one for each vector. */
    struct site *event_sites[256];
    uint32_t watched; /* function whose calls are noted one by one, or IMAGE_NO_FUNCTION */
    uint64_t *calls;  /* inclusive instructions of each complete call of it */
    size_t nr_calls;
};

void profile_init(struct profile *profile, struct sites *sites);

/* Notes the cost of each call of the function named so. False if there is none. */
bool profile_watch(struct profile *profile, const char *function);

/* A memory access of the newest instruction, or of the event that is being delivered. */
void profile_access(struct profile *profile, const struct bochs_line *access);

/* The processor delivers an exception or an interrupt. */
void profile_event(struct profile *profile, unsigned vector);

/*
 * Where the instruction that Bochs now shows really is: with the first one of an interrupt's
 * handler it shows the address that was interrupted instead. Returns true and sets *linear then.
 */
bool profile_is_unseen(const struct profile *profile, uint32_t *linear);

/* The next instruction. */
void profile_instruction(struct profile *profile, struct site *site);

/* The trace ends here, for now: closes all frames. */
void profile_cut(struct profile *profile);

/* "page fault", "interrupt 0x20"; in a static buffer. */
const char *profile_event_name(unsigned vector);

void profile_free(struct profile *profile);

#endif
