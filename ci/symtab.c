// SPDX-License-Identifier: BSD-2-Clause
/*
 * The payload's symbol table for back traces.
 *
 * Reads `nm -n` of the linked i386 ELF from standard input and writes a GNU as file to standard
 * output: a section .symtab_blob with
 *
 *     symbol_table_count:  .long N
 *     symbol_table:        N times { .long address - image_start, .long offset of its name }
 *     symbol_names:        the names, each ended by a NUL
 *
 * sorted by address. Offsets are relative to image_start, so the table is right wherever the image
 * is relocated to and needs no relocation itself. Only functions are listed: symbols of type t or T
 * from text_start up to text_end. Empty input is no error and gives a table of no entries: it is
 * what the first of the two links is made with.
 *
 * Equal input gives equal output, byte for byte; the build relies on it to prove that the second
 * link moved nothing.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ci/array.h"

struct symbol {
    uint32_t address;
    char *name;
};

struct symbol_list {
    struct symbol *symbols;
    size_t count;
};

/* The three symbols that bound what is listed. */
struct bounds {
    uint32_t image_start, text_start, text_end;
    bool has_image_start, has_text_start, has_text_end;
};

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "symtab: %s\n", what);
    exit(1);
}

static void list_add(struct symbol_list *list, uint32_t address, const char *name)
{
    struct symbol *symbol = array_add(&list->symbols, &list->count);
    symbol->address = address;
    symbol->name = strdup(name);
    if (!symbol->name)
        die("out of memory");
}

static void note_bound(struct bounds *bounds, const char *name, uint32_t address)
{
    if (!strcmp(name, "image_start")) {
        bounds->image_start = address;
        bounds->has_image_start = true;
    } else if (!strcmp(name, "text_start")) {
        bounds->text_start = address;
        bounds->has_text_start = true;
    } else if (!strcmp(name, "text_end")) {
        bounds->text_end = address;
        bounds->has_text_end = true;
    }
}

/* By address, then by name, so that aliases come out in one order whatever nm does. */
static int compare(const void *left, const void *right)
{
    const struct symbol *a = left, *b = right;

    if (a->address != b->address)
        return a->address < b->address ? -1 : 1;
    return strcmp(a->name, b->name);
}

/* The bounds are marks, not functions: a trace that says "text_start" would help no one. */
static bool is_mark(const char *name)
{
    return !strcmp(name, "image_start") || !strcmp(name, "text_start") || !strcmp(name, "text_end");
}

static void read_symbols(struct symbol_list *list, struct bounds *bounds)
{
    char *line = NULL;
    size_t room = 0;

    while (getline(&line, &room, stdin) >= 0) {
        uint32_t address;
        char type;
        int name_at = 0;

        /* An undefined symbol has no address column and does not match. */
        if (sscanf(line, "%" SCNx32 " %c %n", &address, &type, &name_at) != 2 || !name_at)
            continue;
        char *name = line + name_at;
        name[strcspn(name, "\n")] = '\0';
        note_bound(bounds, name, address);
        if ((type == 't' || type == 'T') && !is_mark(name))
            list_add(list, address, name);
    }
    if (ferror(stdin))
        die(strerror(errno));
    free(line);
}

static void drop_outside(struct symbol_list *list, const struct bounds *bounds)
{
    size_t kept = 0;

    for (size_t i = 0; i < list->count; i++) {
        struct symbol symbol = list->symbols[i];

        if (symbol.address >= bounds->text_start && symbol.address < bounds->text_end)
            list->symbols[kept++] = symbol;
        else
            free(symbol.name);
    }
    list->count = kept;
}

static void write_assembly(const struct symbol_list *list, const struct bounds *bounds)
{
    size_t name_offset = 0;

    printf("    .section .symtab_blob, \"a\", @progbits\n"
           "    .globl symbol_table_count, symbol_table, symbol_names\n"
           "    .balign 4\n"
           "symbol_table_count:\n"
           "    .long %zu\n"
           "symbol_table:\n",
           list->count);
    for (size_t i = 0; i < list->count; i++) {
        printf("    .long 0x%" PRIx32 ", %zu\n", list->symbols[i].address - bounds->image_start,
               name_offset);
        name_offset += strlen(list->symbols[i].name) + 1;
    }
    printf("symbol_names:\n");
    for (size_t i = 0; i < list->count; i++)
        printf("    .asciz \"%s\"\n", list->symbols[i].name);
    printf("    .section .note.GNU-stack, \"\", @progbits\n");
}

int main(void)
{
    struct symbol_list list = {0};
    struct bounds bounds = {0};

    read_symbols(&list, &bounds);
    if (list.count && !(bounds.has_image_start && bounds.has_text_start && bounds.has_text_end))
        die("image_start, text_start or text_end is missing");
    drop_outside(&list, &bounds);
    if (list.count)
        qsort(list.symbols, list.count, sizeof(*list.symbols), compare);
    write_assembly(&list, &bounds);
    if (fflush(stdout) || ferror(stdout))
        die(strerror(errno));

    for (size_t i = 0; i < list.count; i++)
        free(list.symbols[i].name);
    free(list.symbols);
    return 0;
}
