/* SPDX-License-Identifier: BSD-2-Clause */
#include "payload/tests/sector_pattern.h"
#include "lib/crc32c.h"
#include "lib/string.h"

#define SEED_FACTOR 2654435761u

static const char magic[16] = "PAELOAD-SECTOR";

static uint32_t xorshift32(uint32_t x)
{
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return x;
}

static uint32_t crc_of(const struct sector_pattern *sector)
{
    uint32_t crc = crc32c_update(0, sector, offsetof(struct sector_pattern, crc));

    return crc32c_update(crc, sector->stream, sizeof(sector->stream));
}

void sector_pattern_make(struct sector_pattern *sector, uint64_t lba, uint32_t image_id)
{
    uint32_t x = (uint32_t)lba * SEED_FACTOR + image_id;

    if (x == 0)
        x = 1;
    memcpy(sector->magic, magic, sizeof(magic));
    sector->lba = lba;
    sector->image_id = image_id;
    for (unsigned i = 0; i < ARRAY_SIZE(sector->stream); i++) {
        x = xorshift32(x);
        sector->stream[i] = x;
    }
    sector->crc = crc_of(sector);
}

bool sector_pattern_is(const struct sector_pattern *sector, uint32_t *image_id)
{
    if (memcmp(sector->magic, magic, sizeof(magic)) != 0)
        return false;
    *image_id = sector->image_id;
    return true;
}
