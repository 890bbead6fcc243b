/* SPDX-License-Identifier: BSD-2-Clause */
#include "ci/unit/unit.h"
#include "lib/errno.h"
#include "loader/multiboot1.h"
#include "loader/multiboot2.h"
#include "paging/pte.h"
#include "payload/boot_facts.h"

#include <sys/mman.h>
#include <unistd.h>

/* A list of tags of Multiboot 2 in the making. */
struct list {
    uint8_t bytes[16384];
    uint32_t used;
};

static void list_begin(struct list *list)
{
    memset(list, 0, sizeof(*list));
    list->used = sizeof(struct multiboot2_info);
}

/* Adds a tag with `size` bytes of contents after type and size; returns the contents. */
static void *add_tag(struct list *list, uint32_t type, const void *contents, uint32_t size)
{
    struct multiboot2_tag tag = {.type = type, .size = (uint32_t)sizeof(tag) + size};
    uint8_t *at = list->bytes + list->used;

    assert_true(list->used + tag.size + 8 <= sizeof(list->bytes));
    memcpy(at, &tag, sizeof(tag));
    memcpy(at + sizeof(tag), contents, size);
    list->used += MULTIBOOT2_ALIGN_UP(tag.size);
    return at + sizeof(tag);
}

static void add_string(struct list *list, uint32_t type, const char *s)
{
    add_tag(list, type, s, (uint32_t)strlen(s) + 1);
}

/* The memory map tag, its entries `entry_size` apart. */
static void add_map(struct list *list, const struct multiboot2_mmap_entry *entries, uint32_t count,
                    uint32_t entry_size)
{
    uint8_t contents[2048] = {0};

    memcpy(contents, &entry_size, sizeof(entry_size));
    for (uint32_t i = 0; i < count; i++)
        memcpy(contents + 8 + i * entry_size, &entries[i], sizeof(entries[i]));
    add_tag(list, MULTIBOOT2_TAG_MMAP, contents, 8 + count * entry_size);
}

static void add_efi_descriptor(uint8_t *at, uint32_t type, uint64_t start, uint64_t pages)
{
    memcpy(at, &type, 4);
    memcpy(at + 8, &start, 8);
    memcpy(at + 24, &pages, 8);
}

/* Reads a copy of the list's first `total` bytes, which is all that there is. */
static int read_cut(const struct list *list, uint32_t total)
{
    struct multiboot2_info *info = exact_copy(list->bytes, total);
    int error;

    info->total_size = total;
    error = boot_facts_read(MULTIBOOT2_BOOTLOADER_MAGIC, info);
    memset(info, 0xee, total); /* all is copied out: nobody looks at it again */
    free(info);
    return error;
}

static int read_list(struct list *list)
{
    add_tag(list, MULTIBOOT2_TAG_END, "", 0);
    return read_cut(list, list->used);
}

static const struct multiboot2_mmap_entry some_ram[] = {
    {.addr = 0, .len = 0x9fc00, .type = MULTIBOOT2_MEMORY_AVAILABLE},
    {.addr = 0xf0000, .len = 0x10000, .type = MULTIBOOT2_MEMORY_RESERVED},
    {.addr = MIB64(1), .len = GIB64(3) - MIB64(1), .type = MULTIBOOT2_MEMORY_AVAILABLE},
    {.addr = GIB64(4), .len = GIB64(60), .type = MULTIBOOT2_MEMORY_AVAILABLE},
};

static const struct multiboot2_tag_framebuffer some_screen = {
    .screen = {0xe0000000, 4096, 1000, 700, 32, MULTIBOOT_SCREEN_RGB},
    .colour.rgb = {{16, 8}, {7, 6}, {1, 5}},
};

static void add_screen(struct list *list, const struct multiboot2_tag_framebuffer *screen)
{
    add_tag(list, MULTIBOOT2_TAG_FRAMEBUFFER, (const char *)screen + sizeof(screen->tag),
            sizeof(*screen) - sizeof(screen->tag));
}

