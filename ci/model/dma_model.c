/* SPDX-License-Identifier: BSD-2-Clause */
#include "ci/model/dma_state.h"

#include <stdlib.h>
#include <string.h>

#include "ci/model/access.h"
#include "lib/x86/percpu.h"
#include "paging/wait.h"
#include "drivers/bounce.h"
#include "drivers/dma_track.h"

#define SWEEP_EVERY 16u /* operations between looks at all of RAM */
#define AREA_PAGES (1u << BOUNCE_MIN_ORDER)
#define IRQ_REGION 5u
#define IRQ_BYTES 300u

struct state m;

void want_finding(unsigned dev, enum dma_finding kind)
{
    m.want[dev].findings++;
    m.want[dev].finding[kind]++;
    model_now->count[COUNT_FINDINGS]++;
}

uint8_t *want_ram(phys_addr_t phys)
{
    const struct region *region = machine_region(phys, 1);

    return m.ram[region - machine.region] + (phys - region->phys);
}

void new_bytes(uint8_t *bytes, uint32_t size)
{
    uint32_t word = m.fill += 0x9e3779b9u;

    for (uint32_t i = 0; i < size; i++) {
        bytes[i] = (uint8_t)(word >> 24);
        word = word * 0x2c1b3c6du + 0x297a2d39u;
    }
}

bool reaches(const struct device *dev, phys_addr_t phys, uint32_t size)
{
    uint64_t block = (uint64_t)dev->segment_boundary_mask + 1;

    if (phys > dev->dma_mask || dev->dma_mask - phys < size - 1)
        return false;
    return block == 1 || phys / block == (phys + size - 1) / block;
}

/* The interrupt handler: a whole transfer of its own. */

static void check_irq_transfer(dma_addr_t dma, uint8_t *ram, phys_addr_t phys)
{
    uint8_t bytes[IRQ_BYTES];
    const char *why;
    uint8_t *bus = machine_bus(&m.dev[IRQ_DEVICE], dma, IRQ_BYTES, &why);

    if (!bus) {
        broke("the interrupt's device can't reach 0x%llx: %s", (unsigned long long)dma, why);
        return;
    }
    CHECK(!memcmp(bus, ram, IRQ_BYTES), "the interrupt's device sees other bytes");
    new_bytes(bytes, IRQ_BYTES);
    memcpy(bus, bytes, IRQ_BYTES);
    memcpy(want_ram(phys), bytes, IRQ_BYTES);
}

static void interrupt(void)
{
    struct device *dev = &m.dev[IRQ_DEVICE];
    phys_addr_t phys = machine.region[IRQ_REGION].phys + 1000;
    uint8_t *ram = machine_ram(phys, IRQ_BYTES);
    dma_addr_t dma;

    m.in_irq = true;
    this_cpu()->irq_depth++;
    model_now->count[COUNT_INTERRUPTED]++;
    dma = call_map_page(dev, phys_to_page(phys), phys % PAGE_SIZE, IRQ_BYTES, DMA_BIDIRECTIONAL);
    if (!dma_mapping_error(dev, dma)) {
        check_irq_transfer(dma, ram, phys);
        call_unmap_page(dev, dma, IRQ_BYTES, DMA_BIDIRECTIONAL);
        CHECK(!memcmp(ram, want_ram(phys), IRQ_BYTES), "the interrupt's bytes did not come");
        note_added();
    }
    CHECK(!dev->counters.findings, "a finding of the interrupt's: %s", machine.finding);
    this_cpu()->irq_depth--;
    m.in_irq = false;
}

void model_before_access(void)
{
    if (m.op.event == EVENT_IRQ && !m.in_irq && !model_irqs_off && m.accesses++ == m.op.at)
        interrupt();
}

/* Devices */

static bool is_idle(unsigned dev)
{
    for (unsigned i = 0; i < MAX_MAPPINGS; i++) {
        if (m.mapping[i].live && m.mapping[i].dev == dev)
            return false;
    }
    for (unsigned i = 0; i < MAX_COHERENT; i++) {
        if (m.coherent[i].at && m.coherent[i].dev == dev)
            return false;
    }
    for (unsigned i = 0; i < MODEL_POOLS; i++) {
        if (m.pool[i].pool && m.pool[i].dev == dev)
            return false;
    }
    return true;
}

static void do_setup(const struct op *op)
{
    static const uint32_t boundaries[] = {0, 0xfff, 0x3fff, DMA_BOUNDARY_64K, DMA_BOUNDARY_4G};
    static const uint32_t segments[] = {0, 512, 4096, 5000, 65536};
    static const char *const names[] = {"a", "b", "c", "d"};

    if (!is_idle(op->dev))
        return;
    m.dev[op->dev] = (struct device){
        .name = names[op->dev],
        .dma_mask = DMA_BIT_MASK(24 + op->arg % 41),
        .segment_boundary_mask = boundaries[op->more % 5],
        .max_segment_bytes = segments[op->more / 5 % 5],
        .check_ownership = op->more / 25 % 2,
    };
    m.want[op->dev] = (struct dma_counters){0};
}

