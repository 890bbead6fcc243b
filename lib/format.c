/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/format.h"
#include "lib/string.h"

#define NO_PRECISION (-1)
#define MAX_DIGITS 20 /* of 2^64 - 1 in decimal */

struct output {
    char *buf;
    size_t size;
    size_t length; /* wanted so far */
};

/* One conversion specification. */
struct spec {
    bool left, zero, alternate, plus, space;
    int width;
    int precision;
    unsigned bytes; /* width of the integer argument */
};

static void put(struct output *out, char c)
{
    if (out->length < out->size)
        out->buf[out->length] = c;
    out->length++;
}

static void put_repeated(struct output *out, char c, int count)
{
    for (; count > 0; count--)
        put(out, c);
}

static void put_text(struct output *out, const char *text, size_t length)
{
    for (; length; length--)
        put(out, *text++);
}

/*
 * Divides by ten and returns the remainder, with no division wider than 32 bits: that of the
 * compiler's library may use instructions that a 386 does not have.
 */
static unsigned divide_by_ten(uint64_t *value)
{
    uint32_t high = (uint32_t)(*value >> 32), low = (uint32_t)*value;
    uint32_t rest = high % 10, middle, bottom;

    high /= 10;
    middle = rest << 16 | low >> 16;
    rest = middle % 10;
    middle /= 10;
    bottom = rest << 16 | (low & 0xffff);
    *value = (uint64_t)high << 32 | (middle << 16) | bottom / 10;
    return bottom % 10;
}

/* Writes the digits of `value`, the last one at end[-1]; none for 0. Returns the first. */
static char *digits(char *end, uint64_t value, unsigned base, bool upper)
{
    const char *alphabet = upper ? "0123456789ABCDEF" : "0123456789abcdef";

    if (base == 16) {
        for (; value; value >>= 4)
            *--end = alphabet[value & 0xf];
        return end;
    }
    while (value >> 32)
        *--end = alphabet[divide_by_ten(&value)];
    for (uint32_t small = (uint32_t)value; small; small /= 10)
        *--end = alphabet[small % 10];
    return end;
}

static void put_number(struct output *out, const struct spec *spec, uint64_t value, unsigned base,
                       bool upper, const char *prefix)
{
    char text[MAX_DIGITS];
    const char *first = digits(text + sizeof(text), value, base, upper);
    int count = (int)(text + sizeof(text) - first);
    int prefix_length = (int)strlen(prefix);
    int zeros, padding;

    if (spec->precision != NO_PRECISION)
        zeros = spec->precision - count;
    else if (spec->zero && !spec->left)
        zeros = MAX(spec->width - prefix_length, 1) - count;
    else
        zeros = 1 - count;
    zeros = MAX(zeros, 0);
    padding = spec->width - prefix_length - zeros - count;

    if (!spec->left)
        put_repeated(out, ' ', padding);
    put_text(out, prefix, (size_t)prefix_length);
    put_repeated(out, '0', zeros);
    put_text(out, first, (size_t)count);
    if (spec->left)
        put_repeated(out, ' ', padding);
}

static void put_string(struct output *out, const struct spec *spec, const char *text, size_t length)
{
    int padding = spec->width - (int)length;

    if (!spec->left)
        put_repeated(out, ' ', padding);
    put_text(out, text, length);
    if (spec->left)
        put_repeated(out, ' ', padding);
}

/* The argument list is in a structure, because only so may it be handed on by its address. */
struct arguments {
    va_list list;
};

static uint64_t next_unsigned(struct arguments *args, unsigned bytes)
{
    if (bytes == 8)
        return va_arg(args->list, uint64_t);
    uint32_t value = va_arg(args->list, uint32_t);
    return bytes == 4 ? value : bytes == 2 ? (uint16_t)value : (uint8_t)value;
}

static int64_t next_signed(struct arguments *args, unsigned bytes)
{
    if (bytes == 8)
        return va_arg(args->list, int64_t);
    int32_t value = va_arg(args->list, int32_t);
    return bytes == 4 ? value : bytes == 2 ? (int16_t)value : (int8_t)value;
}

static const char *parse_flags(struct spec *spec, const char *fmt)
{
    for (;; fmt++) {
        if (*fmt == '-')
            spec->left = true;
        else if (*fmt == '0')
            spec->zero = true;
        else if (*fmt == '#')
            spec->alternate = true;
        else if (*fmt == '+')
            spec->plus = true;
        else if (*fmt == ' ')
            spec->space = true;
        else
            return fmt;
    }
}

