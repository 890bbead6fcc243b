/* SPDX-License-Identifier: BSD-2-Clause */
#include "payload/tests/stress_pressure.h"
#include "drivers/clock.h"
#include "drivers/dma.h"
#include "lib/format.h"
#include "lib/permute.h"
#include "lib/string.h"
#include "paging/highmem.h"
#include "paging/kmap.h"
#include "paging/page_alloc.h"
#include "paging/wait.h"
#include "payload/tests/lowmem_blocks.h"

#define LEFT_PAGES 16384u  /* of lowmem, for the fragmenter to fill */
#define RESERVE_PAGES 512u /* that it leaves to the others */
#define FREED_OF_HELD 4u   /* one in so many is freed again */
#define MAX_BULK 256u      /* blocks of the largest order: all of lowmem */
#define NR_WINDOWED (2 * LAST_PKMAP)

#define NR_HOGS 3u
#define HOG_ORDER 4u
#define HOG_PIECE (PAGE_SIZE << HOG_ORDER)
#define HOG_LEAVES (3 * HOG_PIECE) /* of the low pool */
#define HOG_TURNS 4u               /* of others, that a mapping lasts for */
#define HOG_COMPARED 256u          /* bytes at a time */
#define MAX_HOARDED 512u

static struct {
    struct test *t;
    deadline_t deadline;
} stress;

void stress_begin(struct test *t, uint32_t ms)
{
    stress.t = t;
    stress.deadline = deadline_in_ms(ms);
}

bool stress_is_over(void)
{
    return deadline_passed(stress.deadline) || test_should_stop(stress.t);
}

/* The fragmenter. */
static struct {
    struct lowmem_blocks held;
    struct prng prng;
    struct thread *thread;
    struct page *bulk[MAX_BULK]; /* taken so that there is less to fill */
    unsigned nr_bulk;
    uint32_t taken, given, refused;
    uint32_t wrong;
    struct lowmem_damage damage;
} frag;

static void give_one(void)
{
    struct lowmem_damage damage;
    uint32_t index = prng_below(&frag.prng, frag.held.count);

    frag.given++;
    if (!lowmem_blocks_give(&frag.held, index, &damage) && frag.wrong++ == 0)
        frag.damage = damage;
}

/* Fills, frees one block in so many, wants slabs while pages are free in pieces too small. */
static void thread_fragment(void *arg)
{
    (void)arg;
    while (!stress_is_over()) {
        uint32_t freed;

        while (!stress_is_over() && lowmem_free_pages() > RESERVE_PAGES &&
               lowmem_blocks_take(&frag.held, lowmem_mix_order(&frag.prng)))
            frag.taken++;
        freed = frag.held.count / FREED_OF_HELD;
        for (uint32_t i = 0; i < freed && !stress_is_over(); i++)
            give_one();
        while (!stress_is_over() && lowmem_free_pages() > RESERVE_PAGES &&
               lowmem_blocks_take(&frag.held, 3))
            frag.taken++;
        frag.refused += lowmem_free_pages() > RESERVE_PAGES;
        thread_yield();
    }
    while (frag.held.count > 0)
        give_one();
}

/* Windows. */
static struct {
    struct page *page[NR_WINDOWED];
    unsigned nr_pages;
    struct prng prng;
    struct thread *thread;
    uint32_t rounds, wrong;
} windows;

static uint32_t mark_of(const struct page *page)
{
    return hash32(page_to_pfn(page) ^ 0x77696e64);
}

static void thread_windows(void *arg)
{
    (void)arg;
    while (!stress_is_over()) {
        struct page *page = windows.page[prng_below(&windows.prng, windows.nr_pages)];
        const volatile uint32_t *window = kmap(page);

        windows.wrong += !window || *window != mark_of(page);
        if (windows.rounds++ % 16 == 0)
            thread_yield();
        windows.wrong += !window || *window != mark_of(page);
        kunmap(page);
    }
}

/* Hogs: mappings for a device with the mask of an ISA bus, of memory beyond it. */
static struct hog {
    struct device dev;
    struct page *page;
    struct prng prng;
    struct thread *thread;
    uint32_t mappings, waits, no_room, wrong;
    char name[8];
} hogs[NR_HOGS];

/* What is taken of the low pool for as long as the case lasts. */
static struct {
    struct device dev;
    struct page *page;
    dma_addr_t addr[MAX_HOARDED];
    unsigned count;
} hoard;

