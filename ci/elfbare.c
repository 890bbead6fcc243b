// SPDX-License-Identifier: BSD-2-Clause
/*
 * usage: elfbare IN OUT
 *
 * Copies a 32-bit ELF file without its section headers, and without what only they refer to: what
 * is left is the ELF header, the program headers and what these load.
 *
 * A loader needs no more, and GRUB must not see more: its Multiboot 2 loader refuses a file that
 * has a section of type REL ("ELF files with relocs are not supported yet"), although the payload
 * applies its relocations itself. binutils can drop the headers only from 2.41 on
 * (--strip-section-headers), which Debian 12 does not have.
 */
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static __attribute__((noreturn)) void die(const char *path, const char *what)
{
    fprintf(stderr, "elfbare: %s: %s\n", path, what);
    exit(1);
}

static char *read_all(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");

    if (!file || fseek(file, 0, SEEK_END))
        die(path, strerror(errno));
    *size = (size_t)ftell(file);
    char *bytes = calloc(1, *size + 1);
    rewind(file);
    if (!bytes || fread(bytes, 1, *size, file) != *size)
        die(path, "can't be read");
    fclose(file);
    return bytes;
}

/* The offset behind the last byte that some program header loads, or that is one. */
static size_t loaded_end(const char *path, const char *bytes, size_t size)
{
    const Elf32_Ehdr *header = (const Elf32_Ehdr *)bytes;

    if (size < sizeof(*header) || memcmp(header->e_ident, ELFMAG, SELFMAG) ||
        header->e_ident[EI_CLASS] != ELFCLASS32 || header->e_phentsize != sizeof(Elf32_Phdr))
        die(path, "not a 32-bit ELF file");
    size_t end = header->e_phoff + (size_t)header->e_phnum * sizeof(Elf32_Phdr);
    if (end > size || header->e_phoff % _Alignof(Elf32_Phdr))
        die(path, "program headers lie outside of the file");
    const Elf32_Phdr *segments = (const Elf32_Phdr *)(bytes + header->e_phoff);
    for (unsigned i = 0; i < header->e_phnum; i++) {
        size_t segment_end = (size_t)segments[i].p_offset + segments[i].p_filesz;

        if (segment_end > size)
            die(path, "a segment lies outside of the file");
        if (segment_end > end)
            end = segment_end;
    }
    return end;
}

int main(int argc, char **argv)
{
    size_t size;

    if (argc != 3)
        die("usage", "elfbare IN OUT");
    char *bytes = read_all(argv[1], &size);
    size_t end = loaded_end(argv[1], bytes, size);
    Elf32_Ehdr *header = (Elf32_Ehdr *)bytes;
    header->e_shoff = 0;
    header->e_shnum = 0;
    header->e_shstrndx = SHN_UNDEF;
    FILE *out = fopen(argv[2], "wb");
    if (!out || fwrite(bytes, 1, end, out) != end || fclose(out))
        die(argv[2], "can't be written");
    free(bytes);
    return 0;
}
