// SPDX-License-Identifier: BSD-2-Clause
#include "ci/stack/graph.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "ci/array.h"

void problem(struct graph *g, const char *fmt, ...)
{
    va_list args;

    fprintf(g->out, "stack: ");
    va_start(args, fmt);
    vfprintf(g->out, fmt, args);
    va_end(args);
    fputc('\n', g->out);
    g->problems++;
}

/* A few hundred functions: looking through all of them is fast enough. */
struct function *function_find(struct graph *g, const char *name)
{
    for (size_t i = 0; i < g->nr_functions; i++) {
        if (!strcmp(g->functions[i].name, name))
            return &g->functions[i];
    }
    return NULL;
}

size_t function_named(struct graph *g, const char *name)
{
    struct function *known = function_find(g, name);

    if (known)
        return (size_t)(known - g->functions);
    struct function *added = array_add(&g->functions, &g->nr_functions);
    added->name = strdup(name);
    if (!added->name)
        abort();
    return g->nr_functions - 1;
}

bool call_add(struct graph *g, size_t caller, size_t callee, bool by_pointer)
{
    struct function *f = &g->functions[caller];

    for (size_t i = 0; i < f->nr_calls; i++) {
        if (f->calls[i].callee == callee)
            return false;
    }
    *array_add(&f->calls, &f->nr_calls) = (struct call){callee, by_pointer};
    return true;
}

void graph_free(struct graph *g)
{
    for (size_t i = 0; i < g->nr_functions; i++) {
        free(g->functions[i].name);
        free(g->functions[i].calls);
    }
    for (size_t i = 0; i < g->nr_stacks; i++) {
        free(g->stacks[i].name);
        free(g->stacks[i].from);
        free(g->stacks[i].to);
    }
    free(g->functions);
    free(g->stacks);
    *g = (struct graph){.out = g->out};
}
