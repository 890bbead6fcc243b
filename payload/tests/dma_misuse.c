/* SPDX-License-Identifier: BSD-2-Clause */
#include "payload/tests/dma_misuse.h"
#include "lib/string.h"
#include "paging/highmem.h"
#include "paging/kmap_local.h"

/* Devices with the limits of the one under test, but counters and mappings of their own. */
static struct device fake;  /* breaks rules */
static struct device crowd; /* keeps them, with many mappings at once */

struct device dma_device_like(const char *name, const struct device *like)
{
    return (struct device){
        .name = name,
        .dma_mask = like->dma_mask,
        .max_segment_bytes = like->max_segment_bytes,
        .segment_boundary_mask = like->segment_boundary_mask,
        .check_ownership = true,
    };
}

void dma_bus_fill(dma_addr_t addr, uint8_t value, uint32_t bytes)
{
    while (bytes > 0) {
        uint32_t in_page = offset_in_page(addr);
        uint32_t part = MIN(bytes, PAGE_SIZE - in_page);
        uint8_t *window = kmap_local_pfn(phys_to_pfn(dma_to_phys(addr)));

        memset(window + in_page, value, part);
        kunmap_local(window);
        addr += part;
        bytes -= part;
    }
}

static bool bus_holds(dma_addr_t addr, uint8_t value)
{
    const uint8_t *window = kmap_local_pfn(phys_to_pfn(dma_to_phys(addr)));
    bool same = window[offset_in_page(addr)] == value;

    kunmap_local(window);
    return same;
}

#define MISUSE_BYTES 600u /* leaves room in its 2 KiB slot on both sides */
#define MISUSE_OFFSET 100u

static dma_addr_t map_at(struct page *page, uint32_t offset, enum dma_data_direction dir)
{
    return dma_map_page(&fake, page, offset, MISUSE_BYTES, dir);
}

/* No device has written what these map. */
static void drop(dma_addr_t addr)
{
    dma_unmap_page_attrs(&fake, addr, MISUSE_BYTES, DMA_FROM_DEVICE, DMA_ATTR_SKIP_CPU_SYNC);
}

static void unmap_twice(struct page *page)
{
    dma_addr_t addr = map_at(page, MISUSE_OFFSET, DMA_TO_DEVICE);

    dma_unmap_page(&fake, addr, MISUSE_BYTES, DMA_TO_DEVICE);
    dma_unmap_page(&fake, addr, MISUSE_BYTES, DMA_TO_DEVICE);
}

/* After a right end: of two mappings from the same byte on, the size tells which one it is. */
static void unmap_wrong_size(struct page *page)
{
    dma_addr_t addr = map_at(page, MISUSE_OFFSET, DMA_TO_DEVICE);
    dma_addr_t longer = dma_map_page(&fake, page, MISUSE_OFFSET, MISUSE_BYTES + 1, DMA_TO_DEVICE);

    dma_unmap_page(&fake, longer, MISUSE_BYTES + 1, DMA_TO_DEVICE);
    dma_unmap_page(&fake, addr, MISUSE_BYTES - 1, DMA_TO_DEVICE);
}

static void unmap_wrong_direction(struct page *page)
{
    dma_addr_t addr = map_at(page, MISUSE_OFFSET, DMA_TO_DEVICE);

    dma_unmap_page(&fake, addr, MISUSE_BYTES, DMA_FROM_DEVICE);
}

static void unmap_inside(struct page *page)
{
    dma_addr_t addr = map_at(page, MISUSE_OFFSET, DMA_TO_DEVICE);

    dma_unmap_page(&fake, addr + 1, MISUSE_BYTES - 1, DMA_TO_DEVICE);
    dma_unmap_page(&fake, addr, MISUSE_BYTES, DMA_TO_DEVICE);
}