static void build_typical(struct list *list)
{
    static const char old_rsdp[20] = "RSD PTR old";
    static const char new_rsdp[36] = "RSD PTR new";
    uint8_t efi[16 + 48] = {48};

    add_efi_descriptor(efi + 8, 7, MIB64(64), 1024);
    list_begin(list);
    add_string(list, MULTIBOOT2_TAG_CMDLINE, "paeload.elf tests=kmap seed=12");
    add_string(list, MULTIBOOT2_TAG_LOADER_NAME, "GRUB 2.06");
    add_tag(list, MULTIBOOT2_TAG_BASIC_MEMINFO, "12345678", 8);
    add_tag(list, MULTIBOOT2_TAG_EFI_MMAP, efi, 8 + 48);
    add_map(list, some_ram, ARRAY_SIZE(some_ram), sizeof(some_ram[0]));
    add_screen(list, &some_screen);
    add_tag(list, MULTIBOOT2_TAG_ACPI_OLD, old_rsdp, sizeof(old_rsdp));
    add_tag(list, MULTIBOOT2_TAG_ACPI_NEW, new_rsdp, sizeof(new_rsdp));
    add_tag(list, 9999, "unknown", 7);
}

static void assert_range(unsigned index, phys_addr_t start, phys_addr_t end, enum mem_type type)
{
    const struct mem_range *range = &boot_facts.map.range[index];

    assert_true(index < boot_facts.map.count);
    assert_true(range->start == start && range->end == end);
    assert_int_equal(range->type, type);
}

static void assert_default_screen(void)
{
    assert_int_equal(boot_facts.screen.kind, SCREEN_TEXT);
    assert_true(boot_facts.screen.base == 0xb8000);
    assert_int_equal(boot_facts.screen.width, 80);
    assert_int_equal(boot_facts.screen.height, 25);
    assert_int_equal(boot_facts.screen.pitch_bytes, 160);
}

static void typical_list(void **state)
{
    struct list list;

    build_typical(&list);
    assert_int_equal(read_list(&list), 0);
    assert_int_equal(boot_facts.protocol, BOOT_MULTIBOOT2);
    assert_string_equal(boot_facts.command_line, "paeload.elf tests=kmap seed=12");
    assert_string_equal(boot_facts.loader_name, "GRUB 2.06");
    assert_int_equal(boot_facts.map.count, 4); /* and not the firmware's own */
    assert_range(0, 0, 0x9fc00, MEM_USABLE);
    assert_range(1, 0xf0000, MIB64(1), MEM_RESERVED);
    assert_range(2, MIB64(1), GIB64(3), MEM_USABLE);
    assert_range(3, GIB64(4), GIB64(64), MEM_USABLE);
    assert_int_equal(boot_facts.screen.kind, SCREEN_RGB);
    assert_true(boot_facts.screen.base == 0xe0000000);
    assert_int_equal(boot_facts.screen.pitch_bytes, 4096);
    assert_int_equal(boot_facts.screen.width, 1000);
    assert_int_equal(boot_facts.screen.height, 700);
    assert_int_equal(boot_facts.screen.bits_per_pixel, 32);
    assert_int_equal(boot_facts.screen.red_shift, 16);
    assert_int_equal(boot_facts.screen.red_bits, 8);
    assert_int_equal(boot_facts.screen.green_shift, 7);
    assert_int_equal(boot_facts.screen.green_bits, 6);
    assert_int_equal(boot_facts.screen.blue_shift, 1);
    assert_int_equal(boot_facts.screen.blue_bits, 5);
    assert_int_equal(boot_facts.rsdp_size, 36);
    assert_memory_equal(boot_facts.rsdp, "RSD PTR new", 11);
    assert_false(boot_facts.efi);
    assert_int_equal(boot_facts.nr_notes, 0);
}

static void newer_rsdp_wins_in_any_order(void **state)
{
    char long_rsdp[60] = "RSD PTR long";
    struct list list;

    list_begin(&list);
    add_tag(&list, MULTIBOOT2_TAG_ACPI_NEW, long_rsdp, sizeof(long_rsdp));
    add_tag(&list, MULTIBOOT2_TAG_ACPI_OLD, "RSD PTR old         ", 20);
    assert_int_equal(read_list(&list), 0);
    assert_int_equal(boot_facts.rsdp_size, RSDP_MAX);
    assert_memory_equal(boot_facts.rsdp, "RSD PTR long", 12);
}

