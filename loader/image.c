/* SPDX-License-Identifier: BSD-2-Clause */
#include "loader/image.h"
#include "loader/memory.h"

#define ADDRESS_SPACE_BYTES (UINT64_C(1) << 32)

static uint64_t segment_end(const struct image_segment *segment)
{
    return (uint64_t)segment->address + segment->memory_bytes;
}

void image_begin(struct image *image)
{
    memset(image, 0, sizeof(*image));
    image->base = ADDRESS_SPACE_BYTES;
}

bool image_add(struct image *image, size_t file_size, const struct image_segment *segment,
               struct refusal *why)
{
    if (segment->file_bytes > segment->memory_bytes)
        return refuse(why, "a segment has more bytes in the file than in memory",
                      segment->file_bytes);
    if (segment->memory_bytes == 0)
        return true;
    if ((uint64_t)segment->file_offset + segment->file_bytes > file_size)
        return refuse(why, "a segment reaches past the end of the file, to offset",
                      (uint64_t)segment->file_offset + segment->file_bytes);
    if (segment_end(segment) > ADDRESS_SPACE_BYTES)
        return refuse(why, "a segment reaches past 4 GiB, from address", segment->address);
    for (unsigned i = 0; i < image->nr_segments; i++) {
        const struct image_segment *other = &image->segments[i];

        if (segment->address < segment_end(other) && other->address < segment_end(segment))
            return refuse(why, "two segments want the same memory, at address",
                          segment->address > other->address ? segment->address : other->address);
    }
    if (image->nr_segments == IMAGE_MAX_SEGMENTS)
        return refuse(why, "too many segments, more than", IMAGE_MAX_SEGMENTS);

    image->segments[image->nr_segments++] = *segment;
    if (segment->address < image->base)
        image->base = segment->address;
    if (segment_end(segment) > image->end)
        image->end = segment_end(segment);
    return true;
}

bool image_set_entry(struct image *image, uint32_t entry, struct refusal *why)
{
    if (image->nr_segments == 0)
        return refuse(why, "nothing to load, segments", 0);
    for (unsigned i = 0; i < image->nr_segments; i++) {
        const struct image_segment *segment = &image->segments[i];

        if (entry >= segment->address && entry < segment_end(segment)) {
            image->entry = entry;
            return true;
        }
    }
    return refuse(why, "the entry lies outside of every segment, at address", entry);
}

void image_copy(const struct image *image, const void *file, void *memory)
{
    memset(memory, 0, (size_t)(image->end - image->base));
    for (unsigned i = 0; i < image->nr_segments; i++) {
        const struct image_segment *segment = &image->segments[i];

        memcpy((uint8_t *)memory + (size_t)(segment->address - image->base),
               (const uint8_t *)file + segment->file_offset, segment->file_bytes);
    }
}
