/* SPDX-License-Identifier: BSD-2-Clause */
/* Operations on objects and their caches. */
#include "ci/model/page_slab.h"
#include "ci/model/slab_calls.h"
#include "lib/prng.h"
#include "paging/slab_internal.h"

#define MANY 64u
#define CLASSES 32u

static gfp_t object_gfp(const struct op *op)
{
    gfp_t gfp = op->gfp & 0x1ffu;

    return (gfp & __GFP_MOBILITY_MASK) == __GFP_MOBILITY_MASK ? gfp & ~__GFP_RECLAIMABLE : gfp;
}

static bool has_room(void)
{
    return slab_state.nr_objects < NR_OBJECTS - 1;
}

/* Nothing was given, for the want of pages: then no slab may have a free object either. */
static void check_none(const struct kmem_cache *cache, unsigned number)
{
    struct slab_info info;

    CHECK(slab_state.refused, "an object of cache %u is refused, and no page was", number);
    if (!cache)
        return;
    kmem_cache_info(cache, &info);
    CHECK(info.slabs * info.objects_per_slab == slab_state.live[number],
          "%s: an object is refused, with %u free ones in its slabs", info.name,
          info.slabs * info.objects_per_slab - slab_state.live[number]);
}

/* A number of bytes of each size class, of pages, and of what there is not. */
static uint32_t size_of(const struct op *op)
{
    static const uint32_t most[CLASSES] = {
        8,   16,   32,   64,   96,   128,   192,   256,
        512, 1024, 2048, 96,   192,  64,    32,    8,
        128, 256,  512,  1024, 4096, 4096,  64,    192,
        256, 4096, 2048, 8192, 8192, 16384, 32768, KMALLOC_MAX_SIZE,
    };
    uint32_t size = most[op->more % CLASSES];

    return size - op->at % (size / 2);
}

static bool take_kmalloc(uint32_t size, gfp_t gfp)
{
    bool is_wrong = (gfp & __GFP_ZONE_MASK) > ZONE_NORMAL;
    unsigned number = size > PAGE_SIZE ? 0 : kmalloc_number(size);
    void *object;

    m.findings_wanted += is_wrong;
    call_begin();
    object = call_kmalloc(size, gfp);
    call_end();
    if (object) {
        CHECK(!is_wrong, "kmalloc() with gfp 0x%x gave something", gfp);
        return is_right() && object_enters(object, size, gfp, NO_NAMED);
    }
    /* Of the two caches of a size the one for DMA has another number. */
    if (!is_wrong)
        check_none((gfp & __GFP_ZONE_MASK) == ZONE_DMA ? NULL : kmem_cache_of_number(number),
                   number);
    return false;
}

void do_kmalloc(const struct op *op)
{
    unsigned count = op->more / CLASSES < 6 ? 1 : op->order * 8u % MANY + 1;

    if (op->more / CLASSES == 0 && op->at % 16 == 0)
        CHECK(!call_kmalloc(op->at % 32 ? 0 : KMALLOC_MAX_SIZE + 1, object_gfp(op)),
              "kmalloc() of nothing, or too much, gave something");
    while (count-- > 0 && has_room() && take_kmalloc(size_of(op), object_gfp(op)) && is_right())
        ;
}

void do_object_alloc(const struct op *op)
{
    unsigned which = op->order % NR_NAMED, count = op->more < 192 ? 1 : op->more % MANY + 1;
    struct kmem_cache *cache = slab_state.named[which].cache;
    gfp_t gfp = object_gfp(op);
    unsigned zone = gfp & __GFP_ZONE_MASK;
    bool is_wrong;

    if (!cache)
        return;
    is_wrong = zone > ZONE_NORMAL || (zone == ZONE_DMA && cache->zone == ZONE_NORMAL);
    while (count-- > 0 && has_room() && is_right()) {
        void *object;

        m.findings_wanted += is_wrong;
        call_begin();
        object = call_cache_alloc(cache, gfp);
        call_end();
        CHECK(!object || !is_wrong, "an object of zone %u where there are none", zone);
        if (!object && !is_wrong)
            check_none(cache, cache->number);
        if (!object || !is_right() ||
            !object_enters(object, slab_state.named[which].size, gfp, which))
            break;
    }
}

