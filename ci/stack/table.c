// SPDX-License-Identifier: BSD-2-Clause
#include "ci/stack/table.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "ci/array.h"

#define BLANKS " \t\r\n"

static const struct {
    const char *kind;
    size_t words; /* at least, the kind included */
} kinds[] = {
    {"function", 3}, {"calls", 3}, {"indirect", 3}, {"address", 2}, {"overflows", 2},
    {"stack", 3},    {"entry", 3}, {"margin", 2},   {"check", 3},
};

static bool is_kind(const struct fact *fact, const char *kind)
{
    return !strcmp(fact->words[0], kind);
}

static void check_form(struct graph *g, const struct fact *fact)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (!is_kind(fact, kinds[i].kind))
            continue;
        if (fact->nr_words < kinds[i].words)
            problem(g, "table, line %u: too few words for `%s`", fact->line, fact->words[0]);
        return;
    }
    problem(g, "table, line %u: no such fact as `%s`", fact->line, fact->words[0]);
}

void table_read(struct table *t, struct graph *g, FILE *in)
{
    char text[1024], *rest;

    for (unsigned line = 1; fgets(text, sizeof(text), in); line++) {
        struct fact fact = {.line = line};

        text[strcspn(text, "#")] = 0;
        for (char *word = strtok_r(text, BLANKS, &rest); word;
             word = strtok_r(NULL, BLANKS, &rest)) {
            /* And for the NULL behind it. */
            fact.words = array_more(fact.words, fact.nr_words + 1, sizeof(*fact.words));
            fact.words[fact.nr_words++] = strdup(word);
        }
        if (!fact.nr_words)
            continue;
        *array_add(&t->facts, &t->nr_facts) = fact;
        check_form(g, &fact);
    }
}

void table_free(struct table *t)
{
    for (size_t i = 0; i < t->nr_facts; i++) {
        for (size_t k = 0; k < t->facts[i].nr_words; k++)
            free(t->facts[i].words[k]);
        free(t->facts[i].words);
    }
    free(t->facts);
    *t = (struct table){0};
}

static void declare_function(struct graph *g, const struct fact *fact)
{
    struct function *f = function_find(g, fact->words[1]);
    size_t index;

    if (f && f->from_compiler) {
        problem(g, "table, line %u: the compiler knows %s", fact->line, fact->words[1]);
        return;
    }
    index = function_named(g, fact->words[1]);
    f = &g->functions[index];
    f->frame = (unsigned)strtoul(fact->words[2], NULL, 10);
    f->has_frame = true;
}

static void declare_calls(struct graph *g, const struct fact *fact)
{
    if (!function_find(g, fact->words[1])) {
        problem(g, "table, line %u: there is no %s", fact->line, fact->words[1]);
        return;
    }
    for (size_t i = 2; i < fact->nr_words; i++) {
        if (!function_find(g, fact->words[i]))
            problem(g, "table, line %u: there is no %s", fact->line, fact->words[i]);
        else if (!call_add(g, function_named(g, fact->words[1]), function_named(g, fact->words[i]),
                           false))
            problem(g, "table, line %u: the compiler knows that %s calls %s", fact->line,
                    fact->words[1], fact->words[i]);
    }
}

static void declare_stack(struct graph *g, const struct fact *fact)
{
    struct stack_area stack = {.name = strdup(fact->words[1])};

    if (fact->nr_words > 3) {
        stack.from = strdup(fact->words[2]);
        stack.to = strdup(fact->words[3]);
    } else {
        char *end;

        stack.to_value = (unsigned)strtoul(fact->words[2], &end, 10);
        stack.found = 2;
        if (*end || !stack.to_value)
            problem(g, "table, line %u: %s is no size of a stack", fact->line, fact->words[2]);
    }
    *array_add(&g->stacks, &g->nr_stacks) = stack;
}

void table_declare(const struct table *t, struct graph *g)
{
    for (size_t i = 0; i < t->nr_facts; i++) {
        const struct fact *fact = &t->facts[i];

        if (is_kind(fact, "function"))
            declare_function(g, fact);
        else if (is_kind(fact, "stack"))
            declare_stack(g, fact);
    }
    for (size_t i = 0; i < t->nr_facts; i++) {
        if (is_kind(&t->facts[i], "calls"))
            declare_calls(g, &t->facts[i]);
    }
}

/* A function of the table has no address that an object shows: it must be named in full. */
static bool may_be_target(const struct function *f, const char *pattern)
{
    if (f->has_frame && !f->from_compiler && !strcmp(pattern, f->name))
        return true;
    return f->address_taken && fnmatch(pattern, f->name, 0) == 0;
}

