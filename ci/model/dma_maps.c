/* SPDX-License-Identifier: BSD-2-Clause */
/* Streaming mappings, one by one: what each call must do to the bytes, and which findings it makes.
 */
#include <string.h>

#include "ci/model/dma_state.h"
#include "drivers/bounce.h"
#include "drivers/dma_track.h"

#define NOWHERE MIB64(4) /* RAM that is never mapped */
#define GUARD_BYTES 32u
#define OVERRUN_BYTE 0x55u

/* Which there are */

struct mapping *pick_mapping(unsigned which, bool (*is)(const struct mapping *map))
{
    unsigned count = 0;

    for (unsigned i = 0; i < MAX_MAPPINGS; i++)
        count += m.mapping[i].live && is(&m.mapping[i]);
    for (unsigned i = 0, left = count ? which % count : 0; i < MAX_MAPPINGS && count; i++) {
        if (m.mapping[i].live && is(&m.mapping[i]) && left-- == 0)
            return &m.mapping[i];
    }
    return NULL;
}

bool mapping_is_any(const struct mapping *map)
{
    return map->live;
}

static bool is_single(const struct mapping *map)
{
    return !map->in_list;
}

static bool is_bounced(const struct mapping *map)
{
    return map->bounced;
}

static bool is_writable(const struct mapping *map)
{
    return map->dir != DMA_TO_DEVICE && !map->cpu_owns;
}

unsigned table_used(void)
{
    unsigned used = machine.coherent_out;

    for (unsigned i = 0; i < MAX_MAPPINGS; i++)
        used += m.mapping[i].live;
    return used;
}

void note_added(void)
{
    m.adds++;
}

void note_ended(unsigned dev, dma_addr_t dma)
{
    m.ended[m.nr_ended++ % MAX_ENDED] =
        (struct ended){dev, dma, m.adds + machine.coherent_allocs, DMA_MAX_MAPPINGS - table_used()};
}

/* Maps */

static bool shares(const struct mapping *map, phys_addr_t phys, uint32_t size)
{
    return map->live && map->phys < phys + size && phys < map->phys + map->size;
}

/* The model keeps a device's own mappings apart, so that an address is one mapping's only. */
bool is_mapped_by(unsigned dev, phys_addr_t phys, uint32_t size)
{
    for (unsigned i = 0; i < MAX_MAPPINGS; i++) {
        if (m.mapping[i].dev == dev && shares(&m.mapping[i], phys, size))
            return true;
    }
    return false;
}

bool overlaps(phys_addr_t phys, uint32_t size, enum dma_data_direction dir)
{
    for (unsigned i = 0; i < MAX_MAPPINGS; i++) {
        if (shares(&m.mapping[i], phys, size) &&
            (dir != DMA_TO_DEVICE || m.mapping[i].dir != DMA_TO_DEVICE))
            return true;
    }
    return false;
}

static uint32_t slots_of(dma_addr_t dma, uint32_t size)
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

/* Whether some pool had room to spare: a run that is longer than is needed, in one block. */
static bool had_room(const struct device *dev, phys_addr_t phys, uint32_t size)
{
    uint32_t count = slots_of(phys_to_dma(phys), size) + 1;

    for (unsigned i = 0; i < NR_REGIONS; i++) {
        const struct region *region = &machine.region[i];
        uint32_t run = 0;

        if (region->kind != REGION_POOL || region->phys + region->size - 1 > dev->dma_mask)
            continue;
        for (uint32_t at = 0; at < region->size; at += SLOT_BYTES) {
            phys_addr_t slot = region->phys + at;

            run = slot_is_free(phys_to_dma(slot)) ? run + 1 : 0;
            while (run > 0 && !reaches(dev, slot + SLOT_BYTES - run * SLOT_BYTES, run * SLOT_BYTES))
                run--;
            if (run == count)
                return true;
        }
    }
    return false;
}

static void check_bounced(const struct device *dev, const struct mapping *map)
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

static void buffer_now(const struct mapping *map, uint8_t *bytes)
{
    memcpy(bytes, want_ram(map->phys), map->size);
}

/* A mapping that the layer has made, entered. */
struct mapping *mapping_enter(unsigned dev, phys_addr_t phys, dma_addr_t dma, uint32_t size,
                              enum dma_data_direction dir)
{
    bool direct = reaches(&m.dev[dev], phys, size);
    struct mapping *map = m.mapping;

