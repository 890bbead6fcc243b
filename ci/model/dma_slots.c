/* SPDX-License-Identifier: BSD-2-Clause */
/* The pools' slots: what a bounced mapping may be given, and how many are in use. */
#include "ci/model/dma_state.h"
#include "drivers/bounce.h"

#define AREA_SLOTS (1u << BOUNCE_MIN_ORDER)

uint32_t slots_of(dma_addr_t dma, uint32_t size)
{
    return (uint32_t)((dma % SLOT_BYTES + size + SLOT_BYTES - 1) / SLOT_BYTES);
}

static bool slot_is_free(dma_addr_t slot)
{
    for (unsigned i = 0; i < MAX_MAPPINGS; i++) {
        const struct mapping *map = &m.mapping[i];

        if (map->live && map->bounced && map->dma - map->dma % SLOT_BYTES <= slot &&
            slot < map->dma + map->size)
            return false;
    }
    return true;
}

/* All slots of a block at `at` are free. */
static bool block_is_free(phys_addr_t at, uint32_t slots)
{
    for (uint32_t i = 0; i < slots; i++) {
        if (!slot_is_free(phys_to_dma(at) + (uint64_t)i * SLOT_BYTES))
            return false;
    }
    return true;
}

/*
 * Whether some pool had room to spare: one free block more than the one that is needed, since an
 * interrupt may have had it, of 2^n slots at a multiple of as many, in one area. Only of pools that
 * the device reaches wherever they grow.
 */
bool had_room(const struct device *dev, phys_addr_t phys, uint32_t size)
{
    uint32_t count = slots_of(phys_to_dma(phys), size), slots = 1;
    unsigned blocks = 0;

    while (slots < count)
        slots *= 2;
    if (slots > AREA_SLOTS || !reaches(dev, 0, count * SLOT_BYTES))
        return false;
    for (unsigned i = 0; i < NR_REGIONS; i++) {
        const struct region *region = &machine.region[i];
        uint64_t end = region->phys < MIB64(16) ? MIB64(16) : MIB64(256);

        if (region->kind != REGION_POOL || dma_make(end) - 1 > dev->dma_mask)
            continue;
        for (uint32_t at = 0; at < region->size; at += slots * SLOT_BYTES)
            blocks += block_is_free(region->phys + at, slots);
    }
    return blocks > 1;
}

void check_bounced(const struct device *dev, const struct mapping *map)
{
    const struct region *region = machine_region(dma_to_phys(map->dma), map->size);
    unsigned same = reaches(dev, phys_make(map->phys % SLOT_BYTES), map->size) ? SLOT_BYTES : 8;

    CHECK(region && region->kind == REGION_POOL && reaches(dev, dma_to_phys(map->dma), map->size),
          "0x%llx+%u bounces to 0x%llx, which the device can't use", (unsigned long long)map->phys,
          map->size, (unsigned long long)map->dma);
    CHECK((map->dma ^ map->phys) % same == 0, "0x%llx bounces to 0x%llx, otherwise aligned",
          (unsigned long long)map->phys, (unsigned long long)map->dma);
    for (unsigned i = 0; i < MAX_MAPPINGS; i++) {
        const struct mapping *other = &m.mapping[i];

        if (other != map && other->live && other->bounced)
            CHECK(map->dma / SLOT_BYTES + slots_of(map->dma, map->size) <=
                          other->dma / SLOT_BYTES ||
                      other->dma / SLOT_BYTES + slots_of(other->dma, other->size) <=
                          map->dma / SLOT_BYTES,
                  "slots at 0x%llx were given twice", (unsigned long long)map->dma);
    }
}

/* Slots of each pool: as many as the live mappings have, and never fewer at the peak. */
void check_slots(const uint32_t *slots)
{
    struct bounce_pool_info info;

    for (unsigned i = 0; bounce_pool_info(i, &info) && i < ARRAY_SIZE(m.peak_slots); i++) {
        m.peak_slots[i] = MAX(m.peak_slots[i], slots[i]);
        CHECK(info.used_bytes == slots[i] * SLOT_BYTES,
              "%u bytes of slots of pool %u are in use, %u wanted", info.used_bytes, i,
              slots[i] * SLOT_BYTES);
        CHECK(info.peak_bytes >= m.peak_slots[i] * SLOT_BYTES,
              "%u bytes of slots of pool %u were in use at most, %u at least wanted",
              info.peak_bytes, i, m.peak_slots[i] * SLOT_BYTES);
    }
}
