/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DRIVERS_CONSOLE_GRID_H
#define DRIVERS_CONSOLE_GRID_H

/*
 * The characters of a screen, in RAM. Screen memory is slow to write (uncached, often behind a PCI
 * bus) and far slower to read, so it is never read: text goes into this grid, which remembers what
 * the screen shows, and only cells that differ are drawn.
 *
 * Scrolling changes most cells of most lines. With `scroll_rows` of half a screen the text
 * jumps up so many lines at once, and drawing a line costs about two lines' worth of writes on
 * average instead of a screenful.
 *
 * Plain data, no pointers: it survives the change of address when paging begins.
 */

#include "lib/types.h"

#define GRID_MAX_COLUMNS 240u
#define GRID_MAX_ROWS 128u

struct console_grid {
    uint32_t columns, rows;
    uint32_t scroll_rows;          /* how far the text moves up when it must, 1..rows */
    uint32_t column, row;          /* where the next character goes; row == rows: scroll first */
    uint32_t dirty_from, dirty_to; /* rows from..to - 1 may differ from what is shown */
    char text[GRID_MAX_ROWS][GRID_MAX_COLUMNS];
    char shown[GRID_MAX_ROWS][GRID_MAX_COLUMNS];
};

/* Draws one character, printable ASCII. */
typedef void (*grid_draw_t)(uint32_t column, uint32_t row, char c);

/*
 * An empty grid; the screen behind it is taken to be blank.
 *   columns, rows: not 0; what is over the maximum is left unused
 *   scroll_rows: brought into 1..rows
 */
void grid_init(struct console_grid *grid, uint32_t columns, uint32_t rows, uint32_t scroll_rows);

/*
 * Adds text: '\n' begins a new line, '\t' goes on at the next multiple of eight, '\r' goes back to
 * the line's first column, a line that is full goes on in the next. Other characters than printable
 * ASCII become '?'. Draws nothing.
 */
void grid_put(struct console_grid *grid, const char *text, size_t len);

/* Draws each cell that does not show what it should. */
void grid_draw(struct console_grid *grid, grid_draw_t draw);

#endif
