/* SPDX-License-Identifier: BSD-2-Clause */
#include "loader/elf.h"
#include "loader/memory.h"

static bool header_is_sound(const struct elf32_header *header, size_t size, struct refusal *why)
{
    static const uint8_t magic[] = {0x7f, 'E', 'L', 'F'};

    if (memcmp(header->ident, magic, sizeof(magic)) != 0)
        return refuse(why, "not an ELF file, first byte", header->ident[0]);
    if (header->ident[ELF_IDENT_CLASS] != ELF_CLASS_32)
        return refuse(why, "not a 32-bit ELF file, class", header->ident[ELF_IDENT_CLASS]);
    if (header->ident[ELF_IDENT_DATA] != ELF_DATA_LITTLE_ENDIAN)
        return refuse(why, "not a little-endian ELF file, data", header->ident[ELF_IDENT_DATA]);
    if (header->ident[ELF_IDENT_VERSION] != ELF_VERSION_CURRENT)
        return refuse(why, "unknown ELF version", header->ident[ELF_IDENT_VERSION]);
    if (header->machine != ELF_MACHINE_386)
        return refuse(why, "not an ELF file for the i386, machine", header->machine);
    if (header->type != ELF_TYPE_EXEC && header->type != ELF_TYPE_DYN)
        return refuse(why, "not an ELF file to execute, type", header->type);
    if (header->phnum == 0)
        return refuse(why, "no program headers, count", 0);
    if (header->phentsize < sizeof(struct elf32_program_header))
        return refuse(why, "program headers too small, bytes", header->phentsize);
    if ((uint64_t)header->phoff + (uint64_t)header->phnum * header->phentsize > size)
        return refuse(why, "program headers reach past the end of the file, from offset",
                      header->phoff);
    return true;
}

bool elf_read(const void *file, size_t size, struct image *image, uint32_t *entry,
              struct refusal *why)
{
    struct elf32_header header;
    bool entry_found = false;

    image_begin(image);
    if (size < sizeof(header))
        return refuse(why, "too short for an ELF file, bytes", size);
    memcpy(&header, file, sizeof(header));
    if (!header_is_sound(&header, size, why))
        return false;

    *entry = header.entry;
    for (unsigned i = 0; i < header.phnum; i++) {
        struct elf32_program_header program;
        struct image_segment segment;

        memcpy(&program, (const uint8_t *)file + header.phoff + (size_t)i * header.phentsize,
               sizeof(program));
        if (program.type != ELF_SEGMENT_LOAD)
            continue;
        segment = (struct image_segment){
            .address = program.paddr,
            .memory_bytes = program.memsz,
            .file_offset = program.offset,
            .file_bytes = program.filesz,
        };
        if (!image_add(image, size, &segment, why))
            return false;
        if (!entry_found && header.entry - program.vaddr < program.memsz) {
            *entry = header.entry - program.vaddr + program.paddr;
            entry_found = true;
        }
    }
    return true;
}
