// SPDX-License-Identifier: BSD-2-Clause
#include "ci/trace/image.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ci/array.h"
#include "ci/runner/words.h"
#include "lib/crc32c.h"

#define WORD_BYTES 4u

/* struct inject_site of lib/inject.h: the address to patch comes first. */
#define INJECT_SITE_BYTES 16u

/* What the table of mutations puts at a place that it patches (lib/inject.h). */
#define NOP_BYTES 5u
#define JMP_REL32 0xe9

/* Zeroed, and never NULL, with a byte to spare so that nothing is still something. */
static void *allocate(size_t count, size_t size)
{
    void *array = calloc(count + 1, size);

    if (!array)
        abort();
    return array;
}

static uint32_t word_at(const uint8_t *bytes)
{
    return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

static uint32_t add_file(struct image *image, const char *name)
{
    for (size_t i = image->nr_files; i > 0; i--) {
        if (!strcmp(image->files[i - 1], name))
            return (uint32_t)i - 1;
    }
    *array_add(&image->files, &image->nr_files) = text_copy(name);
    return (uint32_t)image->nr_files - 1;
}

static uint32_t add_function(struct image *image, const char *name, uint32_t start)
{
    size_t length = strlen(name);
    const char *cold = strstr(name, ".cold");

    if (cold)
        length = (size_t)(cold - name);
    for (size_t i = 0; cold && i < image->nr_functions; i++) {
        if (!strncmp(image->functions[i], name, length) && !image->functions[i][length])
            return (uint32_t)i;
    }
    image->function_start =
        array_more(image->function_start, image->nr_functions, sizeof(*image->function_start));
    image->function_start[image->nr_functions] = start;
    *array_add(&image->functions, &image->nr_functions) = text("%.*s", (int)length, name);
    return (uint32_t)image->nr_functions - 1;
}

/* What of a section header is looked for. */
struct sections {
    Elf_Scn *symtab, *rodata;
    GElf_Shdr text, symtab_header;
    Elf_Data *text_data;
};

static bool find_sections(Elf *elf, struct sections *found)
{
    size_t names;

    if (elf_getshdrstrndx(elf, &names))
        return false;
    for (Elf_Scn *section = NULL; (section = elf_nextscn(elf, section));) {
        GElf_Shdr header;

        if (!gelf_getshdr(section, &header))
            return false;
        const char *name = elf_strptr(elf, names, header.sh_name);
        if (header.sh_type == SHT_SYMTAB) {
            found->symtab = section;
            found->symtab_header = header;
        }
        if (name && !strcmp(name, ".text")) {
            found->text = header;
            found->text_data = elf_getdata(section, NULL);
        }
    }
    return found->symtab && found->symtab_header.sh_entsize && found->text_data &&
           found->text_data->d_buf && found->text_data->d_size == found->text.sh_size;
}

static int compare_symbols(const void *left, const void *right)
{
    const struct image_symbol *a = left, *b = right;

    if (a->address != b->address)
        return a->address < b->address ? -1 : 1;
    return strcmp(a->name, b->name);
}

/* The linker's marks: at the same address as a function they would take its name. */
static bool is_mark(const char *name)
{
    static const char *const marks[] = {"image_start", "text_start", "text_end"};

    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
        if (!strcmp(name, marks[i]))
            return true;
    }
    return false;
}

static void fill_function(struct image *image, uint32_t from, uint32_t to, uint32_t function)
{
    for (uint32_t at = from; at < to && at < image->end; at++)
        image->function[at - image->start] = function;
}

/*
 * A function covers what its symbol says. Labels of assembly sources have no size: they reach to
 * the next symbol, and those inside a function are none.
 */
static void place_functions(struct image *image, const uint32_t *sizes)
{
    uint32_t covered = 0;

    for (size_t i = 0; i < image->nr_symbols; i++) {
        struct image_symbol *symbol = &image->symbols[i];
        uint32_t size = sizes[symbol->function];

        symbol->function = IMAGE_NO_FUNCTION;
        if (!image_has(image, symbol->address) || symbol->address < covered ||
            is_mark(symbol->name))
            continue;
        uint32_t to = symbol->address + size;
        for (size_t j = i + 1; !size && j < image->nr_symbols; j++) {
            to = image->symbols[j].address;
            if (to > symbol->address)
                break;
        }
        if (to <= symbol->address)
            to = image->end;
        symbol->function = add_function(image, symbol->name, symbol->address);
        fill_function(image, symbol->address, to, symbol->function);
        covered = size ? to : symbol->address + 1;
    }
}