static void unmap_of_other_device(struct page *page)
{
    static struct device other = {.name = "other", .dma_mask = DMA_BIT_MASK(64)};
    /* Where the fake never had a mapping, or it would be a double unmap. */
    dma_addr_t addr = dma_map_page(&other, page, MISUSE_OFFSET + 7, MISUSE_BYTES, DMA_TO_DEVICE);

    dma_unmap_page(&fake, addr, MISUSE_BYTES, DMA_TO_DEVICE);
    dma_unmap_page(&other, addr, MISUSE_BYTES, DMA_TO_DEVICE);
}

static void map_nothing(struct page *page)
{
    dma_map_page(&fake, page, MISUSE_OFFSET, 0, DMA_TO_DEVICE);
}

static void map_twice(struct page *page)
{
    dma_addr_t first = map_at(page, MISUSE_OFFSET, DMA_FROM_DEVICE);
    dma_addr_t second = map_at(page, MISUSE_OFFSET + MISUSE_BYTES - 1, DMA_TO_DEVICE);

    dma_unmap_page(&fake, second, MISUSE_BYTES, DMA_TO_DEVICE);
    drop(first);
}

/* One that covers several pages, and one within the last of them: either may come first. */
static void map_into_long(struct page *page)
{
    const uint32_t bytes = 3 * PAGE_SIZE;
    dma_addr_t first = dma_map_page(&fake, page, 0, bytes, DMA_TO_DEVICE);
    dma_addr_t second = map_at(page + 2, PAGE_SIZE - MISUSE_BYTES, DMA_FROM_DEVICE);

    drop(second);
    dma_unmap_page(&fake, first, bytes, DMA_TO_DEVICE);
}

static void map_long_over(struct page *page)
{
    const uint32_t bytes = 3 * PAGE_SIZE;
    dma_addr_t first = map_at(page + 1, MISUSE_OFFSET, DMA_FROM_DEVICE);
    dma_addr_t second = dma_map_page(&fake, page, 0, bytes, DMA_TO_DEVICE);

    dma_unmap_page(&fake, second, bytes, DMA_TO_DEVICE);
    drop(first);
}

static void forget_unmap(struct page *page)
{
    map_at(page, MISUSE_OFFSET, DMA_FROM_DEVICE);
    dma_check_leaks(&fake);
}

static void sync_past_end(struct page *page)
{
    dma_addr_t addr = map_at(page, MISUSE_OFFSET, DMA_FROM_DEVICE);

    dma_sync_single_for_cpu(&fake, addr + 1, MISUSE_BYTES, DMA_FROM_DEVICE);
    drop(addr);
}

static void sync_wrong_direction(struct page *page)
{
    dma_addr_t addr = map_at(page, MISUSE_OFFSET, DMA_FROM_DEVICE);

    dma_sync_single_for_device(&fake, addr, MISUSE_BYTES, DMA_TO_DEVICE);
    drop(addr);
}

static void unmap_coherent(struct page *page)
{
    dma_addr_t handle;
    void *memory = dma_alloc_coherent(&fake, MISUSE_BYTES, &handle);

    (void)page;
    if (!memory)
        return;
    dma_unmap_page(&fake, handle, MISUSE_BYTES, DMA_BIDIRECTIONAL);
    dma_free_coherent(&fake, MISUSE_BYTES, memory, handle);
}

static void forget_sync(struct page *page)
{
    dma_addr_t addr;

    memset_page(page, MISUSE_OFFSET, 0, MISUSE_BYTES);
    addr = map_at(page, MISUSE_OFFSET, DMA_TO_DEVICE);
    memset_page(page, MISUSE_OFFSET + MISUSE_BYTES - 1, 1, 1);
    dma_unmap_page(&fake, addr, MISUSE_BYTES, DMA_TO_DEVICE);
}

static void overrun(struct page *page)
{
    dma_addr_t addr = map_at(page, MISUSE_OFFSET, DMA_FROM_DEVICE);

    dma_bus_fill(addr, 0, MISUSE_BYTES + 1);
    dma_unmap_page(&fake, addr, MISUSE_BYTES, DMA_FROM_DEVICE);
}

