// SPDX-License-Identifier: BSD-2-Clause
/* The judges' answers, as QEMU 7.2 and Bochs 2.7 gave them, the payload's block, and what differs.
 */
#include "ci/unit/unit.h"

#include "ci/oracle/block.h"
#include "ci/oracle/judge.h"

static const char qemu_answers[] =
    "(qemu) info registers\n\nCPU#0\n"
    "EAX=00000001 EBX=00000800 ECX=80000009 EDX=00000505\n"
    "CR0=80010011 CR2=00000000 CR3=37fff000 CR4=00000060\n"
    "DR0=0000000000000000 DR1=0000000000000000 DR2=0000000000000000 DR3=0000000000000000 \n"
    "EFER=0000000000000800\n"
    "(qemu) xp /8wx 0x37fff000\n"
    "0000000037fff000: 0x00000000 0x00000000 0x00000000 0x00000000\r\n"
    "0000000037fff010: 0x00000000 0x00000000 0x37ffe021 0x00000000\r\n"
    "(qemu) info tlb\n"
    "00000000c0000000: 8000000000000000 X-------W\n"
    "00000000c0100000: 0000000000100000 ----A----\n"
    "00000000c0200000: 8000000000200000 X-PDA---W\n"
    "00000000f8800000: 80000000000b8000 X--DACT-W\n"
    "00000000ffa00000: 80000001a9800000 X--DA---W\n"
    "(qemu) info mem\n"
    "00000000c0000000-00000000c0001000 0000000000001000 -rw\n"
    "00000000c0100000-00000000c0101000 0000000000001000 -r-\n"
    "00000000c0200000-00000000c0400000 0000000000200000 -rw\n"
    "00000000f8800000-00000000f8801000 0000000000001000 -rw\n"
    "00000000ffa00000-00000000ffa01000 0000000000001000 -rw\n";

static const char bochs_answers[] =
    "Magic breakpoint\nNext at t=222022351\n"
    "(0) [0x0000001129df] 0008:00000000c01129df (unk. ctxt): jmp .+0  (0xc01129e1)     ; eb00\n"
    "creg\nCR0=0x80010011: PG cd nw ac WP ne ET ts em mp PE\n"
    "CR2=page fault laddr=0x0000000000000000\nCR3=0x000037fff000\n"
    "    PCD=page-level cache disable=0\n"
    "CR4=0x00000060: pks cet pke smap MCE PAE pse de tsd pvi vme\n"
    "EFER=0x00000800: ffxsr NXE lma lme sce\n"
    "xp /8wx 0x37fff000\n[bochs]:\n"
    "0x0000000037fff000 <bogus+       0>:\t0x00000000\t0x00000000\t0x00000000\t0x00000000\n"
    "0x0000000037fff010 <bogus+      16>:\t0x00000000\t0x00000000\t0x37ffe001\t0x00000000\n"
    "info tab\ncr3: 0x000037fff000\n"
    "0x00000000c0000000-0x00000000c0000fff -> 0x000000000000-0x000000000fff\n"
    "0x00000000c0100000-0x00000000c0100fff -> 0x000000100000-0x000000100fff\n"
    "0x00000000c0200000-0x00000000c03fffff -> 0x000000200000-0x0000003fffff\n"
    "0x00000000f8800000-0x00000000f8800fff -> 0x0000000b8000-0x0000000b8fff\n"
    "0x00000000ffa00000-0x00000000ffa00fff -> 0x0001a9800000-0x0001a9800fff\n"
    "page 0xc0000000\n PDE: 0x0000000037ffa023    ps         A pcd pwt S W P\n"
    " PTE: 0x8000000000000003 XD    g pat d a pcd pwt S W P\n"
    "linear page 0x00000000c0000000 maps to physical page 0x000000000000\n"
    "page 0xc0100000\n PDE: 0x0000000037ffa023    ps         A pcd pwt S W P\n"
    " PTE: 0x0000000000100021       g pat d A pcd pwt S R P\n"
    "linear page 0x00000000c0100000 maps to physical page 0x000000100000\n"
    "page 0xc0200000\n PDE: 0x80000000002000e3 XD PS g pat D A pcd pwt S W P\n"
    "linear page 0x00000000c0200000 maps to physical page 0x000000200000\n"
    "page 0xf8800000\n PDE: 0x0000000037ff9023    ps         A pcd pwt S W P\n"
    " PTE: 0x80000000000b807b XD    g pat D A PCD PWT S W P\n"
    "linear page 0x00000000f8800000 maps to physical page 0x0000000b8000\n"
    "page 0xffa00000\n PDE: 0x0000000037ffc023    ps         A pcd pwt S W P\n"
    " PTE: 0x80000001a9800063 XD    g pat D A pcd pwt S W P\n"
    "linear page 0x00000000ffa00000 maps to physical page 0x0001a9800000\n"
    "continue\n";

