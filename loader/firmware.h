/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The firmware's side of the loader: everything that calls UEFI. Its idea is that the rest of the
 * loader sees plain memory, plain structures and text, so that it can be tested without firmware.
 *
 * All of it works only while boot services run, and before anything else firmware_begin() is
 * called. Physical addresses are virtual ones here, by UEFI's rule.
 *
 * Rules: "UEFI Specification 2.10", chapters 4 (system table), 7 (boot services), 12 (consoles).
 */
#ifndef LOADER_FIRMWARE_H
#define LOADER_FIRMWARE_H

#include <stdbool.h>
#include <stdint.h>

#include <efi.h>

#include "loader/efi_map.h"
#include "loader/mbi.h"

/* Where memory may come from; see firmware_allocate(). */
enum firmware_memory { FIRMWARE_DATA, FIRMWARE_CODE };

/* image, table: what efi_main() was given. */
void firmware_begin(EFI_HANDLE image, EFI_SYSTEM_TABLE *table);

/*
 * Says something on the firmware's console. Formats: %s, %u (unsigned), %x (unsigned), %llx
 * (uint64_t, with 0x in front as %x has), %%. A '\n' is made a line end.
 */
__attribute__((format(printf, 1, 2))) void firmware_say(const char *format, ...);

/*
 * Gives up: waits long enough for someone to read what was said, releases nothing (firmware frees
 * the loader's image; what was allocated is lost until the next reset), and returns to whoever
 * started the loader. It does so by the Exit service, since gnu-efi's ia32 start-up code would
 * return with the caller's EBX lost.
 */
__attribute__((noreturn)) void firmware_give_up(EFI_STATUS status);

/* The load options of this image; NULL if there are none. */
const void *firmware_load_options(size_t *bytes);

/*
 * Allocates whole pages below 4 GiB. Code is memory that may be executed where firmware enforces a
 * difference.
 *
 * Returns NULL if there is no such memory.
 */
void *firmware_allocate(enum firmware_memory kind, uint64_t bytes);

/* The same at a given page-aligned address; false if the firmware has something else there. */
bool firmware_allocate_at(uint64_t address, uint64_t bytes);

/*
 * Prepares *map: memory for its descriptors, with room for many more than there are now, since each
 * allocation may split one. Returns false if there is no memory.
 */
bool firmware_map_prepare(struct efi_map *map);

/* Reads the map into it. *key is what ExitBootServices wants. Allocates nothing. */
EFI_STATUS firmware_map_read(struct efi_map *map, UINTN *key);

/* Ends boot services, if `key` is still that of the newest map; nothing here may be used then. */
EFI_STATUS firmware_exit(UINTN key);

/*
 * What the firmware's tables know, added to the information structure: the system table itself, the
 * ACPI root pointers, the SMBIOS entry point.
 */
void firmware_add_tables(struct mbi *mbi);

/* The screen of the firmware's console; false if it has none with a linear frame buffer. */
bool firmware_screen(struct mbi_screen *screen);

#endif
