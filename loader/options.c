/* SPDX-License-Identifier: BSD-2-Clause */
#include "loader/options.h"

#include <stdint.h>

/* How EFI_LOAD_OPTION begins ("UEFI Specification 2.10", section 3.1.3): u32 attributes, u16 length
 * of the device path, then the description in UTF-16, the device path, the optional data. */
#define ENTRY_PATH_LENGTH_OFFSET 4
#define ENTRY_DESCRIPTION_OFFSET 6
#define ENTRY_KNOWN_ATTRIBUTES 0x00001f0bu /* active, reconnect, hidden, category */

/* A device path closes with a node of type 0x7f, subtype 0xff, length 4. */
static const uint8_t path_end[] = {0x7f, 0xff, 0x04, 0x00};

static unsigned load16(const uint8_t *at)
{
    return at[0] | (unsigned)at[1] << 8;
}

static uint32_t load32(const uint8_t *at)
{
    return load16(at) | (uint32_t)load16(at + 2) << 16;
}

static bool is_printable(unsigned character)
{
    return character >= ' ' && character <= '~';
}

/*
 * If the options are a whole boot entry, moves to the optional data inside. Text is not taken for
 * one: it would have to begin with a control character, and a device path has to end where the
 * entry says.
 */
static void skip_boot_entry(const uint8_t **options, size_t *bytes)
{
    const uint8_t *at = *options;
    size_t path, end;

    if (*bytes < ENTRY_DESCRIPTION_OFFSET + 2)
        return;
    if ((load32(at) & ~ENTRY_KNOWN_ATTRIBUTES) != 0)
        return;
    path = ENTRY_DESCRIPTION_OFFSET;
    while (path + 2 <= *bytes && load16(at + path) != 0)
        path += 2;
    path += 2;
    end = path + load16(at + ENTRY_PATH_LENGTH_OFFSET);
    if (end > *bytes || end < path + sizeof(path_end))
        return;
    for (size_t i = 0; i < sizeof(path_end); i++) {
        if (at[end - sizeof(path_end) + i] != path_end[i])
            return;
    }
    *options = at + end;
    *bytes -= end;
}

/*
 * UTF-16 of anything that can be an option is ASCII for the most part; the GUIDs and pointers that
 * some firmware leaves here are not.
 */
static bool is_utf16(const uint8_t *options, size_t bytes)
{
    size_t ascii = 0;
    size_t length = 0;

    for (; length < bytes / 2 && load16(options + 2 * length) != 0; length++)
        ascii += is_printable(load16(options + 2 * length));
    return ascii * 2 >= length;
}

/*
 * How many bytes a character has, or 0 if this is no text. Two printable bytes in front can only be
 * 8-bit text: as UTF-16 they would be Chinese.
 */
static size_t character_bytes(const uint8_t *options, size_t bytes)
{
    if (bytes >= 1 && is_printable(options[0]) &&
        (bytes == 1 || is_printable(options[1]) || (options[1] == 0 && bytes == 2)))
        return 1;
    if (is_utf16(options, bytes))
        return 2;
    return 0;
}

bool options_to_line(const void *options, size_t bytes, char *line, size_t line_size)
{
    const uint8_t *at = options;
    size_t length = 0;
    size_t step;
    bool fits = true;

    line[0] = '\0';
    if (!options)
        return true;
    skip_boot_entry(&at, &bytes);
    step = character_bytes(at, bytes);
    for (; step != 0 && bytes >= step; at += step, bytes -= step) {
        unsigned character = step == 1 ? at[0] : load16(at);

        if (character == 0)
            break;
        if (character < ' ')
            character = ' ';
        else if (!is_printable(character))
            character = '?';
        if (character == ' ' && length == 0)
            continue;
        if (length + 1 == line_size) {
            fits = false;
            break;
        }
        line[length++] = (char)character;
    }
    while (length > 0 && line[length - 1] == ' ')
        length--;
    line[length] = '\0';
    return fits;
}
