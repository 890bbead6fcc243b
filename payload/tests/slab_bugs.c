/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slab_bugs: what is done wrong with objects is noticed, and harms nobody else.
 *
 * Every mistake in the table of paging/slab.h is made, once with a cache that is debugged and once
 * without: pointers freed that are no objects or another cache's, objects freed twice, written past
 * either end, written after they were freed. Each must give the findings that the table promises,
 * no more, and leave the caches in order.
 */
#include "lib/string.h"
#include "paging/slab.h"
#include "payload/setup.h"
#include "payload/tests/slab_held.h"

#define DEBUG (SLAB_RED_ZONE | SLAB_POISON)
#define OBJECT_BYTES 52u /* its end is not that of its place */
#define WIDE_BYTES 1000  /* 15 of them fill a slab to its end */
#define WIDE_ALIGN 1024
#define WIDE_OBJECTS 16u

static struct kmem_cache *cache, *other;

static void check_cache(struct test *t, struct kmem_cache *which)
{
    virt_t where;
    const char *wrong = kmem_cache_check(which, &where);

    TEST_CHECK(t, wrong == NULL, "%s, at 0x%lx", wrong, (unsigned long)where);
}

static void destroy(void)
{
    kmem_cache_destroy(cache);
    kmem_cache_destroy(other);
    cache = NULL;
    other = NULL;
}

static void abandon(void)
{
    destroy();
    kmalloc_set_debug(setup.options.slab_debug ? DEBUG : 0);
}

static bool begin(struct test *t, unsigned flags)
{
    slab_held_remember();
    cache = kmem_cache_create("bugs", OBJECT_BYTES, 0, flags);
    other = kmem_cache_create("other", OBJECT_BYTES, 0, flags);
    if (cache && other)
        return true;
    test_error(t, "no caches to try");
    destroy();
    return false;
}

static void end(struct test *t)
{
    check_cache(t, cache);
    check_cache(t, other);
    destroy();
    slab_held_check_pages(t);
}

static void *alloc(struct test *t)
{
    void *object = kmem_cache_alloc(cache, GFP_KERNEL);

    TEST_CHECK(t, object != NULL, "no object of %u bytes", OBJECT_BYTES);
    return object;
}

/* Addresses that are no object's. With a stack, some are noticed when they leave it. */
static void wrong_frees(struct test *t, unsigned flags)
{
    static uint32_t not_lowmem_of_ours;
    char *object, *page;

    if (!begin(t, flags))
        return;
    object = alloc(t);
    page = __get_free_pages(GFP_KERNEL, 0);
    kfree(NULL);
    kmem_cache_free(cache, NULL);
    if (object && page) {
        test_findings_begin(t);
        kmem_cache_free(cache, object + 1);
        test_findings_end(t, 1, "an odd address within an object freed");
        test_findings_begin(t);
        kmem_cache_free(cache, object + 4);
        kfree(object + 8);
        kmem_cache_shrink(cache);
        test_findings_end(t, 2, "addresses within an object freed");
        test_findings_begin(t);
        kmem_cache_free(other, object);
        test_findings_end(t, 1, "an object freed to another cache");
        test_findings_begin(t);
        kfree(page);
        kfree(page + 64);
        kmem_cache_free(cache, page);
        test_findings_end(t, 3, "a page freed");
        test_findings_begin(t);
        kfree(&not_lowmem_of_ours);
        kfree((void *)UINTPTR_MAX);
        kfree((void *)(uintptr_t)64);
        test_findings_end(t, 3, "addresses freed that nobody allocated");
        kmem_cache_free(cache, object);
    }
    free_pages(page, 0);
    end(t);
}

static void case_wrong_frees(struct test *t)
{
    wrong_frees(t, 0);
}

static void case_wrong_frees_debugged(struct test *t)
{
    wrong_frees(t, DEBUG);
}

