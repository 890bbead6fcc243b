/* SPDX-License-Identifier: BSD-2-Clause */
#include "payload/stack_use.h"
#include "payload/entry.h"

static uint32_t most; /* before the last stack_use_forget(), or since */

uint32_t stack_used_bytes(void)
{
    const uint32_t *word = (const uint32_t *)boot_stack;

    while ((uint32_t)word < (uint32_t)boot_stack_end && *word == 0)
        word++;
    most = MAX(most, (uint32_t)boot_stack_end - (uint32_t)word);
    return most;
}

void stack_use_forget(void)
{
    volatile uint32_t *word = (volatile uint32_t *)boot_stack;
    uint32_t here;

    /* The stack grows down: an interrupt's frame is gone again before the next word is cleared. */
    __asm__ volatile("movl %%esp, %0" : "=r"(here));
    while ((uint32_t)word < here)
        *word++ = 0;
}
