/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_ARRAY_H
#define CI_ARRAY_H

/*
 * Arrays on the heap that grow at their end. How many elements there is room for follows from how
 * many there are: it doubles when the count is a power of two. The host tools give up when memory
 * is out: there is nothing to save then.
 */

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* Makes room for element number `count`, of `size` bytes, and clears it. array may be NULL. */
static inline void *array_more(void *array, size_t count, size_t size)
{
    if (!array || !(count & (count - 1))) {
        array = realloc(array, (count ? 2 * count : 1) * size);
        if (!array)
            abort();
    }
    memset((char *)array + count * size, 0, size);
    return array;
}

/* Appends an element, all 0, to *array, which has *count. Gives its address. */
#define array_add(array, count) \
    (*(array) = array_more(*(array), *(count), sizeof(**(array))), &(*(array))[(*(count))++])

#endif