static void set_up_devices(void)
{
    static const struct op rules[] = {
        {.kind = OP_SETUP, .dev = 0, .arg = 0, /* 24 bits */ .more = 3 + 5 * 4 + 25},
        {.kind = OP_SETUP, .dev = 1, .arg = 4, .more = 0},
        {.kind = OP_SETUP, .dev = 2, .arg = 8, .more = 4 + 5 * 3},
        {.kind = OP_SETUP, .dev = 3, .arg = 40, .more = 2 + 25},
    };

    for (unsigned i = 0; i < ARRAY_SIZE(rules); i++)
        do_setup(&rules[i]);
    m.dev[IRQ_DEVICE] = (struct device){.name = "irq", .dma_mask = DMA_BIT_MASK(30)};
}

static void do_leaks(const struct op *op)
{
    unsigned leaks = 0, found;

    for (unsigned i = 0; i < MAX_MAPPINGS; i++) {
        const struct mapping *map = &m.mapping[i];

        if (!map->live || map->dev != op->dev)
            continue;
        want_finding(op->dev, DMA_FINDING_LEAK);
        note_ended(map->dev, map->dma); /* as if it were the first: in no order */
        leaks++;
    }
    for (unsigned i = 0; i < MAX_MAPPINGS; i++)
        m.mapping[i].live &= m.mapping[i].dev != op->dev;
    for (unsigned i = 0; i < MAX_LISTS; i++)
        m.list[i].live &= m.list[i].dev != op->dev;
    found = dma_check_leaks(&m.dev[op->dev]);
    CHECK(found == leaks, "%u leaks found, %u are there", found, leaks);
}

void (*const actions[NR_OP_KINDS])(const struct op *op) = {
    [OP_SETUP] = do_setup,
    [OP_MAP] = do_map,
    [OP_MAP_SINGLE] = do_map_single,
    [OP_MAP_SG] = do_map_sg,
    [OP_MAP_BAD] = do_map_bad,
    [OP_UNMAP] = do_unmap,
    [OP_UNMAP_WRONG] = do_unmap_wrong,
    [OP_UNMAP_AGAIN] = do_unmap_again,
    [OP_UNMAP_UNKNOWN] = do_unmap_unknown,
    [OP_UNMAP_SG] = do_unmap_sg,
    [OP_UNMAP_SG_SHORT] = do_unmap_sg_short,
    [OP_SYNC_CPU] = do_sync_cpu,
    [OP_SYNC_DEVICE] = do_sync_device,
    [OP_SYNC_WRONG] = do_sync_wrong,
    [OP_SYNC_SG_CPU] = do_sync_sg_cpu,
    [OP_SYNC_SG_DEVICE] = do_sync_sg_device,
    [OP_DEVICE_WRITE] = do_device_write,
    [OP_DEVICE_READ] = do_device_read,
    [OP_DEVICE_OVERRUN] = do_device_overrun,
    [OP_CPU_WRITE] = do_cpu_write,
    [OP_CPU_WRITE_MAPPED] = do_cpu_write_mapped,
    [OP_FIT] = do_fit,
    [OP_COHERENT] = do_coherent,
    [OP_FREE_COHERENT] = do_free_coherent,
    [OP_COHERENT_WRONG] = do_coherent_wrong,
    [OP_POOL_CREATE] = do_pool_create,
    [OP_POOL_ALLOC] = do_pool_alloc,
    [OP_POOL_FREE] = do_pool_free,
    [OP_POOL_WRONG] = do_pool_wrong,
    [OP_POOL_SCRIBBLE] = do_pool_scribble,
    [OP_POOL_DESTROY] = do_pool_destroy,
    [OP_LEAKS] = do_leaks,
};

/* What must hold between operations. */

#define SAME(number, field)                                                       \
    CHECK(m.dev[number].counters.field == m.want[number].field,                   \
          "device %u counts %llu " #field ", not %llu; last finding: %s", number, \
          (unsigned long long)m.dev[number].counters.field,                       \
          (unsigned long long)m.want[number].field, machine.finding)

