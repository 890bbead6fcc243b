/* SPDX-License-Identifier: BSD-2-Clause */
/* Where the loader may put a kernel: the candidates, against trying every address. */
#include "ci/unit/unit.h"
#include "loader/place.h"

#define RANGES_MAX 12

static struct {
    struct efi_map_descriptor range[RANGES_MAX];
    struct efi_map map;
} firmware;

static void add_range(uint32_t type, uint64_t start, uint64_t pages)
{
    firmware.range[firmware.map.bytes / sizeof(firmware.range[0])] =
        (struct efi_map_descriptor){.type = type, .physical = start, .pages = pages};
    firmware.map.bytes += sizeof(firmware.range[0]);
}

static void begin(void)
{
    memset(&firmware, 0, sizeof(firmware));
    firmware.map.descriptors = firmware.range;
    firmware.map.stride = sizeof(firmware.range[0]);
}

static bool fits(const struct efi_map_descriptor *range, const struct place_wish *wish,
                 uint64_t address)
{
    uint64_t whole_pages = ALIGN_UP(wish->size, EFI_PAGE_BYTES);

    return address != 0 && address >= range->physical && address >= wish->min &&
           address % MAX(wish->align, EFI_PAGE_BYTES) == 0 &&
           address + whole_pages <= range->physical + range->pages * EFI_PAGE_BYTES &&
           address + wish->size - 1 <= wish->last;
}

/* The best address of the range, by trying them all; false if there is none. */
static bool best_in(const struct efi_map_descriptor *range, const struct place_wish *wish,
                    uint64_t *address)
{
    bool found = false;

    for (uint64_t page = 0; page < range->pages; page++) {
        uint64_t here = range->physical + page * EFI_PAGE_BYTES;

        if (!fits(range, wish, here))
            continue;
        if (!found || wish->from_top)
            *address = here;
        found = true;
    }
    return found;
}

static int compare_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static void all_candidates(void **state)
{
    unsigned candidates = 0;
    struct prng prng;

    prng_seed(&prng, 1);
    for (int round = 0; round < 20000; round++) {
        uint64_t base = one_in(&prng, 3) ? 0 : MIB64(prng_below(&prng, 4000));
        uint64_t want[RANGES_MAX], at = base, address = PLACE_FIRST;
        size_t nr_want = 0;
        struct place_wish wish = {
            .size = between(&prng, 1, 20000),
            .align = one_in(&prng, 2) ? 1 : EFI_PAGE_BYTES << prng_below(&prng, 4),
            .min = base + prng_below(&prng, 200000),
            .last = base + prng_below(&prng, 1000000),
            .from_top = one_in(&prng, 2),
        };

        if (one_in(&prng, 3))
            wish.min = 0;
        if (one_in(&prng, 3))
            wish.last = UINT64_MAX;
        begin();
        for (uint32_t n = prng_below(&prng, RANGES_MAX + 1); n; n--) {
            uint64_t pages = prng_below(&prng, 20);

            add_range(one_in(&prng, 3) ? EFI_MAP_LOADER_DATA : EFI_MAP_CONVENTIONAL, at, pages);
            at += (pages + prng_below(&prng, 3)) * EFI_PAGE_BYTES;
        }
        for (size_t i = 0; i < efi_map_count(&firmware.map); i++)
            if (firmware.range[i].type == EFI_MAP_CONVENTIONAL &&
                best_in(&firmware.range[i], &wish, &want[nr_want]))
                nr_want++;
        qsort(want, nr_want, sizeof(*want), compare_u64);
        for (size_t i = 0; i < nr_want; i++) {
            assert_true(place_next(&firmware.map, &wish, &address));
            assert_true(address == want[wish.from_top ? nr_want - 1 - i : i]);
        }
        assert_false(place_next(&firmware.map, &wish, &address));
        candidates += (unsigned)nr_want;
    }
    assert_true(candidates > 20000);
}

/* A kernel that can't be moved has one place or none. */
static void one_place(void **state)
{
    struct place_wish wish = {.size = 0x3001, .align = 1, .min = MIB64(1), .last = 0x103000};
    uint64_t address = PLACE_FIRST;

    begin();
    add_range(EFI_MAP_CONVENTIONAL, 0x80000, 0x84);
    assert_true(place_next(&firmware.map, &wish, &address));
    assert_true(address == MIB64(1));
    assert_false(place_next(&firmware.map, &wish, &address));
    firmware.range[0].pages = 0x83; /* its last page is another's */
    address = PLACE_FIRST;
    assert_false(place_next(&firmware.map, &wish, &address));
}

static void at_the_end_of_numbers(void **state)
{
    struct place_wish wish = {
        .size = EFI_PAGE_BYTES, .align = 1, .last = UINT64_MAX, .from_top = true};
    uint64_t address = PLACE_FIRST;

    begin();
    add_range(EFI_MAP_CONVENTIONAL, UINT64_MAX - 0x2fff, UINT64_MAX); /* wraps: cut */
    assert_true(place_next(&firmware.map, &wish, &address));
    assert_true(address == UINT64_MAX - 0x1fff);
    wish.size = UINT64_MAX;
    address = PLACE_FIRST;
    assert_false(place_next(&firmware.map, &wish, &address));
    wish.size = 0x1000;
    wish.align = BIT64(63);
    address = PLACE_FIRST;
    assert_false(place_next(&firmware.map, &wish, &address));
    wish.align = 1;
    wish.last = 0xffe;
    address = PLACE_FIRST;
    assert_false(place_next(&firmware.map, &wish, &address));
    begin();
    address = PLACE_FIRST;
    assert_false(place_next(&firmware.map, &wish, &address));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_candidates),
        cmocka_unit_test(one_place),
        cmocka_unit_test(at_the_end_of_numbers),
    };

    return cmocka_run_group_tests_name("place", tests, NULL, NULL);
}
