/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Port 0xE9: what is written to it appears in a file of QEMU (-debugcon, isa-debugcon) or on the
 * terminal of Bochs (port_e9_hack). Both tell that they are there by reading as the port's number.
 */
#include "drivers/console.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "lib/x86/io.h"

#define DEBUGCON_PORT 0xe9u
#define DEBUGCON_PRESENT 0xe9u /* what a read gives */

static bool is_open;

static int debugcon_open(const char *spec, size_t len, const struct screen_info *screen)
{
    static const char name[] = "e9";

    if (len != strlen(name) || memcmp(spec, name, len) != 0)
        return -EINVAL;
    if (inb(DEBUGCON_PORT) != DEBUGCON_PRESENT)
        return -ENODEV;
    is_open = true;
    return 0;
}

static void debugcon_write(const char *text, size_t len)
{
    if (!is_open)
        return;
    for (size_t i = 0; i < len; i++)
        outb(DEBUGCON_PORT, (uint8_t)text[i]);
}

TABLE_ENTRY(console, struct console_driver) = {
    .open = debugcon_open,
    .write = debugcon_write,
};
