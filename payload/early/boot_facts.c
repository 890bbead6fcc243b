/* SPDX-License-Identifier: BSD-2-Clause */
#include "payload/boot_facts.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/string.h"
#include "loader/multiboot1.h"
#include "loader/multiboot2.h"
#include "paging/pte.h"

/* A list of tags longer than this is a lie: loaders put a few KiB there. */
#define MBI2_MAX_BYTES MIB(1)
#define MMAP1_MAX_BYTES KIB(256)
#define STRING_SEARCH_MAX KIB(64)
#define IPXE_LINE_MAX 511u

#define VGA_TEXT_BASE 0xb8000u
#define VGA_TEXT_COLUMNS 80u
#define VGA_TEXT_ROWS 25u
#define VGA_TEXT_PITCH (VGA_TEXT_COLUMNS * 2)

struct boot_facts boot_facts;

static void notef(const char *fmt, ...) __printf(1, 2);

static void notef(const char *fmt, ...)
{
    char text[BOOT_NOTE_TEXT_MAX];
    va_list args;

    va_start(args, fmt);
    vformat(text, sizeof(text), fmt, args);
    va_end(args);
    boot_note(text);
}

void boot_note(const char *text)
{
    if (boot_facts.nr_notes == BOOT_NOTES_MAX) {
        boot_facts.notes_lost++;
        return;
    }
    str_copy(boot_facts.note[boot_facts.nr_notes++], BOOT_NOTE_TEXT_MAX, text);
}

static const void *at_phys(uint32_t phys)
{
    return (const void *)(uintptr_t)phys;
}

/* Copies a string that is at most `limit` bytes long and may lack its end. */
static void take_string(char *to, size_t size, const char *from, size_t limit, const char *what)
{
    size_t len = strnlen(from, limit);

    if (len == limit)
        notef("boot: the %s has no end within its %u bytes", what, (unsigned)limit);
    if (len >= size) {
        notef("boot: the %s is %u characters long, cut at %u", what, (unsigned)len,
              (unsigned)size - 1);
        len = size - 1;
    }
    memcpy(to, from, len);
    to[len] = '\0';
}

/* What is left of a word that was cut means something else than the word: tests=kmap_wait,
 * tests=kmap. */
static void drop_last_word(char *line)
{
    size_t len = strlen(line);

    while (len > 0 && line[len - 1] != ' ')
        len--;
    if (len > 0)
        line[len - 1] = '\0';
}

static void take_command_line(const char *from, size_t limit)
{
    size_t len = strnlen(from, limit);

    take_string(boot_facts.command_line, sizeof(boot_facts.command_line), from, limit,
                "command line");
    if (len >= sizeof(boot_facts.command_line) && from[sizeof(boot_facts.command_line) - 1] != ' ')
        drop_last_word(boot_facts.command_line);
}

/* iPXE has room for so much, and cuts the rest off without a word. */
static void look_for_ipxe_cut(void)
{
    if (strncmp(boot_facts.loader_name, "iPXE", 4) != 0 ||
        strlen(boot_facts.command_line) != IPXE_LINE_MAX)
        return;
    notef("boot: iPXE passes %u characters of the command line at most: its last word is left out",
          IPXE_LINE_MAX);
    drop_last_word(boot_facts.command_line);
}

static void default_screen(void)
{
    boot_facts.screen = (struct screen_info){
        .kind = SCREEN_TEXT,
        .base = phys_make(VGA_TEXT_BASE),
        .pitch_bytes = VGA_TEXT_PITCH,
        .width = VGA_TEXT_COLUMNS,
        .height = VGA_TEXT_ROWS,
        .bits_per_pixel = 16,
    };
}

static void read_map1(const struct multiboot1_info *info)
{
    uint32_t length = info->mmap_length;
    uint32_t at = 0;

    if (length > MMAP1_MAX_BYTES) {
        notef("boot: memory map of %u bytes, only the first %u are read", length, MMAP1_MAX_BYTES);
        length = MMAP1_MAX_BYTES;
    }
    while (at + sizeof(struct multiboot1_mmap_entry) <= length) {
        const struct multiboot1_mmap_entry *entry = at_phys(info->mmap_addr + at);

        if (entry->size < sizeof(*entry) - sizeof(entry->size) ||
            entry->size > length - at - sizeof(entry->size)) {
            notef("boot: memory map entry at offset %u says it is %u bytes long, map ends there",
                  at, entry->size);
            break;
        }
        memmap_add(&boot_facts.map, phys_make(entry->addr), entry->len, entry->type, boot_note);
        at += entry->size + (uint32_t)sizeof(entry->size);
    }
}