static void strings_too_long(void **state)
{
    char line[COMMAND_LINE_MAX + 100];
    struct list list;

    for (int delta = -2; delta <= 2; delta++) {
        size_t length = COMMAND_LINE_MAX + (size_t)delta;

        memset(line, 'x', length);
        line[length] = '\0';
        list_begin(&list);
        add_string(&list, MULTIBOOT2_TAG_CMDLINE, line);
        assert_int_equal(read_list(&list), 0);
        assert_int_equal(strlen(boot_facts.command_line), MIN(length, COMMAND_LINE_MAX - 1u));
        assert_int_equal(boot_facts.nr_notes, length >= COMMAND_LINE_MAX);
    }
}

/* A word that is cut is left out: what remains of it would mean something else. */
static void word_that_is_cut(void **state)
{
    static const char last[] = " tests=kmap_wait";
    char line[COMMAND_LINE_MAX + 100];
    struct list list;

    /* From the whole word to all but its blank behind the end. */
    for (size_t behind = 0; behind < sizeof(last) - 1; behind++) {
        size_t before = COMMAND_LINE_MAX - 1 - (sizeof(last) - 1) + behind;

        memset(line, 'x', before);
        strcpy(line + before, last);
        strcat(line, behind & 1 ? " y" : "");
        list_begin(&list);
        add_string(&list, MULTIBOOT2_TAG_CMDLINE, line);
        assert_int_equal(read_list(&list), 0);
        assert_int_equal(strlen(boot_facts.command_line),
                         behind ? before : before + sizeof(last) - 1);
    }
}

static void strings_without_an_end(void **state)
{
    struct list list;

    list_begin(&list);
    add_tag(&list, MULTIBOOT2_TAG_LOADER_NAME, "abcdefgh", 8);
    assert_int_equal(read_cut(&list, list.used), 0); /* nor is there a closing tag */
    assert_string_equal(boot_facts.loader_name, "abcdefgh");
    assert_int_equal(boot_facts.nr_notes, 2);

    list_begin(&list);
    add_tag(&list, MULTIBOOT2_TAG_CMDLINE, "", 0);
    assert_int_equal(read_list(&list), 0);
    assert_string_equal(boot_facts.command_line, "");
}

static void bigger_entries(void **state)
{
    struct list list;

    list_begin(&list);
    add_map(&list, some_ram, ARRAY_SIZE(some_ram), sizeof(some_ram[0]) + 16);
    assert_int_equal(read_list(&list), 0);
    assert_int_equal(boot_facts.map.count, 4);
    assert_range(3, GIB64(4), GIB64(64), MEM_USABLE);

    list_begin(&list);
    add_map(&list, some_ram, ARRAY_SIZE(some_ram), sizeof(some_ram[0]) - 1);
    assert_int_equal(read_list(&list), 0);
    assert_int_equal(boot_facts.map.count, 0);
    assert_int_equal(boot_facts.nr_notes, 1);
}

static void firmware_map_as_a_last_resort(void **state)
{
    /* UEFI 2.10, table 7.10: what a type is once boot services are over. */
    static const enum mem_type meaning[] = {
        MEM_RESERVED, MEM_USABLE,   MEM_USABLE,   MEM_USABLE,   MEM_USABLE,
        MEM_RESERVED, MEM_RESERVED, MEM_USABLE,   MEM_BAD,      MEM_ACPI_RECLAIM,
        MEM_ACPI_NVS, MEM_RESERVED, MEM_RESERVED, MEM_RESERVED, MEM_RESERVED,
    };
    enum { STRIDE = 48 };
    uint8_t efi[8 + STRIDE * (ARRAY_SIZE(meaning) + 1)] = {STRIDE};
    struct list list;

    for (uint32_t type = 0; type < ARRAY_SIZE(meaning); type++)
        add_efi_descriptor(efi + 8 + type * STRIDE, type, MIB64(16) * type, 256);
    add_efi_descriptor(efi + 8 + ARRAY_SIZE(meaning) * STRIDE, 7, 0, BIT64(52)); /* 2^64 bytes */
    list_begin(&list);
    add_tag(&list, MULTIBOOT2_TAG_EFI64, "12345678", 8);
    add_tag(&list, MULTIBOOT2_TAG_EFI_MMAP, efi, sizeof(efi));
    assert_int_equal(read_list(&list), 0);
    assert_true(boot_facts.efi);
    assert_int_equal(boot_facts.screen.kind, SCREEN_NONE);
    assert_int_equal(boot_facts.map.count, ARRAY_SIZE(meaning));
    assert_int_equal(boot_facts.nr_notes, 1);
    for (unsigned type = 0; type < ARRAY_SIZE(meaning); type++)
        assert_range(type, MIB64(16) * type, MIB64(16) * type + MIB64(1), meaning[type]);
}

