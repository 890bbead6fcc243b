/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Caches that are debugged: poison in free objects, a word on either side of every object that
 * tells whether it is out, and a pattern in what alignment leaves between those words.
 *
 *     | lead, to the alignment | object | red | pad  | red | object | red | pad to the slab's end |
 *          pad           red -^                          ^- stride after the first
 */
#include "lib/finding.h"
#include "lib/inject.h"
#include "lib/string.h"
#include "paging/slab_internal.h"

#define RED_OUT UINT32_C(0x0c7a11ed)
#define RED_FREE UINT32_C(0x0f4eed00)
#define POISON 0x6b
#define PAD 0x5a

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

/* The slab of what is known to be an object. */
static const struct slab *slab_around(const char *object)
{
    return slab_of_word(virt_to_page(object)->kmap);
}

/* Where the lead begins, whose pad the first object looks after. */
static const char *pad_start(const struct kmem_cache *cache, const char *object)
{
    return object == slab_around(object)->first ? object - cache->lead : before_start(object);
}

/* At the next object's word; the last one looks after what is left of the slab. */
static const char *pad_end(const struct kmem_cache *cache, const char *object)
{
    const struct slab *slab = slab_around(object);

    if (object == slab_object(cache, slab, cache->objects - 1))
        return slab->first - cache->lead + (PAGE_SIZE << cache->order);
    return before_start(object + cache->stride);
}

/* The first byte that is no pad; `end` if all are. */
static const char *pad_fault(const char *at, const char *end)
{
    if (inject(slab_pad_unseen, slab_bugs))
        return end;
    while (at < end && *at == PAD)
        at++;
    return at;
}

static void fill_pad(const char *start, const char *end)
{
    memset((char *)(uintptr_t)start, PAD, (size_t)(end - start));
}

static void set_red(const struct kmem_cache *cache, char *object, uint32_t word)
{
    if (!(cache->flags & SLAB_RED_ZONE))
        return;
    fill_pad(pad_start(cache, object), before_start(object));
    memcpy(object - sizeof(word), &word, sizeof(word));
    memcpy(object + cache->size, &word, sizeof(word));
    fill_pad(past_end(cache, object) + sizeof(word), pad_end(cache, object));
}

/* One finding a side. */
static void look_red(const struct kmem_cache *cache, const char *object, uint32_t wanted)
{
    const char *at, *end;
    uint32_t word;

    if (!(cache->flags & SLAB_RED_ZONE) || inject(slab_red_unseen, slab_bugs))
        return;
    word = word_at(before_start(object));
    end = before_start(object);
    at = pad_fault(pad_start(cache, object), end);
    if (word != wanted)
        finding("%s: object %p: 0x%08x was written before its start", cache->name, object, word);
    else if (at != end)
        finding("%s: object %p: 0x%02x was written %u bytes before its start", cache->name, object,
                (uint8_t)*at, (unsigned)(object - at));
    word = word_at(past_end(cache, object));
    end = pad_end(cache, object);
    at = pad_fault(past_end(cache, object) + sizeof(word), end);
    if (word != wanted)
        finding("%s: object %p: 0x%08x was written past its end", cache->name, object, word);
    else if (at != end)
        finding("%s: object %p: 0x%02x was written %u bytes past its end", cache->name, object,
                (uint8_t)*at, (unsigned)(at - past_end(cache, object)));
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
    const char *past, *end;

    if (is_free && poisoned_bytes(cache, object) < cache->size)
        return "an object was written after it was freed";
    if (!(cache->flags & SLAB_RED_ZONE))
        return NULL;
    end = before_start(object);
    if (word_at(end) != red || pad_fault(pad_start(cache, object), end) != end)
        return "an object was written before its start";
    past = past_end(cache, object);
    end = pad_end(cache, object);
    if (word_at(past) != red || pad_fault(past + sizeof(red), end) != end)
        return "an object was written past its end";
    return NULL;
}
