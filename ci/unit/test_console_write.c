/* SPDX-License-Identifier: BSD-2-Clause */
#include "ci/unit/unit.h"
#include "drivers/console.h"

/* A serial port and a screen, and what was written to them. */
static char port[100], screen[100];
static bool faults; /* each write to the screen ends in a report on all consoles */

static void port_write(const char *text, size_t len)
{
    strncat(port, text, len);
}

static void screen_write(const char *text, size_t len)
{
    strncat(screen, text, len);
    if (faults)
        console_write("!", 1, CONSOLE_ALL);
}

/* What the linker script makes of all TABLE_ENTRY(console, ...). */
#define NR_DRIVERS 2u
#define TABLE_BYTES 96
__attribute__((used)) static const struct console_driver test_drivers[NR_DRIVERS] = {
    {.write = port_write},
    {.write = screen_write, .is_screen = true},
};
_Static_assert(sizeof(test_drivers) == TABLE_BYTES, "the table ends elsewhere");
__asm__(".globl console_table_start, console_table_end\n"
        "console_table_start = test_drivers\n"
        "console_table_end = test_drivers + 96\n");

static int empty(void **state)
{
    memset(port, 0, sizeof(port));
    memset(screen, 0, sizeof(screen));
    faults = false;
    return 0;
}

static void lines_go_to_all(void **state)
{
    console_write("ok 1 kmap\n", 10, CONSOLE_ALL);
    assert_string_equal(port, "ok 1 kmap\n");
    assert_string_equal(screen, "ok 1 kmap\n");
}

static void records_are_kept_off_the_screen(void **state)
{
    console_write("# lab sample\n", 13, CONSOLE_PROGRAMS);
    assert_string_equal(port, "# lab sample\n");
    assert_string_equal(screen, "");
}

/* A screen whose driver faults is left out after a few levels; the port gets all of it. */
static void a_screen_that_faults(void **state)
{
    faults = true;
    console_write("a", 1, CONSOLE_ALL);
    assert_string_equal(port, "a!!!");
    assert_string_equal(screen, "a!!");
    console_write("b", 1, CONSOLE_ALL);
    assert_string_equal(port, "a!!!b!!!");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(lines_go_to_all, empty),
        cmocka_unit_test_setup(records_are_kept_off_the_screen, empty),
        cmocka_unit_test_setup(a_screen_that_faults, empty),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