static void take_screen(enum screen_kind kind, const struct multiboot_screen *told)
{
    boot_facts.screen = (struct screen_info){
        .kind = kind,
        .base = phys_make(told->address),
        .pitch_bytes = told->pitch_bytes,
        .width = told->width,
        .height = told->height,
        .bits_per_pixel = told->bits_per_pixel,
    };
}

static void take_rgb_screen(const struct multiboot_screen *told, const struct multiboot_rgb *rgb)
{
    struct screen_info *screen = &boot_facts.screen;

    take_screen(SCREEN_RGB, told);
    screen->red_shift = rgb->red.position;
    screen->red_bits = rgb->red.bits;
    screen->green_shift = rgb->green.position;
    screen->green_bits = rgb->green.bits;
    screen->blue_shift = rgb->blue.position;
    screen->blue_bits = rgb->blue.bits;
}

static void read_multiboot1(const struct multiboot1_info *info)
{
    boot_facts.protocol = BOOT_MULTIBOOT1;
    if (info->flags & MULTIBOOT1_INFO_CMDLINE)
        take_command_line(at_phys(info->cmdline), STRING_SEARCH_MAX);
    if (info->flags & MULTIBOOT1_INFO_LOADER_NAME)
        take_string(boot_facts.loader_name, sizeof(boot_facts.loader_name),
                    at_phys(info->boot_loader_name), STRING_SEARCH_MAX, "loader's name");
    look_for_ipxe_cut();
    if (info->flags & MULTIBOOT1_INFO_MMAP) {
        read_map1(info);
    } else if (info->flags & MULTIBOOT1_INFO_MEMORY) {
        notef("boot: no memory map, only %u KiB + %u KiB", info->mem_lower, info->mem_upper);
        memmap_add(&boot_facts.map, 0, (uint64_t)info->mem_lower << 10, MEM_USABLE, boot_note);
        memmap_add(&boot_facts.map, phys_make(MIB64(1)), (uint64_t)info->mem_upper << 10,
                   MEM_USABLE, boot_note);
    }
    if (info->flags & MULTIBOOT1_INFO_FRAMEBUFFER && info->screen.kind == MULTIBOOT_SCREEN_RGB)
        take_rgb_screen(&info->screen, &info->colour.rgb);
    else
        default_screen();
}

static void read_map2(const struct multiboot2_tag *tag)
{
    const struct multiboot2_tag_mmap *mmap = (const void *)tag;
    uint32_t at = sizeof(*mmap);

    if (tag->size < sizeof(*mmap) || mmap->entry_size < sizeof(struct multiboot2_mmap_entry)) {
        notef("boot: memory map tag of %u bytes is too small or its entries are", tag->size);
        return;
    }
    for (; tag->size - at >= mmap->entry_size; at += mmap->entry_size) {
        const struct multiboot2_mmap_entry *entry = (const void *)((const char *)tag + at);

        memmap_add(&boot_facts.map, phys_make(entry->addr), entry->len, entry->type, boot_note);
    }
}

/* UEFI 2.9, 7.2.3: the types whose memory is free after ExitBootServices(), and ACPI's. */
static enum mem_type efi_mem_type(uint32_t type)
{
    enum { LOADER_CODE = 1, CONVENTIONAL = 7, UNUSABLE = 8, ACPI_RECLAIM = 9, ACPI_NVS = 10 };

    if (type >= LOADER_CODE && type <= CONVENTIONAL && type != 5 && type != 6)
        return MEM_USABLE; /* 5 and 6 are the runtime services' */
    if (type == ACPI_RECLAIM)
        return MEM_ACPI_RECLAIM;
    if (type == ACPI_NVS)
        return MEM_ACPI_NVS;
    return type == UNUSABLE ? MEM_BAD : MEM_RESERVED;
}

static void read_efi_map(const struct multiboot2_tag *tag)
{
    /* UEFI 2.9, 7.2.3, EFI_MEMORY_DESCRIPTOR */
    struct efi_descriptor {
        uint32_t type, padding;
        uint64_t physical_start, virtual_start, pages, attribute;
    };
    const struct multiboot2_tag_efi_mmap *mmap = (const void *)tag;
    uint32_t at = sizeof(*mmap);

    if (tag->size < sizeof(*mmap) || mmap->descr_size < sizeof(struct efi_descriptor)) {
        notef("boot: EFI memory map tag of %u bytes is too small or its entries are", tag->size);
        return;
    }
    for (; tag->size - at >= mmap->descr_size; at += mmap->descr_size) {
        struct efi_descriptor entry;

        memcpy(&entry, (const char *)tag + at, sizeof(entry));
        if (entry.pages >> 52) {
            notef("boot: EFI range at 0x%llx of 0x%llx pages is impossible, ignored",
                  (unsigned long long)entry.physical_start, (unsigned long long)entry.pages);
            continue;
        }
        memmap_add(&boot_facts.map, phys_make(entry.physical_start), entry.pages << PAGE_SHIFT,
                   efi_mem_type(entry.type), boot_note);
    }
}

