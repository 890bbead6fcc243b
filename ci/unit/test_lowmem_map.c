/* SPDX-License-Identifier: BSD-2-Clause */
/* Maps of a machine whose pages are written by hand: each cell is worked out beside it. */
#include <stdarg.h>
#include <stdio.h>

#include "ci/unit/unit.h"
#include "paging/page_alloc.h"
#include "paging/page_owner.h"
#include "payload/tests/lowmem_map.h"

#define LOW_PFN 4502u /* in the middle of a pageblock, and of a cell */
#define WIDE_PFN (40 * BLOCK)
#define NR_PFN (WIDE_PFN + 1)
#define BLOCK BIT(PAGEBLOCK_ORDER)
#define STEP 4u       /* frames a cell: without what is all ballast 4 * 1024, in 1024 cells */
#define WIDE_STEP 64u /* the same with 39 pageblocks: a line ends in the middle of one */
#define LINES_MAX 64u

struct page *mem_map;
pfn_t max_pfn = NR_PFN, max_low_pfn = LOW_PFN;
struct page *highmem_map;

static struct page map[NR_PFN];
static char lines[LINES_MAX][120];
static unsigned nr_lines, step_wanted;

static struct page_owner none = {.name = "kernel", .letter = 'k'};
static struct page_owner cache = {.name = "cache", .letter = 'c'};
static struct page_owner ballast = {.name = "ballast", .letter = 'b'};
enum { NONE, CACHE = 3, BALLAST = 4, GONE = 5 };

struct page_owner *page_owner_of_id(unsigned id)
{
    return id == NONE ? &none : id == CACHE ? &cache : id == BALLAST ? &ballast : NULL;
}

bool is_ballast(const struct page *page)
{
    return page->owner == BALLAST;
}

void test_record(struct test *t, const char *fmt, ...)
{
    va_list args;

    assert_true(nr_lines < LINES_MAX);
    va_start(args, fmt);
    vsnprintf(lines[nr_lines++], sizeof(lines[0]), fmt, args);
    va_end(args);
}

static void set_free(pfn_t pfn, unsigned order)
{
    map[pfn].use = 0;
    map[pfn].order = order;
    map[pfn].free_order = order;
    map[pfn].free = 1;
}

static void set_used(pfn_t pfn, unsigned order, unsigned owner)
{
    map[pfn].use = PAGE_STATE(order);
    map[pfn].kmap = 0;
    map[pfn].owner = owner;
}

static int start(void **state)
{
    memset(map, 0, sizeof(map));
    mem_map = map;
    highmem_map = map + LOW_PFN;
    nr_lines = 0;
    max_low_pfn = LOW_PFN;
    step_wanted = STEP;
    set_used(BLOCK, PAGEBLOCK_ORDER, BALLAST); /* left out */
    set_used(2 * BLOCK, 9, BALLAST);           /* not all of it: shown */
    for (pfn_t pfn = 3 * BLOCK; pfn < LOW_PFN; pfn++)
        set_free(pfn, 0);
    return 0;
}

/* The character of the cell that this frame is in, by the lines of the map; 0: it has none. */
static char cell_at(pfn_t pfn)
{
    for (unsigned i = 0; i < nr_lines; i++) {
        char when[8], cells[80];
        unsigned first, step;

        assert_int_equal(sscanf(lines[i], "lab map %7s %u %u %79s", when, &first, &step, cells), 4);
        assert_string_equal(when, "wedge");
        assert_int_equal(step, step_wanted);
        assert_true(strlen(cells) <= 64);
        if (pfn >= first && (pfn - first) / step < strlen(cells))
            return cells[(pfn - first) / step];
    }
    return 0;
}

static void draw(void)
{
    map_begin();
    map_write(NULL, "wedge");
}

static void kinds_of_cells(void **state)
{
    pfn_t at = 3 * BLOCK;

    set_used(at, 0, CACHE); /* one of four */
    for (pfn_t pfn = at + 8; pfn < at + 10; pfn++)
        set_used(pfn, 0, CACHE); /* half */
    memset(map + at + 16, 0, 4 * sizeof(*map));
    set_used(at + 16, 1, NONE); /* a block of two, one, and one that is no memory */
    set_used(at + 18, 0, CACHE);
    for (pfn_t pfn = at + 24; pfn < at + 27; pfn++)
        set_used(pfn, 0, GONE);
    draw();
    assert_int_equal(cell_at(at), 'c');
    assert_int_equal(cell_at(at + 8), 'C');
    assert_int_equal(cell_at(at + 16), 'K');
    assert_int_equal(cell_at(at + 24), '?');
    assert_int_equal(cell_at(at + 32), '.');
}

static void blocks_and_borders(void **state)
{
    draw();
    assert_int_equal(cell_at(0), '-');
    assert_int_equal(cell_at(BLOCK - 1), '-');
    assert_int_equal(cell_at(BLOCK), 0); /* all ballast */
    assert_int_equal(cell_at(2 * BLOCK - 1), 0);
    assert_int_equal(cell_at(2 * BLOCK), 'B');
    assert_int_equal(cell_at(2 * BLOCK + 511), 'B');
    assert_int_equal(cell_at(2 * BLOCK + 512), '-');
    assert_int_equal(cell_at(LOW_PFN - 1), '.');
    assert_int_equal(cell_at(LOW_PFN + STEP), 0); /* highmem */
}

static void wide_cells(void **state)
{
    max_low_pfn = WIDE_PFN;
    step_wanted = WIDE_STEP;
    draw();
    assert_int_equal(cell_at(BLOCK - 1), '-');
    assert_int_equal(cell_at(BLOCK), 0);
    assert_int_equal(cell_at(2 * BLOCK), 'B');
    assert_int_equal(cell_at(2 * BLOCK + 512), '-');
    assert_int_equal(cell_at(3 * BLOCK), '.');
    assert_int_equal(cell_at(WIDE_PFN - 1), '-');
    assert_int_equal(cell_at(WIDE_PFN), 0);
}

/* What was ballast at the start has no cells later on either: the maps of a run fit together. */
static void same_for_all_maps(void **state)
{
    map_begin();
    map[BLOCK].use = 0;
    set_free(BLOCK, PAGEBLOCK_ORDER);
    map_write(NULL, "wedge");
    assert_int_equal(cell_at(BLOCK), 0);
    assert_int_equal(cell_at(2 * BLOCK), 'B');
}

static void owners(void **state)
{
    map_tell_owners(NULL);
    assert_int_equal(nr_lines, 3);
    assert_string_equal(lines[0], "lab owner k kernel");
    assert_string_equal(lines[1], "lab owner c cache");
    assert_string_equal(lines[2], "lab owner b ballast");
}

int main(void)
{
#define ON_MACHINE(test) cmocka_unit_test_setup(test, start)
    const struct CMUnitTest tests[] = {
        ON_MACHINE(kinds_of_cells), ON_MACHINE(blocks_and_borders),
        ON_MACHINE(wide_cells),     ON_MACHINE(same_for_all_maps),
        ON_MACHINE(owners),
    };

    return cmocka_run_group_tests_name("lowmem_map", tests, NULL, NULL);
}