static void screens(void **state)
{
    struct multiboot2_tag_framebuffer screen = some_screen;
    struct list list;

    list_begin(&list);
    assert_int_equal(read_list(&list), 0);
    assert_default_screen();

    screen.screen.kind = MULTIBOOT_SCREEN_INDEXED;
    list_begin(&list);
    add_screen(&list, &screen);
    assert_int_equal(read_list(&list), 0);
    assert_int_not_equal(boot_facts.screen.kind, SCREEN_RGB);

    screen.screen.kind = MULTIBOOT_SCREEN_TEXT;
    screen.screen.width = 132;
    list_begin(&list);
    add_screen(&list, &screen);
    assert_int_equal(read_list(&list), 0);
    assert_int_equal(boot_facts.screen.kind, SCREEN_TEXT);
    assert_int_equal(boot_facts.screen.width, 132);

    /* An RGB screen's tag that ends before, or inside of, its colours */
    screen.screen.kind = MULTIBOOT_SCREEN_RGB;
    for (uint32_t size = 0; size < sizeof(screen) - sizeof(screen.tag); size++) {
        list_begin(&list);
        add_tag(&list, MULTIBOOT2_TAG_FRAMEBUFFER, (char *)&screen + sizeof(screen.tag), size);
        assert_int_equal(read_cut(&list, list.used - 8 + (size % 8 ? size % 8 : 8)), 0);
        assert_int_not_equal(boot_facts.screen.kind, SCREEN_RGB);
    }
}

/* Cut off anywhere, the list gives what came before, a note, and reads nothing past its end. */
static void truncated_lists(void **state)
{
    struct list list;

    build_typical(&list);
    for (uint32_t total = sizeof(struct multiboot2_info); total <= list.used; total++) {
        assert_int_equal(read_cut(&list, total), 0);
        assert_true(boot_facts.nr_notes >= 1);
        if (total >= 48)
            assert_string_equal(boot_facts.command_line, "paeload.elf tests=kmap seed=12");
    }
}

static void total_size_that_lies(void **state)
{
    struct multiboot2_info *info = calloc(1, MIB(1));

    /* Smaller than the structure's own head */
    for (uint32_t total = 0; total < sizeof(*info); total++) {
        info->total_size = total;
        assert_int_equal(boot_facts_read(MULTIBOOT2_BOOTLOADER_MAGIC, info), 0);
        assert_int_equal(boot_facts.nr_notes, 1);
    }
    /* Larger than anything that is believed: tags that are nothing, up to there */
    info->total_size = UINT32_MAX;
    for (uint32_t at = sizeof(*info); at < MIB(1); at += sizeof(struct multiboot2_tag)) {
        struct multiboot2_tag tag = {.type = 9999, .size = sizeof(tag)};

        memcpy((char *)info + at, &tag, sizeof(tag));
    }
    assert_int_equal(boot_facts_read(MULTIBOOT2_BOOTLOADER_MAGIC, info), 0);
    assert_int_equal(boot_facts.nr_notes, 2);
    free(info);
}

static void tag_sizes_that_lie(void **state)
{
    static const uint32_t sizes[] = {0, 1, 7, 0x7fffffff, 0x80000000, 0xfffffff8, UINT32_MAX};
    struct list list;

    for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
        build_typical(&list);
        add_tag(&list, MULTIBOOT2_TAG_END, "", 0);
        /* The second tag */
        memcpy(list.bytes + 8 + MULTIBOOT2_ALIGN_UP(8 + 31) + 4, &sizes[i], 4);
        assert_int_equal(read_cut(&list, list.used), 0);
        assert_int_equal(boot_facts.nr_notes, 1);
        assert_string_equal(boot_facts.command_line, "paeload.elf tests=kmap seed=12");
        assert_string_equal(boot_facts.loader_name, "");
        assert_int_equal(boot_facts.map.count, 0);
    }
}

