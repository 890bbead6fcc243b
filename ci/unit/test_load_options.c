/* SPDX-License-Identifier: BSD-2-Clause */
/* The loader's reading of what UEFI calls load options, in all the forms that firmware has for it.
 */
#include "ci/unit/unit.h"
#include "loader/options.h"

static char line[64];

/* Reads a copy, at an odd address, with nothing behind it. */
static bool read_bytes(const void *bytes, size_t size)
{
    char *room = malloc(size + 1);
    bool fits;

    memcpy(room + 1, bytes, size);
    memset(line, 0xee, sizeof(line));
    fits = options_to_line(room + 1, size, line, sizeof(line));
    free(room);
    assert_true(strnlen(line, sizeof(line)) < sizeof(line));
    return fits;
}

/* u"" literals are what firmware has. */
#define READ_UTF16(text) read_bytes(text, sizeof(text))
#define READ_UTF16_OPEN(text) read_bytes(text, sizeof(text) - 2)

static void utf16_text(void **state)
{
    assert_true(READ_UTF16(u"tests=kmap seed=1"));
    assert_string_equal(line, "tests=kmap seed=1");
    assert_true(READ_UTF16(u"paeload.efi tests=kmap"));
    assert_string_equal(line, "paeload.efi tests=kmap");
    assert_true(READ_UTF16_OPEN(u"a=b"));
    assert_string_equal(line, "a=b");
    assert_true(READ_UTF16(u"  a\tb\r\n "));
    assert_string_equal(line, "a b");
    assert_true(READ_UTF16(u"na\u00efve=\u4e2d"));
    assert_string_equal(line, "na?ve=?");
    assert_true(READ_UTF16(u"a=b\0behind"));
    assert_string_equal(line, "a=b");
    assert_true(read_bytes(u"a=b", 5)); /* half a character at the end */
    assert_string_equal(line, "a=");
    assert_true(READ_UTF16(u"x"));
    assert_string_equal(line, "x");
}

static void narrow_text(void **state)
{
    assert_true(read_bytes("tests=kmap", 11));
    assert_string_equal(line, "tests=kmap");
    assert_true(read_bytes("tests=kmap", 10));
    assert_string_equal(line, "tests=kmap");
    assert_true(read_bytes("x", 1));
    assert_string_equal(line, "x");
    assert_true(read_bytes("x\0", 2));
    assert_string_equal(line, "x");
}

static void nothing(void **state)
{
    assert_true(options_to_line(NULL, 0, line, sizeof(line)));
    assert_string_equal(line, "");
    assert_true(read_bytes("", 0));
    assert_string_equal(line, "");
    assert_true(READ_UTF16(u""));
    assert_string_equal(line, "");
    assert_true(READ_UTF16(u"   "));
    assert_string_equal(line, "");
    /* A GUID, as OVMF passes for entries of its own */
    assert_true(read_bytes("\x4e\xac\x08\x81\x9f\x11\x59\x4d\x85\x0e\xe2\x1a\x52\x2c\x59\xb2", 16));
    assert_string_equal(line, "");
}

static void too_long(void **state)
{
    char text[2 * sizeof(line)];

    for (size_t length = sizeof(line) - 3; length < sizeof(line) + 3; length++) {
        memset(text, 'x', length);
        assert_int_equal(read_bytes(text, length), length < sizeof(line));
        assert_int_equal(strlen(line), MIN(length, sizeof(line) - 1));
    }
    assert_false(options_to_line("abc", 3, line, 1));
    assert_string_equal(line, "");
}

/* EFI_LOAD_OPTION, UEFI 2.10, 3.1.3: attributes, length of the path, description, path, text */
static size_t boot_entry(uint8_t *entry, uint32_t attributes, size_t path_bytes, const void *text,
                         size_t text_bytes)
{
    static const uint16_t description[] = u"UEFI Shell";
    uint16_t length = (uint16_t)path_bytes;
    size_t at = 6 + sizeof(description);

    memcpy(entry, &attributes, 4);
    memcpy(entry + 4, &length, 2);
    memcpy(entry + 6, description, sizeof(description));
    memset(entry + at, 0x01, path_bytes);
    if (path_bytes >= 4)
        memcpy(entry + at + path_bytes - 4, "\x7f\xff\x04", 4);
    at += path_bytes;
    memcpy(entry + at, text, text_bytes);
    return at + text_bytes;
}

static void boot_entries(void **state)
{
    static const uint16_t text[] = u"tests=kmap depth=full";
    uint8_t entry[256];
    size_t size = boot_entry(entry, 1, 24, text, sizeof(text));

    assert_true(read_bytes(entry, size));
    assert_string_equal(line, "tests=kmap depth=full");
    size = boot_entry(entry, 1, 4, "narrow=1", 9);
    assert_true(read_bytes(entry, size));
    assert_string_equal(line, "narrow=1");
    size = boot_entry(entry, 0x109, 24, "", 0);
    assert_true(read_bytes(entry, size));
    assert_string_equal(line, "");
    /* Cut off anywhere: never its inside taken for text */
    size = boot_entry(entry, 1, 24, "", 0);
    for (size_t cut = 0; cut < size; cut++)
        assert_true(read_bytes(entry, cut));
}

static void any_bytes(void **state)
{
    struct prng prng;

    prng_seed(&prng, 1);
    for (int round = 0; round < 100000; round++) {
        uint8_t bytes[200];
        size_t size = prng_below(&prng, 120);

        for (size_t i = 0; i < size; i++)
            bytes[i] = (uint8_t)(one_in(&prng, 2) ? between(&prng, ' ', '~') : prng_u32(&prng));
        if (one_in(&prng, 2))
            for (size_t i = 1; i < size; i += 2)
                bytes[i] = 0;
        if (one_in(&prng, 4))
            size = boot_entry(bytes, prng_below(&prng, 32), prng_below(&prng, 40), "ab", 2);
        if (one_in(&prng, 4) && size)
            bytes[prng_below(&prng, (uint32_t)size)] = (uint8_t)prng_u32(&prng);
        read_bytes(bytes, size);
        for (const char *c = line; *c; c++)
            assert_true(*c >= ' ' && *c <= '~');
        assert_true(line[0] != ' ' && (line[0] == '\0' || line[strlen(line) - 1] != ' '));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utf16_text), cmocka_unit_test(narrow_text),  cmocka_unit_test(nothing),
        cmocka_unit_test(too_long),   cmocka_unit_test(boot_entries), cmocka_unit_test(any_bytes),
    };

    return cmocka_run_group_tests_name("load_options", tests, NULL, NULL);
}
