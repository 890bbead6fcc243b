/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAYLOAD_SYMBOLS_H
#define PAYLOAD_SYMBOLS_H

/* Names of functions, from a table that the build puts at the end of the image's constants. */

#include "lib/types.h"

struct symbol_place {
    const char *name;
    uint32_t offset; /* of the address within the function */
};

/* The function that holds the address. False if it is not in the payload's text. Context: any. */
bool symbol_find(uint32_t addr, struct symbol_place *place);

/*
 * Copies the text to out (size bytes, ended by a NUL), with each address after the word "by" as the
 * function that holds it: "by 0x00101234" becomes "by case_counts+0x34". Returns how many there
 * were. Context: any.
 */
unsigned symbol_name_callers(const char *text, char *out, size_t size);

#endif
