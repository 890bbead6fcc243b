/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_RUNNER_MARKUP_H
#define CI_RUNNER_MARKUP_H

/*
 * Text into HTML, of the kind that is XML as well, so that any XML parser can check it.
 *
 * What a serial line brings need not be text, nor well-meant: whatever comes from there goes
 * through put_text(), for the content of elements and for attributes in double quotes alike.
 */

#include <stdint.h>
#include <stdio.h>

#include "ci/runner/words.h"

/* Writes `s` (NULL: nothing), escaped; what is not printable ASCII becomes a question mark. */
void put_text(FILE *out, const char *s);

/* The same, printed first. */
void put_textf(FILE *out, const char *fmt, ...) __printf_like(2, 3);

/* Writes <NAME class="CLASS">TEXT</NAME>; NULL: no class. Only the text is escaped. */
void put_element(FILE *out, const char *name, const char *class, const char *s);

/* A row's cell with a number, its thousands parted for the eye. */
void put_number_cell(FILE *out, uint64_t value);

/* "12,345" and "1.5 MiB" (from pages of 4 KiB), for free(). */
char *grouped_text(uint64_t value);
char *pages_text(uint64_t pages);

#endif