void do_kfree(const struct op *op)
{
    unsigned count = op->more < 192 ? 1 : op->more % MANY + 1;

    for (unsigned i = 0; i < count && slab_state.nr_objects && is_right(); i++)
        object_give(pick_object(i ? hash32(op->at + i) : op->at));
}

void do_cache_create(const struct op *op)
{
    static const uint32_t aligns[] = {0, 0, 8, 16, 64, 256, 1024, 4096};
    unsigned which = op->order % NR_NAMED;
    uint32_t size = 1 + op->at % (64u << (op->at >> 13)), align = aligns[op->more % 8];
    struct kmem_cache *cache;

    if (slab_state.named[which].cache) {
        CHECK(!kmem_cache_create("wrong", op->at % 2 ? 0 : 2 * PAGE_SIZE + 1, align, 0),
              "a cache of impossible objects");
        CHECK(!kmem_cache_create("wrong", size, op->at % 2 ? 24 : 2 * PAGE_SIZE, 0),
              "a cache of impossible alignment");
        return;
    }
    cache = kmem_cache_create("named", size, align, op->more / 8 % 8);
    CHECK(cache, "no cache of %u bytes, aligned to %u", size, align);
    slab_state.named[which].cache = cache;
    slab_state.named[which].size = size;
    slab_state.named[which].align = align;
    slab_state.named[which].flags = op->more / 8 % 8;
}

/* The objects of a cache that is about to go are nobody's any more. */
static unsigned forget_all(unsigned number)
{
    unsigned count = 0;

    for (uint32_t i = slab_state.nr_objects; i-- > 0;) {
        if (slab_state.objects[i].number != number)
            continue;
        object_forget(&slab_state.objects[i]);
        count++;
    }
    return count;
}

static void destroy(unsigned which)
{
    struct kmem_cache *cache = slab_state.named[which].cache;
    unsigned number;

    if (!cache)
        return;
    number = cache->number;
    m.findings_wanted += forget_all(number) > 0;
    kmem_cache_destroy(cache);
    slab_state.named[which].cache = NULL;
    CHECK(!slab_state.blocks[number], "a cache was destroyed, and keeps %u slabs",
          slab_state.blocks[number]);
}

void do_cache_end(const struct op *op)
{
    destroy(op->order % NR_NAMED);
}

void do_cache_shrink(const struct op *op)
{
    bool all = op->more % 4 == 0;
    unsigned number = 1 + (op->order * 8u + op->more) % (NR_SLAB_CACHES - 1);
    struct kmem_cache *cache = kmem_cache_of_number(number);
    uint32_t pages = 0;

    if (all)
        pages = slab_shrink_all();
    else if (cache)
        pages = kmem_cache_shrink(cache);
    CHECK(pages == slab_state.pages_given, "shrinking gave %u pages back, and says %u",
          slab_state.pages_given, pages);
    for (unsigned i = all ? 1 : number; i < (all ? NR_SLAB_CACHES : number + 1); i++)
        CHECK(!slab_state.empty[i], "cache %u was shrunk, and keeps %u slabs that are empty", i,
              slab_state.empty[i]);
}

void do_slab_debug(const struct op *op)
{
    unsigned flags = op->more % 4, live = 0, empty = 0;
    bool said = kmalloc_set_debug(flags);
    struct slab_info info;

    for (unsigned number = 1; number <= KMALLOC_CACHES; number++) {
        live += slab_state.live[number];
        empty += slab_state.empty[number];
    }
    CHECK(said == (live == 0), "kmalloc_set_debug() says %s, with %u objects out",
          said ? "yes" : "no", live);
    CHECK(!empty, "kmalloc_set_debug() leaves %u slabs that are empty", empty);
    slab_state.debug = said ? flags : slab_state.debug;
    kmem_cache_info(kmem_cache_of_number(1), &info);
    CHECK(info.flags == slab_state.debug, "the caches of kmalloc() have flags 0x%x, 0x%x wanted",
          info.flags, slab_state.debug);
}

