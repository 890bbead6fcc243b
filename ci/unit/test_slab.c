/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Objects on top of a page allocator of the test's own: a piece of memory whose pages may not be
 * touched while they are free, by the address sanitiser. The model knows every object that is out,
 * and what it holds.
 */
#include <sanitizer/asan_interface.h>

#include "ci/unit/unit.h"
#include "lib/finding.h"
#include "lib/inject.h"
#include "paging/shrinker.h"
#include "paging/slab.h"
#include "paging/slab_internal.h"

#define NR_PFN 1024u
#define DMA_PFN 128u
#define LIVE_MAX 4000u
#define NAMED 5u

struct live {
    uint8_t *object;
    struct kmem_cache *cache; /* NULL: kmalloc() */
    uint32_t size;
    uint8_t stamp;
};

static struct {
    struct page map[NR_PFN];
    struct cpu cpus[2], *cpu;
    char *arena;
    bool used[NR_PFN];
    uint32_t used_pages, start_pages, limit;
    struct live live[LIVE_MAX];
    uint32_t nr_live;
    struct kmem_cache *named[NAMED];
    struct prng prng;
    unsigned findings;
    char text[200];
    bool nested, within; /* others come in between; they do now */
    struct shrinker *shrinker;
} m;

struct page *mem_map = m.map;
pfn_t max_pfn = NR_PFN;
pfn_t max_low_pfn = NR_PFN;
struct page *highmem_map = m.map + NR_PFN;
struct layout layout;

/* What the allocator calls */

static void any_operation(void);
static void release(uint32_t index);

/* What another thread does meanwhile. */
static void others(void)
{
    bool freeing;

    m.nested = false;
    m.within = true;
    freeing = one_in(&m.prng, 4);
    for (unsigned count = prng_below(&m.prng, 40); count > 0; count--) {
        if (freeing && m.nr_live)
            release(prng_below(&m.prng, m.nr_live));
        else
            any_operation();
    }
    m.within = false;
    m.nested = true;
}

struct cpu *this_cpu(void)
{
    /* Preemption is about to go off: the last moment for others to come in between. */
    if (m.nested && m.cpu->preempt_count == 0 && one_in(&m.prng, 16))
        others();
    return m.cpu;
}

void finding(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    assert_true(vsnprintf(m.text, sizeof(m.text), fmt, args) <= 111);
    va_end(args);
    m.findings++;
}

void register_shrinker(struct shrinker *shrinker)
{
    m.shrinker = shrinker;
}

static bool is_free(pfn_t pfn, unsigned order)
{
    for (pfn_t i = pfn; i < pfn + (1u << order); i++)
        if (m.used[i])
            return false;
    return true;
}

struct page *alloc_pages(gfp_t gfp, unsigned order)
{
    unsigned zone = gfp & __GFP_ZONE_MASK;
    pfn_t end = zone == ZONE_DMA ? DMA_PFN : NR_PFN;

    assert_int_equal(m.cpu->preempt_count, 0);
    assert_true(zone <= ZONE_NORMAL && order <= MAX_ORDER && !(gfp & __GFP_MOVABLE));
    if (m.nested)
        others();
    for (pfn_t pfn = 1u << order; pfn < end; pfn += 1u << order) {
        struct page *page = &m.map[pfn];

        if (m.used_pages + (1u << order) > m.limit || !is_free(pfn, order))
            continue;
        memset(page, 0, sizeof(*page) << order);
        page->order = order & 0xf;
        page->allocated = 1;
        for (pfn_t i = 0; i < 1u << order; i++)
            m.used[pfn + i] = true;
        m.used_pages += 1u << order;
        ASAN_UNPOISON_MEMORY_REGION(m.arena + pfn * PAGE_SIZE, PAGE_SIZE << order);
        memset(m.arena + pfn * PAGE_SIZE, gfp & __GFP_ZERO ? 0 : 0xe3, PAGE_SIZE << order);
        return page;
    }
    return NULL;
}

