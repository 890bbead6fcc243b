/* SPDX-License-Identifier: BSD-2-Clause */
#include "ci/unit/unit.h"
#include "lib/errno.h"
#include "paging/memmap.h"
#include "paging/pte.h"

/*
 * The model: some stretch of the address space in units of a byte count that is no multiple of a
 * page, so that ranges begin and end inside of pages; a type for each unit.
 */
#define UNITS 192u
#define UNIT_BYTES 0x600u
#define UNITS_BYTES ((uint64_t)UNITS * UNIT_BYTES)
#define PAGES (UNITS * UNIT_BYTES / PAGE_SIZE)

struct model {
    phys_addr_t base; /* a multiple of the page size */
    uint8_t type[UNITS];
    bool taken[PAGES]; /* by memmap_take() */
};

static unsigned notes;

static void count_note(const char *text)
{
    assert_true(strlen(text) < 112);
    notes++;
}

/* Bases at which 32-bit, page number and 64-bit arithmetic would go wrong. */
static phys_addr_t any_base(struct prng *prng)
{
    const phys_addr_t bases[] = {
        0,
        MIB64(1),
        GIB64(4) - ALIGN_DOWN(UNITS_BYTES / 2, PAGE_SIZE),
        GIB64(64) - ALIGN_DOWN(UNITS_BYTES / 3, PAGE_SIZE),
        BIT64(44) - PAGE_SIZE * 7,
        BIT64(52) - PAGE_SIZE * 5,
        BIT64(63) - PAGE_SIZE * 9,
        -(uint64_t)ALIGN_UP(UNITS_BYTES, PAGE_SIZE) - PAGE_SIZE,
    };

    return bases[prng_below(prng, ARRAY_SIZE(bases))];
}

static phys_addr_t unit_address(const struct model *model, uint32_t unit)
{
    return model->base + (phys_addr_t)unit * UNIT_BYTES;
}

/* Firmware's numbers: mostly the known ones. */
static unsigned any_type(struct prng *prng)
{
    static const unsigned odd[] = {0, 6, 7, 12, 14, 0x80000000, UINT32_MAX};

    if (one_in(prng, 8))
        return odd[prng_below(prng, ARRAY_SIZE(odd))];
    return one_in(prng, 2) ? MEM_USABLE : between(prng, MEM_USABLE, MEM_BAD);
}

static unsigned believed_type(unsigned type)
{
    return type >= MEM_USABLE && type <= MEM_BAD ? type : MEM_RESERVED;
}

/* Adds random ranges, overlapping and unsorted, to both. */
static void add_random(struct prng *prng, struct memmap *map, struct model *model, unsigned count)
{
    for (; count; count--) {
        uint32_t start = prng_below(prng, UNITS);
        uint32_t most = one_in(prng, 4) ? UNITS : 20;
        uint32_t length = prng_below(prng, MIN(UNITS - start, most) + 1);
        unsigned type = any_type(prng);

        memmap_add(map, unit_address(model, start), (uint64_t)length * UNIT_BYTES, type,
                   count_note);
        for (uint32_t unit = start; unit < start + length; unit++)
            model->type[unit] = MAX(model->type[unit], believed_type(type));
    }
}

/* Sorted, not empty, disjoint; and of the type that the model has, everywhere. */
static void assert_like_model(const struct memmap *map, const struct model *model)
{
    uint8_t found[UNITS] = {MEM_NONE};

    assert_true(map->count <= MEMMAP_MAX);
    for (unsigned i = 0; i < map->count; i++) {
        const struct mem_range *range = &map->range[i];
        uint64_t first = (range->start - model->base) / UNIT_BYTES;
        uint64_t end = (range->end - model->base) / UNIT_BYTES;

        assert_true(range->start < range->end);
        assert_true(i == 0 || map->range[i - 1].end <= range->start);
        assert_true(range->start == unit_address(model, (uint32_t)first));
        assert_true(range->end == unit_address(model, (uint32_t)end) && end <= UNITS);
        for (uint64_t unit = first; unit < end; unit++)
            found[unit] = (uint8_t)range->type;
    }
    assert_memory_equal(found, model->type, UNITS);
}

/* No two neighbours could be one range. */
static void assert_merged(const struct memmap *map)
{
    for (unsigned i = 1; i < map->count; i++)
        assert_false(map->range[i - 1].end == map->range[i].start &&
                     map->range[i - 1].type == map->range[i].type);
}

static void random_map(struct prng *prng, struct memmap *map, struct model *model)
{
    memset(map, 0, sizeof(*map));
    memset(model, 0, sizeof(*model));
    model->base = any_base(prng);
    add_random(prng, map, model, prng_below(prng, one_in(prng, 5) ? 200 : 20));
    memmap_sanitise(map, count_note);
}