/* What both of them saw. */
static const char *const good_lines[] = {
    "# oracle here begin",
    "# oracle top cr3 37fff000 pdpte 0 0 0 37ffe001 pae 1 pge 0 nxe 1",
    "# oracle map c0000000 0 1 4K w------ direct",
    "# oracle map c0100000 100000 1 4K -x----- text",
    "# oracle map c0200000 200000 1 2M w------ direct",
    "# oracle map f8800000 b8000 1 4K w---CT- ioremap",
    "# oracle list ffa00000 2 w------ kmap 1a9800",
    "# oracle here end lines=6",
};
#define GOOD_LINES (sizeof(good_lines) / sizeof(good_lines[0]))

/* Gives the block's lines with line `changed` replaced; NULL leaves it out. */
static struct block block_with(size_t changed, const char *line)
{
    struct block block = {0};
    bool again, done = false;

    for (size_t i = 0; i < GOOD_LINES && !done; i++) {
        const char *given = i == changed ? line : good_lines[i];

        if (given)
            done = block_take(&block, given, &again);
        assert_false(again);
    }
    return block;
}

static struct block good_block(void)
{
    return block_with(GOOD_LINES, NULL);
}

/* Compares with both judges; each must find `wanted` differences, and say `part` in one of them. */
static void assert_found(struct block *block, size_t wanted, const char *part)
{
    void (*const judges[])(struct view *, const char *) = {qemu_view, bochs_view};
    const char *const answers[] = {qemu_answers, bochs_answers};

    assert_true(block->whole);
    for (int i = 0; i < 2; i++) {
        struct view seen = {0};
        struct words findings = {0};
        bool said = !part;

        judges[i](&seen, answers[i]);
        assert_int_equal(view_compare("oracle here", &block->believed, &seen, 20, &findings),
                         wanted);
        assert_int_equal(findings.count, wanted);
        for (size_t n = 0; n < findings.count; n++)
            said |= strstr(findings.at[n], part) != NULL;
        if (!said)
            fail_msg("%s: \"%s\" is not in: %s", i ? "Bochs" : "QEMU", part, findings.at[0]);
        words_free(&findings);
        view_free(&seen);
    }
    block_free(block);
}

static void both_agree(void **state)
{
    struct block block = good_block();

    assert_int_equal(block.believed.count, 5);
    assert_found(&block, 0, NULL);
}

static void each_difference(void **state)
{
    static const struct {
        size_t line;
        const char *instead, *found;
        size_t wanted;
    } changes[] = {
        {1, "# oracle top cr3 37ffd000 pdpte 0 0 0 37ffe001 pae 1 pge 0 nxe 1",
         "oracle here: CR3: believed 0x37ffd000; seen 0x37fff000", 1},
        {1, "# oracle top cr3 37fff000 pdpte 0 0 0 37ffe011 pae 1 pge 0 nxe 1",
         "PDPTE 3: believed 0x37ffe011; seen 0x37ffe001", 1},
        {1, "# oracle top cr3 37fff000 pdpte 0 0 0 37ffe001 pae 1 pge 1 nxe 1", "CR4.PGE", 1},
        {1, "# oracle top cr3 37fff000 pdpte 0 0 0 37ffe001 pae 1 pge 0 nxe 0", "EFER.NXE", 1},
        {3, "# oracle map c0100000 100000 1 4K wx----- text",
         "0xc0100000 text, 1 page: believed physical 0x100000, 4K, wx-----; "
         "seen physical 0x100000, 4K, -x-----",
         1},
        {3, "# oracle map c0100000 100000 1 4K ------- text", "4K, -------; seen", 1},
        {3, "# oracle map c0100000 100000 1 4K -xu---- text", "4K, -xu----; seen", 1},
        {3, "# oracle map c0100000 100000 1 4K -x-g--- text", "4K, -x-g---; seen", 1},
        {3, "# oracle map c0100000 101000 1 4K -x----- text",
         "believed physical 0x101000, 4K, -x-----; seen physical 0x100000", 1},
        {3, "# oracle map c0101000 101000 1 4K -x----- text",
         "0xc0100000, 1 page: seen physical 0x100000, 4K, -x-----; not believed", 2},
        {3, "# oracle map c0100000 100000 4 4K -x----- text",
         "0xc0101000 text, 3 pages: believed physical 0x101000, 4K, -x-----; not seen", 1},
        {4, "# oracle map c0200000 200000 200 4K w------ direct",
         "believed physical 0x200000, 4K, w------; seen physical 0x200000, 2M, w------", 1},
        {5, "# oracle map f8800000 b8000 1 4K w------ ioremap",
         "seen physical 0xb8000, 4K, w---CT-", 1},
        {6, "# oracle map ffa00000 ? 1 4K ------- kmap_local", "believed any physical page", 1},
        {6, "# oracle map ffa00000 ? 1 4K w------ kmap_local", NULL, 0},
        {6, "# oracle list ffa00000 2 w------ kmap 1a9800 1a9801",
         "0xffa02000 kmap, 1 page: believed physical 0x1a9801000, 4K, w------; not seen", 1},
        /* Also missed in its old place, and one of the two not seen. */
        {6, "# oracle map c0000000 0 1 4K w------ stale", "believed twice, as ", 3},
    };

    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        struct block block = block_with(changes[i].line, changes[i].instead);

        assert_found(&block, changes[i].wanted, changes[i].found);
    }
}

