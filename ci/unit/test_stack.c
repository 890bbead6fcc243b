// SPDX-License-Identifier: BSD-2-Clause
/*
 * The stack check on small call graphs, as gcc 12 writes them. Whose address is taken comes from
 * objects; here the test says it, but for the last ones, which read an object made by hand.
 */
#include "ci/unit/unit.h"

#include <elf.h>

#include "ci/stack/depth.h"
#include "ci/stack/graph.h"
#include "ci/stack/table.h"

#define NODE(name, bytes, kind) \
    "node: { title: \"" name "\" label: \"" name "\\na.c:1:2\\n" bytes " bytes (" kind ")\" }\n"
#define ELSEWHERE(name) \
    "node: { title: \"" name "\" label: \"" name "\\nb.h:1:2\" shape : ellipse }\n"
#define EDGE(from, to) \
    "edge: { sourcename: \"" from "\" targetname: \"" to "\" label: \"a.c:3:4\" }\n"
#define GRAPH(lines) "graph: { title: \"a.c\"\n" lines "}\n"

#define STACK_TABLE "stack boot low high\nentry main main\ncheck boot main\n"

struct run {
    struct graph g;
    struct table t;
    char *said;
    size_t said_size;
};

static FILE *text_file(const char *text)
{
    FILE *file = fmemopen((void *)text, strlen(text), "r");

    assert_non_null(file);
    return file;
}

static void run_open(struct run *r, const char *graph, const char *table)
{
    FILE *in;

    memset(r, 0, sizeof(*r));
    r->g.out = open_memstream(&r->said, &r->said_size);
    in = text_file(graph);
    callgraph_read(&r->g, in, "a.ci");
    fclose(in);
    in = text_file(table);
    table_read(&r->t, &r->g, in);
    fclose(in);
    table_declare(&r->t, &r->g);
}

/* All stacks have this size; nothing was read from an object. */
static void set_stacks(struct run *r, unsigned bytes)
{
    for (size_t i = 0; i < r->g.nr_stacks; i++) {
        r->g.stacks[i].to_value = bytes;
        r->g.stacks[i].found = 2;
    }
}

static void take_address(struct run *r, const char *name)
{
    struct function *f = function_find(&r->g, name);

    assert_non_null(f);
    f->address_taken = true;
}

static unsigned finish(struct run *r, bool all)
{
    unsigned problems;

    table_resolve(&r->t, &r->g);
    if (depth_no_recursion(&r->g))
        depth_check(&r->g, &r->t, all);
    problems = r->g.problems;
    fflush(r->g.out);
    return problems;
}

static void run_close(struct run *r)
{
    table_free(&r->t);
    fclose(r->g.out);
    free(r->said);
    graph_free(&r->g);
}

static void assert_said(const struct run *r, const char *what)
{
    if (!strstr(r->said, what))
        fail_msg("\"%s\" not in \"%s\"", what, r->said);
}

#define DIRECT                                                                                    \
    GRAPH(NODE("main", "16", "static") NODE("a.c:left", "100", "dynamic,bounded")                 \
              NODE("right", "60", "static") NODE("leaf", "50", "static") EDGE("main", "a.c:left") \
                  EDGE("main", "right") EDGE("right", "leaf") EDGE("right", "leaf"))

static void direct(void **state)
{
    struct run r;

    run_open(&r, DIRECT, STACK_TABLE);
    set_stacks(&r, 126);
    assert_int_equal(finish(&r, false), 0);
    assert_string_equal(r.said, "");
    run_close(&r);

    run_open(&r, DIRECT, STACK_TABLE);
    set_stacks(&r, 126);
    assert_int_equal(finish(&r, true), 0);
    assert_said(&r, "126 bytes: main 16 -> right 60 -> leaf 50\n");
    assert_said(&r, "boot: main = 126 of 126 bytes, margin 0: fits");
    run_close(&r);
}

static void too_deep(void **state)
{
    struct run r;

    run_open(&r, DIRECT, STACK_TABLE);
    set_stacks(&r, 125);
    assert_int_equal(finish(&r, false), 1);
    assert_said(
        &r, "main, 126 bytes:\n     16    16  main\n     76    60  right\n    126    50  leaf\n");
    assert_said(&r, "stack: 1 bytes too many on boot");
    run_close(&r);

    run_open(&r, DIRECT, STACK_TABLE "margin 30\n");
    set_stacks(&r, 155);
    assert_int_equal(finish(&r, false), 1);
    run_close(&r);

    run_open(&r, DIRECT,
             "stack boot low high\nentry one main\nentry two right\ncheck boot one two\n");
    set_stacks(&r, 235);
    assert_int_equal(finish(&r, false), 1);
    assert_said(&r, "boot: one + two = 236 of 235 bytes");
    run_close(&r);
}