static void read_symbols(struct image *image, Elf *elf, const struct sections *sections)
{
    Elf_Data *data = elf_getdata(sections->symtab, NULL);
    size_t count = data ? data->d_size / sections->symtab_header.sh_entsize : 0;
    uint32_t *sizes = allocate(count, sizeof(*sizes));

    for (size_t i = 0; i < count; i++) {
        GElf_Sym symbol;

        if (!gelf_getsym(data, (int)i, &symbol) || symbol.st_shndx == SHN_UNDEF ||
            symbol.st_shndx >= SHN_LORESERVE || GELF_ST_TYPE(symbol.st_info) == STT_SECTION ||
            GELF_ST_TYPE(symbol.st_info) == STT_FILE)
            continue;
        const char *name = elf_strptr(elf, sections->symtab_header.sh_link, symbol.st_name);
        if (!name || !*name)
            continue;
        /* Until they are sorted, `function` leads to the size. */
        struct image_symbol *added = array_add(&image->symbols, &image->nr_symbols);
        *added = (struct image_symbol){
            .address = (uint32_t)symbol.st_value,
            .function = (uint32_t)image->nr_symbols - 1,
            .name = text_copy(name),
        };
        bool is_function = GELF_ST_TYPE(symbol.st_info) == STT_FUNC;
        sizes[image->nr_symbols - 1] = is_function ? (uint32_t)symbol.st_size : 0;
    }
    if (image->nr_symbols)
        qsort(image->symbols, image->nr_symbols, sizeof(*image->symbols), compare_symbols);
    place_functions(image, sizes);
    free(sizes);
}

/* The bytes at a link address that some loaded segment holds in the file, or NULL. */
static const uint8_t *bytes_at(Elf *elf, uint32_t address, size_t length)
{
    size_t count, size;
    const char *file = elf_rawfile(elf, &size);

    if (!file || elf_getphdrnum(elf, &count))
        return NULL;
    for (size_t i = 0; i < count; i++) {
        GElf_Phdr header;

        if (!gelf_getphdr(elf, (int)i, &header) || header.p_type != PT_LOAD ||
            address < header.p_vaddr || address - header.p_vaddr + length > header.p_filesz)
            continue;
        uint64_t offset = header.p_offset + (address - header.p_vaddr);
        return offset + length <= size ? (const uint8_t *)file + offset : NULL;
    }
    return NULL;
}

/* The tables that the payload relocates itself by (payload/payload.ld), if it has them. */
static void read_tables(struct image *image, Elf *elf)
{
    uint32_t from, to;
    const uint8_t *at;

    if (image_find(image, "relocations_start", &from) &&
        image_find(image, "relocations_end", &to) && to > from &&
        (at = bytes_at(elf, from, to - from))) {
        for (; from + sizeof(Elf32_Rel) <= to; from += sizeof(Elf32_Rel), at += sizeof(Elf32_Rel)) {
            if (image_has(image, word_at(at)))
                image->relocated[word_at(at) - image->start] = 1;
        }
    }
    if (image_find(image, "inject_table_start", &from) &&
        image_find(image, "inject_table_end", &to) && to > from &&
        (at = bytes_at(elf, from, to - from))) {
        for (; from + INJECT_SITE_BYTES <= to; from += INJECT_SITE_BYTES, at += INJECT_SITE_BYTES) {
            if (image_has(image, word_at(at)))
                image->patchable[word_at(at) - image->start] = 1;
        }
    }
}

static void fill_lines(struct image *image, uint64_t from, uint64_t to, struct image_place place)
{
    for (uint64_t at = from; at < to; at++) {
        if (at <= UINT32_MAX && image_has(image, (uint32_t)at))
            image->place[at - image->start] = place;
    }
}

/* "./paging/kmap.c" and "paging/kmap.c" are the same. */
static const char *tidy(const char *path)
{
    while (!strncmp(path, "./", 2))
        path += 2;
    return path;
}

