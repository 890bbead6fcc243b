/* SPDX-License-Identifier: BSD-2-Clause */
#include "ci/unit/unit.h"
#include "lib/errno.h"
#include "lib/option.h"

/* Checks the words of a line, each written as KEY or KEY:VALUE, against what is expected. */
static void assert_words(const char *line, const char *const *expected)
{
    char *copy = exact_copy(line, strlen(line) + 1);
    const char *cursor = copy;
    struct option_word word;

    for (; *expected; expected++) {
        char shown[100];

        assert_true(option_next(&cursor, &word));
        assert_true(word.key_len <= strlen(line) && word.value_len <= strlen(line));
        snprintf(shown, sizeof(shown), "%.*s%s%.*s", (int)word.key_len, word.key,
                 word.has_value ? ":" : "", (int)word.value_len, word.value);
        assert_string_equal(shown, *expected);
        if (!word.has_value)
            assert_int_equal(word.value_len, 0);
    }
    assert_false(option_next(&cursor, &word));
    assert_false(option_next(&cursor, &word));
    assert_int_equal(*cursor, '\0');
    free(copy);
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})

static void words(void **state)
{
    assert_words("", WORDS());
    assert_words("  \t\r\n ", WORDS());
    assert_words("trace", WORDS("trace"));
    assert_words("paeload.elf tests=kmap,dma* split=3g",
                 WORDS("paeload.elf", "tests:kmap,dma*", "split:3g"));
    assert_words("  a  b=\tc\n", WORDS("a", "b:", "c"));
    assert_words("a=b=c ==d =", WORDS("a:b=c", ":=d", ":"));
}

static void quotes(void **state)
{
    assert_words("a=\"b c\" d", WORDS("a:b c", "d"));
    assert_words("\"a=b c\" d", WORDS("a:b c", "d"));
    assert_words("\"a b\"=c", WORDS("a b\":c"));
    assert_words("a=\"\" b", WORDS("a:", "b"));
    assert_words("\"\" b", WORDS("", "b"));
    assert_words("a=b\"c d\"e f", WORDS("a:b\"c d\"e", "f"));
    assert_words("a=\"b=c d\"", WORDS("a:b=c d"));
    assert_words("\"a=\"b c", WORDS("a:b", "c"));
}

static void quotes_never_closed(void **state)
{
    assert_words("a=\"b c", WORDS("a:b c"));
    assert_words("a=\"", WORDS("a:"));
    assert_words("\"", WORDS(""));
    assert_words("\"a=b c d", WORDS("a:b c d"));
    assert_words("a b=c\"", WORDS("a", "b:c\""));
    assert_words("a=\"b\" c=\"d e", WORDS("a:b", "c:d e"));
}

/* Whatever the line: words lie inside of it, in order, and the end is reached. */
static void any_line(void **state)
{
    struct prng prng;

    prng_seed(&prng, 1);
    for (int i = 0; i < 100000; i++) {
        size_t length = prng_below(&prng, 20);
        char *line = malloc(length + 1);
        const char *cursor = line, *before = line;
        struct option_word word;
        unsigned count = 0;

        for (size_t c = 0; c < length; c++)
            line[c] = "ab=\" \t"[prng_below(&prng, 6)];
        line[length] = '\0';
        while (option_next(&cursor, &word)) {
            assert_true(cursor > before && cursor <= line + length);
            assert_true(word.key >= before && word.key + word.key_len <= cursor);
            assert_true(word.value >= word.key + word.key_len);
            assert_true(word.value_len <= length);
            assert_true(word.value + word.value_len <= cursor);
            assert_null(memchr(word.key, '=', word.key_len));
            before = cursor;
            count++;
        }
        assert_true(count <= length);
        free(line);
    }
}

static void keys(void **state)
{
    struct option_word word;
    const char *cursor = "split=3g";

    assert_true(option_next(&cursor, &word));
    assert_true(option_is(&word, "split"));
    assert_false(option_is(&word, "spli"));
    assert_false(option_is(&word, "splitt"));
    assert_false(option_is(&word, "split="));
    assert_false(option_is(&word, ""));
}