static bool only_came;

/* The last bytes of what the device should have written never came. */
static void deliver_too_little(struct page *page)
{
    const uint8_t old = 0x44;
    uint8_t last[2];
    dma_addr_t addr;

    memset_page(page, MISUSE_OFFSET, old, MISUSE_BYTES);
    addr = map_at(page, MISUSE_OFFSET, DMA_FROM_DEVICE);
    dma_bus_fill(addr, 0, MISUSE_BYTES - 8);
    dma_unmap_page(&fake, addr, MISUSE_BYTES, DMA_FROM_DEVICE);
    memcpy_from_page(&last[0], page, MISUSE_OFFSET + MISUSE_BYTES - 9, 1);
    memcpy_from_page(&last[1], page, MISUSE_OFFSET + MISUSE_BYTES - 1, 1);
    only_came = last[0] == 0 && last[1] == old;
}

static void look_too_early(struct page *page)
{
    dma_addr_t addr = map_at(page, MISUSE_OFFSET, DMA_FROM_DEVICE);

    dma_sync_single_for_cpu(&fake, addr, 8, DMA_FROM_DEVICE);
    drop(addr);
}

struct misuse {
    const char *what;
    void (*commit)(struct page *page);
    enum dma_finding kind;
    bool only_bounced; /* can't be noticed where the device works on the buffer itself */
};

static const struct misuse misuses[] = {
    {"unmapped twice", unmap_twice, DMA_FINDING_DOUBLE_UNMAP, false},
    {"unmapped with another size", unmap_wrong_size, DMA_FINDING_WRONG_SIZE, false},
    {"unmapped in another direction", unmap_wrong_direction, DMA_FINDING_WRONG_DIRECTION, false},
    {"unmapped from the second byte on", unmap_inside, DMA_FINDING_UNKNOWN, false},
    {"unmapped by another device", unmap_of_other_device, DMA_FINDING_UNKNOWN, false},
    {"nothing mapped", map_nothing, DMA_FINDING_BAD_ARGUMENT, false},
    {"a byte mapped twice", map_twice, DMA_FINDING_OVERLAP, false},
    {"mapped within a long mapping", map_into_long, DMA_FINDING_OVERLAP, false},
    {"a long mapping over another", map_long_over, DMA_FINDING_OVERLAP, false},
    {"never unmapped", forget_unmap, DMA_FINDING_LEAK, false},
    {"synced past its end", sync_past_end, DMA_FINDING_WRONG_SIZE, false},
    {"synced in another direction", sync_wrong_direction, DMA_FINDING_WRONG_DIRECTION, false},
    {"coherent memory unmapped", unmap_coherent, DMA_FINDING_WRONG_KIND, false},
    {"written without a sync", forget_sync, DMA_FINDING_NOT_SYNCED, false},
    {"written past its end by the device", overrun, DMA_FINDING_OVERRUN, true},
    {"not written to its end by the device", deliver_too_little, DMA_FINDING_UNWRITTEN, true},
    {"synced before the device wrote it", look_too_early, DMA_FINDING_UNWRITTEN, true},
};

/* How many functions a finding names: who did it and, where that is another, who saw it. */
static unsigned callers_of(enum dma_finding kind)
{
    switch (kind) {
    case DMA_FINDING_DOUBLE_UNMAP:
    case DMA_FINDING_OVERLAP:
    case DMA_FINDING_OVERRUN:
    case DMA_FINDING_UNWRITTEN:
        return 2;
    default:
        return 1;
    }
}

