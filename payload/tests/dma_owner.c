/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/finding.h"
#include "lib/string.h"
#include "lib/x86/cpu.h"
#include "paging/belief.h"
#include "paging/kmap.h"
#include "paging/kmap_local.h"
#include "paging/page_guard.h"
#include "payload/symbols.h"
#include "payload/tests/dma_misuse.h"

/* The buffer: a part of a page, two whole ones, and a part of another. */
#define OWNED_OFFSET 100u
#define OWNED_BYTES (3 * PAGE_SIZE)
#define OWNED_PAGE_BYTE 200u /* in each page, a byte of the buffer */
#define NEIGHBOUR_BYTE 50u   /* in the first page, one in front of it */

/* How the CPU gets at a page. What is lowmem has one address. */
enum way { WAY_LOCAL, WAY_KMAP, WAY_KMAP_OLD, NR_WAYS };

static const char *const way_names[NR_WAYS] = {
    [WAY_LOCAL] = "kmap_local_page",
    [WAY_KMAP] = "kmap",
    [WAY_KMAP_OLD] = "kmap before the map",
};

static struct device owner; /* exists only as its limits */

static struct {
    unsigned times;
    char text[128];
} noticed;

struct scene {
    bool mapped;
    struct test *t;
    const char *memory;
    struct page *page;
    enum way way;
    enum dma_data_direction dir;
    dma_addr_t addr;
    uint8_t value; /* that the device, or the CPU, wrote last */
};

static void keep_finding(const char *text)
{
    noticed.times++;
    symbol_name_callers(text, noticed.text, sizeof(noticed.text));
}

static __attribute__((noinline)) uint8_t culprit_reads(const volatile uint8_t *byte)
{
    return *byte;
}

static __attribute__((noinline)) void culprit_writes(volatile uint8_t *byte, uint8_t value)
{
    *byte = value;
}

/* Reads or writes one byte. Returns what is there then. */
static uint8_t touch(const struct scene *s, unsigned page, uint32_t offset, bool write)
{
    bool local = s->way == WAY_LOCAL;
    uint8_t *window = local ? kmap_local_page(s->page + page) : kmap(s->page + page);
    uint8_t value = 0;

    if (!TEST_CHECK(s->t, window, "%s: no window", s->memory))
        return value;
    if (write)
        culprit_writes(window + offset, s->value);
    value = culprit_reads(window + offset);
    if (local)
        kunmap_local(window);
    else
        kunmap(s->page + page);
    return value;
}

/* Whether a read of what the device owns is wrong. */
static unsigned reads_noticed(const struct scene *s)
{
    return s->dir == DMA_TO_DEVICE ? 0 : 1;
}

static void device_works(struct scene *s)
{
    if (s->dir == DMA_TO_DEVICE)
        return;
    s->value++;
    dma_bus_fill(s->addr, s->value, OWNED_BYTES);
}

static void give_to_device(struct scene *s)
{
    dma_sync_single_for_device(&owner, s->addr, OWNED_BYTES, s->dir);
    device_works(s);
}

/*
 * Touches a byte of the buffer twice, which should be noticed once or not at all, and gives all of
 * it to the device, which is when it is told.
 */
static void check_touch(struct scene *s, unsigned page, bool write, unsigned wanted,
                        const char *when)
{
    const char *did = write ? "written by culprit_writes+" : "read by culprit_reads+";
    uint32_t was = owner.counters.finding[DMA_FINDING_CPU_ACCESS];
    finding_hook_t hook = finding_set_hook(keep_finding);
    uint8_t value;

    noticed.times = 0;
    noticed.text[0] = 0;
    if (write)
        s->value++;
    touch(s, page, OWNED_PAGE_BYTE, write);
    value = touch(s, page, OWNED_PAGE_BYTE, write);
    if (s->mapped)
        give_to_device(s);
    finding_set_hook(hook);
    TEST_CHECK(s->t,
               noticed.times == wanted &&
                   owner.counters.finding[DMA_FINDING_CPU_ACCESS] == was + wanted,
               "%s, %s, direction %u: page %u %s %s: noticed %u times, %u wanted: %s", s->memory,
               way_names[s->way], s->dir, page, write ? "written" : "read", when, noticed.times,
               wanted, noticed.text);
    TEST_CHECK(s->t, wanted == 0 || strstr(noticed.text, did), "%s: \"%s\" is not \"%s\"",
               s->memory, noticed.text, did);
    TEST_CHECK(s->t, !write || value == s->value - (s->mapped && s->dir != DMA_TO_DEVICE ? 1 : 0),
               "%s, %s: what was written %s is not there", s->memory, way_names[s->way], when);
}

