/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The firmware's memory map as data: an array of descriptors whose distance the firmware decides.
 * Its layout is the same for 32-bit and 64-bit firmware, and it is described here once more, apart
 * from gnu-efi, so that the code that works on maps is tested on a host.
 *
 * Rules: "UEFI Specification 2.10", section 7.2.3 (GetMemoryMap).
 */
#ifndef LOADER_EFI_MAP_H
#define LOADER_EFI_MAP_H

#include <stddef.h>
#include <stdint.h>

#define EFI_PAGE_BYTES 4096u

/* Descriptor types with a meaning for us; the rest is memory to keep away from. */
#define EFI_MAP_LOADER_CODE 1
#define EFI_MAP_LOADER_DATA 2
#define EFI_MAP_BOOT_SERVICES_CODE 3
#define EFI_MAP_BOOT_SERVICES_DATA 4
#define EFI_MAP_CONVENTIONAL 7
#define EFI_MAP_UNUSABLE 8
#define EFI_MAP_ACPI_RECLAIM 9
#define EFI_MAP_ACPI_NVS 10

struct efi_map_descriptor {
    uint32_t type;
    uint32_t padding;
    uint64_t physical;
    uint64_t virtual;
    uint64_t pages;
    uint64_t attributes;
};

struct efi_map {
    void *descriptors;
    size_t bytes;     /* of descriptors that are valid */
    size_t capacity;  /* bytes that there is space for */
    size_t stride;    /* bytes from one descriptor to the next, never less than the structure */
    uint32_t version; /* of the descriptors */
};

static inline size_t efi_map_count(const struct efi_map *map)
{
    return map->bytes / map->stride;
}

static inline const struct efi_map_descriptor *efi_map_at(const struct efi_map *map, size_t index)
{
    return (const void *)((const uint8_t *)map->descriptors + index * map->stride);
}

/*
 * Past the last byte of a descriptor's memory. A length that wraps, which no real memory has, is
 * cut at the highest page of the address space.
 */
static inline uint64_t efi_map_end(const struct efi_map_descriptor *descriptor)
{
    const uint64_t top = ~(uint64_t)(EFI_PAGE_BYTES - 1);

    if (descriptor->pages > (top - descriptor->physical) / EFI_PAGE_BYTES)
        return top;
    return descriptor->physical + descriptor->pages * EFI_PAGE_BYTES;
}

#endif