static void check_one_misuse(struct test *t, const struct misuse *m, struct page *page,
                             const char *memory)
{
    struct dma_counters was = fake.counters;

    test_findings_begin(t);
    only_came = true;
    m->commit(page);
    test_findings_end(t, 1, m->what);
    test_findings_name(t, callers_of(m->kind), m->what);
    TEST_CHECK(t, only_came, "%s (%s): more or less than what came is in the buffer", m->what,
               memory);
    TEST_CHECK(t, fake.counters.finding[m->kind] == was.finding[m->kind] + 1,
               "%s (%s): not noticed as \"%s\"", m->what, memory, dma_finding_name(m->kind));
}

/* With contents that are checked, which takes the long ways, or without, which takes the quick. */
static void check_all_misuse(struct test *t, const struct dma_arena *arena, const char *memory)
{
    bool bounces = phys_to_dma(arena->phys) + PAGE_SIZE > fake.dma_mask;

    for (unsigned k = 0; k < ARRAY_SIZE(misuses); k++) {
        if ((misuses[k].only_bounced && !bounces) ||
            (misuses[k].kind == DMA_FINDING_NOT_SYNCED && !fake.check_ownership))
            continue;
        check_one_misuse(t, &misuses[k], arena->page, memory);
    }
    dma_arena_paint(arena, 0, PAGE_SIZE);
}

void dma_check_misuse(struct test *t, const struct device *like, const struct dma_arena *arenas)
{
    for (unsigned checked = 0; checked < 2; checked++) {
        fake = dma_device_like("fake", like);
        fake.check_ownership = checked;
        for (unsigned i = 0; i < DMA_NR_ARENAS; i++) {
            if (arenas[i].page)
                check_all_misuse(t, &arenas[i], dma_arena_name(&arenas[i]));
        }
        TEST_CHECK(t, dma_live_mappings(&fake) == 0, "%u mappings left", dma_live_mappings(&fake));
    }
}

#define MANY_PLACE_BYTES KIB(8) /* each mapping has a place of its own in its arena */
#define MANY_PLACES (DMA_ARENA_BYTES / MANY_PLACE_BYTES)
#define MANY_MAPPINGS 32u
#define MANY_STEPS 700u

/* One mapping: its buffer holds `value`, and so does what its device sees. */
struct mapping {
    bool live;
    uint8_t value;
    struct page *page;
    phys_addr_t phys;
    uint32_t offset; /* of the buffer, from `page` */
    uint32_t bytes;
    enum dma_data_direction dir;
    dma_addr_t addr;
};

static bool buffer_holds(const struct mapping *m)
{
    uint8_t ends[2];

    /* Whole contents are what the transfers of this suite compare; here the ends will do. */
    memcpy_from_page(&ends[0], m->page, m->offset, 1);
    memcpy_from_page(&ends[1], m->page, m->offset + m->bytes - 1, 1);
    return ends[0] == m->value && ends[1] == m->value;
}

static void check_address(struct test *t, const struct mapping *all, const struct mapping *m)
{
    uint64_t boundary = crowd.segment_boundary_mask;
    dma_addr_t last = m->addr + m->bytes - 1;

    TEST_CHECK(t, last <= crowd.dma_mask, "0x%llx+%u mapped to 0x%llx, mask 0x%llx",
               addr_number(m->phys), m->bytes, addr_number(m->addr), addr_number(crowd.dma_mask));
    TEST_CHECK(
        t, boundary == 0 || (addr_number(m->addr) & ~boundary) == (addr_number(last) & ~boundary),
        "0x%llx+%u mapped to 0x%llx, across the boundary", addr_number(m->phys), m->bytes,
        addr_number(m->addr));
    for (const struct mapping *other = all; other < all + MANY_MAPPINGS; other++) {
        if (other != m && other->live)
            TEST_CHECK(t, last < other->addr || other->addr + other->bytes <= m->addr,
                       "0x%llx+%u and 0x%llx+%u share device address 0x%llx", addr_number(m->phys),
                       m->bytes, addr_number(other->phys), other->bytes, addr_number(m->addr));
    }
}

