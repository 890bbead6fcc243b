/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the loader says and what the payload understands: the information structure is written by
 * loader/mbi.c and read back by payload/early/boot_facts.c, and also walked here.
 */
#include "ci/unit/unit.h"
#include "loader/mbi.h"
#include "loader/memory_map.h"
#include "loader/multiboot2.h"
#include "payload/boot_facts.h"

#define MAP_MAX 64

/* A firmware map whose descriptors are further apart than they need. */
struct firmware {
    struct efi_map map;
    size_t stride;
    uint8_t room[MAP_MAX * 64];
};

static void firmware_begin(struct firmware *firmware, size_t stride)
{
    memset(firmware, 0, sizeof(*firmware));
    firmware->map = (struct efi_map){.descriptors = firmware->room,
                                     .capacity = sizeof(firmware->room),
                                     .stride = stride,
                                     .version = 1};
}

static void firmware_add(struct firmware *firmware, uint32_t type, uint64_t start, uint64_t pages)
{
    struct efi_map_descriptor descriptor = {.type = type, .physical = start, .pages = pages};

    memcpy(firmware->room + firmware->map.bytes, &descriptor, sizeof(descriptor));
    firmware->map.bytes += firmware->map.stride;
}

/* A small PC: free memory in pieces, holes, firmware's own. */
static void firmware_typical(struct firmware *firmware)
{
    firmware_begin(firmware, 48);
    firmware_add(firmware, EFI_MAP_BOOT_SERVICES_CODE, 0, 1);
    firmware_add(firmware, EFI_MAP_CONVENTIONAL, 0x1000, 0x9f);
    firmware_add(firmware, EFI_MAP_LOADER_DATA, MIB64(1), 256);
    firmware_add(firmware, EFI_MAP_CONVENTIONAL, MIB64(2), 256);
    firmware_add(firmware, EFI_MAP_ACPI_NVS, MIB64(3), 16);
    firmware_add(firmware, EFI_MAP_ACPI_RECLAIM, MIB64(4), 16);
    firmware_add(firmware, EFI_MAP_CONVENTIONAL, GIB64(4), 1 << 18);
    firmware_add(firmware, 11, 0xe0000000, 256);
    firmware_add(firmware, EFI_MAP_UNUSABLE, MIB64(8), 1);
}

/* The structure as a list: every tag within it, aligned, closed; returns the tag of a type. */
static const struct multiboot2_tag *walk(const void *memory, uint32_t type)
{
    const struct multiboot2_info *info = memory;
    const struct multiboot2_tag *found = NULL;
    uint32_t at = sizeof(*info);

    for (;;) {
        const struct multiboot2_tag *tag = (const void *)((const char *)memory + at);

        assert_true(at + sizeof(*tag) <= info->total_size);
        assert_true(tag->size >= sizeof(*tag) && at + tag->size <= info->total_size);
        if (tag->type == type && !found)
            found = tag;
        at += MULTIBOOT2_ALIGN_UP(tag->size);
        if (tag->type == MULTIBOOT2_TAG_END) {
            assert_int_equal(tag->size, 8);
            assert_int_equal(at, info->total_size);
            return found;
        }
    }
}

static void close_sum(uint8_t *bytes, size_t count, size_t at)
{
    uint8_t sum = 0;

    bytes[at] = 0;
    for (size_t i = 0; i < count; i++)
        sum = (uint8_t)(sum + bytes[i]);
    bytes[at] = (uint8_t)-sum;
}

static void make_rsdp(uint8_t *rsdp, uint8_t revision, uint32_t length)
{
    memset(rsdp, 0, 64);
    memcpy(rsdp, "RSD PTR ", 8);
    rsdp[15] = revision;
    memcpy(rsdp + 20, &length, 4);
    close_sum(rsdp, 20, 8);
    close_sum(rsdp, length <= 64 ? length : 36, 32);
}

