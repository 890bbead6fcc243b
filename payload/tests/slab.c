/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slab: kmalloc() and named caches give memory that is nobody else's, and take it back to the last
 * page.
 *
 * Objects of every size are taken, thousands at a time, filled with a stamp, and freed in another
 * order; whoever frees one finds his own stamp in all of it. Lowmem is filled to its end. All that
 * can be done wrong with an object is done: each must be a finding, and harm nothing. After every
 * case the page allocator's lists are what they were, block for block.
 *
 * Why it can break: an object given out twice, or cut wrongly out of its slab, shows as another's
 * stamp; one that is lost, or a slab or descriptor that stays, as pages that are missing in the
 * end.
 */
#include "lib/string.h"
#include "paging/shrinker.h"
#include "paging/slab.h"
#include "payload/suite.h"
#include "payload/tests/slab_held.h"

#define TORTURE_OPS 12000u
#define TORTURE_OPS_SPARSE 4000u
#define TORTURE_HELD 2048u
#define CHECK_EVERY 1024u
#define KEPT_PAGES 256u /* that the ballast leaves */
#define HEADS 1024u
#define HEAD_BYTES 64u

static struct slab_held held;
static struct kmem_cache *cache;

static bool begin(struct test *t, uint32_t max)
{
    slab_held_remember();
    if (slab_held_open(&held, max))
        return true;
    test_error(t, "no lowmem for a table of %u objects", max);
    return false;
}

static void check_caches(struct test *t)
{
    for (unsigned number = 1; number < NR_SLAB_CACHES; number++) {
        struct kmem_cache *each = kmem_cache_of_number(number);
        struct slab_info info;
        virt_t where;
        const char *wrong = each ? kmem_cache_check(each, &where) : NULL;

        if (!wrong)
            continue;
        kmem_cache_info(each, &info);
        test_fail(t, "%s: %s, at 0x%lx", info.name, wrong, (unsigned long)where);
    }
}

static void give_back(struct test *t, uint32_t index)
{
    struct slab_damage d;

    TEST_CHECK(t, slab_held_give(&held, index, &d), "object %p of %u bytes: byte %u is 0x%02x",
               d.object, d.size, d.offset, d.found);
}

static void end(struct test *t)
{
    while (held.count)
        give_back(t, prng_below(test_prng(t), held.count));
    slab_held_close(&held);
    kmem_cache_destroy(cache);
    cache = NULL;
    check_caches(t);
    slab_held_check_pages(t);
}

static uint32_t count_objects(struct shrinker *shrinker, enum zone_type zone);
static uint32_t scan_objects(struct shrinker *shrinker, enum zone_type zone, uint32_t nr_to_scan);

static struct shrinker some = {
    .name = "some",
    .count_objects = count_objects,
    .scan_objects = scan_objects,
    .list = LIST_HEAD_INIT(some.list),
};
static struct page_alloc_tuning tuning_before; /* while `some` is registered */

static void give_up_reclaim(void)
{
    unregister_shrinker(&some);
    page_alloc_tune(&tuning_before);
}

static void abandon(void)
{
    if (!list_empty(&some.list))
        give_up_reclaim();
    slab_held_close(&held);
    kmem_cache_destroy(cache);
    cache = NULL;
}

static bool take(struct test *t, uint32_t size, gfp_t gfp)
{
    void *object = kmalloc(size, gfp);

    if (!TEST_CHECK(t, object != NULL, "kmalloc(%u) gave nothing", size))
        return false;
    slab_held_add(&held, object, size, NULL);
    return true;
}

/* The alignment that is promised: a power of two to itself, others to a word. */
static uint32_t promised_align(uint32_t size)
{
    return size >= KMALLOC_MIN_SIZE && (size & (size - 1)) == 0 ? size : 4;
}

