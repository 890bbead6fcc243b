/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A linear framebuffer with 15, 16, 24 or 32 bits for a pixel's three colours, as UEFI's GOP and
 * VBE set it up. Letters are drawn larger where the screen has many pixels.
 */
#include "drivers/console.h"
#include "drivers/console_font.h"
#include "drivers/console_grid.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/string.h"
#include "lib/x86/io.h"
#include "paging/ioremap.h"

#define MAX_SCALE 4u
#define WIDTH_PER_SCALE 1280u /* from so many pixels on, letters are one size larger */
#define MAX_PIXEL_BYTES 4u
#define MAX_BYTES MIB(256) /* more is no screen */

#define INK_LEVEL 0xc8u /* of each colour, out of 255; paper is black */

static struct {
    bool is_open;
    bool is_cleared;
    bool notice;
    phys_addr_t base;
    uint8_t __iomem *memory; /* where pixels are to be written now; NULL: nowhere */
    uint32_t bytes;
    uint32_t width, height;
    uint32_t pitch_bytes;
    uint32_t pixel_bytes;
    uint32_t scale;
    uint32_t ink;
    struct console_grid grid;
} rgb;

/* Writes a run of bytes in pieces as large as they come; screen memory is slow by the write. */
static void write_run(uint8_t __iomem *to, const uint32_t *from, uint32_t bytes)
{
    for (; bytes >= sizeof(*from); bytes -= sizeof(*from), to += sizeof(*from))
        writel(*from++, to);

    const uint8_t *rest = (const uint8_t *)from;

    while (bytes--)
        writeb(*rest++, to++);
}

/*
 * One row of a letter's pixels as the screen wants them, each `scale` times. Returns its bytes. A
 * whole word is stored for each pixel, and the next one goes over what is too much of it, so `run`
 * has room for a word more.
 */
static uint32_t build_run(uint32_t *run, char c, uint32_t y)
{
    uint8_t *out = (uint8_t *)run;

    for (uint32_t x = 0; x < FONT_CELL_WIDTH; x++) {
        uint32_t colour = font_pixel(c, x, y) ? rgb.ink : 0;

        for (uint32_t i = 0; i < rgb.scale; i++, out += rgb.pixel_bytes)
            __builtin_memcpy(out, &colour, sizeof(colour));
    }
    return (uint32_t)(out - (uint8_t *)run);
}

static void draw_cell(uint32_t column, uint32_t row, char c)
{
    uint32_t run[FONT_CELL_WIDTH * MAX_SCALE * MAX_PIXEL_BYTES / sizeof(uint32_t) + 1];
    uint8_t __iomem *line = rgb.memory + row * FONT_CELL_HEIGHT * rgb.scale * rgb.pitch_bytes +
                            column * FONT_CELL_WIDTH * rgb.scale * rgb.pixel_bytes;

    for (uint32_t y = 0; y < FONT_CELL_HEIGHT; y++) {
        uint32_t bytes = build_run(run, c, y);

        for (uint32_t i = 0; i < rgb.scale; i++, line += rgb.pitch_bytes)
            write_run(line, run, bytes);
    }
}

static void clear(void)
{
    static const uint32_t black[16];

    for (uint32_t y = 0; y < rgb.height; y++) {
        uint8_t __iomem *line = rgb.memory + y * rgb.pitch_bytes;
        uint32_t left = rgb.width * rgb.pixel_bytes;

        for (uint32_t bytes; left; left -= bytes, line += bytes) {
            bytes = MIN(left, sizeof(black));
            write_run(line, black, bytes);
        }
    }
    rgb.is_cleared = true;
}

static void draw(void)
{
    if (!rgb.memory)
        return;
    if (!rgb.is_cleared)
        clear();
    grid_draw(&rgb.grid, draw_cell);
}

/* A colour's share of a pixel. */
static uint32_t component(uint8_t shift, uint8_t bits)
{
    uint32_t level = bits <= 8 ? INK_LEVEL >> (8 - bits) : INK_LEVEL << (bits - 8);

    return level << shift;
}

static bool component_fits(const struct screen_info *screen, uint8_t shift, uint8_t bits)
{
    return bits <= 16 && shift + bits <= screen->bits_per_pixel;
}

static bool is_usable(const struct screen_info *screen)
{
    uint32_t pixel_bytes = (screen->bits_per_pixel + 7u) / 8;

    if (screen->bits_per_pixel != 15 && screen->bits_per_pixel != 16 &&
        screen->bits_per_pixel != 24 && screen->bits_per_pixel != 32)
        return false;
    if (!component_fits(screen, screen->red_shift, screen->red_bits) ||
        !component_fits(screen, screen->green_shift, screen->green_bits) ||
        !component_fits(screen, screen->blue_shift, screen->blue_bits))
        return false;
    if (screen->width > MAX_BYTES / MAX_PIXEL_BYTES ||
        screen->pitch_bytes < screen->width * pixel_bytes ||
        (uint64_t)screen->pitch_bytes * screen->height > MAX_BYTES)
        return false;
    return screen->width >= FONT_CELL_WIDTH && screen->height >= FONT_CELL_HEIGHT;
}

static int rgb_open(const char *spec, size_t len, const struct screen_info *screen)
{
    static const char name[] = "screen";

    if (len != strlen(name) || memcmp(spec, name, len) != 0)
        return -EINVAL;
    if (!screen || screen->kind != SCREEN_RGB || !is_usable(screen))
        return -ENODEV;
    if (rgb.is_open)
        return 0;

    rgb.base = screen->base;
    rgb.width = screen->width;
    rgb.height = screen->height;
    rgb.pitch_bytes = screen->pitch_bytes;
    rgb.bytes = screen->height * screen->pitch_bytes;
    rgb.pixel_bytes = (screen->bits_per_pixel + 7u) / 8;
    rgb.ink = component(screen->red_shift, screen->red_bits) |
              component(screen->green_shift, screen->green_bits) |
              component(screen->blue_shift, screen->blue_bits);
    rgb.scale = MIN(screen->width / WIDTH_PER_SCALE + 1, MAX_SCALE);
    rgb.scale = MIN(rgb.scale, screen->height / FONT_CELL_HEIGHT);

    uint32_t rows = screen->height / (FONT_CELL_HEIGHT * rgb.scale);

    grid_init(&rgb.grid, screen->width / (FONT_CELL_WIDTH * rgb.scale), rows, rows / 2);
    /* Without paging no pointer reaches above 4 GiB; such a screen waits for enter_paging. */
    if (addr_number(screen->base) <= UINT32_MAX - rgb.bytes)
        rgb.memory = (uint8_t __iomem *)(uintptr_t)addr_number(screen->base);
    rgb.is_open = true;
    draw();
    return 0;
}

static void rgb_write(const char *text, size_t len)
{
    if (!rgb.is_open)
        return;
    grid_put(&rgb.grid, text, len);
    draw();
}

static void rgb_enter_paging(void)
{
    if (!rgb.is_open)
        return;
    rgb.memory = ioremap_wc(rgb.base, rgb.bytes);
    rgb.notice = !rgb.memory;
    draw();
}

static bool rgb_notice(char *buf, size_t size)
{
    if (!rgb.notice)
        return false;
    rgb.notice = false;
    format(buf, size, "console: the framebuffer at 0x%llx can't be mapped and is given up",
           addr_number(rgb.base));
    return true;
}

TABLE_ENTRY(console, struct console_driver) = {
    .open = rgb_open,
    .write = rgb_write,
    .enter_paging = rgb_enter_paging,
    .notice = rgb_notice,
    .is_screen = true,
};
