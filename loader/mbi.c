/* SPDX-License-Identifier: BSD-2-Clause */
#include "loader/mbi.h"
#include "loader/memory.h"
#include "loader/memory_map.h"
#include "loader/multiboot2.h"

/* ACPI's root pointer ("ACPI Specification 6.5", section 5.2.5.3). */
#define RSDP_OLD_BYTES 20
#define RSDP_REVISION_OFFSET 15
#define RSDP_LENGTH_OFFSET 20
#define RSDP_NEW_MIN_BYTES 36
#define RSDP_NEW_MAX_BYTES 4096 /* a bound on what is believed, not a rule */

/* SMBIOS entry points ("System Management BIOS Reference Specification 3.7", section 5.2). */
#define SMBIOS2_LENGTH_OFFSET 5
#define SMBIOS2_VERSION_OFFSET 6
#define SMBIOS2_MIN_BYTES 0x1e /* what some 2.1 firmware says, by an error in that version */
#define SMBIOS3_LENGTH_OFFSET 6
#define SMBIOS3_VERSION_OFFSET 7
#define SMBIOS3_MIN_BYTES 0x18

/* Room for a tag and the closing one; a cleared tag with its type and size, or NULL. */
static void *add_tag(struct mbi *mbi, uint32_t type, size_t bytes)
{
    size_t room = mbi->size - mbi->used - sizeof(struct multiboot2_tag);
    struct multiboot2_tag *tag = (void *)(mbi->memory + mbi->used);

    if (bytes > room || MULTIBOOT2_ALIGN_UP(bytes) > room) {
        mbi->full = true;
        return NULL;
    }
    memset(tag, 0, MULTIBOOT2_ALIGN_UP(bytes));
    tag->type = type;
    tag->size = (uint32_t)bytes;
    mbi->used += (uint32_t)MULTIBOOT2_ALIGN_UP(bytes);
    return tag;
}

static bool sum_is_zero(const uint8_t *bytes, size_t count)
{
    uint8_t sum = 0;

    for (size_t i = 0; i < count; i++)
        sum = (uint8_t)(sum + bytes[i]);
    return sum == 0;
}

uint32_t mbi_map_bytes(const struct efi_map *map)
{
    size_t count = map->capacity / map->stride + 1;

    return (uint32_t)(sizeof(struct multiboot2_tag_basic_meminfo) +
                      sizeof(struct multiboot2_tag_mmap) +
                      count * sizeof(struct multiboot2_mmap_entry) +
                      sizeof(struct multiboot2_tag_efi_mmap) + map->capacity +
                      (size_t)3 * MULTIBOOT2_TAG_ALIGN);
}

void mbi_begin(struct mbi *mbi, void *memory, uint32_t size)
{
    memset(memory, 0, size);
    *mbi = (struct mbi){.memory = memory, .size = size, .used = sizeof(struct multiboot2_info)};
}

void mbi_add_string(struct mbi *mbi, uint32_t type, const char *string)
{
    size_t bytes = strlen(string) + 1;
    struct multiboot2_tag_string *tag = add_tag(mbi, type, sizeof(*tag) + bytes);

    if (tag)
        memcpy(tag->string, string, bytes);
}

void mbi_add_system_table(struct mbi *mbi, unsigned bits, uint64_t address)
{
    if (bits == 32) {
        struct multiboot2_tag_efi32 *tag = add_tag(mbi, MULTIBOOT2_TAG_EFI32, sizeof(*tag));

        if (tag)
            tag->pointer = (uint32_t)address;
    } else {
        struct multiboot2_tag_efi64 *tag = add_tag(mbi, MULTIBOOT2_TAG_EFI64, sizeof(*tag));

        if (tag)
            tag->pointer = address;
    }
}

void mbi_add_load_base(struct mbi *mbi, uint32_t address)
{
    struct multiboot2_tag_load_base *tag = add_tag(mbi, MULTIBOOT2_TAG_LOAD_BASE, sizeof(*tag));

    if (tag)
        tag->load_base_addr = address;
}

void mbi_add_rsdp(struct mbi *mbi, const void *rsdp)
{
    static const char signature[8] = {'R', 'S', 'D', ' ', 'P', 'T', 'R', ' '};
    const uint8_t *bytes = rsdp;
    uint32_t type = MULTIBOOT2_TAG_ACPI_OLD;
    uint32_t length = RSDP_OLD_BYTES;
    struct multiboot2_tag_acpi *tag;

    if (memcmp(bytes, signature, sizeof(signature)) != 0 || !sum_is_zero(bytes, RSDP_OLD_BYTES))
        return;
    if (bytes[RSDP_REVISION_OFFSET] != 0) {
        memcpy(&length, bytes + RSDP_LENGTH_OFFSET, sizeof(length));
        if (length < RSDP_NEW_MIN_BYTES || length > RSDP_NEW_MAX_BYTES ||
            !sum_is_zero(bytes, length))
            return;
        type = MULTIBOOT2_TAG_ACPI_NEW;
    }
    tag = add_tag(mbi, type, sizeof(*tag) + length);
    if (tag)
        memcpy(tag->rsdp, rsdp, length);
}

