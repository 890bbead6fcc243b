/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_TRACE_IMAGE_H
#define CI_TRACE_IMAGE_H

/*
 * The traced program as its linker and its compiler know it: functions, source lines, the bytes of
 * its instructions, and which of them relocation changes. All of it is looked up by link address,
 * in tables with an entry for each byte of text, since it is asked for each traced instruction.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct image_symbol {
    uint32_t address;
    uint32_t function; /* index of its function, when it begins one */
    char *name;
};

/* A place in the source; file 0 is "unknown". */
struct image_place {
    uint32_t file, line;
};

#define IMAGE_NO_FUNCTION UINT32_MAX

struct image {
    uint32_t start, end; /* of the text, link addresses */
    uint8_t *bytes;      /* as linked */
    uint32_t *function;  /* for each byte of text: index into functions, or IMAGE_NO_FUNCTION */
    struct image_place *place;
    uint8_t *relocated; /* for each byte of text: 1 if four bytes here are an address */
    uint8_t *patchable; /* 1 if a mutation may put a jump here */
    char **functions;   /* names; a ".cold" part belongs to its function */
    uint32_t *function_start;
    size_t nr_functions;
    char **files;
    size_t nr_files;
    struct image_symbol *symbols; /* of text and data, by address */
    size_t nr_symbols;
    uint32_t crc32c; /* of the text as linked: two equal builds have the same */
};

/*
 * Reads an ELF32 file with DWARF line tables. Returns 0 or a negative errno with *message, for
 * free().
 */
int image_open(struct image *image, const char *path, char **message);

/* The link address of a symbol. Returns false if there is none of that name. */
bool image_find(const struct image *image, const char *name, uint32_t *address);

/* True if `address` is one of the text. */
static inline bool image_has(const struct image *image, uint32_t address)
{
    return address >= image->start && address < image->end;
}

/* The symbol at or before `address`, or NULL. */
const struct image_symbol *image_symbol_at(const struct image *image, uint32_t address);

/*
 * Compares `length` bytes that ran at link address `address`, with `slide` added to all addresses
 * in them, with those that were linked. False if they are not the same instruction.
 */
bool image_same_bytes(const struct image *image, uint32_t address, uint32_t slide,
                      const uint8_t *bytes, size_t length);

void image_close(struct image *image);

#endif
