/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/string.h"

bool str_copy(char *dst, size_t size, const char *src)
{
    size_t length;

    if (size == 0)
        return false;
    length = strnlen(src, size);
    if (length < size) {
        memcpy(dst, src, length + 1);
        return true;
    }
    memcpy(dst, src, size - 1);
    dst[size - 1] = '\0';
    return false;
}
