/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Multiboot 2: what GRUB and our own UEFI loader speak.
 *
 * The image carries a header in its first 32 KiB: four words and then tags, each a statement of
 * what the image wants. The loader enters it in 32-bit protected mode without paging, with
 * MULTIBOOT2_BOOTLOADER_MAGIC in EAX and the physical address of the information structure in EBX:
 * two words (struct multiboot2_info) and then tags, each something that the loader knows.
 *
 * Tags of both kinds begin on 8-byte boundaries and their size does not count the padding, so the
 * next one lies at MULTIBOOT2_ALIGN_UP(this + size). Both lists close with tag 0 of size 8. The two
 * number spaces are separate: MULTIBOOT2_HEADER_TAG_* lie in the image, MULTIBOOT2_TAG_* in the
 * information.
 *
 * Rules: "Multiboot2 Specification version 2.0", sections 3.1 (header), 3.3 (i386 machine state)
 * and 3.6 (information). Names are ours. Usable from assembler.
 */
#ifndef LOADER_MULTIBOOT2_H
#define LOADER_MULTIBOOT2_H

/* The header: where it may lie. The checksum makes magic + architecture + length + checksum zero.
 */
#define MULTIBOOT2_HEADER_MAGIC 0xe85250d6
#define MULTIBOOT2_HEADER_ALIGN 8
#define MULTIBOOT2_HEADER_SEARCH_BYTES 32768
#define MULTIBOOT2_ARCHITECTURE_I386 0
#define MULTIBOOT2_ARCHITECTURE_MIPS32 4

/* What EAX holds at entry. */
#define MULTIBOOT2_BOOTLOADER_MAGIC 0x36d76289

/* Where a tag, and the information structure itself, begin. */
#define MULTIBOOT2_TAG_ALIGN 8
#define MULTIBOOT2_ALIGN_UP(x) (((x) + MULTIBOOT2_TAG_ALIGN - 1) & ~(MULTIBOOT2_TAG_ALIGN - 1))

/* Header tags. A loader that does not know one refuses the image, unless its OPTIONAL bit is set.
 */
#define MULTIBOOT2_HEADER_TAG_END 0
#define MULTIBOOT2_HEADER_TAG_INFORMATION_REQUEST 1
#define MULTIBOOT2_HEADER_TAG_ADDRESS 2
#define MULTIBOOT2_HEADER_TAG_ENTRY_ADDRESS 3
#define MULTIBOOT2_HEADER_TAG_CONSOLE_FLAGS 4
#define MULTIBOOT2_HEADER_TAG_FRAMEBUFFER 5
#define MULTIBOOT2_HEADER_TAG_MODULE_ALIGN 6
#define MULTIBOOT2_HEADER_TAG_EFI_BOOT_SERVICES 7
#define MULTIBOOT2_HEADER_TAG_ENTRY_ADDRESS_EFI32 8
#define MULTIBOOT2_HEADER_TAG_ENTRY_ADDRESS_EFI64 9
#define MULTIBOOT2_HEADER_TAG_RELOCATABLE 10

#define MULTIBOOT2_HEADER_TAG_OPTIONAL 1 /* in the tag's flags */

/* Bytes of the header and of each header tag, for assembler. */
#define MULTIBOOT2_HEADER_BYTES 16
#define MULTIBOOT2_HEADER_TAG_BYTES 8
#define MULTIBOOT2_HEADER_TAG_ENTRY_ADDRESS_BYTES 12
#define MULTIBOOT2_HEADER_TAG_CONSOLE_FLAGS_BYTES 12
#define MULTIBOOT2_HEADER_TAG_FRAMEBUFFER_BYTES 20
#define MULTIBOOT2_HEADER_TAG_ADDRESS_BYTES 24
#define MULTIBOOT2_HEADER_TAG_RELOCATABLE_BYTES 24

/* struct multiboot2_header_tag_console_flags.console_flags */
#define MULTIBOOT2_CONSOLE_REQUIRED (1 << 0)      /* some console must be there */
#define MULTIBOOT2_CONSOLE_EGA_SUPPORTED (1 << 1) /* the image can drive EGA text */