static void read_screen2(const struct multiboot2_tag *tag)
{
    const struct multiboot2_tag_framebuffer *fb = (const void *)tag;

    if (tag->size < offsetof(struct multiboot2_tag_framebuffer, colour))
        return;
    if (fb->screen.kind == MULTIBOOT_SCREEN_TEXT)
        take_screen(SCREEN_TEXT, &fb->screen);
    if (fb->screen.kind == MULTIBOOT_SCREEN_RGB && tag->size >= sizeof(*fb))
        take_rgb_screen(&fb->screen, &fb->colour.rgb);
}

static void read_rsdp(const struct multiboot2_tag *tag)
{
    uint32_t size = MIN(tag->size - (uint32_t)sizeof(*tag), (uint32_t)RSDP_MAX);

    /* The newer tag, if both are there, is the larger one. */
    if (size <= boot_facts.rsdp_size)
        return;
    memcpy(boot_facts.rsdp, tag + 1, size);
    boot_facts.rsdp_size = size;
}

static void read_tag(const struct multiboot2_tag *tag)
{
    const char *text = (const char *)(tag + 1);
    size_t text_size = tag->size - sizeof(*tag);

    switch (tag->type) {
    case MULTIBOOT2_TAG_CMDLINE:
        take_command_line(text, text_size);
        break;
    case MULTIBOOT2_TAG_LOADER_NAME:
        take_string(boot_facts.loader_name, sizeof(boot_facts.loader_name), text, text_size,
                    "loader's name");
        break;
    case MULTIBOOT2_TAG_MMAP:
        read_map2(tag);
        break;
    case MULTIBOOT2_TAG_FRAMEBUFFER:
        read_screen2(tag);
        break;
    case MULTIBOOT2_TAG_ACPI_OLD:
    case MULTIBOOT2_TAG_ACPI_NEW:
        read_rsdp(tag);
        break;
    case MULTIBOOT2_TAG_EFI32:
    case MULTIBOOT2_TAG_EFI64:
        boot_facts.efi = true;
        break;
    default:
        break;
    }
}

/* The next tag, or NULL at the end of the list or where it stops making sense. */
static const struct multiboot2_tag *next_tag(const char *list, uint32_t total, uint32_t *at)
{
    const struct multiboot2_tag *tag = (const void *)(list + *at);

    if (*at + sizeof(*tag) > total) {
        notef("boot: the tag list of %u bytes has no closing tag", total);
        return NULL;
    }
    if (tag->type == MULTIBOOT2_TAG_END)
        return NULL;
    if (tag->size < sizeof(*tag) || tag->size > total - *at) {
        notef("boot: tag %u at offset %u says it is %u bytes long, the list of %u ends there",
              tag->type, *at, tag->size, total);
        return NULL;
    }
    *at += MULTIBOOT2_ALIGN_UP(tag->size);
    return tag;
}

static void read_multiboot2(const struct multiboot2_info *info)
{
    uint32_t total = info->total_size;
    const struct multiboot2_tag *tag, *efi_map = NULL;

    boot_facts.protocol = BOOT_MULTIBOOT2;
    if (total > MBI2_MAX_BYTES) {
        notef("boot: tag list of %u bytes, only the first %u are read", total, MBI2_MAX_BYTES);
        total = MBI2_MAX_BYTES;
    }
    for (uint32_t at = sizeof(*info); (tag = next_tag((const char *)info, total, &at));) {
        if (tag->type == MULTIBOOT2_TAG_EFI_MMAP)
            efi_map = tag;
        else
            read_tag(tag);
    }
    /* The firmware's own map serves if the loader made none of it. */
    if (boot_facts.map.count == 0 && efi_map)
        read_efi_map(efi_map);
    if (boot_facts.screen.kind == SCREEN_NONE && !boot_facts.efi)
        default_screen();
}

int boot_facts_read(uint32_t magic, const void *info)
{
    memset(&boot_facts, 0, sizeof(boot_facts));
    if (magic == MULTIBOOT1_BOOTLOADER_MAGIC) {
        read_multiboot1(info);
        return 0;
    }
    if (magic == MULTIBOOT2_BOOTLOADER_MAGIC) {
        read_multiboot2(info);
        return 0;
    }
    default_screen();
    notef("boot: loader's magic 0x%08x is neither Multiboot 1's nor 2's", magic);
    return -EINVAL;
}