static void assert_sane(void)
{
    assert_true(boot_facts.nr_notes <= BOOT_NOTES_MAX);
    for (unsigned i = 0; i < boot_facts.nr_notes; i++)
        assert_true(strnlen(boot_facts.note[i], BOOT_NOTE_TEXT_MAX) < BOOT_NOTE_TEXT_MAX);
    assert_true(strnlen(boot_facts.command_line, COMMAND_LINE_MAX) < COMMAND_LINE_MAX);
    assert_true(strnlen(boot_facts.loader_name, LOADER_NAME_MAX) < LOADER_NAME_MAX);
    assert_true(boot_facts.map.count <= MEMMAP_MAX);
    assert_true(boot_facts.rsdp_size <= RSDP_MAX);
    for (unsigned i = 0; i < boot_facts.map.count; i++)
        assert_true(boot_facts.map.range[i].start <= boot_facts.map.range[i].end);
}

static void damaged_lists(void **state)
{
    struct prng prng;

    prng_seed(&prng, 1);
    for (int round = 0; round < 40000; round++) {
        struct list list;

        build_typical(&list);
        add_tag(&list, MULTIBOOT2_TAG_END, "", 0);
        for (uint32_t n = between(&prng, 1, 6); n; n--) {
            /* Mostly in places where sizes and types are: every fourth byte */
            uint32_t at = 8 + prng_below(&prng, list.used - 8);
            uint32_t value = one_in(&prng, 2) ? prng_below(&prng, 64) : prng_u32(&prng);

            if (one_in(&prng, 3))
                list.bytes[at] = (uint8_t)value;
            else
                memcpy(list.bytes + ALIGN_DOWN(at, 4u), &value, 4);
        }
        assert_int_equal(
            read_cut(&list, one_in(&prng, 4) ? between(&prng, 8, list.used) : list.used), 0);
        assert_sane();
    }
}

/* Multiboot 1: its addresses are 32 bits wide, and a page that can't be read follows. */

#define LOW_BYTES 16384u

static uint8_t *low_memory;

