// SPDX-License-Identifier: BSD-2-Clause
/*
 * Proves from the call graph that no path runs out of its stack.
 *
 *     stack [-v] [-b PREFIX] TABLE OBJECT...
 *
 * For each OBJECT.o of a C source stands its call graph beside it, OBJECT.ci (gcc's
 * -fcallgraph-info=su). The source's name is the object's, without PREFIX and ".o". What can't be
 * known from them is in TABLE, see ci/stack/table.h. Silent and 0 if all is right; -v prints the
 * deepest path of each entry, and what each check adds up to.
 */
#include "ci/stack/depth.h"
#include "ci/stack/graph.h"
#include "ci/stack/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXIT_USAGE 2

static bool ends_with(const char *s, const char *end)
{
    size_t length = strlen(s);

    return length >= strlen(end) && !strcmp(s + length - strlen(end), end);
}

static void read_callgraph(struct graph *g, const char *object)
{
    char name[512];
    FILE *in;

    snprintf(name, sizeof(name), "%.*s.ci", (int)(strlen(object) - strlen(".o")), object);
    in = fopen(name, "r");
    if (!in) {
        problem(g, "%s: %s", name, strerror(errno));
        return;
    }
    callgraph_read(g, in, name);
    fclose(in);
}

static void read_object(struct graph *g, const char *object, const char *prefix)
{
    size_t skip = strncmp(object, prefix, strlen(prefix)) ? 0 : strlen(prefix), size = 0, room = 0;
    FILE *in = fopen(object, "rb");
    char source[512], *bytes = NULL;

    if (!in) {
        problem(g, "%s: %s", object, strerror(errno));
        return;
    }
    do {
        room += 1 << 20;
        bytes = realloc(bytes, room);
        if (!bytes)
            abort();
        size += fread(bytes + size, 1, room - size, in);
    } while (size == room);
    fclose(in);
    snprintf(source, sizeof(source), "%.*s", (int)(strlen(object + skip) - strlen(".o")),
             object + skip);
    object_read(g, bytes, size, source);
    free(bytes);
}

static void prove(struct graph *g, struct table *t, char **objects, const char *prefix, bool all)
{
    for (char **object = objects; *object; object++) {
        if (ends_with(*object, ".c.o"))
            read_callgraph(g, *object);
        else if (!ends_with(*object, ".o"))
            problem(g, "%s: no object", *object);
    }
    if (g->problems)
        return;
    table_declare(t, g);
    for (char **object = objects; *object; object++)
        read_object(g, *object, prefix);
    table_resolve(t, g);
    if (depth_no_recursion(g))
        depth_check(g, t, all);
}

int main(int argc, char **argv)
{
    struct graph g = {.out = stderr};
    struct table t = {0};
    const char *prefix = "";
    bool all = false;
    FILE *in;
    int option;

    while ((option = getopt(argc, argv, "vb:")) != -1) {
        if (option == 'v')
            all = true;
        else if (option == 'b')
            prefix = optarg;
        else
            return EXIT_USAGE;
    }
    if (argc - optind < 2) {
        fprintf(stderr, "usage: stack [-v] [-b PREFIX] TABLE OBJECT...\n");
        return EXIT_USAGE;
    }
    if (all)
        g.out = stdout;
    in = fopen(argv[optind], "r");
    if (!in) {
        perror(argv[optind]);
        return EXIT_USAGE;
    }
    table_read(&t, &g, in);
    fclose(in);
    if (!g.problems)
        prove(&g, &t, argv + optind + 1, prefix, all);

    bool right = g.problems == 0;

    table_free(&t);
    graph_free(&g);
    return right ? EXIT_SUCCESS : EXIT_FAILURE;
}
