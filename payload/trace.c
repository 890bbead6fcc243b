/* SPDX-License-Identifier: BSD-2-Clause */
#include "payload/trace.h"
#include "lib/option.h"
#include "lib/string.h"
#include "payload/setup.h"

char trace_stretch[TRACE_NAME_MAX];

static bool is_open;

/* The host's tool knows a mark by the label behind it, so each stands once in the image. */
static __attribute__((noinline)) void mark_begin(void)
{
    __asm__ volatile("xchgw %%bx, %%bx\n"
                     ".globl trace_mark_begin\n"
                     "trace_mark_begin:" ::
                         : "memory");
}

static __attribute__((noinline)) void mark_end(void)
{
    __asm__ volatile("xchgw %%bx, %%bx\n"
                     ".globl trace_mark_end\n"
                     "trace_mark_end:" ::
                         : "memory");
}

static bool is_marked(const char *name)
{
    const char *list = setup.options.trace_names;

    /* Without a list it is the suites, whose names have no dot. */
    return list[0] ? list_match(list, strlen(list), name) : !strchr(name, '.');
}

bool trace_is_wanted(void)
{
    return setup.options.trace;
}

bool trace_is_open(void)
{
    return is_open;
}

void trace_begin(const char *name)
{
    if (!setup.options.trace || is_open || !is_marked(name))
        return;
    str_copy(trace_stretch, sizeof(trace_stretch), name);
    is_open = true;
    mark_begin();
}

void trace_end(const char *name)
{
    if (!is_open || (name && strcmp(name, trace_stretch) != 0))
        return;
    mark_end();
    is_open = false;
}
