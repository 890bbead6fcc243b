/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Planted for the stack check: a stack of 256 bytes, and a path that takes more.
 *
 * WANTED: bytes too many on planted
 */
#include "lib/types.h"

void planted_entry(void);

__asm__(".section .bss\n"
        "planted_stack: .skip 256\n"
        "planted_stack_end:\n"
        ".text\n");

static __attribute__((noinline)) void fill(volatile char *text, unsigned bytes)
{
    while (bytes--)
        text[bytes] = 0;
}

void planted_entry(void)
{
    volatile char text[300];

    fill(text, sizeof(text));
}