static struct device isa_device(const char *name)
{
    return (struct device){
        .name = name, .dma_mask = DMA_BIT_MASK(24), .max_segment_bytes = HOG_PIECE};
}

/* A mapping that waits until others have given slots back. */
static dma_addr_t map_when_there_is_room(struct hog *hog, uint32_t bytes)
{
    dma_addr_t addr = dma_map_page(&hog->dev, hog->page, 0, bytes, DMA_FROM_DEVICE);

    if (!dma_mapping_error(&hog->dev, addr))
        return addr;
    hog->waits++;
    return dma_map_page_attrs(&hog->dev, hog->page, 0, bytes, DMA_FROM_DEVICE, DMA_ATTR_MAY_SLEEP);
}

static bool is_all(struct page *page, uint8_t mark, uint32_t bytes)
{
    uint8_t part[HOG_COMPARED], differs = 0;

    for (uint32_t at = 0; at < bytes; at += HOG_COMPARED) {
        uint32_t count = MIN(HOG_COMPARED, bytes - at);

        memcpy_from_page(part, page, at, count);
        for (uint32_t i = 0; i < count; i++)
            differs |= part[i] ^ mark;
    }
    return differs == 0;
}

/* What a device would do: fills its slots, which stay as they are however long it takes. */
static void thread_hog(void *arg)
{
    struct hog *hog = arg;

    while (!stress_is_over()) {
        uint32_t bytes = HOG_PIECE / 2 + prng_below(&hog->prng, HOG_PIECE / 2);
        uint8_t mark = (uint8_t)prng_u32(&hog->prng);
        dma_addr_t addr = map_when_there_is_room(hog, bytes);

        if (dma_mapping_error(&hog->dev, addr)) {
            hog->no_room++;
            break;
        }
        memset_page(phys_to_page(dma_to_phys(addr)), offset_in_page(addr), mark, bytes);
        for (unsigned i = 0; i < HOG_TURNS; i++)
            thread_yield();
        dma_unmap_page(&hog->dev, addr, bytes, DMA_FROM_DEVICE);
        hog->wrong += !is_all(hog->page, mark, bytes);
        hog->mappings++;
    }
}

/* All of the low pool but HOG_LEAVES. */
static void open_hoard(void)
{
    hoard.dev = isa_device("hoard");
    hoard.count = 0;
    hoard.page = alloc_pages_in(HOG_ORDER, ZONE_DMA_END, pfn_to_phys(max_pfn));
    while (hoard.page && hoard.count < MAX_HOARDED) {
        dma_addr_t addr = dma_map_page(&hoard.dev, hoard.page, 0, HOG_PIECE, DMA_TO_DEVICE);

        if (dma_mapping_error(&hoard.dev, addr))
            break;
        hoard.addr[hoard.count++] = addr;
    }
    for (uint32_t left = 0; left < HOG_LEAVES && hoard.count > 0; left += HOG_PIECE)
        dma_unmap_page(&hoard.dev, hoard.addr[--hoard.count], HOG_PIECE, DMA_TO_DEVICE);
}

void stress_pressure_relax(void)
{
    while (hoard.count > 0)
        dma_unmap_page(&hoard.dev, hoard.addr[--hoard.count], HOG_PIECE, DMA_TO_DEVICE);
    if (hoard.page)
        __free_pages(hoard.page, HOG_ORDER);
    hoard.page = NULL;
}

static void open_hogs(struct test *t)
{
    for (unsigned i = 0; i < NR_HOGS; i++) {
        struct hog *hog = &hogs[i];

        *hog = (struct hog){.page = alloc_pages_in(HOG_ORDER, ZONE_DMA_END, pfn_to_phys(max_pfn))};
        format(hog->name, sizeof(hog->name), "hog%u", i);
        hog->dev = isa_device(hog->name);
        prng_seed(&hog->prng, prng_u64(test_prng(t)));
    }
}

static void close_hogs(void)
{
    for (unsigned i = 0; i < NR_HOGS; i++) {
        if (hogs[i].page)
            __free_pages(hogs[i].page, HOG_ORDER);
        hogs[i].page = NULL;
    }
}

