/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The C library's four memory functions. The loader has no C library, but its pure parts are also
 * built and tested on a host that has one.
 */
#ifndef LOADER_MEMORY_H
#define LOADER_MEMORY_H

#if __STDC_HOSTED__
#include <string.h>
#else
#include <stddef.h>

void *memcpy(void *to, const void *from, size_t bytes);
void *memmove(void *to, const void *from, size_t bytes);
void *memset(void *to, int byte, size_t bytes);
int memcmp(const void *a, const void *b, size_t bytes);
size_t strlen(const char *s);
#endif

#endif
