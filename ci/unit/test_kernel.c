/* SPDX-License-Identifier: BSD-2-Clause */
/* The loader's reading of a Multiboot 2 header, and of a kernel that is loaded by its addresses. */
#include "ci/unit/unit.h"
#include "loader/elf.h"
#include "loader/kernel.h"
#include "loader/multiboot2.h"

static struct {
    uint8_t bytes[65536];
    size_t header; /* offset of the Multiboot 2 header */
    size_t used;
} file;

static struct kernel kernel;
static struct refusal why;

/* Begins a header at an offset. */
static void begin(size_t at)
{
    memset(&file, 0, sizeof(file));
    file.header = at;
    file.used = at + sizeof(struct multiboot2_header);
}

static void add_tag(uint16_t type, uint16_t flags, const void *contents, uint32_t size)
{
    struct multiboot2_header_tag tag = {
        .type = type, .flags = flags, .size = (uint32_t)sizeof(tag) + size};

    memcpy(file.bytes + file.used, &tag, sizeof(tag));
    if (size)
        memcpy(file.bytes + file.used + sizeof(tag), contents, size);
    file.used += MULTIBOOT2_ALIGN_UP(tag.size);
}

static void add_words(uint16_t type, uint16_t flags, const uint32_t *words, uint32_t count)
{
    add_tag(type, flags, words, count * 4);
}

#define WORDS(type, flags, ...)                             \
    add_words(type, flags, (const uint32_t[]){__VA_ARGS__}, \
              sizeof((const uint32_t[]){__VA_ARGS__}) / 4)

/* Closes the header, with its length and checksum. */
static void close_header(void)
{
    struct multiboot2_header header = {.magic = MULTIBOOT2_HEADER_MAGIC};

    add_tag(MULTIBOOT2_HEADER_TAG_END, 0, NULL, 0);
    header.header_length = (uint32_t)(file.used - file.header);
    header.checksum = -(header.magic + header.header_length);
    memcpy(file.bytes + file.header, &header, sizeof(header));
}

static bool read_header(size_t size)
{
    void *copy = exact_copy(file.bytes, size);
    bool ok;

    why = (struct refusal){0};
    ok = header_read(copy, size, &kernel.request, &why);
    assert_int_equal(ok, why.check == NULL);
    free(copy);
    return ok;
}

static bool read_kernel(size_t size)
{
    void *copy = exact_copy(file.bytes, size);
    bool ok;

    why = (struct refusal){0};
    ok = kernel_read(copy, size, &kernel, &why);
    assert_int_equal(ok, why.check == NULL);
    free(copy);
    return ok;
}

static void plain_header(void **state)
{
    begin(4096);
    close_header();
    assert_true(read_header(file.used));
    assert_int_equal(kernel.request.header_offset, 4096);
    assert_false(kernel.request.has_addresses);
    assert_false(kernel.request.has_entry);
    assert_false(kernel.request.relocatable);
}

static void all_that_we_know(void **state)
{
    begin(0);
    WORDS(MULTIBOOT2_HEADER_TAG_INFORMATION_REQUEST, 0, 1, 2, 4, 6, 8, 11, 12, 13, 14, 15, 17, 21);
    WORDS(MULTIBOOT2_HEADER_TAG_ENTRY_ADDRESS, 0, 0x100040);
    WORDS(MULTIBOOT2_HEADER_TAG_CONSOLE_FLAGS, 0, 3);
    WORDS(MULTIBOOT2_HEADER_TAG_FRAMEBUFFER, 0, 0, 0, 32);
    add_tag(MULTIBOOT2_HEADER_TAG_MODULE_ALIGN, 0, NULL, 0);
    WORDS(MULTIBOOT2_HEADER_TAG_RELOCATABLE, 0, 0x100000, 0x7fffffff, 0x200000, 2);
    WORDS(MULTIBOOT2_HEADER_TAG_ADDRESS, 0, 0x100000, 0x100000, 0x101000, 0x102000);
    close_header();
    assert_true(read_header(file.used));
    assert_true(kernel.request.has_entry && kernel.request.has_addresses);
    assert_true(kernel.request.relocatable && kernel.request.prefers_high);
    assert_int_equal(kernel.request.entry_addr, 0x100040);
    assert_int_equal(kernel.request.min_addr, 0x100000);
    assert_int_equal(kernel.request.max_addr, 0x7fffffff);
    assert_int_equal(kernel.request.align, 0x200000);
    assert_int_equal(kernel.request.load_end_addr, 0x101000);
    assert_int_equal(kernel.request.bss_end_addr, 0x102000);
}

