/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a kernel's file asks to have in memory: ranges of physical memory, each filled from the file
 * and then with zeros, and an entry address. Both ways to say so, an ELF program header table and
 * Multiboot's address tag, end here, and both may lie: a range is taken only if every byte of it
 * exists in the file, and if no other range wants the same memory.
 *
 * Addresses are those that the image was linked for. If it is put elsewhere, all of them move by
 * the same distance.
 *
 * Pure: no firmware, no allocation, tested on the host.
 */
#ifndef LOADER_IMAGE_H
#define LOADER_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "loader/refusal.h"

#define IMAGE_MAX_SEGMENTS 32

struct image_segment {
    uint32_t address;      /* physical */
    uint32_t memory_bytes; /* what file_bytes does not fill is cleared */
    uint32_t file_offset;
    uint32_t file_bytes;
};

struct image {
    struct image_segment segments[IMAGE_MAX_SEGMENTS];
    unsigned nr_segments;
    uint64_t base;  /* lowest address of any segment */
    uint64_t end;   /* past the highest one, at most 4 GiB */
    uint32_t entry; /* physical, inside a segment */
};

/* Begins an image without segments. */
void image_begin(struct image *image);

/*
 * Adds one range. A segment without memory is nothing, and is taken silently.
 *
 * file_size: bytes of the file that the segment's offset refers to.
 * Returns false, and why, for: more bytes in the file than in memory, bytes past the end of the
 * file, memory past 4 GiB, memory that another segment has, too many segments.
 */
bool image_add(struct image *image, size_t file_size, const struct image_segment *segment,
               struct refusal *why);

/*
 * Sets where to enter. Call it after the last image_add().
 *
 * Returns false, and why, if there is no segment or `entry` lies in none.
 */
bool image_set_entry(struct image *image, uint32_t entry, struct refusal *why);

/*
 * Fills memory with the image: segments at their distance from image->base, zeros elsewhere.
 *
 * memory: image->end - image->base bytes, standing for the one that begins at image->base.
 * file: the file that the segments were checked against.
 */
void image_copy(const struct image *image, const void *file, void *memory);

#endif
