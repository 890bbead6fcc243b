/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Planted for the stack check: a table that speaks of a call by pointer that is not there any more.
 *
 * WANTED: stack: table, line 2: planted_direct calls nothing by pointer
 */
#include "lib/types.h"

unsigned planted_direct(unsigned x);

unsigned planted_direct(unsigned x)
{
    return x + 1;
}