static void case_sizes(struct test *t)
{
    uint32_t count = 0;

    if (!begin(t, 1024))
        return;
    for (uint32_t size = 1; size <= 4 * PAGE_SIZE; size += 1 + size / 16, count++) {
        for (unsigned twice = 0; twice < 2; twice++) {
            uint32_t at = held.count, align = promised_align(size);

            if (!take(t, size, GFP_KERNEL))
                break;
            TEST_CHECK(t, (uintptr_t)held.entry[at].object % align == 0,
                       "kmalloc(%u) gave %p, not aligned to %u", size, held.entry[at].object,
                       align);
            TEST_CHECK(t, ksize(held.entry[at].object) >= size, "ksize(%p) is %lu, %u were wanted",
                       held.entry[at].object, (unsigned long)ksize(held.entry[at].object), size);
        }
    }
    for (uint32_t size = KMALLOC_MIN_SIZE; size <= KMALLOC_MAX_SIZE / 4; size *= 2) {
        uint32_t at = held.count;

        if (!take(t, size, GFP_KERNEL))
            break;
        TEST_CHECK(t, (uintptr_t)held.entry[at].object % size == 0,
                   "kmalloc(%u) gave %p, not aligned to itself", size, held.entry[at].object);
    }
    TEST_CHECK(t, kmalloc(0, GFP_KERNEL) == NULL, "kmalloc(0) gave something");
    TEST_CHECK(t, kmalloc(KMALLOC_MAX_SIZE + 1, GFP_KERNEL) == NULL, "kmalloc(%u) gave something",
               KMALLOC_MAX_SIZE + 1);
    check_caches(t);
    end(t);
}

/* Mostly small, now and then some pages. */
static uint32_t any_size(struct prng *prng)
{
    uint32_t shift = prng_below(prng, 12);

    return prng_below(prng, 64) == 0 ? 1 + prng_below(prng, 3 * PAGE_SIZE)
                                     : 1 + prng_below(prng, 2u << shift);
}

static void case_torture(struct test *t)
{
    uint32_t ops = test_depth(t) == DEPTH_SPARSE ? TORTURE_OPS_SPARSE : TORTURE_OPS;

    if (!begin(t, TORTURE_HELD))
        return;
    for (uint32_t op = 0; op < ops && !test_should_stop(t); op++) {
        bool more = held.count < TORTURE_HELD && prng_below(test_prng(t), 100) < 70;

        if (more || held.count == 0)
            take(t, any_size(test_prng(t)), GFP_KERNEL);
        else
            give_back(t, prng_below(test_prng(t), held.count));
        if (op % CHECK_EVERY == 0) {
            check_caches(t);
            test_progress(t, op, ops);
        }
    }
    check_caches(t);
    end(t);
}

/* What is cleared is clear although it was used before; what a device needs lies where it reaches.
 */
static void case_zero_and_dma(struct test *t)
{
    struct kmem_cache *other;

    if (!begin(t, 256))
        return;
    for (uint32_t size = 8; size <= 2 * PAGE_SIZE; size *= 2) {
        uint8_t *object;

        while (held.count < 64)
            if (!take(t, size, GFP_KERNEL))
                break;
        while (held.count)
            give_back(t, held.count - 1);
        object = kmalloc(size, GFP_KERNEL | __GFP_ZERO);
        for (uint32_t i = 0; object && i < size; i++)
            if (!TEST_CHECK(t, object[i] == 0, "byte %u of %u is 0x%02x", i, size, object[i]))
                break;
        kfree(object);
    }
    for (uint32_t size = 4; size <= 4 * PAGE_SIZE; size += 1 + size / 2) {
        uint32_t at = held.count;
        uintptr_t address;

        if (!take(t, size, GFP_DMA))
            break;
        address = (uintptr_t)held.entry[at].object;
        TEST_CHECK(t, virt_to_phys((void *)(address + size)) <= ZONE_DMA_END,
                   "kmalloc(%u, GFP_DMA) gave %p", size, held.entry[at].object);
        TEST_CHECK(t, address % 64 == 0, "kmalloc(%u, GFP_DMA) gave %p, which shares 64 bytes",
                   size, held.entry[at].object);
    }
    cache = kmem_cache_create("for a device", 100, 0, SLAB_CACHE_DMA);
    if (TEST_CHECK(t, cache != NULL, "no cache for a device")) {
        char *object = kmem_cache_alloc(cache, GFP_DMA);

        if (TEST_CHECK(t, object && virt_to_phys(object + 100) <= ZONE_DMA_END,
                       "an object for a device at %p", (void *)object))
            slab_held_add(&held, object, 100, cache);
        object = kmem_cache_alloc(cache, GFP_KERNEL);
        if (TEST_CHECK(t, object && virt_to_phys(object + 100) <= ZONE_DMA_END,
                       "an object for a device at %p", (void *)object))
            slab_held_add(&held, object, 100, cache);
    }
    other = kmem_cache_create("for nobody", 100, 0, 0);
    test_findings_begin(t);
    TEST_CHECK(t, kmalloc(64, GFP_HIGHUSER) == NULL, "kmalloc() gave high memory");
    TEST_CHECK(t, !other || kmem_cache_alloc(other, GFP_DMA) == NULL, "a cache gave lower memory");
    test_findings_end(t, 1 + (other != NULL), "objects of zones that a cache has not");
    kmem_cache_destroy(other);
    end(t);
}