static void read_unit(struct image *image, Dwarf_Die *unit)
{
    Dwarf_Lines *lines;
    size_t count;

    if (dwarf_getsrclines(unit, &lines, &count))
        return;
    for (size_t i = 0; i + 1 < count; i++) {
        Dwarf_Line *line = dwarf_onesrcline(lines, i), *next = dwarf_onesrcline(lines, i + 1);
        const char *file = dwarf_linesrc(line, NULL, NULL);
        Dwarf_Addr from, to;
        bool end = false;
        int number;

        dwarf_lineendsequence(line, &end);
        if (end || !file || dwarf_lineaddr(line, &from) || dwarf_lineaddr(next, &to) ||
            dwarf_lineno(line, &number))
            continue;
        fill_lines(image, from, to,
                   (struct image_place){add_file(image, tidy(file)), (uint32_t)number});
    }
}

static void read_lines(struct image *image, Elf *elf)
{
    Dwarf *dwarf = dwarf_begin_elf(elf, DWARF_C_READ, NULL);
    Dwarf_Off offset = 0, next;
    size_t header;

    for (; dwarf && !dwarf_nextcu(dwarf, offset, &next, &header, NULL, NULL, NULL); offset = next) {
        Dwarf_Die unit;

        if (dwarf_offdie(dwarf, offset + header, &unit))
            read_unit(image, &unit);
    }
    if (dwarf)
        dwarf_end(dwarf);
}

static int read_elf(struct image *image, Elf *elf)
{
    struct sections sections = {0};

    if (!elf || elf_kind(elf) != ELF_K_ELF || gelf_getclass(elf) != ELFCLASS32 ||
        !find_sections(elf, &sections))
        return -ENOEXEC;
    size_t size = sections.text.sh_size;
    image->start = (uint32_t)sections.text.sh_addr;
    image->end = image->start + (uint32_t)size;
    image->bytes = allocate(size, 1);
    image->function = allocate(size, sizeof(*image->function));
    image->place = allocate(size, sizeof(*image->place));
    image->relocated = allocate(size, 1);
    image->patchable = allocate(size, 1);
    memcpy(image->bytes, sections.text_data->d_buf, size);
    image->crc32c = crc32c_update(0, image->bytes, size);
    for (size_t i = 0; i < size; i++)
        image->function[i] = IMAGE_NO_FUNCTION;
    add_file(image, "unknown");
    read_symbols(image, elf, &sections);
    read_tables(image, elf);
    read_lines(image, elf);
    return 0;
}

int image_open(struct image *image, const char *path, char **message)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    int error = file < 0 ? -errno : 0;

    *image = (struct image){0};
    if (!error) {
        elf_version(EV_CURRENT);
        Elf *elf = elf_begin(file, ELF_C_READ_MMAP, NULL);
        error = read_elf(image, elf);
        elf_end(elf);
        close(file);
    }
    if (error == -ENOEXEC)
        *message = text("%s: not a 32-bit ELF file with a .text section and symbols", path);
    else if (error)
        *message = text("%s: %s", path, strerror(-error));
    return error;
}

bool image_find(const struct image *image, const char *name, uint32_t *address)
{
    for (size_t i = 0; i < image->nr_symbols; i++) {
        if (!strcmp(image->symbols[i].name, name)) {
            *address = image->symbols[i].address;
            return true;
        }
    }
    return false;
}

const struct image_symbol *image_symbol_at(const struct image *image, uint32_t address)
{
    size_t low = 0, high = image->nr_symbols;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (image->symbols[middle].address <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low ? &image->symbols[low - 1] : NULL;
}

bool image_same_bytes(const struct image *image, uint32_t address, uint32_t slide,
                      const uint8_t *bytes, size_t length)
{
    size_t at = address - image->start;

    if (!image_has(image, address) || length > image->end - address)
        return false;
    if (image->patchable[at] && length == NOP_BYTES && bytes[0] == JMP_REL32)
        return true;
    for (size_t i = 0; i < length;) {
        if (image->relocated[at + i] && i + WORD_BYTES <= length) {
            if (word_at(bytes + i) != word_at(image->bytes + at + i) + slide)
                return false;
            i += WORD_BYTES;
            continue;
        }
        if (bytes[i] != image->bytes[at + i])
            return false;
        i++;
    }
    return true;
}

void image_close(struct image *image)
{
    for (size_t i = 0; i < image->nr_functions; i++)
        free(image->functions[i]);
    for (size_t i = 0; i < image->nr_files; i++)
        free(image->files[i]);
    for (size_t i = 0; i < image->nr_symbols; i++)
        free(image->symbols[i].name);
    free(image->functions);
    free(image->function_start);
    free(image->files);
    free(image->symbols);
    free(image->bytes);
    free(image->function);
    free(image->place);
    free(image->relocated);
    free(image->patchable);
    *image = (struct image){0};
}
