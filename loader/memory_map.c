/* SPDX-License-Identifier: BSD-2-Clause */
#include "loader/memory_map.h"

#define KIB_SHIFT 10
#define LOWER_LIMIT (UINT64_C(640) << KIB_SHIFT)
#define UPPER_START (UINT64_C(1024) << KIB_SHIFT)

static uint32_t multiboot_type(uint32_t efi_type)
{
    switch (efi_type) {
    case EFI_MAP_LOADER_CODE:
    case EFI_MAP_LOADER_DATA:
    case EFI_MAP_BOOT_SERVICES_CODE:
    case EFI_MAP_BOOT_SERVICES_DATA:
    case EFI_MAP_CONVENTIONAL:
        return MULTIBOOT2_MEMORY_AVAILABLE;
    case EFI_MAP_ACPI_RECLAIM:
        return MULTIBOOT2_MEMORY_ACPI_RECLAIMABLE;
    case EFI_MAP_ACPI_NVS:
        return MULTIBOOT2_MEMORY_NVS;
    case EFI_MAP_UNUSABLE:
        return MULTIBOOT2_MEMORY_BAD;
    default:
        return MULTIBOOT2_MEMORY_RESERVED;
    }
}

static void join_neighbours(struct multiboot2_mmap_entry *entries, size_t *count)
{
    size_t kept = 0;

    for (size_t i = 0; i < *count; i++) {
        struct multiboot2_mmap_entry *last = &entries[kept ? kept - 1 : 0];

        if (kept && last->type == entries[i].type && last->addr + last->len == entries[i].addr)
            last->len += entries[i].len;
        else
            entries[kept++] = entries[i];
    }
    *count = kept;
}

size_t memory_map_convert(const struct efi_map *map, struct multiboot2_mmap_entry *entries)
{
    size_t count = 0;

    /* Firmware nearly always sorts its map, so sorting by insertion finds little to do. */
    for (size_t i = 0; i < efi_map_count(map); i++) {
        const struct efi_map_descriptor *range = efi_map_at(map, i);
        size_t slot = count;

        if (range->pages == 0)
            continue;
        while (slot > 0 && entries[slot - 1].addr > range->physical) {
            entries[slot] = entries[slot - 1];
            slot--;
        }
        entries[slot] = (struct multiboot2_mmap_entry){
            .addr = range->physical,
            .len = efi_map_end(range) - range->physical,
            .type = multiboot_type(range->type),
        };
        count++;
    }
    join_neighbours(entries, &count);
    return count;
}

/* Where available memory that holds `address` ends, or `address` if there is none. */
static uint64_t available_until(const struct multiboot2_mmap_entry *entries, size_t count,
                                uint64_t address)
{
    for (size_t i = 0; i < count; i++) {
        if (entries[i].type == MULTIBOOT2_MEMORY_AVAILABLE && entries[i].addr <= address &&
            address - entries[i].addr < entries[i].len)
            return entries[i].addr + entries[i].len;
    }
    return address;
}

void memory_map_basic(const struct multiboot2_mmap_entry *entries, size_t count,
                      uint32_t *lower_kib, uint32_t *upper_kib)
{
    uint64_t lower = available_until(entries, count, 0);
    uint64_t upper = (available_until(entries, count, UPPER_START) - UPPER_START) >> KIB_SHIFT;

    *lower_kib = (uint32_t)((lower < LOWER_LIMIT ? lower : LOWER_LIMIT) >> KIB_SHIFT);
    *upper_kib = upper < UINT32_MAX ? (uint32_t)upper : UINT32_MAX;
}