static const char *parse_count(int *count, const char *fmt, struct arguments *args)
{
    *count = 0;
    if (*fmt == '*') {
        *count = va_arg(args->list, int);
        return fmt + 1;
    }
    for (; *fmt >= '0' && *fmt <= '9'; fmt++)
        *count = *count * 10 + (*fmt - '0');
    return fmt;
}

static const char *parse_size_letters(struct spec *spec, const char *fmt)
{
    spec->bytes = sizeof(int);
    switch (*fmt) {
    case 'h':
        spec->bytes = fmt[1] == 'h' ? sizeof(char) : sizeof(short);
        return fmt + (fmt[1] == 'h' ? 2 : 1);
    case 'l':
        spec->bytes = fmt[1] == 'l' ? sizeof(long long) : sizeof(long);
        return fmt + (fmt[1] == 'l' ? 2 : 1);
    case 'z':
        spec->bytes = sizeof(size_t);
        return fmt + 1;
    case 't':
        spec->bytes = sizeof(ptrdiff_t);
        return fmt + 1;
    case 'j':
        spec->bytes = sizeof(intmax_t);
        return fmt + 1;
    default:
        return fmt;
    }
}

static const char *parse_spec(struct spec *spec, const char *fmt, struct arguments *args)
{
    *spec = (struct spec){.precision = NO_PRECISION};
    fmt = parse_flags(spec, fmt);
    fmt = parse_count(&spec->width, fmt, args);
    if (spec->width < 0) {
        spec->left = true;
        spec->width = -spec->width;
    }
    if (*fmt == '.') {
        fmt = parse_count(&spec->precision, fmt + 1, args);
        if (spec->precision < 0)
            spec->precision = NO_PRECISION;
    }
    return parse_size_letters(spec, fmt);
}

static void put_signed(struct output *out, const struct spec *spec, int64_t value)
{
    const char *sign = value < 0 ? "-" : spec->plus ? "+" : spec->space ? " " : "";

    put_number(out, spec, value < 0 ? -(uint64_t)value : (uint64_t)value, 10, false, sign);
}

/* Converts one argument; false if `conversion` is not known. */
static bool convert(struct output *out, struct spec *spec, char conversion, struct arguments *args)
{
    const char *text;
    uint64_t value;
    char c;

    switch (conversion) {
    case '%':
        put(out, '%');
        return true;
    case 'c':
        c = (char)va_arg(args->list, int);
        put_string(out, spec, &c, 1);
        return true;
    case 's':
        text = va_arg(args->list, const char *);
        if (!text)
            text = "(null)";
        put_string(out, spec, text,
                   strnlen(text, spec->precision < 0 ? SIZE_MAX : (size_t)spec->precision));
        return true;
    case 'd':
    case 'i':
        put_signed(out, spec, next_signed(args, spec->bytes));
        return true;
    case 'u':
        put_number(out, spec, next_unsigned(args, spec->bytes), 10, false, "");
        return true;
    case 'x':
    case 'X':
        value = next_unsigned(args, spec->bytes);
        text = !spec->alternate || value == 0 ? "" : conversion == 'x' ? "0x" : "0X";
        put_number(out, spec, value, 16, conversion == 'X', text);
        return true;
    case 'p':
        spec->precision = 2 * sizeof(void *);
        put_number(out, spec, (uintptr_t)va_arg(args->list, void *), 16, false, "0x");
        return true;
    default:
        return false;
    }
}

int vformat(char *buf, size_t size, const char *fmt, va_list list)
{
    struct output out = {buf, size, 0};
    struct arguments args;

    va_copy(args.list, list);
    while (*fmt) {
        const char *start = fmt++;
        struct spec spec;

        if (*start != '%') {
            put(&out, *start);
            continue;
        }
        fmt = parse_spec(&spec, fmt, &args);
        if (*fmt && convert(&out, &spec, *fmt, &args)) {
            fmt++;
            continue;
        }
        put_text(&out, start, (size_t)(fmt - start));
    }
    va_end(args.list);
    if (size)
        buf[MIN(out.length, size - 1)] = '\0';
    return (int)out.length;
}

int format(char *buf, size_t size, const char *fmt, ...)
{
    va_list args;
    int length;

    va_start(args, fmt);
    length = vformat(buf, size, fmt, args);
    va_end(args);
    return length;
}
