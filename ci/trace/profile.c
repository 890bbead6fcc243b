// SPDX-License-Identifier: BSD-2-Clause
#include "ci/trace/profile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ci/array.h"
#include "ci/runner/words.h"

#define DEPTH_MAX 1000u
#define FIRST_INTERRUPT 32u
#define RETURN_BYTES 4u
#define GATE_BYTES 8u
#define WRITES_BEFORE_RETURN 2u /* EFLAGS and CS are pushed first */

static void *reallocate(void *array, size_t count, size_t size)
{
    array = reallocarray(array, count, size);
    if (!array)
        abort();
    return array;
}

void profile_init(struct profile *profile, struct sites *sites)
{
    *profile = (struct profile){.sites = sites, .watched = IMAGE_NO_FUNCTION};
}

bool profile_watch(struct profile *profile, const char *function)
{
    for (size_t i = 0; i < profile->sites->image->nr_functions; i++) {
        if (!strcmp(profile->sites->image->functions[i], function)) {
            profile->watched = (uint32_t)i;
            return true;
        }
    }
    return false;
}

const char *profile_event_name(unsigned vector)
{
    static char name[32];

    if (vector == 14)
        return "page fault";
    if (vector == 13)
        return "general protection";
    if (vector == 8)
        return "double fault";
    snprintf(name, sizeof(name), vector < FIRST_INTERRUPT ? "exception %u" : "interrupt 0x%02x",
             vector);
    return name;
}

static struct function_cost *function_cost(struct profile *profile, uint32_t function)
{
    if (function >= profile->functions_room) {
        size_t room = 2 * ((size_t)function + 1);

        profile->functions = reallocate(profile->functions, room, sizeof(*profile->functions));
        memset(profile->functions + profile->functions_room, 0,
               (room - profile->functions_room) * sizeof(*profile->functions));
        profile->functions_room = room;
    }
    return &profile->functions[function];
}

static void add(struct cost *to, const struct cost *cost)
{
    to->instructions += cost->instructions;
    to->reads += cost->reads;
    to->writes += cost->writes;
}

static void subtract(struct cost *from, const struct cost *cost)
{
    from->instructions -= cost->instructions;
    from->reads -= cost->reads;
    from->writes -= cost->writes;
}

/* What was spent until now, interrupts left out. */
static struct cost spent(const struct profile *profile)
{
    struct cost cost = profile->total;

    subtract(&cost, &profile->excluded);
    return cost;
}

static size_t hash(const struct site *from, uint32_t callee)
{
    uint64_t mix =
        ((uint64_t)(uintptr_t)from ^ (uint64_t)callee << 40) * UINT64_C(0x9e3779b97f4a7c15);

    return (size_t)(mix >> 32);
}

static struct arc *find_arc(struct arc *arcs, size_t room, struct site *from, uint32_t callee)
{
    size_t at = hash(from, callee) & (room - 1);

    while (arcs[at].from && (arcs[at].from != from || arcs[at].callee != callee))
        at = (at + 1) & (room - 1);
    return &arcs[at];
}

static struct arc *arc_of(struct profile *profile, struct site *from, uint32_t callee)
{
    if (2 * profile->nr_arcs >= profile->arcs_room) {
        size_t room = profile->arcs_room ? 2 * profile->arcs_room : 1024;
        struct arc *arcs = calloc(room, sizeof(*arcs));

        if (!arcs)
            abort();
        for (size_t i = 0; i < profile->arcs_room; i++) {
            if (profile->arcs[i].from)
                *find_arc(arcs, room, profile->arcs[i].from, profile->arcs[i].callee) =
                    profile->arcs[i];
        }
        free(profile->arcs);
        profile->arcs = arcs;
        profile->arcs_room = room;
    }
    struct arc *arc = find_arc(profile->arcs, profile->arcs_room, from, callee);
    if (!arc->from) {
        *arc = (struct arc){.from = from, .callee = callee};
        profile->nr_arcs++;
    }
    return arc;
}

static void note_call(struct profile *profile, uint64_t instructions)
{
    *array_add(&profile->calls, &profile->nr_calls) = instructions;
}