static const struct mbi_screen some_screen = {
    .address = 0xc0000000,
    .pitch_bytes = 4096,
    .width = 1024,
    .height = 768,
    .red_mask = 0xff0000,
    .green_mask = 0x00fe00,
    .blue_mask = 0x00001f,
    .bits_per_pixel = 32,
};

static void understood_by_the_payload(void **state)
{
    static struct firmware firmware;
    uint32_t *memory = calloc(1, 8192);
    uint8_t rsdp[64];
    struct mbi mbi;

    memset(memory, 0xee, 8192);
    make_rsdp(rsdp, 2, 36);
    firmware_typical(&firmware);
    mbi_begin(&mbi, memory, 8192);
    mbi_add_string(&mbi, MULTIBOOT2_TAG_CMDLINE, "tests=kmap seed=1");
    mbi_add_string(&mbi, MULTIBOOT2_TAG_LOADER_NAME, "paeload");
    mbi_add_system_table(&mbi, 64, 0x123456789abc);
    mbi_add_load_base(&mbi, 0x200000);
    mbi_add_rsdp(&mbi, rsdp);
    mbi_add_screen(&mbi, &some_screen);
    mbi_add_maps(&mbi, &firmware.map);
    assert_true(mbi_finish(&mbi));

    const struct multiboot2_tag_efi64 *table = (const void *)walk(memory, MULTIBOOT2_TAG_EFI64);
    const struct multiboot2_tag_load_base *base =
        (const void *)walk(memory, MULTIBOOT2_TAG_LOAD_BASE);
    const struct multiboot2_tag_basic_meminfo *basic =
        (const void *)walk(memory, MULTIBOOT2_TAG_BASIC_MEMINFO);
    const struct multiboot2_tag_efi_mmap *efi = (const void *)walk(memory, MULTIBOOT2_TAG_EFI_MMAP);
    assert_true(table->pointer == 0x123456789abc);
    assert_int_equal(base->load_base_addr, 0x200000);
    assert_int_equal(basic->mem_lower, 640);
    assert_int_equal(basic->mem_upper, 2048);
    assert_int_equal(efi->descr_size, 48);
    assert_int_equal(efi->tag.size, sizeof(*efi) + firmware.map.bytes);
    assert_memory_equal(efi->efi_mmap, firmware.room, firmware.map.bytes);

    assert_int_equal(boot_facts_read(MULTIBOOT2_BOOTLOADER_MAGIC, memory), 0);
    assert_int_equal(boot_facts.nr_notes, 0);
    assert_string_equal(boot_facts.command_line, "tests=kmap seed=1");
    assert_string_equal(boot_facts.loader_name, "paeload");
    assert_true(boot_facts.efi);
    assert_int_equal(boot_facts.rsdp_size, 36);
    assert_memory_equal(boot_facts.rsdp, rsdp, 36);
    assert_int_equal(boot_facts.screen.kind, SCREEN_RGB);
    assert_int_equal(boot_facts.screen.red_shift, 16);
    assert_int_equal(boot_facts.screen.red_bits, 8);
    assert_int_equal(boot_facts.screen.green_shift, 9);
    assert_int_equal(boot_facts.screen.green_bits, 7);
    assert_int_equal(boot_facts.screen.blue_shift, 0);
    assert_int_equal(boot_facts.screen.blue_bits, 5);
    assert_int_equal(boot_facts.map.count, 7);
    assert_true(boot_facts.map.range[0].end == 0xa0000);
    assert_true(boot_facts.map.range[1].end == MIB64(3)); /* joined */
    assert_int_equal(boot_facts.map.range[2].type, MEM_ACPI_NVS);
    assert_int_equal(boot_facts.map.range[3].type, MEM_ACPI_RECLAIM);
    assert_int_equal(boot_facts.map.range[4].type, MEM_BAD);
    assert_int_equal(boot_facts.map.range[5].type, MEM_RESERVED);
    assert_true(boot_facts.map.range[6].end == GIB64(5));
    free(memory);
}

