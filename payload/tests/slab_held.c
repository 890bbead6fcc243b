/* SPDX-License-Identifier: BSD-2-Clause */
#include "payload/tests/slab_held.h"
#include "lib/prng.h"
#include "payload/tests/zone_state.h"

/* A block of the ballast, at its own start. */
struct ballast {
    struct ballast *next;
    unsigned order;
};

static struct zone_state before;
static struct ballast *ballast; /* what slab_ballast_take() has */

bool slab_held_open(struct slab_held *held, uint32_t max)
{
    *held = (struct slab_held){.max = max};
    held->entry = kmalloc(max * sizeof(*held->entry), GFP_KERNEL);
    return held->entry != NULL;
}

static void free_entry(const struct slab_held_entry *e)
{
    if (e->cache)
        kmem_cache_free(e->cache, e->object);
    else
        kfree(e->object);
}

void slab_held_close(struct slab_held *held)
{
    for (uint32_t i = 0; held->entry && i < held->count; i++)
        free_entry(&held->entry[i]);
    kfree(held->entry);
    *held = (struct slab_held){.entry = NULL};
    slab_ballast_give();
}

static uint8_t stamp_byte(uint32_t stamp, uint32_t offset)
{
    return (uint8_t)(stamp >> offset % 4 * 8) ^ (uint8_t)(offset / 4);
}

void slab_stamp(void *object, uint32_t size, uint32_t stamp)
{
    uint8_t *byte = object;

    for (uint32_t i = 0; i < size; i++)
        byte[i] = stamp_byte(stamp, i);
}

uint32_t slab_stamp_end(const void *object, uint32_t size, uint32_t stamp)
{
    const uint8_t *byte = object;
    uint32_t i = 0;

    while (i < size && byte[i] == stamp_byte(stamp, i))
        i++;
    return i;
}

void slab_held_add(struct slab_held *held, void *object, uint32_t size, struct kmem_cache *cache)
{
    held->entry[held->count++] = (struct slab_held_entry){
        .object = object, .cache = cache, .size = size, .stamp = hash32(++held->serial)};
    slab_stamp(object, size, hash32(held->serial));
}

bool slab_held_give(struct slab_held *held, uint32_t index, struct slab_damage *damage)
{
    struct slab_held_entry e = held->entry[index];
    uint32_t at = slab_stamp_end(e.object, e.size, e.stamp);

    held->entry[index] = held->entry[--held->count];
    if (at < e.size)
        *damage = (struct slab_damage){
            .object = e.object, .size = e.size, .offset = at, .found = ((uint8_t *)e.object)[at]};
    free_entry(&e);
    return at == e.size;
}

void slab_held_remember(void)
{
    slab_shrink_all();
    zone_state_remember(&before);
}

void slab_held_check_pages(struct test *t)
{
    slab_shrink_all();
    zone_state_compare(t, &before);
}

uint32_t slab_ballast_free_pages(void)
{
    return nr_free_pages(ZONE_DMA) + nr_free_pages(ZONE_NORMAL);
}

void slab_ballast_take(uint32_t keep_pages)
{
    unsigned order = MAX_ORDER;

    for (;;) {
        struct ballast *block = NULL;

        if (slab_ballast_free_pages() >= keep_pages + (1u << order))
            block = __get_free_pages(GFP_NOWAIT, order);
        if (block) {
            *block = (struct ballast){.next = ballast, .order = order};
            ballast = block;
        } else if (order-- == 0) {
            return;
        }
    }
}

void slab_ballast_give(void)
{
    while (ballast) {
        struct ballast *block = ballast;

        ballast = block->next;
        free_pages(block, block->order);
    }
}