static void lies_are_sorted_out(void **state)
{
    static struct memmap map;
    struct model model;
    struct prng prng;

    prng_seed(&prng, 1);
    for (int round = 0; round < 4000; round++) {
        random_map(&prng, &map, &model);
        assert_like_model(&map, &model);
        assert_merged(&map);
        assert_int_equal(map.dropped, 0);
        memmap_sanitise(&map, NULL); /* nothing left to do */
        assert_like_model(&map, &model);
    }
    assert_true(notes > 0);
}

static void honest_map_has_no_notes(void **state)
{
    static struct memmap map;

    notes = 0;
    memset(&map, 0, sizeof(map));
    memmap_add(&map, 0, 0x9fc00, MEM_USABLE, count_note);
    memmap_add(&map, 0x9fc00, 0x400, MEM_RESERVED, count_note);
    memmap_add(&map, MIB64(1), GIB64(3) - MIB64(1), MEM_USABLE, count_note);
    memmap_add(&map, GIB64(4), GIB64(60), MEM_USABLE, count_note);
    memmap_sanitise(&map, count_note);
    assert_int_equal(map.count, 4);
    assert_int_equal(notes, 0);
    assert_true(memmap_usable_bytes(&map, 0, UINT64_MAX) == 0x9f000 + GIB64(63) - MIB64(1));
    assert_true(memmap_usable_end(&map, UINT64_MAX) == GIB64(64));
    assert_true(memmap_usable_end(&map, GIB64(4)) == GIB64(3));
}

static void each_lie_is_noted(void **state)
{
    static struct memmap map;

    memset(&map, 0, sizeof(map));
    notes = 0;
    memmap_add(&map, MIB64(5), 0, MEM_USABLE, count_note);
    assert_int_equal(notes, 1);
    assert_int_equal(map.count, 0);
    memmap_add(&map, UINT64_MAX - 0xffff, 0x20000, MEM_USABLE, count_note);
    assert_int_equal(notes, 2);
    assert_true(map.range[0].end == UINT64_MAX);
    memmap_add(&map, MIB64(1), MIB64(2), MEM_USABLE, count_note);
    memmap_add(&map, MIB64(2), MIB64(2), MEM_RESERVED, count_note);
    assert_int_equal(notes, 2);
    memmap_sanitise(&map, count_note);
    assert_int_equal(notes, 3);
    memmap_clip(&map, MIB64(1) + PAGE_SIZE, "a reason", count_note);
    assert_int_equal(notes, 5);
    assert_true(memmap_usable_bytes(&map, 0, UINT64_MAX) == PAGE_SIZE);
}

/* More ranges than there is room for, and what fits after merging. */
static void many_ranges(void **state)
{
    static struct memmap map;

    memset(&map, 0, sizeof(map));
    for (uint32_t i = 0; i < 4 * MEMMAP_MAX; i++)
        memmap_add(&map, (phys_addr_t)i * PAGE_SIZE, PAGE_SIZE, MEM_USABLE, NULL);
    memmap_sanitise(&map, NULL);
    assert_int_equal(map.count, 1);
    assert_int_equal(map.dropped, 0);
    assert_true(map.range[0].end == 4 * MEMMAP_MAX * (phys_addr_t)PAGE_SIZE);

    memset(&map, 0, sizeof(map));
    notes = 0;
    for (uint32_t i = 0; i < MEMMAP_MAX + 10; i++)
        memmap_add(&map, 2 * (phys_addr_t)i * PAGE_SIZE, PAGE_SIZE, MEM_USABLE, count_note);
    assert_int_equal(map.count, MEMMAP_MAX);
    assert_int_equal(map.dropped, 10);
    assert_int_equal(notes, 10);
}

/* However full the map: what somebody called reserved is never usable. */
static void full_map_stays_careful(void **state)
{
    static struct memmap map;

    memset(&map, 0, sizeof(map));
    for (uint32_t i = 0; i < MEMMAP_MAX - 1; i++)
        memmap_add(&map, 2 * (phys_addr_t)i * PAGE_SIZE, PAGE_SIZE, MEM_USABLE, NULL);
    memmap_add(&map, GIB64(1), MIB64(16), MEM_USABLE, NULL);
    memmap_add(&map, GIB64(1) + MIB64(8), PAGE_SIZE, MEM_RESERVED, NULL);
    /* This one covers a whole range, whose place in the table is then free for the next lie. */
    memmap_add(&map, 0, PAGE_SIZE, MEM_RESERVED, NULL);
    memmap_add(&map, 0, PAGE_SIZE, MEM_USABLE, NULL);
    memmap_add(&map, 0, PAGE_SIZE, MEM_USABLE, NULL);
    memmap_sanitise(&map, NULL);
    assert_true(memmap_usable_bytes(&map, GIB64(1) + MIB64(8), GIB64(1) + MIB64(8) + PAGE_SIZE) ==
                0);
    assert_true(memmap_usable_bytes(&map, 0, PAGE_SIZE) == 0);
}

