/* SPDX-License-Identifier: BSD-2-Clause */
#include "ci/unit/unit.h"
#include "paging/layout.h"
#include "payload/options.h"

static unsigned notes;
static char last_note[200];

static void keep_note(const char *text)
{
    assert_true(strlen(text) < 112);
    strcpy(last_note, text);
    notes++;
}

static struct options parse(const char *line)
{
    struct options options;
    char *copy = exact_copy(line, strlen(line) + 1);

    memset(&options, 0xee, sizeof(options));
    notes = 0;
    last_note[0] = '\0';
    options_parse(&options, copy, keep_note);
    free(copy);
    return options;
}

static void assert_defaults(const struct options *options)
{
    assert_string_equal(options->tests, "");
    assert_int_equal(options->page_offset, SPLIT_3G);
    assert_true(options->mem == 0);
    assert_int_equal(options->passes, 1);
    assert_int_equal(options->time_s, 0);
    assert_false(options->seed_given);
    assert_int_equal(options->nr_consoles, 0);
    assert_int_equal(options->report, REPORT_KTAP);
    assert_int_equal(options->exit, POWER_HALT);
    assert_int_equal(options->nr_injects, 0);
    assert_string_equal(options->destructive, "");
    assert_string_equal(options->audible, "");
    assert_string_equal(options->avoid, "");
    assert_false(options->probes);
    assert_false(options->trace);
    assert_false(options->slab_debug);
    assert_false(options->failfast);
    assert_false(options->oracle);
    assert_string_equal(options->oracle_points, "");
    assert_string_equal(options->trace_names, "");
    assert_int_equal(options->depth, DEPTH_SMOKE);
    assert_true(options->lowmem == 0);
    assert_int_equal(options->remedies, BIT(NR_OPTION_REMEDIES) - 1);
    assert_int_equal(options->nr_sizes, 0);
}

static void nothing_said(void **state)
{
    struct options options = parse("");

    assert_defaults(&options);
    assert_int_equal(notes, 0);
    options = parse("   \t ");
    assert_defaults(&options);
    assert_int_equal(notes, 0);
}

static void every_option(void **state)
{
    struct options o = parse("tests=kmap,dma_* split=2g mem=6G passes=0 time=3600 seed=DeadBeef01 "
                             "console=ttyS1,9600 console=0x2e8 report=lava exit=qemu "
                             "inject=kmap_skip_flush inject=other destructive=hda audible=sb16,es* "
                             "avoid=ide,00:1f.*,8086:7010 probes "
                             "trace oracle=kmap_*,basic slab_debug failfast depth=full");

    assert_int_equal(notes, 0);
    assert_string_equal(o.tests, "kmap,dma_*");
    assert_int_equal(o.page_offset, SPLIT_2G);
    assert_true(o.mem == GIB64(6));
    assert_int_equal(o.passes, 0);
    assert_int_equal(o.time_s, 3600);
    assert_true(o.seed == 0xdeadbeef01);
    assert_true(o.seed_given);
    assert_int_equal(o.nr_consoles, 2);
    assert_string_equal(o.console[0], "ttyS1,9600");
    assert_string_equal(o.console[1], "0x2e8");
    assert_int_equal(o.report, REPORT_LAVA);
    assert_int_equal(o.exit, POWER_QEMU);
    assert_int_equal(o.nr_injects, 2);
    assert_string_equal(o.inject[0], "kmap_skip_flush");
    assert_string_equal(o.inject[1], "other");
    assert_string_equal(o.destructive, "hda");
    assert_string_equal(o.audible, "sb16,es*");
    assert_string_equal(o.avoid, "ide,00:1f.*,8086:7010");
    assert_true(o.probes);
    assert_true(o.oracle);
    assert_string_equal(o.oracle_points, "kmap_*,basic");
    assert_true(o.trace);
    assert_true(o.slab_debug);
    assert_true(o.failfast);
    assert_int_equal(o.depth, DEPTH_FULL);
}

static void every_choice(void **state)
{
    assert_int_equal(parse("split=3g").page_offset, SPLIT_3G);
    assert_int_equal(parse("split=1g").page_offset, SPLIT_1G);
    assert_int_equal(parse("report=ktap").report, REPORT_KTAP);
    assert_int_equal(parse("exit=halt").exit, POWER_HALT);
    assert_int_equal(parse("exit=reboot").exit, POWER_REBOOT);
    assert_int_equal(parse("exit=poweroff").exit, POWER_OFF);
    assert_int_equal(parse("depth=sparse").depth, DEPTH_SPARSE);
    assert_int_equal(parse("depth=smoke").depth, DEPTH_SMOKE);
    assert_true(parse("seed=0x12").seed == 0x12);
    assert_true(parse("seed=ffffffffffffffff").seed == UINT64_MAX);
    assert_true(parse("mem=\"512M\"").mem == MIB64(512));
    assert_int_equal(notes, 0);
}

