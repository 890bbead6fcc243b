/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VGA text: an array of cells, a character and an attribute byte each, and a cursor that the CRT
 * controller shows (IBM VGA technical reference, "CRT controller registers").
 */
#include "drivers/console.h"
#include "drivers/console_grid.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/string.h"
#include "lib/x86/io.h"
#include "paging/ioremap.h"

#define CELL_BYTES 2u
#define ATTRIBUTE_GREY_ON_BLACK 0x0700u

#define VGA_MISC_OUTPUT_READ 0x3cc
#define MISC_COLOUR BIT(0) /* the CRT controller is at 0x3d4, else at 0x3b4 */
#define CRTC_COLOUR 0x3d4u
#define CRTC_MONOCHROME 0x3b4u
#define CRTC_START_HIGH 0x0cu /* first cell shown */
#define CRTC_START_LOW 0x0du
#define CRTC_CURSOR_HIGH 0x0eu
#define CRTC_CURSOR_LOW 0x0fu

static struct {
    bool is_open;
    bool notice;
    phys_addr_t base;
    uint8_t __iomem *memory; /* where the cells are to be written now; NULL: nowhere */
    uint32_t pitch_bytes;
    uint32_t bytes;
    uint16_t crtc;
    struct console_grid grid;
} text;

static void crtc_write(uint8_t index, uint32_t value)
{
    outb(text.crtc, index);
    outb((uint16_t)(text.crtc + 1), (uint8_t)value);
}

static void draw_cell(uint32_t column, uint32_t row, char c)
{
    writew((uint16_t)(ATTRIBUTE_GREY_ON_BLACK | (uint8_t)c),
           text.memory + row * text.pitch_bytes + column * CELL_BYTES);
}

static void draw(void)
{
    if (!text.memory)
        return;
    grid_draw(&text.grid, draw_cell);

    /* While the last row is full it stands behind the screen, and is not seen. */
    uint32_t cursor = text.grid.row * (text.pitch_bytes / CELL_BYTES) + text.grid.column;

    crtc_write(CRTC_CURSOR_HIGH, cursor >> 8);
    crtc_write(CRTC_CURSOR_LOW, cursor);
}

static int text_open(const char *spec, size_t len, const struct screen_info *screen)
{
    static const char name[] = "screen";

    if (len != strlen(name) || memcmp(spec, name, len) != 0)
        return -EINVAL;
    if (!screen || screen->kind != SCREEN_TEXT)
        return -ENODEV;
    if (text.is_open)
        return 0;
    if (screen->width == 0 || screen->height == 0 || screen->height > GRID_MAX_ROWS ||
        screen->pitch_bytes < screen->width * CELL_BYTES || screen->pitch_bytes > UINT16_MAX ||
        addr_number(screen->base) > UINT32_MAX - screen->height * screen->pitch_bytes)
        return -ENODEV;

    text.base = screen->base;
    text.memory = (uint8_t __iomem *)(uintptr_t)addr_number(screen->base);
    text.pitch_bytes = screen->pitch_bytes;
    text.bytes = screen->height * screen->pitch_bytes;
    text.crtc = (inb(VGA_MISC_OUTPUT_READ) & MISC_COLOUR) ? CRTC_COLOUR : CRTC_MONOCHROME;
    grid_init(&text.grid, screen->width, screen->height, 1);
    text.is_open = true;

    for (uint32_t row = 0; row < text.grid.rows; row++) {
        for (uint32_t column = 0; column < text.grid.columns; column++)
            draw_cell(column, row, ' ');
    }
    crtc_write(CRTC_START_HIGH, 0);
    crtc_write(CRTC_START_LOW, 0);
    draw();
    return 0;
}

static void text_write(const char *chars, size_t len)
{
    if (!text.is_open)
        return;
    grid_put(&text.grid, chars, len);
    draw();
}

static void text_enter_paging(void)
{
    if (!text.is_open)
        return;
    text.memory = ioremap(text.base, text.bytes);
    text.notice = !text.memory;
    draw();
}

static bool text_notice(char *buf, size_t size)
{
    if (!text.notice)
        return false;
    text.notice = false;
    format(buf, size, "console: the text screen at 0x%llx can't be mapped and is given up",
           addr_number(text.base));
    return true;
}

TABLE_ENTRY(console, struct console_driver) = {
    .open = text_open,
    .write = text_write,
    .enter_paging = text_enter_paging,
    .notice = text_notice,
    .is_screen = true,
};