static void without_a_branch(void **state)
{
    struct run r;

    run_open(&r, DIRECT, "stack boot low high\nentry main main except right\ncheck boot main\n");
    set_stacks(&r, 116);
    assert_int_equal(finish(&r, false), 0);
    run_close(&r);

    run_open(&r, DIRECT, "stack boot low high\nentry main main except wrong\ncheck boot main\n");
    set_stacks(&r, 500);
    assert_int_equal(finish(&r, false), 1);
    assert_said(&r, "there is no wrong");
    run_close(&r);
}

#define INDIRECT                                                                               \
    GRAPH(NODE("main", "16", "static") NODE("a.c:case_x", "32", "static")                      \
              NODE("a.c:case_y", "64", "static")                                               \
                  EDGE("main", "__indirect_call") "node: { title: \"__indirect_call\" label: " \
                                                  "\"Indirect Call Placeholder\" "             \
                                                  "shape : ellipse }\n")

static unsigned run_indirect(struct run *r, const char *table)
{
    run_open(r, INDIRECT, table);
    set_stacks(r, 80);
    take_address(r, "a.c:case_x");
    take_address(r, "a.c:case_y");
    return finish(r, true);
}

static void indirect(void **state)
{
    struct run r;

    assert_int_equal(run_indirect(&r, STACK_TABLE "indirect main *.c:case_*\n"), 0);
    assert_said(&r, "main 16 -> a.c:case_y 64\n");
    run_close(&r);

    /* No line for the call, and so none for its targets. */
    assert_int_equal(run_indirect(&r, STACK_TABLE), 3);
    assert_said(&r, "main calls by pointer");
    assert_said(&r, "the address of a.c:case_x is taken");
    run_close(&r);

    assert_int_equal(run_indirect(&r, STACK_TABLE "indirect main *:case_x\n"), 1);
    assert_said(&r, "the address of a.c:case_y is taken");
    run_close(&r);

    /* That one is never called, somebody says. */
    assert_int_equal(run_indirect(&r, STACK_TABLE "indirect main *:case_x\naddress a.c:case_y\n"),
                     0);
    run_close(&r);
}

/* What was true once. */
static void stale_table(void **state)
{
    struct run r;

    assert_int_equal(run_indirect(&r, STACK_TABLE "indirect main *:case_* *:gone\n"), 1);
    assert_said(&r, "line 4: no function whose address is taken is called *:gone");
    run_close(&r);

    run_open(&r, DIRECT,
             STACK_TABLE "indirect right leaf\n"
                         "indirect gone leaf\n"
                         "calls right leaf\n"
                         "function right 8\n"
                         "function unused 8\n"
                         "address leaf\n"
                         "overflows leaf\n");
    set_stacks(&r, 500);
    assert_int_equal(finish(&r, false), 7);
    assert_said(&r, "right calls nothing by pointer");
    assert_said(&r, "gone calls nothing by pointer");
    assert_said(&r, "the compiler knows that right calls leaf");
    assert_said(&r, "the compiler knows right");
    assert_said(&r, "nothing calls unused");
    assert_said(&r, "nobody takes the address of a leaf");
    assert_said(&r, "leaf does not call itself");
    run_close(&r);
}

static void recursion(void **state)
{
    struct run r;

    run_open(&r,
             GRAPH(NODE("main", "16", "static") NODE("walk", "16", "static")
                       NODE("a.c:visit", "16", "static") EDGE("main", "walk")
                           EDGE("walk", "__indirect_call") EDGE("a.c:visit", "walk")),
             STACK_TABLE "indirect walk a.c:visit\n");
    set_stacks(&r, 500);
    take_address(&r, "a.c:visit");
    assert_int_equal(finish(&r, false), 1);
    assert_said(&r, "stack: recursion: walk -> a.c:visit -> walk\n");
    run_close(&r);

    run_open(&r, GRAPH(NODE("main", "16", "static") EDGE("main", "main")),
             STACK_TABLE "overflows main\n");
    set_stacks(&r, 16);
    assert_int_equal(finish(&r, false), 0);
    run_close(&r);

    run_open(&r, GRAPH(NODE("main", "16", "static") EDGE("main", "main")), STACK_TABLE);
    set_stacks(&r, 500);
    assert_int_equal(finish(&r, false), 1);
    assert_said(&r, "recursion: main -> main\n");
    run_close(&r);
}

