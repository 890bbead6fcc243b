// SPDX-License-Identifier: BSD-2-Clause
/* The include rules: small trees, each with one thing wrong, and what is said about it. */
#include "ci/unit/unit.h"

#define main includes_main
#include "ci/includes.c"
#undef main

#define LICENCE "/* " SPDX " */\n"

struct file {
    const char *path, *text;
};

/* Checks the files and returns what was printed; the caller frees it. */
static char *report_of(const struct file *files, unsigned *findings)
{
    char *report = NULL;
    size_t size = 0;
    struct tree tree = {.out = open_memstream(&report, &size)};

    assert_non_null(tree.out);
    for (; files->path; files++) {
        char *text = strdup(files->text);

        tree_add(&tree, files->path, text);
        free(text);
    }
    *findings = tree_check(&tree);
    tree_free(&tree);
    fclose(tree.out);
    return report;
}

static void expect(const struct file *files, unsigned wanted, const char *report)
{
    unsigned findings;
    char *found = report_of(files, &findings);

    assert_string_equal(found, report);
    assert_int_equal(findings, wanted);
    free(found);
}

#define TYPES_H                                                                     \
    {                                                                               \
        "lib/types.h", LICENCE "#ifndef LIB_TYPES_H\n#define LIB_TYPES_H\n#endif\n" \
    }
#define DMA_H                                                                             \
    {                                                                                     \
        "drivers/dma.h", LICENCE "#ifndef DRIVERS_DMA_H\n#define DRIVERS_DMA_H\n#endif\n" \
    }
#define RUN_H                                                                            \
    {                                                                                    \
        "payload/suite_run.h",                                                           \
            LICENCE "#ifndef PAYLOAD_SUITE_RUN_H\n#define PAYLOAD_SUITE_RUN_H\n#endif\n" \
    }
#define END        \
    {              \
        NULL, NULL \
    }

static void what_is_right(void **state)
{
    const struct file files[] = {
        TYPES_H,
        DMA_H,
        RUN_H,
        {"paging/kmap.c", LICENCE "#include <stdint.h>\n#include \"lib/types.h\"\n"},
        {"payload/run.c",
         LICENCE "#include \"payload/suite_run.h\"\n  #  include \"drivers/dma.h\"\n"},
        {"payload/tests/kmap.c", LICENCE "#include \"drivers/dma.h\"\n"},
        {"ci/model/under_test.c", LICENCE "#include \"paging/kmap.c\"\n#include \"lib/types.h\"\n"},
        {"ci/unit/test_x.c", LICENCE "#include \"paging/kmap.c\"\n#include <cmocka.h>\n"},
        {"ci/deps", "#!/bin/sh\n# " SPDX "\n"},
        END};

    expect(files, 0, "");
}

static void an_arrow_back_up(void **state)
{
    const struct file files[] = {TYPES_H,
                                 DMA_H,
                                 RUN_H,
                                 {"lib/list.c", LICENCE "\n#include \"drivers/dma.h\"\n"},
                                 {"paging/kmap.c", LICENCE "#include \"drivers/dma.h\"\n"},
                                 {"loader/main.c", LICENCE "#include \"lib/types.h\"\n"},
                                 {"ci/tool.c", LICENCE "#include \"drivers/dma.h\"\n"},
                                 {"ci/model/main.c", LICENCE
                                  "#include \"paging/kmap.c\"\n#include \"payload/suite_run.h\"\n"},
                                 END};

    expect(files, 6,
           "lib/list.c:3: includes drivers/dma.h: lib/ includes nothing of the others\n"
           "paging/kmap.c:2: includes drivers/dma.h: paging/ includes lib/ only\n"
           "loader/main.c:2: includes lib/types.h: loader/ includes nothing of the others\n"
           "ci/tool.c:2: includes drivers/dma.h: a host tool sees ci/ and lib/; unit tests see "
           "all\n"
           "ci/model/main.c:2: includes paging/kmap.c: only a unit test includes a .c\n"
           "ci/model/main.c:3: includes payload/suite_run.h: a host tool sees ci/ and lib/; unit "
           "tests see "
           "all\n");
}

static void what_a_suite_may_not_see(void **state)
{
    const struct file files[] = {
        RUN_H,
        {"payload/tests/kmap.c", LICENCE "#include \"payload/suite_run.h\"\n"},
        {"payload/main.c", LICENCE "#include \"payload/suite_run.h\"\n"},
        END};

    expect(
        files, 2,
        "payload/tests/kmap.c:2: includes payload/suite_run.h: a suite sees public headers only\n"
        "payload/main.c:2: includes payload/suite_run.h: it is for payload/run.c alone\n");
}

