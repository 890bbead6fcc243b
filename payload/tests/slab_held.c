/* SPDX-License-Identifier: BSD-2-Clause */
#include "payload/tests/slab_held.h"
#include "lib/prng.h"

/* A block of the ballast, at its own start. */
struct ballast {
    struct ballast *next;
    unsigned order;
};

static struct {
    uint32_t nr_free[MAX_NR_ZONES][NR_ORDERS];
    struct ballast *ballast;
} before;

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
    drain_all_pages();
    for (unsigned z = 0; z < MAX_NR_ZONES; z++)
        for (unsigned order = 0; order < NR_ORDERS; order++)
            before.nr_free[z][order] = zone_get((enum zone_type)z)->free_area[order].nr_free;
}

/* Free buddies never stay apart, so equal free memory means equal lists. */
void slab_held_check_pages(struct test *t)
{
    slab_shrink_all();
    drain_all_pages();
    for (unsigned z = 0; z < MAX_NR_ZONES; z++) {
        const struct zone *zone = zone_get((enum zone_type)z);
        pfn_t where = 0;
        const char *wrong = zone_check(zone, &where);

        TEST_CHECK(t, wrong == NULL, "zone %s: %s, at frame 0x%x", zone->name, wrong, where);
        for (unsigned order = 0; order < NR_ORDERS; order++)
            TEST_CHECK(t, zone->free_area[order].nr_free == before.nr_free[z][order],
                       "zone %s: %u blocks of order %u, %u before", zone->name,
                       zone->free_area[order].nr_free, order, before.nr_free[z][order]);
    }
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
            *block = (struct ballast){.next = before.ballast, .order = order};
            before.ballast = block;
        } else if (order-- == 0) {
            return;
        }
    }
}

void slab_ballast_give(void)
{
    while (before.ballast) {
        struct ballast *block = before.ballast;

        before.ballast = block->next;
        free_pages(block, block->order);
    }
}