/* One whole page goes to the CPU, and no other does. */
static void take_page(const struct scene *s)
{
    dma_sync_single_for_cpu(&owner, s->addr + (PAGE_SIZE - OWNED_OFFSET), PAGE_SIZE, s->dir);
}

static void take_all(const struct scene *s)
{
    dma_sync_single_for_cpu(&owner, s->addr, OWNED_BYTES, s->dir);
}

static void check_owned(struct scene *s)
{
    device_works(s);
    touch(s, 0, NEIGHBOUR_BYTE, true);
    check_touch(s, 1, false, reads_noticed(s), "before the sync");
    check_touch(s, 2, true, 1, "after the sync for the device");
    take_page(s);
    check_touch(s, 1, false, 0, "after a sync of the page");
    take_page(s);
    check_touch(s, 1, true, 0, "after a sync of the page");
    take_page(s);
    check_touch(s, 2, true, 1, "after a sync of its neighbour");
    take_all(s);
    check_touch(s, 1, false, 0, "after the sync for the CPU");
    take_all(s);
    check_touch(s, 2, true, 0, "after the sync for the CPU");
}

static void check_contents(const struct scene *s, const char *when)
{
    TEST_CHECK(s->t, s->dir == DMA_TO_DEVICE || touch(s, 2, OWNED_PAGE_BYTE, false) == s->value,
               "%s, %s: what the device wrote is not there %s", s->memory, way_names[s->way], when);
}

static bool map(struct scene *s)
{
    s->addr = dma_map_page(&owner, s->page, OWNED_OFFSET, OWNED_BYTES, s->dir);
    s->mapped = !dma_mapping_error(&owner, s->addr);
    return TEST_CHECK(s->t, s->mapped, "%s: not mapped", s->memory);
}

static void unmap(struct scene *s)
{
    dma_unmap_page(&owner, s->addr, OWNED_BYTES, s->dir);
    s->mapped = false;
}

/* What nobody synced is told by the unmap. */
static void check_unmap_tells(struct scene *s)
{
    finding_hook_t hook;

    if (!map(s))
        return;
    device_works(s);
    hook = finding_set_hook(keep_finding);
    noticed.times = 0;
    touch(s, 1, OWNED_PAGE_BYTE, true);
    unmap(s);
    finding_set_hook(hook);
    TEST_CHECK(s->t, noticed.times == 1 && strstr(noticed.text, "written by culprit_writes+"),
               "%s: noticed %u times at the unmap, 1 wanted: %s", s->memory, noticed.times,
               noticed.text);
}

static void check_one(struct scene *s)
{
    if (!map(s))
        return;
    TEST_CHECK(s->t, page_guard_count() == 2, "%s: %u pages are guarded, not 2", s->memory,
               page_guard_count());
    check_owned(s);
    take_all(s);
    check_contents(s, "after the sync for the CPU");
    give_to_device(s);
    unmap(s);
    check_contents(s, "after the unmap");
    check_touch(s, 1, false, 0, "after the unmap");
    check_touch(s, 2, true, 0, "after the unmap");
    check_unmap_tells(s);
    TEST_CHECK(s->t, page_guard_count() == 0 && page_guard_splits() == 0,
               "%s: %u guards and %u split pages left", s->memory, page_guard_count(),
               page_guard_splits());
}

/*
 * All short windows, the first `before` of them opened before a page is guarded and the others
 * then, and closed with the guard still there or not.
 */
