/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The framebuffer console draws into an array here, from which the text is read back by comparing
 * with the font. Nothing outside the cells may be touched: the array ends with the screen, and the
 * bytes between its lines are watched.
 */
#include "ci/unit/unit.h"

/* The same accesses, counted: the driver is included below and sees these. */
#define LIB_X86_IO_H
static uint64_t nr_writes;
static void writel(uint32_t value, volatile void *addr)
{
    memcpy((void *)addr, &value, sizeof(value));
    nr_writes++;
}
static void writeb(uint8_t value, volatile void *addr)
{
    memcpy((void *)addr, &value, sizeof(value));
}

#include "drivers/console_rgb.c"

#define ABOVE_4G UINT64_C(0x4000000000)
#define PAD_BYTE 0xee

static uint8_t *framebuffer;
static bool map_fails;

void *ioremap_wc(phys_addr_t phys, size_t size)
{
    assert_true(phys == rgb.base);
    assert_int_equal(size, rgb.bytes);
    return map_fails ? NULL : framebuffer;
}

struct format_case {
    uint8_t bits, red_shift, red_bits, green_shift, green_bits, blue_shift, blue_bits;
    uint32_t ink;
};

static const struct format_case formats[] = {
    {15, 10, 5, 5, 5, 0, 5, 0x6739},         {16, 11, 5, 5, 6, 0, 5, 0xce59},
    {24, 16, 8, 8, 8, 0, 8, 0xc8c8c8},       {32, 16, 8, 8, 8, 0, 8, 0xc8c8c8},
    {32, 0, 8, 8, 8, 16, 8, 0xc8c8c8},       {32, 24, 8, 16, 8, 8, 8, 0xc8c8c800},
    {32, 20, 10, 10, 10, 0, 10, 0x320c8320},
};

static struct screen_info screen_of(const struct format_case *f, uint32_t width, uint32_t height,
                                    uint32_t padding)
{
    return (struct screen_info){.kind = SCREEN_RGB,
                                .base = ABOVE_4G,
                                .pitch_bytes = width * ((f->bits + 7u) / 8) + padding,
                                .width = width,
                                .height = height,
                                .bits_per_pixel = f->bits,
                                .red_shift = f->red_shift,
                                .red_bits = f->red_bits,
                                .green_shift = f->green_shift,
                                .green_bits = f->green_bits,
                                .blue_shift = f->blue_shift,
                                .blue_bits = f->blue_bits};
}

static int open_screen(const struct screen_info *screen)
{
    memset(&rgb, 0, sizeof(rgb));
    map_fails = false;
    return rgb_open("screen", strlen("screen"), screen);
}

static void start_screen(const struct screen_info *screen)
{
    size_t bytes = (size_t)screen->pitch_bytes * screen->height;

    framebuffer = malloc(bytes);
    assert_non_null(framebuffer);
    memset(framebuffer, PAD_BYTE, bytes);
    assert_int_equal(open_screen(screen), 0);
    rgb_enter_paging();
}

static uint32_t pixel_at(uint32_t x, uint32_t y)
{
    uint32_t value = 0;

    memcpy(&value, framebuffer + y * rgb.pitch_bytes + x * rgb.pixel_bytes, rgb.pixel_bytes);
    return value;
}

static bool cell_shows(uint32_t column, uint32_t row, char c, uint32_t ink)
{
    for (uint32_t y = 0; y < FONT_CELL_HEIGHT * rgb.scale; y++) {
        for (uint32_t x = 0; x < FONT_CELL_WIDTH * rgb.scale; x++) {
            uint32_t wanted = font_pixel(c, x / rgb.scale, y / rgb.scale) ? ink : 0;

            if (pixel_at(column * FONT_CELL_WIDTH * rgb.scale + x,
                         row * FONT_CELL_HEIGHT * rgb.scale + y) != wanted)
                return false;
        }
    }
    return true;
}

static char read_cell(uint32_t column, uint32_t row)
{
    for (char c = ' '; c <= '~'; c++) {
        if (cell_shows(column, row, c, rgb.ink))
            return c;
    }
    fail_msg("cell %u,%u shows no letter", column, row);
    return 0;
}

static void assert_shows(uint32_t row, const char *text)
{
    for (uint32_t column = 0; column < rgb.grid.columns; column++)
        assert_int_equal(read_cell(column, row), column < strlen(text) ? text[column] : ' ');
}

