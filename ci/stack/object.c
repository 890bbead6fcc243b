// SPDX-License-Identifier: BSD-2-Clause
#include "ci/stack/graph.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

struct object {
    struct graph *g;
    const char *bytes;
    size_t size;
    const char *source;
    const Elf32_Ehdr *header;
    const Elf32_Shdr *sections;
    const Elf32_Sym *symbols;
    size_t nr_symbols;
    const char *names;
    size_t names_size;
};

/* `count` things of `each` bytes from `offset` on, or NULL if the file ends before. */
static const void *part(const struct object *o, size_t offset, size_t count, size_t each)
{
    if (offset > o->size || count > (o->size - offset) / each || offset % 4)
        return NULL;
    return o->bytes + offset;
}

static const char *symbol_name(const struct object *o, const Elf32_Sym *symbol)
{
    return symbol->st_name < o->names_size ? o->names + symbol->st_name : "";
}

/* False if it is none, or not whole. */
static bool open_object(struct object *o)
{
    o->header = part(o, 0, 1, sizeof(*o->header));
    if (!o->header || memcmp(o->header->e_ident, ELFMAG, SELFMAG) != 0 ||
        o->header->e_ident[EI_CLASS] != ELFCLASS32 || o->header->e_type != ET_REL)
        return false;
    o->sections = part(o, o->header->e_shoff, o->header->e_shnum, sizeof(*o->sections));
    if (!o->sections)
        return false;
    for (unsigned i = 0; i < o->header->e_shnum; i++) {
        const Elf32_Shdr *s = &o->sections[i];

        if (s->sh_type != SHT_SYMTAB || s->sh_link >= o->header->e_shnum)
            continue;
        o->nr_symbols = s->sh_size / sizeof(*o->symbols);
        o->symbols = part(o, s->sh_offset, o->nr_symbols, sizeof(*o->symbols));
        o->names_size = o->sections[s->sh_link].sh_size;
        /* A string section is aligned to nothing, and ends with a 0. */
        if (o->sections[s->sh_link].sh_offset > o->size || o->names_size == 0 ||
            o->names_size > o->size - o->sections[s->sh_link].sh_offset)
            return false;
        o->names = o->bytes + o->sections[s->sh_link].sh_offset;
        return o->symbols && o->names[o->names_size - 1] == 0;
    }
    return false;
}

/* The function of the graph that a symbol is; a part that gcc put elsewhere is its function. */
static struct function *function_of(const struct object *o, const Elf32_Sym *symbol)
{
    char name[512];
    char *cold;

    if (ELF32_ST_BIND(symbol->st_info) == STB_LOCAL)
        snprintf(name, sizeof(name), "%s:%s", o->source, symbol_name(o, symbol));
    else
        snprintf(name, sizeof(name), "%s", symbol_name(o, symbol));
    cold = strstr(name, ".cold");
    if (cold)
        *cold = 0;
    return function_find(o->g, name);
}

/* The function that holds, or with `exact` begins at, a place of a section. */
static struct function *function_at(const struct object *o, unsigned section, uint32_t at,
                                    bool exact)
{
    for (size_t i = 0; i < o->nr_symbols; i++) {
        const Elf32_Sym *s = &o->symbols[i];

        if (ELF32_ST_TYPE(s->st_info) == STT_FUNC && s->st_shndx == section &&
            (exact ? at == s->st_value : at - s->st_value < s->st_size))
            return function_of(o, s);
    }
    return NULL;
}

/* An address that is stored or handed on. Labels inside functions are no function's address. */
static void note_address(struct object *o, const Elf32_Sym *symbol, uint32_t addend)
{
    struct function *f;

    if (symbol->st_shndx == SHN_UNDEF)
        f = addend == 0 ? function_find(o->g, symbol_name(o, symbol)) : NULL;
    else
        f = function_at(o, symbol->st_shndx, symbol->st_value + addend, true);
    if (f)
        f->address_taken = true;
}

/* A call or jump to another object: the compiler knows all but those of inline assembly. */
static void check_call(struct object *o, const Elf32_Sym *symbol, unsigned section, uint32_t at)
{
    struct function *caller = function_at(o, section, at, false);
    const char *name = symbol_name(o, symbol);
    struct function *callee = function_find(o->g, name);

    if (symbol->st_shndx != SHN_UNDEF || !caller)
        return;
    for (size_t i = 0; callee && i < caller->nr_calls; i++) {
        if (caller->calls[i].callee == (size_t)(callee - o->g->functions))
            return;
    }
    problem(o->g, "%s calls %s without the compiler's knowing: it wants a line `calls %s %s`",
            caller->name, name, caller->name, name);
}

static void read_relocations(struct object *o, const Elf32_Shdr *section)
{
    size_t count = section->sh_size / sizeof(Elf32_Rel);
    const Elf32_Rel *rel = part(o, section->sh_offset, count, sizeof(*rel));
    const Elf32_Shdr *where;

    if (!rel || section->sh_info >= o->header->e_shnum) {
        problem(o->g, "%s: broken relocations", o->source);
        return;
    }
    where = &o->sections[section->sh_info];
    if (!(where->sh_flags & SHF_ALLOC))
        return;
    for (size_t i = 0; i < count; i++) {
        uint32_t symbol = ELF32_R_SYM(rel[i].r_info), addend;

        if (symbol >= o->nr_symbols ||
            (size_t)where->sh_offset + rel[i].r_offset + sizeof(addend) > o->size) {
            problem(o->g, "%s: broken relocations", o->source);
            return;
        }
        memcpy(&addend, o->bytes + where->sh_offset + rel[i].r_offset, sizeof(addend));
        if (ELF32_R_TYPE(rel[i].r_info) == R_386_32)
            note_address(o, &o->symbols[symbol], addend);
        else if (ELF32_R_TYPE(rel[i].r_info) == R_386_PC32 ||
                 ELF32_R_TYPE(rel[i].r_info) == R_386_PLT32)
            check_call(o, &o->symbols[symbol], section->sh_info, rel[i].r_offset);
    }
}

static void find_stacks(struct object *o)
{
    for (size_t i = 0; i < o->nr_symbols; i++) {
        const char *name = symbol_name(o, &o->symbols[i]);

        if (o->symbols[i].st_shndx == SHN_UNDEF)
            continue;
        for (size_t k = 0; k < o->g->nr_stacks; k++) {
            struct stack_area *s = &o->g->stacks[k];

            if (!s->from)
                continue;
            if (!strcmp(name, s->from)) {
                s->from_value = o->symbols[i].st_value;
                s->found++;
            } else if (!strcmp(name, s->to)) {
                s->to_value = o->symbols[i].st_value;
                s->found++;
            }
        }
    }
}

void object_read(struct graph *g, const char *bytes, size_t size, const char *source)
{
    struct object o = {.g = g, .bytes = bytes, .size = size, .source = source};

    if (!open_object(&o)) {
        problem(g, "%s: no 32-bit ELF object with symbols", source);
        return;
    }
    for (unsigned i = 0; i < o.header->e_shnum; i++) {
        if (o.sections[i].sh_type == SHT_REL)
            read_relocations(&o, &o.sections[i]);
    }
    find_stacks(&o);
}
