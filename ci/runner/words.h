/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_RUNNER_WORDS_H
#define CI_RUNNER_WORDS_H

/*
 * A growing list of strings: the argument vector of an emulator, the lines of a message.
 *
 * `at` is always ended by a NULL, so that it can be handed to execvp() once a word was added. The
 * list owns its strings. The host tools give up when memory is out: there is nothing to save then.
 */

#include <stdbool.h>
#include <stddef.h>

struct words {
    char **at;
    size_t count;
};

/* As in lib/types.h, which machine-side code has and host tools don't need otherwise. */
#define __printf_like(fmt, args) __attribute__((format(printf, fmt, args)))

/* Prints to a new string, for free(). Never NULL. */
char *text(const char *fmt, ...) __printf_like(1, 2);

/* Prints behind the string *s, which is for free() and may be NULL. */
void text_add(char **s, const char *fmt, ...) __printf_like(2, 3);

/* A copy of `s` for free(); NULL stays NULL. */
char *text_copy(const char *s);

/* Appends a printed word. */
void words_add(struct words *words, const char *fmt, ...) __printf_like(2, 3);

/* Appends words as they are; the list is ended by NULL. */
void words_add_all(struct words *words, const char *first, ...) __attribute__((sentinel));

/*
 * Appends what a shell would make of `line`: words parted by blanks, with '...', "..." and a
 * backslash protecting what follows. Nothing is expanded. Returns false when a quote stays open.
 */
bool words_split(struct words *words, const char *line);

/* The words with one blank between them, quoted so that a shell reads them back; for free(). */
char *words_join(const struct words *words);

/* `s` quoted for a shell where it needs to be; for free(). */
char *shell_quote(const char *s);

/* Frees all, and leaves an empty list. */
void words_free(struct words *words);

#endif
