/* SPDX-License-Identifier: BSD-2-Clause */
#include "drivers/console.h"

#include "lib/errno.h"
#include "lib/string.h"

/*
 * A fault in a screen driver is reported through the same driver, which faults again. After this
 * many levels screens are left out, and the report goes on elsewhere.
 */
#define MAX_FAULTING_LEVELS 3

static unsigned write_level;

int console_add(const char *spec, size_t len, const struct screen_info *screen)
{
    int result = -EINVAL;

    table_for_each (console, struct console_driver, driver) {
        int error = driver->open(spec, len, screen);

        if (!error)
            return 0;
        /* -EINVAL says "not mine": the driver that knows the form has the better answer. */
        if (error != -EINVAL)
            result = error;
    }
    return result;
}

void console_default(const struct screen_info *screen)
{
    static const char spec[][sizeof("screen")] = {"ttyS0", "screen", "e9"};

    for (unsigned i = 0; i < ARRAY_SIZE(spec); i++)
        console_add(spec[i], strlen(spec[i]), screen);
}

void console_write(const char *text, size_t len, enum console_readers readers)
{
    unsigned level = write_level++;

    table_for_each (console, struct console_driver, driver) {
        if (driver->is_screen && (readers == CONSOLE_PROGRAMS || level >= MAX_FAULTING_LEVELS))
            continue;
        driver->write(text, len);
    }
    write_level = level;
}

void console_drain(void)
{
    table_for_each (console, struct console_driver, driver) {
        if (driver->drain)
            driver->drain();
    }
}

void console_enter_paging(void)
{
    table_for_each (console, struct console_driver, driver) {
        if (driver->enter_paging)
            driver->enter_paging();
    }
}

bool console_take_notice(char *buf, size_t size)
{
    table_for_each (console, struct console_driver, driver) {
        if (driver->notice && driver->notice(buf, size))
            return true;
    }
    return false;
}