/* `complete`: the function came to its end, and was not only left by the trace. */
static void pop(struct profile *profile, bool complete)
{
    struct frame *frame = &profile->stack[--profile->depth];
    struct function_cost *function = function_cost(profile, frame->function);
    struct cost inclusive = spent(profile);

    subtract(&inclusive, &frame->start);
    function->active--;
    if (frame->outermost)
        add(&function->inclusive, &inclusive);
    if (frame->kind != FRAME_BASE)
        function->calls++;
    if (frame->from) {
        struct arc *arc = arc_of(profile, frame->from, frame->function);

        arc->calls++;
        if (frame->outermost)
            add(&arc->inclusive, &inclusive);
    }
    if (complete && frame->function == profile->watched && frame->outermost)
        note_call(profile, inclusive.instructions);
    if (frame->is_interrupt)
        add(&profile->excluded, &inclusive);
}

static void push(struct profile *profile, struct frame frame)
{
    struct function_cost *function = function_cost(profile, frame.function);

    if (profile->depth == DEPTH_MAX) {
        /* Something that we don't understand; better no stack than a wrong one for ever. */
        profile->lost_frames += profile->depth;
        while (profile->depth)
            pop(profile, false);
        frame.kind = FRAME_BASE;
        frame.from = NULL;
    }
    if (profile->depth == profile->stack_room) {
        profile->stack_room = profile->stack_room ? 2 * profile->stack_room : 64;
        profile->stack = reallocate(profile->stack, profile->stack_room, sizeof(*profile->stack));
    }
    frame.outermost = !function->active++;
    frame.start = spent(profile);
    profile->stack[profile->depth++] = frame;
}

static void pop_to(struct profile *profile, size_t depth)
{
    while (profile->depth > depth)
        pop(profile, true);
}

static void enter_base(struct profile *profile, uint32_t function)
{
    pop_to(profile, 0);
    push(profile, (struct frame){.kind = FRAME_BASE, .function = function});
}

/* On to `function` without a call. */
static void jump(struct profile *profile, struct site *from, uint32_t function)
{
    if (!profile->depth) {
        enter_base(profile, function);
        return;
    }
    for (size_t i = profile->depth; i-- > 0;) {
        if (profile->stack[i].function == function) {
            pop_to(profile, i + 1);
            return;
        }
        if (profile->stack[i].kind != FRAME_JUMP)
            break;
    }
    push(profile, (struct frame){.kind = FRAME_JUMP, .function = function, .from = from});
}

static bool returns_from(const struct profile *profile, const struct frame *frame, uint32_t to)
{
    if (frame->kind != FRAME_CALL || frame->return_to != to)
        return false;
    return !frame->has_slot || !profile->current_read || frame->slot == profile->first_read;
}

static void go_back(struct profile *profile, struct site *from, uint32_t to, uint32_t function)
{
    size_t i;

    for (i = profile->depth; i-- > 0;) {
        if (returns_from(profile, &profile->stack[i], to)) {
            pop_to(profile, i);
            jump(profile, from, function);
            return;
        }
    }
    for (i = profile->depth; i-- > 0 && profile->stack[i].kind == FRAME_JUMP;)
        ;
    if (i == 0 && profile->stack[0].kind == FRAME_BASE)
        enter_base(profile, function); /* out of where tracing began */
    else
        jump(profile, from, function);
}

static void end_event(struct profile *profile, struct site *from, uint32_t function)
{
    for (size_t i = profile->depth; i-- > 0;) {
        if (profile->stack[i].kind == FRAME_EVENT) {
            pop_to(profile, i);
            break;
        }
    }
    jump(profile, from, function);
}

/* The newest instruction led to `linear`. */
static void arrive(struct profile *profile, uint32_t linear, uint32_t function)
{
    struct site *site = profile->current;

    if (!site || !profile->depth) {
        jump(profile, site, function);
        return;
    }
    uint32_t behind = site->linear + profile->current_length;

    switch (profile->current_kind) {
    case SITE_CALL:
        /* A call to the next instruction asks for an address, and never returns. */
        if (linear == behind)
            break;
        push(profile, (struct frame){.kind = FRAME_CALL,
                                     .function = function,
                                     .from = site,
                                     .return_to = behind,
                                     .slot = profile->last_write,
                                     .has_slot = profile->current_wrote});
        return;
    case SITE_RETURN:
        go_back(profile, site, linear, function);
        return;
    case SITE_INTERRUPT_RETURN:
        end_event(profile, site, function);
        return;
    default:
        break;
    }
    jump(profile, site, function);
}