static void the_laboratory(void **state)
{
    struct options o = parse("lowmem=24m size=memmap:64G,stacks:4000 size=mixed:0x10 remedies=pcp");

    assert_true(o.lowmem == MIB64(24));
    assert_int_equal(o.nr_sizes, 3);
    assert_string_equal(o.sizes[0].name, "memmap");
    assert_true(o.sizes[0].value == GIB64(64));
    assert_string_equal(o.sizes[1].name, "stacks");
    assert_true(o.sizes[1].value == 4000);
    assert_string_equal(o.sizes[2].name, "mixed");
    assert_true(o.sizes[2].value == 16);
    assert_int_equal(o.remedies, BIT(2));
    assert_true(parse("lowmem=all").lowmem == OPTION_LOWMEM_ALL);
    assert_int_equal(parse("remedies=none").remedies, 0);
    assert_int_equal(parse("remedies=all").remedies, BIT(NR_OPTION_REMEDIES) - 1);
    for (unsigned i = 0; i < NR_OPTION_REMEDIES; i++) {
        char line[100];

        snprintf(line, sizeof(line), "remedies=pool,%s,none", option_remedy_names[i]);
        assert_int_equal(parse(line).remedies, BIT(i) | BIT(6));
        assert_int_equal(notes, 0);
    }
}

/* Of remedies each that is not known is named, and the others are taken. */
static void unknown_remedies(void **state)
{
    assert_int_equal(parse("remedies=pcp,luck,pool").remedies, BIT(2) | BIT(6));
    assert_int_equal(notes, 1);
    assert_non_null(strstr(last_note, "option remedies=: luck not taken"));
    assert_int_equal(parse("remedies=foo,none").remedies, 0);
    assert_non_null(strstr(last_note, ": foo not"));
    assert_int_equal(parse("remedies=foo,,bar").remedies, BIT(NR_OPTION_REMEDIES) - 1);
    assert_non_null(strstr(last_note, ": bar not"));
}

/* Each is named in a warning, its default stands, and what follows is taken all the same. */
static void bad_values(void **state)
{
    static const char *const words[] = {
        "tests=",
        "tests",
        "split=",
        "split=4g",
        "split=3gg",
        "split=3",
        "split",
        "mem=",
        "mem=x",
        "mem=1M",
        "mem=99999999999G",
        "mem",
        "passes=",
        "passes=-1",
        "passes=4294967296",
        "time=1h",
        "time",
        "seed=",
        "seed=xyz",
        "seed",
        "seed=10000000000000000",
        "console=",
        "console",
        "report=xml",
        "exit=never",
        "exit",
        "inject=",
        "inject",
        "destructive=",
        "audible=",
        "avoid=",
        "avoid",
        "probes=",
        "probes=yes",
        "trace=",
        "oracle=",
        "slab_debug=",
        "slab_debug=yes",
        "failfast=1",
        "depth=deep",
        "lowmem",
        "lowmem=",
        "lowmem=any",
        "lowmem=512K",
        "lowmem=5G",
        "size",
        "size=",
        "size=memmap",
        "size=:1",
        "size=memmap:",
        "size=memmap:1G,",
        "size=memmap:1G,x:y",
        "size=a:1,b:1,c:1,d:1,e:1,f:1,g:1,h:1,i:1",
        "size=memmapmemmapmemmap:1",
        "remedies",
        "remedies=",
        "depth",
    };

    for (unsigned i = 0; i < ARRAY_SIZE(words); i++) {
        char line[100];
        struct options options;

        snprintf(line, sizeof(line), "%s passes=7", words[i]);
        options = parse(line);
        assert_int_equal(notes, 1);
        assert_non_null(strstr(last_note, words[i]));
        assert_int_equal(options.passes, 7);
        options.passes = 1;
        assert_defaults(&options);
    }
}

static void texts_too_long(void **state)
{
    char line[400];

    for (size_t length = OPTION_TEXT_MAX - 2; length <= OPTION_TEXT_MAX + 2; length++) {
        struct options options;

        strcpy(line, "tests=");
        memset(line + 6, 'x', length);
        line[6 + length] = '\0';
        options = parse(line);
        assert_int_equal(notes, length >= OPTION_TEXT_MAX);
        assert_int_equal(strlen(options.tests), length >= OPTION_TEXT_MAX ? 0 : length);
    }
    assert_int_equal(parse("console=0123456789012345678901234567890123456789").nr_consoles, 0);
    assert_int_equal(notes, 1);
}

