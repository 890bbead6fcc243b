/* SPDX-License-Identifier: BSD-2-Clause */
#include "loader/firmware.h"

/* Time to read a message before the firmware goes on and clears the screen. */
#define GIVE_UP_PAUSE_US 5000000

/* Descriptors that the memory map may grow by, between asking for its size and leaving. */
#define MAP_SLACK_DESCRIPTORS 128

#define LAST_32BIT_ADDRESS 0xffffffffu

_Static_assert(sizeof(struct efi_map_descriptor) == sizeof(EFI_MEMORY_DESCRIPTOR),
               "efi_map.h describes the same structure");

/* "UEFI Specification 2.10", section 37.7, newer than gnu-efi's headers. */
#define MEMORY_ATTRIBUTE_PROTOCOL_GUID                     \
    {                                                      \
        0xf4560cf6, 0x40ec, 0x4b4a,                        \
        {                                                  \
            0xa1, 0x92, 0xbf, 0x1d, 0x57, 0xd0, 0xb1, 0x89 \
        }                                                  \
    }
#define MEMORY_ATTRIBUTE_NOT_EXECUTABLE 0x4000 /* EFI_MEMORY_XP */
#define MEMORY_ATTRIBUTE_READ_ONLY 0x20000     /* EFI_MEMORY_RO */

struct memory_attribute_protocol {
    void *get;
    void *set;
    EFI_STATUS(EFIAPI *clear)
    (struct memory_attribute_protocol *self, EFI_PHYSICAL_ADDRESS base, UINT64 bytes,
     UINT64 attributes);
};

static EFI_HANDLE this_image;
static EFI_SYSTEM_TABLE *system_table;
static EFI_BOOT_SERVICES *services;

void firmware_begin(EFI_HANDLE image, EFI_SYSTEM_TABLE *table)
{
    this_image = image;
    system_table = table;
    services = table->BootServices;
}

static void say_character(char character)
{
    CHAR16 text[3] = {(CHAR16)character, 0, 0};

    if (!system_table->ConOut)
        return;
    if (character == '\n') {
        text[0] = '\r';
        text[1] = '\n';
    }
    system_table->ConOut->OutputString(system_table->ConOut, text);
}

static void say_text(const char *text)
{
    while (*text)
        say_character(*text++);
}

static void say_hex(uint64_t value)
{
    int shift = 60;

    say_text("0x");
    while (shift > 0 && value >> shift == 0)
        shift -= 4;
    for (; shift >= 0; shift -= 4)
        say_character("0123456789abcdef"[value >> shift & 0xf]);
}

static void say_decimal(uint32_t value)
{
    char digits[11];
    unsigned at = sizeof(digits) - 1;

    digits[at] = '\0';
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    say_text(&digits[at]);
}

void firmware_say(const char *format, ...)
{
    __builtin_va_list args;

    __builtin_va_start(args, format);
    for (; *format; format++) {
        if (*format != '%') {
            say_character(*format);
            continue;
        }
        switch (*++format) {
        case 's':
            say_text(__builtin_va_arg(args, const char *));
            break;
        case 'u':
            say_decimal(__builtin_va_arg(args, unsigned));
            break;
        case 'x':
            say_hex(__builtin_va_arg(args, unsigned));
            break;
        case 'l': /* of %llx */
            format += 2;
            say_hex(__builtin_va_arg(args, unsigned long long));
            break;
        default:
            say_character(*format);
            break;
        }
    }
    __builtin_va_end(args);
}

void firmware_give_up(EFI_STATUS status)
{
    services->Stall(GIVE_UP_PAUSE_US);
    services->Exit(this_image, status, 0, NULL);
    for (;;)
        __asm__ volatile("hlt"); /* Exit does not return; this is for firmware that disagrees */
}

const void *firmware_load_options(size_t *bytes)
{
    EFI_GUID guid = EFI_LOADED_IMAGE_PROTOCOL_GUID;
    void *protocol = NULL;
    EFI_LOADED_IMAGE *loaded;

    *bytes = 0;
    if (EFI_ERROR(services->HandleProtocol(this_image, &guid, &protocol)) || !protocol)
        return NULL;
    loaded = protocol;
    if (loaded->LoadOptionsSize == 0)
        return NULL;
    *bytes = loaded->LoadOptionsSize;
    return loaded->LoadOptions;
}

static UINTN pages_of(uint64_t bytes)
{
    return (UINTN)((bytes + EFI_PAGE_BYTES - 1) / EFI_PAGE_BYTES);
}

/*
 * Newest firmware makes even code memory not executable until asked. There is nothing to do where
 * the protocol is missing, which is everywhere else.
 */
static void make_executable(EFI_PHYSICAL_ADDRESS address, uint64_t bytes)
{
    EFI_GUID guid = MEMORY_ATTRIBUTE_PROTOCOL_GUID;
    struct memory_attribute_protocol *attributes;
    void *protocol = NULL;

    if (EFI_ERROR(services->LocateProtocol(&guid, NULL, &protocol)) || !protocol)
        return;
    attributes = protocol;
    attributes->clear(attributes, address, (UINT64)pages_of(bytes) * EFI_PAGE_BYTES,
                      MEMORY_ATTRIBUTE_NOT_EXECUTABLE | MEMORY_ATTRIBUTE_READ_ONLY);
}

void *firmware_allocate(enum firmware_memory kind, uint64_t bytes)
{
    EFI_MEMORY_TYPE type = kind == FIRMWARE_CODE ? EfiLoaderCode : EfiLoaderData;
    EFI_PHYSICAL_ADDRESS address = LAST_32BIT_ADDRESS;

    if (EFI_ERROR(services->AllocatePages(AllocateMaxAddress, type, pages_of(bytes), &address)))
        return NULL;
    if (kind == FIRMWARE_CODE)
        make_executable(address, bytes);
    return (void *)(UINTN)address;
}

