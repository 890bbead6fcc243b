/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lowmem_memmap: "the system memory map alone can occupy half of low memory".
 *
 * A kernel keeps a descriptor for each page frame, in lowmem. The more memory a machine has, the
 * less of its lowmem is left, until nothing is: with 64 bytes, which struct page once had, the map
 * of 64 GiB is larger than all of lowmem.
 *
 * A step makes the machine larger by 1 GiB, and takes real blocks for the descriptors of so much,
 * from all the lowmem there is (nothing is written to them, so that it is quick). It is wedged when
 * there is no block any more. How much lowmem is left is told at 1, 2, 4 to 64 GiB,
 * wedge or not. The remedies:
 * descriptors of 40 bytes (Linux 6.1 without memory cgroups), 32 (Linux 2.6) and 8 (ours), and page
 * clustering (the descriptor of 64 bytes stands for four frames).
 *
 * Why it can break: a machine with little lowmem is wedged sooner; the figures are its own. A
 * remedy that needs a part of the bytes must get that many times as far, or the allocator lost
 * blocks on the way.
 */
#include "lib/format.h"
#include "lib/inject.h"
#include "payload/tests/lowmem_lab.h"

#define GIB_DEFAULT 64u
#define GIB_MAX 64u /* all that PAE reaches */
#define FRAMES_A_GIB (1u << (30 - PAGE_SHIFT))
#define BLOCKS_MAX (GIB_MAX * 6u)
#define METRIC_NAME_MAX 48
#define LOWMEM_LEAST 8192u /* 32 MiB, for 2 GiB */
#define TOLD_MAX 7u        /* 1, 2, 4, ... 64 GiB */
#define TOLD_TEXT_MAX 64

/* What a machine's frames cost, by use; the first is "none". */
static const struct descriptors {
    unsigned bytes;
    unsigned frames; /* that one descriptor is for */
} descriptors[] = {{64, 1}, {40, 1}, {32, 1}, {8, 1}, {64, 4}};

static struct state {
    struct page *block[BLOCKS_MAX];
    uint8_t order[BLOCKS_MAX];
    unsigned nr_blocks;
    uint32_t gib; /* the machine that is simulated */
    uint32_t lowmem_pages;
    uint32_t left_mib[TOLD_MAX]; /* with 1, 2, 4, ... GiB */
    unsigned nr_left;
} state;

static struct page_owner map_owner = {.name = "descriptors", .letter = 'd'};

static uint32_t free_lowmem(void)
{
    return nr_free_pages(ZONE_DMA) + nr_free_pages(ZONE_NORMAL);
}

static uint32_t pages_a_gib(const struct lab *lab)
{
    const struct descriptors *d = &descriptors[lab->use + 1];

    return FRAMES_A_GIB / d->frames * d->bytes / PAGE_SIZE;
}

static const char *memmap_begin(struct lab *lab)
{
    state = (struct state){.gib = GIB_DEFAULT};
    if (lab->size)
        state.gib = (uint32_t)(MIN(lab->size, GIB64(GIB_MAX)) >> 30);
    if (state.gib == 0)
        return "size=memmap: is less than 1G";
    return page_owner_register(&map_owner) == 0 ? NULL : "all owner ids are taken";
}

static const char *memmap_start(struct lab *lab)
{
    (void)lab;
    state.lowmem_pages = free_lowmem();
    return NULL;
}

static bool take(struct lab *lab, unsigned order)
{
    struct page *page = NULL;

    if (state.nr_blocks < BLOCKS_MAX)
        page = lab_alloc(lab, GFP_KERNEL, order, map_owner.id, state.nr_blocks);
    if (!page)
        return false;
    state.block[state.nr_blocks] = page;
    state.order[state.nr_blocks] = (uint8_t)order;
    state.nr_blocks++;
    return true;
}

static void tell_left(const struct lab *lab, uint32_t gib)
{
    const char *name = test_case_name(lab->t);
    uint32_t left = free_lowmem(), permille = left * UINT64_C(1000) / state.lowmem_pages;
    char metric[METRIC_NAME_MAX];

    state.left_mib[state.nr_left++] = left >> (20 - PAGE_SHIFT);
    format(metric, sizeof(metric), "%s_left_%ug", name, gib);
    test_metric(lab->t, metric, (uint64_t)left * (PAGE_SIZE / 1024), "KiB");
    format(metric, sizeof(metric), "%s_left_%ug_share", name, gib);
    test_metric(lab->t, metric, permille, "permille");
}

static enum lab_step memmap_step(struct lab *lab)
{
    uint32_t gib = (uint32_t)lab->done + 1, pages = pages_a_gib(lab);