static void too_many(void **state)
{
    assert_int_equal(parse("console=a console=b console=c console=d console=e").nr_consoles,
                     OPTION_CONSOLES_MAX);
    assert_int_equal(notes, 1);
    assert_int_equal(parse("inject=a inject=b inject=c inject=d inject=e").nr_injects,
                     OPTION_INJECT_MAX);
    assert_int_equal(notes, 1);
}

static void unknown_words(void **state)
{
    struct options options = parse("quiet verbose=1 Tests=kmap tests=kmap");

    assert_int_equal(notes, 2); /* the first may be a file's name */
    assert_non_null(strstr(last_note, "Tests=kmap"));
    assert_string_equal(options.tests, "kmap");
    parse("verbose=1");
    assert_int_equal(notes, 1);
}

/* What loaders put in front: FACTS of QEMU, GRUB, iPXE and UEFI. */
static void the_loaders_own_word(void **state)
{
    static const char *const first[] = {
        "build/paeload.elf",        "/boot/paeload.elf",
        "paeload-x64.efi",          "http://10.0.2.2/paeload.elf?x=1",
        "\\EFI\\BOOT\\BOOTX64.EFI",
    };

    for (unsigned i = 0; i < ARRAY_SIZE(first); i++) {
        char line[100];

        snprintf(line, sizeof(line), "%s passes=3", first[i]);
        assert_int_equal(parse(line).passes, 3);
        assert_int_equal(notes, 0);
        snprintf(line, sizeof(line), "passes=3 %s", first[i]); /* but not later on */
        assert_int_equal(parse(line).passes, 3);
        assert_int_equal(notes, 1);
    }
    /* A known word is an option even if it comes first */
    assert_true(parse("trace").trace);
    assert_string_equal(parse("trace").trace_names, "");
    assert_true(parse("trace=kmap.*,bench.kmap_hit").trace);
    assert_string_equal(parse("trace=kmap.*,bench.kmap_hit").trace_names, "kmap.*,bench.kmap_hit");
    assert_string_equal(parse("tests=a/b").tests, "a/b");
}

static void last_one_counts(void **state)
{
    struct options options = parse("tests=a tests=b depth=full depth=nothing exit=qemu exit=halt");

    assert_string_equal(options.tests, "b");
    assert_int_equal(options.depth, DEPTH_FULL);
    assert_int_equal(options.exit, POWER_HALT);
    assert_int_equal(notes, 1);
}

static void nobody_listens(void **state)
{
    struct options options;

    options_parse(&options, "loader what=ever tests= passes=2", NULL);
    assert_int_equal(options.passes, 2);
}

static void any_line(void **state)
{
    static const char *const pieces[] = {"tests",    "size",
                                         "remedies", "lowmem",
                                         ":",        "split",
                                         "mem",      "seed",
                                         "console",  "inject",
                                         "=",        "\"",
                                         " ",        "3g",
                                         "trace",    "%s",
                                         "/",        "0x",
                                         "\x80",     "*,",
                                         "K",        "18446744073709551616"};
    struct prng prng;

    prng_seed(&prng, 1);
    for (int round = 0; round < 50000; round++) {
        char line[400] = "";
        struct options options;

        for (uint32_t n = prng_below(&prng, 16); n; n--)
            strcat(line, pieces[prng_below(&prng, ARRAY_SIZE(pieces))]);
        options = parse(line);
        assert_true(options.nr_consoles <= OPTION_CONSOLES_MAX);
        assert_true(options.nr_injects <= OPTION_INJECT_MAX);
        assert_true(options.nr_sizes <= OPTION_SIZES_MAX);
        assert_true(strnlen(options.tests, OPTION_TEXT_MAX) < OPTION_TEXT_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_said),     cmocka_unit_test(every_option),
        cmocka_unit_test(every_choice),     cmocka_unit_test(the_laboratory),
        cmocka_unit_test(unknown_remedies), cmocka_unit_test(bad_values),
        cmocka_unit_test(texts_too_long),   cmocka_unit_test(too_many),
        cmocka_unit_test(unknown_words),    cmocka_unit_test(the_loaders_own_word),
        cmocka_unit_test(last_one_counts),  cmocka_unit_test(nobody_listens),
        cmocka_unit_test(any_line),
    };

    return cmocka_run_group_tests_name("boot_options", tests, NULL, NULL);
}
