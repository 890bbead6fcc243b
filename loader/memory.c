/* SPDX-License-Identifier: BSD-2-Clause */
#include "loader/memory.h"

/* gcc calls these by name; string instructions keep it from turning the loops into such calls. */

void *memcpy(void *to, const void *from, size_t bytes)
{
    void *at = to;

    __asm__ volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(bytes) : : "memory");
    return to;
}

void *memmove(void *to, const void *from, size_t bytes)
{
    char *last_to = (char *)to + bytes - 1;
    const char *last_from = (const char *)from + bytes - 1;

    if ((char *)to <= (const char *)from || (char *)to >= (const char *)from + bytes)
        return memcpy(to, from, bytes);
    __asm__ volatile("std\n\trep movsb\n\tcld"
                     : "+D"(last_to), "+S"(last_from), "+c"(bytes)
                     :
                     : "memory");
    return to;
}

void *memset(void *to, int byte, size_t bytes)
{
    void *at = to;

    __asm__ volatile("rep stosb" : "+D"(at), "+c"(bytes) : "a"(byte) : "memory");
    return to;
}

int memcmp(const void *a, const void *b, size_t bytes)
{
    const unsigned char *x = a;
    const unsigned char *y = b;

    for (size_t i = 0; i < bytes; i++) {
        if (x[i] != y[i])
            return x[i] < y[i] ? -1 : 1;
    }
    return 0;
}

size_t strlen(const char *s)
{
    size_t length = 0;

    while (s[length]) {
        length++;
        __asm__ volatile("" : : "r"(length)); /* or gcc would see strlen() and call it */
    }
    return length;
}
