// SPDX-License-Identifier: BSD-2-Clause
/*
 * The files of gcc -fcallgraph-info=su (gcc manual, "Developer Options"; the format is VCG):
 *
 *     node: { title: "NAME" label: "NAME\nFILE:LINE:COLUMN\nBYTES bytes (KIND)" }
 *     node: { title: "NAME" label: "..." shape : ellipse }             defined elsewhere
 *     edge: { sourcename: "NAME" targetname: "NAME" label: "..." }
 *
 * KIND is static, dynamic (no bound), or dynamic,bounded (pushed arguments, counted in).
 */
#include "ci/stack/graph.h"

#include <stdlib.h>
#include <string.h>

#define INDIRECT_CALL "__indirect_call"
#define BYTES_MARK " bytes ("

/* The string that follows `key: "` in the line, in `value`. */
static bool field(const char *line, const char *key, char *value, size_t size)
{
    const char *at = strstr(line, key), *end;

    if (!at)
        return false;
    at += strlen(key);
    if (strncmp(at, ": \"", 3) != 0)
        return false;
    at += 3;
    end = strchr(at, '"');
    if (!end || (size_t)(end - at) >= size)
        return false;
    memcpy(value, at, (size_t)(end - at));
    value[end - at] = 0;
    return true;
}

static void read_node(struct graph *g, const char *line, const char *file)
{
    char name[256], label[1024];
    struct function *f;
    const char *bytes, *start;
    size_t index;

    if (!field(line, "title", name, sizeof(name)) || !field(line, "label", label, sizeof(label))) {
        problem(g, "%s: no call graph's line: %s", file, line);
        return;
    }
    if (!strcmp(name, INDIRECT_CALL) || strstr(line, "shape : ellipse"))
        return;
    bytes = strstr(label, BYTES_MARK);
    if (!bytes) {
        problem(g, "%s: %s has no frame size", file, name);
        return;
    }
    for (start = bytes; start > label && start[-1] >= '0' && start[-1] <= '9';)
        start--;
    index = function_named(g, name);
    f = &g->functions[index];
    if (f->from_compiler) {
        problem(g, "%s: a second function called %s", file, name);
        return;
    }
    f->frame = (unsigned)strtoul(start, NULL, 10);
    f->has_frame = f->from_compiler = true;
    f->is_dynamic = !strncmp(bytes + strlen(BYTES_MARK), "dynamic)", 8);
}

static void read_edge(struct graph *g, const char *line, const char *file)
{
    char from[256], to[256];
    size_t caller;

    if (!field(line, "sourcename", from, sizeof(from)) ||
        !field(line, "targetname", to, sizeof(to))) {
        problem(g, "%s: no call graph's line: %s", file, line);
        return;
    }
    caller = function_named(g, from);
    if (!strcmp(to, INDIRECT_CALL))
        g->functions[caller].calls_pointers = true;
    else
        call_add(g, caller, function_named(g, to), false);
}

void callgraph_read(struct graph *g, FILE *in, const char *name)
{
    char line[2048];
    bool any = false;

    while (fgets(line, sizeof(line), in)) {
        line[strcspn(line, "\n")] = 0;
        any |= !strncmp(line, "graph:", 6);
        if (!strncmp(line, "node:", 5))
            read_node(g, line, name);
        else if (!strncmp(line, "edge:", 5))
            read_edge(g, line, name);
    }
    if (!any)
        problem(g, "%s: no call graph", name);
}