void __free_pages(struct page *page, unsigned order)
{
    pfn_t pfn = page_to_pfn(page);

    assert_true(pfn < NR_PFN && m.used[pfn]);
    assert_true(page->allocated && page->order == order && page->owner == 0);
    for (pfn_t i = 0; i < 1u << order; i++) {
        assert_int_equal(page[i].kmap, 0);
        m.used[pfn + i] = false;
        /* As a free page looks, with a neighbour's number. */
        page[i].next = 5;
        page[i].kmap = 0x80000000u | prng_below(&m.prng, NR_PFN);
    }
    m.used_pages -= 1u << order;
    ASAN_POISON_MEMORY_REGION(m.arena + pfn * PAGE_SIZE, PAGE_SIZE << order);
}

void *__get_free_pages(gfp_t gfp, unsigned order)
{
    struct page *page = alloc_pages(gfp, order);

    return page ? lowmem_page_address(page) : NULL;
}

void free_pages(const void *addr, unsigned order)
{
    struct page *page = virt_to_page(addr);

    /* Pages of descriptors keep their owner. */
    page->owner = 0;
    page->index = 0;
    __free_pages(page, order);
}

/* The model */

static void begin(void)
{
    if (!m.arena) {
        m.arena = aligned_alloc(NR_PFN * PAGE_SIZE, NR_PFN * PAGE_SIZE);
        assert_non_null(m.arena);
    }
    ASAN_POISON_MEMORY_REGION(m.arena, NR_PFN * PAGE_SIZE);
    layout.direct_offset = (uintptr_t)m.arena;
    memset(m.map, 0, sizeof(m.map));
    memset(m.used, 0, sizeof(m.used));
    memset(m.named, 0, sizeof(m.named));
    memset(slab_caches, 0, sizeof(struct kmem_cache) * NR_SLAB_CACHES);
    m.cpu = &m.cpus[0];
    m.used_pages = 0;
    m.limit = NR_PFN;
    m.nr_live = 0;
    m.findings = 0;
    m.nested = false;
    assert_true(slab_init());
    m.start_pages = m.used_pages;
}

static void check_all(void);

static void end(void)
{
    m.nested = false;
    while (m.nr_live)
        release(prng_below(&m.prng, m.nr_live));
    for (unsigned i = 0; i < NAMED; i++)
        kmem_cache_destroy(m.named[i]);
    check_all();
    slab_shrink_all();
    assert_int_equal(m.used_pages, m.start_pages);
    assert_int_equal(m.findings, 0);
}

static void check_all(void)
{
    uint32_t out = 0;

    for (unsigned number = 0; number < NR_SLAB_CACHES; number++) {
        struct kmem_cache *cache = kmem_cache_of_number(number);
        struct slab_info info;
        const char *wrong;
        virt_t where;

        if (!cache)
            continue;
        wrong = kmem_cache_check(cache, &where);
        if (wrong)
            fail_msg("cache %u: %s", number, wrong);
        kmem_cache_info(cache, &info);
        out += info.in_use;
    }
    for (uint32_t i = 0; i < m.nr_live; i++)
        out -= m.live[i].cache || m.live[i].size <= PAGE_SIZE;
    assert_int_equal(out, 0);
    assert_int_equal(m.cpu->preempt_count, 0);
}

static void keep(void *object, struct kmem_cache *cache, uint32_t size)
{
    struct live *l = &m.live[m.nr_live++];

    *l = (struct live){object, cache, size, (uint8_t)prng_u32(&m.prng)};
    memset(object, l->stamp, size);
}

static void release(uint32_t index)
{
    struct live l = m.live[index];

    m.live[index] = m.live[--m.nr_live];
    for (uint32_t i = 0; i < l.size; i++)
        assert_int_equal(l.object[i], l.stamp);
    if (l.cache && one_in(&m.prng, 2))
        kmem_cache_free(l.cache, l.object);
    else
        kfree(l.object);
}

static uint32_t any_size(void)
{
    return one_in(&m.prng, 40) ? between(&m.prng, 1, 5 * PAGE_SIZE)
                               : between(&m.prng, 1, 2u << prng_below(&m.prng, 12));
}