static void check_counters(void)
{
    for (unsigned i = 0; i < MODEL_DEVICES; i++) {
        for (unsigned kind = 0; kind < DMA_NR_FINDINGS; kind++)
            CHECK(m.dev[i].counters.finding[kind] == m.want[i].finding[kind],
                  "device %u: %u findings of %s, not %u; the last one: %s", i,
                  m.dev[i].counters.finding[kind], dma_finding_name((enum dma_finding)kind),
                  m.want[i].finding[kind], machine.finding);
        SAME(i, findings);
        SAME(i, unmaps);
        SAME(i, direct);
        SAME(i, bounced);
        SAME(i, bounced_bytes);
        SAME(i, errors);
    }
}

static void check_ram(void)
{
    for (unsigned i = 0; i < NR_REGIONS; i++) {
        const struct region *region = &machine.region[i];
        uint32_t at = 0;

        if (region->kind != REGION_BUFFER || !memcmp(region->bytes, m.ram[i], region->size))
            continue;
        while (region->bytes[at] == m.ram[i][at])
            at++;
        broke("RAM at 0x%llx is 0x%02x, 0x%02x wanted", (unsigned long long)region->phys + at,
              region->bytes[at], m.ram[i][at]);
    }
}

static uint32_t pools_used(unsigned *areas)
{
    struct bounce_pool_info info;
    uint32_t used = 0;

    *areas = 0;
    for (unsigned i = 0; bounce_pool_info(i, &info); i++) {
        used += info.used_bytes;
        *areas += info.areas;
    }
    return used;
}

static void check_all(bool sweep)
{
    check_counters();
    check_mappings(sweep);
    check_blocks();
    if (sweep)
        check_ram();
    CHECK(machine.anonymous == 0, "a finding that does not name who made it: %s", machine.finding);
    CHECK(machine.windows == 0, "%u windows are left open", machine.windows);
    CHECK(model_irqs_off == 0, "interrupts are left off");
}

static void end_all(void)
{
    uint32_t used;
    unsigned areas;

    check_all(true);
    m.op = (struct op){0};
    for (unsigned i = 0; i < MODEL_DEVICES; i++)
        do_leaks(&(struct op){.kind = OP_LEAKS, .dev = (uint8_t)i});
    end_blocks();
    check_all(true);
    used = pools_used(&areas);
    CHECK(used == 0, "%u bytes of bounce pools are in use at the end", used);
    CHECK(dma_live_mappings(NULL) == 0, "%u mappings at the end", dma_live_mappings(NULL));
    /* Pools keep their areas, and a page of keys for each. */
    CHECK(machine.pages_out == areas * (AREA_PAGES + 1), "%u pages are out at the end, %u areas",
          machine.pages_out, areas);
}

/* RAM as every sequence finds it, made once. */
static void fill_ram(void)
{
    for (unsigned i = 0; i < NR_REGIONS; i++) {
        const struct region *region = &machine.region[i];

        if (region->kind != REGION_BUFFER)
            continue;
        if (!m.ram[i]) {
            m.ram[i] = malloc(region->size);
            m.ram_at_first[i] = malloc(region->size);
            if (!m.ram[i] || !m.ram_at_first[i])
                abort();
            new_bytes(m.ram_at_first[i], region->size);
        }
        memcpy(m.ram[i], m.ram_at_first[i], region->size);
        memcpy(region->bytes, m.ram[i], region->size);
    }
}

static void start(const char *broken)
{
    machine_start(broken);
    for (unsigned i = 0; i < MAX_MAPPINGS; i++)
        m.mapping[i].live = false;
    memset(&m.dev, 0, sizeof(m.dev));
    memset(&m.want, 0, sizeof(m.want));
    memset(m.list, 0, sizeof(m.list));
    memset(m.coherent, 0, sizeof(m.coherent));
    memset(m.pool, 0, sizeof(m.pool));
    m.peak_slots[0] = m.peak_slots[1] = 0;
    m.nr_ended = m.adds = 0;
    m.op = (struct op){0};
    m.in_irq = false;
    m.fill = 0;
    fill_ram();
    m.fill = 1;
    wait_set_ops(&model_wait_ops);
    set_up_devices();
}

bool model_run(const struct op *sequence, size_t count, const char *broken,
               struct model_result *result)
{
    *result = (struct model_result){0};
    model_now = result;
    start(broken);
    while (result->done < count && !result->text[0]) {
        m.op = sequence[result->done++];
        m.op.kind %= NR_OP_KINDS;
        m.op.dev %= MODEL_DEVICES;
        m.op.dir %= 3;
        m.op.event %= NR_EVENTS;
        m.op.offset %= MODEL_PLACE_BYTES;
        m.op.size = (uint16_t)(m.op.size % (MODEL_PLACE_BYTES - m.op.offset) + 1);
        m.accesses = 0;
        actions[m.op.kind](&m.op);
        m.op.event = EVENT_NONE;
        check_all(result->done % SWEEP_EVERY == 0);
    }
    if (!result->text[0])
        end_all();
    return !result->text[0];
}
