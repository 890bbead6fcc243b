// SPDX-License-Identifier: BSD-2-Clause
#include "ci/runner/words.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ci/array.h"

static void *must_have(void *memory)
{
    if (!memory) {
        fputs("runner: out of memory\n", stderr);
        abort();
    }
    return memory;
}

static char *text_va(const char *fmt, va_list args)
{
    char *result = NULL;

    if (vasprintf(&result, fmt, args) < 0)
        result = NULL;
    return must_have(result);
}

char *text(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    char *result = text_va(fmt, args);
    va_end(args);
    return result;
}

void text_add(char **s, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    char *more = text_va(fmt, args), *whole = text("%s%s", *s ? *s : "", more);
    va_end(args);
    free(more);
    free(*s);
    *s = whole;
}

char *text_copy(const char *s)
{
    return s ? must_have(strdup(s)) : NULL;
}

/* Takes over `word`. */
static void append(struct words *words, char *word)
{
    /* And for the NULL behind it. */
    words->at = array_more(words->at, words->count + 1, sizeof(*words->at));
    words->at[words->count++] = word;
}

void words_add(struct words *words, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    append(words, text_va(fmt, args));
    va_end(args);
}

void words_add_all(struct words *words, const char *first, ...)
{
    va_list args;

    va_start(args, first);
    for (const char *word = first; word; word = va_arg(args, const char *))
        append(words, text_copy(word));
    va_end(args);
}

bool words_split(struct words *words, const char *line)
{
    char *word = must_have(malloc(strlen(line) + 1));
    size_t length = 0;
    bool in_word = false;
    char quote = '\0';

    for (const char *c = line; *c; c++) {
        if (quote && *c == quote) {
            quote = '\0';
        } else if (!quote && (*c == '\'' || *c == '"')) {
            quote = *c;
            in_word = true;
        } else if (quote != '\'' && *c == '\\' && c[1]) {
            word[length++] = *++c;
            in_word = true;
        } else if (!quote && strchr(" \t\n", *c)) {
            if (in_word)
                words_add(words, "%.*s", (int)length, word);
            length = 0;
            in_word = false;
        } else {
            word[length++] = *c;
            in_word = true;
        }
    }
    if (in_word)
        words_add(words, "%.*s", (int)length, word);
    free(word);
    return !quote;
}

char *shell_quote(const char *s)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "%+,-./:=@_";
    char *quoted, *out;

    if (*s && !s[strspn(s, plain)])
        return text_copy(s);
    out = quoted = must_have(malloc(4 * strlen(s) + 3));
    *out++ = '\'';
    for (; *s; s++) {
        if (*s == '\'')
            out = stpcpy(out, "'\\''");
        else
            *out++ = *s;
    }
    *out++ = '\'';
    *out = '\0';
    return quoted;
}

char *words_join(const struct words *words)
{
    char *line = text_copy("");

    for (size_t i = 0; i < words->count; i++) {
        char *quoted = shell_quote(words->at[i]);

        text_add(&line, "%s%s", i ? " " : "", quoted);
        free(quoted);
    }
    return line;
}

void words_free(struct words *words)
{
    for (size_t i = 0; i < words->count; i++)
        free(words->at[i]);
    free(words->at);
    *words = (struct words){0};
}