    while (map->live)
        map++;
    map->dev = dev;
    map->phys = phys;
    map->dma = dma;
    map->size = size;
    map->dir = dir;
    map->live = true;
    map->bounced = !direct;
    map->cpu_owns = map->overrun = map->in_list = false;
    note_added();
    m.want[dev].maps++;
    m.result->count[direct ? COUNT_DIRECT : COUNT_BOUNCED]++;
    if (direct) {
        m.want[dev].direct++;
        CHECK(dma == phys_to_dma(phys), "0x%llx, in reach, is mapped at 0x%llx",
              (unsigned long long)phys, (unsigned long long)dma);
        return map;
    }
    m.want[dev].bounced++;
    m.want[dev].bounced_bytes += size;
    check_bounced(&m.dev[dev], map);
    buffer_now(map, map->slot);
    buffer_now(map, map->held);
    return map;
}

/*
 * A map failed. Where that was for want of an entry in the table, it may have got its slots first:
 * then it has copied, and has seen an overlap.
 */
void expect_failed(unsigned dev, phys_addr_t phys, uint32_t size, bool overlapped)
{
    const struct dma_counters *counters = &m.dev[dev].counters;
    struct dma_counters *want = &m.want[dev];

    m.result->count[COUNT_FULL]++;
    want->errors++;
    if (!reaches(&m.dev[dev], phys, size) && counters->bounced_bytes == want->bounced_bytes + size)
        want->bounced_bytes += size;
    if (overlapped && counters->finding[DMA_FINDING_OVERLAP] > want->finding[DMA_FINDING_OVERLAP])
        want_finding(dev, DMA_FINDING_OVERLAP);
}

/* What one map has come to. */
static void mapped(const struct op *op, phys_addr_t phys, uint32_t size, dma_addr_t dma,
                   bool overlapped, unsigned used)
{
    struct device *dev = &m.dev[op->dev];
    bool direct = reaches(dev, phys, size);

    if (dev->max_segment_bytes && size > dev->max_segment_bytes) {
        want_finding(op->dev, DMA_FINDING_BAD_ARGUMENT);
        m.want[op->dev].errors++;
        CHECK(dma_mapping_error(dev, dma), "%u bytes are mapped, %u at most", size,
              dev->max_segment_bytes);
        return;
    }
    if (!dma_mapping_error(dev, dma)) {
        CHECK(used < DMA_MAX_MAPPINGS, "mapping %u of %u", used + 1, DMA_MAX_MAPPINGS);
        if (overlapped)
            want_finding(op->dev, DMA_FINDING_OVERLAP);
        mapping_enter(op->dev, phys, dma, size, (enum dma_data_direction)op->dir);
        return;
    }
    expect_failed(op->dev, phys, size, overlapped);
    CHECK(used == DMA_MAX_MAPPINGS || (!direct && !had_room(dev, phys, size)),
          "0x%llx+%u could not be mapped, with room for it", (unsigned long long)phys, size);
}

static void map_at(const struct op *op, unsigned place)
{
    phys_addr_t base = machine.region[place].phys, phys = base + op->offset;
    bool overlapped = overlaps(phys, op->size, (enum dma_data_direction)op->dir);
    unsigned used = table_used();
    struct device *dev = &m.dev[op->dev];
    dma_addr_t dma;

    if (is_mapped_by(op->dev, phys, op->size))
        return;
    if (op->kind == OP_MAP_SINGLE)
        dma = dma_map_single(dev, machine_ram(phys, op->size), op->size,
                             (enum dma_data_direction)op->dir);
    else if (op->more % 2)
        dma = dma_map_page(dev, phys_to_page(base), op->offset, op->size,
                           (enum dma_data_direction)op->dir);
    else
        dma = dma_map_page(dev, phys_to_page(phys), phys % PAGE_SIZE, op->size,
                           (enum dma_data_direction)op->dir);
    mapped(op, phys, op->size, dma, overlapped, used);
}

void do_map(const struct op *op)
{
    map_at(op, op->arg % MODEL_PLACES);
}

void do_map_single(const struct op *op)
{
    map_at(op, op->arg % 2); /* the others are highmem */
}

void do_map_bad(const struct op *op)
{
    struct device *dev = &m.dev[op->dev];
    struct page *page = phys_to_page(machine.region[op->arg % MODEL_PLACES].phys);
    struct scatterlist none = {.page = page};
    enum dma_data_direction dir = (enum dma_data_direction)op->dir;
    dma_addr_t dma = DMA_MAPPING_ERROR;

    switch (op->more % 4) {
    case 0:
        dma = dma_map_page(dev, page, op->offset % PAGE_SIZE, 0, dir);
        break;
    case 1:
        if (!dev->max_segment_bytes)
            return;
        dma = dma_map_page(dev, page, 0, dev->max_segment_bytes + 1, dir);
        break;
    case 2:
        dma = dma_map_page(dev, page, op->offset % PAGE_SIZE, 16, (enum dma_data_direction)3);
        break;
    default:
        if (dma_map_sg(dev, &none, 0, dir) != 0)
            broke("a list of nothing is mapped");
        break;
    }
    want_finding(op->dev, DMA_FINDING_BAD_ARGUMENT);
    m.want[op->dev].errors++;
    CHECK(dma_mapping_error(dev, dma), "a bad argument is mapped at 0x%llx",
          (unsigned long long)dma);
}

