/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The UEFI loader: starts the Multiboot 2 kernel that is embedded in it.
 *
 * Everything that the kernel gets is allocated first (the image at its place, the information
 * structure, the hand-off page, the map's buffer), then filled, and only then boot services end, so
 * that whatever can fail fails while the firmware's console can still say so.
 */
#include "loader/cpu.h"
#include "loader/firmware.h"
#include "loader/handoff.h"
#include "loader/kernel.h"
#include "loader/mbi.h"
#include "loader/multiboot2.h"
#include "loader/options.h"

#define LOADER_NAME "paeload-loader"

/* With the terminating zero. A longer command line is cut off, with a warning. */
#define COMMAND_LINE_SIZE 4096

/* All tags but the maps' and the command line's come to some hundred bytes. */
#define FIXED_TAGS_BYTES 8192

/* The map may change between reading it and leaving (a timer that allocates): then try again. */
#define EXIT_ATTEMPTS 16

/* From kernel-file.S. */
extern const uint8_t kernel_file[], kernel_file_end[];

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *table);

/* What is gathered on the way. */
struct boot {
    struct kernel kernel;
    struct efi_map map;
    struct mbi mbi;
    void *handoff_memory;
    uint32_t base; /* where the kernel's image was put */
};

static char command_line[COMMAND_LINE_SIZE];

__attribute__((noreturn)) static void give_up(EFI_STATUS status, const char *what, uint64_t value)
{
    firmware_say(LOADER_NAME ": stopped: %s %llx\n", what, (unsigned long long)value);
    firmware_give_up(status);
}

/* Allocates the kernel's memory. Returns the address of the image's first byte. */
static uint32_t place_kernel(const struct kernel *kernel, const struct efi_map *map)
{
    const struct image *image = &kernel->image;
    struct place_wish wish;
    uint64_t address = PLACE_FIRST;

    if (!kernel->request.relocatable) {
        uint64_t first_page = image->base & ~(uint64_t)(EFI_PAGE_BYTES - 1);

        if (!firmware_allocate_at(first_page, image->end - first_page))
            give_up(EFI_OUT_OF_RESOURCES,
                    "the kernel can't be moved, and its memory is not free, at", image->base);
        return (uint32_t)image->base;
    }
    wish = kernel_wish(kernel);
    while (place_next(map, &wish, &address)) {
        if (firmware_allocate_at(address, wish.size))
            return (uint32_t)address;
    }
    give_up(EFI_OUT_OF_RESOURCES, "no free memory for the kernel, bytes", wish.size);
}

/*
 * Takes the final map and ends boot services. After a failed ExitBootServices only the memory
 * services are sure to work, so that nothing else is called before the last attempt has failed,
 * too.
 */
static void leave_firmware(struct mbi *mbi, struct efi_map *map)
{
    const struct mbi before_maps = *mbi;
    EFI_STATUS status = EFI_SUCCESS;

    for (unsigned attempt = 0; attempt < EXIT_ATTEMPTS; attempt++) {
        UINTN key;

        status = firmware_map_read(map, &key);
        if (EFI_ERROR(status))
            break;
        *mbi = before_maps;
        mbi_add_maps(mbi, map);
        if (!mbi_finish(mbi)) {
            status = EFI_BUFFER_TOO_SMALL;
            break;
        }
        status = firmware_exit(key);
        if (!EFI_ERROR(status))
            return;
    }
    give_up(status, "the firmware would not let go, status", status);
}

static void read_options(void)
{
    size_t bytes;
    const void *options = firmware_load_options(&bytes);

    if (!options_to_line(options, bytes, command_line, sizeof(command_line)))
        firmware_say(LOADER_NAME ": warning: options cut off after %u characters\n",
                     (unsigned)sizeof(command_line) - 1);
}

/* Refuses what can't work before anything is allocated for it. */
static void check(struct boot *boot)
{
    struct refusal why;

    if (!(cpu_features() & CPUID_FEATURES_EDX_PAE))
        give_up(EFI_UNSUPPORTED, "this CPU has no PAE (bit 6 of CPUID.1:EDX), which reads",
                cpu_features());
    if (!kernel_read(kernel_file, (uintptr_t)kernel_file_end - (uintptr_t)kernel_file,
                     &boot->kernel, &why))
        give_up(EFI_LOAD_ERROR, why.check, why.value);
}

/* Allocates all that the kernel gets, and puts its image there. */
static void allocate(struct boot *boot)
{
    uint32_t mbi_bytes;
    void *mbi_memory;
    UINTN key;

    if (!firmware_map_prepare(&boot->map))
        give_up(EFI_OUT_OF_RESOURCES, "no memory for the memory map, below", UINT32_MAX);
    mbi_bytes = FIXED_TAGS_BYTES + COMMAND_LINE_SIZE + mbi_map_bytes(&boot->map);
    mbi_memory = firmware_allocate(FIRMWARE_DATA, mbi_bytes);
    boot->handoff_memory = firmware_allocate(FIRMWARE_CODE, HANDOFF_BYTES);
    if (!mbi_memory || !boot->handoff_memory)
        give_up(EFI_OUT_OF_RESOURCES, "no memory for the boot information, bytes", mbi_bytes);
    mbi_begin(&boot->mbi, mbi_memory, mbi_bytes);

    /* The image last, by the map as it is now: the others may just have taken its best place. */
    if (EFI_ERROR(firmware_map_read(&boot->map, &key)))
        give_up(EFI_OUT_OF_RESOURCES, "the memory map does not fit into bytes", boot->map.capacity);
    boot->base = place_kernel(&boot->kernel, &boot->map);
    image_copy(&boot->kernel.image, kernel_file, (void *)(UINTN)boot->base);
}

/* Writes all tags but those of the maps. */
static void describe(struct boot *boot)
{
    struct mbi_screen screen;

    if (command_line[0])
        mbi_add_string(&boot->mbi, MULTIBOOT2_TAG_CMDLINE, command_line);
    mbi_add_string(&boot->mbi, MULTIBOOT2_TAG_LOADER_NAME, LOADER_NAME);
    mbi_add_load_base(&boot->mbi, boot->base);
    firmware_add_tables(&boot->mbi);
    if (firmware_screen(&screen))
        mbi_add_screen(&boot->mbi, &screen);
}

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *table)
{
    const struct image *kernel_image;
    struct boot boot;

    firmware_begin(image, table);
    read_options();
    check(&boot);
    allocate(&boot);
    describe(&boot);

    kernel_image = &boot.kernel.image;
    firmware_say(LOADER_NAME ": image at %x, %u KiB, options \"%s\"\n", boot.base,
                 (unsigned)((kernel_image->end - kernel_image->base) >> 10), command_line);
    leave_firmware(&boot.mbi, &boot.map);
    handoff(boot.handoff_memory, kernel_image->entry - (uint32_t)kernel_image->base + boot.base,
            (uint32_t)(UINTN)boot.mbi.memory, cpu_has_efer() ? HANDOFF_HAS_EFER : 0);
}
