/* SPDX-License-Identifier: BSD-2-Clause */
/* Streaming mappings, one by one: what each call must do to the bytes, and which findings it makes.
 */
#include <string.h>

#include "ci/model/dma_state.h"
#include "drivers/bounce.h"
#include "drivers/dma_track.h"
#include "paging/wait.h"

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

bool is_single(const struct mapping *map)
{
    return !map->in_list;
}

/* Where the device could write next to it, and a guard stands. */
bool is_guarded(const struct mapping *map)
{
    return map->bounced && map->dir != DMA_TO_DEVICE;
}

bool is_writable(const struct mapping *map)
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
    model_now->count[direct ? COUNT_DIRECT : COUNT_BOUNCED]++;
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

    model_now->count[COUNT_FULL]++;
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
bool is_watched(const struct mapping *map)
{
    return m.dev[map->dev].check_ownership && (map->bounced || map->dir == DMA_TO_DEVICE);
}

void expect_untouched(struct mapping *map)
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
    model_now->count[COUNT_SLEPT]++;
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
