/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Multiboot 2 information structure, written tag by tag into memory that was allocated before.
 *
 * A tag that does not fit is left out and remembered; mbi_finish() tells. Since the firmware's map
 * has to be taken last, and again whenever ExitBootServices finds it stale, the maps' tags come
 * last: keep a copy of struct mbi before them, and go back to it to write them anew.
 *
 * Pure: no firmware, tested on the host.
 */
#ifndef LOADER_MBI_H
#define LOADER_MBI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "loader/efi_map.h"

struct mbi {
    uint8_t *memory;
    uint32_t size; /* bytes of memory */
    uint32_t used;
    bool full; /* something did not fit */
};

/* A linear screen of packed pixels, as the firmware left it. */
struct mbi_screen {
    uint64_t address;
    uint32_t pitch_bytes;
    uint32_t width;
    uint32_t height;
    uint32_t red_mask; /* bits of a pixel, each mask one run of bits */
    uint32_t green_mask;
    uint32_t blue_mask;
    uint8_t bits_per_pixel;
};

/* Bytes that the two maps' tags take for a firmware map of map_bytes, at most. */
uint32_t mbi_map_bytes(const struct efi_map *map);

/* memory: 8-byte aligned, of `size` bytes, all of them cleared here. */
void mbi_begin(struct mbi *mbi, void *memory, uint32_t size);

/* MULTIBOOT2_TAG_CMDLINE or MULTIBOOT2_TAG_LOADER_NAME */
void mbi_add_string(struct mbi *mbi, uint32_t type, const char *string);

/* The EFI system table, for firmware of 32 or 64 bits (`bits`). */
void mbi_add_system_table(struct mbi *mbi, unsigned bits, uint64_t address);

/* The image's place in memory. */
void mbi_add_load_base(struct mbi *mbi, uint32_t address);

/*
 * A copy of the ACPI root pointer: as the old tag for revision 0 (its first 20 bytes), else as the
 * new one. What has no valid signature and checksum is not passed on.
 */
void mbi_add_rsdp(struct mbi *mbi, const void *rsdp);

/* A copy of an SMBIOS entry point, 2.x ("_SM_") or 3.x ("_SM3_"); dropped unless it is valid. */
void mbi_add_smbios(struct mbi *mbi, const void *entry_point);

/*
 * The screen, wherever it lies: a kernel with PAE can map it above 4 GiB. It is left out if a
 * colour's bits do not form one run.
 */
void mbi_add_screen(struct mbi *mbi, const struct mbi_screen *screen);

/* Basic memory information, the memory map in Multiboot's words, and the firmware's own. */
void mbi_add_maps(struct mbi *mbi, const struct efi_map *map);

/* Closes the structure. Returns false if anything did not fit; it is well-formed even then. */
bool mbi_finish(struct mbi *mbi);

#endif
