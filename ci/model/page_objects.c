/* SPDX-License-Identifier: BSD-2-Clause */
/* Objects that are out: where they may lie, and what they hold. */
#include <string.h>

#include "ci/model/page_slab.h"
#include "ci/model/slab_calls.h"
#include "lib/bitmap.h"
#include "lib/prng.h"
#include "paging/slab_internal.h"

#define GRANULE_BYTES 8u /* the least that two objects lie apart */
#define STAMP_EACH 4u    /* small ones are stamped all over, */
#define STAMP_LARGE 256u /* the others here and there */
#define STAMP_APART 60u

/* What of lowmem is some object's. */
static uint32_t is_taken[NR_FRAMES * (PAGE_SIZE / GRANULE_BYTES) / BITMAP_WORD_BITS];

static uint32_t granule_of(const char *at)
{
    return (uint32_t)((size_t)(at - frame_memory(0)) / GRANULE_BYTES);
}

/* Notes that the object's memory is taken, or free; it was the other before. */
static void take_memory(const struct object *object, bool taken)
{
    uint32_t first = granule_of(object->at), end = granule_of(object->at + object->size - 1) + 1;

    for (uint32_t i = first; i < end; i++)
        CHECK(bitmap_test(is_taken, i) != taken, "object %u of %u bytes lies over another",
              object->serial, object->size);
    if (taken)
        bitmap_set_range(is_taken, first, end - first);
    else
        bitmap_clear_range(is_taken, first, end - first);
}

static uint32_t stamp_at(const struct object *object, uint32_t offset)
{
    return hash32(object->serial ^ offset << 15);
}

/* The next place of a stamp; the last one ends where the object does. None lies over another. */
static uint32_t next_stamp(const struct object *object, uint32_t offset)
{
    uint32_t next = offset + (object->size > STAMP_LARGE ? STAMP_APART : STAMP_EACH);
    uint32_t last = object->size - MIN(object->size, sizeof(uint32_t));

    if (next + sizeof(uint32_t) <= last)
        return next;
    return last >= offset + sizeof(uint32_t) ? last : object->size;
}

static void stamp(const struct object *object)
{
    for (uint32_t at = 0; at < object->size; at = next_stamp(object, at)) {
        uint32_t word = stamp_at(object, at);

        memcpy(object->at + at, &word, MIN(object->size, sizeof(word)));
    }
}

void check_object(const struct object *object)
{
    for (uint32_t at = 0; at < object->size; at = next_stamp(object, at)) {
        uint32_t word = stamp_at(object, at);

        CHECK(!memcmp(object->at + at, &word, MIN(object->size, sizeof(word))),
              "object %u of %u bytes has lost what it held at %u", object->serial, object->size,
              at);
    }
}

void check_objects(void)
{
    for (uint32_t i = 0; i < slab_state.nr_objects && is_right(); i++)
        check_object(&slab_state.objects[i]);
}

/* Where kmalloc() may put so many bytes. */
static void check_kmalloc(const struct object *object, const struct block *block, gfp_t gfp)
{
    const struct kmem_cache *cache = kmem_cache_of_number(block->use);
    uint32_t alignment = object->size & -object->size;
    struct slab_info info = {.object_bytes = PAGE_SIZE << block->order};

    CHECK((block->use == SLAB_INDEX_KMALLOC) == (object->size > PAGE_SIZE),
          "kmalloc(%u) gave memory of use %u", object->size, block->use);
    if (cache)
        kmem_cache_info(cache, &info);
    CHECK(object->size <= info.object_bytes &&
              (object->size > info.object_bytes / 2 || info.object_bytes <= 64),
          "kmalloc(%u) gave an object of %u bytes", object->size, info.object_bytes);
    CHECK(!cache || !(info.flags & SLAB_CACHE_DMA) == ((gfp & __GFP_ZONE_MASK) != ZONE_DMA),
          "kmalloc(%u) of gfp 0x%x gave an object of %s", object->size, gfp, info.name);
    CHECK(object->size != info.object_bytes || object->size == alignment ||
              IS_ALIGNED(object->at - frame_memory(0), alignment),
          "kmalloc(%u) gave an object at %lx", object->size,
          (unsigned long)(object->at - frame_memory(0)));
    CHECK(ksize(object->at) == info.object_bytes, "ksize() says %zu of an object of %u bytes",
          ksize(object->at), info.object_bytes);
}

