/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef LIB_STRING_H
#define LIB_STRING_H

/*
 * Memory and strings, as in ISO C11, 7.24. On the host these are the C library's.
 *
 * The functions exist for the compiler as well, which calls four of them by itself. Calls with a
 * known small size are expanded in place. Context: any, before paging too; they need no more than a
 * 386 and never set the direction flag.
 */

#include "lib/types.h"

#if __STDC_HOSTED__
#include <string.h>
#else

void *memcpy(void *restrict dst, const void *restrict src, size_t size);
void *memmove(void *dst, const void *src, size_t size);
void *memset(void *dst, int value, size_t size);
int memcmp(const void *a, const void *b, size_t size);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t max);
char *strchr(const char *s, int c);
char *strrchr(const char *s, int c);
char *strstr(const char *text, const char *part);

/* Variadic, so that a compound literal may be an argument. */
#define memcpy(...) __builtin_memcpy(__VA_ARGS__)
#define memmove(...) __builtin_memmove(__VA_ARGS__)
#define memset(...) __builtin_memset(__VA_ARGS__)
#define memcmp(...) __builtin_memcmp(__VA_ARGS__)
#define strlen(...) __builtin_strlen(__VA_ARGS__)

#endif

/*
 * Copies the text `src` to `dst`, which has room for `size` bytes, and ends it with a zero.
 * Returns false if the text was cut to fit; with a size of 0 nothing is written.
 */
bool str_copy(char *dst, size_t size, const char *src);

#endif
