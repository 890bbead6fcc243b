/* SPDX-License-Identifier: BSD-2-Clause */
/* The pages that the slab allocator has, and what must hold of them between operations. */
#include <string.h>

#include "ci/model/page_slab.h"
#include "ci/model/slab_layer.h"
#include "paging/slab_internal.h"

#ifdef MODEL_SANITIZED
#include <sanitizer/asan_interface.h>
#endif

#define VARIABLES_MOST 4096u
#define STACKS_BYTES (NR_SLAB_CACHES * sizeof(struct slab_stack))

/* The linker's ends of the sections that slab_layer.h makes. */
extern char __start_slab_bss[], __stop_slab_bss[], __start_slab_data[], __stop_slab_data[];

struct slab_state slab_state;

static char memory[NR_FRAMES * PAGE_SIZE] __aligned(PAGE_SIZE);
/* Nobody gives a processor's stacks back, so they are no page of the zones'. */
static char stacks[STACKS_BYTES] __aligned(STACKS_BYTES);
static bool is_starting;
static struct shrinker *shrinker;
static uint32_t (*shrinker_counts)(struct shrinker *asked, enum zone_type zone);
static uint32_t (*shrinker_scans)(struct shrinker *asked, enum zone_type zone, uint32_t nr_to_scan);

/* Whether anybody may touch this memory, as far as the address sanitizer knows. */
static void allow(const void *at, size_t bytes, bool is_allowed)
{
#ifdef MODEL_SANITIZED
    if (is_allowed)
        __asan_unpoison_memory_region(at, bytes);
    else
        __asan_poison_memory_region(at, bytes);
#else
    (void)at;
    (void)bytes;
    (void)is_allowed;
#endif
}

char *frame_memory(pfn_t pfn)
{
    return memory + (size_t)pfn * PAGE_SIZE;
}

struct block *slab_block(const void *at)
{
    size_t offset = (size_t)((const char *)at - memory);
    struct block *block;
    pfn_t pfn;

    if (offset >= (size_t)m.low_pfn * PAGE_SIZE)
        return NULL;
    pfn = (pfn_t)(offset / PAGE_SIZE);
    if (m.frame[pfn] != HEAD && m.frame[pfn] != TAIL)
        return NULL;
    block = &m.blocks[m.block[pfn]];
    return block->who == SLAB ? block : NULL;
}

struct page *slab_asks(gfp_t gfp, unsigned order)
{
    struct page *page = alloc_pages(gfp, order);
    struct block *block;

    if (!page) {
        slab_state.refused = true;
        check_refused(gfp, order);
        return NULL;
    }
    check_given(page, gfp, order);
    block = is_right() ? block_enters(page, order, gfp) : NULL;
    if (!block)
        return NULL;
    CHECK(!PageHighMem(page), "the slab allocator took frame %u, which has no address", block->pfn);
    slab_state.pages += 1u << order;
    block->who = SLAB;
    block->use = USE_UNKNOWN;
    allow(frame_memory(block->pfn), (size_t)PAGE_SIZE << order, true);
    if (gfp & __GFP_ZERO)
        memset(frame_memory(block->pfn), 0, (size_t)PAGE_SIZE << order);
    /* Others may have more in their hands than the model knows. */
    if (!m.disturbed) {
        call_end();
        check_all();
        call_begin();
    }
    return page;
}

void *slab_asks_address(gfp_t gfp, unsigned order)
{
    struct page *page;

    if (is_starting) {
        CHECK(STACKS_BYTES <= PAGE_SIZE << order, "%u bytes of stacks are asked for",
              PAGE_SIZE << order);
        return memset(stacks, 0, sizeof(stacks));
    }
    page = slab_asks(gfp, order);
    return page ? lowmem_page_address(page) : NULL;
}

