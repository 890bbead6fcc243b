/* SPDX-License-Identifier: BSD-2-Clause */
/* Streaming mappings, one by one: what each call must do to the bytes, and which findings it makes.
 */
#include <string.h>

#include "ci/model/dma_state.h"
#include "drivers/bounce.h"
#include "drivers/bounce_copy.h"
#include "drivers/dma_track.h"
#include "paging/wait.h"

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

/* Where the device could write next to it, and a guard stands. */
static bool is_guarded(const struct mapping *map)
{
    return map->bounced && map->dir != DMA_TO_DEVICE;
}

static bool is_writable(const struct mapping *map)
{
    return map->dir != DMA_TO_DEVICE;
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
    m.ended[m.nr_ended++ % MAX_ENDED] = (struct ended){dev, dma, m.adds + machine.coherent_allocs};
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

/*
 * Whether some pool had room to spare: a longer run than is needed, in one area and one block. Only
 * of pools that the device reaches wherever they grow.
 */
static bool had_room(const struct device *dev, phys_addr_t phys, uint32_t size)
{
    uint32_t count = slots_of(phys_to_dma(phys), size) + 1;

    for (unsigned i = 0; i < NR_REGIONS; i++) {
        const struct region *region = &machine.region[i];
        uint64_t end = region->phys < MIB64(16) ? MIB64(16) : MIB64(256);
        uint32_t run = 0;

        if (region->kind != REGION_POOL || dma_make(end) - 1 > dev->dma_mask)
            continue;
        for (uint32_t at = 0; at < region->size; at += SLOT_BYTES) {
            phys_addr_t slot = region->phys + at;

            if (at % (PAGE_SIZE << BOUNCE_MIN_ORDER) == 0)
                run = 0;
            run = slot_is_free(phys_to_dma(slot)) ? run + 1 : 0;
            while (run > 0 && !reaches(dev, slot - (run - 1ull) * SLOT_BYTES, run * SLOT_BYTES))
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

bool has_marks(uint32_t size, enum dma_data_direction dir)
{
    return dir == DMA_FROM_DEVICE && size >= MARK_BYTES;
}

/* Marks stand at every step and at the end, as far as they do not touch. */
static bool is_mark_place(const struct mapping *map, uint32_t at)
{
    uint32_t last = map->size - MARK_BYTES;

    return at == last || (at % MARK_STEP == 0 && at + MARK_BYTES <= last);
}

/* The next mark's place behind `at`; the mapping's end behind the last one. */
static uint32_t place_behind(const struct mapping *map, uint32_t at)
{
    uint32_t last = map->size - MARK_BYTES, place = (at / MARK_STEP + 1) * MARK_STEP;

    if (place + MARK_BYTES <= last)
        return place;
    return at < last ? last : map->size;
}

static bool mark_stands(const struct mapping *map, uint32_t at)
{
    return is_mark_place(map, at) && !memcmp(map->slot + at, bounce_marks, MARK_BYTES);
}

static void set_marks(struct mapping *map, uint32_t from, uint32_t to)
{
    for (uint32_t at = from; at + MARK_BYTES <= to; at = place_behind(map, at)) {
        if (is_mark_place(map, at))
            memcpy(map->slot + at, bounce_marks, MARK_BYTES);
    }
}

/* What is in the slots and is of no concern. */
static void slots_now(struct mapping *map)
{
    const uint8_t *slots = machine_ram(dma_to_phys(map->dma), map->size);

    if (slots)
        memcpy(map->slot, slots, map->size);
}

static void to_device(struct mapping *map, uint32_t from, uint32_t bytes)
{
    if (has_marks(map->size, map->dir)) {
        set_marks(map, from, from + bytes);
        return;
    }
    memcpy(map->slot + from, want_ram(map->phys + from), bytes);
    m.want[map->dev].bounced_bytes += bytes;
}

/*
 * Bytes change hands: those behind a mark that still stands, up to where the next one has its
 * place, stay.
 */
static void from_device(struct mapping *map, uint32_t from, uint32_t bytes)
{
    bool marks = has_marks(map->size, map->dir), any = false;

    if (map->dir == DMA_TO_DEVICE)
        return;
    for (uint32_t at = from, next; at < from + bytes; at = next) {
        next = marks ? MIN(place_behind(map, at), from + bytes) : from + bytes;
        if (marks && at + MARK_BYTES <= from + bytes && mark_stands(map, at)) {
            any = true;
            continue;
        }
        memcpy(want_ram(map->phys + at), map->slot + at, next - at);
        m.want[map->dev].bounced_bytes += next - at;
    }
    if (any)
        want_finding(map->dev, DMA_FINDING_UNWRITTEN);
}

static bool cpu_has_any(const struct mapping *map)
{
    return memchr(map->is_cpu, 1, map->size) != NULL;
}

/* A mapping that the layer has made, entered. */
struct mapping *mapping_enter(unsigned dev, phys_addr_t phys, dma_addr_t dma, uint32_t size,
                              enum dma_data_direction dir, bool skip)
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
    map->overrun = map->in_list = false;
    memset(map->is_cpu, false, size);
    note_added();
    buffer_now(map, map->held);
    m.result->count[direct ? COUNT_DIRECT : COUNT_BOUNCED]++;
    if (direct) {
        m.want[dev].direct++;
        CHECK(dma == phys_to_dma(phys), "0x%llx, in reach, is mapped at 0x%llx",
              (unsigned long long)phys, (unsigned long long)dma);
        return map;
    }
    m.want[dev].bounced++;
    check_bounced(&m.dev[dev], map);
    slots_now(map);
    if (!skip)
        to_device(map, 0, size);
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
                   bool overlapped, unsigned used, bool skip)
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
        if (overlapped)
            want_finding(op->dev, DMA_FINDING_OVERLAP);
        mapping_enter(op->dev, phys, dma, size, (enum dma_data_direction)op->dir, skip);
        return;
    }
    expect_failed(op->dev, phys, size, overlapped);
    CHECK(used >= DMA_NR_ENTRIES || (!direct && !had_room(dev, phys, size)),
          "0x%llx+%u could not be mapped, with room for it", (unsigned long long)phys, size);
}

static void map_at(const struct op *op, unsigned place)
{
    phys_addr_t base = machine.region[place].phys, phys = base + op->offset;
    bool overlapped = overlaps(phys, op->size, (enum dma_data_direction)op->dir);
    unsigned used = table_used();
    unsigned long attrs = op->more / 2 % 8 == 7   ? DMA_ATTR_SKIP_CPU_SYNC
                          : op->more / 2 % 8 >= 4 ? DMA_ATTR_MAY_SLEEP
                                                  : 0;
    struct device *dev = &m.dev[op->dev];
    dma_addr_t dma;

    if (is_mapped_by(op->dev, phys, op->size))
        return;
    if (op->kind == OP_MAP_SINGLE) {
        attrs = 0;
        dma = call_map_single(dev, machine_ram(phys, op->size), op->size,
                              (enum dma_data_direction)op->dir);
    } else if (attrs)
        dma = dma_map_page_attrs(dev, phys_to_page(phys), phys % PAGE_SIZE, op->size,
                                 (enum dma_data_direction)op->dir, attrs);
    else if (op->more % 2)
        dma = call_map_page(dev, phys_to_page(base), op->offset, op->size,
                            (enum dma_data_direction)op->dir);
    else
        dma = call_map_page(dev, phys_to_page(phys), phys % PAGE_SIZE, op->size,
                            (enum dma_data_direction)op->dir);
    mapped(op, phys, op->size, dma, overlapped, used, attrs & DMA_ATTR_SKIP_CPU_SYNC);
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
        dma = call_map_page(dev, page, op->offset % PAGE_SIZE, 0, dir);
        break;
    case 1:
        if (!dev->max_segment_bytes)
            return;
        dma = call_map_page(dev, page, 0, dev->max_segment_bytes + 1, dir);
        break;
    case 2:
        dma = call_map_page(dev, page, op->offset % PAGE_SIZE, 16, (enum dma_data_direction)3);
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

/* Whose contents the layer watches: it tells what the processor changed while the device had it. */
static bool is_watched(const struct mapping *map)
{
    return m.dev[map->dev].check_ownership && (map->bounced || map->dir == DMA_TO_DEVICE);
}

static void expect_untouched(struct mapping *map)
{
    if (is_watched(map) && !cpu_has_any(map) &&
        memcmp(map->held, want_ram(map->phys), map->size) != 0)
        want_finding(map->dev, DMA_FINDING_NOT_SYNCED);
}

void mapping_ends(struct mapping *map, bool skip)
{
    m.want[map->dev].unmaps++;
    map->live = false;
    note_ended(map->dev, map->dma);
    expect_untouched(map);
    if (!map->bounced)
        return;
    if (map->overrun)
        want_finding(map->dev, DMA_FINDING_OVERRUN);
    for (uint32_t from = 0, to; from < map->size && !skip; from = to) {
        for (to = from + 1; to < map->size && map->is_cpu[to] == map->is_cpu[from];)
            to++;
        if (!map->is_cpu[from])
            from_device(map, from, to - from);
    }
}

static void unmap(struct mapping *map, uint32_t size, enum dma_data_direction dir, unsigned how)
{
    struct device *dev = &m.dev[map->dev];

    mapping_ends(map, how % 4 == 3);
    if (how % 4 == 3)
        dma_unmap_page_attrs(dev, map->dma, size, dir, DMA_ATTR_SKIP_CPU_SYNC);
    else if (how % 4 == 1)
        call_unmap_single(dev, map->dma, size, dir);
    else
        call_unmap_page(dev, map->dma, size, dir);
}

/*
 * Somebody sleeps for slots: another thread ends a mapping that has some, but shares no bytes with
 * what is being mapped. False: there is none, and so nobody who could wake it.
 */
static bool is_others(const struct mapping *map)
{
    phys_addr_t phys = machine.region[m.op.arg % MODEL_PLACES].phys + m.op.offset;

    return map->bounced && !map->in_list && !shares(map, phys, m.op.size);
}

static bool fake_sleep(struct wait_queue *queue)
{
    struct mapping *map = pick_mapping(m.op.more, is_others);
    struct list_head link;
    unsigned was_off = model_irqs_off;
    bool woken;

    if (!map)
        return false;
    list_add_tail(&link, &queue->sleepers);
    model_irqs_off = 0;
    m.result->count[COUNT_SLEPT]++;
    unmap(map, map->size, map->dir, 0);
    woken = list_empty(&queue->sleepers);
    CHECK(woken, "slots were given back, and nobody woke who sleeps for them");
    if (!woken)
        list_del(&link);
    model_irqs_off = was_off;
    return woken;
}

static void fake_wake(struct wait_queue *queue)
{
    list_del(queue->sleepers.next);
}

const struct wait_ops model_wait_ops = {.sleep = fake_sleep, .wake = fake_wake};

void do_unmap(const struct op *op)
{
    struct mapping *map = pick_mapping(op->arg, is_single);

    if (map)
        unmap(map, map->size, map->dir, op->more);
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
    unmap(map, size, dir, op->more / 3);
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
    call_unmap_page(&m.dev[ended->dev], ended->dma, op->size, (enum dma_data_direction)op->dir);
    /* Later mappings may have used its place again, and so may one of an interrupt just now. */
    is_sure = m.adds + machine.coherent_allocs == ended->adds;
    if (is_sure || counters->finding[DMA_FINDING_DOUBLE_UNMAP] >
                       m.want[ended->dev].finding[DMA_FINDING_DOUBLE_UNMAP])
        want_finding(ended->dev, DMA_FINDING_DOUBLE_UNMAP);
    else
        want_finding(ended->dev, DMA_FINDING_UNKNOWN);
}

void do_unmap_unknown(const struct op *op)
{
    want_finding(op->dev, DMA_FINDING_UNKNOWN);
    call_unmap_page(&m.dev[op->dev], dma_make(NOWHERE + op->offset % PAGE_SIZE), op->size,
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
    if (!map->bounced && !is_watched(map))
        return;
    expect_untouched(map);
    if (map->bounced && dir != DMA_TO_DEVICE)
        from_device(map, from, bytes);
    memset(map->is_cpu + from, true, bytes);
    buffer_now(map, map->held);
}

static void expect_sync_device(struct mapping *map, uint32_t from, uint32_t bytes)
{
    if (!map->bounced && !is_watched(map))
        return;
    if (map->bounced)
        to_device(map, from, bytes);
    memset(map->is_cpu + from, false, bytes);
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

void do_sync_cpu(const struct op *op)
{
    struct mapping *map = pick_mapping(op->arg, mapping_is_any);
    uint32_t from, bytes;

    if (!map)
        return;
    part_of(op, map, &from, &bytes);
    if (!can_sync(map, from, bytes, true))
        return;
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
    if (!can_sync(map, from, bytes, false))
        return;
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
    struct mapping *map = pick_mapping(op->arg, mapping_is_any);
    uint32_t from, bytes;

    if (!map)
        return;
    part_of(op, map, &from, &bytes);
    cpu_write(map->phys + from, bytes);
}

/* What holds of all */

/* Slots of each pool: as many as the live mappings have, and never fewer at the peak. */
static void check_slots(const uint32_t *slots)
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

void check_mappings(bool sweep)
{
    uint32_t slots[ARRAY_SIZE(m.peak_slots)] = {0};

    for (unsigned i = 0; i < MAX_MAPPINGS; i++) {
        const struct mapping *map = &m.mapping[i];

        if (!map->live || !map->bounced)
            continue;
        slots[map->dma >= MIB64(16)] += slots_of(map->dma, map->size);
        CHECK(!sweep ||
                  !memcmp(machine_ram(dma_to_phys(map->dma), map->size), map->slot, map->size),
              "the slots of 0x%llx+%u have changed", (unsigned long long)map->phys, map->size);
    }
    check_slots(slots);
}