    if (gib > state.gib)
        return LAB_OVER;
    while (pages) {
        unsigned order = MIN(31u - (unsigned)__builtin_clz(pages), MAX_ORDER);

        if (!take(lab, order))
            return LAB_WEDGED;
        pages -= 1u << order;
    }
    if ((gib & (gib - 1)) == 0)
        tell_left(lab, gib);
    return LAB_GOES_ON;
}

/* One line for people. */
static void say_left(const struct lab *lab)
{
    char text[TOLD_TEXT_MAX];
    int at = 0;

    for (unsigned i = 0; i < state.nr_left && at < TOLD_TEXT_MAX; i++)
        at += format(text + at, sizeof(text) - (size_t)at, " %u", state.left_mib[i]);
    if (at)
        test_log(lab->t, "%s: MiB of %u left with 1, 2, 4, ... GiB:%s", test_case_name(lab->t),
                 state.lowmem_pages >> (20 - PAGE_SHIFT), text);
}

static void memmap_end(struct lab *lab)
{
    say_left(lab);
    if (state.nr_blocks && inject(memmap_lose_block, lowmem_memmap))
        state.nr_blocks--;
    while (state.nr_blocks) {
        state.nr_blocks--;
        lab_free(lab, state.block[state.nr_blocks], state.order[state.nr_blocks]);
    }
    page_owner_unregister(&map_owner);
}

static const struct lab_remedy_use uses[] = {
    {LAB_SMALLER, 1, "descriptors of 40 bytes instead of 64"},
    {LAB_SMALLER, 2, "descriptors of 32 bytes instead of 64"},
    {LAB_SMALLER, 8, "descriptors of 8 bytes instead of 64"},
    {LAB_CLUSTERING, 4, "one descriptor of 64 bytes for four frames"},
};

_Static_assert(ARRAY_SIZE(descriptors) == ARRAY_SIZE(uses) + 1, "a use has its descriptors");

static const struct lab_workload memmap = {
    .name = "memmap",
    .unit = "GiB",
    .uses = uses,
    .nr_uses = ARRAY_SIZE(uses),
    .begin = memmap_begin,
    .start = memmap_start,
    .step = memmap_step,
    .end = memmap_end,
    .whole_lowmem = true,
    .stands_alone = true,
    .lowmem_least = LOWMEM_LEAST,
    .limit_none = GIB_MAX + 1,
    .sample_steps = 2, /* all of them take a few ms */
};

LAB_CASE(none, &memmap, -1)
LAB_CASE(bytes40, &memmap, 0)
LAB_CASE(bytes32, &memmap, 1)
LAB_CASE(smaller, &memmap, 2)
LAB_CASE(clustering, &memmap, 3)
/* Is the frame part of a free block, whichever its first page is? */
static bool is_in_free_block(pfn_t pfn)
{
    for (unsigned order = 0; order <= MAX_ORDER; order++) {
        const struct page *first = pfn_to_page(pfn & ~((1u << order) - 1));

        if (first->free && first->order >= order)
            return true;
    }
    return false;
}

/* Our own map: what it costs, and that nobody is given the memory it lies in. */
static void case_own(struct test *t)
{
    uint32_t bytes = max_pfn * (uint32_t)sizeof(struct page);
    uint32_t lowmem_kib = free_lowmem() * 4 + bytes / 1024;

    for (uint32_t at = 0; at < bytes && !test_should_stop(t); at += PAGE_SIZE) {
        pfn_t pfn = page_to_pfn(virt_to_page((const char *)mem_map + at));

        TEST_CHECK(t, !is_in_free_block(pfn), "descriptors at physical 0x%llx are in a free block",
                   addr_number(pfn_to_phys(pfn)));
    }
    test_log(t, "this machine: %u frames, %u KiB of %u KiB of lowmem, %u permille", max_pfn,
             bytes / 1024, lowmem_kib, bytes / 1024 * 1000 / lowmem_kib);
    test_metric(t, "own", bytes / 1024, "KiB");
}

static const struct test_case cases[] = {
    {"own", case_own},         {"none", case_none},       {"bytes40", case_bytes40},
    {"bytes32", case_bytes32}, {"smaller", case_smaller}, {"clustering", case_clustering},
};

SUITE(lowmem_memmap) = {
    .name = "lowmem_memmap",
    .about = "page descriptors of large machines, and the lowmem that they leave",
    .rank = SUITE_RANK_STRESS,
    .cases = cases,
    .nr_cases = ARRAY_SIZE(cases),
    .sizes = "memmap",
    .abandon = lab_abandon,
};
