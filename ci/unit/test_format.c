/* SPDX-License-Identifier: BSD-2-Clause */
#include "ci/unit/unit.h"
#include "lib/format.h"

#include <inttypes.h>
#include <limits.h>

/*
 * The oracle is the C library's snprintf(), over formats and arguments made at random. The compiler
 * can't check such formats.
 */
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"

#define TEXT_MAX 400

/* Both print the same, and ours stays within any size of buffer. */
#define assert_same(prng, ...)                                                                   \
    do {                                                                                         \
        char theirs[TEXT_MAX], *ours;                                                            \
        int want = snprintf(theirs, sizeof(theirs), __VA_ARGS__);                                \
        size_t size = one_in(prng, 3) ? prng_below(prng, (uint32_t)want + 3) : (size_t)want + 1; \
        ours = malloc(size);                                                                     \
        assert_int_equal(format(ours, size, __VA_ARGS__), want);                                 \
        if (size && size <= (size_t)want)                                                        \
            theirs[size - 1] = '\0';                                                             \
        if (size)                                                                                \
            assert_string_equal(ours, theirs);                                                   \
        free(ours);                                                                              \
    } while (0)

static char *random_flags(struct prng *prng, char *at, const char *flags)
{
    for (; *flags; flags++)
        if (one_in(prng, 4))
            *at++ = *flags;
    return at;
}

static void integers(void **state)
{
    static const char *const sizes[] = {"hh", "h", "", "l", "ll", "z", "t", "j"};
    static const unsigned bytes[] = {4, 4, 4, 8, 8, 8, 8, 8};
    struct prng prng;

    prng_seed(&prng, 1);
    for (int i = 0; i < 300000; i++) {
        unsigned size = prng_below(&prng, ARRAY_SIZE(sizes));
        char fmt[40], *at = fmt;
        int stars[2], nr_stars = 0;
        uint64_t value = any_u64(&prng);

        *at++ = '<';
        *at++ = '%';
        at = random_flags(&prng, at, "-0#+ ");
        if (one_in(&prng, 2)) {
            at += sprintf(at, "%u", between(&prng, 1, 40));
        } else if (one_in(&prng, 4)) {
            *at++ = '*';
            stars[nr_stars++] = (int)between(&prng, 0, 60) - 30;
        }
        if (one_in(&prng, 3)) {
            at += sprintf(at, one_in(&prng, 5) ? "." : ".%u", between(&prng, 0, 30));
        } else if (one_in(&prng, 4)) {
            at += sprintf(at, ".*");
            stars[nr_stars++] = (int)between(&prng, 0, 30) - 5;
        }
        sprintf(at, "%s%c>%%d", sizes[size], "diuxX"[prng_below(&prng, 5)]);

        /* The number 7 after it shows that the right amount of argument was taken. */
        if (bytes[size] == 8 && nr_stars == 0)
            assert_same(&prng, fmt, value, 7);
        else if (bytes[size] == 8 && nr_stars == 1)
            assert_same(&prng, fmt, stars[0], value, 7);
        else if (bytes[size] == 8)
            assert_same(&prng, fmt, stars[0], stars[1], value, 7);
        else if (nr_stars == 0)
            assert_same(&prng, fmt, (uint32_t)value, 7);
        else if (nr_stars == 1)
            assert_same(&prng, fmt, stars[0], (uint32_t)value, 7);
        else
            assert_same(&prng, fmt, stars[0], stars[1], (uint32_t)value, 7);
    }
}

static void strings(void **state)
{
    struct prng prng;

    prng_seed(&prng, 2);
    for (int i = 0; i < 50000; i++) {
        size_t length = prng_below(&prng, 20);
        int width = (int)between(&prng, 0, 40) - 20, precision = (int)between(&prng, 0, 30) - 5;
        char text[21];

        for (size_t c = 0; c < length; c++)
            text[c] = (char)between(&prng, ' ', '~');
        text[length] = '\0';
        assert_same(&prng, "<%s>", text);
        assert_same(&prng, "<%*s|%c>", width, text, 'x');
        assert_same(&prng, "<%*.*s>", width, precision, text);
        assert_same(&prng, "%-12.5s%3.0s", text, text);
        assert_same(&prng, "%c%5c%-5c%%", 'a', text[0] ? text[0] : 'b', 'c');
    }
}

/* With a precision the text needs no end. */
static void text_without_an_end(void **state)
{
    char *text = exact_copy("abcde", 5);
    char out[10];

    assert_int_equal(format(out, sizeof(out), "%.5s", text), 5);
    assert_string_equal(out, "abcde");
    assert_int_equal(format(out, sizeof(out), "%.*s", 3, text), 3);
    assert_string_equal(out, "abc");
    free(text);
}

static void borders(void **state)
{
    struct prng prng;

    prng_seed(&prng, 3);
    assert_same(&prng, "%d %d %u", INT_MIN, INT_MAX, UINT_MAX);
    assert_same(&prng, "%lld %lld %llu", LLONG_MIN, LLONG_MAX, ULLONG_MAX);
    assert_same(&prng, "%#x %#X %#llx", 0, 0xabcu, 0xfedcba9876543210ull);
    assert_same(&prng, "%08x|%-8x|%8x", 0x1234u, 0x1234u, 0x1234u);
    assert_same(&prng, "%+d % d %+05d", 5, 5, 5);
    assert_same(&prng, "%.0d|%.0x|%5.0d", 0, 0u, 0);
    for (unsigned bit = 0; bit < 64; bit++)
        for (int plus = -2; plus <= 2; plus++) {
            uint64_t value = BIT64(bit) + (uint64_t)plus;

            assert_same(&prng, "%" PRIu64 " %" PRId64 " %" PRIx64, value, (int64_t)value, value);
        }
}

static void what_differs_from_libc(void **state)
{
    const char *volatile nobody = NULL; /* volatile: the compiler need not know */
    char out[60];

    assert_int_equal(format(out, sizeof(out), "%p", (void *)0xdeadbeef), 18);
    assert_string_equal(out, "0x00000000deadbeef");
    format(out, sizeof(out), "%p", NULL);
    assert_string_equal(out, "0x0000000000000000");
    format(out, sizeof(out), "%s|%.3s", nobody, nobody);
    assert_string_equal(out, "(null)|(nu");

    /* Through a pointer, so that the compiler does not see the bad formats. */
    const char *bad = "a%yb%5qc%";
    assert_int_equal(format(out, sizeof(out), bad), 9);
    assert_string_equal(out, bad);
}

static void no_room(void **state)
{
    char one = 'x';

    assert_int_equal(format(NULL, 0, "%d bytes", 12), 8);
    assert_int_equal(format(&one, 1, "%d bytes", 12), 8);
    assert_int_equal(one, '\0');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers),
        cmocka_unit_test(strings),
        cmocka_unit_test(text_without_an_end),
        cmocka_unit_test(borders),
        cmocka_unit_test(what_differs_from_libc),
        cmocka_unit_test(no_room),
    };

    return cmocka_run_group_tests_name("format", tests, NULL, NULL);
}