static void unknown_frames(void **state)
{
    struct run r;

    run_open(&r,
             GRAPH(NODE("main", "16", "dynamic") ELSEWHERE("__udivdi3") EDGE("main", "__udivdi3")),
             STACK_TABLE);
    set_stacks(&r, 500);
    assert_int_equal(finish(&r, false), 2);
    assert_said(&r, "main takes from the stack what it likes");
    assert_said(&r, "__udivdi3 is called, and nobody knows its frame");
    run_close(&r);

    run_open(&r,
             GRAPH(NODE("main", "16", "static") ELSEWHERE("__udivdi3") EDGE("main", "__udivdi3")),
             STACK_TABLE "function __udivdi3 48 # libgcc\n");
    set_stacks(&r, 64);
    assert_int_equal(finish(&r, false), 0);
    run_close(&r);
}

/* A stack that no object has: nothing is looked up for it. */
static void size_from_the_table(void **state)
{
    struct run r;

    run_open(&r, DIRECT, "stack worker 126\nentry main main\ncheck worker main\n");
    assert_int_equal(finish(&r, true), 0);
    assert_said(&r, "worker: main = 126 of 126 bytes, margin 0: fits");
    run_close(&r);

    run_open(&r, DIRECT, "stack worker 125\nentry main main\ncheck worker main\n");
    assert_int_equal(finish(&r, false), 1);
    assert_said(&r, "stack: 1 bytes too many on worker");
    run_close(&r);

    run_open(&r, DIRECT, "stack a low\nstack b 12k\nstack c 0\n");
    assert_int_equal(r.g.problems, 3);
    fflush(r.g.out);
    assert_said(&r, "table, line 1: low is no size of a stack");
    assert_said(&r, "table, line 2: 12k is no size of a stack");
    run_close(&r);
}

/* Code that no compiler saw is called by its full name in the table, and by no pattern. */
static void code_at_run_time(void **state)
{
    static const char graph[] = GRAPH(NODE("main", "16", "static") ELSEWHERE("__indirect_call")
                                          EDGE("main", "__indirect_call"));
    struct run r;

    run_open(&r, graph,
             "stack worker 20\nentry main main\ncheck worker main\n"
             "function made 4\nindirect main made\n");
    assert_int_equal(finish(&r, true), 0);
    assert_said(&r, "worker: main = 20 of 20 bytes");
    run_close(&r);

    run_open(&r, graph, STACK_TABLE "function made 4\nindirect main m*\n");
    set_stacks(&r, 500);
    assert_int_equal(finish(&r, false), 2); /* no such function, and nothing calls it */
    run_close(&r);
}

static void broken_input(void **state)
{
    struct run r;

    run_open(&r, "", "nonsense\ncheck boot\nentry main main beside\n");
    assert_int_equal(r.g.problems, 3); /* no graph, no such fact, too few words */
    run_close(&r);

    run_open(&r,
             GRAPH("node: { title: \"x\n" NODE("main", "16", "static")
                       NODE("main", "16", "static") "edge: { }\n"),
             STACK_TABLE);
    assert_int_equal(r.g.problems, 3);
    assert_int_equal(finish(&r, false), 4);
    assert_said(&r, "a second function called main");
    assert_said(&r, "no object has a stack boot");
    run_close(&r);

    run_open(&r, GRAPH(NODE("main", "16", "static")), "margin 1\n");
    assert_int_equal(finish(&r, false), 1);
    assert_said(&r, "the table checks nothing");
    run_close(&r);
}

/* An object with two functions in .text, a table in .data, and a stack in .bss. */
enum { TEXT = 1, DATA, REL_TEXT, REL_DATA, SYMTAB, STRTAB, NR_SECTIONS };

static const char names[] = "\0main\0hook\0outside\0low\0high";
enum { NAME_MAIN = 1, NAME_HOOK = 6, NAME_OUTSIDE = 11, NAME_LOW = 19, NAME_HIGH = 23 };

struct object_file {
    Elf32_Ehdr header;
    Elf32_Shdr sections[NR_SECTIONS];
    uint32_t text[8], data[2];
    Elf32_Rel rel_text[1], rel_data[2];
    Elf32_Sym symbols[6];
    char names[sizeof(names) + 4];
};

#define SECTION(kind, part, of, where, bits)                                                 \
    {                                                                                        \
        .sh_type = kind, .sh_offset = offsetof(struct object_file, part),                    \
        .sh_size = sizeof(((struct object_file *)0)->part), .sh_link = of, .sh_info = where, \
        .sh_flags = bits                                                                     \
    }

