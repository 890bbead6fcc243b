// SPDX-License-Identifier: BSD-2-Clause
#include "ci/runner/report_lab.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "ci/runner/markup.h"
#include "ci/runner/svg_cells.h"

#define FEWEST_CELLS 16 /* in a row */
#define UNKNOWN ' '
#define LEVELS 2 /* less than half used, and more */
#define NR_KINDS (LEVELS * LAB_OWNERS + 2)
#define GONE '?' /* an owner that is not registered any more */

static const char *caption(const struct lab_case *run, unsigned when)
{
    static const char *const captions[LAB_WHENS] = {"at the start", "at the wedge", "at the end"};

    if (when == LAB_AT_WEDGE && run->ended && run->verdict != LAB_WEDGED)
        return "at the last step";
    return captions[when];
}

/* A map in one piece, by rows; those that tell nothing are left out. */
struct grid {
    uint64_t step;
    size_t count, per_row; /* cells */
    char *cells;
    uint64_t *frames; /* the first one of each row */
};

/* What several cells come to when one is drawn for them: whoever has most, and how much of it. */
static char merged(const char *cells, size_t count)
{
    size_t votes[128] = {0}, best = 0, letters = 0, full = 0;
    char winner = UNKNOWN;

    for (size_t i = 0; i < count; i++) {
        unsigned char lower = (unsigned char)tolower((unsigned char)cells[i]);

        if (cells[i] == UNKNOWN || ++votes[lower] <= best)
            continue;
        best = votes[lower];
        winner = (char)lower;
    }
    if (!isalpha((unsigned char)winner))
        return winner;
    for (size_t i = 0; i < count; i++) {
        letters += isalpha((unsigned char)cells[i]) != 0;
        full += isupper((unsigned char)cells[i]) != 0;
    }
    return (char)(2 * full >= letters && 2 * letters >= count ? toupper((unsigned char)winner)
                                                              : winner);
}

/* All cells of the map in their places, those of missing rows UNKNOWN; for free(). */
static char *all_cells(const struct lab_map *map, size_t *all, size_t *known)
{
    const struct lab_row *last = &map->rows[map->nr_rows - 1];
    uint64_t first = map->rows[0].frame;

    *all = (size_t)((last->frame - first) / map->step + strlen(last->cells));
    *known = 0;
    char *cells = malloc(*all + 1);
    if (!cells)
        abort();
    memset(cells, UNKNOWN, *all);
    for (size_t i = 0; i < map->nr_rows; i++) {
        const struct lab_row *row = &map->rows[i];
        size_t length = strlen(row->cells);

        memcpy(cells + (row->frame - first) / map->step, row->cells, length);
        *known += length;
    }
    return cells;
}

static bool tells_nothing(const char *cells, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (cells[i] != UNKNOWN && cells[i] != '-')
            return false;
    }
    return true;
}

/*
 * Cells in a row: few where what is known lies in small pieces far from each other, so that at
 * least three quarters of what is drawn mean something.
 */
static size_t choose_row(const char *cells, size_t count)
{
    size_t per_row = SVG_CELLS;

    for (; per_row > FEWEST_CELLS; per_row /= 2) {
        size_t drawn = 0, known = 0;

        for (size_t i = 0; i < count; i += per_row) {
            size_t length = count - i < per_row ? count - i : per_row;

            if (tells_nothing(cells + i, length))
                continue;
            drawn += length;
            for (size_t j = i; j < i + length; j++)
                known += cells[j] != UNKNOWN;
        }
        if (4 * known >= 3 * drawn)
            break;
    }
    return per_row;
}

/* Rows may be missing, and a map finer than can be seen. */
static bool make_grid(struct grid *grid, const struct lab_map *map, size_t max_cells)
{
    size_t all, known, each, used = 0, row = 0;

    if (!map->nr_rows)
        return false;
    char *cells = all_cells(map, &all, &known);
    each = known > max_cells ? (known + max_cells - 1) / max_cells : 1;
    grid->step = map->step * each;
    for (size_t i = 0; i < all; i += each)
        cells[used++] = merged(cells + i, all - i < each ? all - i : each);
    grid->count = 0;
    grid->cells = cells;
    grid->per_row = choose_row(cells, used);
    grid->frames = calloc(used / grid->per_row + 1, sizeof(*grid->frames));
    if (!grid->frames)
        abort();
    for (size_t i = 0; i < used; i += grid->per_row) {
        size_t length = used - i < grid->per_row ? used - i : grid->per_row;

        if (tells_nothing(cells + i, length))
            continue;
        grid->frames[row++] = map->rows[0].frame + i * grid->step;
        memmove(cells + grid->count, cells + i, length);
        grid->count += length;
    }
    return true;
}