static struct site *event_site(struct profile *profile, unsigned vector)
{
    struct site **site = &profile->event_sites[vector & 0xff];

    if (!*site) {
        char *name = text("[%s]", profile_event_name(vector));

        *site = calloc(1, sizeof(**site));
        if (!*site)
            abort();
        (*site)->function = sites_extra_function(profile->sites, name);
        free(name);
    }
    return *site;
}

/* Opens the frame of the event whose delivery is over. */
static void deliver(struct profile *profile)
{
    bool is_interrupt = profile->event.vector >= FIRST_INTERRUPT;
    struct site *site = event_site(profile, profile->event.vector), *from = profile->current;

    profile->event.is_pending = false;
    /* If it did not fault itself, the newest instruction is over, and led to where it goes on. */
    if (from && profile->event.has_return && profile->event.return_to != from->linear)
        arrive(profile, profile->event.return_to,
               sites_function(profile->sites, profile->event.return_to));
    push(profile, (struct frame){.kind = FRAME_EVENT,
                                 .function = site->function,
                                 .from = is_interrupt ? NULL : from,
                                 .is_interrupt = is_interrupt});
    profile->current = site;
    profile->current_kind = SITE_OTHER;
}

void profile_event(struct profile *profile, unsigned vector)
{
    if (profile->event.is_pending)
        deliver(profile); /* an event while another was delivered */
    profile->event.is_pending = true;
    profile->event.has_gate = false;
    profile->event.has_return = false;
    profile->event.vector = vector;
    profile->event.writes = 0;
}

/* The processor's own accesses: it reads the gate, and pushes flags, selector and EIP. */
static void event_access(struct profile *profile, const struct bochs_line *access)
{
    if (access->access == BOCHS_READ && access->length == GATE_BYTES && !profile->event.has_gate) {
        profile->event.has_gate = true;
        profile->event.handler =
            (uint32_t)(access->value >> 32 & 0xffff0000) | (uint32_t)(access->value & 0xffff);
    }
    if (access->access == BOCHS_WRITE && profile->event.writes++ == WRITES_BEFORE_RETURN) {
        profile->event.has_return = true;
        profile->event.return_to = (uint32_t)access->value;
    }
}

void profile_access(struct profile *profile, const struct bochs_line *access)
{
    if (profile->event.is_pending) {
        event_access(profile, access);
        return;
    }
    if (access->access == BOCHS_WALK || !profile->current)
        return;
    if (access->access != BOCHS_WRITE) {
        profile->current->cost.reads++;
        profile->total.reads++;
        if (!profile->current_read && access->has_linear) {
            profile->current_read = true;
            profile->first_read = access->linear;
        }
    } else {
        profile->current->cost.writes++;
        profile->total.writes++;
        if (access->has_linear && access->length == RETURN_BYTES) {
            profile->current_wrote = true;
            profile->last_write = access->linear;
        }
    }
}

bool profile_is_unseen(const struct profile *profile, uint32_t *linear)
{
    if (!profile->event.is_pending || !profile->event.has_gate || !profile->event.has_return ||
        *linear != profile->event.return_to || *linear == profile->event.handler ||
        profile->event.vector < FIRST_INTERRUPT)
        return false;
    *linear = profile->event.handler;
    return true;
}

void profile_instruction(struct profile *profile, struct site *site)
{
    if (profile->event.is_pending)
        deliver(profile);
    if (profile->current != site || profile->current_kind != SITE_OTHER)
        arrive(profile, site->linear, site->function);
    profile->current = site;
    profile->current_kind = site->kind;
    profile->current_length = site->length;
    profile->current_read = false;
    profile->current_wrote = false;
    site->cost.instructions++;
    profile->total.instructions++;
}

void profile_cut(struct profile *profile)
{
    while (profile->depth)
        pop(profile, false);
    profile->current = NULL;
    profile->event.is_pending = false;
}

void profile_free(struct profile *profile)
{
    for (size_t i = 0; i < 256; i++)
        free(profile->event_sites[i]);
    free(profile->stack);
    free(profile->arcs);
    free(profile->functions);
    free(profile->calls);
    *profile = (struct profile){0};
}