static void assert_padding_untouched(const struct screen_info *screen)
{
    for (uint32_t y = 0; y < screen->height; y++) {
        for (uint32_t at = screen->width * rgb.pixel_bytes; at < screen->pitch_bytes; at++)
            assert_int_equal(framebuffer[y * screen->pitch_bytes + at], PAD_BYTE);
    }
}

static void say(const char *text)
{
    rgb_write(text, strlen(text));
}

static void letters_differ(void **state)
{
    for (char a = ' '; a <= '~'; a++) {
        for (char b = ' '; b < a; b++) {
            bool differ = false;

            for (unsigned i = 0; i < FONT_CELL_WIDTH * FONT_CELL_HEIGHT; i++)
                differ |= font_pixel(a, i % FONT_CELL_WIDTH, i / FONT_CELL_WIDTH) !=
                          font_pixel(b, i % FONT_CELL_WIDTH, i / FONT_CELL_WIDTH);
            assert_true(differ);
        }
    }
    for (unsigned y = 0; y < FONT_CELL_HEIGHT; y++)
        assert_false(font_pixel('M', FONT_CELL_WIDTH - 1, y));
    assert_false(font_pixel('\n', 0, 0));
    assert_false(font_pixel((char)0x80, 0, 0));
}

static void pixel_formats(void **state)
{
    for (unsigned i = 0; i < ARRAY_SIZE(formats); i++) {
        struct screen_info screen = screen_of(&formats[i], 640, 50, i * 3);

        start_screen(&screen);
        assert_int_equal(rgb.ink, formats[i].ink);
        say("KTAP version 1\n# paeload {}|~\n");
        assert_shows(0, "KTAP version 1");
        assert_shows(1, "# paeload {}|~");
        assert_shows(2, "");
        assert_true(cell_shows(0, 0, 'K', formats[i].ink));
        assert_padding_untouched(&screen);
        free(framebuffer);
    }
}

static void sizes(void **state)
{
    static const struct {
        uint32_t width, height, scale, columns, rows;
    } sizes[] = {
        {6, 9, 1, 1, 1},          {640, 480, 1, 106, 53},    {800, 600, 1, 133, 66},
        {1024, 768, 1, 170, 85},  {1279, 1200, 1, 213, 128}, {1280, 800, 2, 106, 44},
        {1920, 1080, 2, 160, 60}, {2560, 1440, 3, 142, 53},  {3840, 2160, 4, 160, 60},
        {1920, 10, 1, 240, 1},
    };

    for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
        struct screen_info screen = screen_of(&formats[1], sizes[i].width, sizes[i].height, 2);

        start_screen(&screen);
        assert_int_equal(rgb.scale, sizes[i].scale);
        assert_int_equal(rgb.grid.columns, sizes[i].columns);
        assert_int_equal(rgb.grid.rows, sizes[i].rows);
        for (unsigned line = 0; line < 3 * sizes[i].rows; line++)
            say("MWMWMWMWMWMWMWMWMWMWMWMWMWMWMWMWMWMWMWMW\n");
        assert_padding_untouched(&screen);
        free(framebuffer);
    }
}

/* What can't be drawn on is no device; whatever the boot loader says, nothing is overrun. */
static void bad_screens(void **state)
{
    struct screen_info good = screen_of(&formats[3], 640, 480, 0), bad;

#define REFUSED(change)                               \
    do {                                              \
        bad = good;                                   \
        bad.change;                                   \
        assert_int_equal(open_screen(&bad), -ENODEV); \
    } while (0)

    REFUSED(kind = SCREEN_NONE);
    REFUSED(kind = SCREEN_TEXT);
    REFUSED(bits_per_pixel = 8);
    REFUSED(bits_per_pixel = 0);
    REFUSED(pitch_bytes = 640 * 4 - 1);
    REFUSED(width = 5);
    REFUSED(width = 0x40000001);
    REFUSED(height = 8);
    REFUSED(height = 0x200000);
    REFUSED(red_shift = 25);
    REFUSED(green_bits = 33);
    assert_int_equal(rgb_open("screen", 6, NULL), -ENODEV);
    assert_int_equal(rgb_open("screen0", 7, &good), -EINVAL);
    assert_int_equal(rgb_open("scree", 5, &good), -EINVAL);
    rgb_write("nobody sees this", 16);
    rgb_enter_paging();
}