/* What the block is for from now on. */
static void use_for(struct block *block, unsigned use)
{
    int change = use < NR_USES ? 1 : -1;
    unsigned which = use < NR_USES ? use : block->use;

    if (which < NR_USES)
        slab_state.blocks[which] += (uint32_t)change;
    if (which < NR_SLAB_CACHES)
        slab_state.empty[which] += (uint32_t)change;
    block->use = (uint8_t)use;
}

void slab_gives(struct page *page, unsigned order)
{
    struct block *block = slab_block(lowmem_page_address(page));

    if (!block || block->pfn != page_to_pfn(page) || block->order != order) {
        broke("the slab allocator gives frame %u, order %u, which it does not have",
              page_to_pfn(page), order);
        return;
    }
    CHECK(block->live == 0, "the slab at frame %u is given back, and has %u objects", block->pfn,
          block->live);
    CHECK(block->use == USE_UNKNOWN, "frame %u is given back, and has an owner", block->pfn);
    if (!m.broken)
        allow(frame_memory(block->pfn), (size_t)PAGE_SIZE << order, false);
    slab_state.pages -= 1u << order;
    m.slab_gave = true;
    give(block);
}

void slab_gives_address(const void *addr, unsigned order)
{
    struct block *block = slab_block(addr);

    /* Pages of descriptors keep their owner to the end. */
    if (block && block->use == SLAB_INDEX_DESCRIPTORS) {
        use_for(block, USE_UNKNOWN);
        page_set_owner(m.map + block->pfn, PAGE_OWNER_NONE, 0);
    }
    slab_gives(virt_to_page(addr), order);
}

void slab_owns(struct page *page, unsigned id, uint32_t index)
{
    struct block *block = slab_block(lowmem_page_address(page));

    page_set_owner(page, id, index);
    if (!block || block->pfn != page_to_pfn(page)) {
        broke("the slab allocator says that it owns frame %u", page_to_pfn(page));
    } else if (id == PAGE_OWNER_NONE) {
        if (block->use > 0 && block->use < NR_SLAB_CACHES)
            slab_state.pages_given += 1u << block->order;
        use_for(block, USE_UNKNOWN);
    } else {
        CHECK(index < NR_USES, "the slab allocator uses frame %u for %u", block->pfn, index);
        use_for(block, index % NR_USES);
        model_now->count[COUNT_SLABS] += index > 0 && index < NR_SLAB_CACHES;
    }
}

/*
 * Pages of slabs without an object that is out, in caches of the zones up to this one. When
 * somebody came in between, one of them may be so new that its cache does not know it yet.
 */
uint32_t empty_pages(enum zone_type zone)
{
    uint32_t pages = 0;

    for (unsigned number = 1; number < NR_SLAB_CACHES; number++) {
        const struct kmem_cache *cache = kmem_cache_of_number(number);

        pages += cache && cache->zone <= zone ? slab_state.empty[number] << cache->order : 0;
    }
    return pages;
}

static uint32_t count_objects(struct shrinker *asked, enum zone_type zone)
{
    uint32_t pages = shrinker_counts(asked, zone);

    CHECK(m.disturbed || pages >= empty_pages(zone),
          "the shrinker counts %u pages, %u could go at once", pages, empty_pages(zone));
    return pages;
}

static uint32_t scan_objects(struct shrinker *asked, enum zone_type zone, uint32_t nr_to_scan)
{
    uint32_t before = slab_state.pages_given, wanted = MIN(nr_to_scan, empty_pages(zone));
    uint32_t pages = shrinker_scans(asked, zone, nr_to_scan);

    CHECK(pages == slab_state.pages_given - before,
          "the shrinker says that it gave %u pages back; it gave %u", pages,
          slab_state.pages_given - before);
    CHECK(m.disturbed || pages >= wanted, "the shrinker gives %u pages back, %u wanted", pages,
          wanted);
    model_now->count[COUNT_SLABS_RECLAIMED] += pages;
    return pages;
}

