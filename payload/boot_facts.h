/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAYLOAD_BOOT_FACTS_H
#define PAYLOAD_BOOT_FACTS_H

/*
 * What the boot loader knew, in one form whoever it was. This is the only place that reads
 * Multiboot structures; everything is copied out of them, because their memory is free afterwards.
 *
 * The structures are not trusted: each tag must lie in its list, each list in 4 GiB, each string is
 * cut at its room, a command line between two words. What is wrong becomes a note, and the rest is
 * used.
 */

#include "drivers/console.h"
#include "paging/memmap.h"

#define COMMAND_LINE_MAX 1024
#define LOADER_NAME_MAX 64
#define RSDP_MAX 36
#define BOOT_NOTES_MAX 24
#define BOOT_NOTE_TEXT_MAX 112

enum boot_protocol { BOOT_UNKNOWN, BOOT_MULTIBOOT1, BOOT_MULTIBOOT2 };

struct boot_facts {
    enum boot_protocol protocol;
    char command_line[COMMAND_LINE_MAX];
    char loader_name[LOADER_NAME_MAX];
    struct memmap map; /* as the loader said; not sanitised */
    struct screen_info screen;
    uint8_t rsdp[RSDP_MAX]; /* ACPI's root pointer, if rsdp_size is not 0 */
    uint32_t rsdp_size;
    bool efi; /* the machine was started by UEFI */
    unsigned nr_notes;
    unsigned notes_lost;
    char note[BOOT_NOTES_MAX][BOOT_NOTE_TEXT_MAX]; /* for the console, once there is one */
};

extern struct boot_facts boot_facts;

/*
 * Fills boot_facts. magic: what the loader put in EAX; info: the structure it left.
 * Returns 0, or -EINVAL if the magic is neither Multiboot's: then there is only a note.
 * Context: paging off.
 */
int boot_facts_read(uint32_t magic, const void *info);

/* Keeps a line for later, up to BOOT_NOTES_MAX of them. */
void boot_note(const char *text);

#endif