static void what_is_not_supported(void **state)
{
    static const uint16_t types[] = {MULTIBOOT2_HEADER_TAG_EFI_BOOT_SERVICES,
                                     MULTIBOOT2_HEADER_TAG_ENTRY_ADDRESS_EFI32,
                                     MULTIBOOT2_HEADER_TAG_ENTRY_ADDRESS_EFI64, 11, 0xffff};

    for (unsigned i = 0; i < ARRAY_SIZE(types); i++)
        for (uint16_t optional = 0; optional <= MULTIBOOT2_HEADER_TAG_OPTIONAL; optional++) {
            begin(64);
            WORDS(types[i], optional, 1);
            close_header();
            assert_int_equal(read_header(file.used), optional);
        }
    for (uint32_t type = 0; type < 300; type++) {
        bool told =
            (type >= 1 && type <= 8) || (type >= 10 && type <= 15) || type == 17 || type == 21;

        begin(0);
        WORDS(MULTIBOOT2_HEADER_TAG_INFORMATION_REQUEST, 0, 1, type);
        close_header();
        assert_int_equal(read_header(file.used), told);
        begin(0);
        WORDS(MULTIBOOT2_HEADER_TAG_INFORMATION_REQUEST, 1, 1, type);
        close_header();
        assert_true(read_header(file.used));
    }
}

static void bad_relocation(void **state)
{
    begin(0);
    WORDS(MULTIBOOT2_HEADER_TAG_RELOCATABLE, 0, 0, 1 << 20, 3000, 1);
    close_header();
    assert_false(read_header(file.used));
    begin(0);
    WORDS(MULTIBOOT2_HEADER_TAG_RELOCATABLE, 0, 2 << 20, 1 << 20, 4096, 1);
    close_header();
    assert_false(read_header(file.used));
    begin(0);
    WORDS(MULTIBOOT2_HEADER_TAG_RELOCATABLE, 0, 0, 1 << 20, 0, 1);
    close_header();
    assert_true(read_header(file.used));
    assert_int_equal(kernel.request.align, 1);
    assert_false(kernel.request.prefers_high);
}

/* Found at any multiple of 8 in the first 32 KiB, not elsewhere, and not by a wrong checksum. */
static void where_headers_lie(void **state)
{
    const size_t limit = MULTIBOOT2_HEADER_SEARCH_BYTES;

    for (size_t at = 0; at <= limit + 64; at = at == 1024 ? limit - 64 : at + 4) {
        bool found = at % 8 == 0 && at + sizeof(struct multiboot2_header) <= limit;

        begin(at);
        close_header();
        assert_int_equal(read_header(file.used), found);
        file.bytes[at + 12] ^= 1;
        assert_false(read_header(file.used));
    }
    for (size_t size = 0; size < 24; size++) {
        begin(0);
        close_header();
        assert_false(read_header(size));
    }
    /* Another architecture: MIPS, with a checksum that is right */
    begin(0);
    close_header();
    file.bytes[4] = MULTIBOOT2_ARCHITECTURE_MIPS32;
    file.bytes[12] = (uint8_t)(file.bytes[12] - MULTIBOOT2_ARCHITECTURE_MIPS32);
    assert_false(read_header(file.used));
}

static void tag_sizes_that_lie(void **state)
{
    static const uint32_t sizes[] = {0, 7, 8, 11, 17, 1000, 0x7fffffff, 0xfffffff9, UINT32_MAX};

    for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
        begin(0);
        WORDS(MULTIBOOT2_HEADER_TAG_ENTRY_ADDRESS, 0, 0x100040);
        close_header();
        memcpy(file.bytes + 20, &sizes[i], 4);
        assert_false(read_header(file.used));
    }
}

/* A kernel that is no ELF file: a header in front, loaded at 1 MiB. */
static bool read_flat(uint32_t header_addr, uint32_t load, uint32_t load_end, uint32_t bss_end,
                      uint32_t entry)
{
    begin(512);
    WORDS(MULTIBOOT2_HEADER_TAG_ADDRESS, 0, header_addr, load, load_end, bss_end);
    WORDS(MULTIBOOT2_HEADER_TAG_ENTRY_ADDRESS, 0, entry);
    close_header();
    return read_kernel(8192);
}

