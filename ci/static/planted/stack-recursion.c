/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Planted for the stack check: recursion through a pointer, which no compiler sees.
 *
 * WANTED: stack: recursion: planted_walk -> ci/static/planted/stack-recursion.c:visit ->
 * planted_walk
 */
#include "lib/types.h"

typedef void (*visit_t)(unsigned depth);

void planted_walk(visit_t visit, unsigned depth);
void planted_start(void);

__attribute__((noinline)) void planted_walk(visit_t visit, unsigned depth)
{
    volatile unsigned here = depth;

    visit(here + 1);
    here = 0;
}

static void visit(unsigned depth)
{
    volatile unsigned here = depth;

    planted_walk(visit, here);
    here = 0;
}

void planted_start(void)
{
    planted_walk(visit, 0);
}