/* Ends */

static void expect_untouched(struct mapping *map)
{
    if (m.dev[map->dev].check_ownership && map->bounced && !map->cpu_owns &&
        memcmp(map->held, want_ram(map->phys), map->size) != 0)
        want_finding(map->dev, DMA_FINDING_NOT_SYNCED);
}

void mapping_ends(struct mapping *map)
{
    m.want[map->dev].unmaps++;
    map->live = false;
    note_ended(map->dev, map->dma);
    if (!map->bounced)
        return;
    expect_untouched(map);
    if (map->overrun)
        want_finding(map->dev, DMA_FINDING_OVERRUN);
    if (map->dir == DMA_TO_DEVICE || map->cpu_owns)
        return;
    memcpy(want_ram(map->phys), map->slot, map->size);
    m.want[map->dev].bounced_bytes += map->size;
}

static void unmap(struct mapping *map, uint32_t size, enum dma_data_direction dir, bool by_single)
{
    mapping_ends(map);
    if (by_single)
        dma_unmap_single(&m.dev[map->dev], map->dma, size, dir);
    else
        dma_unmap_page(&m.dev[map->dev], map->dma, size, dir);
}

void do_unmap(const struct op *op)
{
    struct mapping *map = pick_mapping(op->arg, is_single);

    if (map)
        unmap(map, map->size, map->dir, op->more % 2);
}

void do_unmap_wrong(const struct op *op)
{
    struct mapping *map = pick_mapping(op->arg, is_single);
    unsigned wrong = op->more % 3 + 1; /* bit 0: size, bit 1: direction */
    uint32_t size;
    enum dma_data_direction dir;

    if (!map)
        return;
    size = wrong & 1 ? map->size + 1 + op->offset % 100 : map->size;
    if (wrong & 1 && op->offset % 2 && map->size > 1)
        size = map->size - 1;
    dir = wrong & 2 ? (enum dma_data_direction)((map->dir + 1u + op->dir % 2) % 3) : map->dir;
    if (wrong & 1)
        want_finding(map->dev, DMA_FINDING_WRONG_SIZE);
    if (wrong & 2)
        want_finding(map->dev, DMA_FINDING_WRONG_DIRECTION);
    unmap(map, size, dir, op->more / 3 % 2);
}

static bool is_in_use(unsigned dev, dma_addr_t dma)
{
    for (unsigned i = 0; i < MAX_MAPPINGS; i++) {
        if (m.mapping[i].live && m.mapping[i].dev == dev && m.mapping[i].dma == dma)
            return true;
    }
    return false;
}

void do_unmap_again(const struct op *op)
{
    unsigned count = MIN(m.nr_ended, MAX_ENDED);
    const struct ended *ended;
    const struct dma_counters *counters;
    bool is_sure;

    if (count == 0)
        return;
    ended = &m.ended[(m.nr_ended - 1 - op->arg % count) % MAX_ENDED];
    if (is_in_use(ended->dev, ended->dma))
        return;
    counters = &m.dev[ended->dev].counters;
    /* Where an interrupt may have taken the place as well, one adds. */
    is_sure = m.adds + machine.coherent_allocs - ended->adds + 1 < ended->room;
    dma_unmap_page(&m.dev[ended->dev], ended->dma, op->size, (enum dma_data_direction)op->dir);
    if (is_sure || counters->finding[DMA_FINDING_DOUBLE_UNMAP] >
                       m.want[ended->dev].finding[DMA_FINDING_DOUBLE_UNMAP])
        want_finding(ended->dev, DMA_FINDING_DOUBLE_UNMAP);
    else
        want_finding(ended->dev, DMA_FINDING_UNKNOWN);
}

void do_unmap_unknown(const struct op *op)
{
    want_finding(op->dev, DMA_FINDING_UNKNOWN);
    dma_unmap_page(&m.dev[op->dev], dma_make(NOWHERE + op->offset % PAGE_SIZE), op->size,
                   (enum dma_data_direction)op->dir);
}

/* Syncs */

/* The part of a mapping that the operation names. */
static void part_of(const struct op *op, const struct mapping *map, uint32_t *from, uint32_t *bytes)
{
    *from = op->offset % map->size;
    *bytes = (op->size - 1u) % (map->size - *from) + 1;
    if (op->more % 2) {
        *from = 0;
        *bytes = map->size;
    }
}