static char *row_name(size_t row, void *ctx)
{
    const struct grid *grid = ctx;

    return text("%.*f MiB", grid->frames[row] % 256 ? 1 : 0, (double)grid->frames[row] / 256);
}

/* Of which cells there are none are not drawn, so all kinds can be given. For free(). */
static struct svg_cell_kind *make_kinds(const struct lab_case *run,
                                        const struct lab_colours *colours)
{
    struct svg_cell_kind *kinds = calloc(NR_KINDS, sizeof(*kinds)), *kind = kinds;

    if (!kinds)
        abort();
    *kind++ = (struct svg_cell_kind){'.', text_copy("free"), text_copy("free")};
    for (unsigned letter = 0; letter < LAB_OWNERS; letter++) {
        for (unsigned full = 0; full < LEVELS; full++) {
            const char *name = run->owners[letter] ? run->owners[letter] : "an owner without name";
            const char *little = full ? "" : " little";

            *kind++ = (struct svg_cell_kind){
                .character = (char)((full ? 'A' : 'a') + (int)letter),
                .class = colours->owner[letter] < 0 ? text("none%s", little)
                                                    : text("u%d%s", colours->owner[letter], little),
                .title = text("%s, %s than half used", name, full ? "more" : "less"),
            };
        }
    }
    *kind = (struct svg_cell_kind){GONE, text_copy("none"), text_copy("an owner that is gone")};
    return kinds;
}

static bool is_used(const struct lab_case *run, char character)
{
    for (unsigned when = 0; when < LAB_WHENS; when++) {
        for (size_t i = 0; i < run->maps[when].nr_rows; i++) {
            if (strchr(run->maps[when].rows[i].cells, character))
                return true;
        }
    }
    return false;
}

static void put_legend(FILE *out, const struct lab_case *run, const struct svg_cell_kind *kinds)
{
    fputs("<ul class=\"legend\" aria-label=\"who is in the maps\">"
          "<li><i class=\"free\"></i>free</li>",
          out);
    for (unsigned letter = 0; letter < LAB_OWNERS; letter++) {
        const struct svg_cell_kind *kind = &kinds[1 + LEVELS * letter];

        if (!is_used(run, kind[0].character) && !is_used(run, kind[1].character))
            continue;
        fprintf(out, "<li><i class=\"%s\"></i><i class=\"%s\"></i>", kind[0].class, kind[1].class);
        put_text(out, run->owners[letter] ? run->owners[letter] : kind[0].title);
        fputs("</li>", out);
    }
    if (is_used(run, GONE))
        fputs("<li><i class=\"none\"></i>an owner that is gone</li>", out);
    fputs("<li class=\"soft\">pale: less than half of the cell is used; blank, and rows left out: "
          "ballast, or not the allocator's</li></ul>\n",
          out);
}

void put_lab_maps(FILE *out, const struct lab_case *run, const struct lab_colours *colours,
                  size_t max_cells)
{
    struct svg_cell_kind *kinds = make_kinds(run, colours);
    bool any = false;

    for (unsigned when = 0; when < LAB_WHENS; when++) {
        struct grid grid;

        if (!make_grid(&grid, &run->maps[when], max_cells))
            continue;
        char *cell = pages_text(grid.step);
        char *label = text("%s, %s: map of lowmem %s, a cell is %s", run->workload, run->name,
                           caption(run, when), cell);

        fputs(any ? "<figure>" : "<div class=\"charts maps\">\n<figure>", out);
        any = true;
        svg_cells(out, label, grid.cells, grid.count, grid.per_row, kinds, NR_KINDS, row_name,
                  &grid);
        fputs("<figcaption>", out);
        put_textf(out, "lowmem %s; a cell is %s", caption(run, when), cell);
        fputs("</figcaption></figure>\n", out);
        free(cell);
        free(label);
        free(grid.cells);
        free(grid.frames);
    }
    if (any) {
        fputs("</div>\n", out);
        put_legend(out, run, kinds);
    }
    for (size_t i = 0; i < NR_KINDS; i++) {
        free(kinds[i].class);
        free(kinds[i].title);
    }
    free(kinds);
}
