/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAYLOAD_TESTS_SECTOR_PATTERN_H
#define PAYLOAD_TESTS_SECTOR_PATTERN_H

/*
 * Disk images whose every sector is known, so that what a device reads can be checked without
 * trusting any device. The runner makes them; a disk is taken for one if its sector 0 begins
 * as it should. All numbers are little-endian:
 *
 *      0  "PAELOAD-SECTOR\0\0"
 *     16  u64 LBA
 *     24  u32 image id, so that one disk's sector is not taken for another's
 *     28  u32 CRC-32C of the other 508 bytes, in their order
 *     32  120 words of xorshift32 (Marsaglia, "Xorshift RNGs", 2003; shifts 13, 17, 5), each the
 *         state after a step, from the seed LBA * 2654435761 + id modulo 2^32, or 1 if that is 0
 */

#include "lib/types.h"

#define SECTOR_PATTERN_BYTES 512u

#define SECTOR_PATTERN_WRITTEN 4u /* the image id of what a run itself writes */

struct sector_pattern {
    uint8_t magic[16];
    uint64_t lba;
    uint32_t image_id;
    uint32_t crc;
    uint32_t stream[120];
};

_Static_assert(sizeof(struct sector_pattern) == SECTOR_PATTERN_BYTES, "a sector has 512 bytes");

/* Makes the sector `lba` of the image. */
void sector_pattern_make(struct sector_pattern *sector, uint64_t lba, uint32_t image_id);

/*
 * True if `sector` comes from such an image; then *image_id is which. Whether it is the right
 * sector, and whole, shows when it is compared.
 */
bool sector_pattern_is(const struct sector_pattern *sector, uint32_t *image_id);

#endif