/* Parses a copy that ends with its heap block, and where nothing follows. */
static int u64_of(const char *s, unsigned base, uint64_t *out)
{
    size_t len = strlen(s);
    char *copy = exact_copy(s, len);
    int error = parse_u64(copy, len, base, out);

    free(copy);
    return error;
}

static int size_of(const char *s, uint64_t *out)
{
    size_t len = strlen(s);
    char *copy = exact_copy(s, len);
    int error = parse_size(copy, len, out);

    free(copy);
    return error;
}

struct number_case {
    const char *text;
    unsigned base;
    int error;
    uint64_t value;
};

static void numbers(void **state)
{
    static const struct number_case cases[] = {
        {"0", 0, 0, 0},
        {"0", 16, 0, 0},
        {"007", 0, 0, 7},
        {"010", 0, 0, 10},
        {"0x10", 0, 0, 16},
        {"0X1f", 0, 0, 31},
        {"0x10", 16, 0, 16},
        {"aBcDeF", 16, 0, 0xabcdef},
        {"18446744073709551615", 0, 0, UINT64_MAX},
        {"18446744073709551616", 0, -ERANGE, 0},
        {"18446744073709551620", 10, -ERANGE, 0},
        {"99999999999999999999999999999999999999999", 0, -ERANGE, 0},
        {"ffffffffffffffff", 16, 0, UINT64_MAX},
        {"10000000000000000", 16, -ERANGE, 0},
        {"0x0000000000000000000000000001", 0, 0, 1},
        {"", 0, -EINVAL, 0},
        {"", 16, -EINVAL, 0},
        {"0x", 0, -EINVAL, 0},
        {"0x", 16, -EINVAL, 0},
        {"0x10", 10, -EINVAL, 0},
        {"1a", 0, -EINVAL, 0},
        {"1a", 10, -EINVAL, 0},
        {"-1", 0, -EINVAL, 0},
        {"+1", 0, -EINVAL, 0},
        {" 1", 0, -EINVAL, 0},
        {"1 ", 0, -EINVAL, 0},
        {"0xg", 0, -EINVAL, 0},
        {"0x1`", 0, -EINVAL, 0},
        {"1/", 0, -EINVAL, 0},
        {"1:", 0, -EINVAL, 0},
        {"1\x11", 16, -EINVAL, 0}, /* would be '1' with a bit set */
        {"99999999999999999999x", 0, -EINVAL, 0},
    };

    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        uint64_t value = 42;

        assert_int_equal(u64_of(cases[i].text, cases[i].base, &value), cases[i].error);
        assert_int_equal(value, cases[i].error ? 42 : cases[i].value);
    }
}

static void random_numbers(void **state)
{
    struct prng prng;

    prng_seed(&prng, 2);
    for (int i = 0; i < 100000; i++) {
        uint64_t value = any_u64(&prng), back = ~value;
        char text[30];

        snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
        assert_int_equal(u64_of(text, 0, &back), 0);
        assert_int_equal(back, value);
        snprintf(text, sizeof(text), "0x%llx", (unsigned long long)value);
        assert_int_equal(u64_of(text, 0, &back), 0);
        assert_int_equal(back, value);
        assert_int_equal(u64_of(text + 2, 16, &back), 0);
        assert_int_equal(back, value);
        /* A digit more than fits */
        snprintf(text, sizeof(text), "%llu%u", (unsigned long long)(value | BIT64(63)),
                 prng_below(&prng, 10));
        assert_int_equal(u64_of(text, 0, &back), -ERANGE);
    }
}