/* Sizes that divide no page, and objects that reach over several. */
static void case_named(struct test *t)
{
    static const struct {
        uint32_t size, align, least; /* objects in a slab */
    } shapes[] = {
        {1, 0, 1024}, {20, 0, 204}, {100, 64, 32},   {128, 0, 32}, {1000, 8, 4},
        {3000, 0, 5}, {4096, 0, 1}, {5000, 4096, 1}, {8192, 0, 1},
    };

    for (unsigned s = 0; s < ARRAY_SIZE(shapes); s++) {
        uint32_t size = shapes[s].size, align = MAX(shapes[s].align, 4u);
        struct slab_info info;

        if (!begin(t, 2048))
            return;
        cache = kmem_cache_create("shape", size, shapes[s].align, 0);
        if (TEST_CHECK(t, cache != NULL, "no cache of %u bytes", size)) {
            kmem_cache_info(cache, &info);
            TEST_CHECK(t, info.objects_per_slab >= shapes[s].least,
                       "%u objects of %u bytes in a slab of order %u, %u at least wanted",
                       info.objects_per_slab, size, info.slab_order, shapes[s].least);
            for (uint32_t i = 0; i < 3 * info.objects_per_slab && i < 2000; i++) {
                void *object = kmem_cache_alloc(cache, GFP_KERNEL);

                if (!TEST_CHECK(t, object && (uintptr_t)object % align == 0,
                                "an object of %u bytes, aligned to %u, at %p", size, align, object))
                    break;
                slab_held_add(&held, object, size, cache);
            }
            kmem_cache_info(cache, &info);
            TEST_CHECK(t, info.in_use == held.count, "%u objects are in use, %u wanted",
                       info.in_use, held.count);
        }
        check_caches(t);
        end(t);
    }
}

/* Slabs go back as their last object does; half of them do with half of the objects. */
static void case_slabs_go(struct test *t)
{
    struct slab_info info;
    uint32_t slabs;

    if (!begin(t, 2048))
        return;
    cache = kmem_cache_create("goes", 128, 0, 0);
    if (!TEST_CHECK(t, cache != NULL, "no cache of 128 bytes")) {
        end(t);
        return;
    }
    for (void *object; held.count < 2048 && (object = kmem_cache_alloc(cache, GFP_KERNEL));)
        slab_held_add(&held, object, 128, cache);
    kmem_cache_info(cache, &info);
    slabs = info.slabs;
    TEST_CHECK(t, slabs == 2048 / info.objects_per_slab, "2048 objects of 128 bytes in %u slabs",
               slabs);
    while (held.count > 1024)
        give_back(t, held.count - 1);
    kmem_cache_info(cache, &info);
    TEST_CHECK(t, info.slabs <= slabs / 2 + 2, "%u of %u slabs are kept for half of the objects",
               info.slabs, slabs);
    kmem_cache_shrink(cache);
    kmem_cache_info(cache, &info);
    TEST_CHECK(t, info.slabs == slabs / 2, "%u of %u slabs are kept after a shrink", info.slabs,
               slabs);
    end(t);
}

/* Free objects that a stack keeps go when the page allocator wants memory. */
static void reclaim(struct test *t, uint32_t size, uint32_t count)
{
    struct slab_info info;
    uint32_t freed;

    if (!begin(t, count))
        return;
    cache = kmem_cache_create("kept", size, 0, 0);
    if (!TEST_CHECK(t, cache != NULL, "no cache of %u bytes", size)) {
        end(t);
        return;
    }
    for (void *object; held.count < count && (object = kmem_cache_alloc(cache, GFP_KERNEL));)
        slab_held_add(&held, object, size, cache);
    while (held.count)
        give_back(t, prng_below(test_prng(t), held.count));
    kmem_cache_info(cache, &info);
    freed = shrink_pages(ZONE_NORMAL, info.slabs);
    TEST_CHECK(t, info.slabs > 0 && freed >= info.slabs,
               "%u pages reclaimed, %u were kept for %u bytes", freed, info.slabs, size);
    end(t);
}

