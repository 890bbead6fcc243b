/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/string.h"

#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef strlen

/* Keeps the compiler from seeing a loop as the library function that it is the body of. */
#define NOT_AN_IDIOM() __asm__ volatile("")

void *memcpy(void *restrict dst, const void *restrict src, size_t size)
{
    void *to = dst;
    const void *from = src;
    size_t count = size / 4;

    __asm__ volatile("rep movsl" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
    count = size % 4;
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
    return dst;
}

/*
 * Downwards by a plain loop and not by STD: REP MOVS, so that no interrupt or fault ever meets code
 * with the direction flag set.
 */
static void copy_down(uint8_t *to, const uint8_t *from, size_t size)
{
    while (size % 4) {
        size--;
        to[size] = from[size];
        NOT_AN_IDIOM();
    }
    while (size) {
        uint32_t word;

        size -= 4;
        __builtin_memcpy(&word, from + size, 4);
        __builtin_memcpy(to + size, &word, 4);
        NOT_AN_IDIOM();
    }
}

void *memmove(void *dst, const void *src, size_t size)
{
    /* A copy upwards only harms if the target starts within the source. */
    if ((uintptr_t)dst - (uintptr_t)src >= size)
        return memcpy(dst, src, size);
    copy_down(dst, src, size);
    return dst;
}

void *memset(void *dst, int value, size_t size)
{
    uint32_t pattern = (uint8_t)value * UINT32_C(0x01010101);
    void *to = dst;
    size_t count = size / 4;

    __asm__ volatile("rep stosl" : "+D"(to), "+c"(count) : "a"(pattern) : "memory");
    count = size % 4;
    __asm__ volatile("rep stosb" : "+D"(to), "+c"(count) : "a"(pattern) : "memory");
    return dst;
}

int memcmp(const void *a, const void *b, size_t size)
{
    const uint8_t *x = a, *y = b;

    for (; size >= 4; size -= 4, x += 4, y += 4) {
        uint32_t left, right;

        __builtin_memcpy(&left, x, 4);
        __builtin_memcpy(&right, y, 4);
        if (left != right)
            break;
    }
    if (size > 4) /* they differ within the next word */
        size = 4;
    for (; size; size--, x++, y++)
        if (*x != *y)
            return *x - *y;
    return 0;
}

size_t strlen(const char *s)
{
    const char *end = s;

    for (; *end; end++)
        NOT_AN_IDIOM();
    return (size_t)(end - s);
}

size_t strnlen(const char *s, size_t max)
{
    size_t length = 0;

    for (; length < max && s[length]; length++)
        NOT_AN_IDIOM();
    return length;
}

int strncmp(const char *a, const char *b, size_t max)
{
    for (; max; max--, a++, b++) {
        if (*a != *b)
            return (uint8_t)*a - (uint8_t)*b;
        if (!*a)
            break;
    }
    return 0;
}

int strcmp(const char *a, const char *b)
{
    return strncmp(a, b, SIZE_MAX);
}

char *strchr(const char *s, int c)
{
    for (; *s != (char)c; s++)
        if (!*s)
            return NULL;
    return (char *)s;
}

char *strrchr(const char *s, int c)
{
    const char *found = NULL;

    for (;; s++) {
        if (*s == (char)c)
            found = s;
        if (!*s)
            return (char *)found;
    }
}

char *strstr(const char *text, const char *part)
{
    size_t length = strlen(part);

    for (;; text++) {
        if (strncmp(text, part, length) == 0)
            return (char *)text;
        if (!*text)
            return NULL;
    }
}