/* Once more, right after the first time. */
static void free_twice(struct object *object)
{
    const char *at = object->at;

    object_give(object);
    m.findings_wanted++;
    call_kfree(at);
}

static void free_page_wrong(const struct op *op)
{
    const struct block *block = slab_block(frame_memory(op->at % m.low_pfn));

    m.findings_wanted++;
    if (!block)
        call_kfree(frame_memory(op->at % m.low_pfn));
    else if (block->use > 0 && block->use < NR_SLAB_CACHES)
        __free_pages(m.map + block->pfn, block->order);
    else
        m.findings_wanted--;
}

void do_object_wrong(const struct op *op)
{
    struct object *object = pick_object(op->at);
    struct kmem_cache *other = slab_state.named[op->order % NR_NAMED].cache;

    if (!object || op->more % 4 == 0) {
        free_page_wrong(op);
    } else if (op->more % 4 == 1) {
        free_twice(object);
    } else if (op->more % 4 == 2) {
        m.findings_wanted++;
        call_kfree(object->at + 1 + op->more / 4 % 7);
    } else if (other && other->number != object->number) {
        m.findings_wanted++;
        call_cache_free(other, object->at);
    }
}

static bool is_flawless(unsigned number)
{
    virt_t where = 0;

    return !kmem_cache_check(kmem_cache_of_number(number), &where);
}

/* How many bytes past the object's end are nobody's: up to the word before the next one's start. */
static uint32_t bytes_past_end(const struct object *object)
{
    const struct kmem_cache *cache = kmem_cache_of_number(object->number);
    const struct block *block = slab_block(object->at);
    const char *end = frame_memory(block->pfn) + ((size_t)PAGE_SIZE << block->order);

    return MIN(cache->stride - cache->size - (uint32_t)sizeof(uint32_t),
               (uint32_t)(end - object->at) - cache->size);
}

/* Past the end of an object that is out, or before its start. */
static void damage_red(const struct op *op, struct object *object)
{
    unsigned number = object->number, byte = op->more / 4;
    char *at = op->more & 1 ? object->at + ksize(object->at) + byte % bytes_past_end(object)
                            : object->at - 1 - byte % sizeof(uint32_t);

    *at ^= 1;
    CHECK(!is_flawless(number), "byte %ld of an object of %u bytes was written, and nobody sees it",
          (long)(at - object->at), object->size);
    if (op->more & 2) {
        m.findings_wanted++;
        object_give(object);
    } else {
        *at ^= 1;
    }
    CHECK(is_flawless(number), "a word by an object of %u bytes is not put right", object->size);
}

/* An object that was just freed. */
static void damage_poison(const struct op *op, struct object *object)
{
    struct block *block = slab_block(object->at);
    unsigned number = object->number;
    char *at = object->at + op->more / 4 % object->size;

    object_give(object);
    *at ^= 1;
    CHECK(!is_flawless(number), "a free object was written, and nobody sees it");
    if (block->live || op->more & 2) {
        *at ^= 1;
        return;
    }
    m.findings_wanted++;
    kmem_cache_shrink(kmem_cache_of_number(number));
}

void do_damage(const struct op *op)
{
    struct object *object = pick_object(op->at);
    unsigned flags;

    if (!object || !object->number)
        return;
    flags = kmem_cache_of_number(object->number)->flags;
    if (flags & SLAB_RED_ZONE && (op->order % 2 || !(flags & SLAB_POISON)))
        damage_red(op, object);
    else if (flags & SLAB_POISON)
        damage_poison(op, object);
}

void slab_end(void)
{
    while (slab_state.nr_objects && is_right())
        object_give(pick_object(slab_state.nr_objects * 7919u));
    for (unsigned which = 0; which < NR_NAMED && is_right(); which++)
        destroy(which);
    slab_shrink_all();
    CHECK(!slab_state.pages, "%u pages are left in the slab allocator, which has no object out",
          slab_state.pages);
    check_all();
    check_slabs();
}
