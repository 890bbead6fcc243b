/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Multiboot 1: what QEMU's -kernel and iPXE on BIOS speak.
 *
 * The image carries a header in its first 8 KiB that says what it wants. The loader enters it in
 * 32-bit protected mode without paging, with MULTIBOOT1_BOOTLOADER_MAGIC in EAX and the physical
 * address of a struct multiboot1_info in EBX. A field of that structure means something only when
 * its bit in `flags` is set.
 *
 * Rules: "Multiboot Specification version 0.6.96", sections 3.1 (header), 3.2 (machine state) and
 * 3.3 (information). Names are ours. Usable from assembler.
 */
#ifndef LOADER_MULTIBOOT1_H
#define LOADER_MULTIBOOT1_H

/* The header: where it may lie, and its magic. The checksum makes magic + flags + checksum zero. */
#define MULTIBOOT1_HEADER_MAGIC 0x1badb002
#define MULTIBOOT1_HEADER_ALIGN 4
#define MULTIBOOT1_HEADER_SEARCH_BYTES 8192

/* Header flags. A loader must refuse what it does not know in bits 0 to 15. */
#define MULTIBOOT1_HEADER_PAGE_ALIGN (1 << 0)  /* modules on page boundaries */
#define MULTIBOOT1_HEADER_MEMORY_INFO (1 << 1) /* pass mem_* and, if there is one, mmap_* */
#define MULTIBOOT1_HEADER_VIDEO_MODE (1 << 2)  /* the mode fields are valid */
#define MULTIBOOT1_HEADER_AOUT_KLUDGE \
    (1 << 16) /* load by the header's address fields, not by ELF */

/* The mode the header prefers. */
#define MULTIBOOT1_VIDEO_LINEAR 0
#define MULTIBOOT1_VIDEO_TEXT 1

/* What EAX holds at entry. */
#define MULTIBOOT1_BOOTLOADER_MAGIC 0x2badb002

/* Which parts of struct multiboot1_info are valid. */
#define MULTIBOOT1_INFO_MEMORY (1 << 0)
#define MULTIBOOT1_INFO_BOOT_DEVICE (1 << 1)
#define MULTIBOOT1_INFO_CMDLINE (1 << 2)
#define MULTIBOOT1_INFO_MODULES (1 << 3)
#define MULTIBOOT1_INFO_AOUT_SYMBOLS (1 << 4)
#define MULTIBOOT1_INFO_ELF_SECTIONS (1 << 5)
#define MULTIBOOT1_INFO_MMAP (1 << 6)
#define MULTIBOOT1_INFO_DRIVES (1 << 7)
#define MULTIBOOT1_INFO_CONFIG_TABLE (1 << 8)
#define MULTIBOOT1_INFO_LOADER_NAME (1 << 9)
#define MULTIBOOT1_INFO_APM_TABLE (1 << 10)
#define MULTIBOOT1_INFO_VBE (1 << 11)
#define MULTIBOOT1_INFO_FRAMEBUFFER (1 << 12)

/* struct multiboot1_mmap_entry.type; every other value is reserved memory. */
#define MULTIBOOT1_MEMORY_AVAILABLE 1
#define MULTIBOOT1_MEMORY_RESERVED 2
#define MULTIBOOT1_MEMORY_ACPI_RECLAIMABLE 3
#define MULTIBOOT1_MEMORY_NVS 4
#define MULTIBOOT1_MEMORY_BAD 5

#ifndef __ASSEMBLER__

#include "loader/multiboot_screen.h"

#include <stdint.h>

/* The header in the image. Fields after `checksum` count only with the flag that names them. */
struct multiboot1_header {
    uint32_t magic;
    uint32_t flags;
    uint32_t checksum;

    /* MULTIBOOT1_HEADER_AOUT_KLUDGE: physical addresses */
    uint32_t header_addr;   /* of this header */
    uint32_t load_addr;     /* of the first byte to load */
    uint32_t load_end_addr; /* past the last byte to load; 0: the whole file */
    uint32_t bss_end_addr;  /* past the last byte to clear; 0: none */
    uint32_t entry_addr;

    /* MULTIBOOT1_HEADER_VIDEO_MODE */
    uint32_t mode_type; /* MULTIBOOT1_VIDEO_* */
    uint32_t width;     /* pixels or characters; 0: no preference */
    uint32_t height;
    uint32_t depth; /* bits per pixel; 0 for text, or no preference */
} __attribute__((packed));

/* What EBX points to. All addresses are physical. */
struct multiboot1_info {
    uint32_t flags; /* MULTIBOOT1_INFO_* */

    /* MEMORY: KiB below 640 KiB, and from 1 MiB up to the first hole */
    uint32_t mem_lower;
    uint32_t mem_upper;

    uint32_t boot_device; /* BOOT_DEVICE: BIOS drive in the highest byte, then partitions */
    uint32_t cmdline;     /* CMDLINE: zero-terminated string */

    /* MODULES: count and array of struct multiboot1_module */
    uint32_t mods_count;
    uint32_t mods_addr;

    /* ELF_SECTIONS: the section header table (AOUT_SYMBOLS uses the same words otherwise) */
    uint32_t elf_num;
    uint32_t elf_size;
    uint32_t elf_addr;
    uint32_t elf_shndx;

    /* MMAP: bytes and address of entries of different sizes, see struct multiboot1_mmap_entry */
    uint32_t mmap_length;
    uint32_t mmap_addr;

    uint32_t drives_length;
    uint32_t drives_addr;
    uint32_t config_table;
    uint32_t boot_loader_name; /* LOADER_NAME: zero-terminated string */
    uint32_t apm_table;

    /* VBE */
    uint32_t vbe_control_info;
    uint32_t vbe_mode_info;
    uint16_t vbe_mode;
    uint16_t vbe_interface_seg;
    uint16_t vbe_interface_off;
    uint16_t vbe_interface_len;

    /* FRAMEBUFFER */
    struct multiboot_screen screen;
    union {
        struct {
            uint32_t palette_addr;
            uint16_t palette_num_colors;
        } __attribute__((packed)) indexed;
        struct multiboot_rgb rgb;
    } colour;
} __attribute__((packed));

/*
 * One range of memory. `size` counts the bytes that follow it, so the next entry lies at
 * (uint8_t *)entry + sizeof(entry->size) + entry->size.
 */
struct multiboot1_mmap_entry {
    uint32_t size;
    uint64_t addr;
    uint64_t len;
    uint32_t type; /* MULTIBOOT1_MEMORY_* */
} __attribute__((packed));

struct multiboot1_module {
    uint32_t mod_start;
    uint32_t mod_end; /* past the last byte */
    uint32_t cmdline; /* zero-terminated string, or 0 */
    uint32_t reserved;
} __attribute__((packed));

#endif /* __ASSEMBLER__ */
#endif /* LOADER_MULTIBOOT1_H */