/* With any size of memory: nothing is written past it, and what there is is well-formed. */
static void too_little_memory(void **state)
{
    static struct firmware firmware;
    uint8_t rsdp[64];
    bool fits = false;

    make_rsdp(rsdp, 2, 36);
    firmware_typical(&firmware);
    for (uint32_t size = 16; size < 1400; size++) {
        void *memory = malloc(size);
        bool fitted = fits;
        struct mbi mbi;

        mbi_begin(&mbi, memory, size);
        mbi_add_string(&mbi, MULTIBOOT2_TAG_CMDLINE, "tests=kmap seed=1");
        mbi_add_system_table(&mbi, 32, 0x12345678);
        mbi_add_rsdp(&mbi, rsdp);
        mbi_add_screen(&mbi, &some_screen);
        mbi_add_maps(&mbi, &firmware.map);
        fits = mbi_finish(&mbi);
        assert_true(mbi.used <= size);
        assert_true(fits || !fitted);
        assert_int_equal(walk(memory, MULTIBOOT2_TAG_EFI_MMAP) != NULL, fits);
        free(memory);
    }
    assert_true(fits);
}

/* The room that is asked for is enough, and going back to write the maps anew works. */
static void maps_written_again(void **state)
{
    struct prng prng;

    prng_seed(&prng, 1);
    for (int round = 0; round < 500; round++) {
        static struct firmware firmware;
        struct mbi mbi, before;
        uint32_t size;
        void *memory;

        firmware_begin(&firmware, one_in(&prng, 2) ? 40 : 56);
        firmware.map.capacity = firmware.map.stride * MAP_MAX;
        size = 64 + mbi_map_bytes(&firmware.map);
        size = ALIGN_UP(size, 8u);
        memory = malloc(size);
        mbi_begin(&mbi, memory, size);
        mbi_add_string(&mbi, MULTIBOOT2_TAG_CMDLINE, "x");
        before = mbi;
        for (int again = 0; again < 3; again++) {
            uint32_t count = prng_below(&prng, MAP_MAX + 1);

            firmware.map.bytes = 0;
            for (uint32_t i = 0; i < count; i++)
                firmware_add(&firmware, prng_below(&prng, 16), MIB64(i), between(&prng, 1, 256));
            mbi = before;
            mbi_add_maps(&mbi, &firmware.map);
            assert_true(mbi_finish(&mbi));
            assert_non_null(walk(memory, MULTIBOOT2_TAG_EFI_MMAP));
            assert_string_equal((const char *)(walk(memory, MULTIBOOT2_TAG_CMDLINE) + 1), "x");
        }
        free(memory);
    }
}

static const struct multiboot2_tag *only_tag(void (*add)(struct mbi *, const void *),
                                             const void *what, uint32_t type)
{
    static uint64_t memory[128];
    struct mbi mbi;

    mbi_begin(&mbi, memory, sizeof(memory));
    add(&mbi, what);
    assert_true(mbi_finish(&mbi));
    return walk(memory, type);
}