/* Nothing was given: then there is nothing. */
static void check_empty(const struct kmem_cache *cache)
{
    bool nested = m.nested;

    m.nested = false;
    assert_int_equal(cache->free, 0);
    assert_null(*slab_top_get(cache->number));
    m.nested = nested;
}

static void take_any(void)
{
    unsigned zero = one_in(&m.prng, 3) ? __GFP_ZERO : 0;
    unsigned which = prng_below(&m.prng, 2 * NAMED);
    uint32_t size = any_size(), align = 4;
    struct kmem_cache *cache = which < NAMED ? m.named[which] : NULL;
    uint8_t *object;

    if (cache) {
        struct slab_info info;

        kmem_cache_info(cache, &info);
        size = info.object_bytes;
        object = kmem_cache_alloc(cache, GFP_KERNEL | zero);
    } else if (one_in(&m.prng, 8)) {
        object = kmalloc(size, GFP_DMA | zero);
        if (object)
            assert_true(object + size <= (uint8_t *)m.arena + DMA_PFN * PAGE_SIZE);
    } else {
        object = kmalloc(size, GFP_KERNEL | zero);
    }
    if (!object) {
        if (cache)
            check_empty(cache);
        return;
    }
    if (!cache && size >= 8 && (size & (size - 1)) == 0)
        align = size;
    assert_int_equal((uintptr_t)object % align, 0);
    for (uint32_t i = 0; zero && i < size; i++)
        assert_int_equal(object[i], 0);
    if (!cache)
        assert_true(ksize(object) >= size);
    keep(object, cache, size);
}

static void change_named(void)
{
    unsigned which = prng_below(&m.prng, NAMED);
    unsigned flags = one_in(&m.prng, 2) ? prng_below(&m.prng, 4) : 0;

    m.nested = false; /* nobody else uses the cache */
    for (uint32_t i = m.nr_live; m.named[which] && i > 0; i--)
        if (m.live[i - 1].cache == m.named[which])
            release(i - 1);
    kmem_cache_destroy(m.named[which]);
    m.named[which] = kmem_cache_create("named", between(&m.prng, 1, 2u << prng_below(&m.prng, 13)),
                                       1u << prng_below(&m.prng, 13), flags);
    assert_non_null(m.named[which]);
}

/* As the page allocator asks, which is with preemption off. */
static void reclaim(void)
{
    enum zone_type zone = one_in(&m.prng, 3) ? ZONE_DMA : ZONE_HIGHMEM;
    uint32_t used, freed;

    m.cpu->preempt_count++;
    if (one_in(&m.prng, 2))
        m.shrinker->scan_objects(m.shrinker, zone, 1);
    used = m.used_pages;
    freed = m.shrinker->scan_objects(m.shrinker, zone, NR_PFN);
    assert_int_equal(m.shrinker->count_objects(m.shrinker, zone), 0);
    m.cpu->preempt_count--;
    assert_true(freed <= used - m.used_pages); /* pages of descriptors besides */
}

static void any_operation(void)
{
    uint32_t dice = prng_below(&m.prng, 1000);

    if (dice < 2 && !m.within)
        change_named();
    else if (dice < 4)
        slab_shrink_all();
    else if (dice < 7)
        reclaim();
    else if (dice < 10)
        m.limit = between(&m.prng, 1, NR_PFN);
    else if ((dice < 560 && m.nr_live < LIVE_MAX - 8) || m.nr_live == 0)
        take_any();
    else
        release(prng_below(&m.prng, m.nr_live));
}

static void any_operations(void **state)
{
    for (unsigned seed = 0; seed < 12; seed++) {
        prng_seed(&m.prng, seed);
        begin();
        assert_true(kmalloc_set_debug(seed % 4));
        for (unsigned op = 0; op < 6000; op++) {
            m.nested = one_in(&m.prng, 4);
            any_operation();
            m.nested = false;
            if (op % 32 == 0)
                check_all();
            assert_int_equal(m.findings, 0);
        }
        end();
    }
}

