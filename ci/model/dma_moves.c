/* SPDX-License-Identifier: BSD-2-Clause */
/* What happens to a mapping while it lives: syncs, and what the device and the processor do. */
#include <string.h>

#include "ci/model/dma_state.h"
#include "drivers/bounce.h"
#include "drivers/bounce_copy.h"
#include "drivers/dma_track.h"

#define GUARD_BYTES 32u
#define OVERRUN_BYTE 0x55u

/* Syncs */

/* The mapping that the operation names, and a part of it; NULL if there is none. */
static struct mapping *pick_part(const struct op *op, bool (*is)(const struct mapping *map),
                                 uint32_t *from, uint32_t *bytes)
{
    struct mapping *map = pick_mapping(op->arg, is);

    if (!map)
        return NULL;
    *from = op->offset % map->size;
    *bytes = (op->size - 1u) % (map->size - *from) + 1;
    if (op->more % 2) {
        *from = 0;
        *bytes = map->size;
    }
    return map;
}

/* The direction that a sync may name: of a bidirectional one, any. */
static enum dma_data_direction sync_dir(const struct op *op, const struct mapping *map)
{
    return map->dir == DMA_BIDIRECTIONAL ? (enum dma_data_direction)op->dir : map->dir;
}

static void expect_sync(struct mapping *map, uint32_t from, uint32_t bytes,
                        enum dma_data_direction dir, bool for_cpu)
{
    if (!map->bounced && !is_watched(map))
        return;
    if (for_cpu)
        expect_untouched(map);
    if (map->bounced && !for_cpu)
        to_device(map, from, bytes);
    else if (map->bounced && dir != DMA_TO_DEVICE)
        from_device(map, from, bytes);
    memset(map->is_cpu + from, for_cpu, bytes);
    buffer_now(map, map->held);
}

/*
 * Whether the layer has a place for what the part would leave: not more parts of the processor's
 * than it can tell, and an entry, if the mapping needs one for that.
 */
static bool can_sync(const struct mapping *map, uint32_t from, uint32_t bytes, bool for_cpu)
{
    unsigned parts = 0;
    bool last = false;

    if (!map->bounced && !is_watched(map))
        return true;
    for (uint32_t i = 0; i < map->size; i++) {
        bool is_cpu = i >= from && i < from + bytes ? for_cpu : map->is_cpu[i];

        parts += is_cpu && !last;
        last = is_cpu;
    }
    return parts <= DMA_CPU_PARTS && table_used() < DMA_NR_ENTRIES;
}

typedef void sync_fn(struct device *dev, dma_addr_t addr, uint32_t size,
                     enum dma_data_direction dir);

static void sync_part(const struct op *op, sync_fn *sync, bool for_cpu)
{
    uint32_t from, bytes;
    struct mapping *map = pick_part(op, mapping_is_any, &from, &bytes);

    if (!map || !can_sync(map, from, bytes, for_cpu))
        return;
    expect_sync(map, from, bytes, sync_dir(op, map), for_cpu);
    sync(&m.dev[map->dev], map->dma + from, bytes, sync_dir(op, map));
}

void do_sync_cpu(const struct op *op)
{
    sync_part(op, dma_sync_single_for_cpu, true);
}

void do_sync_device(const struct op *op)
{
    sync_part(op, dma_sync_single_for_device, false);
}

void do_sync_wrong(const struct op *op)
{
    struct mapping *map = pick_mapping(op->arg, mapping_is_any);
    sync_fn *sync = op->more / 4 % 2 ? dma_sync_single_for_cpu : dma_sync_single_for_device;
    uint32_t from;

    if (op->more % 4 == 3) {
        want_finding(op->dev, DMA_FINDING_UNKNOWN);
        sync(&m.dev[op->dev], dma_make(NOWHERE + op->offset % PAGE_SIZE), op->size,
             (enum dma_data_direction)op->dir);
        return;
    }
    if (!map)
        return;
    from = op->offset % map->size;
    if (op->more % 4 == 2) {
        if (map->dir == DMA_BIDIRECTIONAL)
            return;
        want_finding(map->dev, DMA_FINDING_WRONG_DIRECTION);
        sync(&m.dev[map->dev], map->dma + from, map->size - from,
             (enum dma_data_direction)((map->dir + 1u + op->dir % 2) % 3));
        return;
    }
    want_finding(map->dev, DMA_FINDING_WRONG_SIZE);
    sync(&m.dev[map->dev], map->dma + from, op->more % 4 ? map->size - from + 1 : 0, map->dir);
}

void sync_whole(struct mapping *map, bool for_cpu)
{
    expect_sync(map, 0, map->size, map->dir, for_cpu);
}

/* The others: device and processor */

static uint8_t *bus_part(const struct mapping *map, uint32_t from, uint32_t bytes)
{
    const char *why;
    uint8_t *bus = machine_bus(&m.dev[map->dev], map->dma + from, bytes, &why);

    if (!bus)
        broke("the device can't reach 0x%llx+%u: %s", (unsigned long long)map->dma + from, bytes,
              why);
    return bus;
}

/* Where the model keeps what the device sees. */
static uint8_t *seen(struct mapping *map, uint32_t from)
{
    return map->bounced ? map->slot + from : want_ram(map->phys + from);
}

void do_device_write(const struct op *op)
{
    uint32_t from, bytes;
    struct mapping *map = pick_part(op, is_writable, &from, &bytes);
    uint8_t *bus;

    if (!map)
        return;
    bus = bus_part(map, from, bytes);
    if (!bus)
        return;
    new_bytes(bus, bytes);
    memcpy(seen(map, from), bus, bytes);
}

void do_device_read(const struct op *op)
{
    uint32_t from, bytes;
    struct mapping *map = pick_part(op, mapping_is_any, &from, &bytes);
    uint8_t *bus;

    if (!map)
        return;
    bus = bus_part(map, from, bytes);
    if (bus)
        CHECK(!memcmp(bus, seen(map, from), bytes),
              "the device sees other bytes in 0x%llx+%u at 0x%llx", (unsigned long long)map->phys,
              map->size, (unsigned long long)map->dma);
}

void do_device_overrun(const struct op *op)
{
    struct mapping *map = pick_mapping(op->arg, is_guarded);
    uint32_t room;

    if (!map)
        return;
    room =
        (uint32_t)(op->more % 2 ? map->dma % SLOT_BYTES
                                : (SLOT_BYTES - (map->dma + map->size) % SLOT_BYTES) % SLOT_BYTES);
    room = MIN(room, GUARD_BYTES);
    if (room == 0)
        return;
    room = op->offset % room;
    *machine_ram(dma_to_phys(op->more % 2 ? map->dma - 1 - room : map->dma + map->size + room), 1) =
        OVERRUN_BYTE;
    map->overrun = true;
}

static void cpu_write(phys_addr_t phys, uint32_t size)
{
    uint8_t *bytes = want_ram(phys);

    new_bytes(bytes, size);
    memcpy(machine_ram(phys, size), bytes, size);
}

void do_cpu_write(const struct op *op)
{
    cpu_write(machine.region[op->arg % MODEL_PLACES].phys + op->offset, op->size);
}

void do_cpu_write_mapped(const struct op *op)
{
    uint32_t from, bytes;
    struct mapping *map = pick_part(op, mapping_is_any, &from, &bytes);

    if (!map)
        return;
    cpu_write(map->phys + from, bytes);
}
