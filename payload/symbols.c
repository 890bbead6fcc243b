/* SPDX-License-Identifier: BSD-2-Clause */
#include "payload/symbols.h"
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