/* Any address at all, freed to a cache that is debugged: one finding, and nothing else. */
static void any_address(void **state)
{
    struct kmem_cache *cache;

    prng_seed(&m.prng, 77);
    begin();
    cache = kmem_cache_create("any", 40, 8, SLAB_RED_ZONE | SLAB_POISON);
    m.named[0] = cache;
    m.named[1] = kmem_cache_create("other", 40, 8, 0);
    for (unsigned i = 0; i < 300; i++)
        keep(kmem_cache_alloc(cache, GFP_KERNEL), cache, 40);
    for (unsigned i = 0; i < 100; i++)
        keep(kmem_cache_alloc(m.named[1], GFP_KERNEL), m.named[1], 40);
    for (unsigned i = 0; i < 150; i++)
        release(prng_below(&m.prng, 150));
    for (unsigned i = 0; i < 30000; i++) {
        char *address = m.arena + prng_below(&m.prng, 24 * PAGE_SIZE);
        bool is_one = false;

        for (uint32_t l = 0; l < m.nr_live; l++)
            is_one |= m.live[l].cache == cache && (char *)m.live[l].object == address;
        if (is_one)
            continue;
        m.findings = 0;
        kmem_cache_free(cache, address);
        assert_int_equal(m.findings, 1);
        if (i % 256 == 0)
            check_all();
    }
    m.findings = 0;
    end();
}

static void expect(const char *first, const void *object, const char *second)
{
    char address[32];

    snprintf(address, sizeof(address), "%p", object);
    assert_int_equal(m.findings, 1);
    if (!strstr(m.text, first) || !strstr(m.text, address) || !strstr(m.text, second))
        fail_msg("\"%s\" lacks %s, %s or %s", m.text, first, address, second);
    m.findings = 0;
}

/* Each mistake is told with the cache, the object's address, and what was found. */
static void texts(void **state)
{
    struct kmem_cache *cache;
    uint8_t *object, *other;

    begin();
    cache = kmem_cache_create("heads", 50, 0, SLAB_RED_ZONE | SLAB_POISON);
    m.named[0] = kmem_cache_create("wide", 50, 64, SLAB_RED_ZONE);
    object = kmem_cache_alloc(cache, GFP_KERNEL);
    other = kmalloc(64, GFP_KERNEL);
    kmem_cache_free(cache, object + 4);
    expect("heads", object + 4, "not where an object begins");
    kmem_cache_free(cache, other);
    expect("heads", other, "kmalloc-64");
    kmem_cache_free(cache, m.arena + 1000 * PAGE_SIZE);
    expect("heads", m.arena + 1000 * PAGE_SIZE, "in no slab");
    memcpy(object + 50, "\x78\x56\x34\x12", 4);
    kmem_cache_free(cache, object);
    expect("heads", object, "0x12345678 was written past its end");
    kmem_cache_free(cache, object);
    expect("heads", object, "free already");
    object[49] = 0xab;
    assert_ptr_equal(kmem_cache_alloc(cache, GFP_KERNEL), object);
    expect("heads", object, "byte 49 is 0xab");
    memcpy(object - 4, "\x78\x56\x34\x12", 4);
    kfree(object);
    expect("heads", object, "0x12345678 was written before its start");
    object = kmem_cache_alloc(m.named[0], GFP_KERNEL);
    object[50 + 4] ^= 1;
    kfree(object);
    expect("wide", object, "was written 4 bytes past its end");
    object = kmem_cache_alloc(m.named[0], GFP_KERNEL);
    object[-64] = 0x42;
    kfree(object);
    expect("wide", object, "0x42 was written 64 bytes before its start");
    object = kmem_cache_alloc(cache, GFP_KERNEL);
    kfree(object);
    object[0] = 1;
    kmem_cache_shrink(cache);
    expect("heads", object, "byte 0 is 0x01");
    object = kmem_cache_alloc(cache, GFP_KERNEL);
    kmem_cache_destroy(cache);
    assert_non_null(strstr(m.text, "heads: destroyed, objects in use: 1"));
    assert_int_equal(m.findings, 1);
    m.findings = 0;
    kfree(other);
    kfree(other);
    expect("kmalloc-64", other, "free already");
    kfree(m.arena + 900 * PAGE_SIZE);
    expect("kfree", m.arena + 900 * PAGE_SIZE, "not from kmalloc");
    other = kmalloc(2 * PAGE_SIZE, GFP_KERNEL);
    kfree(other + PAGE_SIZE);
    expect("kfree", other + PAGE_SIZE, "not from kmalloc");
    kfree(other);
    kfree(other);
    expect("kfree", other, "not from kmalloc");
    assert_null(kmalloc(64, GFP_HIGHUSER));
    assert_int_equal(m.findings, 1);
    m.findings = 0;
    end();
}