static void check_depth(struct scene *s, unsigned before, bool close_guarded)
{
    uint8_t *window[KMAP_LOCAL_DEPTH];
    struct page *others = s->page + 4;
    unsigned right = 0;

    for (unsigned i = 0; i < KMAP_LOCAL_DEPTH; i++) {
        if (i == before && !map(s))
            return;
        window[i] = kmap_local_page(others + i);
        if (!TEST_CHECK(s->t, window[i] && kmap_local_depth() == i + 1,
                        "%s: %u short windows are open, not %u", s->memory, kmap_local_depth(),
                        i + 1))
            return;
        *window[i] = (uint8_t)(s->value + i);
    }
    test_findings_begin(s->t);
    TEST_CHECK(s->t, !kmap_local_page(others), "%s: a window too many", s->memory);
    test_findings_end(s->t, 1, "a window too many");
    for (unsigned i = KMAP_LOCAL_DEPTH; i > 0; i--) {
        /* The layer needs windows itself. */
        if (i == KMAP_LOCAL_DEPTH - 2 && !close_guarded)
            unmap(s);
        right += *window[i - 1] == (uint8_t)(s->value + i - 1);
        kunmap_local(window[i - 1]);
    }
    TEST_CHECK(s->t, right == KMAP_LOCAL_DEPTH && kmap_local_depth() == 0,
               "%s: %u of %u short windows were right, %u are left", s->memory, right,
               KMAP_LOCAL_DEPTH, kmap_local_depth());
    check_touch(s, 1, true, close_guarded ? 1 : 0, "after all windows were closed");
    if (s->mapped)
        unmap(s);
}

static void check_all_ways(struct scene *s)
{
    unsigned ways = PageHighMem(s->page) ? NR_WAYS : 1;

    for (s->way = WAY_LOCAL; s->way < ways; s->way++) {
        bool keep = s->way == WAY_KMAP_OLD && kmap(s->page + 1) && kmap(s->page + 2);

        for (s->dir = DMA_BIDIRECTIONAL; s->dir <= DMA_FROM_DEVICE; s->dir++)
            check_one(s);
        if (keep) {
            kunmap(s->page + 1);
            kunmap(s->page + 2);
        }
    }
    s->way = WAY_KMAP;
    s->dir = DMA_TO_DEVICE;
    for (unsigned i = 0; ways > 1 && i < 4; i++)
        check_depth(s, i < 2 ? 0 : KMAP_LOCAL_DEPTH / 2, i % 2);
}

/* Counts the pages whose entry is not what paging believes. */
static void compare_run(void *ctx, const struct belief *run)
{
    const uint64_t changing = PTE_ACCESSED | PTE_DIRTY | PTE_PRESENT | PTE_PHYS_MASK;
    uint32_t bytes = (run->flags & PTE_LARGE) ? LARGE_PAGE_SIZE : PAGE_SIZE;
    unsigned *wrong = ctx;

    for (uint32_t i = 0; i < run->pages; i++) {
        struct page_walk walk;
        pte_t entry;

        pgtable_walk(cr3_read(), run->virt + i * bytes, &walk);
        entry = walk.levels == 3 ? walk.pte : walk.pde;
        if (!walk.present || walk.size != bytes ||
            (entry & ~(uint64_t)changing) != (run->flags & ~(uint64_t)changing) ||
            (run->phys != BELIEF_PHYS_UNKNOWN && walk.phys != run->phys + (uint64_t)i * bytes))
            ++*wrong;
    }
}

void dma_check_owner(struct test *t, const struct device *like, const struct dma_arena *arenas)
{
    unsigned wrong = 0;

    owner = dma_device_like("owner", like);
    if (dma_max_mapping_size(&owner) < OWNED_BYTES)
        return;
    for (unsigned i = 0; i < DMA_NR_ARENAS; i++) {
        struct scene s = {.t = t, .memory = dma_arena_name(&arenas[i]), .page = arenas[i].page};

        if (!s.page)
            continue;
        check_all_ways(&s);
        dma_arena_paint(&arenas[i], 0, DMA_ARENA_BYTES);
    }
    belief_tell(compare_run, &wrong);
    TEST_CHECK(t, wrong == 0, "%u pages are not mapped as they were", wrong);
}
