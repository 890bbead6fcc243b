/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_STACK_TABLE_H
#define CI_STACK_TABLE_H

/*
 * What the compiler can't know, from ci/stack.cfg: a line a fact, words apart by spaces, `#` begins
 * a comment. A fact that is not true, or not needed any more, is a problem.
 *
 *     function NAME BYTES       a function of an assembly file or of libgcc, with its frame
 *     calls CALLER CALLEE...    calls from assembly
 *     indirect CALLER PATTERN...
 *                               whom CALLER calls by pointer: all functions whose address is taken
 *                               and whose names match (fnmatch(3)); or a `function` of this
 *                               table by its full name, such as code that is made at run time
 *     address NAME...           address taken, never called
 *     overflows NAME            calls itself until the stack ends, on purpose
 *     stack NAME FROM TO        the symbols of its lowest byte and of the first one above it
 *     stack NAME BYTES          one that is allocated: no object has it, so a _Static_assert in the
 *                               code must tie the number to its size
 *     entry NAME FUNCTION [except FUNCTION...]
 *                               where the processor comes in, and what it does not do from there
 *     margin BYTES              what each stack keeps free
 *     check STACK ENTRY...      the deepest paths of these, one on top of the other, and the margin
 *                               fit the stack
 */

#include "ci/stack/graph.h"

struct fact {
    unsigned line;
    char **words; /* the first is the kind; ended by a NULL */
    size_t nr_words;
};

struct table {
    struct fact *facts;
    size_t nr_facts;
};

void table_read(struct table *t, struct graph *g, FILE *in);
void table_free(struct table *t);

/* Functions, calls and stacks: between the call graphs and the objects. */
void table_declare(const struct table *t, struct graph *g);

/* Calls by pointer, when all is read. Then the graph is whole. */
void table_resolve(const struct table *t, struct graph *g);

/* The entry of that name, or NULL. */
const struct fact *table_entry(const struct table *t, const char *name);

#endif