static void check_named(const struct object *object, const struct block *block)
{
    const struct kmem_cache *cache = slab_state.named[object->named].cache;
    uint32_t align = MAX(slab_state.named[object->named].align, sizeof(void *));

    CHECK(kmem_cache_of_number(block->use) == cache, "an object of cache %u lies in one of %u",
          cache->number, block->use);
    CHECK(IS_ALIGNED(object->at - frame_memory(0), align), "an object at %lx, aligned to %u",
          (unsigned long)(object->at - frame_memory(0)), align);
    CHECK(ksize(object->at) == object->size, "ksize() says %zu of an object of %u bytes",
          ksize(object->at), object->size);
}

static void check_place(const struct object *object, struct block *block, gfp_t gfp)
{
    bool is_dma = object->named == NO_NAMED
                      ? (gfp & __GFP_ZONE_MASK) == ZONE_DMA
                      : (slab_state.named[object->named].flags & SLAB_CACHE_DMA) != 0;

    CHECK(slab_block(object->at + object->size - 1) == block,
          "an object of %u bytes reaches out of its slab at frame %u", object->size, block->pfn);
    CHECK(!is_dma || zone_of(block->pfn) == ZONE_DMA, "an object for DMA is in frame %u",
          block->pfn);
    for (uint32_t i = 0; gfp & __GFP_ZERO && i < object->size; i++)
        CHECK(!object->at[i], "byte %u of an object of %u bytes was to be cleared", i,
              object->size);
    if (object->named == NO_NAMED)
        check_kmalloc(object, block, gfp);
    else
        check_named(object, block);
}

struct object *object_enters(void *at, uint32_t size, gfp_t gfp, unsigned named)
{
    struct block *block = slab_block(at);
    struct object *object = &slab_state.objects[slab_state.nr_objects];

    if (!block || block->use >= NR_SLAB_CACHES) {
        broke("an object of %u bytes is in no slab", size);
        return NULL;
    }
    *object = (struct object){.at = at,
                              .size = size,
                              .serial = ++m.serial,
                              .number = block->use,
                              .named = (uint8_t)named};
    check_place(object, block, gfp);
    if (is_right())
        take_memory(object, true);
    if (!is_right())
        return NULL;
    stamp(object);
    slab_state.nr_objects++;
    slab_state.live[object->number]++;
    slab_state.empty[object->number] -= block->live++ == 0;
    slab_state.touched = object->number;
    model_now->count[COUNT_OBJECTS]++;
    return object;
}

struct object *pick_object(unsigned which)
{
    return slab_state.nr_objects ? &slab_state.objects[which % slab_state.nr_objects] : NULL;
}

void object_forget(struct object *object)
{
    struct block *block = slab_block(object->at);

    check_object(object);
    take_memory(object, false);
    slab_state.live[object->number]--;
    slab_state.empty[object->number] += --block->live == 0;
    slab_state.touched = object->number;
    *object = slab_state.objects[--slab_state.nr_objects];
}

void object_give(struct object *object)
{
    struct object was = *object;

    object_forget(object);
    if (!is_right())
        return;
    /* What kmalloc() gave has no cache to name; the others have both ways. */
    call_begin();
    if (was.named == NO_NAMED || was.serial % 2)
        call_kfree(was.at);
    else
        call_cache_free(slab_state.named[was.named].cache, was.at);
    call_end();
}

void objects_start(void)
{
    if (slab_state.nr_objects)
        memset(is_taken, 0, sizeof(is_taken));
}