static void root_pointers(void **state)
{
    const struct multiboot2_tag *tag;
    uint8_t rsdp[64];

    make_rsdp(rsdp, 0, 0);
    tag = only_tag(mbi_add_rsdp, rsdp, MULTIBOOT2_TAG_ACPI_OLD);
    assert_non_null(tag);
    assert_int_equal(tag->size, 8 + 20);
    make_rsdp(rsdp, 2, 40);
    tag = only_tag(mbi_add_rsdp, rsdp, MULTIBOOT2_TAG_ACPI_NEW);
    assert_non_null(tag);
    assert_int_equal(tag->size, 8 + 40);
    assert_memory_equal(tag + 1, rsdp, 40);
    assert_null(only_tag(mbi_add_rsdp, rsdp, MULTIBOOT2_TAG_ACPI_OLD));
    rsdp[39] ^= 1; /* outside of the first checksum, inside of the second */
    assert_null(only_tag(mbi_add_rsdp, rsdp, MULTIBOOT2_TAG_ACPI_NEW));
    make_rsdp(rsdp, 2, 35);
    assert_null(only_tag(mbi_add_rsdp, rsdp, MULTIBOOT2_TAG_ACPI_NEW));
    make_rsdp(rsdp, 2, UINT32_MAX);
    assert_null(only_tag(mbi_add_rsdp, rsdp, MULTIBOOT2_TAG_ACPI_NEW));
    make_rsdp(rsdp, 0, 0);
    rsdp[0]++;
    rsdp[8]--;
    assert_null(only_tag(mbi_add_rsdp, rsdp, MULTIBOOT2_TAG_ACPI_OLD));
    make_rsdp(rsdp, 0, 0);
    rsdp[9]++;
    assert_null(only_tag(mbi_add_rsdp, rsdp, MULTIBOOT2_TAG_ACPI_OLD));
}

static void smbios(void **state)
{
    uint8_t entry[32] = "_SM3_";
    const struct multiboot2_tag_smbios *tag;

    entry[6] = 0x18;
    entry[7] = 3;
    entry[8] = 2;
    close_sum(entry, 0x18, 5);
    tag = (const void *)only_tag(mbi_add_smbios, entry, MULTIBOOT2_TAG_SMBIOS);
    assert_non_null(tag);
    assert_int_equal(tag->major, 3);
    assert_int_equal(tag->minor, 2);
    assert_memory_equal(tag->tables, entry, 0x18);
    entry[20]++;
    assert_null(only_tag(mbi_add_smbios, entry, MULTIBOOT2_TAG_SMBIOS));

    memset(entry, 0, sizeof(entry));
    memcpy(entry, "_SM_", 4);
    entry[5] = 0x1f;
    entry[6] = 2;
    entry[7] = 8;
    close_sum(entry, 0x1f, 4);
    tag = (const void *)only_tag(mbi_add_smbios, entry, MULTIBOOT2_TAG_SMBIOS);
    assert_non_null(tag);
    assert_int_equal(tag->major, 2);
    assert_int_equal(tag->minor, 8);
    entry[5] = 0x10;
    close_sum(entry, 0x10, 4);
    assert_null(only_tag(mbi_add_smbios, entry, MULTIBOOT2_TAG_SMBIOS));
    assert_null(only_tag(mbi_add_smbios, "_SMX_...........................", 13));
}

static void add_screen(struct mbi *mbi, const void *screen)
{
    mbi_add_screen(mbi, screen);
}

static void screens_left_out(void **state)
{
    struct mbi_screen screen = some_screen;

    assert_non_null(only_tag(add_screen, &screen, MULTIBOOT2_TAG_FRAMEBUFFER));
#define LEFT_OUT(field, value) \
    screen = some_screen;      \
    screen.field = value;      \
    assert_null(only_tag(add_screen, &screen, MULTIBOOT2_TAG_FRAMEBUFFER))
    LEFT_OUT(address, 0);
    LEFT_OUT(address, UINT64_MAX - 4096 * 768 + 1);
    LEFT_OUT(height, 0);
    LEFT_OUT(red_mask, 0);
    LEFT_OUT(green_mask, 0xff00ff);
    LEFT_OUT(blue_mask, 0x80000001);
    screen = some_screen;
    screen.address = GIB64(256);
    screen.red_mask = 0x80000000;
    assert_non_null(only_tag(add_screen, &screen, MULTIBOOT2_TAG_FRAMEBUFFER));
}