/* Every size has the smallest cache that it fits, at compile time as at run time. */
static void numbers(void **state)
{
    static const uint32_t sizes[] = {8, 16, 32, 64, 96, 128, 192, 256, 512, 1024, 2048, 4096};
    unsigned wanted = 0;

    begin();
    for (uint32_t size = 1; size <= PAGE_SIZE; size++) {
        struct slab_info info;

        if (size > sizes[wanted])
            wanted++;
        assert_int_equal(kmalloc_number(size), wanted + 1);
        kmem_cache_info(kmem_cache_of_number(wanted + 1), &info);
        assert_int_equal(info.object_bytes, sizes[wanted]);
        assert_int_equal(info.slab_order, 0);
        assert_int_equal(info.objects_per_slab, PAGE_SIZE / sizes[wanted]);
    }
    end();
}

static void bad_shapes(void **state)
{
    struct kmem_cache *cache[NR_SLAB_CACHES];
    unsigned count = 0;

    begin();
    assert_null(kmem_cache_create("none", 0, 0, 0));
    assert_null(kmem_cache_create("none", 2 * PAGE_SIZE + 1, 0, 0));
    assert_null(kmem_cache_create("none", 8, 2 * PAGE_SIZE, 0));
    assert_null(kmem_cache_create("none", 8, 24, 0));
    while ((cache[count] = kmem_cache_create("one more", 8, 0, 0)))
        count++;
    assert_int_equal(count, NR_SLAB_CACHES - 1 - KMALLOC_CACHES);
    while (count)
        kmem_cache_destroy(cache[--count]);
    m.named[0] = kmem_cache_create("again", 8, 0, 0);
    assert_non_null(m.named[0]);
    end();
}

/* Each processor has a stack of its own, and may free what another one took. */
static void second_processor(void **state)
{
    struct kmem_cache *cache;
    void *first, *second;

    prng_seed(&m.prng, 5);
    begin();
    cache = kmem_cache_create("shared", 64, 0, 0);
    m.named[0] = cache;
    first = kmem_cache_alloc(cache, GFP_KERNEL);
    m.cpu = &m.cpus[1];
    assert_true(slab_cpu_init());
    assert_true(m.cpus[0].slab_top[cache->number] != m.cpus[1].slab_top[cache->number]);
    for (unsigned i = 0; i < 200; i++)
        keep(kmem_cache_alloc(cache, GFP_KERNEL), cache, 64);
    second = kmem_cache_alloc(cache, GFP_KERNEL);
    kmem_cache_free(cache, first);
    for (unsigned i = 0; i < 200; i++)
        release(prng_below(&m.prng, m.nr_live));
    kmem_cache_shrink(cache);
    m.cpu = &m.cpus[0];
    first = kmem_cache_alloc(cache, GFP_KERNEL);
    assert_ptr_not_equal(first, second);
    kmem_cache_free(cache, second);
    kmem_cache_free(cache, first);
    m.start_pages += NR_SLAB_CACHES * sizeof(struct slab_stack) / PAGE_SIZE;
    end();
}

static uint32_t pages_kept(enum zone_type zone)
{
    return m.shrinker->count_objects(m.shrinker, zone);
}

