/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DRIVERS_CONSOLE_FONT_H
#define DRIVERS_CONSOLE_FONT_H

/*
 * A font for printable ASCII: letters 5 pixels wide and 7 high, with an eighth row for what hangs
 * below the line, in a cell that leaves one column free at the right and one row at the bottom.
 */

#include "lib/types.h"

#define FONT_CELL_WIDTH 6u
#define FONT_CELL_HEIGHT 9u

/* True if the pixel of the character's cell is set. x, y: inside the cell, from its top left. */
bool font_pixel(char c, unsigned x, unsigned y);

#endif
