/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Planted for the stack check: a frame whose size only the run knows.
 *
 * WANTED: stack: planted_copy takes from the stack what it likes: alloca() or a variable array
 */
#include "lib/types.h"

unsigned planted_copy(const char *from, unsigned bytes);

/* Or -Wstack-usage would refuse it first. */
#pragma GCC diagnostic ignored "-Wstack-usage="
unsigned planted_copy(const char *from, unsigned bytes)
{
    volatile char copy[bytes];
    unsigned sum = 0;

    for (unsigned i = 0; i < bytes; i++)
        copy[i] = from[i];
    for (unsigned i = 0; i < bytes; i++)
        sum += (unsigned char)copy[i];
    return sum;
}
