/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef LIB_OPTION_H
#define LIB_OPTION_H

/*
 * Words of a kernel-style command line: `key`, `key=value`, `key="a value with spaces"`, and
 * `"key=a value with spaces"`, as GRUB passes a quoted word on. A quote that is never closed ends
 * with the line. Nothing is copied or changed: a word points into the line.
 *
 * Context: any, before paging too; needs no more than a 386.
 */

#include "lib/types.h"

struct option_word {
    const char *key; /* not ended by a zero */
    size_t key_len;
    const char *value; /* without the quotes around it; not ended by a zero */
    size_t value_len;
    bool has_value; /* there was an equals sign */
};

/*
 * Takes the next word from the line at `*cursor`, and leaves the cursor behind it.
 * Returns false if there is none.
 */
bool option_next(const char **cursor, struct option_word *word);

/* True if the word's key is `key`. */
bool option_is(const struct option_word *word, const char *key);

/*
 * A whole text as a number. base: 10, 16 (with or without 0x), or 0: 16 after 0x, else 10.
 * Returns 0, -EINVAL (not a number) or -ERANGE (more than 64 bits); *out changes on success only.
 */
int parse_u64(const char *s, size_t len, unsigned base, uint64_t *out);

/* A number of bytes: decimal or after 0x, then K, M, G or T (2^10 to 2^40, in either case) or none.
 */
int parse_size(const char *s, size_t len, uint64_t *out);

/* True if the whole of `text` is what `pattern` says: * is any text, ? any character. */
bool glob_match(const char *pattern, size_t pattern_len, const char *text);

/* True if one of the comma-separated patterns matches; an empty one matches nothing. */
bool list_match(const char *list, size_t len, const char *text);

#endif
