/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Planted for the stack check: a call by pointer that the table does not know.
 *
 * WANTED: stack: planted_hook calls by pointer: it wants a line `indirect planted_hook ...`
 */
#include "lib/types.h"

void planted_hook(void (*hook)(void));

void planted_hook(void (*hook)(void))
{
    hook();
}
