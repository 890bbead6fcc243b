/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/option.h"
#include "lib/errno.h"
#include "lib/string.h"

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

bool option_next(const char **cursor, struct option_word *word)
{
    const char *at = *cursor, *equals = NULL, *end;
    bool quoted = false, whole;

    while (is_space(*at))
        at++;
    *cursor = at;
    if (!*at)
        return false;
    whole = *at == '"';
    if (whole) {
        quoted = true;
        at++;
    }
    for (end = at; *end && (quoted || !is_space(*end)); end++) {
        if (*end == '"')
            quoted = !quoted;
        if (*end == '=' && !equals)
            equals = end;
    }
    *cursor = end;
    /* The quote that opened before the key closes at the end of the word. */
    if (whole && end > at && end[-1] == '"')
        end--;

    *word = (struct option_word){
        .key = at,
        .key_len = (size_t)((equals ? equals : end) - at),
        .value = end,
        .has_value = equals,
    };
    if (!equals)
        return true;
    word->value = equals + 1;
    if (*word->value == '"' && word->value < end) {
        word->value++;
        if (end > word->value && end[-1] == '"')
            end--;
    }
    word->value_len = (size_t)(end - word->value);
    return true;
}

bool option_is(const struct option_word *word, const char *key)
{
    return strlen(key) == word->key_len && strncmp(word->key, key, word->key_len) == 0;
}

/* The value of a digit, or one that is too large for any base. */
static unsigned digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0');
    c |= 'a' ^ 'A';
    if (c >= 'a' && c <= 'f')
        return (unsigned)(c - 'a') + 10;
    return UINT8_MAX;
}

/* value = value * factor + addend; false if that needs more than 64 bits. factor fits 32 bits. */
static bool multiply_add(uint64_t *value, uint32_t factor, uint32_t addend)
{
    uint64_t low = (*value & UINT32_MAX) * factor + addend;
    uint64_t high = (*value >> 32) * factor + (low >> 32);

    *value = high << 32 | (low & UINT32_MAX);
    return high <= UINT32_MAX;
}

int parse_u64(const char *s, size_t len, unsigned base, uint64_t *out)
{
    const char *end = s + len;
    uint64_t value = 0;
    bool fits = true;

    if (base != 10 && len > 2 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X')) {
        base = 16;
        s += 2;
    } else if (base == 0) {
        base = 10;
    }
    if (s == end)
        return -EINVAL;
    for (; s < end; s++) {
        unsigned digit = digit_value(*s);

        if (digit >= base)
            return -EINVAL;
        fits &= multiply_add(&value, base, digit);
    }
    if (!fits)
        return -ERANGE;
    *out = value;
    return 0;
}

int parse_size(const char *s, size_t len, uint64_t *out)
{
    static const char suffixes[] = "kmgt";
    unsigned shift = 0;
    uint64_t value;
    int error;

    if (len > 0) {
        const char *suffix = strchr(suffixes, s[len - 1] | ('a' ^ 'A'));

        if (suffix && *suffix) {
            shift = 10 * (unsigned)(suffix - suffixes + 1);
            len--;
        }
    }
    error = parse_u64(s, len, 0, &value);
    if (error)
        return error;
    if (value << shift >> shift != value)
        return -ERANGE;
    *out = value << shift;
    return 0;
}

bool glob_match(const char *pattern, size_t pattern_len, const char *text)
{
    const char *end = pattern + pattern_len;
    const char *after_star = NULL, *retry = NULL;

    while (*text) {
        if (pattern < end && *pattern == '*') {
            after_star = ++pattern;
            retry = text;
        } else if (pattern < end && (*pattern == '?' || *pattern == *text)) {
            pattern++;
            text++;
        } else if (after_star) {
            /* The last star takes one more character; earlier ones need never take more. */
            pattern = after_star;
            text = ++retry;
        } else {
            return false;
        }
    }
    while (pattern < end && *pattern == '*')
        pattern++;
    return pattern == end;
}

bool list_match(const char *list, size_t len, const char *text)
{
    const char *end = list + len;

    for (;;) {
        const char *comma = list;

        while (comma < end && *comma != ',')
            comma++;
        if (comma > list && glob_match(list, (size_t)(comma - list), text))
            return true;
        if (comma == end)
            return false;
        list = comma + 1;
    }
}
