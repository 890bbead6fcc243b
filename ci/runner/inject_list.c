// SPDX-License-Identifier: BSD-2-Clause
#include "ci/runner/inject_list.h"

#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ci/array.h"
#include "ci/runner/words.h"

#define SECTION ".inject_names"

struct bytes {
    char *at;
    size_t size;
};

/* Reads all of a file, with a NUL behind it. */
static int read_all(const char *path, struct bytes *bytes)
{
    FILE *file = fopen(path, "rb");
    int error = 0;

    *bytes = (struct bytes){0};
    if (!file)
        return -errno;
    if (fseek(file, 0, SEEK_END) || ftell(file) < 0)
        error = -errno;
    if (!error) {
        bytes->size = (size_t)ftell(file);
        bytes->at = calloc(1, bytes->size + 1);
        rewind(file);
        if (!bytes->at || fread(bytes->at, 1, bytes->size, file) != bytes->size)
            error = -EIO;
    }
    fclose(file);
    return error;
}

static bool lies_inside(const struct bytes *bytes, size_t offset, size_t size)
{
    return offset <= bytes->size && size <= bytes->size - offset;
}

/* The section's content, or one of size 0 at NULL when there is none. False: not such an ELF. */
static bool find_section(const struct bytes *elf, struct bytes *section)
{
    const Elf32_Ehdr *header = (const Elf32_Ehdr *)elf->at;

    *section = (struct bytes){0};
    if (elf->size < sizeof(*header) || memcmp(header->e_ident, ELFMAG, SELFMAG) ||
        header->e_ident[EI_CLASS] != ELFCLASS32 || header->e_shentsize != sizeof(Elf32_Shdr) ||
        header->e_shoff % _Alignof(Elf32_Shdr) ||
        !lies_inside(elf, header->e_shoff, header->e_shnum * sizeof(Elf32_Shdr)) ||
        header->e_shstrndx >= header->e_shnum)
        return false;
    const Elf32_Shdr *sections = (const Elf32_Shdr *)(elf->at + header->e_shoff);
    const Elf32_Shdr *names = &sections[header->e_shstrndx];
    for (unsigned i = 0; i < header->e_shnum; i++) {
        size_t name_at = names->sh_offset + sections[i].sh_name;

        if (!lies_inside(elf, name_at, sizeof(SECTION)) || strcmp(elf->at + name_at, SECTION))
            continue;
        if (!lies_inside(elf, sections[i].sh_offset, sections[i].sh_size))
            return false;
        section->at = elf->at + sections[i].sh_offset;
        section->size = sections[i].sh_size;
    }
    return true;
}

static int add_mutation(struct mutation_list *list, const char *name, const char *suite,
                        char **message)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct mutation *known = &list->mutations[i];

        if (strcmp(known->name, name))
            continue;
        if (!strcmp(known->suite, suite))
            return 0;
        *message = text("mutation %s names two suites, %s and %s", name, known->suite, suite);
        return -EINVAL;
    }
    *array_add(&list->mutations, &list->count) =
        (struct mutation){.name = text_copy(name), .suite = text_copy(suite)};
    return 0;
}

/* The next string of the section, moving *at behind it; NULL at the end. */
static const char *next_string(const struct bytes *section, size_t *at)
{
    while (*at < section->size && !section->at[*at])
        (*at)++;
    if (*at >= section->size)
        return NULL;
    const char *string = section->at + *at;
    *at += strnlen(string, section->size - *at);
    return *at < section->size ? string : NULL;
}

int mutation_list_read(struct mutation_list *list, const char *path, char **message)
{
    struct bytes elf, section = {0};
    const char *name, *suite;
    size_t at = 0;

    *list = (struct mutation_list){0};
    *message = NULL;
    int error = read_all(path, &elf);
    if (error) {
        *message = text("%s: %s", path, strerror(-error));
    } else if (!find_section(&elf, &section)) {
        *message = text("%s: not a 32-bit ELF file", path);
        error = -EINVAL;
    }
    while (!error && (name = next_string(&section, &at)) && (suite = next_string(&section, &at)))
        error = add_mutation(list, name, suite, message);
    free(elf.at);
    return error;
}

void mutation_list_free(struct mutation_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->mutations[i].name);
        free(list->mutations[i].suite);
    }
    free(list->mutations);
    *list = (struct mutation_list){0};
}