static void clipping(void **state)
{
    static struct memmap map;
    struct model model;
    struct prng prng;

    prng_seed(&prng, 2);
    for (int round = 0; round < 2000; round++) {
        uint32_t limit = prng_below(&prng, UNITS + 1);

        random_map(&prng, &map, &model);
        memmap_clip(&map, unit_address(&model, limit), "unit test", count_note);
        for (uint32_t unit = limit; unit < UNITS; unit++)
            if (model.type[unit] == MEM_USABLE)
                model.type[unit] = MEM_NONE;
        assert_like_model(&map, &model);
    }
}

static void marking(void **state)
{
    static struct memmap map;
    struct model model;
    struct prng prng;

    prng_seed(&prng, 3);
    for (int round = 0; round < 1000; round++) {
        random_map(&prng, &map, &model);
        for (int i = 0; i < 20; i++) {
            uint32_t start = prng_below(&prng, UNITS);
            uint32_t end = between(&prng, start + 1, UNITS);
            enum mem_type type = (enum mem_type)between(&prng, MEM_USABLE, MEM_BAD);

            assert_int_equal(
                memmap_mark(&map, unit_address(&model, start), unit_address(&model, end), type), 0);
            memset(model.type + start, (int)type, end - start);
            assert_like_model(&map, &model);
        }
    }
}

static void marking_in_a_full_map(void **state)
{
    static struct memmap map, before;

    for (uint32_t count = MEMMAP_MAX - 1; count <= MEMMAP_MAX; count++) {
        memset(&map, 0, sizeof(map));
        for (uint32_t i = 0; i < count; i++)
            memmap_add(&map, 4 * (phys_addr_t)i * PAGE_SIZE, 3 * PAGE_SIZE, MEM_USABLE, NULL);
        memmap_sanitise(&map, NULL);
        before = map;
        assert_int_equal(memmap_mark(&map, PAGE_SIZE, 2 * PAGE_SIZE, MEM_RESERVED), -ENOSPC);
        assert_memory_equal(&map, &before, sizeof(map));
        assert_true(memmap_take(&map, PAGE_SIZE, PAGE_SIZE, GIB64(4)) == 0);
        assert_memory_equal(&map, &before, sizeof(map));
    }
}

/* Page `page` from the model's base is usable to its last byte. */
static bool page_is_usable(const struct model *model, uint32_t page)
{
    uint32_t first = page * PAGE_SIZE / UNIT_BYTES;
    uint32_t last = (page * PAGE_SIZE + PAGE_SIZE - 1) / UNIT_BYTES;

    if (model->taken[page])
        return false;
    for (uint32_t unit = first; unit <= last; unit++)
        if (unit >= UNITS || model->type[unit] != MEM_USABLE)
            return false;
    return true;
}

static void whole_pages(void **state)
{
    static struct memmap map;
    struct model model;
    struct prng prng;

    prng_seed(&prng, 4);
    for (int round = 0; round < 3000; round++) {
        bool usable[PAGES] = {false};
        struct mem_range range;
        unsigned cursor = 0;
        uint32_t low = prng_below(&prng, PAGES + 1), high = between(&prng, low, PAGES);
        uint64_t bytes = 0;
        phys_addr_t end = 0, before = 0;

        random_map(&prng, &map, &model);
        while (memmap_next_usable(&map, &cursor, &range)) {
            assert_true(IS_ALIGNED(range.start, PAGE_SIZE) && IS_ALIGNED(range.end, PAGE_SIZE));
            assert_true(range.start >= before && range.start < range.end);
            assert_int_equal(range.type, MEM_USABLE);
            before = range.end;
            for (phys_addr_t at = range.start; at < range.end; at += PAGE_SIZE)
                usable[(at - model.base) / PAGE_SIZE] = true;
        }
        assert_false(memmap_next_usable(&map, &cursor, &range));
        for (uint32_t page = 0; page < PAGES; page++) {
            assert_int_equal(usable[page], page_is_usable(&model, page));
            if (usable[page] && page >= low && page < high)
                bytes += PAGE_SIZE;
            if (usable[page] && page < high)
                end = model.base + (page + 1) * (phys_addr_t)PAGE_SIZE;
        }
        assert_true(memmap_usable_bytes(&map, model.base + low * (phys_addr_t)PAGE_SIZE,
                                        model.base + high * (phys_addr_t)PAGE_SIZE) == bytes);
        assert_true(memmap_usable_end(&map, model.base + high * (phys_addr_t)PAGE_SIZE) == end);
    }
}

