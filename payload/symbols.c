/* SPDX-License-Identifier: BSD-2-Clause */
#include "payload/symbols.h"
#include "lib/format.h"
#include "lib/inject.h"
#include "lib/string.h"
#include "payload/entry.h"

struct symbol {
    uint32_t offset; /* from image_start */
    uint32_t name;   /* from symbol_names */
};

extern const uint32_t symbol_table_count;
extern const struct symbol symbol_table[];
extern const char symbol_names[];

bool symbol_find(uint32_t addr, struct symbol_place *place)
{
    uint32_t offset = addr - (uint32_t)image_start;
    uint32_t low = 0, high = symbol_table_count;

    if (addr < (uint32_t)text_start || addr >= (uint32_t)text_end || high == 0)
        return false;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;

        if (symbol_table[middle].offset <= offset)
            low = middle;
        else
            high = middle;
    }
    if (symbol_table[low].offset > offset)
        return false;
    place->name = symbol_names + symbol_table[low].name;
    place->offset = offset - symbol_table[low].offset;
    return true;
}

/* Whether a number in hexadecimal stands at `text`; then *value is it and *end what follows. */
static bool read_address(const char *text, uint32_t *value, const char **end)
{
    *value = 0;
    if (text[0] != '0' || text[1] != 'x')
        return false;
    for (text += 2;; text++) {
        if (*text >= '0' && *text <= '9')
            *value = *value << 4 | (uint32_t)(*text - '0');
        else if (*text >= 'a' && *text <= 'f')
            *value = *value << 4 | (uint32_t)(*text - 'a' + 10);
        else
            break;
    }
    *end = text;
    return true;
}

unsigned symbol_name_callers(const char *text, char *out, size_t size)
{
    static const char by[] = "by ";
    size_t used = 0;
    unsigned named = 0;

    while (*text && used + 1 < size) {
        struct symbol_place place;
        const char *end;
        uint32_t addr;

        if (strncmp(text, by, sizeof(by) - 1) == 0 && !inject(symbol_forget_callers, dma_bounce) &&
            read_address(text + sizeof(by) - 1, &addr, &end) && symbol_find(addr, &place)) {
            format(out + used, size - used, "%s%s+0x%x", by, place.name, place.offset);
            used += strlen(out + used);
            text = end;
            named++;
        } else {
            out[used++] = *text++;
        }
    }
    out[used] = '\0';
    return named;
}
