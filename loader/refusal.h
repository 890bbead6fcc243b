/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Why the loader will not go on: the check that failed, in words that end a sentence, and the value
 * that failed it. Code that reads the kernel's file or the firmware's map fills this in and knows
 * nothing of consoles; main.c says it.
 */
#ifndef LOADER_REFUSAL_H
#define LOADER_REFUSAL_H

#include <stdbool.h>
#include <stdint.h>

struct refusal {
    const char *check; /* static string */
    uint64_t value;
};

/* Fills in *why. Returns false, so that a check reads `return refuse(why, "...", value);`. */
static inline bool refuse(struct refusal *why, const char *check, uint64_t value)
{
    why->check = check;
    why->value = value;
    return false;
}

#endif