/* The highest place that the model has for so many pages; 0 if none. */
static phys_addr_t model_take(const struct model *model, uint32_t pages, uint64_t align,
                              uint32_t limit)
{
    phys_addr_t best = 0;

    for (uint32_t page = 0; page + pages <= limit; page++) {
        phys_addr_t at = model->base + page * (phys_addr_t)PAGE_SIZE;
        uint32_t run = 0;

        while (run < pages && page_is_usable(model, page + run))
            run++;
        if (run == pages && IS_ALIGNED(at, align) && at != 0)
            best = at;
    }
    return best;
}

static void taking(void **state)
{
    static struct memmap map;
    struct model model;
    struct prng prng;
    unsigned taken = 0;

    prng_seed(&prng, 5);
    for (int round = 0; round < 1000; round++) {
        random_map(&prng, &map, &model);
        for (int i = 0; i < 10; i++) {
            uint32_t pages = between(&prng, 1, one_in(&prng, 3) ? 12 : 3);
            uint64_t align = (uint64_t)PAGE_SIZE << prng_below(&prng, 5);
            uint32_t limit = one_in(&prng, 3) ? prng_below(&prng, PAGES + 1) : PAGES;
            phys_addr_t want = model_take(&model, pages, align, limit);
            phys_addr_t got = memmap_take(&map, pages * (uint64_t)PAGE_SIZE, align,
                                          model.base + limit * (phys_addr_t)PAGE_SIZE);

            assert_true(got == want);
            if (!got)
                continue;
            taken++;
            assert_true(memmap_usable_bytes(&map, got, got + pages * (uint64_t)PAGE_SIZE) == 0);
            memset(model.taken + (got - model.base) / PAGE_SIZE, true, pages);
            for (unsigned r = 1; r < map.count; r++)
                assert_true(map.range[r - 1].end <= map.range[r].start);
        }
    }
    assert_true(taken > 2000);
    memset(&map, 0, sizeof(map));
    assert_true(memmap_take(&map, PAGE_SIZE, PAGE_SIZE, GIB64(4)) == 0);
    assert_true(memmap_take(&map, 0, PAGE_SIZE, GIB64(4)) == 0);
}

/* The smallest usable ranges go, each with a note; what is reserved stays. */
static void make_room(void **state)
{
    static struct memmap map;
    uint64_t reserved = 0;

    (void)state;
    map.count = 0;
    map.dropped = 0;
    for (unsigned i = 0; i < MEMMAP_MAX; i++)
        memmap_add(&map, (uint64_t)i << 20, (i & 1) ? (i + 1) << 8 : 0x800,
                   (i & 1) ? MEM_USABLE : MEM_RESERVED, NULL);
    memmap_sanitise(&map, NULL);
    assert_int_equal(map.count, MEMMAP_MAX);
    memmap_make_room(&map, 32, NULL);
    assert_int_equal(map.count, MEMMAP_MAX - 32);
    for (unsigned i = 0; i < map.count; i++) {
        reserved += map.range[i].type == MEM_RESERVED;
        if (map.range[i].type == MEM_USABLE)
            assert_true(map.range[i].start >= (uint64_t)65 << 20);
    }
    assert_int_equal(reserved, MEMMAP_MAX / 2);
    /* Page after page taken from one range stays one range. */
    unsigned before = map.count;
    map.range[map.count - 1].end = map.range[map.count - 1].start + (1 << 20);
    for (unsigned i = 0; i < 100; i++)
        assert_true(memmap_take(&map, 4096, 4096, UINT64_MAX) != 0);
    assert_int_equal(map.count, before + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lies_are_sorted_out),
        cmocka_unit_test(honest_map_has_no_notes),
        cmocka_unit_test(each_lie_is_noted),
        cmocka_unit_test(many_ranges),
        cmocka_unit_test(full_map_stays_careful),
        cmocka_unit_test(clipping),
        cmocka_unit_test(marking),
        cmocka_unit_test(marking_in_a_full_map),
        cmocka_unit_test(whole_pages),
        cmocka_unit_test(taking),
        cmocka_unit_test(make_room),
    };

    return cmocka_run_group_tests_name("memmap", tests, NULL, NULL);
}
