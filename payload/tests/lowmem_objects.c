/* SPDX-License-Identifier: BSD-2-Clause */
#include "payload/tests/lowmem_objects.h"

#define KIND_BITS 3u
#define KIND_MASK (BIT(KIND_BITS) - 1)
_Static_assert(OBJECT_KINDS <= KIND_MASK + 1, "the kind is the low bits of a serial number");
/* So near its end that every run goes past it: so would a long one. */
#define FIRST_SERIAL ((UINT32_MAX >> KIND_BITS) - 1024u)

/* Sizes are about those of a 32-bit Linux of the time; how often each is wanted is an estimate. */
static const struct kind {
    const char *name;
    uint32_t bytes;
    unsigned weight; /* of 100 */
} kinds[OBJECT_KINDS] = {
    {"dentry", 128, 40}, {"inode", 512, 25}, {"file", 192, 20},
    {"sock", 1024, 10},  {"sent", 2048, 5},
};

static unsigned draw_kind(struct prng *prng)
{
    unsigned draw = prng_below(prng, 100), kind = 0;

    while (draw >= kinds[kind].weight)
        draw -= kinds[kind++].weight;
    return kind;
}

static unsigned kind_of(const struct lowmem_object *object)
{
    return object->serial & KIND_MASK;
}

static uint32_t *last_word(const struct lowmem_object *object)
{
    return object->words + kinds[kind_of(object)].bytes / sizeof(uint32_t) - 1;
}

static void check_object(struct lowmem_objects *objects, const struct lowmem_object *object)
{
    TEST_CHECK(objects->lab->t,
               *object->words == object->serial && *last_word(object) == ~object->serial,
               "%s at physical 0x%llx holds 0x%08x and 0x%08x, 0x%08x and 0x%08x wanted",
               kinds[kind_of(object)].name, addr_number(virt_to_phys(object->words)),
               *object->words, *last_word(object), object->serial, ~object->serial);
}

const char *lowmem_objects_open(struct lowmem_objects *objects, struct lab *lab, uint32_t max)
{
    *objects = (struct lowmem_objects){.lab = lab, .serial = FIRST_SERIAL};
    objects->object = lab_table(lab, (uint64_t)max * sizeof(*objects->object));
    if (!objects->object)
        return "there is no memory for a table of objects";
    for (unsigned i = 0; i < OBJECT_KINDS; i++) {
        objects->kind[i] = kmem_cache_create(kinds[i].name, kinds[i].bytes, 0, 0);
        if (!objects->kind[i])
            return "there is no cache for small objects";
    }
    objects->max = max;
    return NULL;
}

enum lab_step lowmem_objects_take(struct lowmem_objects *objects)
{
    unsigned kind = draw_kind(objects->lab->prng);
    struct lowmem_object object = {.serial = ++objects->serial << KIND_BITS | kind};
    struct slab_info info;

    if (objects->count == objects->max)
        return LAB_GOES_ON;
    object.words = lab_kmem_alloc(objects->lab, objects->kind[kind], GFP_KERNEL);
    if (!object.words) {
        kmem_cache_info(objects->kind[kind], &info);
        lab_note_failure(objects->lab, GFP_KERNEL, info.slab_order);
        return LAB_WEDGED;
    }
    *object.words = object.serial;
    *last_word(&object) = ~object.serial;
    objects->object[objects->count++] = object;
    return LAB_GOES_ON;
}

static void give(struct lowmem_objects *objects, uint32_t index)
{
    struct lowmem_object object = objects->object[index];

    check_object(objects, &object);
    objects->object[index] = objects->object[--objects->count];
    kmem_cache_free(objects->kind[kind_of(&object)], object.words);
}

void lowmem_objects_give_any(struct lowmem_objects *objects)
{
    if (objects->count)
        give(objects, prng_below(objects->lab->prng, objects->count));
}

void lowmem_objects_check(struct lowmem_objects *objects)
{
    for (uint32_t i = 0; i < objects->count && !test_should_stop(objects->lab->t); i++)
        check_object(objects, &objects->object[i]);
}

void lowmem_objects_close(struct lowmem_objects *objects)
{
    while (objects->count)
        give(objects, objects->count - 1);
    for (unsigned i = 0; i < OBJECT_KINDS; i++)
        kmem_cache_destroy(objects->kind[i]);
    *objects = (struct lowmem_objects){.lab = NULL};
}
