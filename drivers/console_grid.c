/* SPDX-License-Identifier: BSD-2-Clause */
#include "drivers/console_grid.h"

#include "lib/string.h"

#define TAB_COLUMNS 8u

void grid_init(struct console_grid *grid, uint32_t columns, uint32_t rows, uint32_t scroll_rows)
{
    grid->columns = MIN(columns, GRID_MAX_COLUMNS);
    grid->rows = MIN(rows, GRID_MAX_ROWS);
    grid->scroll_rows = MAX(MIN(scroll_rows, grid->rows), 1u);
    grid->column = 0;
    grid->row = 0;
    grid->dirty_from = grid->rows;
    grid->dirty_to = 0;
    memset(grid->text, ' ', sizeof(grid->text));
    memset(grid->shown, ' ', sizeof(grid->shown));
}

static void scroll(struct console_grid *grid)
{
    uint32_t kept = grid->rows - grid->scroll_rows;

    memmove(grid->text[0], grid->text[grid->scroll_rows], kept * sizeof(grid->text[0]));
    memset(grid->text[kept], ' ', grid->scroll_rows * sizeof(grid->text[0]));
    grid->row = kept;
    grid->dirty_from = 0;
    grid->dirty_to = grid->rows;
}

static void put_char(struct console_grid *grid, char c)
{
    if (c == '\r') {
        grid->column = 0;
        return;
    }
    if (c != '\n' && grid->column >= grid->columns) {
        grid->column = 0;
        grid->row++;
    }
    /* Only now, when there is something to add: until then the last row keeps its line. */
    if (grid->row >= grid->rows)
        scroll(grid);
    if (c == '\n') {
        grid->column = 0;
        grid->row++;
        return;
    }
    if (c == '\t') {
        grid->column = ALIGN_DOWN(grid->column, TAB_COLUMNS) + TAB_COLUMNS;
        return;
    }
    grid->text[grid->row][grid->column++] = (char)(c >= ' ' && c <= '~' ? c : '?');
    grid->dirty_from = MIN(grid->dirty_from, grid->row);
    grid->dirty_to = MAX(grid->dirty_to, grid->row + 1);
}

void grid_put(struct console_grid *grid, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        put_char(grid, text[i]);
}

void grid_draw(struct console_grid *grid, grid_draw_t draw)
{
    for (uint32_t row = grid->dirty_from; row < grid->dirty_to; row++) {
        for (uint32_t column = 0; column < grid->columns; column++) {
            char c = grid->text[row][column];

            if (c == grid->shown[row][column])
                continue;
            grid->shown[row][column] = c;
            draw(column, row, c);
        }
    }
    grid->dirty_from = grid->rows;
    grid->dirty_to = 0;
}
