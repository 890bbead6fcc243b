// SPDX-License-Identifier: BSD-2-Clause
#include "ci/runner/markup.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void put_text(FILE *out, const char *s)
{
    for (; s && *s; s++) {
        switch (*s) {
        case '&':
            fputs("&amp;", out);
            break;
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '"':
            fputs("&quot;", out);
            break;
        case '\'':
            fputs("&#39;", out);
            break;
        case '\n':
        case '\t':
            fputc(*s, out);
            break;
        default:
            fputc(*s < ' ' || *s > '~' ? '?' : *s, out);
        }
    }
}

void put_textf(FILE *out, const char *fmt, ...)
{
    char *printed = NULL;
    va_list args;

    va_start(args, fmt);
    if (vasprintf(&printed, fmt, args) < 0)
        abort();
    va_end(args);
    put_text(out, printed);
    free(printed);
}

void put_element(FILE *out, const char *name, const char *class, const char *s)
{
    if (class)
        fprintf(out, "<%s class=\"%s\">", name, class);
    else
        fprintf(out, "<%s>", name);
    put_text(out, s);
    fprintf(out, "</%s>", name);
}

void put_number_cell(FILE *out, uint64_t value)
{
    char *grouped = grouped_text(value);

    put_element(out, "td", "n", grouped);
    free(grouped);
}

char *grouped_text(uint64_t value)
{
    char digits[32], grouped[48], *to = grouped;
    int length = snprintf(digits, sizeof(digits), "%" PRIu64, value);

    for (int i = 0; i < length; i++) {
        if (i && (length - i) % 3 == 0)
            *to++ = ',';
        *to++ = digits[i];
    }
    *to = '\0';
    return text_copy(grouped);
}

char *pages_text(uint64_t pages)
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
    double size = 4.0 * (double)pages;
    unsigned unit = 0;

    while (size >= 1024 && unit + 1 < sizeof(units) / sizeof(units[0])) {
        size /= 1024;
        unit++;
    }
    return text(size < 100 && unit ? "%.1f %s" : "%.0f %s", size, units[unit]);
}
