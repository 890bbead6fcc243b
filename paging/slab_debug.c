/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Caches that are debugged: poison in free objects, and a word on either side of every object that
 * tells whether it is out.
 *
 *     | lead, to the alignment | object | red |      | red | object | red | ...
 *                        red -^                          ^- stride after the first
 */
#include "lib/finding.h"
#include "lib/inject.h"
#include "lib/string.h"
#include "paging/slab_internal.h"

#define RED_OUT UINT32_C(0x0c7a11ed)
#define RED_FREE UINT32_C(0x0f4eed00)
#define POISON 0x6b

static uint32_t word_at(const char *at)
{
    uint32_t word;

    memcpy(&word, at, sizeof(word));
    return word;
}

static const char *before_start(const char *object)
{
    return object - sizeof(uint32_t);
}

/* Right at its end, which need not be aligned. */
static const char *past_end(const struct kmem_cache *cache, const char *object)
{
    return object + cache->size;
}

static void set_red(const struct kmem_cache *cache, char *object, uint32_t word)
{
    if (!(cache->flags & SLAB_RED_ZONE))
        return;
    memcpy(object - sizeof(word), &word, sizeof(word));
    memcpy(object + cache->size, &word, sizeof(word));
}

static void look_red(const struct kmem_cache *cache, const char *object, uint32_t wanted)
{
    uint32_t before, past;

    if (!(cache->flags & SLAB_RED_ZONE) || inject(slab_red_unseen, slab_bugs))
        return;
    before = word_at(before_start(object));
    past = word_at(past_end(cache, object));
    if (before != wanted)
        finding("%s: object %p: 0x%08x was written before its start", cache->name, object, before);
    if (past != wanted)
        finding("%s: object %p: 0x%08x was written past its end", cache->name, object, past);
}

/* Where the poison of a free object ends; its size if all of it is there. */
static uint32_t poisoned_bytes(const struct kmem_cache *cache, const char *object)
{
    uint32_t at = 0;

    if (!(cache->flags & SLAB_POISON) || inject(slab_poison_unseen, slab_bugs))
        return cache->size;
    while (at < cache->size && object[at] == POISON)
        at++;
    return at;
}

static void look_poison(const struct kmem_cache *cache, const char *object)
{
    uint32_t at = poisoned_bytes(cache, object);

    if (at < cache->size)
        finding("%s: object %p: byte %u is 0x%02x, written after it was freed", cache->name, object,
                at, (uint8_t)object[at]);
}

void slab_debug_clear(const struct kmem_cache *cache, char *object)
{
    if (cache->flags & SLAB_POISON)
        memset(object, POISON, cache->size);
    set_red(cache, object, RED_FREE);
}

void slab_debug_take(const struct kmem_cache *cache, char *object)
{
    look_poison(cache, object);
    look_red(cache, object, RED_FREE);
    set_red(cache, object, RED_OUT);
}

void slab_debug_give(const struct kmem_cache *cache, char *object)
{
    look_red(cache, object, RED_OUT);
    slab_debug_clear(cache, object);
}

void slab_debug_look(const struct kmem_cache *cache, const struct slab *slab)
{
    for (uint32_t i = 0; i < cache->objects; i++) {
        char *object = slab_object(cache, slab, i);

        if (!bitmap_test(slab->map, i))
            continue;
        look_poison(cache, object);
        look_red(cache, object, RED_FREE);
        slab_debug_clear(cache, object);
    }
}

const char *slab_debug_check(const struct kmem_cache *cache, const char *object, bool is_free)
{
    uint32_t red = is_free ? RED_FREE : RED_OUT;

    if (is_free && poisoned_bytes(cache, object) < cache->size)
        return "an object was written after it was freed";
    if (!(cache->flags & SLAB_RED_ZONE))
        return NULL;
    if (word_at(before_start(object)) != red)
        return "an object was written before its start";
    return word_at(past_end(cache, object)) == red ? NULL : "an object was written past its end";
}
