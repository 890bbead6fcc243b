/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The firmware's memory map told in Multiboot's words. What the firmware or this loader held while
 * boot services ran is free memory afterwards, so most of EFI's types become "available"; equal
 * neighbours are joined, since the kernel can't care where a boot service had its pool.
 *
 * Rules: "UEFI Specification 2.10", table 7.10 (memory types after ExitBootServices); "Multiboot2
 * Specification", section 3.6.8.
 * Pure: no firmware, tested on the host.
 */
#ifndef LOADER_MEMORY_MAP_H
#define LOADER_MEMORY_MAP_H

#include <stddef.h>
#include <stdint.h>

#include "loader/efi_map.h"
#include "loader/multiboot2.h"

/*
 * Converts a map. Entries come out in the order of their addresses; empty descriptors are dropped.
 *
 * entries: space for efi_map_count(map) entries, 8-byte aligned.
 * Returns how many there are.
 */
size_t memory_map_convert(const struct efi_map *map, struct multiboot2_mmap_entry *entries);

/*
 * The two sizes that boot loaders have always told: available memory in KiB from 0 up to 640 KiB,
 * and from 1 MiB up to the first hole. Either is 0 if memory does not begin there.
 *
 * entries, count: as memory_map_convert() left them.
 */
void memory_map_basic(const struct multiboot2_mmap_entry *entries, size_t count,
                      uint32_t *lower_kib, uint32_t *upper_kib);

#endif