/* At once if it is the last one that was freed, else when it leaves the stack. */
static void case_double_free(struct test *t)
{
    void *first, *second;

    if (!begin(t, 0))
        return;
    first = alloc(t);
    second = alloc(t);
    kmem_cache_free(cache, first);
    test_findings_begin(t);
    kmem_cache_free(cache, first);
    kfree(first);
    test_findings_end(t, 2, "an object freed again at once");
    kmem_cache_free(cache, second);
    test_findings_begin(t);
    kmem_cache_free(cache, first);
    kmem_cache_shrink(cache);
    test_findings_end(t, 1, "an object freed again later");
    test_findings_begin(t);
    kmem_cache_free(cache, first);
    test_findings_end(t, 1, "an object freed whose slab is gone");
    end(t);
}

static void case_double_free_debugged(struct test *t)
{
    void *first, *second;

    if (!begin(t, DEBUG))
        return;
    first = alloc(t);
    second = alloc(t);
    kmem_cache_free(cache, first);
    kmem_cache_free(cache, second);
    test_findings_begin(t);
    kmem_cache_free(cache, first);
    kfree(second);
    test_findings_end(t, 2, "objects freed twice");
    end(t);
}

static void case_pages_twice(struct test *t)
{
    char *block;

    slab_held_remember();
    block = kmalloc(3 * PAGE_SIZE, GFP_KERNEL);
    if (!TEST_CHECK(t, block != NULL, "no block of 3 pages"))
        return;
    test_findings_begin(t);
    kfree(block + PAGE_SIZE);
    kfree(block + 16);
    test_findings_end(t, 2, "addresses within kmalloc()'s pages freed");
    kfree(block);
    test_findings_begin(t);
    kfree(block);
    test_findings_end(t, 1, "kmalloc()'s pages freed twice");
    slab_held_check_pages(t);
}

static void case_destroyed_in_use(struct test *t)
{
    if (!begin(t, 0))
        return;
    alloc(t);
    test_findings_begin(t);
    kmem_cache_destroy(cache);
    cache = NULL;
    test_findings_end(t, 1, "a cache destroyed with an object in use");
    kmem_cache_destroy(other);
    other = NULL;
    slab_held_check_pages(t);
}

/* One byte too far, at either end. */
static void case_red_zone(struct test *t)
{
    char *object;

    if (!begin(t, SLAB_RED_ZONE))
        return;
    object = alloc(t);
    if (object) {
        memset(object, 0xff, OBJECT_BYTES);
        kmem_cache_free(cache, object);
        object = alloc(t);
        object[OBJECT_BYTES] ^= 0x10;
        test_findings_begin(t);
        kmem_cache_free(cache, object);
        test_findings_end(t, 1, "a byte written past an object's end");
        object = alloc(t);
        object[-1] ^= 0x10;
        test_findings_begin(t);
        kmem_cache_free(cache, object);
        test_findings_end(t, 1, "a byte written before an object's start");
        object[OBJECT_BYTES + 3] ^= 1;
        test_findings_begin(t);
        object = alloc(t);
        test_findings_end(t, 1, "a byte written past a free object's end");
        kmem_cache_free(cache, object);
    }
    end(t);
}

/* A byte that is no object's, next to `object`, which is out afterwards as it was before. */
static void write_pad(struct test *t, char *object, int offset)
{
    object[offset] ^= 0x10;
    test_findings_begin(t);
    kmem_cache_free(cache, object);
    test_findings_end(t, 1, "a byte written to the room next to an object");
    TEST_CHECK(t, kmem_cache_alloc(cache, GFP_KERNEL) == object, "%p is not given out again",
               (void *)object);
}