static void begin_mapping(struct test *t, const struct dma_arena *arenas, struct mapping *all,
                          struct mapping *m)
{
    struct prng *prng = test_prng(t);
    unsigned place = (unsigned)(m - all);
    const struct dma_arena *arena = &arenas[place % DMA_NR_ARENAS];

    if (!arena->page)
        return;
    m->page = arena->page;
    m->bytes = 1 + prng_below(prng, MANY_PLACE_BYTES / 2);
    m->offset = place / DMA_NR_ARENAS % MANY_PLACES * MANY_PLACE_BYTES +
                prng_below(prng, MANY_PLACE_BYTES - m->bytes);
    m->phys = arena->phys + m->offset;
    m->dir = (enum dma_data_direction)prng_below(prng, DMA_FROM_DEVICE + 1);
    m->value = (uint8_t)prng_u32(prng);
    memset_page(m->page, m->offset, m->value, m->bytes);
    m->addr = dma_map_page(&crowd, m->page, m->offset, m->bytes, m->dir);
    m->live = !dma_mapping_error(&crowd, m->addr);
    if (!TEST_CHECK(t, m->live, "mapping 0x%llx+%u failed", addr_number(m->phys), m->bytes))
        return;
    check_address(t, all, m);
    TEST_CHECK(t,
               m->dir == DMA_FROM_DEVICE ||
                   (bus_holds(m->addr, m->value) && bus_holds(m->addr + m->bytes - 1, m->value)),
               "0x%llx+%u: device sees other contents at 0x%llx", addr_number(m->phys), m->bytes,
               addr_number(m->addr));
}

static void end_mapping(struct test *t, struct mapping *m)
{
    if (m->dir != DMA_TO_DEVICE) {
        m->value++;
        dma_bus_fill(m->addr, m->value, m->bytes);
    }
    dma_unmap_page(&crowd, m->addr, m->bytes, m->dir);
    m->live = false;
    TEST_CHECK(t, buffer_holds(m), "0x%llx+%u %s: wrong contents after the unmap",
               addr_number(m->phys), m->bytes,
               m->dir == DMA_TO_DEVICE ? "to device" : "from device");
}

/* To the CPU, which looks and writes, and back to the device, which looks. */
static void sync_mapping(struct test *t, struct mapping *m)
{
    if (m->dir != DMA_TO_DEVICE) {
        m->value++;
        dma_bus_fill(m->addr, m->value, m->bytes);
    }
    dma_sync_single_for_cpu(&crowd, m->addr, m->bytes, m->dir);
    TEST_CHECK(t, buffer_holds(m), "0x%llx+%u: wrong contents after the sync for the CPU",
               addr_number(m->phys), m->bytes);
    m->value ^= UINT8_MAX;
    memset_page(m->page, m->offset, m->value, m->bytes);
    dma_sync_single_for_device(&crowd, m->addr, m->bytes, m->dir);
    TEST_CHECK(t, m->dir == DMA_FROM_DEVICE || bus_holds(m->addr + m->bytes - 1, m->value),
               "0x%llx+%u: device does not see what was synced for it", addr_number(m->phys),
               m->bytes);
}

void dma_check_many(struct test *t, const struct device *like, const struct dma_arena *arenas)
{
    static struct mapping all[MANY_MAPPINGS];
    struct prng *prng = test_prng(t);

    crowd = dma_device_like("crowd", like);
    crowd.check_ownership = prng_below(prng, 2);
    memset(all, 0, sizeof(all));
    for (uint32_t step = 0; step < MANY_STEPS && !test_should_stop(t); step++) {
        struct mapping *m = &all[prng_below(prng, MANY_MAPPINGS)];

        if (!m->live)
            begin_mapping(t, arenas, all, m);
        else if (prng_below(prng, 3) == 0)
            sync_mapping(t, m);
        else
            end_mapping(t, m);
    }
    for (struct mapping *m = all; m < all + MANY_MAPPINGS; m++) {
        if (m->live)
            end_mapping(t, m);
    }
    for (unsigned i = 0; i < DMA_NR_ARENAS; i++) {
        if (arenas[i].page)
            dma_arena_paint(&arenas[i], 0, DMA_ARENA_BYTES);
    }
    TEST_CHECK(t, dma_check_leaks(&crowd) == 0, "mappings were leaked");
}

