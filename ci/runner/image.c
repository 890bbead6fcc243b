// SPDX-License-Identifier: BSD-2-Clause
#include "ci/runner/image.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/crc32c.h"

enum sector_offset {
    AT_LBA = 16,
    AT_ID = 24,
    AT_CRC = 28,
    AT_STREAM = 32,
};

#define SEED_FACTOR UINT32_C(2654435761) /* Knuth's multiplicative hash, 2^32 / golden ratio */

static void put_le32(uint8_t *at, uint32_t value)
{
    for (unsigned i = 0; i < sizeof(value); i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

static uint32_t xorshift32(uint32_t x)
{
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return x;
}

void image_sector(uint8_t *sector, uint64_t lba, enum image_id id)
{
    uint32_t state = (uint32_t)lba * SEED_FACTOR + (uint32_t)id;

    memcpy(sector, IMAGE_MAGIC, sizeof(IMAGE_MAGIC));
    put_le32(sector + AT_LBA, (uint32_t)lba);
    put_le32(sector + AT_LBA + 4, (uint32_t)(lba >> 32));
    put_le32(sector + AT_ID, (uint32_t)id);
    if (!state)
        state = 1;
    for (unsigned at = AT_STREAM; at < IMAGE_SECTOR_BYTES; at += sizeof(state)) {
        state = xorshift32(state);
        put_le32(sector + at, state);
    }
    uint32_t crc = crc32c_update(0, sector, AT_CRC);
    crc = crc32c_update(crc, sector + AT_STREAM, IMAGE_SECTOR_BYTES - AT_STREAM);
    put_le32(sector + AT_CRC, crc);
}

int image_create(const char *path, enum image_id id, uint64_t bytes)
{
    uint8_t sector[IMAGE_SECTOR_BYTES];
    FILE *file = fopen(path, "wb");
    int error = 0;

    if (!file)
        return -errno;
    for (uint64_t lba = 0; lba < bytes / IMAGE_SECTOR_BYTES; lba++) {
        image_sector(sector, lba, id);
        if (fwrite(sector, sizeof(sector), 1, file) != 1) {
            error = -errno;
            break;
        }
    }
    if (fclose(file) && !error)
        error = -errno;
    return error;
}

static bool is_in(const struct image_range *ranges, size_t count, uint64_t lba)
{
    for (size_t i = 0; i < count; i++) {
        if (lba >= ranges[i].first && lba <= ranges[i].last)
            return true;
    }
    return false;
}

int image_verify(const char *path, enum image_id id, uint64_t bytes,
                 const struct image_range *written, size_t count, uint64_t *bad_lba)
{
    uint8_t want[IMAGE_SECTOR_BYTES], found[IMAGE_SECTOR_BYTES];
    FILE *file = fopen(path, "rb");
    uint64_t lba;
    int result = 0;

    if (!file)
        return -errno;
    for (lba = 0; lba < bytes / IMAGE_SECTOR_BYTES; lba++) {
        image_sector(want, lba, is_in(written, count, lba) ? IMAGE_WRITTEN : id);
        if (fread(found, sizeof(found), 1, file) != 1 || memcmp(want, found, sizeof(want))) {
            result = 1;
            break;
        }
    }
    if (!result && fgetc(file) != EOF)
        result = 1;
    if (ferror(file))
        result = -EIO;
    fclose(file);
    *bad_lba = lba;
    return result;
}