/* Against a map of pages. */
static void converted_maps(void **state)
{
    enum { PAGES = 200 };
    struct prng prng;

    prng_seed(&prng, 2);
    for (int round = 0; round < 3000; round++) {
        static struct firmware firmware;
        struct multiboot2_mmap_entry entries[MAP_MAX];
        uint32_t types[PAGES], starts[MAP_MAX], ends[MAP_MAX], order[MAP_MAX], count = 0;
        uint64_t base = one_in(&prng, 2) ? 0 : GIB64(4) - 4096 * 100;
        size_t nr_entries;

        memset(types, 0, sizeof(types));
        for (uint32_t page = 0; page < PAGES && count < MAP_MAX;) {
            starts[count] = page;
            page += prng_below(&prng, 8); /* some are empty */
            ends[count] = MIN(page, (uint32_t)PAGES);
            page += one_in(&prng, 3) ? 3 : 0;
            order[count] = count;
            count++;
        }
        firmware_begin(&firmware, 48);
        for (uint32_t i = 0; i < count; i++) { /* in any order */
            uint32_t swap = between(&prng, i, count - 1), which = order[swap];
            uint32_t efi = one_in(&prng, 2) ? 7 : prng_below(&prng, 16);
            static const uint32_t meaning[16] = {2, 1, 1, 1, 1, 2, 2, 1, 5, 3, 4, 2, 2, 2, 2, 2};

            order[swap] = order[i];
            firmware_add(&firmware, efi, base + 4096 * (uint64_t)starts[which],
                         ends[which] - starts[which]);
            for (uint32_t page = starts[which]; page < ends[which]; page++)
                types[page] = meaning[efi];
        }
        nr_entries = memory_map_convert(&firmware.map, entries);
        for (size_t i = 0; i < nr_entries; i++) {
            uint64_t first = (entries[i].addr - base) / 4096, length = entries[i].len / 4096;

            assert_true(length > 0);
            if (i > 0) {
                uint64_t before = entries[i - 1].addr + entries[i - 1].len;

                assert_true(before <= entries[i].addr);
                assert_false(before == entries[i].addr && entries[i - 1].type == entries[i].type);
            }
            for (uint64_t page = first; page < first + length; page++) {
                assert_int_equal(types[page], entries[i].type);
                types[page] = 0; /* told */
            }
        }
        for (uint32_t page = 0; page < PAGES; page++)
            assert_int_equal(types[page], 0);
    }
}

static void basic_sizes(void **state)
{
    struct multiboot2_mmap_entry entries[] = {
        {.addr = 0, .len = 0x9f000, .type = MULTIBOOT2_MEMORY_AVAILABLE},
        {.addr = 0x80000, .len = 0, .type = MULTIBOOT2_MEMORY_AVAILABLE},
        {.addr = 0xf0000, .len = MIB64(64), .type = MULTIBOOT2_MEMORY_AVAILABLE},
    };
    uint32_t lower, upper;

    memory_map_basic(entries, 3, &lower, &upper);
    assert_int_equal(lower, 0x9f000 / 1024);
    assert_int_equal(upper, (0xf0000 + MIB64(64) - MIB64(1)) / 1024);
    entries[0].len = MIB64(2);
    memory_map_basic(entries, 1, &lower, &upper);
    assert_int_equal(lower, 640);
    assert_int_equal(upper, 1024);
    entries[0].type = MULTIBOOT2_MEMORY_RESERVED;
    memory_map_basic(entries, 1, &lower, &upper);
    assert_int_equal(lower, 0);
    assert_int_equal(upper, 0);
    entries[2].len = BIT64(60);
    memory_map_basic(entries, 3, &lower, &upper);
    assert_int_equal(upper, UINT32_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(understood_by_the_payload),
        cmocka_unit_test(too_little_memory),
        cmocka_unit_test(maps_written_again),
        cmocka_unit_test(root_pointers),
        cmocka_unit_test(smbios),
        cmocka_unit_test(screens_left_out),
        cmocka_unit_test(converted_maps),
        cmocka_unit_test(basic_sizes),
    };

    return cmocka_run_group_tests_name("mbi", tests, NULL, NULL);
}