void mbi_add_smbios(struct mbi *mbi, const void *entry_point)
{
    static const char anchor2[4] = {'_', 'S', 'M', '_'};
    static const char anchor3[5] = {'_', 'S', 'M', '3', '_'};
    const uint8_t *bytes = entry_point;
    struct multiboot2_tag_smbios *tag;
    size_t version, length;

    if (memcmp(bytes, anchor3, sizeof(anchor3)) == 0) {
        length = bytes[SMBIOS3_LENGTH_OFFSET];
        version = SMBIOS3_VERSION_OFFSET;
        if (length < SMBIOS3_MIN_BYTES)
            return;
    } else if (memcmp(bytes, anchor2, sizeof(anchor2)) == 0) {
        length = bytes[SMBIOS2_LENGTH_OFFSET];
        version = SMBIOS2_VERSION_OFFSET;
        if (length < SMBIOS2_MIN_BYTES)
            return;
    } else {
        return;
    }
    if (!sum_is_zero(bytes, length))
        return;
    tag = add_tag(mbi, MULTIBOOT2_TAG_SMBIOS, sizeof(*tag) + length);
    if (!tag)
        return;
    tag->major = bytes[version];
    tag->minor = bytes[version + 1];
    memcpy(tag->tables, bytes, length);
}

/* A colour's lowest bit and number of bits; false unless its bits are one run. */
static bool mask_to_field(uint32_t mask, struct multiboot_colour *colour)
{
    *colour = (struct multiboot_colour){0};
    if (mask == 0)
        return false;
    for (; (mask & 1) == 0; mask >>= 1)
        colour->position++;
    for (; (mask & 1) != 0; mask >>= 1)
        colour->bits++;
    return mask == 0;
}

void mbi_add_screen(struct mbi *mbi, const struct mbi_screen *screen)
{
    uint64_t bytes = (uint64_t)screen->pitch_bytes * screen->height;
    struct multiboot2_tag_framebuffer told = {
        .screen = {.address = screen->address,
                   .pitch_bytes = screen->pitch_bytes,
                   .width = screen->width,
                   .height = screen->height,
                   .bits_per_pixel = screen->bits_per_pixel,
                   .kind = MULTIBOOT_SCREEN_RGB},
    };
    struct multiboot2_tag_framebuffer *tag;
    struct multiboot_rgb *rgb = &told.colour.rgb;

    if (bytes == 0 || screen->address == 0 || bytes > UINT64_MAX - screen->address)
        return;
    if (!mask_to_field(screen->red_mask, &rgb->red) ||
        !mask_to_field(screen->green_mask, &rgb->green) ||
        !mask_to_field(screen->blue_mask, &rgb->blue))
        return;

    tag = add_tag(mbi, MULTIBOOT2_TAG_FRAMEBUFFER, sizeof(*tag));
    if (!tag)
        return;
    told.tag = tag->tag;
    *tag = told;
}

void mbi_add_maps(struct mbi *mbi, const struct efi_map *map)
{
    const size_t most = efi_map_count(map);
    struct multiboot2_tag_basic_meminfo *basic;
    struct multiboot2_tag_efi_mmap *efi;
    struct multiboot2_tag_mmap *mmap;
    uint32_t lower_kib, upper_kib;
    size_t count;

    basic = add_tag(mbi, MULTIBOOT2_TAG_BASIC_MEMINFO, sizeof(*basic));
    mmap = add_tag(mbi, MULTIBOOT2_TAG_MMAP, sizeof(*mmap) + most * sizeof(mmap->entries[0]));
    if (!basic || !mmap)
        return;
    mmap->entry_size = sizeof(mmap->entries[0]);
    count = memory_map_convert(map, mmap->entries);
    memory_map_basic(mmap->entries, count, &lower_kib, &upper_kib);
    basic->mem_lower = lower_kib;
    basic->mem_upper = upper_kib;

    /* Entries that were joined leave room, which goes back. */
    mmap->tag.size = (uint32_t)(sizeof(*mmap) + count * sizeof(mmap->entries[0]));
    mbi->used -= (uint32_t)((most - count) * sizeof(mmap->entries[0]));

    efi = add_tag(mbi, MULTIBOOT2_TAG_EFI_MMAP, sizeof(*efi) + map->bytes);
    if (!efi)
        return;
    efi->descr_size = (uint32_t)map->stride;
    efi->descr_version = map->version;
    memcpy(efi->efi_mmap, map->descriptors, map->bytes);
}

bool mbi_finish(struct mbi *mbi)
{
    struct multiboot2_info *info = (void *)mbi->memory;
    struct multiboot2_tag *end = (void *)(mbi->memory + mbi->used);

    /* add_tag() always leaves room for this one. */
    end->type = MULTIBOOT2_TAG_END;
    end->size = sizeof(*end);
    mbi->used += sizeof(*end);
    info->total_size = mbi->used;
    info->reserved = 0;
    return !mbi->full;
}
