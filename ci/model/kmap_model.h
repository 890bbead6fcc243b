/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_MODEL_KMAP_MODEL_H
#define CI_MODEL_KMAP_MODEL_H

/*
 * kmap() and kmap_local_page() against an obviously right model.
 *
 * The code under test runs on a processor of a few arrays: page tables, and a TLB that keeps every
 * translation that it ever saw, whether used or only walked ahead, until it is flushed. Some
 * simulated threads use it; which one goes on is part of the sequence of operations, so that every
 * run can be repeated. An interrupt, a switch to another thread or a walk of the page tables can
 * come before any access to memory that the code under test makes (the compiler puts a call there).
 * Beside it stands the model: for each page how often it is mapped and where, for each thread its
 * stack of short windows, and who sleeps. After each operation the two are compared.
 *
 * The pool and the stacks are small (MODEL_SLOTS, MODEL_DEPTH), so that all that can happen between
 * them happens within a few operations.
 */

#include <stdint.h>

#define MODEL_THREADS 4u
#define MODEL_LOW_PAGES 2u
#define MODEL_HIGH_PAGES 8u /* half of them above 4 GiB */
#define MODEL_PAGES (MODEL_LOW_PAGES + MODEL_HIGH_PAGES)

/* What a thread does. One that sleeps does nothing; one that was stopped in the middle goes on. */
enum op_kind {
    OP_KMAP,          /* page */
    OP_KUNMAP,        /* page, mapped or not */
    OP_LOCAL,         /* a short window to page */
    OP_LOCAL_PFN,     /* the same by number; page makes the number */
    OP_UNLOCAL,       /* gives back the last one */
    OP_UNLOCAL_WRONG, /* gives back the short window number `page`, which is not the last */
    OP_FREE,          /* page goes to the free list, as the page allocator does it */
    OP_ALLOC,         /* and comes from there */
    OP_FORSAKE,       /* if it sleeps, nobody can wake it any more, and it is told so */
    OP_RESET,         /* all threads are ended where they are, all windows closed */
    NR_OP_KINDS
};

/* What comes between. */
enum op_event {
    EVENT_NONE,
    EVENT_IRQ,     /* before access number `at`, an interrupt that uses short windows */
    EVENT_PREEMPT, /* there the thread stops, and another may run (only in short windows' code) */
    EVENT_WALK,    /* before every access, the processor walks all page tables ahead */
    NR_EVENTS
};

struct op {
    uint8_t thread, kind, page, event, at;
};

enum model_count {
    COUNT_SLEPT,
    COUNT_WRAPS,
    COUNT_PREEMPTED,
    COUNT_INTERRUPTED,
    COUNT_CONTENDED, /* maps while others waited */
    MODEL_NR_COUNTS
};

#define MODEL_OP_BYTES 3u
#define MODEL_NR_FIELDS 5u
#define MODEL_NR_WAYS 6u

#endif