static void loaded_by_addresses(void **state)
{
    assert_true(read_flat(0x100000, 0x100000, 0x101000, 0x103000, 0x100800));
    assert_int_equal(kernel.image.nr_segments, 1);
    assert_int_equal(kernel.image.segments[0].file_offset, 512);
    assert_int_equal(kernel.image.segments[0].file_bytes, 0x1000);
    assert_int_equal(kernel.image.segments[0].memory_bytes, 0x3000);
    assert_int_equal(kernel.image.entry, 0x100800);

    /* The header in the middle of it; the whole file; no bss */
    assert_true(read_flat(0x100200, 0x100000, 0, 0, 0x100000));
    assert_int_equal(kernel.image.segments[0].file_offset, 0);
    assert_int_equal(kernel.image.segments[0].file_bytes, 8192);
    assert_int_equal(kernel.image.segments[0].memory_bytes, 8192);

    assert_false(read_flat(0x100201, 0x100000, 0, 0, 0x100000)); /* before the file */
    assert_false(read_flat(0xfffff, 0x100000, 0, 0, 0x100000));
    assert_false(read_flat(0x100000, 0x100000, 0xfffff, 0, 0x100000));
    assert_false(read_flat(0x100000, 0x100000, 0x102000, 0, 0x100000)); /* past the file */
    assert_false(read_flat(0x100000, 0x100000, 0x101000, 0xfffff, 0x100000));
    assert_false(read_flat(0x100000, 0x100000, 0x101000, 0x100800, 0x100000));
    assert_false(read_flat(0x100000, 0x100000, 0x101000, 0, 0x101000)); /* the entry */
    assert_false(read_flat(0xfffff000, 0xfffff000, 0, 0, 0xfffff000));  /* past 4 GiB */

    begin(0);
    WORDS(MULTIBOOT2_HEADER_TAG_ADDRESS, 0, 0x100000, 0x100000, 0, 0);
    close_header();
    assert_false(read_kernel(8192)); /* no entry at all */
}

static void wishes(void **state)
{
    struct place_wish wish;

    assert_true(read_flat(0x100000, 0x100000, 0x101000, 0x103001, 0x100800));
    kernel.request.relocatable = true;
    kernel.request.min_addr = 0x200000;
    kernel.request.max_addr = UINT32_MAX;
    kernel.request.align = 0x400000;
    kernel.request.prefers_high = true;
    wish = kernel_wish(&kernel);
    assert_true(wish.size == 0x3001 && wish.min == 0x200000 && wish.last == UINT32_MAX);
    assert_true(wish.align == 0x400000 && wish.from_top);
}

static void damaged_headers(void **state)
{
    unsigned accepted = 0;
    struct prng prng;

    prng_seed(&prng, 1);
    for (int round = 0; round < 50000; round++) {
        uint32_t sum = 0;

        memset(&kernel, 0, sizeof(kernel));
        begin(256);
        WORDS(MULTIBOOT2_HEADER_TAG_INFORMATION_REQUEST, 0, 1, 6);
        WORDS(MULTIBOOT2_HEADER_TAG_RELOCATABLE, 1, 0x100000, 0x7fffffff, 0x200000, 2);
        WORDS(MULTIBOOT2_HEADER_TAG_ADDRESS, 0, 0x100000, 0x100000, 0x101000, 0x102000);
        WORDS(MULTIBOOT2_HEADER_TAG_ENTRY_ADDRESS, 0, 0x100000);
        close_header();
        for (uint32_t n = between(&prng, 1, 3); n; n--) {
            size_t at = 256 + 8 + 4 * prng_below(&prng, (uint32_t)(file.used - 256 - 8) / 4);
            uint32_t value = one_in(&prng, 2) ? prng_below(&prng, 40) : prng_u32(&prng);

            memcpy(file.bytes + at, &value, one_in(&prng, 2) ? 4 : 2);
        }
        for (int word = 0; word < 3; word++) { /* a checksum that is right all the same */
            uint32_t value;

            memcpy(&value, file.bytes + 256 + 4 * word, 4);
            sum -= value;
        }
        memcpy(file.bytes + 256 + 12, &sum, 4);
        if (!read_kernel(one_in(&prng, 4) ? prng_below(&prng, 8192) : 8192))
            continue;
        accepted++;
        assert_true(kernel.image.nr_segments > 0);
        assert_true(kernel.image.entry >= kernel.image.base);
        assert_true(kernel.image.entry < kernel.image.end);
    }
    assert_true(accepted > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_header),          cmocka_unit_test(all_that_we_know),
        cmocka_unit_test(what_is_not_supported), cmocka_unit_test(bad_relocation),
        cmocka_unit_test(where_headers_lie),     cmocka_unit_test(tag_sizes_that_lie),
        cmocka_unit_test(loaded_by_addresses),   cmocka_unit_test(wishes),
        cmocka_unit_test(damaged_headers),
    };

    return cmocka_run_group_tests_name("kernel", tests, NULL, NULL);
}