/* The model stands in between. */
void slab_registers(struct shrinker *asked)
{
    shrinker = asked;
    shrinker_counts = asked->count_objects;
    shrinker_scans = asked->scan_objects;
    asked->count_objects = count_objects;
    asked->scan_objects = scan_objects;
    register_shrinker(asked);
}

/*
 * The allocator's variables as before it was ever used. Between them the address sanitizer has its
 * traps.
 */
__attribute__((no_sanitize("address"))) static void reset_variables(bool is_first)
{
    static char data[VARIABLES_MOST];
    size_t bytes = MIN((uintptr_t)__stop_slab_data - (uintptr_t)__start_slab_data, VARIABLES_MOST);
    size_t zeroed = (uintptr_t)__stop_slab_bss - (uintptr_t)__start_slab_bss;

    CHECK(bytes < VARIABLES_MOST, "the slab allocator has too many variables");
    for (volatile size_t i = 0; is_first && i < bytes; i++)
        data[i] = __start_slab_data[i];
    for (volatile size_t i = 0; i < bytes; i++)
        __start_slab_data[i] = data[i];
    for (volatile size_t i = 0; i < zeroed; i++)
        __start_slab_bss[i] = 0;
}

/*
 * Pages that the slab allocator has not are none of its business; one that is broken on purpose may
 * do as it likes, so that the model has something to notice.
 */
static void forbid_all(void)
{
    static bool is_open = true;

    if (m.broken || is_open || slab_state.pages)
        allow(memory, sizeof(memory), m.broken);
    is_open = m.broken;
}

/* As when the payload starts: what was in the other machine is over. */
void slab_start(void)
{
    if (shrinker)
        unregister_shrinker(shrinker);
    reset_variables(!shrinker);
    forbid_all();
    slab_state = (struct slab_state){0};
    layout.direct_offset = (uintptr_t)memory;
    is_starting = true;
    CHECK(slab_init(), "the slab allocator does not start");
    is_starting = false;
}

/* A cache's counts, against those of the objects and pages that the model knows. */
static void check_counts(const struct kmem_cache *cache, unsigned number)
{
    struct slab_info info;

    kmem_cache_info(cache, &info);
    CHECK(info.in_use == slab_state.live[number], "%s: %u objects are out by its count, %u are",
          info.name, info.in_use, slab_state.live[number]);
    CHECK(info.slabs == slab_state.blocks[number], "%s: %u slabs by its count, it has %u",
          info.name, info.slabs, slab_state.blocks[number]);
    CHECK(info.slabs * info.objects_per_slab >= info.in_use, "%s: %u objects in %u slabs",
          info.name, info.in_use, info.slabs);
}

static void check_rules(unsigned number)
{
    struct kmem_cache *cache = kmem_cache_of_number(number);
    virt_t where = 0;
    const char *wrong = cache ? kmem_cache_check(cache, &where) : NULL;

    CHECK(!wrong, "cache %u: %s", number, wrong);
}

void check_slabs(void)
{
    uint32_t slabs = 0;

    for (unsigned number = 1; number < NR_SLAB_CACHES && is_right(); number++) {
        const struct kmem_cache *cache = kmem_cache_of_number(number);

        if (cache)
            check_counts(cache, number);
        else
            CHECK(!slab_state.blocks[number], "a cache that is gone has %u slabs",
                  slab_state.blocks[number]);
        slabs += slab_state.blocks[number];
    }
    CHECK(slab_state.blocks[SLAB_INDEX_DESCRIPTORS] <= slabs,
          "%u pages have the descriptors of %u slabs", slab_state.blocks[SLAB_INDEX_DESCRIPTORS],
          slabs);
    /* One after the other; the first ones are the ones that are used most. */
    slab_state.looked_at = (slab_state.looked_at + 1) % NR_SLAB_CACHES;
    check_rules(slab_state.looked_at);
    if (slab_state.touched)
        check_rules(slab_state.touched);
    slab_state.touched = 0;
    slab_state.pages_given = 0;
    slab_state.refused = false;
}