#define PART_OFFSET 200u /* of the part that is synced, in the mapping */
#define PART_BYTES 100u

/* `bytes` bytes from `offset` into the buffer on hold `value`, as far as their ends tell. */
static bool part_holds(struct page *page, uint32_t offset, uint8_t value, uint32_t bytes)
{
    uint8_t ends[2];

    memcpy_from_page(&ends[0], page, MISUSE_OFFSET + offset, 1);
    memcpy_from_page(&ends[1], page, MISUSE_OFFSET + offset + bytes - 1, 1);
    return ends[0] == value && ends[1] == value;
}

static void check_one_partial_sync(struct test *t, struct page *page, const char *memory)
{
    const uint8_t old = 0x11, from_device = 0x22, from_cpu = 0x33;
    const uint32_t after = PART_OFFSET + PART_BYTES;
    dma_addr_t addr;
    bool bounced;

    memset_page(page, MISUSE_OFFSET, old, MISUSE_BYTES);
    addr = map_at(page, MISUSE_OFFSET, DMA_BIDIRECTIONAL);
    if (!TEST_CHECK(t, !dma_mapping_error(&fake, addr), "%s: not mapped", memory))
        return;
    bounced = addr != phys_to_dma(page_to_phys(page)) + MISUSE_OFFSET;
    dma_bus_fill(addr, from_device, MISUSE_BYTES);
    dma_sync_single_for_cpu(&fake, addr + PART_OFFSET, PART_BYTES, DMA_BIDIRECTIONAL);
    TEST_CHECK(t, part_holds(page, PART_OFFSET, from_device, PART_BYTES),
               "%s: a part synced for the CPU has not come", memory);
    TEST_CHECK(t,
               !bounced || (part_holds(page, 0, old, PART_OFFSET) &&
                            part_holds(page, after, old, MISUSE_BYTES - after)),
               "%s: more than a part was synced for the CPU", memory);
    memset_page(page, MISUSE_OFFSET + PART_OFFSET, from_cpu, PART_BYTES);
    dma_sync_single_for_device(&fake, addr + PART_OFFSET, PART_BYTES, DMA_BIDIRECTIONAL);
    TEST_CHECK(t, bus_holds(addr + PART_OFFSET, from_cpu) && bus_holds(addr + after - 1, from_cpu),
               "%s: the device does not see a part synced for it", memory);
    TEST_CHECK(
        t, bus_holds(addr + PART_OFFSET - 1, from_device) && bus_holds(addr + after, from_device),
        "%s: more than a part was synced for the device", memory);
    dma_unmap_page(&fake, addr, MISUSE_BYTES, DMA_BIDIRECTIONAL);
    TEST_CHECK(t,
               part_holds(page, 0, from_device, PART_OFFSET) &&
                   part_holds(page, PART_OFFSET, from_cpu, PART_BYTES) &&
                   part_holds(page, after, from_device, MISUSE_BYTES - after),
               "%s: wrong contents after the unmap that followed a partial sync", memory);
}

void dma_check_partial_sync(struct test *t, const struct device *like,
                            const struct dma_arena *arenas)
{
    fake = dma_device_like("fake", like);
    for (unsigned i = 0; i < DMA_NR_ARENAS; i++) {
        if (!arenas[i].page)
            continue;
        check_one_partial_sync(t, arenas[i].page, dma_arena_name(&arenas[i]));
        dma_arena_paint(&arenas[i], 0, PAGE_SIZE);
    }
}
