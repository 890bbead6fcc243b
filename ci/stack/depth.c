// SPDX-License-Identifier: BSD-2-Clause
#include "ci/stack/depth.h"

#include <stdlib.h>
#include <string.h>

enum mark { MARK_NEW, MARK_OPEN, MARK_DONE, MARK_LEFT_OUT };

/* The deepest path from one entry. */
struct walk {
    struct graph *g;
    enum mark *mark;
    unsigned *depth; /* from the function's frame down */
    size_t *next;    /* the callee on the deepest path; itself at the end */
};

static struct walk walk_open(struct graph *g)
{
    struct walk w = {.g = g};

    w.mark = calloc(g->nr_functions + 1, sizeof(*w.mark));
    w.depth = calloc(g->nr_functions + 1, sizeof(*w.depth));
    w.next = calloc(g->nr_functions + 1, sizeof(*w.next));
    if (!w.mark || !w.depth || !w.next)
        abort();
    return w;
}

static void walk_close(struct walk *w)
{
    free(w->mark);
    free(w->depth);
    free(w->next);
}

/* `from` is open and was met again below `at`: `next` leads from the one to the other. */
static void tell_cycle(struct walk *w, size_t from, size_t at)
{
    size_t i = from;

    fprintf(w->g->out, "stack: recursion: %s", w->g->functions[from].name);
    while (i != at) {
        i = w->next[i];
        fprintf(w->g->out, " -> %s", w->g->functions[i].name);
    }
    fprintf(w->g->out, " -> %s\n", w->g->functions[from].name);
    w->g->problems++;
}

static void find_cycles(struct walk *w, size_t at)
{
    const struct function *f = &w->g->functions[at];

    w->mark[at] = MARK_OPEN;
    for (size_t i = 0; i < f->nr_calls; i++) {
        size_t callee = f->calls[i].callee;

        if (callee == at && f->ends_in_fault)
            continue;
        w->next[at] = callee;
        if (w->mark[callee] == MARK_OPEN)
            tell_cycle(w, callee, at);
        else if (w->mark[callee] == MARK_NEW)
            find_cycles(w, callee);
    }
    w->mark[at] = MARK_DONE;
}

bool depth_no_recursion(struct graph *g)
{
    struct walk w = walk_open(g);
    unsigned before = g->problems;

    for (size_t i = 0; i < g->nr_functions; i++) {
        if (w.mark[i] == MARK_NEW)
            find_cycles(&w, i);
    }
    walk_close(&w);
    return g->problems == before;
}

static void measure(struct walk *w, size_t at)
{
    const struct function *f = &w->g->functions[at];
    unsigned below = 0;

    w->mark[at] = MARK_DONE;
    w->next[at] = at;
    for (size_t i = 0; i < f->nr_calls; i++) {
        size_t callee = f->calls[i].callee;

        if (callee == at || w->mark[callee] == MARK_LEFT_OUT)
            continue;
        if (w->mark[callee] == MARK_NEW)
            measure(w, callee);
        if (w->depth[callee] > below) {
            below = w->depth[callee];
            w->next[at] = callee;
        }
    }
    w->depth[at] = f->frame + below;
}

/* False, and a problem, if the entry names what is not there. */
static bool measure_entry(struct walk *w, const struct fact *entry, size_t *start)
{
    const struct function *f = function_find(w->g, entry->words[2]);
    unsigned before = w->g->problems;

    if (!f)
        problem(w->g, "table, line %u: there is no %s", entry->line, entry->words[2]);
    if (entry->nr_words > 3 && strcmp(entry->words[3], "except") != 0)
        problem(w->g, "table, line %u: `except` wanted, not `%s`", entry->line, entry->words[3]);
    for (size_t i = 4; i < entry->nr_words; i++) {
        const struct function *out = function_find(w->g, entry->words[i]);

        if (out)
            w->mark[out - w->g->functions] = MARK_LEFT_OUT;
        else
            problem(w->g, "table, line %u: there is no %s", entry->line, entry->words[i]);
    }
    if (w->g->problems != before)
        return false;
    *start = (size_t)(f - w->g->functions);
    measure(w, *start);
    return true;
}