static void appears_when_mapped(void **state)
{
    struct screen_info screen = screen_of(&formats[3], 640, 480, 0);
    char text[120];

    framebuffer = malloc((size_t)screen.pitch_bytes * screen.height);
    assert_int_equal(open_screen(&screen), 0);
    say("written before\n");
    rgb_enter_paging();
    say("and after\n");
    assert_shows(0, "written before");
    assert_shows(1, "and after");
    assert_false(rgb_notice(text, sizeof(text)));

    assert_int_equal(open_screen(&screen), 0);
    map_fails = true;
    rgb_enter_paging();
    say("lost\n");
    assert_true(rgb_notice(text, sizeof(text)));
    assert_string_equal(text,
                        "console: the framebuffer at 0x4000000000 can't be mapped and is given up");
    assert_false(rgb_notice(text, sizeof(text)));
    free(framebuffer);
}

static void control_characters(void **state)
{
    struct screen_info screen = screen_of(&formats[3], 120, 90, 0); /* 20 columns, 10 rows */

    start_screen(&screen);
    say("a\tb\n\033[0m\x80\nabc\rX\n12345678901234567890\n123456789012345678901\n\n");
    assert_shows(0, "a       b");
    assert_shows(1, "?[0m?");
    assert_shows(2, "Xbc");
    assert_shows(3, "12345678901234567890");
    assert_shows(4, "12345678901234567890");
    assert_shows(5, "1");
    assert_shows(6, "");
    say("\n\nlast");
    assert_shows(9, "last");
    assert_shows(0, "a       b");
    say("\n\n\n\nX");
    assert_shows(8, "X");
    assert_shows(4, "last");
    free(framebuffer);
}

/* Against a model that keeps every line: the screen shows the latest ones, in order. */
static void random_text(void **state)
{
    struct prng prng;

    prng_seed(&prng, 7);
    for (unsigned round = 0; round < 20; round++) {
        struct screen_info screen =
            screen_of(&formats[2], between(&prng, 6, 200), between(&prng, 9, 90), 1);
        char(*lines)[GRID_MAX_COLUMNS + 1] = calloc(2000, sizeof(*lines));
        unsigned line = 0, column = 0;

        start_screen(&screen);
        for (unsigned i = 0; i < 600; i++) {
            char c = one_in(&prng, 10) ? '\n' : (char)between(&prng, ' ', '~');

            if (c != '\n' && column == rgb.grid.columns) {
                line++;
                column = 0;
            }
            if (c == '\n') {
                line++;
                column = 0;
            } else {
                lines[line][column++] = c;
            }
            rgb_write(&c, 1);
        }
        say("!");
        if (column == rgb.grid.columns) {
            line++;
            column = 0;
        }
        lines[line][column] = '!';

        unsigned top = 0;

        while (line - top >= rgb.grid.rows)
            top += rgb.grid.scroll_rows;
        for (unsigned row = 0; row < rgb.grid.rows; row++)
            assert_shows(row, lines[top + row]);
        assert_padding_untouched(&screen);
        free(lines);
        free(framebuffer);
    }
}

/* Screen memory is slow: a line may cost no more than a few lines' worth of pixels on average. */
static void writes_are_few(void **state)
{
    struct screen_info screen = screen_of(&formats[3], 1280, 800, 0);
    const unsigned nr_lines = 500;
    const unsigned cell_writes = FONT_CELL_WIDTH * FONT_CELL_HEIGHT * 2 * 2;
    const unsigned columns = 60;

    start_screen(&screen);
    nr_writes = 0;
    say("\n");
    assert_int_equal(nr_writes, 0);
    for (unsigned i = 0; i < nr_lines; i++) {
        char line[100];

        snprintf(line, sizeof(line), "%0*u\n", (int)columns, i * 7919u);
        say(line);
    }
    assert_true(nr_writes > (uint64_t)nr_lines * cell_writes);
    assert_true(nr_writes < (uint64_t)nr_lines * columns * cell_writes * 4);

    free(framebuffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(letters_differ),
        cmocka_unit_test(pixel_formats),
        cmocka_unit_test(sizes),
        cmocka_unit_test(bad_screens),
        cmocka_unit_test(appears_when_mapped),
        cmocka_unit_test(control_characters),
        cmocka_unit_test(random_text),
        cmocka_unit_test(writes_are_few),
    };

    return cmocka_run_group_tests_name("console", tests, NULL, NULL);
}