bool firmware_allocate_at(uint64_t address, uint64_t bytes)
{
    EFI_PHYSICAL_ADDRESS at = address;

    return !EFI_ERROR(
        services->AllocatePages(AllocateAddress, EfiLoaderData, pages_of(bytes), &at));
}

bool firmware_map_prepare(struct efi_map *map)
{
    UINTN bytes = 0, stride = 0, key;
    UINT32 version;

    if (services->GetMemoryMap(&bytes, NULL, &key, &stride, &version) != EFI_BUFFER_TOO_SMALL ||
        stride < sizeof(struct efi_map_descriptor))
        return false;
    map->bytes = 0;
    map->stride = stride;
    map->version = version;
    map->capacity = bytes + MAP_SLACK_DESCRIPTORS * stride;
    map->descriptors = firmware_allocate(FIRMWARE_DATA, map->capacity);
    return map->descriptors != NULL;
}

EFI_STATUS firmware_map_read(struct efi_map *map, UINTN *key)
{
    UINTN bytes = map->capacity, stride = 0;
    UINT32 version = 0;
    EFI_STATUS status;

    status = services->GetMemoryMap(&bytes, map->descriptors, key, &stride, &version);
    if (EFI_ERROR(status))
        return status;
    map->bytes = bytes;
    map->stride = stride;
    map->version = version;
    return EFI_SUCCESS;
}

EFI_STATUS firmware_exit(UINTN key)
{
    return services->ExitBootServices(this_image, key);
}

static bool guid_is(const EFI_GUID *a, const EFI_GUID *b)
{
    return __builtin_memcmp(a, b, sizeof(*a)) == 0;
}

/* The configuration table with this GUID, or NULL. */
static const void *find_table(const EFI_GUID *guid)
{
    for (UINTN i = 0; i < system_table->NumberOfTableEntries; i++) {
        if (guid_is(&system_table->ConfigurationTable[i].VendorGuid, guid))
            return system_table->ConfigurationTable[i].VendorTable;
    }
    return NULL;
}

void firmware_add_tables(struct mbi *mbi)
{
    static const EFI_GUID acpi2 = ACPI_20_TABLE_GUID;
    static const EFI_GUID acpi1 = ACPI_TABLE_GUID;
    static const EFI_GUID smbios2 = SMBIOS_TABLE_GUID;
    static const EFI_GUID smbios3 = SMBIOS3_TABLE_GUID;
    const void *new_rsdp = find_table(&acpi2);
    const void *old_rsdp = find_table(&acpi1);
    const void *smbios = find_table(&smbios2);

    mbi_add_system_table(mbi, 8 * sizeof(UINTN), (UINTN)system_table);
    if (new_rsdp)
        mbi_add_rsdp(mbi, new_rsdp);
    if (old_rsdp)
        mbi_add_rsdp(mbi, old_rsdp);
    if (!smbios) /* the 2.x form is what a 32-bit kernel can follow */
        smbios = find_table(&smbios3);
    if (smbios)
        mbi_add_smbios(mbi, smbios);
}

/* The colours of a mode, as masks; false if its pixels can't be written directly. */
static bool screen_colours(const EFI_GRAPHICS_OUTPUT_MODE_INFORMATION *mode,
                           struct mbi_screen *screen)
{
    uint32_t used = 0;

    switch (mode->PixelFormat) {
    case PixelRedGreenBlueReserved8BitPerColor:
        screen->red_mask = 0x0000ff;
        screen->green_mask = 0x00ff00;
        screen->blue_mask = 0xff0000;
        screen->bits_per_pixel = 32;
        return true;
    case PixelBlueGreenRedReserved8BitPerColor:
        screen->red_mask = 0xff0000;
        screen->green_mask = 0x00ff00;
        screen->blue_mask = 0x0000ff;
        screen->bits_per_pixel = 32;
        return true;
    case PixelBitMask:
        screen->red_mask = mode->PixelInformation.RedMask;
        screen->green_mask = mode->PixelInformation.GreenMask;
        screen->blue_mask = mode->PixelInformation.BlueMask;
        used = screen->red_mask | screen->green_mask | screen->blue_mask |
               mode->PixelInformation.ReservedMask;
        /* A pixel is as many whole bytes as its highest bit needs. */
        screen->bits_per_pixel = 0;
        for (; used != 0; used >>= 8)
            screen->bits_per_pixel = (uint8_t)(screen->bits_per_pixel + 8);
        return screen->bits_per_pixel != 0;
    default: /* PixelBltOnly */
        return false;
    }
}

bool firmware_screen(struct mbi_screen *screen)
{
    EFI_GUID guid = EFI_GRAPHICS_OUTPUT_PROTOCOL_GUID;
    EFI_GRAPHICS_OUTPUT_PROTOCOL *output;
    void *protocol = NULL;

    /* The console's own screen if it says which, else the first there is. */
    if ((EFI_ERROR(services->HandleProtocol(system_table->ConsoleOutHandle, &guid, &protocol)) ||
         !protocol) &&
        (EFI_ERROR(services->LocateProtocol(&guid, NULL, &protocol)) || !protocol))
        return false;
    output = protocol;
    if (!output->Mode || !output->Mode->Info || !screen_colours(output->Mode->Info, screen))
        return false;
    screen->address = output->Mode->FrameBufferBase;
    screen->width = output->Mode->Info->HorizontalResolution;
    screen->height = output->Mode->Info->VerticalResolution;
    screen->pitch_bytes = output->Mode->Info->PixelsPerScanLine * (screen->bits_per_pixel / 8);
    return true;
}