/* Writing that a page directory takes away is gone, whatever the page's own entry says. */
static void upper_levels_count(void **state)
{
    struct view seen = {0};
    struct mapping *page;

    qemu_view(&seen, "00000000c0000000: 8000000000000000 X------UW\n"
                     "00000000c0000000-00000000c0001000 0000000000001000 -r-\n");
    page = view_find(&seen, 0xc0000fff);
    assert_non_null(page);
    assert_int_equal(page->rights, RIGHT_USER);
    view_free(&seen);
    bochs_view(&seen,
               "info tab\n0x00000000c0000000-0x00000000c0000fff -> 0x000000000000-0x000000000fff\n"
               "page 0xc0000000\n PDE: 0x8000000037ffa031 XD\n PTE: 0x0000000000000087\n"
               "linear page 0x00000000c0000000 maps to physical page 0x000000000000\n");
    page = view_find(&seen, 0xc0000000);
    assert_non_null(page);
    assert_int_equal(page->rights, RIGHT_USER | RIGHT_PCD | RIGHT_PAT);
    view_free(&seen);
}

/* Bochs told where, but `page` was never answered: no judgement of the entry. */
static void place_alone_is_no_agreement(void **state)
{
    struct block block = good_block();
    char *answers = text_copy(bochs_answers);
    struct view seen = {0};
    struct words findings = {0};

    memcpy(strstr(answers, "page 0xc0100000"), "xxxx", 4);
    bochs_view(&seen, answers);
    assert_int_equal(view_compare("o", &block.believed, &seen, 20, &findings), 1);
    assert_non_null(strstr(findings.at[0], "4K, -x-----; seen physical 0x100000"));
    words_free(&findings);
    view_free(&seen);
    free(answers);
    block_free(&block);
}

static void silence_is_no_agreement(void **state)
{
    struct block block = good_block();
    struct view seen = {0};
    struct words findings = {0};

    qemu_view(&seen, "(qemu) info tlb\nno answer\n");
    assert_true(view_compare("o", &block.believed, &seen, 3, &findings) > 3);
    assert_int_equal(findings.count, 4);
    assert_string_equal(findings.at[0], "o: control registers and PDPTEs: not seen");
    assert_string_equal(findings.at[3], "o: and 3 more differences");
    words_free(&findings);
    view_free(&seen);
    block_free(&block);
}

static void damaged_blocks(void **state)
{
    static const struct {
        size_t line;
        const char *instead, *problem;
    } changes[] = {
        {3, NULL, "5 lines arrived of 6"},
        {3, "# oracle map c0100000 100000 1 4K -x---- text", "a line that nobody understands"},
        {3, "# oracle map c0100000 100000 0 4K -x----- text", "a line that nobody understands"},
        {4, "# oracle map c0201000 200000 1 2M w------ direct", "a line that nobody understands"},
        {6, "# oracle list ffa00000 2 w------ kmap 1a98zz", "a line that nobody understands"},
        {6, "# oracle list ffa00000 0 w------ kmap 1a9800", "a line that nobody understands"},
        {7, "# oracle there end lines=6", "ends as there"},
    };

    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        struct block block = block_with(changes[i].line, changes[i].instead);

        assert_false(block.whole);
        assert_non_null(block.problem);
        if (!strstr(block.problem, changes[i].problem))
            fail_msg("%s: %s", changes[i].problem, block.problem);
        block_free(&block);
    }
}

static void a_block_within_a_block(void **state)
{
    struct block block = {0};
    bool again;

    assert_false(block_take(&block, "ok 1 paging", &again));
    assert_false(block_take(&block, good_lines[0], &again));
    assert_true(block_take(&block, "# oracle there begin", &again));
    assert_true(again);
    assert_false(block.whole);
    assert_string_equal(block.problem, "cut short by the begin of there");
    block_free(&block);
    assert_true(block_take(&block, good_lines[GOOD_LINES - 1], &again));
    assert_string_equal(block.problem, "ends without a begin");
    block_free(&block);
}

static void questions(void **state)
{
    struct block block = good_block();
    struct words commands = {0};

    qemu_questions(&block.believed, &commands);
    assert_int_equal(commands.count, 4);
    assert_string_equal(commands.at[1], "xp /8wx 0x37fff000");
    words_free(&commands);
    bochs_questions(&block.believed, &commands);
    assert_int_equal(commands.count, 3 + 5);
    assert_string_equal(commands.at[5], "page 0xc0200000");
    words_free(&commands);
    block_free(&block);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_agree),
        cmocka_unit_test(each_difference),
        cmocka_unit_test(upper_levels_count),
        cmocka_unit_test(place_alone_is_no_agreement),
        cmocka_unit_test(silence_is_no_agreement),
        cmocka_unit_test(damaged_blocks),
        cmocka_unit_test(a_block_within_a_block),
        cmocka_unit_test(questions),
    };

    return cmocka_run_group_tests_name("oracle", tests, NULL, NULL);
}
