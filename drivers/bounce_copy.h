/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DRIVERS_BOUNCE_COPY_H
#define DRIVERS_BOUNCE_COPY_H

/*
 * What goes between a buffer and its slots: contents, marks that tell what a device has not
 * written, and guards that tell what it should not have.
 *
 * Marks stand in the slots of a mapping that the device is to write: 8 bytes at every multiple of
 * BOUNCE_MARK_STEP from its start, and its last 8. The piece from a mark to the next counts as
 * unwritten while the mark is there, where both are looked at: a range that begins behind a mark
 * shows nothing up to the next. Guards stand in up to BOUNCE_GUARD_BYTES on each side of a
 * buffer that the device writes to, as far as its first and last slot have room.
 */

#include "drivers/dma.h"

#define BOUNCE_MARK_BYTES 8u
#define BOUNCE_MARK_STEP 1024u
#define BOUNCE_GUARD_BYTES 32u

/* A bounced mapping, or a part of one that starts with it. */
struct bounced {
    struct device *dev;
    phys_addr_t phys;
    uint8_t *slot;
    uint32_t size;
};

extern uint32_t bounce_marks[BOUNCE_MARK_BYTES / sizeof(uint32_t)];

/* Chooses this boot's marks. */
void bounce_copy_init(void);

/* `size` bytes from `from` on, of the buffer to the slots. False if there was no window. */
bool bounce_copy_in(const struct bounced *b, uint32_t from, uint32_t size);

/* The same bytes to the buffer. */
bool bounce_copy_out(const struct bounced *b, uint32_t from, uint32_t size);

/* Calls `step` for each part of the buffer that lies in one page, with a window to it. */
bool bounce_for_each_part(phys_addr_t phys, uint32_t size,
                          void (*step)(void *ctx, void *window, uint32_t bytes), void *ctx);

/* Puts the marks that lie wholly in [from, from + size) of the mapping into their places. */
void bounce_mark(const struct bounced *b, uint32_t from, uint32_t size);

/* The offset of the first mark in the range that is still there, or b->size. */
uint32_t bounce_find_mark(const struct bounced *b, uint32_t from, uint32_t size);

/* Copies the range out, but for the pieces whose marks are still there. */
bool bounce_copy_written(const struct bounced *b, uint32_t from, uint32_t size);

void bounce_guard(const struct bounced *b);
bool bounce_guards_intact(const struct bounced *b);

#endif
