/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_STACK_GRAPH_H
#define CI_STACK_GRAPH_H

/*
 * The call graph of the payload, and what is wrong with it.
 *
 * A function's name is gcc's: "test_fail", or "payload/suite.c:call_case" if it is static. Its
 * frame is all that a call of it takes from the stack, return address and pushed arguments
 * included, its callees' frames left out.
 *
 * What is wrong is told to graph->out, one line each, and counted; reading goes on.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct call {
    size_t callee; /* index of the function */
    bool by_pointer;
};

struct function {
    char *name;
    unsigned frame;      /* bytes */
    bool has_frame;      /* somebody said so: the compiler, or the table */
    bool from_compiler;  /* it was the compiler */
    bool is_dynamic;     /* the compiler knows no bound */
    bool calls_pointers; /* has an indirect call */
    bool address_taken;  /* stands in a table, a variable or an argument */
    bool is_target;      /* the table says who calls it by pointer, or that nobody does */
    bool ends_in_fault;  /* calls itself until the stack ends, on purpose */
    struct call *calls;
    size_t nr_calls;
};

/* A stack, bounded by two symbols of an object file, or of a size that the table gives. */
struct stack_area {
    char *name, *from, *to; /* from and to: NULL if the size is given */
    unsigned from_value, to_value;
    unsigned found; /* of the two symbols; a size counts as both */
};

struct graph {
    struct function *functions;
    size_t nr_functions;
    struct stack_area *stacks;
    size_t nr_stacks;
    FILE *out;
    unsigned problems;
};

/* Counts and tells what is wrong. */
void problem(struct graph *g, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Index of a function, which is added if it is new. */
size_t function_named(struct graph *g, const char *name);

/* The same, or NULL if there is none. */
struct function *function_find(struct graph *g, const char *name);

/* True if the caller had no such call yet. */
bool call_add(struct graph *g, size_t caller, size_t callee, bool by_pointer);

void graph_free(struct graph *g);

/* What gcc -fcallgraph-info=su wrote for one source. `name` is for messages. */
void callgraph_read(struct graph *g, FILE *in, const char *name);

/*
 * One ELF32 object: which functions' addresses are taken, where the stacks are, and whether all
 * calls to other objects are known (those of inline assembly are not, to the compiler). `source` is
 * the name of its source as the compiler was given it. To be read after the call graphs.
 */
void object_read(struct graph *g, const char *bytes, size_t size, const char *source);

#endif