static void sizes(void **state)
{
    static const struct number_case cases[] = {
        {"0", 0, 0, 0},
        {"512", 0, 0, 512},
        {"4K", 0, 0, 4096},
        {"4k", 0, 0, 4096},
        {"6G", 0, 0, GIB64(6)},
        {"6g", 0, 0, GIB64(6)},
        {"3M", 0, 0, MIB64(3)},
        {"2T", 0, 0, GIB64(2048)},
        {"0x10M", 0, 0, MIB64(16)},
        {"0xAM", 0, 0, MIB64(10)},
        {"0xA", 0, 0, 10},
        {"16777215T", 0, 0, UINT64_C(16777215) << 40},
        {"16777216T", 0, -ERANGE, 0},
        {"17179869183G", 0, 0, UINT64_C(17179869183) << 30},
        {"17179869184G", 0, -ERANGE, 0},
        {"18446744073709551615", 0, 0, UINT64_MAX},
        {"18446744073709551615K", 0, -ERANGE, 0},
        {"18446744073709551616", 0, -ERANGE, 0},
        {"", 0, -EINVAL, 0},
        {"M", 0, -EINVAL, 0},
        {"1KM", 0, -EINVAL, 0},
        {"1KB", 0, -EINVAL, 0},
        {"1P", 0, -EINVAL, 0},
        {"-1M", 0, -EINVAL, 0},
        {"1.5G", 0, -EINVAL, 0},
        {"1\x0b", 0, -EINVAL, 0}, /* 'K' without its letter bits */
        {"1+", 0, -EINVAL, 0},
    };

    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        uint64_t value = 42;

        assert_int_equal(size_of(cases[i].text, &value), cases[i].error);
        assert_int_equal(value, cases[i].error ? 42 : cases[i].value);
    }
}

/* The definition, in the plainest words. */
static bool matches(const char *pattern, const char *text)
{
    if (*pattern == '*')
        return matches(pattern + 1, text) || (*text && matches(pattern, text + 1));
    if (!*pattern || !*text)
        return *pattern == *text;
    return (*pattern == '?' || *pattern == *text) && matches(pattern + 1, text + 1);
}

/* The n-th text over `alphabet`, of its own length: 0 is "", then those of one character, ... */
static void nth_text(unsigned n, const char *alphabet, char *text)
{
    unsigned letters = (unsigned)strlen(alphabet);

    for (; n; n = (n - 1) / letters)
        *text++ = alphabet[(n - 1) % letters];
    *text = '\0';
}

static void all_short_globs(void **state)
{
    unsigned yes = 0;

    for (unsigned p = 0; p < 1 + 4 + 16 + 64 + 256 + 1024; p++) {
        char pattern[10];

        nth_text(p, "ab*?", pattern);
        for (unsigned t = 0; t < 1 + 2 + 4 + 8 + 16 + 32 + 64; t++) {
            char text[10], *exact = exact_copy(pattern, strlen(pattern));

            nth_text(t, "ab", text);
            assert_int_equal(glob_match(exact, strlen(pattern), text), matches(pattern, text));
            yes += matches(pattern, text);
            free(exact);
        }
    }
    assert_in_range(yes, 10000, 150000);
}

static void globs_that_take_long(void **state)
{
    const char *pattern = "*a*a*a*a*a*a*a*a*a*a*b";
    char text[5000];

    memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    assert_false(glob_match(pattern, strlen(pattern), text));
    text[sizeof(text) - 2] = 'b';
    assert_true(glob_match(pattern, strlen(pattern), text));
}

static bool listed(const char *list, const char *text)
{
    char *exact = exact_copy(list, strlen(list));
    bool result = list_match(exact, strlen(list), text);

    free(exact);
    return result;
}

static void lists(void **state)
{
    assert_true(listed("kmap", "kmap"));
    assert_true(listed("paging,kmap", "kmap"));
    assert_true(listed("paging,kmap", "paging"));
    assert_false(listed("paging,kmap", "paging,kmap"));
    assert_true(listed("dma*,?map", "kmap"));
    assert_true(listed("dma*,?map", "dma_bounce"));
    assert_false(listed("dma*,?map", "highmem"));
    assert_true(listed(",,kmap,", "kmap"));
    assert_true(listed("*", "kmap"));
    assert_false(listed("", "kmap"));
    assert_false(listed("", ""));
    assert_false(listed(",", ""));
    assert_true(listed("*", ""));
    assert_false(listed("kma", "kmap"));
    assert_false(listed("kmapp", "kmap"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words),
        cmocka_unit_test(quotes),
        cmocka_unit_test(quotes_never_closed),
        cmocka_unit_test(any_line),
        cmocka_unit_test(keys),
        cmocka_unit_test(numbers),
        cmocka_unit_test(random_numbers),
        cmocka_unit_test(sizes),
        cmocka_unit_test(all_short_globs),
        cmocka_unit_test(globs_that_take_long),
        cmocka_unit_test(lists),
    };

    return cmocka_run_group_tests_name("option", tests, NULL, NULL);
}
