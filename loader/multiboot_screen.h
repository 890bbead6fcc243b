/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef LOADER_MULTIBOOT_SCREEN_H
#define LOADER_MULTIBOOT_SCREEN_H

/*
 * The screen, in the layout that both versions of Multiboot have for it ("Multiboot Specification
 * version 0.6.96", section 3.3; "Multiboot2 Specification version 2.0", section 3.6.12).
 */

#include <stdint.h>

#define MULTIBOOT_SCREEN_INDEXED 0
#define MULTIBOOT_SCREEN_RGB 1
#define MULTIBOOT_SCREEN_TEXT 2

struct multiboot_screen {
    uint64_t address;
    uint32_t pitch_bytes;   /* of a line */
    uint32_t width, height; /* in pixels, or characters for text */
    uint8_t bits_per_pixel; /* 16 for text */
    uint8_t kind;           /* MULTIBOOT_SCREEN_* */
} __attribute__((packed));

/* Follows it for MULTIBOOT_SCREEN_RGB. */
struct multiboot_rgb {
    struct multiboot_colour {
        uint8_t position; /* number of the lowest bit */
        uint8_t bits;
    } red, green, blue;
};

#endif