/* struct multiboot2_header_tag_relocatable.preference */
#define MULTIBOOT2_LOAD_PREFERENCE_NONE 0
#define MULTIBOOT2_LOAD_PREFERENCE_LOW 1
#define MULTIBOOT2_LOAD_PREFERENCE_HIGH 2

/* Information tags. */
#define MULTIBOOT2_TAG_END 0
#define MULTIBOOT2_TAG_CMDLINE 1
#define MULTIBOOT2_TAG_LOADER_NAME 2
#define MULTIBOOT2_TAG_MODULE 3
#define MULTIBOOT2_TAG_BASIC_MEMINFO 4
#define MULTIBOOT2_TAG_BOOT_DEVICE 5
#define MULTIBOOT2_TAG_MMAP 6
#define MULTIBOOT2_TAG_VBE 7
#define MULTIBOOT2_TAG_FRAMEBUFFER 8
#define MULTIBOOT2_TAG_ELF_SECTIONS 9
#define MULTIBOOT2_TAG_APM 10
#define MULTIBOOT2_TAG_EFI32 11
#define MULTIBOOT2_TAG_EFI64 12
#define MULTIBOOT2_TAG_SMBIOS 13
#define MULTIBOOT2_TAG_ACPI_OLD 14
#define MULTIBOOT2_TAG_ACPI_NEW 15
#define MULTIBOOT2_TAG_NETWORK 16
#define MULTIBOOT2_TAG_EFI_MMAP 17
#define MULTIBOOT2_TAG_EFI_BOOT_SERVICES 18
#define MULTIBOOT2_TAG_EFI32_IMAGE_HANDLE 19
#define MULTIBOOT2_TAG_EFI64_IMAGE_HANDLE 20
#define MULTIBOOT2_TAG_LOAD_BASE 21

/* struct multiboot2_mmap_entry.type; every other value is reserved memory. */
#define MULTIBOOT2_MEMORY_AVAILABLE 1
#define MULTIBOOT2_MEMORY_RESERVED 2
#define MULTIBOOT2_MEMORY_ACPI_RECLAIMABLE 3
#define MULTIBOOT2_MEMORY_NVS 4
#define MULTIBOOT2_MEMORY_BAD 5

#ifndef __ASSEMBLER__

#include "loader/multiboot_screen.h"

#include <stdint.h>

/* The header in the image; tags follow, up to header_length bytes from its first byte. */
struct multiboot2_header {
    uint32_t magic;
    uint32_t architecture; /* MULTIBOOT2_ARCHITECTURE_* */
    uint32_t header_length;
    uint32_t checksum;
} __attribute__((packed));

/* How each header tag begins. */
struct multiboot2_header_tag {
    uint16_t type;  /* MULTIBOOT2_HEADER_TAG_* */
    uint16_t flags; /* MULTIBOOT2_HEADER_TAG_OPTIONAL */
    uint32_t size;
} __attribute__((packed));

struct multiboot2_header_tag_information_request {
    struct multiboot2_header_tag tag;
    uint32_t requests[]; /* MULTIBOOT2_TAG_*, up to the tag's size */
} __attribute__((packed));

/* Physical addresses by which to load instead of by ELF. */
struct multiboot2_header_tag_address {
    struct multiboot2_header_tag tag;
    uint32_t header_addr;
    uint32_t load_addr;
    uint32_t load_end_addr;
    uint32_t bss_end_addr;
} __attribute__((packed));

/* Also ENTRY_ADDRESS_EFI32 and ENTRY_ADDRESS_EFI64. */
struct multiboot2_header_tag_entry_address {
    struct multiboot2_header_tag tag;
    uint32_t entry_addr;
} __attribute__((packed));

struct multiboot2_header_tag_console_flags {
    struct multiboot2_header_tag tag;
    uint32_t console_flags; /* MULTIBOOT2_CONSOLE_* */
} __attribute__((packed));