static int get_low_memory(void **state)
{
    low_memory = mmap(NULL, LOW_BYTES + PAGE_SIZE, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    assert_ptr_not_equal(low_memory, MAP_FAILED);
    assert_int_equal(mprotect(low_memory + LOW_BYTES, PAGE_SIZE, PROT_NONE), 0);
    return 0;
}

static int free_low_memory(void **state)
{
    return munmap(low_memory, LOW_BYTES + PAGE_SIZE);
}

/* Puts bytes at the very end of low memory; returns their address. */
static uint32_t at_the_end(const void *bytes, size_t size)
{
    memcpy(low_memory + LOW_BYTES - size, bytes, size);
    return (uint32_t)(uintptr_t)(low_memory + LOW_BYTES - size);
}

static uint32_t low_string(const char *s)
{
    strcpy((char *)low_memory, s);
    return (uint32_t)(uintptr_t)low_memory;
}

static int read1(const struct multiboot1_info *info)
{
    struct multiboot1_info *copy = exact_copy(info, sizeof(*info));
    int error;

    alarm(20); /* a size that lies must not make an endless loop */
    error = boot_facts_read(MULTIBOOT1_BOOTLOADER_MAGIC, copy);
    alarm(0);
    free(copy);
    return error;
}

static const struct multiboot1_mmap_entry some_ram1[] = {
    {.size = 20, .addr = 0, .len = 0x9fc00, .type = 1},
    {.size = 20, .addr = MIB64(1), .len = GIB64(3) - MIB64(1), .type = 1},
    {.size = 20, .addr = 0xfffc0000, .len = 0x40000, .type = 2},
    {.size = 20, .addr = GIB64(4), .len = GIB64(4), .type = 1},
};

static void typical_info1(void **state)
{
    struct multiboot1_info info = {
        .flags = MULTIBOOT1_INFO_CMDLINE | MULTIBOOT1_INFO_MMAP | MULTIBOOT1_INFO_MEMORY,
        .cmdline = low_string("build/paeload.elf tests=paging"),
        .mem_lower = 640,
        .mem_upper = 1000,
        .boot_loader_name = 1, /* not valid: its flag is clear */
        .mmap_length = sizeof(some_ram1),
        .mmap_addr = at_the_end(some_ram1, sizeof(some_ram1)),
    };

    assert_int_equal(read1(&info), 0);
    assert_int_equal(boot_facts.protocol, BOOT_MULTIBOOT1);
    assert_string_equal(boot_facts.command_line, "build/paeload.elf tests=paging");
    assert_string_equal(boot_facts.loader_name, "");
    assert_int_equal(boot_facts.map.count, 4);
    assert_range(0, 0, 0x9fc00, MEM_USABLE);
    assert_range(3, GIB64(4), GIB64(8), MEM_USABLE);
    assert_default_screen();
    assert_int_equal(boot_facts.nr_notes, 0);

    info.flags |= MULTIBOOT1_INFO_LOADER_NAME | MULTIBOOT1_INFO_FRAMEBUFFER;
    info.boot_loader_name = low_string("qemu");
    info.screen.kind = MULTIBOOT_SCREEN_RGB;
    info.screen.address = 0xfd000000;
    info.screen.width = 640;
    info.colour.rgb.green.position = 8;
    assert_int_equal(read1(&info), 0);
    assert_string_equal(boot_facts.loader_name, "qemu");
    assert_int_equal(boot_facts.screen.kind, SCREEN_RGB);
    assert_true(boot_facts.screen.base == 0xfd000000);
    assert_int_equal(boot_facts.screen.width, 640);
    assert_int_equal(boot_facts.screen.green_shift, 8);
}

/* iPXE says nothing when it cuts, but all that it cuts is as long. */
static void line_cut_by_ipxe(void **state)
{
    static const struct {
        const char *loader;
        size_t length;
        unsigned notes;
    } lines[] = {{"iPXE 1.21.1", 511, 1}, {"iPXE 1.21.1", 510, 0}, {"qemu", 511, 0}};
    static const char start[] = "paeload.elf time=10 seed=";
    char line[512];

    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        struct multiboot1_info info = {.flags =
                                           MULTIBOOT1_INFO_CMDLINE | MULTIBOOT1_INFO_LOADER_NAME};

        memset(line, 'a', lines[i].length);
        memcpy(line, start, sizeof(start) - 1);
        line[lines[i].length] = '\0';
        info.cmdline = low_string(line);
        info.boot_loader_name = at_the_end(lines[i].loader, (uint32_t)strlen(lines[i].loader) + 1);
        assert_int_equal(read1(&info), 0);
        assert_int_equal(boot_facts.nr_notes, lines[i].notes);
        if (lines[i].notes)
            line[strlen("paeload.elf time=10")] = '\0';
        assert_string_equal(boot_facts.command_line, line);
    }
}

static void two_sizes_instead_of_a_map(void **state)
{
    struct multiboot1_info info = {
        .flags = MULTIBOOT1_INFO_MEMORY, .mem_lower = 639, .mem_upper = 3u << 20};

    assert_int_equal(read1(&info), 0);
    assert_int_equal(boot_facts.map.count, 2);
    assert_range(0, 0, 639 * 1024, MEM_USABLE);
    assert_range(1, MIB64(1), MIB64(1) + GIB64(3), MEM_USABLE);
    assert_int_equal(boot_facts.nr_notes, 1);
    info.flags = 0;
    assert_int_equal(read1(&info), 0);
    assert_int_equal(boot_facts.map.count, 0);
}

/* Entries of other sizes, and a map that ends anywhere. */
static void odd_maps1(void **state)
{
    uint8_t bytes[4 * 32] = {0};
    struct multiboot1_info info = {.flags = MULTIBOOT1_INFO_MMAP};

    for (unsigned i = 0; i < 4; i++) {
        struct multiboot1_mmap_entry entry = some_ram1[i];

        entry.size = 28; /* with attributes that nobody knows */
        memcpy(bytes + 32 * i, &entry, sizeof(entry));
    }
    for (uint32_t length = 0; length <= sizeof(bytes); length++) {
        info.mmap_length = length;
        info.mmap_addr = at_the_end(bytes, length);
        assert_int_equal(read1(&info), 0);
        assert_int_equal(boot_facts.map.count, length / 32);
    }
}