static void resolve_indirect(struct graph *g, const struct fact *fact)
{
    struct function *caller = function_find(g, fact->words[1]);

    if (!caller || !(caller->calls_pointers || !caller->from_compiler)) {
        problem(g, "table, line %u: %s calls nothing by pointer", fact->line, fact->words[1]);
        return;
    }
    caller->calls_pointers = false;
    for (size_t i = 2; i < fact->nr_words; i++) {
        bool any = false;

        for (size_t k = 0; k < g->nr_functions; k++) {
            struct function *f = &g->functions[k];

            if (!may_be_target(f, fact->words[i]))
                continue;
            any = f->is_target = true;
            call_add(g, (size_t)(caller - g->functions), k, true);
        }
        if (!any)
            problem(g, "table, line %u: no function whose address is taken is called %s",
                    fact->line, fact->words[i]);
    }
}

static void resolve_addresses(struct graph *g, const struct fact *fact)
{
    for (size_t i = 1; i < fact->nr_words; i++) {
        struct function *f = function_find(g, fact->words[i]);

        if (f && f->address_taken)
            f->is_target = true;
        else
            problem(g, "table, line %u: nobody takes the address of a %s", fact->line,
                    fact->words[i]);
    }
}

static void resolve_overflow(struct graph *g, const struct fact *fact)
{
    struct function *f = function_find(g, fact->words[1]);

    for (size_t i = 0; f && i < f->nr_calls; i++) {
        if (f->calls[i].callee == (size_t)(f - g->functions))
            f->ends_in_fault = true;
    }
    if (!f || !f->ends_in_fault)
        problem(g, "table, line %u: %s does not call itself", fact->line, fact->words[1]);
}

/* What the table should have said, and did not. */
static void find_gaps(struct graph *g)
{
    unsigned char *called = calloc(g->nr_functions + 1, 1);

    if (!called)
        abort();
    for (size_t i = 0; i < g->nr_functions; i++) {
        const struct function *f = &g->functions[i];

        for (size_t k = 0; k < f->nr_calls; k++)
            called[f->calls[k].callee] = 1;
        if (f->calls_pointers)
            problem(g, "%s calls by pointer: it wants a line `indirect %s ...`", f->name, f->name);
        if (f->is_dynamic)
            problem(g, "%s takes from the stack what it likes: alloca() or a variable array",
                    f->name);
        if (f->address_taken && !f->is_target)
            problem(g, "the address of %s is taken: which line `indirect` has it as a target?",
                    f->name);
    }
    for (size_t i = 0; i < g->nr_functions; i++) {
        if (called[i] && !g->functions[i].has_frame)
            problem(g,
                    "%s is called, and nobody knows its frame: it wants a line `function %s ...`",
                    g->functions[i].name, g->functions[i].name);
    }
    free(called);
}

/* A function of the table that nothing calls and nothing enters is not there any more. */
static void find_unused(const struct table *t, struct graph *g)
{
    for (size_t i = 0; i < t->nr_facts; i++) {
        const struct fact *fact = &t->facts[i];
        bool used = false;

        if (!is_kind(fact, "function"))
            continue;
        for (size_t k = 0; k < t->nr_facts; k++)
            used |= is_kind(&t->facts[k], "entry") && !strcmp(t->facts[k].words[2], fact->words[1]);
        for (size_t k = 0; k < g->nr_functions; k++) {
            for (size_t c = 0; c < g->functions[k].nr_calls; c++)
                used |= !strcmp(g->functions[g->functions[k].calls[c].callee].name, fact->words[1]);
        }
        if (!used)
            problem(g, "table, line %u: nothing calls %s", fact->line, fact->words[1]);
    }
}

void table_resolve(const struct table *t, struct graph *g)
{
    for (size_t i = 0; i < t->nr_facts; i++) {
        const struct fact *fact = &t->facts[i];

        if (is_kind(fact, "indirect"))
            resolve_indirect(g, fact);
        else if (is_kind(fact, "address"))
            resolve_addresses(g, fact);
        else if (is_kind(fact, "overflows"))
            resolve_overflow(g, fact);
    }
    find_gaps(g);
    find_unused(t, g);
}

const struct fact *table_entry(const struct table *t, const char *name)
{
    for (size_t i = 0; i < t->nr_facts; i++) {
        if (is_kind(&t->facts[i], "entry") && !strcmp(t->facts[i].words[1], name))
            return &t->facts[i];
    }
    return NULL;
}
