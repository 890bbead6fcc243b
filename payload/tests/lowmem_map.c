/* SPDX-License-Identifier: BSD-2-Clause */
#include "payload/tests/lowmem_map.h"
#include "lib/string.h"
#include "paging/page_alloc.h"
#include "paging/page_owner.h"
#include "payload/tests/lowmem_ballast.h"

#define CELLS_MAX 1024u
#define CELLS_A_LINE 64u
#define PAGEBLOCK_PAGES (1u << PAGEBLOCK_ORDER)
#define PAGEBLOCKS_MAX 1024u /* 4 GiB */

#define CELL_HOLE '-'
#define CELL_FREE '.'
#define CELL_UNKNOWN '?' /* used, and its owner is not registered (any more) */

static bool left_out[PAGEBLOCKS_MAX];
static uint32_t step; /* frames a cell */

/* What is known of the frames of one cell. */
struct cell {
    uint32_t free, used;
    uint32_t by_owner[NR_PAGE_OWNERS];
};

/* A line that is being written. */
struct line {
    struct test *t;
    const char *when;
    pfn_t first;
    unsigned cells;
    char text[CELLS_A_LINE + 1];
};

/* Where a walk is: the block that the frame belongs to. */
struct walk {
    pfn_t block_end;
    enum { FRAME_HOLE, FRAME_FREE, FRAME_USED } state;
    unsigned owner;
};

static unsigned nr_pageblocks(void)
{
    return MIN((max_low_pfn + PAGEBLOCK_PAGES - 1) / PAGEBLOCK_PAGES, PAGEBLOCKS_MAX);
}

static bool is_all_ballast(pfn_t pfn)
{
    const struct page *page = pfn_to_page(pfn);

    return !page->free && page->allocated && page->order == PAGEBLOCK_ORDER && is_ballast(page);
}

void map_begin(void)
{
    uint32_t frames = 0;

    for (unsigned i = 0; i < nr_pageblocks(); i++) {
        left_out[i] = is_all_ballast(i * PAGEBLOCK_PAGES);
        if (!left_out[i])
            frames += PAGEBLOCK_PAGES;
    }
    for (step = 1; frames / step > CELLS_MAX;)
        step *= 2;
}

void map_tell_owners(struct test *t)
{
    for (unsigned id = 0; id < NR_PAGE_OWNERS; id++)
        if (page_owner_of_id(id))
            test_record(t, "lab owner %c %s", page_owner_of_id(id)->letter,
                        page_owner_of_id(id)->name);
}

static void walk_to(struct walk *walk, pfn_t pfn)
{
    const struct page *page = pfn_to_page(pfn);

    if (pfn < walk->block_end)
        return;
    if (page->free || page->allocated) {
        walk->state = page->free ? FRAME_FREE : FRAME_USED;
        walk->owner = page->owner;
        walk->block_end = pfn + (1u << page->order);
    } else {
        walk->state = FRAME_HOLE;
        walk->block_end = pfn + 1;
    }
}

static void cell_add(struct cell *cell, const struct walk *walk)
{
    if (walk->state == FRAME_FREE)
        cell->free++;
    if (walk->state != FRAME_USED)
        return;
    cell->used++;
    cell->by_owner[walk->owner]++;
}

static char cell_char(const struct cell *cell)
{
    const struct page_owner *owner;
    unsigned most = 0;

    if (cell->used == 0)
        return cell->free ? CELL_FREE : CELL_HOLE;
    for (unsigned id = 1; id < NR_PAGE_OWNERS; id++)
        if (cell->by_owner[id] > cell->by_owner[most])
            most = id;
    owner = page_owner_of_id(most);
    if (!owner)
        return CELL_UNKNOWN;
    return (char)(cell->used < cell->free ? owner->letter : owner->letter - 'a' + 'A');
}

static void line_flush(struct line *line)
{
    if (line->cells == 0)
        return;
    line->text[line->cells] = '\0';
    test_record(line->t, "lab map %s %u %u %s", line->when, line->first, step, line->text);
    line->cells = 0;
}

static void line_add(struct line *line, pfn_t pfn, char cell)
{
    if (line->cells == 0)
        line->first = pfn;
    line->text[line->cells++] = cell;
    if (line->cells == CELLS_A_LINE)
        line_flush(line);
}

static void write_pageblock(struct line *line, pfn_t start)
{
    pfn_t end = MIN(start + PAGEBLOCK_PAGES, max_low_pfn);
    struct walk walk = {.block_end = start};

    for (pfn_t pfn = start; pfn < end; pfn += step) {
        struct cell cell;

        memset(&cell, 0, sizeof(cell));
        for (pfn_t at = pfn; at < MIN(pfn + step, end); at++) {
            walk_to(&walk, at);
            cell_add(&cell, &walk);
        }
        line_add(line, pfn, cell_char(&cell));
    }
}

void map_write(struct test *t, const char *when)
{
    struct line line = {.t = t, .when = when};

    for (unsigned i = 0; i < nr_pageblocks(); i++) {
        if (left_out[i])
            line_flush(&line);
        else
            write_pageblock(&line, i * PAGEBLOCK_PAGES);
    }
    line_flush(&line);
}
