/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ELF32 for the i386, as far as a loader reads it: the file header and the program headers of type
 * PT_LOAD. Sections and symbols are not looked at, and relocations are the kernel's own business,
 * so ET_EXEC and ET_DYN are the same here.
 *
 * Rules: "System V ABI, edition 4.1", chapters 4 (ELF header) and 5 (program header).
 * Pure: no firmware, tested on the host.
 */
#ifndef LOADER_ELF_H
#define LOADER_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "loader/image.h"

#define ELF_IDENT_BYTES 16
#define ELF_IDENT_CLASS 4 /* index in ident */
#define ELF_IDENT_DATA 5
#define ELF_IDENT_VERSION 6
#define ELF_CLASS_32 1
#define ELF_DATA_LITTLE_ENDIAN 1
#define ELF_VERSION_CURRENT 1
#define ELF_TYPE_EXEC 2
#define ELF_TYPE_DYN 3
#define ELF_MACHINE_386 3
#define ELF_SEGMENT_LOAD 1

struct elf32_header {
    uint8_t ident[ELF_IDENT_BYTES];
    uint16_t type;
    uint16_t machine;
    uint32_t version;
    uint32_t entry; /* virtual */
    uint32_t phoff;
    uint32_t shoff;
    uint32_t flags;
    uint16_t ehsize;
    uint16_t phentsize;
    uint16_t phnum;
    uint16_t shentsize;
    uint16_t shnum;
    uint16_t shstrndx;
};

struct elf32_program_header {
    uint32_t type;
    uint32_t offset;
    uint32_t vaddr;
    uint32_t paddr;
    uint32_t filesz;
    uint32_t memsz;
    uint32_t flags;
    uint32_t align;
};

/*
 * Reads an ELF file into an image, placed by its physical addresses.
 *
 * file, size: the whole file, at any alignment; nothing in it is believed.
 * image: overwritten; its entry is not set.
 * entry: the physical entry address, unchecked. The file gives it as a virtual address; where a
 *        segment's two addresses differ, it is moved with its segment.
 * Returns false, and why, if it is not such a file or if image.h refuses a segment.
 */
bool elf_read(const void *file, size_t size, struct image *image, uint32_t *entry,
              struct refusal *why);

#endif
