/* SPDX-License-Identifier: BSD-2-Clause */
#include "loader/header.h"
#include "loader/memory.h"
#include "loader/multiboot2.h"

/*
 * What a kernel may insist on being told. All but the last line are told by mbi.h; those are things
 * that a UEFI machine has none of, so that their absence is the answer.
 */
#define KNOWN_INFORMATION                                                                          \
    (1u << MULTIBOOT2_TAG_CMDLINE | 1u << MULTIBOOT2_TAG_LOADER_NAME |                             \
     1u << MULTIBOOT2_TAG_BASIC_MEMINFO | 1u << MULTIBOOT2_TAG_MMAP |                              \
     1u << MULTIBOOT2_TAG_FRAMEBUFFER | 1u << MULTIBOOT2_TAG_EFI32 | 1u << MULTIBOOT2_TAG_EFI64 |  \
     1u << MULTIBOOT2_TAG_SMBIOS | 1u << MULTIBOOT2_TAG_ACPI_OLD | 1u << MULTIBOOT2_TAG_ACPI_NEW | \
     1u << MULTIBOOT2_TAG_EFI_MMAP | 1u << MULTIBOOT2_TAG_LOAD_BASE |                              \
     1u << MULTIBOOT2_TAG_MODULE | 1u << MULTIBOOT2_TAG_BOOT_DEVICE | 1u << MULTIBOOT2_TAG_VBE |   \
     1u << MULTIBOOT2_TAG_APM)

static bool information_is_known(uint32_t type)
{
    return type <= MULTIBOOT2_TAG_LOAD_BASE && (KNOWN_INFORMATION >> type & 1) != 0;
}

/* The offset of the header, or `size` if there is none. */
static size_t find_header(const uint8_t *file, size_t size)
{
    size_t limit = size < MULTIBOOT2_HEADER_SEARCH_BYTES ? size : MULTIBOOT2_HEADER_SEARCH_BYTES;

    for (size_t at = 0; at + sizeof(struct multiboot2_header) <= limit;
         at += MULTIBOOT2_HEADER_ALIGN) {
        struct multiboot2_header header;

        memcpy(&header, file + at, sizeof(header));
        if (header.magic == MULTIBOOT2_HEADER_MAGIC &&
            header.magic + header.architecture + header.header_length + header.checksum == 0)
            return at;
    }
    return size;
}

/* A tag too short for its type is as bad as an unknown one. */
static bool tag_holds(const struct multiboot2_header_tag *tag, size_t bytes, struct refusal *why)
{
    if (tag->size < bytes)
        return refuse(why, "a tag of the Multiboot 2 header is too short, type", tag->type);
    return true;
}

static bool read_information_request(const uint8_t *at, const struct multiboot2_header_tag *tag,
                                     struct refusal *why)
{
    uint32_t type;

    if (tag->flags & MULTIBOOT2_HEADER_TAG_OPTIONAL)
        return true;
    for (size_t offset = sizeof(*tag); offset + sizeof(type) <= tag->size; offset += sizeof(type)) {
        memcpy(&type, at + offset, sizeof(type));
        if (!information_is_known(type))
            return refuse(why, "the kernel insists on information of unknown type", type);
    }
    return true;
}

static bool read_address(const uint8_t *at, const struct multiboot2_header_tag *tag,
                         struct kernel_request *request, struct refusal *why)
{
    struct multiboot2_header_tag_address address;

    if (!tag_holds(tag, sizeof(address), why))
        return false;
    memcpy(&address, at, sizeof(address));
    request->has_addresses = true;
    request->header_addr = address.header_addr;
    request->load_addr = address.load_addr;
    request->load_end_addr = address.load_end_addr;
    request->bss_end_addr = address.bss_end_addr;
    return true;
}

static bool read_entry(const uint8_t *at, const struct multiboot2_header_tag *tag,
                       struct kernel_request *request, struct refusal *why)
{
    struct multiboot2_header_tag_entry_address entry;

    if (!tag_holds(tag, sizeof(entry), why))
        return false;
    memcpy(&entry, at, sizeof(entry));
    request->has_entry = true;
    request->entry_addr = entry.entry_addr;
    return true;
}