static void open_windows(struct test *t)
{
    windows.rounds = windows.wrong = 0;
    prng_seed(&windows.prng, prng_u64(test_prng(t)));
    for (windows.nr_pages = 0; windows.nr_pages < NR_WINDOWED; windows.nr_pages++) {
        struct page *page = alloc_pages(GFP_HIGHUSER | __GFP_THISZONE, 0);
        uint32_t mark;

        if (!page)
            break;
        mark = mark_of(page);
        memcpy_to_page(page, 0, &mark, sizeof(mark));
        windows.page[windows.nr_pages] = page;
    }
}

static void close_windows(void)
{
    while (windows.nr_pages > 0)
        __free_page(windows.page[--windows.nr_pages]);
}

/* Lowmem is made small enough to be filled in no time. */
static void open_fragmenter(struct test *t)
{
    frag.taken = frag.given = frag.refused = frag.wrong = 0;
    prng_seed(&frag.prng, prng_u64(test_prng(t)));
    while (frag.nr_bulk < MAX_BULK && lowmem_free_pages() > LEFT_PAGES) {
        struct page *page = alloc_pages(GFP_KERNEL, MAX_ORDER);

        if (!page)
            break;
        frag.bulk[frag.nr_bulk++] = page;
    }
    if (!lowmem_blocks_open(&frag.held, LEFT_PAGES))
        test_error(t, "no memory for the fragmenter's table");
}

static void close_fragmenter(void)
{
    lowmem_blocks_close(&frag.held);
    while (frag.nr_bulk > 0)
        __free_pages(frag.bulk[--frag.nr_bulk], MAX_ORDER);
}

void stress_pressure_judge(struct test *t)
{
    for (unsigned i = 0; i < NR_HOGS; i++) {
        TEST_CHECK(t, hogs[i].wrong == 0, "%s: of %u mappings %u came back changed", hogs[i].name,
                   hogs[i].mappings, hogs[i].wrong);
        TEST_CHECK(t, hogs[i].no_room == 0, "%s: no slots, and nobody to wait for", hogs[i].name);
        test_log(t, "%s: %u mappings, %u had to wait for slots", hogs[i].name, hogs[i].mappings,
                 hogs[i].waits);
    }
    TEST_CHECK(t, windows.wrong == 0, "%u windows of %u showed other pages", windows.wrong,
               windows.rounds);
    TEST_CHECK(t, frag.wrong == 0,
               "%u blocks changed; physical 0x%llx: 0x%08x and 0x%08x, 0x%08x and 0x%08x wanted",
               frag.wrong, addr_number(frag.damage.phys), frag.damage.found[0],
               frag.damage.found[1], frag.damage.wanted, ~frag.damage.wanted);
    test_log(t, "fragmenter: %u blocks taken, %u given back, %u times pages free, but no slab",
             frag.taken, frag.given, frag.refused);
    test_log(t, "windows: %u opened, of %u pages", windows.rounds, windows.nr_pages);
}

void stress_pressure_open(struct test *t)
{
    open_windows(t);
    open_hogs(t);
    open_hoard();
    open_fragmenter(t);
}

void stress_pressure_close(void)
{
    stress_pressure_relax();
    close_hogs();
    close_windows();
    close_fragmenter();
}

void stress_pressure_forget(void)
{
    hoard.count = 0;
}

struct thread *stress_start(const char *name, thread_fn_t fn, void *arg)
{
    struct thread *thread = thread_create(name, fn, arg);

    if (!thread)
        test_error(stress.t, "no memory for thread %s", name);
    return thread;
}

void stress_join(struct thread **thread, const char *name)
{
    if (*thread)
        TEST_CHECK(stress.t, thread_join(*thread), "thread %s sleeps for ever", name);
    *thread = NULL;
}

void stress_pressure_start(void)
{
    for (unsigned i = 0; i < NR_HOGS; i++)
        hogs[i].thread = hogs[i].page ? stress_start(hogs[i].name, thread_hog, &hogs[i]) : NULL;
    windows.thread = windows.nr_pages ? stress_start("windows", thread_windows, NULL) : NULL;
    frag.thread = frag.held.entry ? stress_start("fragmenter", thread_fragment, NULL) : NULL;
}

void stress_pressure_join(void)
{
    for (unsigned i = 0; i < NR_HOGS; i++)
        stress_join(&hogs[i].thread, hogs[i].name);
    stress_join(&windows.thread, "windows");
    stress_join(&frag.thread, "fragmenter");
}