/* What alignment leaves: after an object, and at its slab's start and end. */
static void case_pad(struct test *t)
{
    char *object[WIDE_OBJECTS];
    struct slab_info info;
    unsigned count = 0;

    slab_held_remember();
    cache = kmem_cache_create("wide", WIDE_BYTES, WIDE_ALIGN, SLAB_RED_ZONE);
    if (!TEST_CHECK(t, cache != NULL, "no cache of %u bytes", WIDE_BYTES))
        return;
    kmem_cache_info(cache, &info);
    while (count < MIN(WIDE_OBJECTS, info.objects_per_slab) &&
           (object[count] = kmem_cache_alloc(cache, GFP_KERNEL)))
        count++;
    if (TEST_CHECK(t, count > 0 && count == info.objects_per_slab, "%u objects, %u fill a slab",
                   count, info.objects_per_slab)) {
        write_pad(t, object[0], -WIDE_ALIGN);
        write_pad(t, object[0], -(int)sizeof(uint32_t) - 1);
        write_pad(t, object[0], WIDE_BYTES + (int)sizeof(uint32_t));
        write_pad(t, object[0], WIDE_ALIGN - (int)sizeof(uint32_t) - 1);
        write_pad(t, object[count - 1], WIDE_ALIGN - 1);
    }
    check_cache(t, cache);
    while (count)
        kmem_cache_free(cache, object[--count]);
    check_cache(t, cache);
    destroy();
    slab_held_check_pages(t);
}

/* A bit of a free object, which shows when it is given out, or when its slab goes. */
static void case_poison(struct test *t)
{
    char *object;

    if (!begin(t, SLAB_POISON))
        return;
    object = alloc(t);
    if (object) {
        memset(object, 0xff, OBJECT_BYTES);
        kmem_cache_free(cache, object);
        object[OBJECT_BYTES - 1] ^= 0x10;
        test_findings_begin(t);
        object = alloc(t);
        test_findings_end(t, 1, "a free object written to and given out");
        kmem_cache_free(cache, object);
        object[0] = 1;
        test_findings_begin(t);
        kmem_cache_shrink(cache);
        test_findings_end(t, 1, "a free object written to, whose slab goes");
    }
    end(t);
}

static unsigned kmalloc_flags(void)
{
    struct slab_info info;

    kmem_cache_info(kmem_cache_of_number(kmalloc_number(1)), &info);
    return info.flags;
}

static void case_boot_option(struct test *t)
{
    unsigned wanted = setup.options.slab_debug ? DEBUG : 0;

    TEST_CHECK(t, kmalloc_flags() == wanted, "kmalloc() has debugging 0x%x, 0x%x wanted",
               kmalloc_flags(), wanted);
}

/* kmalloc() itself, debugged: alignment stays, and each size has its end. */
static void case_kmalloc_debugged(struct test *t)
{
    unsigned flags = kmalloc_flags();

    slab_held_remember();
    if (!TEST_CHECK(t, kmalloc_set_debug(DEBUG), "kmalloc()'s caches are in use"))
        return;
    for (uint32_t size = KMALLOC_MIN_SIZE; size <= PAGE_SIZE; size *= 2) {
        char *object = kmalloc(size, GFP_KERNEL), *second = kmalloc(size, GFP_KERNEL);

        TEST_CHECK(t, object && (uintptr_t)object % size == 0,
                   "kmalloc(%u) gave %p, not aligned to itself", size, object);
        TEST_CHECK(t, second && (uintptr_t)second % size == 0,
                   "kmalloc(%u) gave %p, not aligned to itself", size, second);
        if (object && second) {
            object[size] = 1;
            memset(second, 0, size);
            test_findings_begin(t);
            kfree(object);
            test_findings_end(t, 1, "a byte written past the end of kmalloc()'s");
            kfree(second);
        }
    }
    TEST_CHECK(t, kmalloc_set_debug(flags), "kmalloc()'s caches are not empty");
    slab_held_check_pages(t);
}

static const struct test_case cases[] = {
    {"wrong_frees", case_wrong_frees},
    {"wrong_frees_debugged", case_wrong_frees_debugged},
    {"double_free", case_double_free},
    {"double_free_debugged", case_double_free_debugged},
    {"pages_twice", case_pages_twice},
    {"destroyed_in_use", case_destroyed_in_use},
    {"red_zone", case_red_zone},
    {"pad", case_pad},
    {"poison", case_poison},
    {"boot_option", case_boot_option},
    {"kmalloc_debugged", case_kmalloc_debugged},
};

SUITE(slab_bugs) = {
    .name = "slab_bugs",
    .about = "objects freed or written to where they should not be are noticed",
    .rank = SUITE_RANK_STRESS,
    .cases = cases,
    .nr_cases = ARRAY_SIZE(cases),
    .abandon = abandon,
};
