/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAYLOAD_TRACE_H
#define PAYLOAD_TRACE_H

/*
 * Marks for `make trace`: Bochs stops at `xchg %bx,%bx` (magic_break), and everything else takes it
 * for a no-op. What lies between a mark that begins and one that ends is traced, instruction by
 * instruction.
 *
 * A stretch has a name, and the boot option says which are marked:
 *
 *     trace              every suite, by its name: "kmap"
 *     trace=GLOB,...     those whose name matches: "kmap.wraps" for a case, "kmap.*" for all of a
 *                        suite, "dma_bounce.reads.ide0" for a case with instances, and whatever
 *                        finer names a case gives to parts of its work
 *
 * Stretches don't nest: while one is open, others inside it are not marked.
 * Without the option a call is one test of a flag; keep it out of what is measured.
 * Context: thread.
 */

#include "lib/types.h"

#define TRACE_NAME_MAX 64

/* The name of the stretch that was marked last; the host's tool reads it at the mark. */
extern char trace_stretch[TRACE_NAME_MAX];

/* Whether the boot option was given at all: whether it is worth while to put a name together. */
bool trace_is_wanted(void);

/* Whether a stretch is open. */
bool trace_is_open(void);

/* Marks the beginning of the stretch `name`, if the option wants it and none is open. */
void trace_begin(const char *name);

/* Marks its end. Another name than that of the open stretch does nothing; NULL ends any. */
void trace_end(const char *name);

#endif