static void entry_sizes_that_lie1(void **state)
{
    static const uint32_t sizes[] = {0,          1,          19,         21 + 24,
                                     0x7fffffff, 0x80000000, 0xffffffe8, 0xfffffffb,
                                     0xfffffffc, 0xfffffffd, 0xfffffffe, 0xffffffff};
    struct multiboot1_info info = {.flags = MULTIBOOT1_INFO_MMAP, .mmap_length = 3 * 24};

    for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
        struct multiboot1_mmap_entry entries[3];

        memcpy(entries, some_ram1, sizeof(entries));
        entries[1].size = sizes[i];
        info.mmap_addr = at_the_end(entries, sizeof(entries));
        assert_int_equal(read1(&info), 0);
        assert_int_equal(boot_facts.nr_notes, 1);
        assert_int_equal(boot_facts.map.count, 1);
    }
}

static void damaged_maps1(void **state)
{
    struct prng prng;

    prng_seed(&prng, 2);
    for (int round = 0; round < 20000; round++) {
        struct multiboot1_mmap_entry entries[4];
        struct multiboot1_info info = {.flags = MULTIBOOT1_INFO_MMAP};

        memcpy(entries, some_ram1, sizeof(entries));
        for (uint32_t n = between(&prng, 1, 3); n; n--) {
            uint32_t value = one_in(&prng, 2) ? prng_below(&prng, 64) : prng_u32(&prng);
            uint8_t *at = (uint8_t *)entries + 4 * prng_below(&prng, sizeof(entries) / 4);

            memcpy(at, &value, 4);
        }
        info.mmap_length = prng_below(&prng, sizeof(entries) + 1);
        info.mmap_addr = at_the_end(entries, info.mmap_length);
        assert_int_equal(read1(&info), 0);
        assert_sane();
    }
}

static void nobody_known(void **state)
{
    assert_int_equal(boot_facts_read(0x12345678, NULL), -EINVAL);
    assert_int_equal(boot_facts.protocol, BOOT_UNKNOWN);
    assert_int_equal(boot_facts.nr_notes, 1);
    assert_default_screen();
}

static void too_many_notes(void **state)
{
    boot_facts_read(0, NULL);
    for (unsigned i = 0; i < BOOT_NOTES_MAX + 5; i++)
        boot_note("a note of more than the room that there is for one, which is some hundred "
                  "characters, so that the end of this is cut");
    assert_int_equal(boot_facts.nr_notes, BOOT_NOTES_MAX);
    assert_int_equal(boot_facts.notes_lost, 6);
    assert_sane();
}

int main(void)
{
#define WITH_LOW_MEMORY(test) cmocka_unit_test_setup_teardown(test, get_low_memory, free_low_memory)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(typical_list),
        cmocka_unit_test(newer_rsdp_wins_in_any_order),
        cmocka_unit_test(strings_too_long),
        cmocka_unit_test(word_that_is_cut),
        cmocka_unit_test(strings_without_an_end),
        cmocka_unit_test(bigger_entries),
        cmocka_unit_test(firmware_map_as_a_last_resort),
        cmocka_unit_test(screens),
        cmocka_unit_test(truncated_lists),
        cmocka_unit_test(total_size_that_lies),
        cmocka_unit_test(tag_sizes_that_lie),
        cmocka_unit_test(damaged_lists),
        WITH_LOW_MEMORY(typical_info1),
        WITH_LOW_MEMORY(line_cut_by_ipxe),
        WITH_LOW_MEMORY(two_sizes_instead_of_a_map),
        WITH_LOW_MEMORY(odd_maps1),
        WITH_LOW_MEMORY(entry_sizes_that_lie1),
        WITH_LOW_MEMORY(damaged_maps1),
        cmocka_unit_test(nobody_known),
        cmocka_unit_test(too_many_notes),
    };

    return cmocka_run_group_tests_name("boot_facts", tests, NULL, NULL);
}