static void tell_path(const struct walk *w, const char *name, size_t at)
{
    fprintf(w->g->out, "%-12s %5u bytes:", name, w->depth[at]);
    for (;; at = w->next[at]) {
        fprintf(w->g->out, " %s %u", w->g->functions[at].name, w->g->functions[at].frame);
        if (w->next[at] == at)
            break;
        fprintf(w->g->out, " ->");
    }
    fputc('\n', w->g->out);
}

static bool is_by_pointer(const struct function *f, size_t callee)
{
    for (size_t i = 0; i < f->nr_calls; i++) {
        if (f->calls[i].callee == callee)
            return f->calls[i].by_pointer;
    }
    return false;
}

/* A line a function: what is in use when it runs, its own part of that, its name. */
static void tell_frames(const struct walk *w, const char *name, size_t at)
{
    unsigned total = 0;
    bool by_pointer = false;

    fprintf(w->g->out, "%s, %u bytes:\n", name, w->depth[at]);
    for (;; at = w->next[at]) {
        const struct function *f = &w->g->functions[at];

        total += f->frame;
        fprintf(w->g->out, "  %5u %5u  %s%s\n", total, f->frame, f->name,
                by_pointer ? " (by pointer)" : "");
        if (w->next[at] == at)
            return;
        by_pointer = is_by_pointer(f, w->next[at]);
    }
}

typedef void (*tell_t)(const struct walk *w, const char *name, size_t start);

/* Bytes that the entry's deepest path takes, 0 if there is none. `tell` may be NULL. */
static unsigned entry_depth(struct graph *g, const struct fact *entry, tell_t tell)
{
    struct walk w = walk_open(g);
    unsigned depth = 0;
    size_t start;

    if (measure_entry(&w, entry, &start)) {
        depth = w.depth[start];
        if (tell)
            tell(&w, entry->words[1], start);
    }
    walk_close(&w);
    return depth;
}

static const struct stack_area *stack_named(const struct graph *g, const char *name)
{
    for (size_t i = 0; i < g->nr_stacks; i++) {
        if (!strcmp(g->stacks[i].name, name))
            return &g->stacks[i];
    }
    return NULL;
}

static void run_check(struct graph *g, const struct table *t, const struct fact *check,
                      unsigned margin, bool all)
{
    const struct stack_area *stack = stack_named(g, check->words[1]);
    unsigned total = 0, size;

    if (!stack || stack->found != 2 || stack->to_value < stack->from_value) {
        problem(g, "table, line %u: no object has a stack %s", check->line, check->words[1]);
        return;
    }
    size = stack->to_value - stack->from_value;
    for (size_t i = 2; i < check->nr_words; i++) {
        const struct fact *entry = table_entry(t, check->words[i]);

        if (!entry)
            problem(g, "table, line %u: there is no entry %s", check->line, check->words[i]);
        else
            total += entry_depth(g, entry, NULL);
    }
    if (total + margin <= size && !all)
        return;
    fprintf(g->out, "%s:", stack->name);
    for (size_t i = 2; i < check->nr_words; i++)
        fprintf(g->out, "%s %s", i > 2 ? " +" : "", check->words[i]);
    fprintf(g->out, " = %u of %u bytes, margin %u: %s\n", total, size, margin,
            total + margin <= size ? "fits" : "DOES NOT FIT");
    if (total + margin <= size)
        return;
    for (size_t i = 2; i < check->nr_words; i++) {
        if (table_entry(t, check->words[i]))
            entry_depth(g, table_entry(t, check->words[i]), tell_frames);
    }
    problem(g, "%u bytes too many on %s", total + margin - size, stack->name);
}

void depth_check(struct graph *g, const struct table *t, bool all)
{
    unsigned margin = 0, checks = 0;

    for (size_t i = 0; i < t->nr_facts; i++) {
        const struct fact *fact = &t->facts[i];

        if (!strcmp(fact->words[0], "margin"))
            margin = (unsigned)strtoul(fact->words[1], NULL, 10);
        else if (all && !strcmp(fact->words[0], "entry"))
            entry_depth(g, fact, tell_path);
    }
    for (size_t i = 0; i < t->nr_facts; i++) {
        if (strcmp(t->facts[i].words[0], "check") != 0)
            continue;
        run_check(g, t, &t->facts[i], margin, all);
        checks++;
    }
    if (!checks)
        problem(g, "the table checks nothing");
}