static void how_a_name_is_written(void **state)
{
    const struct file files[] = {
        TYPES_H,
        {"lib/a.c", LICENCE "#include \"types.h\"\n#include <lib/types.h>\n#include <stdio.h>\n"},
        {"lib/b.c", LICENCE "#include \"lib/a.c\"\n"},
        END};

    expect(files, 4,
           "lib/a.c:2: includes \"types.h\", which is no file of ours: names go from the project's "
           "root\n"
           "lib/a.c:3: includes <lib/types.h>: our own files stand in quotes\n"
           "lib/a.c:4: includes <stdio.h>: the machine side has the compiler's headers only\n"
           "lib/b.c:2: includes lib/a.c: only a unit test includes a .c\n");
}

static void guards_and_licences(void **state)
{
    const struct file files[] = {
        {"lib/x86/no-guard.h", LICENCE "#include <stdint.h>\n"},
        {"lib/wrong.h", LICENCE "#ifndef LIB_WRONG_H_\n#define LIB_WRONG_H_\n#endif\n"},
        {"lib/half.h", LICENCE "#ifndef LIB_HALF_H\n#define LIB_HALF\n#endif\n"},
        {"lib/late.h", LICENCE "#define X 1\n#ifndef LIB_LATE_H\n#define LIB_LATE_H\n#endif\n"},
        {"lib/free.c", "\n\n" LICENCE},
        {"ci/deps", "#!/bin/sh\n"},
        END};

    expect(files, 6,
           "lib/x86/no-guard.h:1: no include guard LIB_X86_NO_GUARD_H: it is named after the path\n"
           "lib/wrong.h:1: no include guard LIB_WRONG_H: it is named after the path\n"
           "lib/half.h:1: no include guard LIB_HALF_H: it is named after the path\n"
           "lib/late.h:1: no include guard LIB_LATE_H: it is named after the path\n"
           "lib/free.c:1: no line \"" SPDX "\": every file names its licence\n"
           "ci/deps:1: no line \"" SPDX "\": every file names its licence\n");
}

#define GUARDED(name, text) LICENCE "#ifndef " name "\n#define " name "\n" text "#endif\n"

static void a_ring_of_headers(void **state)
{
    const struct file files[] = {
        {"lib/a.h", GUARDED("LIB_A_H", "#include \"lib/b.h\"\n")},
        {"lib/b.h", GUARDED("LIB_B_H", "#include \"lib/c.h\"\n#include \"lib/d.h\"\n")},
        {"lib/c.h", GUARDED("LIB_C_H", "#include \"lib/d.h\"\n#include \"lib/a.h\"\n")},
        {"lib/d.h", GUARDED("LIB_D_H", "")},
        END};
    const struct file own[] = {{"lib/a.h", GUARDED("LIB_A_H", "#include \"lib/a.h\"\n")}, END};

    expect(files, 1, "lib/c.h:5: includes lib/a.h, which includes this file: no cycles\n");
    expect(own, 1, "lib/a.h:4: includes lib/a.h, which includes this file: no cycles\n");
}

/* What stands in a comment is no include; what looks like a comment in a string is none. */
static void comments(void **state)
{
    const struct file files[] = {{"lib/a.c", LICENCE "/* an example:\n"
                                                     "#include \"drivers/dma.h\"\n"
                                                     "*/ int a; // #include \"x.h\"\n"
                                                     "// /*\n"
                                                     "const char *glob = \"lib/*\", c = '\"';\n"
                                                     "const char *q = \"\\\"/*\"; /**/\n"
                                                     "/* 1 */ #include /* 2 */ \"y.h\"\n"},
                                 END};

    expect(files, 1,
           "lib/a.c:8: includes \"y.h\", which is no file of ours: names go from the project's "
           "root\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_right),
        cmocka_unit_test(an_arrow_back_up),
        cmocka_unit_test(what_a_suite_may_not_see),
        cmocka_unit_test(how_a_name_is_written),
        cmocka_unit_test(guards_and_licences),
        cmocka_unit_test(a_ring_of_headers),
        cmocka_unit_test(comments),
    };

    return cmocka_run_group_tests_name("includes", tests, NULL, NULL);
}