/* What can be had, and what was given back, is told in pages, and by zone. */
static void pages_are_told(void **state)
{
    void *first, *second;

    begin();
    m.named[0] = kmem_cache_create("two pages", (size_t)2 * PAGE_SIZE, 0, 0);
    first = kmem_cache_alloc(m.named[0], GFP_KERNEL);
    second = kmem_cache_alloc(m.named[0], GFP_KERNEL);
    kmem_cache_free(m.named[0], first);
    kmem_cache_free(m.named[0], second);
    assert_int_equal(pages_kept(ZONE_NORMAL), 4);
    assert_int_equal(pages_kept(ZONE_DMA), 0);
    kfree(kmalloc(64, GFP_DMA));
    assert_int_equal(pages_kept(ZONE_DMA), 1);
    assert_int_equal(pages_kept(ZONE_NORMAL), 5);
    /* No more caches are asked than it takes. */
    assert_int_equal(m.shrinker->scan_objects(m.shrinker, ZONE_NORMAL, 1), 1);
    assert_int_equal(kmem_cache_shrink(m.named[0]), 4);
    assert_int_equal(pages_kept(ZONE_NORMAL), 0);
    m.named[1] = kmem_cache_create("debugged", 64, 0, SLAB_POISON);
    kmem_cache_free(m.named[1], kmem_cache_alloc(m.named[1], GFP_KERNEL));
    assert_int_equal(pages_kept(ZONE_NORMAL), 1);
    end();
}

/* There is a page for objects, and none for what describes them: it goes back. */
static void no_descriptor(void **state)
{
    begin();
    m.limit = m.used_pages + 1;
    assert_null(kmalloc(64, GFP_KERNEL));
    assert_int_equal(m.used_pages, m.start_pages);
    end();
}

/* Objects don't move, whatever their user says: alloc_pages() looks at what it is asked. */
static void never_movable(void **state)
{
    void *object, *block;

    begin();
    object = kmalloc(64, GFP_KERNEL | __GFP_MOVABLE);
    block = kmalloc((size_t)2 * PAGE_SIZE, GFP_KERNEL | __GFP_MOVABLE);
    m.named[0] = kmem_cache_create("movable", 64, 0, 0);
    kmem_cache_free(m.named[0], kmem_cache_alloc(m.named[0], GFP_KERNEL | __GFP_MOVABLE));
    kfree(object);
    kfree(block);
    end();
}

/* Large objects are kept by a few: 16 KiB on a stack are enough. */
static void few_are_kept(void **state)
{
    void *object[10];
    struct slab_info info;

    begin();
    m.named[0] = kmem_cache_create("pages", PAGE_SIZE, 0, 0);
    for (unsigned i = 0; i < ARRAY_SIZE(object); i++)
        object[i] = kmem_cache_alloc(m.named[0], GFP_KERNEL);
    for (unsigned i = 0; i < ARRAY_SIZE(object); i++)
        kmem_cache_free(m.named[0], object[i]);
    kmem_cache_info(m.named[0], &info);
    assert_true(info.in_use == 0 && info.slabs <= 4);
    end();
}

/* Debugging begins when nobody has an object, and changes no size that is told. */
static void debugging_waits(void **state)
{
    void *object, *dma;
    struct slab_info info;

    begin();
    object = kmalloc(64, GFP_KERNEL);
    dma = kmalloc(64, GFP_DMA);
    assert_int_equal(ksize(dma), 64);
    assert_false(kmalloc_set_debug(SLAB_POISON | SLAB_RED_ZONE));
    kmem_cache_info(kmem_cache_of_number(kmalloc_number(64)), &info);
    assert_true(info.flags == 0 && info.in_use == 1);
    kfree(object);
    kfree(dma);
    assert_true(kmalloc_set_debug(SLAB_POISON | SLAB_RED_ZONE));
    object = kmalloc(64, GFP_KERNEL);
    assert_int_equal(ksize(object), 64);
    kfree(object);
    assert_true(kmalloc_set_debug(0));
    end();
}