/* Slabs of one object, and of many, of which the stack keeps one here and there. */
static void case_reclaim(struct test *t)
{
    reclaim(t, PAGE_SIZE, 64);
    reclaim(t, 64, 2048);
}

/* Frees some objects of every slab, and so no page. */
static uint32_t count_objects(struct shrinker *shrinker, enum zone_type zone)
{
    (void)shrinker;
    return zone == ZONE_DMA ? 0 : held.count;
}

static uint32_t scan_objects(struct shrinker *shrinker, enum zone_type zone, uint32_t nr_to_scan)
{
    struct slab_damage damage;

    (void)shrinker;
    (void)zone;
    for (uint32_t i = 0; i < nr_to_scan && held.count > 4 * i; i++)
        slab_held_give(&held, 4 * i, &damage);
    return 0;
}

/* No page is to be had for a slab, but when that is known the cache has free objects. */
static void case_freed_meanwhile(struct test *t)
{
    struct page_alloc_tuning reclaiming;
    void *object;

    if (!begin(t, HEADS + SLAB_STACK_SLOTS))
        return;
    cache = kmem_cache_create("heads", HEAD_BYTES, 0, 0);
    for (unsigned i = 0; cache && i < HEADS; i++)
        if ((object = kmem_cache_alloc(cache, GFP_KERNEL)) != NULL)
            slab_held_add(&held, object, HEAD_BYTES, cache);
    if (!TEST_CHECK(t, held.count == HEADS, "%u objects of %u bytes, %u wanted", held.count,
                    HEAD_BYTES, HEADS)) {
        end(t);
        return;
    }
    slab_ballast_take(0);
    while (held.count < held.max && (object = kmem_cache_alloc(cache, GFP_NOWAIT)))
        slab_held_add(&held, object, HEAD_BYTES, cache);
    tuning_before = *page_alloc_tuning();
    reclaiming = tuning_before;
    reclaiming.reclaim = true;
    page_alloc_tune(&reclaiming);
    register_shrinker(&some);
    object = kmem_cache_alloc(cache, GFP_KERNEL);
    give_up_reclaim();
    if (TEST_CHECK(t, object != NULL, "no object, when some were freed meanwhile"))
        slab_held_add(&held, object, HEAD_BYTES, cache);
    slab_ballast_give();
    end(t);
}

/* To the last page, and back; once more with what is left over from other sizes. */
static void case_exhaustion(struct test *t)
{
    static const uint32_t sizes[] = {4096, 512, 64};

    slab_held_remember();
    slab_ballast_take(KEPT_PAGES);
    for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
        uint32_t count = 0, least;
        void **first = NULL;
        struct slab_info info;

        slab_shrink_all();
        kmem_cache_info(kmem_cache_of_number(kmalloc_number(sizes[i])), &info);
        /* Larger blocks leave some pages between them. */
        least = slab_ballast_free_pages() * (info.slab_order ? 12 : 15) / 16;
        least = (least >> info.slab_order) * info.objects_per_slab;
        /* They are chained, so that no table is needed when there is no memory. */
        for (;;) {
            void **object = kmalloc(sizes[i], GFP_NOWAIT);

            if (!object)
                break;
            *object = (void *)first;
            first = object;
            count++;
        }
        TEST_CHECK(t, count >= least, "%u objects of %u bytes, %u at least wanted", count, sizes[i],
                   least);
        check_caches(t);
        while (first && count > 0) {
            void **next = *first;

            kfree((void *)first);
            first = next;
            count--;
        }
        TEST_CHECK(t, !first && count == 0, "the chain of objects was broken: %u are missing",
                   count);
    }
    slab_ballast_give();
    check_caches(t);
    slab_held_check_pages(t);
}

static const struct test_case cases[] = {
    {"sizes", case_sizes},
    {"torture", case_torture},
    {"zero_and_dma", case_zero_and_dma},
    {"named", case_named},
    {"slabs_go", case_slabs_go},
    {"reclaim", case_reclaim},
    {"freed_meanwhile", case_freed_meanwhile},
    {"exhaustion", case_exhaustion},
};

SUITE(slab) = {
    .name = "slab",
    .about = "objects of any size are nobody else's, and all pages come back",
    .rank = SUITE_RANK_STRESS,
    .cases = cases,
    .nr_cases = ARRAY_SIZE(cases),
    .abandon = abandon,
};