/* The direction that a sync may name: of a bidirectional one, any. */
static enum dma_data_direction sync_dir(const struct op *op, const struct mapping *map)
{
    return map->dir == DMA_BIDIRECTIONAL ? (enum dma_data_direction)op->dir : map->dir;
}

static void expect_sync_cpu(struct mapping *map, uint32_t from, uint32_t bytes,
                            enum dma_data_direction dir)
{
    if (!map->bounced)
        return;
    expect_untouched(map);
    if (dir != DMA_TO_DEVICE) {
        memcpy(want_ram(map->phys + from), map->slot + from, bytes);
        m.want[map->dev].bounced_bytes += bytes;
    }
    if (bytes == map->size)
        map->cpu_owns = true;
    else
        buffer_now(map, map->held);
}

static void expect_sync_device(struct mapping *map, uint32_t from, uint32_t bytes)
{
    if (!map->bounced)
        return;
    memcpy(map->slot + from, want_ram(map->phys + from), bytes);
    m.want[map->dev].bounced_bytes += bytes;
    map->cpu_owns = false;
    buffer_now(map, map->held);
}

void do_sync_cpu(const struct op *op)
{
    struct mapping *map = pick_mapping(op->arg, mapping_is_any);
    uint32_t from, bytes;

    if (!map)
        return;
    part_of(op, map, &from, &bytes);
    expect_sync_cpu(map, from, bytes, sync_dir(op, map));
    dma_sync_single_for_cpu(&m.dev[map->dev], map->dma + from, bytes, sync_dir(op, map));
}

void do_sync_device(const struct op *op)
{
    struct mapping *map = pick_mapping(op->arg, mapping_is_any);
    uint32_t from, bytes;

    if (!map)
        return;
    part_of(op, map, &from, &bytes);
    expect_sync_device(map, from, bytes);
    dma_sync_single_for_device(&m.dev[map->dev], map->dma + from, bytes, sync_dir(op, map));
}

void do_sync_wrong(const struct op *op)
{
    struct mapping *map = pick_mapping(op->arg, mapping_is_any);
    void (*sync)(struct device *, dma_addr_t, uint32_t, enum dma_data_direction) =
        op->more / 4 % 2 ? dma_sync_single_for_cpu : dma_sync_single_for_device;
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
    if (for_cpu)
        expect_sync_cpu(map, 0, map->size, map->dir);
    else
        expect_sync_device(map, 0, map->size);
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
    struct mapping *map = pick_mapping(op->arg, is_writable);
    uint32_t from, bytes;
    uint8_t *bus;

    if (!map)
        return;
    part_of(op, map, &from, &bytes);
    bus = bus_part(map, from, bytes);
    if (!bus)
        return;
    new_bytes(bus, bytes);
    memcpy(seen(map, from), bus, bytes);
}

void do_device_read(const struct op *op)
{
    struct mapping *map = pick_mapping(op->arg, mapping_is_any);
    uint32_t from, bytes;
    uint8_t *bus;

    if (!map)
        return;
    part_of(op, map, &from, &bytes);
    bus = bus_part(map, from, bytes);
    if (bus)
        CHECK(!memcmp(bus, seen(map, from), bytes),
              "the device sees other bytes in 0x%llx+%u at 0x%llx", (unsigned long long)map->phys,
              map->size, (unsigned long long)map->dma);
}

void do_device_overrun(const struct op *op)
{
    struct mapping *map = pick_mapping(op->arg, is_bounced);
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
    struct mapping *map = pick_mapping(op->arg, mapping_is_any);
    uint32_t from, bytes;

    if (!map)
        return;
    part_of(op, map, &from, &bytes);
    cpu_write(map->phys + from, bytes);
}

/* What holds of all */

void check_mappings(void)
{
    const struct mapping *turn = &m.mapping[m.result->done % MAX_MAPPINGS];
    uint32_t slots = 0, used = 0;
    struct bounce_pool_info info;

    for (unsigned i = 0; i < MAX_MAPPINGS; i++) {
        if (m.mapping[i].live && m.mapping[i].bounced)
            slots += slots_of(m.mapping[i].dma, m.mapping[i].size);
    }
    for (unsigned i = 0; bounce_pool_info(i, &info); i++)
        used += info.used_bytes;
    CHECK(used == slots * SLOT_BYTES, "%u bytes of slots are in use, %u wanted", used,
          slots * SLOT_BYTES);
    if (turn->live && turn->bounced)
        CHECK(!memcmp(machine_ram(dma_to_phys(turn->dma), turn->size), turn->slot, turn->size),
              "the slots of 0x%llx+%u have changed", (unsigned long long)turn->phys, turn->size);
}