static bool read_relocatable(const uint8_t *at, const struct multiboot2_header_tag *tag,
                             struct kernel_request *request, struct refusal *why)
{
    struct multiboot2_header_tag_relocatable relocatable;

    if (!tag_holds(tag, sizeof(relocatable), why))
        return false;
    memcpy(&relocatable, at, sizeof(relocatable));
    if (relocatable.align == 0)
        relocatable.align = 1;
    if ((relocatable.align & (relocatable.align - 1)) != 0)
        return refuse(why, "the kernel's alignment is not a power of two", relocatable.align);
    if (relocatable.min_addr > relocatable.max_addr)
        return refuse(why, "the kernel's lowest address is above its highest",
                      relocatable.min_addr);
    request->relocatable = true;
    request->prefers_high = relocatable.preference == MULTIBOOT2_LOAD_PREFERENCE_HIGH;
    request->min_addr = relocatable.min_addr;
    request->max_addr = relocatable.max_addr;
    request->align = relocatable.align;
    return true;
}

static bool read_tag(const uint8_t *at, const struct multiboot2_header_tag *tag,
                     struct kernel_request *request, struct refusal *why)
{
    switch (tag->type) {
    case MULTIBOOT2_HEADER_TAG_INFORMATION_REQUEST:
        return read_information_request(at, tag, why);
    case MULTIBOOT2_HEADER_TAG_ADDRESS:
        return read_address(at, tag, request, why);
    case MULTIBOOT2_HEADER_TAG_ENTRY_ADDRESS:
        return read_entry(at, tag, request, why);
    case MULTIBOOT2_HEADER_TAG_RELOCATABLE:
        return read_relocatable(at, tag, request, why);
    case MULTIBOOT2_HEADER_TAG_CONSOLE_FLAGS:
    case MULTIBOOT2_HEADER_TAG_FRAMEBUFFER:
        /* Preferences: the screen stays as the firmware set it, and is described if it is linear.
         */
    case MULTIBOOT2_HEADER_TAG_MODULE_ALIGN:
        /* There are no modules. */
        return true;
    default:
        /*
         * Also the three EFI tags: boot services are always left, so a kernel that can do without
         * (it says so by "optional") gets its ordinary entry, and one that can't is refused.
         */
        if (tag->flags & MULTIBOOT2_HEADER_TAG_OPTIONAL)
            return true;
        return refuse(why, "the Multiboot 2 header has a required tag that is not supported, type",
                      tag->type);
    }
}

bool header_read(const void *file, size_t size, struct kernel_request *request, struct refusal *why)
{
    const uint8_t *bytes = file;
    size_t at = find_header(bytes, size);
    struct multiboot2_header header;
    size_t end;

    memset(request, 0, sizeof(*request));
    if (at == size)
        return refuse(why, "no Multiboot 2 header in the first bytes of the file",
                      MULTIBOOT2_HEADER_SEARCH_BYTES);
    memcpy(&header, bytes + at, sizeof(header));
    if (header.architecture != MULTIBOOT2_ARCHITECTURE_I386)
        return refuse(why, "the Multiboot 2 header is for another architecture",
                      header.architecture);
    if (header.header_length > size - at)
        return refuse(why, "the Multiboot 2 header reaches past the end of the file, length",
                      header.header_length);
    request->header_offset = (uint32_t)at;
    end = at + header.header_length;

    at += sizeof(header);
    for (;;) {
        struct multiboot2_header_tag tag;

        if (at > end || end - at < sizeof(tag))
            return refuse(why, "the Multiboot 2 header has no closing tag before offset", end);
        memcpy(&tag, bytes + at, sizeof(tag));
        if (tag.type == MULTIBOOT2_HEADER_TAG_END)
            return true;
        if (tag.size < sizeof(tag) || tag.size > end - at)
            return refuse(why, "a tag of the Multiboot 2 header has a bad size", tag.size);
        if (!read_tag(bytes + at, &tag, request, why))
            return false;
        at += MULTIBOOT2_ALIGN_UP((size_t)tag.size);
    }
}