/* 0: no preference */
struct multiboot2_header_tag_framebuffer {
    struct multiboot2_header_tag tag;
    uint32_t width;
    uint32_t height;
    uint32_t depth; /* bits a pixel, 0 for text */
} __attribute__((packed));

/* The image may be put anywhere from min_addr to max_addr (of its last byte). */
struct multiboot2_header_tag_relocatable {
    struct multiboot2_header_tag tag;
    uint32_t min_addr;
    uint32_t max_addr;
    uint32_t align;      /* bytes, a power of two */
    uint32_t preference; /* MULTIBOOT2_LOAD_PREFERENCE_* */
} __attribute__((packed));

/* What EBX points to, on an 8-byte boundary; tags follow. */
struct multiboot2_info {
    uint32_t total_size; /* bytes, with this word and the closing tag */
    uint32_t reserved;
} __attribute__((packed));

/* How each information tag begins. */
struct multiboot2_tag {
    uint32_t type; /* MULTIBOOT2_TAG_* */
    uint32_t size; /* bytes, with these two words, without padding */
} __attribute__((packed));

/* CMDLINE and LOADER_NAME */
struct multiboot2_tag_string {
    struct multiboot2_tag tag;
    char string[]; /* zero-terminated */
} __attribute__((packed));

struct multiboot2_tag_module {
    struct multiboot2_tag tag;
    uint32_t mod_start;
    uint32_t mod_end; /* past the last byte */
    char cmdline[];   /* zero-terminated */
} __attribute__((packed));

/* KiB below 640 KiB, and from 1 MiB up to the first hole */
struct multiboot2_tag_basic_meminfo {
    struct multiboot2_tag tag;
    uint32_t mem_lower;
    uint32_t mem_upper;
} __attribute__((packed));

struct multiboot2_mmap_entry {
    uint64_t addr;
    uint64_t len;
    uint32_t type; /* MULTIBOOT2_MEMORY_* */
    uint32_t zero;
} __attribute__((packed));

/* Entries are entry_size apart, which may grow in later versions of the specification. */
struct multiboot2_tag_mmap {
    struct multiboot2_tag tag;
    uint32_t entry_size;
    uint32_t entry_version;
    struct multiboot2_mmap_entry entries[];
} __attribute__((packed));

struct multiboot2_tag_framebuffer {
    struct multiboot2_tag tag;
    struct multiboot_screen screen;
    uint16_t reserved;
    union {
        struct {
            uint32_t palette_num_colors; /* red, green, blue bytes follow */
        } __attribute__((packed)) indexed;
        struct multiboot_rgb rgb;
    } colour;
} __attribute__((packed));

/* EFI32 and EFI64: the physical address of the EFI system table. */
struct multiboot2_tag_efi32 {
    struct multiboot2_tag tag;
    uint32_t pointer;
} __attribute__((packed));

struct multiboot2_tag_efi64 {
    struct multiboot2_tag tag;
    uint64_t pointer;
} __attribute__((packed));

/* A copy of the SMBIOS tables' entry point structure. */
struct multiboot2_tag_smbios {
    struct multiboot2_tag tag;
    uint8_t major;
    uint8_t minor;
    uint8_t reserved[6];
    uint8_t tables[];
} __attribute__((packed));

/* ACPI_OLD (a copy of the 20-byte RSDP of ACPI 1.0) and ACPI_NEW (of ACPI 2.0 and later) */
struct multiboot2_tag_acpi {
    struct multiboot2_tag tag;
    uint8_t rsdp[];
} __attribute__((packed));

/* The firmware's own map at ExitBootServices; descriptors are descr_size apart. */
struct multiboot2_tag_efi_mmap {
    struct multiboot2_tag tag;
    uint32_t descr_size;
    uint32_t descr_version;
    uint8_t efi_mmap[];
} __attribute__((packed));

/* The physical address that the image was put at. */
struct multiboot2_tag_load_base {
    struct multiboot2_tag tag;
    uint32_t load_base_addr;
} __attribute__((packed));

#endif /* __ASSEMBLER__ */
#endif /* LOADER_MULTIBOOT2_H */