/* A page of descriptors is the slab allocator's, and nobody's to free. */
static void descriptors_stay(void **state)
{
    void *object;

    begin();
    object = kmalloc(64, GFP_KERNEL);
    kfree((void *)ALIGN_DOWN((uintptr_t)slab_of(object), PAGE_SIZE));
    assert_int_equal(m.findings, 1);
    m.findings = 0;
    kfree(object);
    end();
}

static void expect_wrong(struct kmem_cache *cache, const char *wanted)
{
    virt_t where;
    const char *wrong = kmem_cache_check(cache, &where);

    assert_non_null(wrong);
    assert_string_equal(wrong, wanted);
}

/* The rest stays as it is meanwhile. */
static void expect_wrong_with(uint32_t *word, uint32_t value, struct kmem_cache *cache,
                              const char *wanted)
{
    uint32_t saved = *word;

    *word = value;
    expect_wrong(cache, wanted);
    *word = saved;
}

/* kmem_cache_check() sees each kind of damage: to counts, lists and descriptors, */
static void damage_is_seen(void **state)
{
    struct kmem_cache *cache;
    struct slab *slab;
    struct page *page;
    void *object, *saved, **top;

    begin();
    cache = m.named[0] = kmem_cache_create("damaged", 64, 0, 0);
    object = kmem_cache_alloc(cache, GFP_KERNEL);
    slab = list_first_entry(&cache->partial, struct slab, link);
    page = slab_page(slab);
    expect_wrong_with(&cache->free, cache->free + 1, cache,
                      "the count of free objects is not the sum of the slabs'");
    expect_wrong_with(&cache->slabs, 2, cache, "slabs are missing in the lists");
    expect_wrong_with(&page->kmap, page->kmap ^ 1, cache, "a page that does not lead to its slab");
    expect_wrong_with(&page->use, page->use ^ 1, cache, "a slab whose page has another owner");
    slab->number++;
    expect_wrong(cache, "a slab in the list of another cache");
    slab->number--;
    slab->free--;
    expect_wrong(cache, "a slab has another count than its map");
    slab->free++;
    list_del(&slab->link);
    list_add(&slab->link, &cache->full);
    expect_wrong(cache, "a slab in the wrong list");
    list_del(&slab->link);
    list_add(&slab->link, &cache->partial);
    /* and to what lies on the stack. */
    top = slab_top_get(cache->number);
    saved = top[1];
    top[1] = top[0];
    expect_wrong(cache, "an object is on the stack twice");
    top[1] = slab_object(cache, slab, cache->objects - 1);
    expect_wrong(cache, "is free already");
    top[1] = saved;
    kmem_cache_free(cache, object);
    end();
}

/* The same of objects that are debugged. */
static void damage_to_objects_is_seen(void **state)
{
    struct kmem_cache *cache;
    char *out, *free;

    begin();
    cache = m.named[0] = kmem_cache_create("debugged", 64, 0, SLAB_POISON | SLAB_RED_ZONE);
    out = kmem_cache_alloc(cache, GFP_KERNEL);
    free = slab_object(cache, slab_of(out), cache->objects - 1);
    out[64] ^= 1;
    expect_wrong(cache, "an object was written past its end");
    out[64] ^= 1;
    out[-1] ^= 1;
    expect_wrong(cache, "an object was written before its start");
    out[-1] ^= 1;
    free[63] ^= 1;
    expect_wrong(cache, "an object was written after it was freed");
    free[63] ^= 1;
    kmem_cache_free(cache, out);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers),         cmocka_unit_test(bad_shapes),
        cmocka_unit_test(texts),           cmocka_unit_test(any_address),
        cmocka_unit_test(any_operations),  cmocka_unit_test(second_processor),
        cmocka_unit_test(pages_are_told),  cmocka_unit_test(no_descriptor),
        cmocka_unit_test(never_movable),   cmocka_unit_test(few_are_kept),
        cmocka_unit_test(debugging_waits), cmocka_unit_test(descriptors_stay),
        cmocka_unit_test(damage_is_seen),  cmocka_unit_test(damage_to_objects_is_seen),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
