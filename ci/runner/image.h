/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_RUNNER_IMAGE_H
#define CI_RUNNER_IMAGE_H

/*
 * The media of a run: a floppy and disks whose every sector says what it is.
 *
 * A DMA test needs data on the far side that it can judge without having written it. So each
 * sector of 512 bytes carries its own address and a checksum, and the rest of it is a stream that
 * only this sector has: a transfer that lands a sector too far, that is cut short, or that brings
 * a byte of a neighbour, shows, and says where the data really came from. Equal arguments give
 * equal bytes on every host. All numbers are little endian:
 *
 *     offset  bytes  what
 *          0     16  the ASCII text "PAELOAD-SECTOR" and two NULs
 *         16      8  LBA: the sector's number on this medium, from 0
 *         24      4  image id: 1 floppy, 2 disk, 3 SATA disk, 4 written by a run
 *         28      4  CRC32C (Castagnoli) of the other 508 bytes: 0 to 27, then 32 to 511
 *         32    480  120 words of 4 bytes from xorshift32, seeded with
 *                    (uint32_t)LBA * 2654435761 + id; a seed of 0 is replaced by 1. Each word is
 *                    the state after one step: x ^= x << 13; x ^= x >> 17; x ^= x << 5
 *
 * The emulator gets the files of the run itself, writable: paeload writes to no disk that the boot
 * option destructive= does not name, and the runner proves it afterwards by comparing every sector.
 * (A snapshot would hide a write.) To a disk that is named it writes sectors of the image id 4, and
 * tells which; these, and no others, must be there then.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IMAGE_SECTOR_BYTES 512
#define IMAGE_MAGIC "PAELOAD-SECTOR\0" /* 16 bytes with the closing NUL */

enum image_id {
    IMAGE_FLOPPY = 1,
    IMAGE_DISK = 2,
    IMAGE_SATA = 3,
    IMAGE_WRITTEN = 4, /* what a run writes to a medium that it may write to */
};

#define IMAGE_FLOPPY_BYTES (UINT64_C(2880) * IMAGE_SECTOR_BYTES) /* 3.5 inch, 1.44 MB */
#define IMAGE_DISK_BYTES (16u << 20)

/* Fills `sector`, IMAGE_SECTOR_BYTES long, with what lies at `lba` of the medium `id`. */
void image_sector(uint8_t *sector, uint64_t lba, enum image_id id);

/*
 * Creates the file `path` with `bytes` bytes (a multiple of the sector size) of the medium `id`.
 * Returns 0 or a negative errno.
 */
int image_create(const char *path, enum image_id id, uint64_t bytes);

/* Sectors that the payload says it has written. */
struct image_range {
    uint64_t first, last;
};

/*
 * Compares the file with what image_create() wrote, and in the `count` ranges of `written` with the
 * same sectors of IMAGE_WRITTEN. Returns 0 when it is as it should be; 1 when it is not, with the
 * first sector that differs in *bad_lba (the sector after the last one when the length differs); a
 * negative errno when it can't be read.
 */
int image_verify(const char *path, enum image_id id, uint64_t bytes,
                 const struct image_range *written, size_t count, uint64_t *bad_lba);

#endif