static struct object_file make_object(void)
{
    struct object_file o = {
        .header = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS32},
                   .e_type = ET_REL,
                   .e_shoff = offsetof(struct object_file, sections),
                   .e_shnum = NR_SECTIONS},
        .sections = {{0},
                     SECTION(SHT_PROGBITS, text, 0, 0, SHF_ALLOC),
                     SECTION(SHT_PROGBITS, data, 0, 0, SHF_ALLOC),
                     SECTION(SHT_REL, rel_text, SYMTAB, TEXT, 0),
                     SECTION(SHT_REL, rel_data, SYMTAB, DATA, 0),
                     SECTION(SHT_SYMTAB, symbols, STRTAB, 0, 0),
                     SECTION(SHT_STRTAB, names, 0, 0, 0)},
        /* A call of `outside` at 4, in `main`; pointers to 16, which is `hook`, and into it. */
        .rel_text = {{4, ELF32_R_INFO(3, R_386_PC32)}},
        .data = {16, 20},
        .rel_data = {{0, ELF32_R_INFO(0, R_386_32)}, {4, ELF32_R_INFO(0, R_386_32)}},
        .symbols = {{.st_shndx = TEXT, .st_info = ELF32_ST_INFO(STB_LOCAL, STT_SECTION)},
                    {NAME_MAIN, 0, 16, ELF32_ST_INFO(STB_GLOBAL, STT_FUNC), 0, TEXT},
                    {NAME_HOOK, 16, 16, ELF32_ST_INFO(STB_LOCAL, STT_FUNC), 0, TEXT},
                    {NAME_OUTSIDE, 0, 0, ELF32_ST_INFO(STB_GLOBAL, STT_NOTYPE), 0, SHN_UNDEF},
                    {NAME_LOW, 0, 0, ELF32_ST_INFO(STB_LOCAL, STT_NOTYPE), 0, DATA},
                    {NAME_HIGH, 64, 0, ELF32_ST_INFO(STB_LOCAL, STT_NOTYPE), 0, DATA}},
    };

    memcpy(o.names, names, sizeof(names));
    return o;
}

#define OBJECT_GRAPH                                                    \
    GRAPH(NODE("main", "16", "static") NODE("a.c:hook", "32", "static") \
              EDGE("main", "__indirect_call"))

static void objects(void **state)
{
    struct object_file o = make_object();
    struct run r;

    /* The call of `outside` is inline assembly's. */
    run_open(&r, OBJECT_GRAPH, STACK_TABLE "indirect main a.c:hook\n");
    object_read(&r.g, (const char *)&o, sizeof(o), "a.c");
    assert_true(function_find(&r.g, "a.c:hook")->address_taken);
    assert_false(function_find(&r.g, "main")->address_taken);
    assert_int_equal(finish(&r, false), 1);
    assert_said(&r, "main calls outside without the compiler's knowing");
    run_close(&r);

    run_open(&r, OBJECT_GRAPH,
             STACK_TABLE "indirect main a.c:hook\nfunction outside 48\ncalls main outside\n");
    object_read(&r.g, (const char *)&o, sizeof(o), "a.c");
    assert_int_equal(finish(&r, true), 0);
    assert_said(&r, "boot: main = 64 of 64 bytes");
    run_close(&r);
}

/* No byte of an object is trusted. */
static void broken_objects(void **state)
{
    struct prng prng;

    prng_seed(&prng, 1);
    for (unsigned i = 0; i < 20000; i++) {
        struct object_file o = make_object();
        size_t size = one_in(&prng, 4) ? prng_below(&prng, sizeof(o)) : sizeof(o);
        uint32_t *copy = malloc(size + 1);
        struct run r;

        for (unsigned n = between(&prng, 1, 4); n; n--)
            ((uint8_t *)&o)[prng_below(&prng, sizeof(o))] = (uint8_t)prng_u64(&prng);
        memcpy(copy, &o, size);
        run_open(&r, OBJECT_GRAPH, STACK_TABLE);
        object_read(&r.g, (const char *)copy, size, "a.c");
        run_close(&r);
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(direct),
        cmocka_unit_test(too_deep),
        cmocka_unit_test(without_a_branch),
        cmocka_unit_test(indirect),
        cmocka_unit_test(stale_table),
        cmocka_unit_test(recursion),
        cmocka_unit_test(unknown_frames),
        cmocka_unit_test(broken_input),
        cmocka_unit_test(size_from_the_table),
        cmocka_unit_test(code_at_run_time),
        cmocka_unit_test(objects),
        cmocka_unit_test(broken_objects),
    };

    return cmocka_run_group_tests_name("stack", tests, NULL, NULL);
}
